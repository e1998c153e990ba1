"""The chain: what was acknowledged stays, what is half counts for nothing, and what was tampered with has a line."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.archive import chain as module
from storage.archive.chain import START, Chain, Entry, Kind, Links, SealedFile, canonical, digest_of, line_of, scan

DAY = "2026-11-23"


def sealed(name: str, content: str = "") -> SealedFile:
    data = (content or name).encode()
    return SealedFile(name, len(data), 1, hashlib.sha256(data).hexdigest())


def add_three(chain: Chain) -> list[Entry]:
    return [
        chain.append("day", DAY, 1000, files=[sealed("a.parquet"), sealed("a.details.parquet")], upto=40),
        chain.append("day", "2026-11-24", 2000, files=[sealed("b.parquet")], upto=70),
        chain.append("deletion", DAY, 3000, gone=["a.parquet", "a.details.parquet"], reason="过期"),
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chain.jsonl"


def test_one_that_was_never_written_is_empty(path: Path) -> None:
    chain = Chain(path)
    assert (chain.head, list(chain.entries), len(chain.entries)) == ((0, START), [], 0)
    assert (dict(chain.files()), chain.upto(DAY), chain.broken) == ({}, 0, ())
    assert not path.exists()


def test_entries_are_there_for_whoever_opens_it(path: Path) -> None:
    added = add_three(Chain(path))
    chain = Chain(path)
    assert list(chain.entries) == added
    assert chain.head == (3, added[-1].digest)
    assert dict(chain.files()) == {"b.parquet": (added[1], sealed("b.parquet"))}
    assert (chain.upto(DAY), chain.upto("2026-11-24"), chain.upto("2026-11-25")) == (40, 70, 0)
    chain.check()


def test_the_digest_is_what_the_format_says(path: Path) -> None:
    add_three(Chain(path))
    previous = "0" * 64
    for line in path.read_text("utf-8").splitlines():
        entry = json.loads(line)
        digest = entry.pop("digest")
        text = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert digest == hashlib.sha256(text.encode()).hexdigest()
        assert entry["previous"] == previous
        previous = digest


def test_a_removal_puts_new_files_in_the_place_of_old_ones(path: Path) -> None:
    chain = Chain(path)
    chain.append("day", DAY, 1, files=[sealed("a.parquet"), sealed("b.parquet")], upto=9)
    entry = chain.append("removal", DAY, 2, files=[sealed("a.parquet", "rewritten")], gone=["b.parquet"], reason="law")
    assert dict(chain.files()) == {"a.parquet": (entry, sealed("a.parquet", "rewritten"))}
    assert chain.upto(DAY) == 9


@pytest.mark.parametrize(
    ("kind", "files", "gone", "told"),
    [
        ("day", ["a"], [], "sealed already"),
        ("supplement", ["a"], [], "sealed already"),
        ("day", ["c", "c"], [], "named twice"),
        ("removal", ["a"], ["a"], "named twice"),
        ("day", ["c"], ["a"], "takes no file away"),
        ("deletion", [], ["c"], "is not there"),
        ("deletion", ["a"], [], "adds no file"),
        ("removal", ["c"], [], "is not there"),
        ("day", ["../c"], [], "not a name in the folder"),
        ("day", ["/c"], [], "not a name in the folder"),
        ("day", ["c//d"], [], "not a name in the folder"),
        ("day", ["c\nd"], [], "not a name in the folder"),
        ("day", ["."], [], "not a name in the folder"),
        ("week", ["c"], [], "the kind is one of"),
    ],
)
def test_what_makes_no_sense_is_refused(path: Path, kind: Kind, files: list[str], gone: list[str], told: str) -> None:
    chain = Chain(path)
    chain.append("day", DAY, 1, files=[sealed("a")])
    before = path.read_bytes()
    with pytest.raises(ValueError, match=told):
        chain.append(kind, DAY, 2, files=[sealed(name) for name in files], gone=gone)
    assert path.read_bytes() == before
    assert chain.head[0] == 1


def test_a_day_is_named_like_one(path: Path) -> None:
    with pytest.raises(ValueError, match="is not like"):
        Chain(path).append("day", "yesterday", 1)


def test_killed_at_any_byte_of_an_append_nothing_is_lost_and_nothing_half(path: Path) -> None:
    """The file is cut off where the writer got to; all bytes before the append were on disk when it began."""
    chain = Chain(path)
    before = add_three(chain)
    start = path.stat().st_size
    last = chain.append("supplement", DAY, 4000, files=[sealed("a.late.parquet")], upto=90)
    whole = path.read_bytes()
    for end in range(start, len(whole) + 1):
        path.write_bytes(whole[:end])
        wanted = [*before, last] if end == len(whole) else before
        found = Chain(path)
        assert list(found.entries) == wanted, end
        assert found.broken == ()
        again = found.append("day", "2026-11-25", 5000, files=[sealed("c.parquet")])
        assert list(Chain(path).entries) == [*wanted, again], end
        Chain(path).check()


def test_the_newline_goes_when_the_rest_is_on_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of a file may reach the disk in any order: a whole line must be one that was written whole."""
    done: list[str] = []
    write, sync, names = os.pwrite, os.fdatasync, module.sync_names  # type: ignore[attr-defined]

    def writes(handle: int, data: memoryview, offset: int) -> int:
        done.append("newline" if bytes(data) == b"\n" else "text")
        return write(handle, data, offset)

    def syncs(handle: int) -> None:
        done.append("sync")
        sync(handle)

    def syncs_names(folder: Path) -> None:
        done.append("names")
        names(folder)

    monkeypatch.setattr(os, "pwrite", writes)
    monkeypatch.setattr(os, "fdatasync", syncs)
    monkeypatch.setattr(module, "sync_names", syncs_names)
    Chain(path).append("day", DAY, 1)
    assert done == ["text", "sync", "newline", "sync", "names"]


