"""Who is shown what: the newest state per unit, coalesced, only for the area that a viewer looks at.

Pure: rows come in, frames go out. A unit's row is encoded once per change, whoever sees it, and viewers who see all
that has changed get the very same bytes. A viewer that does not read costs nothing but a sequence number: what changed
meanwhile goes out as one frame when it reads again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from webmap.changes import Box, Brief, Changes, Everybody, Row, as_json, within

HEARTBEAT_MS = 4000
"""A viewer hears something at least so often, or it takes the link for broken (after 12 s)."""
BEHIND_HEARTBEAT_MS = 1000
"""While the live state is behind, viewers are told by how much before they can think that it has stopped there."""


FIX_TIME = 6
"""The place of the fix time among a row's values."""
RECENT = 64
"""Changes remembered by sequence number; who is further behind is compared with every row."""
FEW = 24
"""So many changed units are looked at one by one; more are sought by latitude first."""
EDGE_LIMIT = 1e9
"""Degrees of a box: a map may be dragged around the world many times. JSON can hold more than numbers can."""


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
    knows: bool = False
    """It has been told of everybody, wherever they are, up to ``seq``."""
    roster: int = -1
    """The roster's version that it has."""
    seq: int = 0
    sent_at: int = 0


class Feed:
    """All viewers of one console. Call :meth:`update` when units change and :meth:`flush` a few times a second."""

    def __init__(
        self,
        instance: str,
        row: Callable[[str], tuple[float | None, float | None, Brief, list[Any]]],
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
        self._named = (-1, b"")
        """The roster's message, made once for a version."""
        self._everybody = (-1, Everybody({}))
        """All rows as they were at a sequence number."""
        self._delta = ""
        """How the frames of changes of this moment begin."""

    # -- what changes

    def update(self, units: Iterable[str]) -> None:
        """These units have changed."""
        self._dirty.update(units)

    def forget(self, unit: str) -> None:
        """Show a unit to nobody any more; that it is gone is said by the roster."""
        self._rows.pop(unit, None)
        self._dirty.discard(unit)
        # Whoever lacks the newest changes has them compared with every row: those changes hold it still.
        self.seq += 1
        self._changes = Changes([], [], [])
        self._recent.clear()

    # -- viewers

    def join(self, viewer: Viewer, now: int) -> None:
        """A browser has come; it is told who we are and who there is. It says next what it looks at."""
        self.viewers.add(viewer)
        viewer.send(as_json({**self._hello(now), "op": "hello", "instance": self.instance, "now": now}).encode())
        self._send_roster(viewer)

    def leave(self, viewer: Viewer) -> None:
        self.viewers.discard(viewer)

    def watch(self, viewer: Viewer, message: Any) -> bool:
        """The viewer says what it looks at. False for a message that makes no sense.

        ``since``, ``instance`` and ``had`` after a break: the sequence number of the last frame, and what the last full
        one said that it was for. Who still looks at that gets what changed since then; in every other case everything
        comes anew. The answer comes with :meth:`answer` or the next
        flush.
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
            viewer.seq, viewer.sent_at, viewer.knows = since, 0, True
        else:
            viewer.whole = True
        return True

    def answer(self, viewer: Viewer, now: int, behind: int) -> None:
        """What a viewer has just begun to look at, at once and as of the last flush: whoever moves the map must not see
        an empty one until the next. Does nothing for one that is new: the rows may not have been made yet."""
        if viewer.whole and viewer.knows and not viewer.paused:
            self._send_whole(viewer, now, behind)

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
        self._delta = _head({"op": "delta"}, self.seq, now, behind)
        for viewer in list(self.viewers):
            if not viewer.watching or viewer.paused:
                continue
            if viewer.roster != roster:
                self._send_roster(viewer)
            if self._sees_all(viewer):
                if shared is None:
                    shared = _frame(self._delta, self._changes.text, [], [])
                viewer.seq, viewer.sent_at = self.seq, now
                viewer.send(shared)
            else:
                self._send_frame(viewer, now, behind)

    def _change(self, unit: str, before: Row | None) -> Row:
        latitude, longitude, brief, values = self._row(unit)
        turned = self.seq if before is None or before.brief != brief else before.turned
        row = self._rows[unit] = Row(latitude, longitude, brief, values, self.seq, turned)
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
            if self._named[0] != version:
                self._named = (version, b'{"op":"roster","units":' + text.encode() + b"}")
            viewer.send(self._named[1])

    def _send_frame(self, viewer: Viewer, now: int, behind: int) -> None:
        whole = viewer.whole
        if whole:
            self._send_whole(viewer, now, behind)
            return
        if viewer.seq == self.seq - 1 and len(self._changes.units) > FEW and viewer.box is not None:
            inside, states, gone = self._newest(viewer, viewer.box)
        else:
            inside, states, gone = self._since(viewer, viewer.seq)
        pause = BEHIND_HEARTBEAT_MS if behind else HEARTBEAT_MS
        if not inside and not states and not gone and now - viewer.sent_at < pause:
            viewer.seq = self.seq
            return
        viewer.seq, viewer.sent_at = self.seq, now
        viewer.send(_frame(self._delta, ",".join(inside), states, gone))

    def _send_whole(self, viewer: Viewer, now: int, behind: int) -> None:
        """All that is in sight; and of those who are not what it has not been told, which is little for somebody who
        has only moved the map: who looks at one street pays for one street."""
        if self._everybody[0] != self.seq:
            self._everybody = (self.seq, Everybody(self._rows))
        everybody = self._everybody[1]
        seen = everybody.seen(viewer.box, viewer.follow)
        if viewer.knows:
            turned = ((unit, self._rows[unit]) for unit in self._changed_since(viewer.seq) if unit in self._rows)
            states = [_told(unit, row) for unit, row in turned if row.turned > viewer.seq]
        else:
            states = [_told(everybody.units[n], everybody.rows[n]) for n in np.flatnonzero(~seen).tolist()]
        head = _head({"op": "full", "box": viewer.box, "follow": viewer.follow}, self.seq, now, behind)
        viewer.whole, viewer.knows, viewer.seq, viewer.sent_at = False, True, self.seq, now
        viewer.send(_frame(head, everybody.text(np.flatnonzero(seen).tolist()), states, []))

    def _since(self, viewer: Viewer, since: int) -> tuple[list[str], list[list[Any]], list[str]]:
        """What has changed after a sequence number: rows in sight, briefs out of sight, and who may be out of
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
                states.append(_told(unit, row))
        return inside, states, gone

    def _newest(self, viewer: Viewer, box: Box) -> tuple[list[str], list[list[Any]], list[str]]:
        """The same for who lacks the newest changes only, and there are many of them."""
        changes = self._changes
        seen, left = changes.seen(box)
        if viewer.follow is not None and (followed := changes.numbers.get(viewer.follow)) is not None:
            left = [n for n in left if n != followed]
            if followed not in seen:
                seen.append(followed)
        states = []
        if changes.turned:
            inside = set(seen)
            states = [_told(changes.units[n], changes.rows[n]) for n in changes.turned if n not in inside]
        return [changes.rows[n].text for n in seen], states, [changes.units[n] for n in left]


def _told(unit: str, row: Row) -> list[Any]:
    """Of a unit out of sight. With the fix: it stays the last one until the next turn, unless all is well."""
    presence, calls = row.brief
    return [unit, presence, row.values[FIX_TIME], calls]


def _head(what: dict[str, Any], seq: int, now: int, behind: int) -> str:
    """A frame up to its units."""
    return as_json(what | {"seq": seq, "now": now, "behind": behind})[:-1]


def _frame(head: str, units: str, states: list[list[Any]], gone: list[str]) -> bytes:
    rest = f'"states":{as_json(states) if states else "[]"},"gone":{as_json(gone) if gone else "[]"}'
    return f'{head},"units":[{units}],{rest}}}'.encode()


def _sees(viewer: Viewer, unit: str, latitude: float | None, longitude: float | None) -> bool:
    if unit == viewer.follow:
        return True
    if viewer.box is None or latitude is None or longitude is None:
        return False
    return bool(within(viewer.box, latitude, longitude))
