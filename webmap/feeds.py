"""The live map's feeds: one for each scope that somebody looks through.

Who reaches the whole city shares one feed, which is always there. Who reaches less shares one with those who reach the
same; it is made for the first of them and dropped with the last. A feed holds the rows of its own units and no others,
so nothing out of reach can be in a frame, in the roster, in a count, or be asked for by its id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tracker.model import Unit, UnitId
from tracker.roster import Roster
from webmap.changes import Brief
from webmap.feed import Feed, Viewer
from webmap.rights import Reach, Scope
from webmap.views import RosterText

RowOf = Callable[[str], tuple[float | None, float | None, Brief, list[Any]]]


@dataclass(slots=True)
class _Part:
    """A feed of less than the city, and whom it shows."""

    feed: Feed
    units: frozenset[UnitId]


class Feeds:
    """All of them. Never more than there are viewers, and one. ``row`` and ``hello`` are those of
    :class:`webmap.feed.Feed`; ``new_instance`` makes names that nobody can guess."""

    def __init__(
        self, roster: Roster, row: RowOf, hello: Callable[[int], dict[str, Any]], new_instance: Callable[[], str]
    ) -> None:
        self._roster = roster
        self._row = row
        self._hello = hello
        self._new_instance = new_instance
        self._whole = Feed(new_instance(), row, RosterText(roster), hello)
        self._parts: dict[Scope, _Part] = {}
        self._labels = -1
        self._groups: list[tuple[Unit, frozenset[UnitId]]] = []
        """Units of the same street and team with one of them, for whom a scope answers for all."""

    @property
    def viewers(self) -> int:
        """Open live maps."""
        return sum(len(feed.viewers) for feed in self.all())

    def all(self) -> list[Feed]:
        """Every feed that is to be flushed, each showing whom it may as of now."""
        self._regroup()
        return [self._whole, *(part.feed for part in self._parts.values())]

    # -- what changes

    def update(self, units: Iterable[UnitId]) -> None:
        """These units have changed."""
        self._regroup()
        changed = [unit for unit in units if unit in self._roster.units]
        self._whole.update(changed)
        for part in self._parts.values():
            part.feed.update(part.units.intersection(changed))

    def forget(self, unit: UnitId) -> None:
        """Show a unit to nobody any more."""
        self._whole.forget(unit)
        for part in self._parts.values():
            if unit in part.units:
                part.units -= {unit}
                part.feed.forget(unit)

    def _regroup(self) -> None:
        """Whose labels have changed leaves feeds and enters others. One change takes 4 ms with 10,000 units, and some
        µs more for each scope; so it is done once for all changes between two frames."""
        if self._labels == self._roster.labels_version:
            return
        self._labels = self._roster.labels_version
        self._groups = []
        if not self._parts:
            return
        self._group()
        for scope, part in self._parts.items():
            now = self._within(scope)
            for unit in part.units - now:
                part.feed.forget(unit)
            part.feed.update(now - part.units)
            part.units = now

    def _group(self) -> None:
        groups: dict[tuple[str, str], list[Unit]] = {}
        for unit in self._roster.units.values():
            groups.setdefault((unit.street, unit.team), []).append(unit)
        self._groups = [(units[0], frozenset(unit.id for unit in units)) for units in groups.values()]

    def _within(self, scope: Scope) -> frozenset[UnitId]:
        if scope.reach is Reach.OWN:
            own = self._roster.units.get(scope.unit)
            return frozenset((own.id,)) if own is not None and scope.covers(own) else frozenset()
        if not self._groups:
            self._group()
        return frozenset[UnitId]().union(*(units for one, units in self._groups if scope.covers(one)))

    # -- viewers

    def join(self, viewer: Viewer, scope: Scope, now: int) -> Feed:
        """Somebody who reaches this has come; the feed that shows it is theirs until they :meth:`leave`."""
        self._regroup()
        feed = self._whole if scope.everything else self._part(scope).feed
        feed.join(viewer, now)
        return feed

    def _part(self, scope: Scope) -> _Part:
        part = self._parts.get(scope)
        if part is None:
            part = self._parts[scope] = _Part(Feed(self._new_instance(), self._row, self._text(scope), self._hello),
                                              self._within(scope))  # fmt: skip
            part.feed.update(part.units)
        return part

    def _text(self, scope: Scope) -> RosterText:
        return RosterText(self._roster, lambda: sorted(self._parts[scope].units))

    def leave(self, viewer: Viewer, scope: Scope, feed: Feed) -> None:
        feed.leave(viewer)
        part = self._parts.get(scope)
        if part is not None and part.feed is feed and not feed.viewers:
            del self._parts[scope]


class Alike:
    """One feed for whoever comes: for benchmarks, and for tests of what is below."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed

    @property
    def viewers(self) -> int:
        return len(self.feed.viewers)

    def all(self) -> list[Feed]:
        return [self.feed]

    def join(self, viewer: Viewer, scope: Scope, now: int) -> Feed:
        self.feed.join(viewer, now)
        return self.feed

    def leave(self, viewer: Viewer, scope: Scope, feed: Feed) -> None:
        feed.leave(viewer)
