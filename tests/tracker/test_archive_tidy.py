"""History within its bounds: what is too old goes, the chain says so and verifies whenever the child is killed."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from storage.archive.archive import Archive
from storage.archive.budgets import Limit
from storage.archive.chain import Chain, SealedFile
from storage.archive.layout import ACCESS, CLASSES, EVENTS, FIXES, PHOTOS, SNAPSHOTS, details_of, shifted
from storage.archive.usage import measure
from storage.copies import copy_of
from storage.journal_files import JournalFiles
from tracker import archive_tidy
from tracker.archive_context import Context
from tracker.archive_tidy import ROOM, close_photos, limits_of, tidy

ZONE = "Asia/Shanghai"
TODAY = "2026-11-23"
NOW = int(datetime(2026, 11, 23, 3, tzinfo=ZoneInfo(ZONE)).timestamp() * 1000)
ROOMY = {kind: Limit(36_500) for kind in CLASSES}


def back(days: int) -> str:
    return shifted(TODAY, -days)


@dataclass
class City:
    """A data folder with an archive of small files, on a disk of ``size`` bytes that only they are on."""

    data: Path
    size: int = 1 << 40

    def __post_init__(self) -> None:
        (self.data / "journal").mkdir(parents=True)
        self.archive = Archive(self.data / "archive", ZONE)
        self.told: list[dict[str, Any]] = []

    def context(self) -> Context:
        return Context(self.data, self.archive, JournalFiles(self.data / "journal"), NOW, self.told.append)

    def close(self, kind: str, day: str, size: int = 1000, late: str = "") -> None:
        """A closed day or supplement."""
        name = {SNAPSHOTS: f"{day}.snapshot"}.get(kind, f"{day}{late}.parquet")
        files = []
        for one in (name, details_of(name)) if kind == FIXES else (name,):
            path = self.archive.layout.folder(kind) / one
            path.write_bytes(bytes(size))
            files.append(SealedFile(one, size, 1, sha256(bytes(size)).hexdigest()))
        self.archive.chains[kind].append("supplement" if late else "day", day, NOW, files=files, upto=1)

    def part(self, kind: str, day: str, size: int = 100, run: str = "000000000001-000000000009") -> Path:
        folder = self.archive.layout.open / run
        folder.mkdir(exist_ok=True)
        path = folder / f"{kind}.{day}.parquet"
        path.write_bytes(bytes(size))
        return path

    def photo(self, day: str, name: str, data: bytes = b"photo") -> Path:
        path = self.data / "media" / day / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def free(self, folder: Path) -> int:
        return self.size - sum(path.stat().st_size for path in self.data.rglob("*") if path.is_file())

    def tidy(self, limits: dict[str, Limit] | None = None, room: int = 0) -> dict[str, Any]:
        return tidy(self.context(), {"limits": limits_of({**ROOMY, **(limits or {})}), "room": room})

    def files(self, kind: str) -> list[str]:
        folder = self.data / "media" if kind == PHOTOS else self.archive.layout.folder(kind)
        found = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
        return sorted(name for name in found if name != "chain.jsonl")

    def sound(self) -> None:
        """Every chain is whole, and what it says is there is there, and nothing else."""
        for kind in CLASSES:
            chain = Chain(self.archive.layout.chain(kind))
            chain.check()
            assert self.files(kind) == sorted(chain.files())

    def deletions(self, kind: str) -> list[tuple[str, str]]:
        return [(entry.day, entry.reason) for entry in self.archive.chains[kind].entries if entry.kind == "deletion"]


@pytest.fixture
def city(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> City:
    found = City(tmp_path / "data")
    monkeypatch.setattr(archive_tidy, "FREE", found.free)
    return found


def test_what_is_older_than_it_is_kept_goes_with_a_record(city: City) -> None:
    for kind in (FIXES, EVENTS, ACCESS, SNAPSHOTS):
        for days in (40, 31, 30, 9):
            city.close(kind, back(days))
    city.close(FIXES, back(40), late=f".late-{back(20)}")
    late, fresh = city.part(FIXES, back(35)), city.part(FIXES, back(1))
    limits = {FIXES: Limit(30), EVENTS: Limit(35), ACCESS: Limit(10), SNAPSHOTS: Limit(30)}
    told = city.tidy(limits)
    assert told["deleted"] == {
        "fixes": {"retention": 3}, "events": {"retention": 1}, "access": {"retention": 3},
        "snapshots": {"retention": 2},
    }  # fmt: skip
    assert city.files(ACCESS) == [f"{back(9)}.parquet"]
    assert city.deletions(FIXES) == [(back(40), "retention"), (back(31), "retention")]
    assert city.files(FIXES) == sorted(
        one for days in (30, 9) for one in (f"{back(days)}.parquet", details_of(f"{back(days)}.parquet"))
    )
    assert city.files(SNAPSHOTS) == [f"{back(30)}.snapshot", f"{back(9)}.snapshot"]
    assert (late.exists(), fresh.exists()) == (False, True)
    city.sound()
    assert told["bytes"] > 0
    assert city.told[0] == {"deleted": back(40), "class": "fixes", "reason": "retention"}
    again = city.tidy(limits)
    assert (again["deleted"], again["bytes"]) == ({}, 0)
    assert len(city.deletions(FIXES)) == 2, "nothing is recorded twice"


class Killed(BaseException):
    pass


STEPS = 16


@pytest.mark.parametrize("step", range(STEPS))
def test_killed_at_any_moment(city: City, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Before, between and after every record and every unlink: the chain verifies, and the next one finishes."""
    for days in (41, 40, 9):
        city.close(FIXES, back(days))
        city.photo(back(days), "a.jpg")
        city.photo(back(days), "b.jpg")
    close_photos(city.context(), {})
    left = [step]

    def counted(real: Any) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            result = real(*args, **kwargs)
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return result

        return run

    wanted = {FIXES: Limit(30), PHOTOS: Limit(30)}
    with monkeypatch.context() as patched:
        patched.setattr(Chain, "append", counted(Chain.append))
        patched.setattr(Path, "unlink", counted(Path.unlink))
        with pytest.raises(Killed):
            city.tidy(wanted)
    for kind in CLASSES:
        chain = Chain(city.archive.layout.chain(kind))
        chain.check()
        assert set(chain.files()) <= set(city.files(kind)), "nothing goes before its record"
    city.archive = Archive(city.data / "archive", ZONE)
    city.tidy(wanted)
    city.sound()
    assert city.deletions(FIXES) == [(back(41), "retention"), (back(40), "retention")]
    assert city.files(PHOTOS) == [f"{back(9)}/a.jpg", f"{back(9)}/b.jpg"]
    assert not (city.data / "media" / back(40)).exists()


