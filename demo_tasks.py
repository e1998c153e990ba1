"""What happens in the demo city: now and then somebody calls the hotline, or a repair wants looking at."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from dispatch.desk_model import NewTask
from dispatch.model import Spot
from dispatch.rules import CHECK, VERIFY
from simulator.city import City
from simulator.terrain import Point
from tracker.refusal import Refusal

_log = Logger(namespace="gridbeat.demo")
BY = "demo"
FIRST_S = 20.0
"""By then the first people are on the map."""
PAUSE_S = (40.0, 140.0)
"""With 25 people that keeps some six of them busy."""
MOST_OPEN = 15
"""Whoever lets the demo run without its people finds no more than these."""
CASES = (
    ("0101", "井盖破损，有行人绊倒风险"), ("0101", "井盖缺失"), ("0103", "路灯不亮"),
    ("0201", "垃圾桶满溢，周边有散落垃圾"), ("0202", "路边堆放建筑渣土"), ("0203", "路面塌陷约一平方米"),
    ("0302", "工地扬尘，未见喷淋"), ("0401", "雨后路面积水"),
    ("0501", "店外经营，占用盲道"), ("0502", "共享单车堆放堵塞人行道"),
)  # fmt: skip
"""Class and words of what is reported."""
CHECKS = 0.3
"""Of all tasks: has it been put right?"""


class Town:
    """Where something can happen, and what it is called there."""

    def __init__(self, city: City, random: Random) -> None:
        self._random = random
        self._projection = city.projection
        self._edges = [edge for edge in city.streets.edges if edge.grid is not None]
        self._named: list[tuple[Point, str]] = []
        for feature in city.basemap["features"]:
            name, kind = feature["properties"].get("name"), str(feature["properties"].get("kind", ""))
            if name and kind.startswith("street"):
                for longitude, latitude in feature["geometry"]["coordinates"]:
                    self._named.append((city.projection.metres(latitude, longitude), name))

    def happens(self) -> NewTask:
        """Something, somewhere beside a street."""
        random = self._random
        a, b = random.choice(self._edges).path[:2]
        share = random.random()
        place = Point(
            a.x + (b.x - a.x) * share + random.uniform(-8, 8), a.y + (b.y - a.y) * share + random.uniform(-8, 8)
        )
        _, street = min(self._named, key=lambda named: math.dist(named[0], place))
        latitude, longitude = self._projection.degrees(place)
        klass, text = random.choice(CASES)
        kind = CHECK if random.random() < CHECKS else VERIFY
        return NewTask(
            kind=kind, spot=Spot(round(latitude * 1e7), round(longitude * 1e7)), klass=klass,
            address=f"{street}{random.randint(1, 180)}号附近", text=f"整改后复核：{text}" if kind == CHECK else text,
            source="12345 热线" if kind == VERIFY else "案件系统",
        )  # fmt: skip


class DemoTasks:
    """``create`` makes a task in the name of somebody, ``open`` says how many there are. ``clock`` calls later."""

    def __init__(
        self, town: Town, create: Callable[[NewTask, str], Awaitable[object]], open: Callable[[], int], clock: Any,
        random: Random,
    ) -> None:  # fmt: skip
        self._town, self._create, self._open, self._clock, self._random = town, create, open, clock, random
        self._next: Any = None

    def start(self) -> None:
        self._next = self._clock.callLater(FIRST_S, self._happens)

    def stop(self) -> None:
        if self._next is not None and self._next.active():
            self._next.cancel()

    def _happens(self) -> None:
        self._next = self._clock.callLater(self._random.uniform(*PAUSE_S), self._happens)
        if self._open() < MOST_OPEN:
            Deferred.fromCoroutine(self._make()).addErrback(
                lambda failure: _log.failure("a task of the demo could not be made", failure=failure)
            )

    async def _make(self) -> None:
        try:
            await self._create(self._town.happens(), BY)
        except Refusal as refusal:
            _log.debug("no task: {reason}", reason=refusal.code)


def make(
    city: City, create: Callable[[NewTask, str], Awaitable[object]], open: Callable[[], int], clock: Any
) -> DemoTasks:
    """For a city whose people walk about."""
    random = Random()
    return DemoTasks(Town(city, random), create, open, clock, random)
