"""Who is shown what: the newest state per unit, coalesced, only for the area that a viewer looks at.

Pure: rows come in, frames go out. A unit's row is encoded once per change, whoever sees it, and viewers who see all
that has changed get the very same bytes. A viewer that does not read costs nothing but a sequence number: what changed
meanwhile goes out as one frame when it reads again.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

Box = tuple[float, float, float, float]
"""South, west, north, east in degrees."""

HEARTBEAT_MS = 4000
"""A viewer hears something at least so often, or it takes the link for broken (after 12 s)."""
BEHIND_HEARTBEAT_MS = 1000
"""While the live state is behind, viewers are told by how much before they can think that it has stopped there."""


FIX_TIME = 6
"""The place of the fix time among a row's values."""
RECENT = 64
"""Changes remembered by sequence number; who is further behind is compared with every row."""
FEW = 24
"""So many changed units are looked at one by one; more are compared with a box all at once."""
EDGE_LIMIT = 1e9
"""Degrees of a box: a map may be dragged around the world many times. JSON can hold more than numbers can."""
_NOWHERE = (float("nan"), float("nan"))


class Row:
    """A unit as viewers see it: ``values`` are those of its JSON array; ``changed`` and ``turned`` are the sequence
    numbers of its last change and of its last change of presence."""

    def __init__(
        self, latitude: float | None, longitude: float | None, state: int, values: list[Any], changed: int, turned: int
    ) -> None:
        self.latitude = latitude
        self.longitude = longitude
        self.state = state
        self.values = values
        self.changed = changed
        self.turned = turned

    @cached_property
    def text(self) -> str:
        """The JSON array; made when somebody needs this row alone."""
        return _json(self.values)


class Changes:
    """What one sequence number has changed, made once for all viewers."""

    def __init__(self, units: list[str], rows: list[Row], before: list[Row | None]) -> None:
        self.units, self.rows = units, rows
        self._before = before

    @cached_property
    def bounds(self) -> Box | None:
        """The smallest box around all of them; ``None`` if one is nowhere."""
        places = [(row.latitude, row.longitude) for row in self.rows]
        latitudes, longitudes = zip(*places, strict=True) if places else ((None,), (None,))
        if None in latitudes or None in longitudes:
            return None
        return min(latitudes), min(longitudes), max(latitudes), max(longitudes)

    @cached_property
    def places_before(self) -> dict[str, tuple[float, float]]:
        """Where each unit was."""
        return dict(zip(self.units, map(_place, self._before), strict=True))

    @cached_property
    def turned(self) -> list[int]:
        """Places in the list of those whose presence has changed."""
        return [n for n, row in enumerate(self.rows) if row.turned == row.changed]

    @cached_property
    def text(self) -> str:
        """All rows as they stand in a frame."""
        return _json([row.values for row in self.rows])[1:-1]

    @cached_property
    def _arrays(self) -> tuple[Any, Any]:
        # Where one is nowhere, numpy makes NaN of its None.
        now = [row.latitude for row in self.rows], [row.longitude for row in self.rows]
        return np.array(now, float), np.array([*map(_place, self._before)]).T

    def seen(self, box: Box) -> tuple[list[int], list[int]]:
        """Places in the list of those that are in the box, and of those that were and are no more."""
        now, before = (_within(box, *array) for array in self._arrays)
        return np.flatnonzero(now).tolist(), np.flatnonzero(before & ~now).tolist()


@dataclass(slots=True, eq=False)
class Viewer:
    """One browser. ``send`` writes a message; the shell sets ``paused`` while the browser does not read."""

    send: Callable[[bytes], None]
    box: Box | None = None
    follow: str | None = None
    watching: bool = False
    paused: bool = False
    whole: bool = False
    """The next frame is a full one."""
    roster: int = -1
    """The roster's version that it has."""
    seq: int = 0
    sent_at: int = 0


