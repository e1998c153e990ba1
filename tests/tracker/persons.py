"""A city's data folder with two people in it, and all that is kept of them, for tests of what becomes of one."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from storage import exports, uploads
from storage.archive import snapshots
from storage.archive.archive import Archive, write_whole
from storage.archive.layout import SNAPSHOTS
from storage.archive.snapshots import About
from storage.journal_files import JournalFiles, day_of
from tests.traces import traces
from tests.tracker.archive_house import DAY, HOUR, ZONE, ArchiveHouse
from tests.tracker.helpers import record
from tracker.archive_context import Context, Result
from tracker.archive_removal import note_path, remove_person
from tracker.dispatch_events import DECISION
from tracker.pipeline import STATE_FIELDS, UnitState
from tracker.record import ACCESS, ACCOUNT, ENTITY, EVENT, is_access

EIGHT = 1_795_392_000_000
"""2026-11-23 08:00 in the city."""
GONE, STAYS = "P-9041x", "P-7788y"
DEVICES = {GONE: "dv-40417", STAYS: "dv-77881"}
NAMES = {GONE: "司马长空", STAYS: "诸葛留存"}
LATITUDES = {GONE: 301_234_567, STAYS: 302_345_678}
ACCOUNT_NAME = "zhaoyun"
"""First of the one, then of the other."""
WORDS = [GONE, NAMES[GONE], DEVICES[GONE], "ext-gone-55", "cmd-of-gone"]


def photo_id(unit: str, day: int) -> str:
    return hashlib.sha256(f"{unit}{day}".encode()).hexdigest()[:24]


class People(ArchiveHouse):
    """``days`` days of two people; the first ones are closed, with a supplement and a snapshot each."""

    def __init__(self, data: Path, days: int = 10) -> None:
        super().__init__(data, EIGHT)
        self.last = 0
        for unit in (STAYS, GONE):
            self.event(ENTITY, "unit", unit, {"id": unit, "kind": "person", "name": NAMES[unit], "team": "",
                                              "street": "", "grid": ""})  # fmt: skip
            self.event(ENTITY, "duty", f"{unit}:1", {"unit": unit, "number": 1, "start": 0, "end": 1 << 62})
            self.event(ENTITY, "device", DEVICES[unit], {
                "id": DEVICES[unit], "protocol": "handheld", "unit": unit, "token_serial": 0, "networks": [],
                "header": 0, "coordinates": "wgs84", "lenient": False,
                "external_id": "ext-gone-55" if unit == GONE else "ext-stays-66",
            })  # fmt: skip
        self.account(STAYS)
        self.now += 1000
        self.look(STAYS, "login", who=ACCOUNT_NAME)
        self.account(GONE)
        self.look("", "login", who=ACCOUNT_NAME)
        self.look(STAYS, who=ACCOUNT_NAME)
        for day in range(days):
            self.now = EIGHT + day * DAY
            for unit in (GONE, STAYS):
                self.day(unit, day)
            self.dispatched(day)
            self.now += 2 * HOUR
            self.seal()
            if day % 3 == 0:
                self.do("merge")
            self.close_days()
            self.do("close_photos")
            if day in (2, 5, days - 1):
                self.snapshot()
        self.unsealed()

    def event(self, what: int, kind: str, id: str, fields: dict[str, Any]) -> None:
        self.bench.write((what, self.now, kind, id, fields), rare=True)

    def day(self, unit: str, day: int) -> None:
        """Some points, one that came a day late and one that came after its day was closed, a command, a photo."""
        own = {"unit": unit, "device": DEVICES[unit]}
        for n in range(5):
            at = self.now + n * 1000
            self.put(record(at, LATITUDES[unit] + 100 * day + n, **own, speed=100, items={"battery": 50 + n}))
        self.put(record(None, None, None, server_time=self.now, **own, items={"battery": 7}))
        self.put(record(self.now - DAY, LATITUDES[unit] + 100 * day + 50, **own, server_time=self.now, marks=2))
        if day > 8:
            self.put(record(EIGHT + 7, LATITUDES[unit] + 77, **own, server_time=self.now, marks=2))
        self.put(record(self.now + 6000, LATITUDES[unit] + 100 * day + 60, **own)._replace(altitude=1 << 40))
        self.look(unit, start=self.now - DAY, end=self.now, photo=photo_id(unit, day))
        owner = "gone" if unit == GONE else "stays"
        command = f"cmd-of-{owner}-{day}"
        self.event(EVENT, "command", command, {
            "device": DEVICES[unit], "kind": "locate", "arguments": {"text": f"给{NAMES[unit]}"},
            "created": self.now, "expires": self.now + 1,
        })  # fmt: skip
        self.event(EVENT, "command", command, {
            "state": "done", "answered": self.now, "text": "", "zh": "", "sent": self.now, "tries": 1,
            "result": {"position": [LATITUDES[unit] + 100 * day, 1]},
        })  # fmt: skip
        id = photo_id(unit, day)
        name = f"{day_of(self.now)}/{id}.jpg"
        (self.data / "media" / day_of(self.now)).mkdir(parents=True, exist_ok=True)
        (self.data / "media" / name).write_bytes(b"\xff\xd8\xff" + f"picture of {NAMES[unit]}".encode())
        self.event(EVENT, "photo", id, {
            "device": DEVICES[unit], "unit": unit, "command": command, "media_id": day, "channel": 1, "event": 0,
            "taken": self.now, "received": self.now, "size": 20, "type": "image/jpeg", "name": name,
        })  # fmt: skip

    def dispatched(self, day: int) -> None:
        """A task that the one declines and the other does, why each was asked, what they report, and a call for
        help."""
        task, at = f"t-{day}", self.now

        def deed(what: str, **fields: Any) -> None:
            self.event(EVENT, "task", task, {"what": what, "at": at, **fields})

        deed("task", kind="verify", spot=(1, 2), text="井盖缺失", address="东街")
        rows = []
        for unit in (GONE, STAYS):
            spot, committed = [LATITUDES[unit] + 100 * day, 1_234_567_890], [[LATITUDES[unit], 7, 60.0]]
            rows.append([unit, spot, 3.5, 12.0, "ebike", 1, committed, 2, None, ""])
        terms = [
            ["", 120.5, 60.0, 60.5, 0.0, 0.0, 1.0, 0.0, 0.0, 431.5],
            ["rest", 9.0, 0.0, 9.0, 0.0, 0.0, 1.0, 0.0, 0.0, 8.0],
        ]
        for number, unit in enumerate((GONE, STAYS), 1):
            self.event(EVENT, "decision", f"{task}:{number}", {
                "rules": 1, "way": "roads", "roads": [812, None], "weights": {"caps": [1.5]}, "factors": {"walk": 1.35},
                "at": at, "task": [task, 1, 2, "g1", "s1", 0, at + HOUR, GONE if number == 2 else ""], "mean": 300.0,
                "units": rows, "terms": terms, "left_out": {"off_duty": 3}, "by": "round", "chosen": unit,
            })  # fmt: skip
            deed("offer", attempt=number, unit=unit, by="round", eta=120)
            deed("decline" if unit == GONE else "report", attempt=number, unit=unit, text=f"{NAMES[unit]}：在开会")
            self.event(EVENT, "hook", f"msg_{day}_{number}", {
                "what": "new", "at": at, "about": f"task:{task}", "type": "task.assigned", "unit": unit,
                "data": {"task": task, "text": NAMES[unit]},
            })  # fmt: skip
            self.event(EVENT, "hook", f"msg_{day}_{number}", {"what": "delivered", "at": at})
            self.event(EVENT, "problem", f"{unit}:e{day}", {
                "what": "report", "unit": unit, "at": at, "received": at, "event": f"e{day}", "klass": "0101",
                "spot": (LATITUDES[unit] + 100 * day, 5), "accuracy": 40, "text": f"{NAMES[unit]}看到的",
                "photos": (), "voice": "",
            })  # fmt: skip
            self.event(EVENT, "problem", f"{unit}:e{day}", {"what": "seen", "by": "seat", "at": at})
            call, other = f"{unit}:{at}", STAYS if unit == GONE else GONE
            spot = (LATITUDES[unit] + 100 * day, 6)
            self.event(EVENT, "sos", call, {"what": "raise", "at": at, "unit": unit, "when": at, "spot": spot})
            self.event(EVENT, "sos", call, {"what": "told", "at": at, "unit": other, "metres": 250})
            self.sent(unit, day)

    def sent(self, unit: str, day: int) -> None:
        """A photo of a task, with its copy."""
        data = b"\xff\xd8\xff" + f"what {NAMES[unit]} photographed on {day}".encode()
        sha = hashlib.sha256(data).hexdigest()
        name = f"{day_of(self.now)}/{sha}-{day}.jpg"
        for folder in ("media", "copies"):
            (self.data / folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.data / folder / name).write_bytes(data)
        self.event(EVENT, "evidence", f"{sha}:{unit}", {
            "unit": unit, "device": DEVICES[unit], "size": len(data), "type": "image/jpeg", "at": self.now,
            "name": name, "task": f"t-{day}", "attempt": 1, "problem": "",
        })  # fmt: skip

    def account(self, unit: str) -> None:
        """The account is this one's from now on."""
        self.event(ENTITY, ACCOUNT, ACCOUNT_NAME, {
            "name": ACCOUNT_NAME, "role": "collector", "unit": unit, "password": "$argon2id$of-the-account",
            "streets": [], "teams": [], "totp": "sealed-secret", "disabled": False, "serial": 1,
        })  # fmt: skip

    def look(self, unit: str, what: str = "track", who: str = "leader", **about: Any) -> None:
        """Somebody looks at one of them, or signs in."""
        reason = f"asks for {NAMES[unit]}" if unit else ""
        fields = {"who": who, "role": "leader", "unit": unit, "what": what, "reason": reason, "address": "10.0.0.7",
                  "about": about}  # fmt: skip
        self.event(EVENT, ACCESS, f"look-{self.now}-{unit[-1:]}-{who}-{what}", fields)

    def unsealed(self) -> None:
        """What is in the journal alone."""
        self.now += HOUR
        for unit in (GONE, STAYS):
            self.look(unit)
            self.put(record(self.now, LATITUDES[unit] + 9999, unit=unit, device=DEVICES[unit]))

    def snapshot(self) -> None:
        """As the job writes it, with states that live state would have."""
        day = self.archive.days.day_of(self.now - DAY)
        changes = []
        for batch in self.bench.journal.read(1, 1 << 30):
            for one in batch.records:
                # Decisions are in no book: what is asked of them is read from the journal and the archive.
                if one[0] in (ENTITY, EVENT) and not is_access(one) and one[2] != DECISION:
                    word = snapshots.ENTITY if one[0] == ENTITY else snapshots.EVENT
                    changes.append((word, (one[2], one[3], one[4])))
        states = []
        for unit in (GONE, STAYS):
            state = UnitState(unit)  # type: ignore[arg-type]
            state.device, state.latitude, state.longitude = DEVICES[unit], LATITUDES[unit], 1
            states.append(state.pack())
        last = self.bench.journal.last
        about = About(self.bench.journal.id, day, self.now, last, last, STATE_FIELDS)
        sealed = snapshots.write(self.archive.layout.folder(SNAPSHOTS), about, states, changes)
        self.archive.chains[SNAPSHOTS].append("day", day, self.now, files=[sealed])

    # -- who goes

    def note(self, ticket: str = "t1") -> None:
        note_path(self.data, ticket).parent.mkdir(exist_ok=True)
        told = {"unit": GONE, "devices": [DEVICES[GONE]]}
        write_whole(note_path(self.data, ticket), json.dumps(told).encode())

    def export_files(self) -> None:
        """An export of each of them."""
        for unit in (GONE, STAYS):
            exports.announce(self.data, exports.Export(f"ticket-{unit[-1]}", unit, self.now))
            exports.file_of(self.data, f"ticket-{unit[-1]}").write_bytes(NAMES[unit].encode())

    def half_sent(self) -> None:
        """Of each of them an upload that has not ended; one has its file in place, and no record of it yet."""
        for unit in (GONE, STAYS):
            data = f"half a photo by {NAMES[unit]}".encode()
            name = f"{day_of(self.now)}/{unit[-1]}.jpg"
            uploads.write_note(self.data, uploads.Note(f"up{unit[-1]}", DEVICES[unit], unit, "a" * 64, 99, name))
            uploads.write_piece(self.data, f"up{unit[-1]}", 0, data)
            (self.data / "media" / day_of(self.now)).mkdir(parents=True, exist_ok=True)
            (self.data / "media" / name).write_bytes(data)

    def remove(self, told: Any = None) -> Result:
        """Do the job; ``told`` hears of its steps."""
        archive = Archive(self.data / "archive", ZONE)
        context = Context(self.data, archive, JournalFiles(self.data / "journal"), self.now, told or self.told.append)
        try:
            return remove_person(context, {"ticket": "t1", "upto": self.bench.journal.last})
        finally:
            self.archive.refresh()

    def done(self) -> None:
        """What the server does when the job is done."""
        note_path(self.data, "t1").unlink()

    def traces(self, unit: str = GONE) -> list[str]:
        """Files in which something of the one who goes can be read."""
        places = [(LATITUDES[unit] + offset, 0) for offset in (*range(0, 1100, 100), 1, 50, 60, 77, 9999)]
        words = WORDS if unit == GONE else [STAYS, NAMES[STAYS], DEVICES[STAYS], "ext-stays-66", "cmd-of-stays"]
        return traces(self.data, words, places)
