"""What dispatch puts into the journal, as far as whoever takes somebody's data out of it must know.

Each event names one person at the most, under ``unit``, and goes whole. A decision names everybody who could have gone:
of it only that person's row goes, in the same place and length, and what is left says that somebody is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tracker.record import MASK

TASK, PROBLEM, SOS, EVIDENCE, HOOK, TALLY = "task", "problem", "sos", "evidence", "hook", "tally"
NOTICE = "notice"
DECISION = "decision"
KINDS = frozenset({TASK, PROBLEM, SOS, EVIDENCE, HOOK, TALLY, NOTICE})
"""Events that are about one person."""
FIRST = frozenset({PROBLEM, SOS})
"""Those whose id begins with the person's; what belongs to one of them has the same id."""
SHA = 64
"""Digits before the person's id in that of evidence."""

_STEPS = (0, 128, 256, 1 << 16, 1 << 32)
_STEPS_DOWN = (-1, -33, -129, -(1 << 15) - 1, -(1 << 31) - 1)


def is_about(unit: str, kind: str, id: str, fields: Mapping[str, Any] | None) -> bool:
    """Whether an event is about this person."""
    if kind not in KINDS:
        return False
    if fields is not None and fields.get("unit") == unit:
        return True
    return (kind in FIRST and id.partition(":")[0] == unit) or (kind == EVIDENCE and id[SHA + 1 :] == unit)


def own_row(unit: str, fields: Mapping[str, Any]) -> tuple[Any, Any] | None:
    """What a decision says of this person: what was known, and what the rules made of it."""
    return next(
        ((row, terms) for row, terms in zip(fields["units"], fields["terms"], strict=True) if row[0] == unit), None
    )


def without(unit: str, fields: Mapping[str, Any], goes: Callable[[float], bool] = lambda at: True) -> dict[str, Any]:
    """A decision without this person, as long as before when it is packed; the same if the person is not in it.
    ``goes`` is asked with the time (ms) of the position that was known of the person."""
    found = dict(fields)
    rows = [n for n, row in enumerate(fields["units"]) if row[0] == unit]
    going = [n for n in rows if goes(fields["at"] - 1000 * fields["units"][n][2])]
    if len(going) < len(rows):
        return found
    for name in ("units", "terms", "roads"):
        if going and name in found:
            found[name] = [_bare(value, unit) if n in going else value for n, value in enumerate(fields[name])]
    if unit in fields["task"]:
        found["task"] = [_bare_name(value, unit) for value in fields["task"]]
    found["chosen"] = _bare_name(fields["chosen"], unit)
    return found


def is_masked(fields: Mapping[str, Any]) -> bool:
    """Whether somebody was taken out of a decision: it cannot be made again."""
    return any(not row[0].strip(MASK) for row in fields["units"])


def _bare(value: Any, unit: str) -> Any:
    """No number of it is left, nor the person's name; as many bytes when it is packed."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return _constant(value)
    if isinstance(value, float):
        return 0.0
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_bare(each, unit) for each in value]
    return _bare_name(value, unit)


def _bare_name(value: Any, unit: str) -> Any:
    return MASK * len(value.encode()) if value == unit else value


def _constant(value: int) -> int:
    if value >= 0:
        return max(step for step in _STEPS if step <= value)
    return min(step for step in _STEPS_DOWN if step >= value)
