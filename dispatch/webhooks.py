"""What the case system is told, and in which order: the outbox of webhooks. A pure core.

What has happened becomes a message in the very commit that makes it happen, so that there is never one without the
other; its delivery is an event of its own. Messages about one thing go in their order, the next when the one before has
been taken; what cannot go is tried again after longer and longer pauses, and waits across restarts. A message comes
once or more often, never not at all: its id tells whether it is known.

Form and signature are those of Standard Webhooks; docs/webhooks.md describes both for the other side.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgpack

from dispatch.deeds import TASK_EVENT
from dispatch.draft import Step
from dispatch.model import AttemptState, Task, TaskId
from tracker.refusal import Change

HOOK = "hook"
"""The type of the events."""
WAITING = 10_000
"""Messages that wait, some 5 MB: a day of a large city. What is beyond that is counted, and the other side is told that
it has missed something."""
AT_ONCE = 4
"""Messages on their way at the same time, each about another thing."""
FIRST_PAUSE, LONGEST_PAUSE = 1_000, 3_600_000
"""Between two tries, ms, doubled from the first to the second."""
GAP = "gap"
"""The one message that is about no single thing."""

TYPES: Mapping[tuple[str, str], str] = {
    (TASK_EVENT, "task"): "task.created",
    (TASK_EVENT, "offer"): "task.assigned",
    (TASK_EVENT, "accept"): "task.accepted",
    (TASK_EVENT, "arrive"): "task.arrived",
    (TASK_EVENT, "report"): "task.result",
    (TASK_EVENT, "adopt"): "task.result",
    (TASK_EVENT, "close"): "task.closed",
    (TASK_EVENT, "cancel"): "task.cancelled",
    (TASK_EVENT, "suspend"): "task.suspended",
    (TASK_EVENT, "resume"): "task.resumed",
    (TASK_EVENT, "expire"): "task.expired",
    (TASK_EVENT, "mark.overdue"): "task.overdue",
    ("problem", "report"): "problem.reported",
    ("sos", "raise"): "sos.raised",
    ("sos", "acknowledge"): "sos.acknowledged",
}
"""What of all that happens is told, and how it is called."""
_TOLD = (
    "attempt", "unit", "by", "reason", "word", "text", "said", "photos", "marks", "eta", "due", "klass",
    "address", "created", "voice",
)  # fmt: skip
"""What is told of it, where it has that."""
_GIVEN = frozenset({
    AttemptState.REPORTED, AttemptState.DONE, AttemptState.DECLINED, AttemptState.UNDELIVERED, AttemptState.UNANSWERED,
    AttemptState.RECALLED, AttemptState.ABANDONED, AttemptState.SUPERSEDED,
})  # fmt: skip
"""What an attempt answers in one of these does not count, unless a dispatcher adopts it."""

Find = Callable[[TaskId], Task | None]


@dataclass(frozen=True, slots=True)
class Hook:
    """One message. ``about``: what it is about; of those about the same the next waits for this one."""

    id: str
    about: str
    type: str
    at: int
    data: Mapping[str, Any]

    @property
    def body(self) -> bytes:
        """The same however often it is sent."""
        moment = datetime.fromtimestamp(self.at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        told = {"type": self.type, "timestamp": moment, "data": self.data}
        return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def hooks_of(events: Iterable[Change], find: Find) -> list[Change]:
    """The messages that belong to what is about to happen; ``find`` knows the tasks as they are before it."""
    found: list[Change] = []
    heads: dict[str, Mapping[str, Any]] = {}
    for kind, id, fields in events:
        if fields is None:
            continue
        what = str(fields.get("what", kind))
        if kind == TASK_EVENT and what == "task":
            heads[id] = fields
        if what == "mark" and not fields["attempt"]:
            what = f"mark.{fields['mark']}"
        type = TYPES.get((kind, what))
        if type is None:
            continue
        data = {name: fields[name] for name in _TOLD if fields.get(name)}
        if kind == TASK_EVENT:
            data = {"task": id, **_head(id, heads, find), **data}
            if type == "task.result":
                data |= _answer(what, fields, find(TaskId(id)))
        else:
            data = {kind: id, **data}
        if fields.get("spot"):
            data["lat"], data["lon"] = (each / 1e7 for each in fields["spot"])
        found.append(_event(kind, id, type, fields, data))
    return found


def _head(id: str, heads: Mapping[str, Mapping[str, Any]], find: Find) -> dict[str, Any]:
    task = find(TaskId(id))
    if id in heads:
        return {"kind": heads[id]["kind"], "source": heads[id]["source"]}
    return {} if task is None else {"kind": task.kind, "source": task.source}


def _answer(what: str, fields: Mapping[str, Any], task: Task | None) -> dict[str, Any]:
    """``counts``: it is the task's answer. One that does not count is kept for a dispatcher, who may adopt it."""
    if what == "report":
        mine = None if task is None else task.find(fields["attempt"])
        return {"counts": mine is None or mine.state not in _GIVEN}
    kept = (
        [] if task is None else [one for one in task.kept if (one.attempt, one.at) == (fields["of"], fields["given"])]
    )
    given = {name: getattr(one, name) for one in kept for name in ("word", "text", "unit", "said", "photos", "marks")}
    return {**{name: value for name, value in given.items() if value}, "counts": True, "adopted": True}


