"""Decision records: why this one was asked, written so that it can be made again years later.

A record has what was known of each candidate, what the rules made of it, and who was asked. In a round the best may
have been sent elsewhere: the record names that task, and of all the others the choice is the one of least cost. That
always holds, or the round as a whole could have been cheaper; so each choice stands by itself, and :func:`recompute`
needs nothing but the record.

Plain types in short rows, some 80 bytes a candidate: numbers, texts, lists and dicts, as msgpack takes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from operator import attrgetter
from typing import Any

import numpy as np

from dispatch.model import NOBODY, Candidate, Spot, Task, TaskId
from dispatch.ranking import NO_WAYS, ROADS, STRAIGHT, Crew, Reason, Round, Standing, Ways, Weights, rank
from dispatch.travel import SPEEDS, Travel
from tracker.dispatch_events import is_masked
from tracker.model import UnitId

RULES = 1
"""How terms follow from inputs. Whoever changes that, or a constant that it rests on, counts on and keeps what was."""
ROUND = "round"
"""Who chose, if it was no dispatcher."""
ABLE, UNABLE = 100, 100
"""Candidates that are listed of those who could have gone, the cheapest, and of the others, the nearest: a whole
district's, and 16 kB in the largest city. The rest is counted."""

Record = dict[str, Any]
_ON_DUTY, _RESTING, _SUSPECT, _VEHICLE, _OWNER, _STRANGER, _MUTE, _OFFLINE = 1, 2, 4, 8, 16, 32, 64, 128
_ELSEWHERE = frozenset({"\0"})
"""The street of whoever is not of the task's."""


def record(
    task: Task,
    crew: Crew,
    now: int,
    chosen: UnitId,
    taken: Mapping[UnitId, TaskId],
    by: str = ROUND,
    ways: Ways = NO_WAYS,
) -> Record:
    """What is to be kept of a choice; ``chosen`` is :data:`NOBODY` if nobody could go. ``taken`` has whom the
    round sent to which task, ``by`` is the account of a dispatcher who chose by hand, ``ways`` what it was chosen with.

    ``way`` is ``roads`` if that of any candidate was measured so; ``roads`` then has their metres, in order of
    ``units``, and nothing for those whose straight line was taken."""  # fmt: skip
    open = Round([task], crew, now, ways)
    listed = open.best(0, ABLE, UNABLE, [crew.index[chosen]] if chosen in crew.index else [])
    left_out = open.reasons(0)
    for one in listed:
        left_out[str(one.reason or "")] -= 1
    of_street = crew.of_street(task.street)
    units = []
    for one in listed:
        n = crew.index[one.unit]
        elsewhere = taken.get(one.unit, task.id)
        units.append(_row(crew.candidates[n], task, bool(of_street[n]), "" if elsewhere == task.id else elsewhere))
    roads = [one.roads for one in listed]
    measured = any(metres is not None for metres in roads)
    return {
        "rules": RULES,
        "way": ROADS if measured else STRAIGHT,
        **({"roads": roads} if measured else {}),
        "weights": {**asdict(crew.weights), "caps": list(crew.weights.caps)},
        "factors": {mode: crew.travel.factor(mode) for mode in SPEEDS},
        "at": now,
        "task": [
            task.id, task.spot.latitude, task.spot.longitude, task.grid, task.street, task.level, task.due,
            task.independent,
        ],
        "mean": crew.mean,
        "units": units,
        "terms": [_terms(one) for one in listed],
        "left_out": {word: count for word, count in sorted(left_out.items()) if count},
        "by": by,
        "chosen": chosen,
    }  # fmt: skip


def recompute(record: Mapping[str, Any]) -> UnitId:
    """Whom the rules choose by what was known: the record's ``chosen``, unless a dispatcher chose."""
    taken = {UnitId(row[0]) for row in record["units"] if row[-1]}
    return next((one.unit for one in standings(record) if one.reason is None and one.unit not in taken), NOBODY)