def test_photos_of_a_day_are_sealed_when_nothing_comes_to_it_any_more(city: City) -> None:
    city.photo("2026-11-20", "b.jpg", b"two")
    city.photo("2026-11-20", "a.jpg", b"one")
    city.photo("2026-11-20", "c.jpg.part", b"half")
    city.photo("2026-11-21", "d.jpg")  # its UTC day has ended, but not the one after it
    assert close_photos(city.context(), {}) == {"days": 1, "files": 2}
    (entry,) = city.archive.chains[PHOTOS].entries
    assert (entry.kind, entry.day, entry.reason) == ("day", "2026-11-20", "")
    assert entry.files == (
        SealedFile("2026-11-20/a.jpg", 3, 0, sha256(b"one").hexdigest()),
        SealedFile("2026-11-20/b.jpg", 3, 0, sha256(b"two").hexdigest()),
    )
    assert close_photos(city.context(), {}) == {"days": 0, "files": 0}
    city.photo("2026-11-20", "e.jpg")
    assert close_photos(city.context(), {}) == {"days": 1, "files": 1}
    assert [entry.kind for entry in city.archive.chains[PHOTOS].entries] == ["day", "supplement"]


def test_photos_are_sealed_every_night_and_go_like_everything_else(city: City) -> None:
    for days in (400, 5, 1):
        city.photo(back(days), "a.jpg")
        copy = copy_of(city.data, f"{back(days)}/a.jpg")
        copy.parent.mkdir(parents=True)
        copy.write_bytes(b"copy")
    told = city.tidy({PHOTOS: Limit(365)})
    assert not copy_of(city.data, f"{back(400)}/a.jpg").exists()
    assert copy_of(city.data, f"{back(5)}/a.jpg").exists()
    assert (told["photo_days"], told["deleted"]) == (2, {"photos": {"retention": 1}})
    assert city.files(PHOTOS) == [f"{back(5)}/a.jpg", f"{back(1)}/a.jpg"]
    assert [entry.kind for entry in city.archive.chains[PHOTOS].entries] == ["day", "day", "deletion"]


def test_a_budget_costs_the_oldest_days(city: City) -> None:
    for days in range(20, 7, -1):
        city.close(FIXES, back(days))
    told = city.tidy({FIXES: Limit(36_500, 24_000)})
    assert told["deleted"] == {"fixes": {"budget": 2}}
    assert city.deletions(FIXES) == [(back(20), "budget"), (back(19), "budget")]
    city.sound()