def _event(kind: str, id: str, type: str, fields: Mapping[str, Any], data: dict[str, Any]) -> Change:
    mark = hashlib.sha256(msgpack.packb([kind, id, dict(fields)])).hexdigest()[:24]
    # The unit stands by itself, as in every event: a person's data is found by that.
    unit = {"unit": data.pop("unit")} if "unit" in data else {}
    return HOOK, f"msg_{mark}", {"what": "new", "at": fields["at"], "about": f"{kind}:{id}", "type": type,
                                 "data": data, **unit}  # fmt: skip


def signed(hook: Hook, secret: bytes, now: int) -> dict[bytes, bytes]:
    """The headers that a message is sent with at this moment (ms)."""
    at = now // 1000
    content = f"{hook.id}.{at}.".encode() + hook.body
    mark = base64.b64encode(hmac.digest(secret, content, "sha256"))
    return {b"webhook-id": hook.id.encode(), b"webhook-timestamp": str(at).encode(),
            b"webhook-signature": b"v1," + mark}  # fmt: skip


@dataclass(slots=True)
class _Lane:
    """The messages about one thing, and when the first of them may be tried."""

    waiting: deque[Hook]
    pause: int = 0
    again: int = 0
    busy: bool = False


@dataclass(slots=True)
class _Everything:
    """The other side as such: while nobody answers there, one message is tried and not each. And of the message that
    there is a gap, whether it is on its way, and when it may be tried."""

    pause: int = 0
    again: int = 0
    busy: bool = False
    gap_pause: int = 0
    gap_again: int = 0


