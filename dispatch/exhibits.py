"""Photos and voice notes that are on disk: what is known of each, and what it belongs to. Pure; the bytes are in
storage/blobs.py, each file as it was received.

One is known by its SHA-256 and the unit that sent it: the same photo for a second answer is the same exhibit with one
use more. Two people who send the same bytes have an exhibit each, because the data of either may have to go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from tracker.model import DeviceId, UnitId
from tracker.refusal import Change

EVIDENCE = "evidence"
"""The type of the events; their id is ``<sha>:<unit>``."""
KNOWN = 50_000
"""Exhibits that are known, some 40 MB; older ones are in the archive."""
USES = 20
"""Of one exhibit."""


class Use(NamedTuple):
    """What it was sent for: an attempt of a task, or the problem with this client event id."""

    task: str = ""
    attempt: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One that is on disk under ``name``; received ``at`` (ms)."""

    sha: str
    unit: UnitId
    device: DeviceId
    size: int
    type: str
    at: int
    name: str
    uses: tuple[Use, ...] = ()

    @property
    def id(self) -> str:
        return f"{self.sha}:{self.unit}"

    def event(self, use: Use) -> Change:
        """What the journal holds of it and of one of its uses."""
        fields = {
            "unit": self.unit, "device": self.device, "size": self.size, "type": self.type, "at": self.at,
            "name": self.name, **use._asdict(),
        }  # fmt: skip
        return EVIDENCE, self.id, fields


class Exhibits:
    """The last ones, at most ``most``."""

    def __init__(self, most: int = KNOWN) -> None:
        self._most = most
        self._all: dict[str, Exhibit] = {}
        self._units: dict[str, dict[UnitId, None]] = {}
        """By digest, whose there are."""

    def __len__(self) -> int:
        return len(self._all)

    def get(self, sha: str, unit: str) -> Exhibit | None:
        return self._all.get(f"{sha}:{unit}")

    def of(self, sha: str) -> list[Exhibit]:
        """All that have these bytes."""
        return [self._all[f"{sha}:{unit}"] for unit in self._units.get(sha, ())]

    def all(self) -> Iterable[Exhibit]:
        """The oldest first."""
        return self._all.values()

    def take(self, event: Change) -> Exhibit:
        """Take in what the journal holds."""
        _, id, fields = event
        assert fields is not None
        sha, _, unit = id.partition(":")
        known, use = self._all.get(id), Use(*(fields[name] for name in Use._fields))
        if known is None:
            plain: Mapping[str, Any] = {name: fields[name] for name in ("device", "size", "type", "at", "name")}
            known = Exhibit(sha, UnitId(unit), **plain)
            self._units.setdefault(sha, {})[known.unit] = None
        if use not in known.uses:
            known = replace(known, uses=(*known.uses, use)[-USES:])
        self._all[id] = known
        if len(self._all) > self._most:
            self.drop([next(iter(self._all.values()))])
        return known

    def replay(self, event: Change) -> None:
        """As :meth:`take`."""
        self.take(event)

    def events(self) -> Iterator[Change]:
        """What :meth:`replay` makes the same of."""
        for exhibit in self._all.values():
            for use in exhibit.uses:
                yield exhibit.event(use)

    def drop(self, exhibits: Iterable[Exhibit]) -> None:
        """Know nothing of these any more."""
        for one in exhibits:
            del self._all[one.id]
            units = self._units[one.sha]
            del units[one.unit]
            if not units:
                del self._units[one.sha]

    def forget(self, unit: UnitId) -> None:
        """Know nothing of a unit's any more."""
        self.drop([one for one in self._all.values() if one.unit == unit])
