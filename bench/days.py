"""A day of a city in a journal, as if it had been received: people who walk the demo town's streets.

Each unit walks for itself, with the errors of its own receiver; a handheld says a fix every so many seconds and its
battery once a minute, and it arrives some hundred milliseconds later.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgpack

from simulator.city import make_city
from simulator.walker import ON_FOOT, Walker, beat_in_grid
from storage import journal as journal_module
from storage.journal_files import day_of
from tracker.record import REPORT

GROUP = 500
"""Records in a commit, as the journal makes them of a busy city."""
JOURNAL = "0123456789abcdef0123456789abcdef"


def day(units: int, every_s: int, hours: float, start: int, seed: int = 1) -> Iterator[tuple[Any, ...]]:
    """The records of a day that begins at ``start`` (ms), in the order in which they are received."""
    city, chance = make_city(), random.Random(seed)
    beats = [beat_in_grid(city.streets, grid, city.projection) for grid in range(len(city.grid_ids))]
    walkers = [Walker(beats[n % len(beats)], ON_FOOT, random.Random(seed << 32 | n), start) for n in range(units)]
    offsets = [chance.randrange(every_s) * 1000 for _ in range(units)]
    for step in range(int(hours * 3600 / every_s)):
        for n in sorted(range(units), key=offsets.__getitem__):
            at = start + step * every_s * 1000 + offsets[n]
            seen = walkers[n].step(at)
            items = {"battery": seen.battery, "fix": seen.fix} if step % (60 // every_s) == 0 else None
            received = at + 80 + int(chance.gammavariate(2, 150))
            located = seen.latitude is not None and seen.longitude is not None and seen.accuracy is not None
            yield (
                REPORT, f"d{n:05d}", f"c{n:05d}", 1, received, received - 40, at,
                round(seen.latitude * 1e7) if located else None, round(seen.longitude * 1e7) if located else None,
                seen.altitude, round(seen.speed * 100), seen.course, round(seen.accuracy * 10) if located else None,
                0, 0, 0, items, None,
            )  # fmt: skip


def write(folder: Path, records: Iterator[tuple[Any, ...]], first: int = 1) -> int:
    """Put records into a journal folder as the days of their receipt; the number of the last."""
    folder.mkdir(parents=True, exist_ok=True)
    pack = msgpack.Packer(use_bin_type=True).pack
    db, today, number = None, "", first
    group: list[tuple[Any, ...]] = []

    def commit(group: Sequence[tuple[Any, ...]]) -> None:
        nonlocal db, today, number
        received = max(record[4] for record in group)
        if day_of(received) != today:
            if db is not None:
                db.execute("COMMIT")
                db.close()
            today = day_of(received)
            db = journal_module._open(folder / f"{today}.db", JOURNAL)
            db.execute("BEGIN")
        assert db is not None
        db.execute("INSERT INTO batch VALUES(?,?,?,?,?)", (number, len(group), received, 0, pack(group)))
        number += len(group)

    for record in records:
        group.append(record)
        if len(group) == GROUP:
            commit(group)
            group = []
    if group:
        commit(group)
    if db is not None:
        db.execute("COMMIT")
        db.close()
    return number - 1