class Outbox:
    """All messages that have not been taken. ``find`` knows the tasks. A shell asks :meth:`to_send`, and tells how it
    went by :meth:`plan_sent` (to be journalled) or :meth:`failed`."""

    def __init__(self, find: Find, *, limit: int = WAITING) -> None:
        self._find, self._limit = find, limit
        self._lanes: dict[str, _Lane] = {}
        self._ready: OrderedDict[str, None] = OrderedDict()
        """Lanes of which one may go, and those that pause; ten thousand wait, and each look must cost little."""
        self._paused: dict[str, None] = {}
        self._busy = 0
        self._where: dict[str, str] = {}
        """Ids of the messages that wait -> what they are about."""
        self.missed = 0
        """Messages for which there was no room, and of which the other side has not heard yet."""
        self._missed_since = 0
        self._all = _Everything()
        self.failing_since = 0
        """Since when nothing has gone through (ms); 0 while it does."""
        self.reason = ""
        self.delivered = 0
        """Since the start."""

    def __len__(self) -> int:
        return len(self._where)

    # -- what happens

    def plan(self, step: Step) -> list[Change]:
        """What belongs into the commit of a step besides."""
        hooks = hooks_of(step.events, self._find)
        if not hooks or len(self) < self._limit:
            return hooks
        fields = hooks[0][2]
        assert fields is not None
        return [(HOOK, GAP, {"what": GAP, "at": fields["at"], "count": len(hooks)})]

    def replay(self, event: Change) -> None:
        """Take in what the journal or a snapshot holds."""
        _, id, fields = event
        assert fields is not None
        if fields["what"] == "new":
            if id not in self._where:
                self._put(_hook(id, fields))
        elif fields["what"] == GAP:
            self._missed_since = self._missed_since or fields["at"]
            self.missed += fields["count"]
        elif id == GAP:
            self.missed = max(0, self.missed - fields["count"])
            self._missed_since = self.missed and fields["at"]
        else:
            self._take_out(id)

    def events(self) -> Iterator[Change]:
        """What :meth:`replay` makes this outbox of again."""
        for lane in self._lanes.values():
            for hook in lane.waiting:
                data = dict(hook.data)
                unit = {"unit": data.pop("unit")} if "unit" in data else {}
                yield HOOK, hook.id, {"what": "new", "at": hook.at, "about": hook.about, "type": hook.type,
                                      "data": data, **unit}  # fmt: skip
        if self.missed:
            yield HOOK, GAP, {"what": GAP, "at": self._missed_since, "count": self.missed}

    def forget(self, unit: str) -> None:
        """Tell nothing more of a unit."""
        for lane in list(self._lanes.values()):
            for hook in [one for one in lane.waiting if one.data.get("unit") == unit]:
                self._take_out(hook.id)

    def _put(self, hook: Hook) -> None:
        lane = self._lanes.setdefault(hook.about, _Lane(deque()))
        lane.waiting.append(hook)
        self._where[hook.id] = hook.about
        if not lane.busy and hook.about not in self._paused:
            self._ready.setdefault(hook.about)

    def _take_out(self, id: str) -> None:
        about = self._where.pop(id, None)
        if about is None:
            return
        lane = self._lanes[about]
        lane.waiting = deque(hook for hook in lane.waiting if hook.id != id)
        if not lane.waiting and not lane.busy:
            self._close(about)

    def _close(self, about: str) -> None:
        del self._lanes[about]
        self._ready.pop(about, None)
        self._paused.pop(about, None)

    # -- what goes

    def to_send(self, now: int) -> list[Hook]:
        """What may go now, each about something else; it is on its way from here on."""
        if now < self._all.again:
            return []
        for about in [about for about in self._paused if self._lanes[about].again <= now]:
            del self._paused[about]
            self._ready[about] = None
        room = (1 if self.failing_since else AT_ONCE) - self._busy
        found: list[Hook] = []
        if room > 0 and self._has_gap() and now >= self._all.gap_again:
            self._all.busy = True
            found.append(self._gap())
        while self._ready and len(found) < room:
            about, _ = self._ready.popitem(last=False)
            lane = self._lanes[about]
            lane.busy = True
            found.append(lane.waiting[0])
        self._busy += len(found)
        return found

    def _has_gap(self) -> bool:
        return self.missed > 0 and len(self) < self._limit and not self._all.busy

    def _gap(self) -> Hook:
        since = self._missed_since
        return Hook(f"msg_gap_{since}_{self.missed}", GAP, GAP, since, {"missed": self.missed})

    def plan_sent(self, hook: Hook, now: int) -> Change:
        """It has been taken: what is to be journalled. Call :meth:`replay` with that when it is."""
        self.delivered += 1
        self.failing_since, self.reason = 0, ""
        self._all.pause = self._all.again = 0
        if hook.type == GAP:
            return HOOK, GAP, {"what": "delivered", "at": now, "count": hook.data["missed"]}
        return HOOK, hook.id, {"what": "delivered", "at": now}

    def done(self, hook: Hook) -> None:
        """Its delivery is in the journal, or will be found out anew: what comes after it may go."""
        self._busy -= 1
        if hook.type == GAP:
            self._all.busy, self._all.gap_pause, self._all.gap_again = False, 0, 0
            return
        lane = self._lanes[hook.about]
        lane.busy, lane.pause, lane.again = False, 0, 0
        if lane.waiting:
            self._ready[hook.about] = None
        else:
            self._close(hook.about)

    def failed(self, hook: Hook, now: int, reason: str, everything: bool) -> None:
        """It was not taken. ``everything``: nobody answered, or the other side is out of order as such."""
        self._busy -= 1
        self.reason = reason
        if everything:
            self.failing_since = self.failing_since or now
            if self._all.again <= now:  # of several that failed together only the first counts
                self._all.pause = _longer(self._all.pause)
                self._all.again = now + self._all.pause
        if hook.type == GAP:
            self._all.busy = False
            if not everything:
                self._all.gap_pause = _longer(self._all.gap_pause)
                self._all.gap_again = now + self._all.gap_pause
            return
        lane = self._lanes[hook.about]
        lane.busy = False
        if not lane.waiting:
            self._close(hook.about)  # it is not to be told any more
        elif everything:
            self._ready[hook.about] = None
            self._ready.move_to_end(hook.about, last=False)
        else:
            lane.pause = _longer(lane.pause)
            lane.again = now + lane.pause
            self._paused[hook.about] = None

    def get_timer(self) -> int | None:
        """When :meth:`to_send` has something (ms), if nothing happens meanwhile."""
        if self._ready:
            return self._all.again
        times = [self._lanes[about].again for about in self._paused]
        if self._has_gap():
            times.append(self._all.gap_again)
        return max(min(times), self._all.again) if times else None

    def stuck(self, now: int, patience: int) -> int:
        """Things about which a message is refused, and has been for so long (ms)."""
        return sum(now - self._lanes[about].waiting[0].at > patience for about in self._paused)


def _longer(pause: int) -> int:
    return min(2 * pause, LONGEST_PAUSE) if pause else FIRST_PAUSE


def _hook(id: str, fields: Mapping[str, Any]) -> Hook:
    unit = {"unit": fields["unit"]} if "unit" in fields else {}
    return Hook(id, fields["about"], fields["type"], fields["at"], {**fields["data"], **unit})
