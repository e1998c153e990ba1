"""The messages about tasks: what a device says, read so that nothing of it is lost, and what it is told.

An answer may be a person's work of an hour, told from a queue that sends the same again until it is acknowledged. So
what is wrong in one is left out and counted, and only an answer of which nobody could say what it answers is ``bad``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from protocols.errors import RemoteProtocolError
from protocols.handheld.messages import BATCH_MAX, EARLIEST, LATEST, Message, number, string, whole
from protocols.handheld.task_events import (
    Answer,
    Held,
    KindWords,
    NoticeTold,
    Phrase,
    Problem,
    ResultWords,
    Revoked,
    SosTold,
    Standing,
    TaskTold,
    Told,
    Words,
)
from protocols.report import CoordinateSystem

WHATS = frozenset(
    {"delivered", "accept", "decline", "start", "arrive", "report", "revoked", "informed", "shown", "read"}
)
"""What an answer may say."""
ON_SCENE = frozenset({"arrive", "report"})
"""What the positions before it bear out."""
TOLD = ("words", "held", "task", "revoke", "standing", "sos", "notice")
"""What a device that shows tasks is told, by ``t``."""

ID_LIMIT = 64
TEXT_LIMIT = 500
"""Characters of what a person has written; what is longer is cut."""
PHOTO_LIMIT = 9
"""Of one answer: as many as a device's screen shows at once."""
TOLD_LIMIT = 1000
"""Characters of any text that a device is told, so that it is within the limit of a string in whatever script."""
ATTEMPT_LIMIT = 1 << 31

_DIGEST = re.compile(r"[0-9a-f]{64}")


# What a device says.


class _Fields:
    """The fields of one message: ``bad`` is why it cannot be understood, ``refused`` counts what was left out."""

    def __init__(self, message: Message) -> None:
        self._message = message
        self.bad = ""
        self.refused = 0

    def need(self, value: Any, name: str) -> Any:
        if not value:
            self.bad = self.bad or f"bad_{name}"
        return value

    def word(self, name: str) -> str:
        """A printable string of up to ``ID_LIMIT`` characters; empty if it is none."""
        value = self._message.get(name)
        if type(value) is str and len(value) <= ID_LIMIT and value.isprintable():
            return value
        self.refused += value is not None
        return ""

    def whole(self, name: str, low: int, high: int) -> int | None:
        value = whole(self._message, name, low, high)
        self.refused += value is None and self._message.get(name) is not None
        return value

    def text(self, name: str) -> str:
        """What somebody wrote: cut, and without line breaks and control characters."""
        value = self._message.get(name)
        if type(value) is str:
            self.refused += len(value) > TEXT_LIMIT
            return "".join(c if c.isprintable() else " " for c in value[:TEXT_LIMIT])
        self.refused += value is not None
        return ""

    def digest(self, name: str) -> str:
        value = self._message.get(name)
        if _is_digest(value):
            return str(value)
        self.refused += value is not None and value != ""
        return ""

    def digests(self, name: str) -> tuple[str, ...]:
        """The same photo twice is one."""
        value = self._message.get(name)
        if type(value) is not list:
            self.refused += value is not None
            return ()
        good = tuple(dict.fromkeys(one for one in value if _is_digest(one)))
        self.refused += sum(not _is_digest(one) for one in value) + max(0, len(good) - PHOTO_LIMIT)
        return good[:PHOTO_LIMIT]


def _is_digest(value: object) -> bool:
    return type(value) is str and _DIGEST.fullmatch(value) is not None


def read_answer(message: Message, seq: int) -> Answer:
    """An ``answer``, whatever it holds."""
    fields = _Fields(message)
    task = fields.need(fields.word("task"), "task")
    attempt = fields.need(fields.whole("attempt", 1, ATTEMPT_LIMIT), "attempt") or 0
    what = fields.word("what")
    what = fields.need(what if what in WHATS else "", "what")
    event = fields.need(fields.word("event"), "event")
    word = fields.word("word")
    if what == "report":
        fields.need(word, "word")
    at, reason = fields.whole("at", EARLIEST, LATEST - 1), fields.text("reason")
    text, photos = fields.text("text"), fields.digests("photos")
    return Answer(seq, task, attempt, what, event, at, reason, word, text, photos, fields.bad, fields.refused)


def read_problem(message: Message, seq: int, crs: CoordinateSystem) -> Problem:
    """A ``problem``, whatever it holds; only without an ``event`` it is bad."""
    fields = _Fields(message)
    event = fields.need(fields.word("event"), "event")
    at = fields.whole("at", EARLIEST, LATEST - 1)
    latitude = fields.whole("lat", -900_000_000, 900_000_000)
    longitude = fields.whole("lon", -1_800_000_000, 1_800_000_000)
    if (latitude is None) is not (longitude is None):
        fields.refused += 1
    if latitude is None or longitude is None:
        latitude = longitude = None
    accuracy = fields.whole("accuracy", 0, 1_000_000)
    klass, text = fields.word("klass"), fields.text("text")
    photos, voice = fields.digests("photos"), fields.digest("voice")
    return Problem(
        seq, event, at, latitude, longitude, accuracy, klass, text, photos, voice, crs, fields.bad, fields.refused
    )  # fmt: skip


