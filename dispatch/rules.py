"""The rules of a city: all in which dispatch in one differs from dispatch in the next.

What a city must say itself: how its kinds of tasks and their results are called, its limits, why somebody may decline.
Everything else has a default, which is what was measured to be right. A value is one line in one of the classes below:
its name, its default and its check; dispatch/rules_file.py reads them.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dispatch.model import Times
from dispatch.ranking import Weights
from storage.checks import Check, shown, text, whole, yes_or_no

DAY = 86_400_000
MOST = 365 * DAY
"""Of a limit: whatever may take longer is no task for somebody on the street."""
_UNITS = {"min": 60_000, "h": 3_600_000, "d": DAY}

VERIFY, CHECK, SURVEY = "verify", "check", "survey"
RESULTS: Mapping[str, tuple[str, ...]] = {
    VERIFY: ("exist", "not_exist", "unable"),
    CHECK: ("pass", "not_pass", "unable"),
    SURVEY: ("done", "unable"),
}
"""The kinds of tasks, and what an answer of each may say. A city names them; what they mean is the same everywhere,
or indicators could not be compared."""


OPTIONAL = frozenset({SURVEY})
"""Kinds that a city need not have."""
PATIENCE_S = 30 * 86_400
"""A survey (普查) is done on the way, within days: nobody is asked why he has not set out."""
PEOPLE = ("walk", "ebike")
"""How people go; vehicles go as vehicles."""


class TimeKind(StrEnum):
    """What time a limit counts in."""

    CLOCK = "clock"
    """Round the clock."""
    WORKING_HOURS = "working_hours"
    WORKING_DAYS = "working_days"
    CALENDAR_DAYS = "calendar_days"


IN_DAYS = frozenset({TimeKind.WORKING_DAYS, TimeKind.CALENDAR_DAYS})


# What a value may be.


def number(low: float, high: float) -> Check:
    """A number within both bounds."""

    def check(value: Any) -> float:
        if type(value) not in (int, float) or not low <= value <= high:  # nan is within nothing
            raise ValueError(f"must be a number from {low:g} to {high:g}, not {shown(value)}")
        return float(value)

    return check


def several(low: int, high: int, least: int, most: int, rising: bool = False) -> Check:
    """Whole numbers; ``rising``: each more than the one before."""

    def check(value: Any) -> tuple[int, ...]:
        good = isinstance(value, list) and least <= len(value) <= most
        if not good or not all(type(one) is int and low <= one <= high for one in value):
            count = str(least) if least == most else f"{least} to {most}"
            raise ValueError(f"must be a list of {count} whole numbers {low}..{high}, not {shown(value)}")
        if rising and sorted(set(value)) != value:
            raise ValueError(f"must rise from each number to the next, not {shown(value)}")
        return tuple(value)

    return check


def length(value: Any) -> tuple[int, str]:
    """How long, in ms or in days, and the unit that it was written in."""
    match = re.fullmatch(r"([1-9]\d{0,3}) ?(min|h|d)", value) if isinstance(value, str) else None
    if match is None or int(match[1]) * _UNITS[match[2]] > MOST:
        raise ValueError(f'must be like "30 min", "24 h" or "3 d", {MOST // DAY} days at the most, not {shown(value)}')
    return int(match[1]) * (1 if match[2] == "d" else _UNITS[match[2]]), match[2]


def one_of(choices: Iterable[str]) -> Check:
    """One word of several."""

    def check(value: Any) -> str:
        if value not in tuple(choices):
            raise ValueError(f"must be one of {', '.join(choices)}, not {shown(value)}")
        return str(value)

    return check


def class_code(value: Any) -> str:
    """A class of components or events, or what several begin with."""
    if not isinstance(value, str) or not re.fullmatch(r"[0-9A-Za-z]{1,16}", value):
        raise ValueError(f'must be the first digits of a class, such as "0203", not {shown(value)}')
    return value


def rule(default: Any, check: Check, key: str = "") -> Any:
    """A field that is read from the file, by its name if ``key`` says nothing else."""
    return dataclasses.field(default=default, metadata={"check": check, "key": key, "needed": False})


def needed(check: Check) -> Any:
    """One that every city says itself."""
    return dataclasses.field(metadata={"check": check, "key": "", "needed": True})


# The rules.


@dataclass(frozen=True, slots=True)
class Word:
    """How something is called."""

    zh: str = needed(text)
    en: str = needed(text)


@dataclass(frozen=True, slots=True)
class ResultWord(Word):
    """What an answer may say. ``photos``: as many it must have at least, ``None`` for as many as its kind. ``text``:
    whether it must say why. ``closes``: whether it closes its task without a dispatcher once its photos are there."""

    photos: int | None = rule(None, whole(0, 9))
    text: bool = rule(False, yes_or_no)
    closes: bool = rule(True, yes_or_no)


@dataclass(frozen=True, slots=True)
class Kind(Word):
    """A kind of tasks. ``answer_s``: how long an offer waits for its answer; ``independent``: not done by whoever
    reported the case."""

    photos: int = rule(1, whole(0, 9))
    answer_s: int = rule(60, whole(10, 3600))
    independent: bool = rule(False, yes_or_no)
    results: Mapping[str, ResultWord] = dataclasses.field(default_factory=dict)

    def photos_of(self, result: str) -> int:
        """How many photos this answer must have."""
        own = self.results[result].photos
        return self.photos if own is None else own


@dataclass(frozen=True, slots=True)
class Limit:
    """How long a task may take: ``length`` ms, or days where it counts in days."""

    time: TimeKind
    length: int


@dataclass(frozen=True, slots=True)
class Shares:
    """Percent of a limit: when the holder and the seat are warned, and when the light turns."""

    warn: int = rule(50, whole(1, 99))
    critical: int = rule(80, whole(1, 99))
    yellow: int = rule(80, whole(1, 99))
    red: int = rule(100, whole(2, 200))


@dataclass(frozen=True, slots=True)
class Waits:
    """How long is waited for what; see :class:`dispatch.model.Times`, which they become. ``resend_s`` after the first
    sending of an offer it is sent again; who is silent for ``silent_s`` is thought to have given up."""

    deliver_s: int = rule(30, whole(5, 600))
    resend_s: tuple[int, ...] = rule((5, 15), several(1, 599, 0, 5, rising=True))
    depart_s: int = rule(180, whole(30, 7200))
    travel_percent: int = rule(150, whole(100, 1000))
    travel_more_s: int = rule(120, whole(0, 7200))
    question_s: int = rule(1200, whole(60, 86_400))
    alert_s: int = rule(1800, whole(60, 86_400))
    photo_s: int = rule(600, whole(30, 86_400))
    revoke_s: int = rule(30, whole(5, 600))
    silent_s: int = rule(600, whole(60, 86_400))
    cool_down_s: int = rule(900, whole(0, 86_400))
    review_s: int = rule(3600, whole(60, 7 * 86_400))
    suspended_h: int = rule(24, whole(1, 720))
    expire_h: int = rule(24, whole(1, 720))


@dataclass(frozen=True, slots=True)
class Escalation:
    """``caps_m``: how far off somebody may be at level 0, 1 and so on; the last holds for all levels after it.
    ``levels_s``: how long level 1, 2 and 3 last. ``failed``: attempts that come to nothing, and the level rises."""

    caps_m: tuple[int, ...] = rule((1500, 2500, 4000), several(100, 100_000, 1, 5, rising=True))
    levels_s: tuple[int, ...] = rule((120, 180, 300), several(10, 86_400, 3, 3))
    failed: int = rule(2, whole(1, 10))


@dataclass(frozen=True, slots=True)
class Ranking:
    """What the choice weighs; see :class:`dispatch.ranking.Weights`, which it becomes. ``mode``: how people go."""

    foreign_s: int = rule(120, whole(0, 3600))
    lateness: float = rule(2.0, number(0, 20))
    stale_s: int = rule(60, whole(0, 3600))
    interval_s: int = rule(30, whole(1, 3600))
    oldest_s: int = rule(900, whole(30, 86_400))
    fair_each_s: int = rule(30, whole(0, 3600))
    fair_most_s: int = rule(90, whole(0, 3600))
    backlog: int = rule(3, whole(1, 20))
    scene_s: int = rule(300, whole(0, 7200))
    mode: str = rule("ebike", one_of(PEOPLE))


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody has arrived who was within ``radius_m`` for ``stay_s``, by fixes at least as good as ``accuracy_m``,
    and has come forward less than ``speed`` metres a second; and has departed who is ``depart_m`` away from where he
    was, and nearer."""

    radius_m: int = rule(80, whole(10, 1000))
    stay_s: int = rule(20, whole(5, 600))
    accuracy_m: int = rule(50, whole(5, 500))
    speed: float = rule(1.0, number(0.1, 5))
    depart_m: int = rule(50, whole(10, 1000))


