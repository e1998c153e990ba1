"""Is the archive what was sealed? Every file is read and compared with what its class's chain says of it.

:func:`verify` changes nothing, and may run beside a server at work, or over a copy of its data folder. Whatever looks
wrong is looked at once more under the archive's lock before it is told: a day that was being closed or deleted when we
came by is no finding. A removal, for which a person's data had to go, and a deletion are in the chain as such; they
are listed, and are no findings.

A chain proves nothing against one who recomputes all of it, and does not know its own end. Heads that went out
(:mod:`storage.archive.heads`) do: see :class:`Proof`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from storage.archive.chain import Entry, Links, scan
from storage.archive.heads import Head
from storage.archive.layout import CLASSES, PHOTOS, Layout

CHUNK = 1 << 20
MOST = 1000
"""Findings of one sort, removals, and reasons of deletions that a report lists of each class; all are counted."""
PATIENCE_S = 900
"""Seconds to wait for the archive's lock: sealing holds it for a minute, a backup for longer. Then what looked wrong
is told without the second look."""
STAGED = ".part"
UNFINISHED = (".new", STAGED)
"""How the names of files end that are being written; nobody reads them, and the next start takes them away."""

Tell = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was sealed.

    ``name`` is a path in the data folder, with its line for a chain; ``what`` one of the words of
    :data:`storage.archive.verdict.FINDINGS`, ``other`` another name or a reason that belongs to it. ``number`` is an
    entry that went out as a head at ``at`` (ms).
    """

    kind: str
    what: str
    name: str
    other: str = ""
    number: int = 0
    at: int = 0


@dataclass(frozen=True, slots=True)
class Proof:
    """What exported heads prove of one class.

    Entries 1 .. ``number`` are those that were there when a head went out at ``at`` (ms), the newest that fits;
    ``day`` is the last city day closed by then. The first head went out at ``since`` and covered ``covered`` entries:
    what was done to them before that cannot be seen. ``open`` entries came after the newest head.
    """

    kind: str
    since: int
    covered: int
    at: int
    number: int
    day: str
    open: int


@dataclass(frozen=True, slots=True)
class Removal:
    """Files of ``day`` that were written anew, or went, because somebody's data had to go; as the chain tells it."""

    kind: str
    number: int
    day: str
    made: int
    reason: str
    files: int


@dataclass(slots=True)
class Deletions:
    """What was deleted of one class for one reason, as the chain tells it: entries, files, first and last day."""

    entries: int
    files: int
    first: str
    last: str


@dataclass(slots=True)
class Report:
    """What came of it. ``waiting`` photos lie there that are not sealed yet, so nothing is said of them."""

    findings: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    """Findings by word, also those that are too many to list; and removals."""
    deletions: dict[tuple[str, str], Deletions] = field(default_factory=dict)
    """By class and reason."""
    removals: list[Removal] = field(default_factory=list)
    proofs: list[Proof] = field(default_factory=list)
    files: int = 0
    bytes: int = 0
    entries: int = 0
    waiting: int = 0

    @property
    def sound(self) -> bool:
        return not self.findings


def verify(data: Path, *, heads: Sequence[Head] = (), tell: Tell = lambda _: None, locked: bool = False) -> Report:
    """Read the whole archive of a data folder; a core does some 500 MB a second.

    ``tell`` is given the progress, a hundred times at most. ``locked``: the caller holds the archive's lock itself.
    Memory grows with the number of files, some 500 bytes each, and not with their size.
    """
    layout = Layout(data / "archive")
    report = Report()
    classes = [_Class(kind, layout, data, report) for kind in CLASSES]
    for one in classes:
        one.read_chain(heads)
    progress = _Progress(tell, sum(file.bytes for one in classes for _, file in one.links.files.values()))
    for one in classes:
        one.read_files(progress)
    if any(one.suspects for one in classes):
        tell({"lock": "waits"})
        with _lock(layout.lock, locked):
            for one in classes:
                one.look_again()
    _name_them(classes)
    for one in classes:
        one.conclude()
    return report


@dataclass(frozen=True, slots=True)
class _Suspect:
    """``wanted`` is the digest it was sealed with, ``found`` the one it has; ``seen`` what the file looked like."""

    what: str
    wanted: str = ""
    found: str = ""
    seen: tuple[int, ...] = ()
    reason: str = ""