@pytest.mark.parametrize("fails_at", range(4))
def test_what_the_disk_does_not_take_is_not_there(path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int) -> None:
    chain = Chain(path)
    before = add_three(chain)
    data = path.read_bytes()
    calls = 0

    def failing(real: Callable[..., int | None]) -> Callable[..., int | None]:
        def call(*words: object) -> int | None:
            nonlocal calls
            calls += 1
            if calls == fails_at + 1:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*words)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", failing(os.pwrite))
        patch.setattr(os, "fdatasync", failing(os.fdatasync))
        with pytest.raises(OSError, match="No space"):
            chain.append("day", "2026-11-25", 1)
    assert path.read_bytes() == data
    assert list(chain.entries) == before
    after = chain.append("day", "2026-11-25", 1)
    assert list(Chain(path).entries) == [*before, after]


def test_a_reader_beside_the_writer_sees_whole_entries(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks after every byte that is written."""
    writer, reader = Chain(path), Chain(path)
    write = os.pwrite
    seen: list[int] = []

    def by_the_byte(handle: int, data: memoryview, offset: int) -> int:
        reader.refresh()
        assert reader.broken == ()
        seen.append(len(reader.entries))
        assert len(list(reader.entries)) == len(reader.entries)
        return write(handle, data[:1], offset)

    monkeypatch.setattr(os, "pwrite", by_the_byte)
    added = add_three(writer)
    reader.refresh()
    assert list(reader.entries) == added
    assert reader.head == writer.head
    assert dict(reader.files()) == dict(writer.files())
    assert sorted(set(seen)) == [0, 1, 2]


def test_a_look_back_does_not_change_when_entries_come(path: Path) -> None:
    chain = Chain(path)
    chain.append("day", DAY, 1, files=[sealed("a")])
    entries, files = chain.entries, chain.files()
    chain.append("deletion", DAY, 2, gone=["a"])
    assert (len(list(entries)), list(files)) == (1, ["a"])
    assert (len(list(chain.entries)), list(chain.files())) == (2, [])


def test_one_that_was_put_in_its_place_is_read_anew(path: Path, tmp_path: Path) -> None:
    chain = Chain(path)
    add_three(chain)
    other = Chain(tmp_path / "other")
    entry = other.append("day", DAY, 1)
    other.path.replace(path)
    chain.refresh()
    assert list(chain.entries) == [entry]
    path.unlink()
    chain.refresh()
    assert chain.head == (0, START)


def test_any_byte_that_was_changed_is_found_in_its_line(path: Path) -> None:
    add_three(Chain(path))
    data = path.read_bytes()
    for place in range(len(data) - 1):
        changed = bytearray(data)
        changed[place] ^= 1
        path.write_bytes(changed)
        chain = Chain(path)
        assert chain.broken[0].line == data[:place].count(b"\n") + 1, place
        assert chain.broken[0].path == path
    path.write_bytes(data)
    assert Chain(path).broken == ()


@pytest.mark.parametrize(
    ("order", "lines"),
    [
        ([1, 2], [1]),
        ([0, 2], [2]),
        ([1, 0, 2], [1, 2, 3]),
        ([0, 0, 1, 2], [2]),
        ([0, 1, 2, 1], [4]),
    ],
)
def test_entries_removed_repeated_or_in_another_order_are_found(path: Path, order: list[int], lines: list[int]) -> None:
    add_three(Chain(path))
    kept = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(kept[number] for number in order))
    chain = Chain(path)
    assert [(one.line, one.fault) for one in chain.broken] == [(line, "order") for line in lines]
    with pytest.raises(module.ChainBroken, match=rf"chain\.jsonl:{lines[0]}: "):
        chain.check()


def test_a_broken_chain_is_read_and_written_on(path: Path) -> None:
    add_three(Chain(path))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"{garbage}\n" + lines[1].replace(b"70", b"71") + lines[2])
    chain = Chain(path)
    assert [(one.line, one.fault) for one in chain.broken] == [(2, "garbled"), (3, "edited")]
    assert list(chain.files()) == ["b.parquet"]
    assert len(chain.entries) == 3
    chain.append("day", "2026-11-25", 1, files=[sealed("c")])
    again = Chain(path)
    assert [fault.line for fault in again.broken] == [2, 3]
    assert list(again.files()) == ["b.parquet", "c"]


def test_a_line_that_is_too_long_is_passed_over(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINE_LIMIT", 500)
    chain = Chain(path)
    chain.append("day", DAY, 1)
    with pytest.raises(ValueError, match="divide it"):
        chain.append("day", DAY, 1, reason="x" * 500)
    with path.open("ab") as file:
        file.write(b"x" * 2000 + b"\n")
    chain.append("day", DAY, 1)
    found = Chain(path)
    assert [fault.line for fault in found.broken] == [2]
    assert len(found.entries) == 2
    assert [line.number for line in scan(path)] == [1, 2, 3]
    with path.open("ab") as file:
        file.write(b"x" * 2000)  # and no newline: nothing yet
    assert len(list(scan(path))) == 3


def test_what_has_gone_takes_no_memory(path: Path) -> None:
    """Four hundred days of photos of which all but the last were deleted."""
    links = Links()

    def add(file: BinaryIO, kind: Kind, day: str, names: list[str]) -> None:
        files = [sealed(name) for name in names] if kind == "day" else []
        gone = names if kind == "deletion" else []
        entry = Entry(links.number + 1, kind, day, 1, 0, tuple(files), tuple(gone), "", links.digest, "")
        entry = dataclasses.replace(entry, digest=digest_of(entry))
        links.apply(entry)
        file.write(line_of(entry) + b"\n")

    with path.open("wb") as file:
        for number in range(400):
            day = f"2026-{number // 28 % 12 + 1:02}-{number % 28 + 1:02}"
            names = [f"{number}/{photo}.jpg" for photo in range(40)]
            add(file, "day", day, names)
            if number < 399:
                add(file, "deletion", day, names)
    assert path.stat().st_size > 2_000_000
    tracemalloc.start()
    try:
        chain = Chain(path)
        held, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (len(chain.files()), len(chain.entries), chain.broken) == (40, 799, ())
    assert held < 200_000
    assert most < 1_000_000


NAMES = st.sampled_from(["a.parquet", "b.parquet", "深夜 1.jpg", "2026-11-23/p.jpg", "d"])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["day", "supplement", "deletion", "removal", "reopen", "tear"]),
        st.lists(NAMES, max_size=3),
        st.lists(NAMES, max_size=2),
        st.integers(0, 2**53),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    ),
    max_size=12,
)


@given(STEPS)
def test_any_order_of_additions_comes_back(tmp_path_factory: pytest.TempPathFactory, steps: list) -> None:  # type: ignore[type-arg]
    """Against a plain list of entries and a plain dict of names; a second reader follows all the time."""
    path = tmp_path_factory.mktemp("chain") / "chain.jsonl"
    chain, reader = Chain(path), Chain(path)
    added: list[Entry] = []
    there: dict[str, str] = {}
    for kind, names, gone, number, text in steps:
        if kind == "reopen":
            chain = Chain(path)
            continue
        if kind == "tear":
            with path.open("ab") as file:
                file.write(canonical({"number": number, "reason": text}))
            reader.refresh()
            continue
        files = [sealed(name, f"{name}{number}") for name in names]
        try:
            entry = chain.append(kind, DAY, number, files=files, gone=gone, upto=number, reason=text)
        except ValueError:
            pass
        else:
            added.append(entry)
            for name in gone:
                del there[name]
            there |= {file.name: file.sha256 for file in files}
        reader.refresh()
        assert list(reader.entries) == added
    for one in (reader, Chain(path)):
        assert list(one.entries) == added
        assert {name: file.sha256 for name, (_, file) in one.files().items()} == there
        assert one.upto(DAY) == max((entry.upto for entry in added if entry.kind in ("day", "supplement")), default=0)
        assert one.head == ((added[-1].number, added[-1].digest) if added else (0, START))
        one.check()
