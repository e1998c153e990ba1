"""The chain of one class: what was sealed, deleted and rewritten, one JSON entry a line, each with the digest of the
one before it.

It is the manifest too: which files ought to lie there, with their size and SHA-256, follows from the entries alone.
An entry holds digests and never content, so that deleting a file breaks nothing: a later entry says that it went.

A chain is written by one process at a time, the one that holds the archive's lock; any other may read it meanwhile.
A line without a newline at its end is no entry: whoever wrote it was killed and nobody was told that it is there.
Readers pass over it, the next writer cuts it off. A line within that was tampered with is a :class:`ChainBroken` in
:attr:`Chain.broken`; the rest is read all the same, because a broken chain is no reason to show nobody their tracks.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

from storage.journal_files import sync_names

Kind = Literal["day", "supplement", "deletion", "removal"]
KINDS: frozenset[str] = frozenset(get_args(Kind))
START = "0" * 64
"""What the first entry gives as the digest of the one before it."""
LINE_LIMIT = 16 << 20
"""Bytes of one entry: 50,000 files with names of 150 bytes. More is split by whoever appends, and never read."""
FAULTS = {
    "garbled": "it is not an entry",
    "edited": "it is not as it was written: its digest is wrong",
    "order": "its number does not follow on that of the entry before it",
    "link": "it does not hold the digest of the entry before it",
}
"""What can be wrong with a line, by a short word."""
MOST_BROKEN = 100
"""Broken lines that a chain remembers: who wants to see more of them reads with :func:`scan`."""
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[^\x00-\x1f\x7f\\/]+")
_FIELDS = ("number", "kind", "day", "made", "upto", "files", "gone", "reason", "previous", "digest")
_FILE_FIELDS = ("name", "bytes", "rows", "sha256")


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A file as it was sealed. ``name`` is relative to the folder of the class, with slashes; ``rows`` 0 where it has
    none."""

    name: str
    bytes: int
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a chain.

    ``day`` is the city day that it is about, ``made`` when it was written (ms); ``upto`` the last record number that
    had come in when a day or supplement was closed. ``gone`` are names that are no longer there since.
    """

    number: int
    kind: Kind
    day: str
    made: int
    upto: int
    files: tuple[SealedFile, ...]
    gone: tuple[str, ...]
    reason: str
    previous: str
    digest: str


class ChainBroken(Exception):
    """A line of a chain is not what was written there. ``line`` counts from 1; ``fault`` is one of :data:`FAULTS`."""

    def __init__(self, path: Path, line: int, fault: str) -> None:
        super().__init__(f"{path}:{line}: {FAULTS[fault]}")
        self.path = path
        self.line = line
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Line:
    """A whole line of a chain's file: its number from 1, the offset after it, its entry if it can be read, and what
    is wrong with it by itself, one of :data:`FAULTS` or nothing."""

    number: int
    end: int
    entry: Entry | None
    fault: str


def canonical(value: Mapping[str, Any]) -> bytes:
    """The one way to write a JSON object: keys sorted, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def line_of(entry: Entry) -> bytes:
    """An entry as it stands in the file, without the newline."""
    return canonical(_plain(entry))


def digest_of(entry: Entry) -> str:
    """SHA-256 over the entry without its digest."""
    plain = _plain(entry)
    del plain["digest"]
    return hashlib.sha256(canonical(plain)).hexdigest()


