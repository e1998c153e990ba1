"""Answers: what one must hold, which photos are still to come, and whether it was given on the scene.

An answer whose word nobody knows is refused, for nothing can be done with it. One that lacks a photo or a word of
explanation is taken, and what it lacks is asked for: it may have been given without a network an hour ago, and must
not be lost. Nor does it have to come from the scene: what the fixes around it show is written beside it, for people to
judge.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dispatch.arrival import Fix, usable
from dispatch.model import Spot
from dispatch.rules import Kind, Proof
from tracker.coordinates import distance
from tracker.refusal import Refusal

PHOTOS = 9
"""Of one answer: as many as a device's screen shows at once, and far more than a city asks for."""
TEXT_LIMIT = 500
"""Characters."""
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Answer:
    """``word`` is one of its kind's results, ``at`` when the device says it was given (ms), ``photos`` their SHA-256
    in hex, in the order in which they were taken."""

    word: str
    at: int
    text: str = ""
    photos: tuple[str, ...] = ()


def read_answer(kind: Kind, fields: Mapping[str, Any]) -> Answer:
    """An answer as a device or a page gives it. Raises :class:`Refusal` for what cannot be understood."""
    word, at, text, photos = (fields.get(key) for key in ("word", "at", "text", "photos"))
    if not isinstance(word, str) or word not in kind.results:
        words = ", ".join(kind.results)
        raise Refusal("bad_result", f"word must be one of {words}", f"word 须为 {words} 之一")
    if type(at) is not int:
        raise Refusal("bad_time", "at must be a whole number of ms since 1970", "at 须为 1970 年以来的毫秒数")
    text = "" if text is None else text
    if not isinstance(text, str) or len(text) > TEXT_LIMIT:
        raise Refusal("bad_text", f"text must have up to {TEXT_LIMIT} characters",
                      f"text 须为不超过 {TEXT_LIMIT} 字的文本")  # fmt: skip
    photos = [] if photos is None else photos
    if not isinstance(photos, list | tuple) or len(photos) > PHOTOS or not all(map(_is_digest, photos)):
        raise Refusal("bad_photos", f"photos must be a list of up to {PHOTOS} SHA-256 digests in hex",
                      f"photos 须为不超过 {PHOTOS} 个十六进制 SHA-256 值的列表")  # fmt: skip
    # The same photo twice is one.
    return Answer(word, at, text.strip(), tuple(dict.fromkeys(photos)))


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


# What is still to come.


@dataclass(frozen=True, slots=True)
class Missing:
    """What an answer lacks: photos that it names and that have not come, how many more it should name, and whether it
    should say why."""

    photos: tuple[str, ...] = ()
    more: int = 0
    text: bool = False

    def __bool__(self) -> bool:
        return bool(self.photos or self.more or self.text)


def missing(kind: Kind, answer: Answer, stored: Collection[str]) -> Missing:
    """What an answer lacks when these photos are stored. Nothing: its evidence is complete."""
    return Missing(
        tuple(photo for photo in answer.photos if photo not in stored),
        max(0, kind.photos_of(answer.word) - len(answer.photos)),
        kind.results[answer.word].text and not answer.text,
    )


# Whether he was there.


class Where(StrEnum):
    """What fixes say of where an answer was given."""

    ON_SCENE = "on_scene"
    ONCE = "once"
    """One fix of several is on the scene: whoever drives by has that too."""
    ELSEWHERE = "elsewhere"
    UNKNOWN = "unknown"
    """There is no fix of that time, or none that is accurate enough."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """How an answer stands with the fixes around it; ``nearest`` in metres, and when that was."""

    where: Where
    fixes: int = 0
    nearest: float | None = None
    at: int | None = None

    @property
    def flagged(self) -> bool:
        """Whether people should look at it."""
        return self.where is not Where.ON_SCENE


def evidence(rule: Proof, accuracy: float, spot: Spot, answered: int, fixes: Iterable[Fix]) -> Evidence:
    """What the fixes of the unit that answered show, in whatever order, those with an error of more than ``accuracy``
    metres left out. Judge again when fixes come later that the device had stored."""
    window = 1000 * rule.window_s
    around = {fix for fix in fixes if abs(fix.at - answered) <= window and usable(fix, accuracy)}
    if not around:
        return Evidence(Where.UNKNOWN)
    ways = [(distance(fix.latitude, fix.longitude, spot.latitude, spot.longitude), fix.at) for fix in around]
    there = {at for metres, at in ways if metres <= rule.radius_m}
    times = {at for _, at in ways}
    nearest, at = min(ways)
    several = len(there) > 1 or len(times) == 1
    where = Where.ELSEWHERE if not there else Where.ON_SCENE if several else Where.ONCE
    return Evidence(where, len(times), nearest, at)
