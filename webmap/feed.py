"""Who is shown what: the newest state per unit, coalesced, only for the area that a viewer looks at.

Pure: rows come in, frames go out. A unit's row is encoded once per change, whoever sees it. A viewer that does
not read costs a set of unit ids: what changed meanwhile goes out as one frame when it reads again.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import isfinite
from typing import Any

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


@dataclass(slots=True)
class Row:
    """A unit as viewers see it: ``text`` is its JSON array, ``fix`` the time of its last fix; ``changed`` and
    ``turned`` are the sequence numbers of its last change and of its last change of presence."""

    latitude: float | None
    longitude: float | None
    state: int
    fix: int | None
    text: str
    changed: int
    turned: int


@dataclass(slots=True, eq=False)
class Viewer:
    """One browser. ``send`` writes a text; the shell sets ``paused`` while the browser does not read."""

    send: Callable[[str], None]
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
    shown: set[str] | None = None
    """Units that it has on its map; ``None`` after a resume: any of them."""


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

    # -- what changes

    def update(self, units: Iterable[str]) -> None:
        """These units have changed."""
        self._dirty.update(units)

    # -- viewers

    def join(self, viewer: Viewer, now: int) -> None:
        """A browser has come; it is told who we are and who there is. It says next what it looks at."""
        self.viewers.add(viewer)
        viewer.send(_json({**self._hello(now), "op": "hello", "instance": self.instance, "now": now}))
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
            and all(type(edge) in (int, float) and isfinite(edge) for edge in box)
        ):
            return False
        if follow is not None and not isinstance(follow, str):
            return False
        same = (
            not viewer.watching
            and message.get("instance") == self.instance
            and message.get("had") == {"box": box, "follow": follow}
        )
        viewer.box = None if box is None else (box[0], box[1], box[2], box[3])
        viewer.follow, viewer.watching = follow, True
        if same and type(since) is int and 0 <= since <= self.seq:
            viewer.seq, viewer.sent_at, viewer.shown = since, 0, None
        else:
            viewer.whole = True
        return True

    def flush(self, now: int, behind: int) -> None:
        """Send every viewer what it does not have yet. ``behind``: ms that the live state is behind the devices."""
        if self._dirty and self.viewers:  # rows that nobody sees are made when somebody comes
            self.seq += 1
            for unit in self._dirty:
                self._change(unit)
            self._recent.append(frozenset(self._dirty))
            self._dirty.clear()
        for viewer in list(self.viewers):
            if viewer.watching and not viewer.paused:
                self._send_roster(viewer)
                self._send_frame(viewer, now, behind)

    def _change(self, unit: str) -> None:
        latitude, longitude, state, values = self._row(unit)
        before = self._rows.get(unit)
        turned = self.seq if before is None or before.state != state else before.turned
        self._rows[unit] = Row(latitude, longitude, state, values[FIX_TIME], _json(values), self.seq, turned)

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
            viewer.send('{"op":"roster","units":' + text + "}")

    def _send_frame(self, viewer: Viewer, now: int, behind: int) -> None:
        inside: list[str] = []
        states: list[list[Any]] = []
        gone: list[str] = []
        since = -1 if viewer.whole else viewer.seq
        if viewer.whole:
            viewer.shown = set()
        for unit in self._changed_since(since):
            row = self._rows.get(unit)
            if row is None or row.changed <= since:
                continue
            if _sees(viewer, unit, row):
                inside.append(row.text)
                if viewer.shown is not None:
                    viewer.shown.add(unit)
                continue
            if viewer.shown is None:
                gone.append(unit)
            elif unit in viewer.shown:
                viewer.shown.discard(unit)
                gone.append(unit)
            if row.turned > since:
                # With the fix: it stays the last one until the next turn, unless all is well.
                states.append([unit, row.state, row.fix])
        pause = BEHIND_HEARTBEAT_MS if behind else HEARTBEAT_MS
        if not viewer.whole and not inside and not states and not gone and now - viewer.sent_at < pause:
            viewer.seq = self.seq
            return
        head = {"op": "delta"} if not viewer.whole else {"op": "full", "box": viewer.box, "follow": viewer.follow}
        viewer.whole, viewer.seq, viewer.sent_at = False, self.seq, now
        about = _json(head | {"seq": self.seq, "now": now, "behind": behind})
        viewer.send(f'{about[:-1]},"units":[{",".join(inside)}],"states":{_json(states)},"gone":{_json(gone)}}}')


def _sees(viewer: Viewer, unit: str, row: Row) -> bool:
    if unit == viewer.follow:
        return True
    box = viewer.box
    if box is None:
        return False
    if row.latitude is None or row.longitude is None:
        return False
    if not box[0] <= row.latitude <= box[2]:
        return False
    if box[1] <= box[3]:
        return box[1] <= row.longitude <= box[3]
    return row.longitude >= box[1] or row.longitude <= box[3]  # the box crosses the date line


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