def scan(path: Path, offset: int = 0, line: int = 0) -> Iterator[Line]:
    """The whole lines of a chain's file from ``offset`` on, ``line`` of them before it. Nothing without a file.

    One line is held at a time. Whether an entry follows on the one before it is not looked at here.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        file.seek(offset)
        while True:
            text = file.readline(LINE_LIMIT + 1)
            size = len(text)
            too_long = size > LINE_LIMIT
            while too_long and text and not text.endswith(b"\n"):
                text = file.readline(LINE_LIMIT)
                size += len(text)
            if not text.endswith(b"\n"):
                return
            line += 1
            offset += size
            if too_long:
                yield Line(line, offset, None, "garbled")
            else:
                yield Line(line, offset, *_read(text[:-1]))


@dataclass(slots=True)
class Links:
    """What a chain has come to after some of its lines: each is to follow on the one before it."""

    number: int = 0
    digest: str = START
    files: dict[str, tuple[Entry, SealedFile]] = field(default_factory=dict)
    upto: dict[str, int] = field(default_factory=dict)

    def take(self, line: Line) -> str:
        """Go on by one line. Answers what is wrong with it, one of :data:`FAULTS` or nothing; it counts as far as it
        can be read."""
        entry = line.entry
        if entry is None:
            return line.fault
        fault = line.fault
        if not fault and entry.number != self.number + 1:
            fault = "order"
        if not fault and entry.previous != self.digest:
            fault = "link"
        self.apply(entry)
        return fault

    def apply(self, entry: Entry) -> None:
        """What the entry says is so from here on."""
        self.number, self.digest = entry.number, entry.digest
        for name in entry.gone:
            self.files.pop(name, None)
        for file in entry.files:
            self.files[file.name] = (entry, file)
        if entry.kind in ("day", "supplement"):
            self.upto[entry.day] = max(entry.upto, self.upto.get(entry.day, 0))

    def copy(self) -> Links:
        return Links(self.number, self.digest, dict(self.files), dict(self.upto))


class Entries:
    """The entries of a chain, oldest first, read from its file each time they are asked for."""

    def __init__(self, path: Path, end: int, count: int) -> None:
        self._path = path
        self._end = end
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Entry]:
        for line in scan(self._path):
            if line.end > self._end:
                return
            if line.entry is not None:
                yield line.entry


@dataclass(slots=True)
class _State:
    """What one reading of the file came to. It is replaced and never changed, so that a thread may look meanwhile."""

    links: Links
    inode: int = -1
    end: int = 0
    lines: int = 0
    entries: int = 0
    broken: tuple[ChainBroken, ...] = ()


class Chain:
    """The chain at ``path``, which need not exist yet. May be used by several threads.

    It holds the files that ought to be there and one number a day; entries are read from the file when asked for.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._state = _State(Links())
        self.refresh()

    @property
    def head(self) -> tuple[int, str]:
        """Number and digest of the newest entry; ``(0, "0" * 64)`` without any."""
        links = self._state.links
        return links.number, links.digest

    @property
    def entries(self) -> Entries:
        """All entries that have been read, oldest first; see :meth:`refresh`."""
        state = self._state
        return Entries(self.path, state.end, state.entries)

    @property
    def broken(self) -> Sequence[ChainBroken]:
        """The lines that are not what was written there; empty in a sound chain."""
        return self._state.broken

    def check(self) -> None:
        """Raises the first :class:`ChainBroken`, if there is one."""
        if self._state.broken:
            raise self._state.broken[0]

    def files(self) -> Mapping[str, tuple[Entry, SealedFile]]:
        """The files that ought to be there, by name, each with the entry that sealed it as it is now."""
        return MappingProxyType(self._state.links.files)

    @property
    def links(self) -> Links:
        """What the entries come to, files and record numbers all of one moment; not to be changed."""
        return self._state.links

    def upto(self, day: str) -> int:
        """The last record number that the day's file and supplements are made of; 0 for a day never closed."""
        return self._state.links.upto.get(day, 0)

    def refresh(self) -> None:
        """Read what another process has appended. Costs one look at the file when that is nothing.

        Whether what was read before is still as it was is for whoever opens the chain anew to find out.
        """
        with self._lock:
            self._state = self._refreshed(self._state)

    def append(
        self,
        kind: Kind,
        day: str,
        made: int,
        *,
        files: Sequence[SealedFile] = (),
        upto: int = 0,
        gone: Sequence[str] = (),
        reason: str = "",
    ) -> Entry:
        """Add an entry; it is on disk when this returns. The caller holds the archive's lock.

        Raises ValueError when it makes no sense after what is there, and OSError when the disk does not take it:
        then it is not there. One whose caller was killed meanwhile may be there or not, but never half.
        """
        with self._lock:
            state = self._refreshed(self._state)
            links = state.links
            entry = Entry(links.number + 1, kind, day, made, upto, tuple(files), tuple(gone), reason, links.digest, "")
            entry = _parsed({**_plain(entry), "digest": digest_of(entry)})
            _judge(entry, links.files)
            text = line_of(entry)
            if len(text) >= LINE_LIMIT:
                raise ValueError(f"an entry of {len(text)} bytes: divide it")
            inode = _write(self.path, state.end, text)
            links = links.copy()
            links.apply(entry)
            self._state = _State(
                links, inode, state.end + len(text) + 1, state.lines + 1, state.entries + 1, state.broken
            )
            return entry

    def _refreshed(self, state: _State) -> _State:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return state if state.inode == -1 else _State(Links())
        if found.st_ino != state.inode or found.st_size < state.end:
            state = _State(Links(), found.st_ino)  # another file, from a backup perhaps
        if found.st_size == state.end:
            return state
        links = state.links.copy()
        end, lines, entries, broken = state.end, state.lines, state.entries, list(state.broken)
        for line in scan(self.path, end, lines):
            fault = links.take(line)
            if fault and len(broken) < MOST_BROKEN:
                broken.append(ChainBroken(self.path, line.number, fault))
            end, lines, entries = line.end, line.number, entries + (line.entry is not None)
        return _State(links, found.st_ino, end, lines, entries, tuple(broken))