@dataclass(frozen=True, slots=True)
class Proof:
    """An answer was given on the scene if fixes of the ``window_s`` before and after it are within ``radius_m``."""

    radius_m: int = rule(100, whole(10, 1000))
    window_s: int = rule(120, whole(10, 3600))


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Tasks of one class that are so near each other, and were made within so many hours, may be the same."""

    distance_m: int = rule(50, whole(1, 2000))
    hours: int = rule(24, whole(1, 720))


@dataclass(frozen=True, slots=True)
class Rules:
    """All of it. ``version`` names these rules in decision records. ``limits`` are by kind and class; a class is the
    first digits of those that it holds for."""

    version: str
    kinds: Mapping[str, Kind]
    limits: Mapping[tuple[str, str], Limit]
    declines: Mapping[str, Word]
    classes: Mapping[str, Word] = dataclasses.field(default_factory=dict)
    """What the city calls its classes of components and events, for whoever chooses one."""
    shares: Shares = dataclasses.field(default_factory=Shares)
    waits: Waits = dataclasses.field(default_factory=Waits)
    escalation: Escalation = dataclasses.field(default_factory=Escalation)
    ranking: Ranking = dataclasses.field(default_factory=Ranking)
    arrival: Arrival = dataclasses.field(default_factory=Arrival)
    proof: Proof = dataclasses.field(default_factory=Proof)
    duplicates: Duplicates = dataclasses.field(default_factory=Duplicates)

    def limit(self, kind: str, klass: str) -> Limit:
        """That of the longest class which this one begins with. Raises :class:`KeyError` for a kind that is none."""
        for length in range(len(klass), 0, -1):
            found = self.limits.get((kind, klass[:length]))
            if found is not None:
                return found
        return self.limits[kind, ""]

    def times(self, kind: str) -> Times:
        """What a task of this kind has written down with it."""
        waits, escalation = self.waits, self.escalation
        if kind == SURVEY:
            waits = dataclasses.replace(waits, depart_s=PATIENCE_S, question_s=PATIENCE_S, alert_s=PATIENCE_S)
        return Times(
            deliver=1000 * waits.deliver_s,
            answer=1000 * self.kinds[kind].answer_s,
            depart=1000 * waits.depart_s,
            travel_percent=waits.travel_percent,
            travel_more=1000 * waits.travel_more_s,
            question=1000 * waits.question_s,
            alert=1000 * waits.alert_s,
            photo=1000 * waits.photo_s,
            revoke=1000 * waits.revoke_s,
            cool_down=1000 * waits.cool_down_s,
            levels=tuple(1000 * each for each in escalation.levels_s),
            failed=escalation.failed,
            review=1000 * waits.review_s,
            suspended=3_600_000 * waits.suspended_h,
            expire=3_600_000 * waits.expire_h,
        )

    def weights(self) -> Weights:
        """What a round goes by."""
        ranking = self.ranking
        return Weights(
            version=self.version,
            foreign=ranking.foreign_s,
            lateness=ranking.lateness,
            scene=ranking.scene_s,
            interval=float(ranking.interval_s),
            stale=ranking.stale_s,
            oldest=float(ranking.oldest_s),
            fair_each=ranking.fair_each_s,
            fair_most=ranking.fair_most_s,
            cooldown=self.waits.cool_down_s,
            backlog=ranking.backlog,
            caps=tuple(map(float, self.escalation.caps_m)),
        )
