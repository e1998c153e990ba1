"""What somebody with a handheld does about tasks: answers, goes there, looks, answers again, and goes on.

A core beside the protocol's: :meth:`Errands.told` takes what the server says of tasks, :meth:`Errands.handle_timer`
the time, and everything that is said back goes into the client's queue. ``goal`` is where the person has to be; whoever
moves the person calls :meth:`Errands.set_out` and :meth:`Errands.arrived`. Times are ms of the true clock; ``ahead`` is
how far the device's is off.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import singledispatchmethod
from random import Random
from typing import Protocol

from protocols.handheld import Held, ResultWords, Revoked, SosTold, Standing, TaskTold, Words
from simulator.manner import Manner

REMEMBERED = 64
"""Answers given that are remembered, so that what the server said before it had them does not begin them again."""
USUAL = 8
"""So many times as often as an answer that must say why comes any other."""
WAITING = frozenset({"offered", "delivered"})
WORKING = frozenset({"accepted", "en_route", "on_scene"})

Token = tuple[str, int]
Camera = Callable[[Random], bytes]


def _weighed(results: Mapping[str, ResultWords]) -> tuple[list[tuple[str, ResultWords]], list[int]]:
    """What must be explained is rare."""
    found = sorted(results.items())
    return found, [1 if result.text else USUAL for _, result in found]


class Says(Protocol):
    """The part of the protocol's client that is used here."""

    def add_answer(
        self,
        task: str,
        attempt: int,
        what: str,
        event: str,
        at: int,
        *,
        reason: str = "",
        word: str = "",
        text: str = "",
        photos: Sequence[str] = (),
    ) -> None: ...


class Album(Protocol):
    """Where photos wait until they are on the server."""

    def add(self, token: Token, data: bytes) -> str:
        """Keeps a photo; its SHA-256."""

    def release(self, photos: Sequence[str]) -> None:
        """The server wants these now."""


@dataclass(slots=True)
class Errand:
    """One task on the device. ``due``: when the person does the next thing about it; None while nothing is due."""

    told: TaskTold
    accepted: bool = False
    started: bool = False
    due: int | None = None
    there: bool = False
    declines: bool = False

    @property
    def token(self) -> Token:
        return self.told.task, self.told.attempt


