"""The small troubles of a working day: somebody indoors, a lost network, an empty battery, a clock that is off.

A pure function of seed, client and time: nothing is remembered, so a restarted simulator has the same weather.
Time is cut into slots of ten minutes after a calm beginning, and each slot draws who is hit and when.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Literal

from simulator.manner import Network

SLOT = 600_000
"""ms in which each kind of trouble hits once."""
_LONGEST = 3
"""Slots that a trouble can last."""

Kind = Literal["indoors", "network", "battery", "clock"]


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a client has to live with now; ``clock`` is how far its clock is off, in ms (ahead is positive)."""

    indoors: bool = False
    network: bool = True
    powered: bool = True
    clock: int = 0


FAIR = Conditions()


@dataclass(frozen=True, slots=True)
class _Trouble:
    kind: Kind
    client: int
    start: int
    end: int
    clock: int = 0


class Weather:
    """Troubles of ``clients`` clients from ``start`` (ms) on; before ``calm`` ms have passed there are none.

    Of 25 clients three are indoors and one without network at some time of every ten minutes; every half hour
    a battery is empty for 25 minutes, long enough to be seen as offline, and every 40 minutes a clock is off.
    ``network`` may add clients without one.
    """

    def __init__(
        self, seed: int, clients: int, start: int, *, calm: int = 120_000, network: Network | None = None
    ) -> None:
        self._network = network or Network()
        self._seed = seed
        self._clients = clients
        self._begin = start + calm
        # Asked by every client in every interval; a slot is drawn once.
        self._slot = lru_cache(maxsize=2 * _LONGEST)(self._draw)

    def at(self, client: int, now: int) -> Conditions:
        """The conditions of one client at ``now``."""
        since = now - self._begin
        if since < 0:
            return FAIR
        current = since // SLOT
        indoors, network, powered, clock = False, True, True, 0
        for slot in range(max(0, current - _LONGEST + 1), current + 1):
            for trouble in self._slot(slot).get(client, ()):
                if trouble.start <= since < trouble.end:
                    indoors |= trouble.kind == "indoors"
                    network &= trouble.kind != "network"
                    powered &= trouble.kind != "battery"
                    clock += trouble.clock
        return Conditions(indoors, network, powered, clock)

    def _draw(self, slot: int) -> dict[int, list[_Trouble]]:
        drawn: dict[int, list[_Trouble]] = {}
        for trouble in self._troubles(slot):
            drawn.setdefault(trouble.client, []).append(trouble)
        return drawn

    def _troubles(self, slot: int) -> Iterator[_Trouble]:
        random, base = Random(f"weather {self._seed} {slot}"), slot * SLOT
        # One draw without repetition, so that nobody is hit twice in a slot.
        many, some = max(1, self._clients // 8), max(1, self._clients // 25)
        order = random.sample(range(self._clients), self._clients)
        hit = iter(order)

        def trouble(kind: Kind, client: int, start: tuple[int, int], last: tuple[int, int], clock: int = 0) -> _Trouble:
            begin = base + random.randint(*start) * 1000
            return _Trouble(kind, client, begin, begin + random.randint(*last) * 1000, clock)

        for client, _ in zip(hit, range(many), strict=False):
            yield trouble("indoors", client, (0, 300), (120, 300))
        for client, _ in zip(hit, range(some), strict=False):
            yield trouble("network", client, (0, 90), (240, 420))
        if slot % 3 == 0 and (unlucky := next(hit, None)) is not None:
            yield trouble("battery", unlucky, (30, 120), (1500, 1560))
        if slot % 4 == 1 and (unlucky := next(hit, None)) is not None:
            yield trouble("clock", unlucky, (0, 60), (420, 540), random.choice((7, -25)) * 60_000)
        offline, longest = round(self._clients * self._network.offline), int(self._network.offline_s)
        for client, _ in zip(hit, range(offline), strict=False):
            yield trouble("network", client, (0, 500), (min(10, longest), longest))


class Backoff:
    """How long to wait before the next attempt: doubling from ``first`` to ``limit`` seconds, half of it by chance.

    The chance keeps a city of clients from coming back in one moment after the server was away.
    """

    def __init__(self, random: Random, *, first: float = 1.0, limit: float = 30.0) -> None:
        self._random = random
        self._first = first
        self._limit = limit
        self._attempts = 0

    def next(self) -> float:
        """Seconds to wait now; longer at every call until :meth:`reset`."""
        # 2**16 seconds is beyond any limit: the exponent needs no more.
        wait = min(self._limit, self._first * 2.0 ** min(self._attempts, 16))
        self._attempts += 1
        return wait * self._random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """The server answered: begin anew."""
        self._attempts = 0