class _Class:
    """One class on its way into the report."""

    def __init__(self, kind: str, layout: Layout, data: Path, report: Report) -> None:
        self.kind = kind
        self.links = Links()
        self.suspects: dict[str, _Suspect] = {}
        self.folder = data / "media" if kind == PHOTOS else layout.folder(kind)
        self._chain = layout.chain(kind)
        self._data = data
        self._report = report
        self._listed = Counter[str]()

    def label(self, name: str) -> str:
        return (self.folder / name).relative_to(self._data).as_posix()

    # -- the chain

    def read_chain(self, heads: Sequence[Head]) -> None:
        """Entry by entry, with what is told of deletions and against the heads that went out."""
        wanted: dict[int, list[tuple[int, str]]] = {}
        for head in heads:
            if self.kind in head.heads:
                number, digest = head.heads[self.kind]
                wanted.setdefault(number, []).append((head.at, digest))
        fitting = [(at, 0, "") for at, _ in wanted.pop(0, ())]  # a head of the time when there was nothing yet
        other: list[tuple[int, int]] = []
        newest = ""
        for line in scan(self._chain):
            fault = self.links.take(line)
            if fault:
                self.found(fault, f"{self._chain.relative_to(self._data).as_posix()}:{line.number}")
            if line.entry is None:
                continue
            self._report.entries += 1
            self._note(line.entry)
            newest = max(newest, line.entry.day if line.entry.kind == "day" else "")
            for at, digest in wanted.pop(line.entry.number, ()):
                if digest == line.entry.digest:
                    fitting.append((at, line.entry.number, newest))
                else:
                    other.append((line.entry.number, at))
        tail = [(number, at) for number in wanted for at, _ in wanted[number] if number > self.links.number]
        other += [(number, at) for number in wanted for at, _ in wanted[number] if number <= self.links.number]
        name = self._chain.relative_to(self._data).as_posix()
        # One entry that is another one makes all after it others too: the first says it, and of a tail the last.
        if other:
            self.found("rewritten", name, "", *min(other))
        if tail:
            self.found("tail", name, "", *max(tail))
        if fitting:
            since, covered, _ = min(fitting)
            at, number, day = max(fitting)
            entries = self.links.number - number
            self._report.proofs.append(Proof(self.kind, since, covered, at, number, day, max(entries, 0)))

    def _note(self, entry: Entry) -> None:
        files, report = len(entry.gone) + len(entry.files), self._report
        if entry.kind == "removal":
            report.counts["removal"] += 1
            if self._may_list("removal"):
                report.removals.append(Removal(self.kind, entry.number, entry.day, entry.made, entry.reason, files))
        elif entry.kind == "deletion":
            new = Deletions(0, 0, entry.day, entry.day)
            told = report.deletions.setdefault((self.kind, entry.reason), new)
            if told is new and not self._may_list("deletion"):
                del report.deletions[self.kind, entry.reason]
            told.entries, told.files = told.entries + 1, told.files + files
            told.first, told.last = min(told.first, entry.day), max(told.last, entry.day)

    # -- the files

    def read_files(self, progress: _Progress) -> None:
        """Each file that ought to be there, then each that is."""
        for name, (_, file) in sorted(self.links.files.items()):
            progress.begin(self.label(name), file.bytes)
            suspect = self._judge(name, progress.read)
            progress.end()
            if suspect:
                self.suspects[name] = suspect
            self._report.files += 1
            self._report.bytes += file.bytes
        for name in self._names():
            if name not in self.links.files:
                if self._waits(name):
                    self._report.waiting += 1
                else:
                    self.suspects[name] = _Suspect("unsealed")

    def look_again(self) -> None:
        """Under the lock, with what the chain says by now. What has not changed since is not read again."""
        if not self.suspects:
            return
        self.links = Links()
        for line in scan(self._chain):
            self.links.take(line)
        for name, before in list(self.suspects.items()):
            sealed = self.links.files.get(name)
            same = sealed is not None and sealed[1].sha256 == before.wanted and _looks(self.folder / name)[0]
            suspect = before if same and same == before.seen else self._judge(name)
            if suspect is None:
                del self.suspects[name]
            else:
                self.suspects[name] = suspect

    def _judge(self, name: str, read: Callable[[int], None] = lambda _: None) -> _Suspect | None:
        """What is wrong with a file, if anything is."""
        path = self.folder / name
        seen, reason = _looks(path)
        if name not in self.links.files:
            return _Suspect("unsealed") if seen and not self._waits(name) else None
        file = self.links.files[name][1]
        if not seen:
            return _Suspect("unreadable" if reason else "missing", file.sha256, reason=reason)
        try:
            found = digest_of(path, read)
        except FileNotFoundError:
            return _Suspect("missing", file.sha256)
        except OSError as error:
            return _Suspect("unreadable", file.sha256, seen=seen, reason=error.strerror or str(error))
        return _Suspect("changed", file.sha256, found, seen) if found != file.sha256 else None

    def _waits(self, name: str) -> bool:
        """Photos lie in their folder before their day is sealed; all else comes there when it is."""
        return self.kind == PHOTOS and name.partition("/")[0] not in self.links.upto

    def _names(self) -> Iterator[str]:
        for folder, folders, names in os.walk(self.folder):
            folders.sort()
            for name in sorted(names):
                path = Path(folder, name)
                if path != self._chain and not name.endswith(UNFINISHED):
                    yield path.relative_to(self.folder).as_posix()

    def lies_beside(self, name: str, digest: str) -> bool:
        """Whether a file waits to take the place of this one, as a removal lays it there before the chain says so."""
        try:
            return digest_of(self.folder / (name + STAGED)) == digest
        except OSError:
            return False

    # -- what comes of it

    def found(self, what: str, name: str, other: str = "", number: int = 0, at: int = 0) -> None:
        self._report.counts[what] += 1
        if self._may_list(what):
            self._report.findings.append(Finding(self.kind, what, name, other, number, at))

    def _may_list(self, what: str) -> bool:
        self._listed[what] += 1
        return self._listed[what] <= MOST

    def conclude(self) -> None:
        for name, suspect in sorted(self.suspects.items()):
            self.found(suspect.what, self.label(name), suspect.reason)


