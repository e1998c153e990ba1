"""What the chains tell of each day."""

from __future__ import annotations

from pathlib import Path

from storage.archive.chain import Chain, SealedFile
from storage.archive.daybook import Daybook, DayOfClass, Gone


def file(name: str, size: int, rows: int) -> SealedFile:
    return SealedFile(name, size, rows, "0" * 64)


def test_a_day_s_life(tmp_path: Path) -> None:
    chain = Chain(tmp_path / "chain.jsonl")
    names = "2026-11-01.parquet", "2026-11-01.details.parquet"
    first = chain.append("day", "2026-11-01", 10, files=[file(names[0], 70, 9), file(names[1], 30, 11)], upto=5)
    book = Daybook()
    book.take("fixes", chain.entries)
    day = book.of("2026-11-01")["fixes"]
    assert day.closed is not None
    assert (day.closed.number, day.closed.digest, day.closed.made) == (1, first.digest, 10)
    assert (day.closed.bytes, day.closed.rows) == (100, 11)
    late = chain.append(
        "supplement", "2026-11-01", 20, files=[file("2026-11-01.late-2026-11-09.parquet", 5, 1)], upto=6
    )
    chain.append("removal", "2026-11-01", 30, files=[file(names[0], 60, 8)])
    chain.append("day", "2026-11-02", 40, files=[file("2026-11-02.parquet", 1, 1)], upto=7)
    book = Daybook()
    book.take("fixes", chain.entries)
    day = book.of("2026-11-01")["fixes"]
    assert ([one.digest for one in day.supplements], day.removals, day.gone) == ([late.digest], 1, None)
    assert book.named() == ["2026-11-02", "2026-11-01"]
    gone = [name for name, (entry, _) in chain.files().items() if entry.day == "2026-11-01"]
    chain.append("deletion", "2026-11-01", 50, gone=gone, reason="disk")
    book = Daybook()
    book.take("fixes", chain.entries)
    assert book.of("2026-11-01") == {"fixes": DayOfClass(gone=Gone("disk", 50), removals=1)}
    assert book.deleted == {("fixes", "disk"): 1}


def test_what_comes_after_a_deletion(tmp_path: Path) -> None:
    chain = Chain(tmp_path / "chain.jsonl")
    chain.append("day", "2026-11-01", 10, files=[file("2026-11-01/a.jpg", 7, 0)])
    chain.append("supplement", "2026-11-01", 11, files=[file("2026-11-01/b.jpg", 8, 0)])
    chain.append("deletion", "2026-11-01", 12, gone=["2026-11-01/a.jpg", "2026-11-01/b.jpg"], reason="budget")
    chain.append("supplement", "2026-11-01", 13, files=[file("2026-11-01/c.jpg", 9, 0)])
    book = Daybook()
    book.take("photos", chain.entries)
    day = book.of("2026-11-01")["photos"]
    assert day.gone == Gone("budget", 12)
    assert (day.closed, [one.bytes for one in day.supplements]) == (None, [9])
