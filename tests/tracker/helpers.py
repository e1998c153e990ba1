"""What the tests of the tracker share: reports, records, a roster, and a journal that is moved by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from protocols.report import Report
from storage.blobs import Blobs
from storage.journal import Journal
from storage.journal_files import Batch
from tracker.areas import AreaIndex
from tracker.intake import Intake
from tracker.links import Links
from tracker.model import Area, AreaId, Device
from tracker.photos import Photos
from tracker.record import REPORT, ReportRecord
from tracker.roster import Change, Roster
from tracker.tokens import hashed, new_token

NOON = 1_795_435_200_000
"""2026-11-23 12:00:00 UTC."""
HOUR = 3_600_000
LAT, LON = 306_600_000, 1_174_900_000
"""The middle of the demo city, 1e-7 degrees."""
NO_AREAS = AreaIndex()


def report(at: int | None = NOON, latitude: int | None = LAT, longitude: int | None = LON, **others: Any) -> Report:
    return Report(at, latitude, longitude, **others)


def record(at: int | None = NOON, latitude: int | None = LAT, longitude: int | None = LON, **others: Any) -> Any:
    """A report's record as admission makes it; received a second after the fix unless told otherwise."""
    fields: dict[str, Any] = {
        "kind": REPORT, "device": "d1", "unit": "p1", "duty": 1, "server_time": NOON if at is None else at + 1000,
        "device_time": None, "fix_time": at, "latitude": latitude, "longitude": longitude, "altitude": None,
        "speed": None, "course": None, "accuracy": None, "status": 0, "alarm": 0, "marks": 0, "items": None,
        "original": None,
    }  # fmt: skip
    unknown = set(others) - set(fields)
    assert not unknown, unknown
    return ReportRecord(**{**fields, **others})


def stored(records: list[Any]) -> list[Any]:
    """What the journal gives back of records: they have been through msgpack."""
    packed = msgpack.packb([tuple(r) for r in records], use_bin_type=True)
    return list(msgpack.unpackb(packed, use_list=False, strict_map_key=False))


def square(identity: str, level: str, west: float, south: float, east: float, north: float, **others: Any) -> Area:
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return Area(AreaId(identity), level, identity, geometry={"type": "Polygon", "coordinates": [ring]}, **others)


def apply_all(roster: Roster, changes: list[Change]) -> None:
    for change in changes:
        roster.apply(change)


class Hands:
    """A clock and a thread pool in one. Work is done at once, in this thread; ``broken`` makes it fail."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.broken = False
        self.held: list[Callable[[], None]] | None = None

    def callLater(self, delay: float, f: Callable[..., object], *args: Any) -> Any:
        return self.clock.callLater(delay, f, *args)

    def callFromThread(self, f: Callable[..., object], *args: Any) -> None:
        f(*args)

    def seconds(self) -> float:
        return float(self.clock.seconds())

    def callInThreadWithCallback(self, on_result: Callable[[bool, Any], None], f: Callable[..., Any], *a: Any) -> None:
        def job() -> None:
            try:
                if self.broken:
                    raise OSError(28, "No space left on device")
                result = f(*a)
            except Exception:
                on_result(False, Failure())  # type: ignore[no-untyped-call]
            else:
                on_result(True, result)

        if self.held is None:
            job()
        else:
            self.held.append(job)

    def hold(self) -> None:
        """From now on the disk does not answer."""
        self.held = []

    def release(self) -> None:
        held, self.held = self.held or [], None
        for job in held:
            job()


class House:
    """An intake over a real journal whose disk and clock are moved by hand."""

    def __init__(self, folder: Path, **journal: Any) -> None:
        self.folder = folder
        self.hands = Hands()
        self.now = NOON
        pool: Any = self.hands
        self.journal = Journal(folder, self.hands, pool, lambda: self.now, **journal)
        self.batches: list[Batch] = []
        self.journal.listen(self.batches.append)
        self.intake = Intake(self.journal, lambda: self.now)
        self.roster = self.intake.roster
        self._tokens: dict[str, str] = {}

    def make_links(self, **blobs: Any) -> Links:
        """The links over this intake; commands have the ids c0, c1, ... A second time: as after a restart."""
        hands: Any = self.hands
        photos = Photos(self.intake, Blobs(self.folder.parent / "media", hands, hands, **blobs))
        return Links(self.intake, photos, hands, iter(f"c{i}" for i in range(100_000)).__next__)

    def register(self, protocol: str, external_id: str = "", **fields: Any) -> Device:
        token = new_token()
        wanted = {"protocol": protocol, "external_id": external_id, "token": hashed(token), **fields}
        device, changes = self.roster.plan_device(wanted)
        apply_all(self.roster, changes)
        self._tokens[device.id] = token
        return device

    def token(self, device: Device) -> str:
        """The token that it was registered with."""
        return self._tokens[device.id]

    def settle(self) -> None:
        """Let the group's time pass: what was appended is committed, if the disk works."""
        self.hands.clock.advance(0.02)

    @property
    def records(self) -> list[ReportRecord]:
        """The reports on disk."""
        found = []
        for batch in self.journal.read(1, 1 << 30):
            found += [ReportRecord._make(r) for r in batch.records if r[0] == REPORT]
        return found

    def refused(self, protocol: str) -> dict[str, int]:
        return dict(self.intake.counters.refused[protocol])

    def close(self) -> None:
        self.hands.broken = False
        self.journal.close()
        self.settle()
