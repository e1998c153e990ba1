"""A small archive for tests: files that are sealed, deleted and removed as the archivist's jobs do it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from storage.archive.chain import Chain, Entry, Kind, SealedFile
from storage.archive.heads import Head, head_of
from storage.archive.layout import CLASSES, FIXES, PHOTOS, SNAPSHOTS, Layout

DAYS = ("2026-11-20", "2026-11-21", "2026-11-22")
HOUR = 3_600_000


class House:
    """The data folder of a city with three closed days. ``now`` goes on by an hour with every entry."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.layout = Layout(data / "archive")
        for kind in CLASSES:
            self.layout.folder(kind).mkdir(parents=True)
        self.layout.lock.touch()
        self.chains = {kind: Chain(self.layout.chain(kind)) for kind in CLASSES}
        self.now = 1_795_000_000_000
        for number, day in enumerate(DAYS):
            self.seal(FIXES, day, f"{day}.parquet", f"{day}.details.parquet", upto=100 * number + 100)
            self.seal(SNAPSHOTS, day, f"{day}.snapshot")
            self.seal(PHOTOS, day, f"{day}/one.jpg", f"{day}/two.jpg")

    def folder(self, kind: str) -> Path:
        return self.data / "media" if kind == PHOTOS else self.layout.folder(kind)

    def path(self, name: str) -> Path:
        """A file by its name in the data folder, as findings have it."""
        return self.data / name

    def write(self, kind: str, name: str, content: str = "") -> SealedFile:
        path = self.folder(kind) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = (content or f"{kind} {name}").encode() * 50
        path.write_bytes(data)
        return SealedFile(name, len(data), 50, hashlib.sha256(data).hexdigest())

    def append(
        self, kind: str, what: Kind, day: str, files: list[SealedFile], gone: tuple[str, ...] = (), upto: int = 0,
        reason: str = "",
    ) -> Entry:  # fmt: skip
        self.now += HOUR
        return self.chains[kind].append(what, day, self.now, files=files, gone=gone, upto=upto, reason=reason)

    def seal(self, kind: str, day: str, *names: str, upto: int = 0) -> Entry:
        return self.append(kind, "day", day, [self.write(kind, name) for name in names], upto=upto)

    def delete(self, kind: str, day: str, *names: str, reason: str = "retention") -> None:
        self.append(kind, "deletion", day, [], names, reason=reason)
        for name in names:
            (self.folder(kind) / name).unlink()

    def head(self) -> Head:
        return head_of("Gridbeat", self.now, self.chains)

    def seal_anew(self, kind: str) -> None:
        """What somebody does who wants to hide that he has changed files: the same entries, all digests right."""
        chain = self.layout.chain(kind)
        entries = list(self.chains[kind].entries)
        chain.unlink()
        new = self.chains[kind] = Chain(chain)
        for entry in entries:
            files = []
            for file in entry.files:
                path = self.folder(kind) / file.name
                data = path.read_bytes() if path.exists() else b""
                files.append(SealedFile(file.name, len(data), file.rows, hashlib.sha256(data).hexdigest()))
            new.append(
                entry.kind, entry.day, entry.made, files=files, upto=entry.upto, gone=entry.gone, reason=entry.reason
            )

    def lines(self, kind: str) -> list[bytes]:
        return self.layout.chain(kind).read_bytes().splitlines(keepends=True)

    def put_lines(self, kind: str, lines: list[bytes]) -> None:
        self.layout.chain(kind).write_bytes(b"".join(lines))


def edited(line: bytes, **changes: object) -> bytes:
    """A line of a chain with other values, its digest as it was."""
    entry = json.loads(line) | changes
    return json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