class Feed:
    """All viewers of one console. Call :meth:`update` when units change and :meth:`flush` a few times a second."""

    def __init__(
        self,
        instance: str,
        row: Callable[[str], tuple[float | None, float | None, int, list[Any]]],
        roster: Callable[[], tuple[int, str]],
        hello: Callable[[int], dict[str, Any]],
    ) -> None:
        self.instance = instance
        self.seq = 0
        self.viewers: set[Viewer] = set()
        self._row = row
        self._roster = roster
        self._hello = hello
        self._rows: dict[str, Row] = {}
        self._dirty: set[str] = set()
        self._recent: deque[frozenset[str]] = deque(maxlen=RECENT)
        """The units changed by the last sequence numbers, the newest last."""
        self._changes = Changes([], [], [])
        """Those of the newest."""

    # -- what changes

    def update(self, units: Iterable[str]) -> None:
        """These units have changed."""
        self._dirty.update(units)

    # -- viewers

    def join(self, viewer: Viewer, now: int) -> None:
        """A browser has come; it is told who we are and who there is. It says next what it looks at."""
        self.viewers.add(viewer)
        viewer.send(_json({**self._hello(now), "op": "hello", "instance": self.instance, "now": now}).encode())
        self._send_roster(viewer)

    def leave(self, viewer: Viewer) -> None:
        self.viewers.discard(viewer)

    def watch(self, viewer: Viewer, message: Any) -> bool:
        """The viewer says what it looks at. False for a message that makes no sense.

        ``since``, ``instance`` and ``had`` after a break: the sequence number of the last frame, and what the last full
        one said that it was for. Who still looks at that gets what changed since then; in every other case everything
        comes anew. The answer comes with the next flush.
        """
        if not isinstance(message, dict) or message.get("op") != "watch":
            return False
        box, follow, since = message.get("box"), message.get("follow"), message.get("since")
        if box is not None and not (
            isinstance(box, list)
            and len(box) == 4
            and all(type(edge) in (int, float) and abs(edge) <= EDGE_LIMIT for edge in box)
        ):
            return False
        # Half of a surrogate pair could not be sent back, and would cost all the others their frame.
        if follow is not None and not (isinstance(follow, str) and follow.isprintable()):
            return False
        same = (
            not viewer.watching
            and message.get("instance") == self.instance
            and message.get("had") == {"box": box, "follow": follow}
        )
        viewer.box = None if box is None else (box[0], box[1], box[2], box[3])
        viewer.follow, viewer.watching = follow, True
        if same and type(since) is int and 0 <= since <= self.seq:
            viewer.seq, viewer.sent_at = since, 0
        else:
            viewer.whole = True
        return True

    def flush(self, now: int, behind: int) -> None:
        """Send every viewer what it does not have yet. ``behind``: ms that the live state is behind the devices."""
        if self._dirty and self.viewers:  # rows that nobody sees are made when somebody comes
            self.seq += 1
            units = list(self._dirty)
            before = [self._rows.get(unit) for unit in units]
            rows = [self._change(unit, row) for unit, row in zip(units, before, strict=True)]
            self._changes = Changes(units, rows, before)
            self._recent.append(frozenset(self._dirty))
            self._dirty.clear()
        shared, roster = None, self._roster()[0]
        for viewer in list(self.viewers):
            if not viewer.watching or viewer.paused:
                continue
            if viewer.roster != roster:
                self._send_roster(viewer)
            if self._sees_all(viewer):
                if shared is None:
                    shared = _frame({"op": "delta"}, self.seq, now, behind, self._changes.text, [], [])
                viewer.seq, viewer.sent_at = self.seq, now
                viewer.send(shared)
            else:
                self._send_frame(viewer, now, behind)

    def _change(self, unit: str, before: Row | None) -> Row:
        latitude, longitude, state, values = self._row(unit)
        turned = self.seq if before is None or before.state != state else before.turned
        row = self._rows[unit] = Row(latitude, longitude, state, values, self.seq, turned)
        return row

    def _sees_all(self, viewer: Viewer) -> bool:
        """Whether what it lacks is the newest number's changes, and all of those are within its box."""
        if viewer.whole or viewer.seq != self.seq - 1 or viewer.box is None:
            return False
        bounds, box = self._changes.bounds, viewer.box
        return (
            bounds is not None
            and box[0] <= bounds[0] <= bounds[2] <= box[2]
            and box[1] <= bounds[1] <= bounds[3] <= box[3]
        )

    def _changed_since(self, since: int) -> Iterable[str]:
        """The units that may have changed after ``since``."""
        missed = self.seq - since
        if missed <= 0:
            return ()
        if since < 0 or missed > len(self._recent):
            return self._rows
        if missed == 1:
            return self._recent[-1]
        return frozenset().union(*list(self._recent)[-missed:])

    def _send_roster(self, viewer: Viewer) -> None:
        version, text = self._roster()
        if viewer.roster != version:
            viewer.roster = version
            viewer.send(b'{"op":"roster","units":' + text.encode() + b"}")

    def _send_frame(self, viewer: Viewer, now: int, behind: int) -> None:
        whole = viewer.whole
        if not whole and viewer.seq == self.seq - 1 and len(self._changes.units) > FEW and viewer.box is not None:
            inside, states, gone = self._newest(viewer, viewer.box)
        else:
            inside, states, gone = self._since(viewer, -1 if whole else viewer.seq)
        pause = BEHIND_HEARTBEAT_MS if behind else HEARTBEAT_MS
        if not whole and not inside and not states and not gone and now - viewer.sent_at < pause:
            viewer.seq = self.seq
            return
        head = {"op": "full", "box": viewer.box, "follow": viewer.follow} if whole else {"op": "delta"}
        viewer.whole, viewer.seq, viewer.sent_at = False, self.seq, now
        viewer.send(_frame(head, self.seq, now, behind, ",".join(inside), states, gone))

    def _since(self, viewer: Viewer, since: int) -> tuple[list[str], list[list[Any]], list[str]]:
        """What has changed after a sequence number: rows in sight, presences out of sight, and who may be out of
        sight since then: all that changed and cannot be seen, unless it is the newest number and we know better."""
        inside, states, gone = [], [], []
        known: dict[str, tuple[float, float]] = {}
        if since == self.seq - 1:
            known = self._changes.places_before
        for unit in self._changed_since(since):
            row = self._rows.get(unit)
            if row is None or row.changed <= since:
                continue
            if _sees(viewer, unit, row.latitude, row.longitude):
                inside.append(row.text)
                continue
            if since >= 0 and (unit not in known or _sees(viewer, unit, *known[unit])):
                gone.append(unit)
            if row.turned > since:
                # With the fix: it stays the last one until the next turn, unless all is well.
                states.append([unit, row.state, row.values[FIX_TIME]])
        return inside, states, gone

    def _newest(self, viewer: Viewer, box: Box) -> tuple[list[str], list[list[Any]], list[str]]:
        """The same for who lacks the newest changes only, and there are many of them."""
        changes = self._changes
        seen, left = changes.seen(box)
        inside = set(seen)
        states = [
            [changes.units[n], changes.rows[n].state, changes.rows[n].values[FIX_TIME]]
            for n in changes.turned
            if n not in inside and changes.units[n] != viewer.follow
        ]
        gone = [changes.units[n] for n in left if changes.units[n] != viewer.follow]
        if viewer.follow in changes.units and (followed := changes.units.index(viewer.follow)) not in inside:
            seen.append(followed)
        return [changes.rows[n].text for n in seen], states, gone


