"""The storage of the stand-in server: seven months of a city's history, shown by the real view; its disk is set by
hand. Verifying takes two seconds."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qs

from storage.archive.budgets import Level, Limit, Usage, full_in
from storage.archive.daybook import Daybook, DayOfClass, Gone, Sealed
from storage.archive.layout import ACCESS, CLASSES, EVENTS, FIXES, PHOTOS, SNAPSHOTS, Days, shifted
from storage.archive.usage import Measured
from tracker.archivist import Outcome
from tracker.steward import Stock
from webmap.storage_view import days, overview

KILO, MEGABYTE, GIGABYTE = 1 << 10, 1 << 20, 1 << 30
HOUR, DAY = 3_600_000, 86_400_000
SIZES = {FIXES: 58 * MEGABYTE, EVENTS: 310 * KILO, ACCESS: 70 * KILO, PHOTOS: 8 * MEGABYTE, SNAPSHOTS: 900 * KILO}
AGE = 212
VERIFY_MS = 2000
SOUND = {
    "sound": True, "files": 1284, "bytes": 15_212_004_112, "entries": 866,
    "text": "As it was sealed: 1,284 files, 15,212,004,112 bytes, 866 entries.",
    "zh": "与封存时一致：1,284 个文件、15,212,004,112 字节、866 条记录。", "findings": [],
    "changes": [{"text": "photos: deleted by 10 entries: 412 files (beyond the room of its class)",
                 "zh": "photos：10 条记录删除了 412 个文件（超出该类配额）"}],
}  # fmt: skip
UNSOUND = {
    **SOUND, "sound": False, "text": "NOT as it was sealed: 2 finding(s) in 1,284 files.",
    "zh": "与封存时不符：1,284 个文件中发现 2 处问题。",
    "findings": [
        {"name": "archive/fixes/2026-10-02.parquet", "what": "changed", "text": "it was changed after it was sealed",
         "zh": "封存后内容被更改"},
        {"name": "archive/events/2026-09-14.parquet", "what": "missing",
         "text": "it is missing, and no entry says that it was deleted", "zh": "文件缺失，且没有删除记录"},
    ],
}  # fmt: skip


def digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


class Storage:
    """``switch(level=…, photos_mb=…, running=…, sound=…, free_gb=…)`` sets what is to be seen."""

    def __init__(self, now: int) -> None:
        self.zone = Days("Asia/Shanghai")
        self.start = now
        self.limits = {
            FIXES: Limit(1095),
            EVENTS: Limit(1825),
            ACCESS: Limit(1095),
            PHOTOS: Limit(365, 2 * GIGABYTE),
            SNAPSHOTS: Limit(1095),
        }
        self.space = SimpleNamespace(
            free=311 * GIGABYTE, low=512 * MEGABYTE, reserve=512 * MEGABYTE, held=True, level=Level.OK
        )
        outcomes = {
            job: Outcome(now - ago, took, {}, "")
            for job, ago, took in (("seal", 22 * 60_000, 1900), ("merge", 5 * HOUR, 4200), ("close", 5 * HOUR, 41_000),
                                   ("snapshot", 5 * HOUR, 800), ("tidy", 5 * HOUR, 350))
        }  # fmt: skip
        self.archivist = SimpleNamespace(running=None, outcomes=outcomes, next_seal=now + 39 * 60_000)
        self.exhausted = False
        self.verdict: dict[str, Any] = SOUND
        self.verifying = 0
        self.problems: list[dict[str, str]] = []
        self.rows = AGE
        self.heads = True

    def switch(self, **given: Any) -> None:
        if "level" in given:
            self.space.level = Level[given["level"].upper()]
            self.space.held = self.space.level < Level.CRITICAL
        if "free_gb" in given:
            self.space.free = int(given["free_gb"] * GIGABYTE)
        if "photos_mb" in given:
            self.limits[PHOTOS] = Limit(365, given["photos_mb"] * MEGABYTE)
        if "sound" in given:
            self.verdict = SOUND if given["sound"] else UNSOUND
        if "running" in given:
            self.archivist.running = SimpleNamespace(job=given["running"], began=self.start, progress=given["progress"])
        self.exhausted = given.get("exhausted", self.exhausted)
        self.problems = given.get("problems", self.problems)
        self.rows = given.get("rows", self.rows)
        self.heads = given.get("heads", self.heads)

    def tick(self, now: int) -> None:
        if self.verifying and now - self.verifying >= VERIFY_MS:
            self.archivist.outcomes["verify"] = Outcome(now, now - self.verifying, self.verdict, "")
            self.archivist.running, self.verifying = None, 0

    def answer(self, parts: list[str], query: str, begin: bool, now: int) -> dict[str, Any]:
        """What the routes of storage answer."""
        if parts == ["verify"]:
            if begin and not self.verifying:
                self.verifying = now
                self.archivist.running = SimpleNamespace(job="verify", began=now, progress={})
            return self._verify(now)
        stock = self._stock(now)
        if parts == ["days"]:
            asked = parse_qs(query)
            shown, following = days(stock, (asked.get("before") or [None])[0], int(asked["limit"][0]))
            return {"days": shown, "next": following}
        steward = SimpleNamespace(limits=self.limits, exhausted=self.exhausted, rewrites=3)
        chains = {kind: SimpleNamespace(head=(self.rows, digest(kind)), broken=[]) for kind in CLASSES}
        heads = SimpleNamespace(
            configured=self.heads, delivered=lambda: now - 5 * HOUR if self.heads else 0, troubles=lambda at: []
        )
        found = overview(
            stock, cast(Any, steward), cast(Any, self.space), cast(Any, self.archivist), cast(Any, chains),
            cast(Any, heads), True, now,
        )  # fmt: skip
        return {"now": now, "zone": "Asia/Shanghai", "problems": self.problems, **found, "verify": self._verify(now)}

    def _verify(self, now: int) -> dict[str, Any]:
        last = self.archivist.outcomes.get("verify")
        view = last and {"at": last.at, "took_ms": last.took, "failure": "", "verdict": last.result}
        progress: dict[str, Any] = {}
        if self.verifying:
            percent = min(99, 100 * (now - self.verifying) // VERIFY_MS)
            progress = {"percent": percent, "name": "archive/fixes/2026-08-19.parquet"}
        return {"state": "running" if self.verifying else "idle", "progress": progress, "last": view}

    def _stock(self, now: int) -> Stock:
        """A minute's look at the disk."""
        today = self.zone.day_of(now)
        book, classes = Daybook(), {}
        for kind, size in SIZES.items():
            closed, opened, known = {}, {}, book.days.setdefault(kind, {})
            for back in range(self.rows, -1, -1):
                day = shifted(today, -back)
                varied = size * (90 + int(digest(day)[:2], 16) % 20) // 100
                if kind == PHOTOS and back > 202:
                    known[day] = DayOfClass(gone=Gone("budget", now - (back - 7) * DAY))
                elif back > {PHOTOS: 1, SNAPSHOTS: 0}.get(kind, 7):
                    closed[day] = varied
                    known[day] = DayOfClass(
                        Sealed(self.rows - back + 1, digest(kind + day), now - (back - 8) * DAY, varied, varied // 8)
                    )
                elif kind != SNAPSHOTS:
                    opened[day] = varied if back else varied // 3
            if kind == FIXES and (late := known.get(shifted(today, -20))):
                late.supplements.append(Sealed(205, digest("late"), now - 3 * DAY, 14_200, 1775))
            classes[kind] = Usage(closed, opened)
        if self.rows:
            book.deleted[PHOTOS, "budget"] = 10
        journal = {shifted(today, -back): 190 * MEGABYTE for back in range(9, -1, -1)}
        measured = Measured(classes, journal, 143 * MEGABYTE, 500 * GIGABYTE)
        forecasts = {}
        for kind, limit in self.limits.items():
            ahead = (
                full_in(limit.budget - classes[kind].used, [(classes[kind], limit)], today) if limit.budget else None
            )
            if ahead is not None:
                forecasts[kind] = ahead
        disk = full_in(
            self.space.free - self.space.low, [(classes[kind], self.limits[kind]) for kind in CLASSES], today
        )
        return Stock(now // 60_000 * 60_000, today, measured, book, forecasts, disk)