# What a device is told.


def bounded(fields: Mapping[str, Any]) -> Message:
    """These fields with their texts cut, so that a device within the limits of the protocol can read them."""
    return {name: value[:TOLD_LIMIT] if isinstance(value, str) else value for name, value in fields.items()}


def pairs(tasks: Iterable[tuple[str, int]]) -> list[list[str | int]]:
    """The tasks of a ``held``; more than an array may have nobody holds."""
    found: list[list[str | int]] = [[task, attempt] for task, attempt in tasks]
    return found[:BATCH_MAX]


def read_told(message: Message) -> Told:
    """One of ``TOLD``. Raises ``malformed`` if it does not say which task or event it is about; what else cannot be
    read is as if it was not there."""
    return _READERS[message["t"]](message)


def _token(message: Message) -> tuple[str, int]:
    return string(message, "task", required=True), number(message, "attempt", 1, ATTEMPT_LIMIT)


def _task(message: Message) -> TaskTold:
    latitude = number(message, "lat", -900_000_000, 900_000_000)
    longitude = number(message, "lon", -1_800_000_000, 1_800_000_000)
    photos = message.get("photos")
    return TaskTold(
        *_token(message), string(message, "what"), string(message, "state"), string(message, "kind"),
        string(message, "klass"), latitude, longitude, string(message, "address"), string(message, "text"),
        _count(message, "due"), _count(message, "until"), string(message, "reason"),
        tuple(one for one in photos if _is_digest(one)) if type(photos) is list else (), _count(message, "more"),
    )  # fmt: skip


def _revoke(message: Message) -> Revoked:
    return Revoked(*_token(message), string(message, "reason"))


def _held(message: Message) -> Held:
    tasks = message.get("tasks")
    if type(tasks) is not list:
        raise RemoteProtocolError("malformed", '"tasks" is not a list')
    return Held(tuple((one[0], one[1]) for one in tasks if _is_pair(one)))


def _is_pair(value: object) -> bool:
    return type(value) is list and len(value) >= 2 and type(value[0]) is str and type(value[1]) is int


def _standing(message: Message) -> Standing:
    event, code = string(message, "event", required=True), string(message, "code", required=True)
    task, attempt = string(message, "task"), _count(message, "attempt")
    return Standing(event, code, task, attempt, string(message, "state"), string(message, "text"))


def _sos(message: Message) -> SosTold:
    latitude = whole(message, "lat", -900_000_000, 900_000_000)
    longitude = whole(message, "lon", -1_800_000_000, 1_800_000_000)
    if latitude is None or longitude is None:
        latitude = longitude = None
    what, id = string(message, "what", required=True), string(message, "id", required=True)
    at, metres = _count(message, "at"), _count(message, "metres")
    return SosTold(what, id, string(message, "unit"), latitude, longitude, at, metres)


def _notice(message: Message) -> NoticeTold:
    id, text = string(message, "id", required=True), string(message, "text")
    return NoticeTold(id, text, string(message, "by"), _count(message, "at"), _count(message, "until"))


def _words(message: Message) -> Words:
    kinds = {name: _kind(fields) for name, fields in _maps(message, "kinds")}
    declines = {name: _phrase(fields) for name, fields in _maps(message, "declines")}
    classes = {name: _phrase(fields) for name, fields in _maps(message, "classes")}
    return Words(string(message, "version"), kinds, declines, classes, _count(message, "photo_limit"))


def _kind(fields: Message) -> KindWords:
    results = {
        name: ResultWords(string(one, "zh"), string(one, "en"), _count(one, "photos"), one.get("text") is True)
        for name, one in _maps(fields, "results")
    }
    return KindWords(string(fields, "zh"), string(fields, "en"), _count(fields, "photos"), results)


def _phrase(fields: Message) -> Phrase:
    return Phrase(string(fields, "zh"), string(fields, "en"))


def _maps(message: Message, name: str) -> list[tuple[str, Message]]:
    found = message.get(name)
    return [(key, one) for key, one in found.items() if type(one) is dict] if type(found) is dict else []


def _count(message: Message, name: str) -> int:
    return whole(message, name, 0, 1 << 53) or 0


_READERS: dict[str, Callable[[Message], Told]] = {
    "words": _words,
    "held": _held,
    "task": _task,
    "revoke": _revoke,
    "standing": _standing,
    "sos": _sos,
    "notice": _notice,
}
