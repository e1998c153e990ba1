"""What comes of a timer when it fires."""

from __future__ import annotations

from collections.abc import Callable

from dispatch.draft import Draft
from dispatch.escalation import can_rise
from dispatch.model import Attempt, Timer


def fire(draft: Draft, timer: Timer, busy: bool) -> None:
    """``busy``: whoever the timer is about is still at work on another task."""
    _FIRES[timer.what](draft, timer, busy)


def _ends(draft: Draft, timer: Timer, busy: bool) -> None:
    draft.do("undelivered" if timer.what == "deliver" else "unanswered", **_of(draft, timer))


def _marks(draft: Draft, timer: Timer, busy: bool) -> None:
    draft.do("mark", attempt=timer.attempt, mark=timer.what)


def _departs(draft: Draft, timer: Timer, busy: bool) -> None:
    """Who is still at work elsewhere sets out later."""
    if busy:
        draft.do("mark", attempt=timer.attempt, mark="busy")
    else:
        _lags(draft, timer, busy)


def _lags(draft: Draft, timer: Timer, busy: bool) -> None:
    """The first time he is asked, the second time it goes to another."""
    if timer.what in _attempt(draft, timer).marks:
        reason = "not_departed" if timer.what == "depart" else "not_arrived"
        draft.do("abandon", **_of(draft, timer), reason=reason)
    else:
        _marks(draft, timer, busy)


def _lights(draft: Draft, timer: Timer, busy: bool) -> None:
    _marks(draft, timer, busy)
    if can_rise(draft.task):
        draft.rise(timer.what)


def _rises(draft: Draft, timer: Timer, busy: bool) -> None:
    draft.rise("time")


def _expires(draft: Draft, timer: Timer, busy: bool) -> None:
    holder = draft.task.attempt
    if holder is not None:
        draft.do("recall", attempt=holder.number, unit=holder.unit, reason="expire")
    draft.do("expire")


def _attempt(draft: Draft, timer: Timer) -> Attempt:
    found = draft.task.find(timer.attempt)
    assert found is not None, "a timer without its attempt"
    return found


def _of(draft: Draft, timer: Timer) -> dict[str, object]:
    return {"attempt": timer.attempt, "unit": _attempt(draft, timer).unit}


_FIRES: dict[str, Callable[[Draft, Timer, bool], None]] = {
    "deliver": _ends,
    "answer": _ends,
    "depart": _departs,
    "travel": _lags,
    "critical": _lights,
    "overdue": _lights,
    "level": _rises,
    "expire": _expires,
    **dict.fromkeys(("remind", "question", "alert", "call", "warn", "evidence", "review", "suspended"), _marks),
}