def _write(path: Path, end: int, text: bytes) -> int:
    """Put a line after the first ``end`` bytes. Answers the file's inode.

    The newline goes only when what is before it is on disk, so that after a loss of power too a whole line is one that
    was written whole.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.ftruncate(handle, end)
        try:
            _write_all(handle, text, end)
            os.fdatasync(handle)
            _write_all(handle, b"\n", end + len(text))
            os.fdatasync(handle)
            sync_names(path.parent)
        except BaseException:
            os.ftruncate(handle, end)
            raise
        return os.fstat(handle).st_ino
    finally:
        os.close(handle)


def _write_all(handle: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        count = os.pwrite(handle, view, offset)
        view, offset = view[count:], offset + count


def _judge(entry: Entry, there: Mapping[str, object]) -> None:
    """Raises ValueError when an entry cannot follow on a chain with these files."""
    names = [file.name for file in entry.files]
    if len({*entry.gone, *names}) < len(entry.gone) + len(names):
        raise ValueError("a file is named twice")
    if entry.kind in ("day", "supplement"):
        if entry.gone:
            raise ValueError("sealing takes no file away")
        for name in names:
            if name in there:
                raise ValueError(f"{name} is sealed already")
        return
    if entry.kind == "deletion" and names:
        raise ValueError("a deletion adds no file")
    for name in (*names, *entry.gone):
        if name not in there:
            raise ValueError(f"{name} is not there")


def _plain(entry: Entry) -> dict[str, Any]:
    plain: dict[str, Any] = {name: getattr(entry, name) for name in _FIELDS}
    plain["files"] = [{name: getattr(file, name) for name in _FILE_FIELDS} for file in entry.files]
    plain["gone"] = list(entry.gone)
    return plain


def _read(text: bytes) -> tuple[Entry | None, str]:
    """The entry of a line, as far as it is one, and what is wrong with it."""
    try:
        entry = _parsed(json.loads(text))
        same = line_of(entry) == text
        right = digest_of(entry) == entry.digest
    except (ValueError, RecursionError):
        return None, "garbled"
    return entry, "" if right and same else "edited"


def _parsed(plain: Any) -> Entry:
    """Raises ValueError for what is no entry."""
    if not isinstance(plain, dict) or set(plain) != set(_FIELDS):
        raise ValueError("these are not the fields of an entry")
    files, gone = plain["files"], plain["gone"]
    if not isinstance(files, list) or not isinstance(gone, list):
        raise ValueError("files and gone are lists")
    if _text(plain["kind"]) not in KINDS:
        raise ValueError(f"the kind is one of {', '.join(sorted(KINDS))}")
    return Entry(
        number=_number(plain["number"]),
        kind=plain["kind"],
        day=_like(_DAY, plain["day"]),
        made=_number(plain["made"]),
        upto=_number(plain["upto"]),
        files=tuple(_file(file) for file in files),
        gone=tuple(_name(name) for name in gone),
        reason=_text(plain["reason"]),
        previous=_like(_DIGEST, plain["previous"]),
        digest=_like(_DIGEST, plain["digest"]),
    )


def _file(plain: Any) -> SealedFile:
    if not isinstance(plain, dict) or set(plain) != set(_FILE_FIELDS):
        raise ValueError("these are not the fields of a file")
    return SealedFile(
        _name(plain["name"]), _number(plain["bytes"]), _number(plain["rows"]), _like(_DIGEST, plain["sha256"])
    )


def _number(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is not a whole number")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a text")
    return value


def _like(pattern: re.Pattern[str], value: Any) -> str:
    if not pattern.fullmatch(_text(value)):
        raise ValueError(f"{value!r} is not like {pattern.pattern}")
    return str(value)


def _name(value: Any) -> str:
    """A name that stays in the folder of its class."""
    parts = _text(value).split("/")
    if not all(_NAME.fullmatch(part) and part not in (".", "..") for part in parts):
        raise ValueError(f"{value!r} is not a name in the folder")
    return str(value)