def test_the_number_of_photos_has_a_bound_too(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    for days in (50, 40, 35, 20):
        for name in "abc":
            city.photo(back(days), f"{name}.jpg")
    city.photo(back(1), "d.jpg")
    monkeypatch.setattr(archive_tidy, "_COUNTS", {PHOTOS: Limit(0, 9)})
    assert city.tidy()["deleted"] == {"photos": {"budget": 2}}
    assert city.deletions(PHOTOS) == [(back(50), "budget"), (back(40), "budget")]
    city.archive.refresh()
    assert len(city.files(PHOTOS)) == 7


def test_a_disk_that_fills_up_costs_history_one_day_at_a_time(city: City) -> None:
    for days in (60, 50, 40, 20):
        city.close(FIXES, back(days), 10_000)
        city.close(EVENTS, back(days), 1000)
        city.close(SNAPSHOTS, back(days), 1000)
    city.photo(back(55), "a.jpg", bytes(5000))
    close_photos(city.context(), {})
    city.size -= city.free(city.data) - 5000

    def after(more: int) -> dict[str, Any]:
        told = city.tidy(room=city.free(city.data) + more)
        assert (told["enough"], told["bytes"] > 0) == (True, more > 0)
        city.sound()
        return dict(told["deleted"])

    assert after(0) == {}
    assert after(1) == {"snapshots": {"disk": 1}}
    assert after(5000) == {"snapshots": {"disk": 2}, "fixes": {"disk": 1}}
    assert after(1) == {"photos": {"disk": 1}}
    told = city.tidy(room=1 << 50)
    assert (told["deleted"], told["enough"]) == ({"fixes": {"disk": 2}, "events": {"disk": 3}}, False)
    assert city.files(FIXES) == [f"{back(20)}.details.parquet", f"{back(20)}.parquet"], "never the last 30 days"
    assert city.tidy(room=1 << 50)["deleted"] == {}
    city.sound()


def test_the_journal_goes_before_history_does(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    city.close(FIXES, back(40), 1000)
    journal = city.data / "journal" / f"{back(5)}.db"
    journal.write_bytes(bytes(5000))
    asked: list[bool] = []

    def drop(context: Context, before: str, *, early: bool = False) -> int:
        asked.append(early)
        assert before == TODAY, "in UTC it is the day before yet"
        if early:
            journal.unlink(missing_ok=True)
        return int(early)

    monkeypatch.setattr(archive_tidy, "drop_days", drop)
    assert (city.tidy()["journal_days"], asked) == (0, [False])
    city.size -= city.free(city.data) - 1000
    told = city.tidy(room=2000)
    assert (told["journal_days"], told["deleted"], told["enough"]) == (1, {}, True)
    assert asked == [False, False, True]


def test_a_record_fits_on_a_disk_that_is_full(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    city.close(FIXES, back(40))
    city.tidy()
    pad = city.archive.layout.root / ROOM
    assert pad.stat().st_size > 0
    real = Chain.append

    def append(self: Chain, *args: Any, **kwargs: Any) -> Any:
        if pad.exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(Chain, "append", append)
        told = city.tidy(room=1 << 50)
    assert told["deleted"] == {"fixes": {"disk": 1}}
    assert not told["enough"]
    assert not pad.exists(), "and is not made again while there is none to spare"
    city.tidy()
    assert pad.exists()
    city.sound()


def test_what_history_takes(city: City) -> None:
    city.close(FIXES, back(9), 1000)
    city.close(FIXES, back(9), 10, late=f".late-{back(1)}")
    city.close(EVENTS, back(9), 7)
    city.part(FIXES, back(3), 100)
    city.part(FIXES, back(3), 50, "000000000010-000000000019")
    city.part(EVENTS, back(3), 5)
    city.photo(back(9), "a.jpg", b"12345")
    close_photos(city.context(), {})
    city.photo(back(0), "b.jpg", b"1234567")
    (city.data / "journal" / f"{back(1)}.db").write_bytes(bytes(30))
    (city.data / "journal" / f"{back(1)}.db-wal").write_bytes(bytes(4))
    (city.data / "redis" / "appendonlydir").mkdir(parents=True)
    (city.data / "redis" / "appendonlydir" / "a.aof").write_bytes(bytes(77))
    found = measure(city.archive, city.data)
    usage = found.classes
    assert (usage[FIXES].closed, usage[FIXES].open) == ({back(9): 2020}, {back(3): 150})
    assert (usage[EVENTS].closed, usage[EVENTS].open) == ({back(9): 7}, {back(3): 5})
    assert (usage[PHOTOS].closed, usage[PHOTOS].open) == ({back(9): 5}, {back(0): 7})
    assert usage[SNAPSHOTS].used == 0
    assert (found.journal, found.live) == ({back(1): 34}, 77)
    assert found.total > 0