def _frame(
    head: dict[str, Any], seq: int, now: int, behind: int, units: str, states: list[list[Any]], gone: list[str]
) -> bytes:
    about = _json(head | {"seq": seq, "now": now, "behind": behind})
    rest = f'"states":{_json(states) if states else "[]"},"gone":{_json(gone) if gone else "[]"}'
    return f'{about[:-1]},"units":[{units}],{rest}}}'.encode()


def _place(row: Row | None) -> tuple[float, float]:
    if row is None or row.latitude is None or row.longitude is None:
        return _NOWHERE
    return row.latitude, row.longitude


def _within(box: Box, latitudes: Any, longitudes: Any) -> Any:
    """Which places are in a box. Nowhere is in none: comparisons with it are all false."""
    south, west, north, east = box
    across = (
        (longitudes >= west) & (longitudes <= east) if west <= east else (longitudes >= west) | (longitudes <= east)
    )
    return across & (latitudes >= south) & (latitudes <= north)


def _sees(viewer: Viewer, unit: str, latitude: float | None, longitude: float | None) -> bool:
    if unit == viewer.follow:
        return True
    if viewer.box is None or latitude is None or longitude is None:
        return False
    return bool(_within(viewer.box, latitude, longitude))


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _json(value: object) -> str:
    return _encode(value)