def standings(record: Mapping[str, Any]) -> list[Standing]:
    """The terms, made again from what was known. Raises ``ValueError`` for rules that this version does not know, and
    of a record from which somebody's data was removed."""
    if is_masked(record):
        raise ValueError("somebody's data was taken out of it")
    if record["rules"] != RULES:
        raise ValueError(f"a decision by rules {record['rules']}; known are rules {RULES}")
    weights = Weights(**{**record["weights"], "caps": tuple(record["weights"]["caps"])})
    id, latitude, longitude, grid, street, level, due, independent = record["task"]
    task = Task(
        id=id, kind="", klass="", spot=Spot(latitude, longitude), address="", text="", source="", created=0, limit=0,
        warn=0, critical=0, due=due, grid=grid, street=street, level=level, independent=independent,
    )  # fmt: skip
    everybody = []
    for row in record["units"]:
        candidate, declined = _candidate(row, grid)
        everybody.append(candidate)
        if declined is not None:
            task.declined[candidate.unit] = declined
    crew = Crew(everybody, weights, Travel(record["factors"]), record["mean"])
    return rank(task, crew, record["at"], Ways({task.id: _columns(record, crew)}))


def _columns(record: Mapping[str, Any], crew: Crew) -> tuple[Any, Any]:
    """What was measured by road, as :class:`Ways` has it."""
    known = sorted(
        (crew.index[row[0]], metres)
        for row, metres in zip(record["units"], _roads(record), strict=True)
        if metres is not None
    )
    return np.array([column for column, _ in known], np.int64), np.array([metres for _, metres in known], np.float64)


def _roads(record: Mapping[str, Any]) -> list[int | None]:
    found: list[int | None] = record.get("roads", [None] * len(record["units"]))
    return found


def written(record: Mapping[str, Any]) -> list[Standing]:
    """The terms as they were when the choice was made."""
    return [
        replace(Standing(row[0], Reason(terms[0]) if terms[0] else None, *terms[1:]), roads=roads)
        for row, terms, roads in zip(record["units"], record["terms"], _roads(record), strict=True)
    ]


_rest = attrgetter(*(each.name for each in fields(Standing) if each.name not in ("unit", "reason", "roads")))


def _terms(one: Standing) -> list[Any]:
    return [str(one.reason or ""), *_rest(one)]


def _row(one: Candidate, task: Task, of_street: bool, elsewhere: str) -> list[Any]:
    flags = (
        _ON_DUTY * one.on_duty
        | _RESTING * one.resting
        | _SUSPECT * one.suspect
        | _VEHICLE * (one.kind == "vehicle")
        | _OWNER * (task.grid != "" and task.grid in one.areas)
        | _STRANGER * (not of_street)
        | _MUTE * (not one.device)
        | _OFFLINE * (not one.linked)
    )
    spot = None if one.spot is None else [one.spot.latitude, one.spot.longitude]
    committed = [[spot.latitude, spot.longitude, scene] for spot, scene in one.committed]
    return [
        one.unit, spot, one.age, one.accuracy, one.mode, flags, committed, one.done, task.declined.get(one.unit),
        elsewhere,
    ]  # fmt: skip


def _candidate(row: list[Any], grid: str) -> tuple[Candidate, int | None]:
    unit, spot, age, accuracy, mode, flags, committed, done, declined, _ = row
    made = Candidate(
        unit=unit,
        spot=None if spot is None else Spot(*spot),
        age=age,
        accuracy=accuracy,
        mode=mode,
        on_duty=bool(flags & _ON_DUTY),
        resting=bool(flags & _RESTING),
        kind="vehicle" if flags & _VEHICLE else "person",
        areas=frozenset({grid}) if flags & _OWNER else frozenset(),
        streets=_ELSEWHERE if flags & _STRANGER else frozenset(),
        committed=tuple((Spot(latitude, longitude), scene) for latitude, longitude, scene in committed),
        suspect=bool(flags & _SUSPECT),
        device=not flags & _MUTE,
        linked=not flags & _OFFLINE,
        done=done,
    )
    return made, declined