def _name_them(classes: Sequence[_Class]) -> None:
    """Find out which of the files that look wrong have only changed places or names."""
    if not any(one.suspects for one in classes):
        return
    sealed = {file.sha256: one.label(name) for one in classes for name, (_, file) in one.links.files.items()}
    strays: dict[str, tuple[_Class, str]] = {}
    for one in classes:
        for name, suspect in one.suspects.items():
            if suspect.what in ("changed", "missing") and one.lies_beside(name, suspect.wanted):
                one.suspects[name] = _Suspect("interrupted", reason=one.label(name) + STAGED)
            elif suspect.what == "changed" and suspect.found in sealed:
                one.suspects[name] = _Suspect("swapped", reason=sealed[suspect.found])
            elif suspect.what == "unsealed":
                with suppress(OSError):  # one that cannot be read stays a file that nobody sealed
                    digest = digest_of(one.folder / name)
                    if digest in sealed:
                        one.suspects[name] = _Suspect("copied", reason=sealed[digest])
                        strays[digest] = one, name
    for one in classes:
        for name, suspect in list(one.suspects.items()):
            if suspect.what == "missing" and suspect.wanted in strays:
                other, stray = strays.pop(suspect.wanted)
                one.suspects[name] = _Suspect("renamed", reason=other.label(stray))
                del other.suspects[stray]


def digest_of(path: Path, read: Callable[[int], None] = lambda _: None) -> str:
    """SHA-256 of a file, read 1 MB at a time; ``read`` is told how many bytes each time. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            read(len(chunk))
    return digest.hexdigest()


def _looks(path: Path) -> tuple[tuple[int, ...], str]:
    """What tells a file from one that was written in its place, empty without a file; and why it cannot be asked."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return (), ""
    except OSError as error:
        return (), error.strerror or str(error)
    if not stat.S_ISREG(found.st_mode):
        return (), "not a file"
    return (found.st_ino, found.st_size, found.st_mtime_ns), ""


class _Progress:
    """Tells of each hundredth of the bytes once."""

    def __init__(self, tell: Tell, total: int) -> None:
        self._tell = tell
        self._total = total
        self._done = 0
        self._end = 0
        self._told = -1
        self._name = ""

    def begin(self, name: str, size: int) -> None:
        self._name = name
        self._end += size

    def end(self) -> None:
        """Whatever size the file turned out to have."""
        self.read(self._end - self._done)

    def read(self, count: int) -> None:
        self._done = min(self._done + count, self._end)
        percent = 100 * self._done // self._total if self._total else 100
        if percent > self._told:
            self._told = percent
            self._tell({"percent": percent, "bytes": self._done, "of": self._total, "name": self._name})


@contextmanager
def _lock(path: Path, held: bool) -> Iterator[None]:
    """The archive's lock for a reader: nobody changes anything meanwhile. A copy has none, and needs none."""
    try:
        handle = -1 if held else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        handle = -1
    if handle == -1:
        yield
        return
    try:
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > end:
                    break
                time.sleep(0.1)
            else:
                break
        yield
    finally:
        os.close(handle)