class Errands:
    """One person's tasks. ``name`` and ``random`` make this person answer otherwise than the next."""

    def __init__(self, name: str, manner: Manner, says: Says, album: Album, camera: Camera, random: Random) -> None:
        self._name = name
        self._manner = manner
        self._says = says
        self._album = album
        self._camera = camera
        self._random = random
        self._words = Words("", {}, {}, {}, 0)
        self._errands: dict[str, Errand] = {}
        self._answered: deque[Token] = deque(maxlen=REMEMBERED)
        self._photos: dict[str, list[str]] = {}
        """Those of a report by its event, until the server has it."""
        self.ahead = 0

    def __len__(self) -> int:
        return len(self._errands)

    @property
    def goal(self) -> tuple[float, float] | None:
        """Latitude and longitude of where the person has to go or stay, None for wherever he likes."""
        errand = self._current
        return None if errand is None else (errand.told.latitude / 1e7, errand.told.longitude / 1e7)

    @property
    def _current(self) -> Errand | None:
        """The one that was accepted first; the others wait."""
        return next((errand for errand in self._errands.values() if errand.accepted), None)

    # What the server says.

    @singledispatchmethod
    def told(self, event: object, now: int) -> None:
        """One event of the client. What is not about tasks is passed over."""

    @told.register
    def _(self, event: Words, now: int) -> None:
        self._words = event

    @told.register
    def _(self, event: Held, now: int) -> None:
        for errand in [one for one in self._errands.values() if one.token not in event.tasks]:
            del self._errands[errand.told.task]

    @told.register
    def _(self, event: TaskTold, now: int) -> None:
        self._album.release(event.photos)
        token, known = (event.task, event.attempt), self._errands.get(event.task)
        if event.what == "offer":
            self._say(token, "delivered", now)
        elif event.what == "return":
            self._say(token, "informed", now)
            if token in self._answered:
                self._answered.remove(token)
        if token in self._answered or (known is not None and known.told.attempt > event.attempt):
            return
        if known is not None and known.told.attempt == event.attempt:
            known.told = event
        elif event.state in WAITING:
            self._errands[event.task] = self._asked(event, now)
        elif event.state in WORKING:
            self._errands[event.task] = Errand(event, accepted=True)

    @told.register
    def _(self, event: Revoked, now: int) -> None:
        known = self._errands.get(event.task)
        if known is not None and known.told.attempt <= event.attempt:
            del self._errands[event.task]
        self._say((event.task, event.attempt), "revoked", now)

    @told.register
    def _(self, event: Standing, now: int) -> None:
        self._album.release(self._photos.pop(event.event, ()))
        known = self._errands.get(event.task)
        over = event.code == "unknown" or (event.code == "stale" and event.state not in WAITING | WORKING)
        if known is not None and (over or event.attempt > known.told.attempt):
            del self._errands[event.task]

    @told.register
    def _(self, event: SosTold, now: int) -> None:
        """Somebody else goes."""

    # What the person does.

    def get_timer(self) -> int | None:
        """When the person does something, ms."""
        return min((errand.due for errand in self._errands.values() if errand.due is not None), default=None)

    def handle_timer(self, now: int) -> None:
        for errand in list(self._errands.values()):
            if errand.due is None or errand.due > now:
                continue
            errand.due = None
            if not errand.accepted:
                self._decide(errand, now)
            elif errand.there:
                self._report(errand, now)

    def set_out(self, now: int) -> None:
        """The person goes to the goal."""
        errand = self._current
        if errand is not None and not errand.started:
            errand.started = True
            self._say(errand.token, "start", now)

    def arrived(self, now: int) -> None:
        """The person is at the goal, and looks around."""
        errand = self._current
        if errand is not None and not errand.there:
            errand.there = True
            errand.due = now + self._manner.stays(self._random)

    def _asked(self, told: TaskTold, now: int) -> Errand:
        # The same person answers the same offer alike, whenever it comes.
        draw = Random(f"{self._name} {told.task} {told.attempt}")
        will, answers_in = self._manner.will(draw), self._manner.answers_in(draw)
        return Errand(told, due=None if will == "silent" else now + answers_in, declines=will == "decline")

    def _decide(self, errand: Errand, now: int) -> None:
        if errand.declines:
            del self._errands[errand.told.task]
            reasons = sorted(self._words.declines)
            self._say(errand.token, "decline", now, reason=self._random.choice(reasons) if reasons else "")
            return
        errand.accepted = True
        # Behind those that were accepted before it, whatever was asked first.
        self._errands[errand.told.task] = self._errands.pop(errand.told.task)
        self._say(errand.token, "accept", now)

    def _report(self, errand: Errand, now: int) -> None:
        kind = self._words.kinds.get(errand.told.kind)
        if kind is None or not kind.results:
            errand.due = now + 10_000  # the words come with the next welcome
            return
        del self._errands[errand.told.task]
        self._answered.append(errand.token)
        word, result = self._random.choices(*_weighed(kind.results))[0]
        photos = [self._album.add(errand.token, self._camera(self._random)) for _ in range(result.photos)]
        text = "现场围挡，无法靠近" if result.text else ""
        event = self._say(errand.token, "report", now, word=word, text=text, photos=photos)
        if photos:
            self._photos[event] = photos
            while len(self._photos) > REMEMBERED:
                del self._photos[next(iter(self._photos))]

    def _say(
        self, token: Token, what: str, now: int, *, reason: str = "", word: str = "", text: str = "",
        photos: Sequence[str] = (),
    ) -> str:  # fmt: skip
        event = f"{self._random.getrandbits(64):016x}"
        self._says.add_answer(*token, what, event, now + self.ahead, reason=reason, word=word, text=text, photos=photos)
        return event
