"""Somebody who carries a device: the walk, the weather around it, and what the device knows at a moment.

All clients share this file; they differ only in the protocol in which they tell it.
"""

from __future__ import annotations

from simulator.routes import Routes
from simulator.walker import Sighting, Walker
from simulator.weather import FAIR, Conditions, Weather

E7 = 10_000_000


class Bearer:
    """A walker in the weather. ``index`` is the place in the weather's draw; without weather every day is fair.
    ``routes`` are the ways to wherever the walker may be sent.

    Call :meth:`sense` once in every interval; afterwards ``conditions`` says whether the device is switched on
    and has a network, and ``clock_changed`` whether its clock has just been set.
    """

    def __init__(
        self, walker: Walker, weather: Weather | None = None, index: int = 0, routes: Routes | None = None
    ) -> None:
        self._walker = walker
        self._routes = routes
        self._goal: tuple[float, float] | None = None
        self._weather = weather
        self._index = index
        self.conditions: Conditions = FAIR
        self.clock_changed = False

    def time(self, now: int) -> int:
        """What the device's clock shows, ms."""
        return now + self.conditions.clock

    @property
    def reachable(self) -> bool:
        """Whether the device can have a link at all."""
        return self.conditions.powered and self.conditions.network and not self.clock_changed

    @property
    def there(self) -> bool:
        """Whether the walker is where it was sent."""
        return self._walker.there

    def send(self, goal: tuple[float, float] | None, speed: float) -> bool:
        """Sends the walker to a place (degrees) at so many m/s, or back to its beat; whether that is new."""
        if goal == self._goal or self._routes is None:
            return False
        self._goal = goal
        if goal is None:
            self._walker.come_back(self._routes, speed)
        else:
            self._walker.set_out(self._routes, self._routes.projection.metres(*goal), speed)
        return True

    def sense(self, now: int) -> Sighting | None:
        """What the device sees, with the time of its own clock; None while it is switched off."""
        before = self.conditions
        if self._weather is not None:
            self.conditions = self._weather.at(self._index, now)
        # Everything that a device timed by its clock is void when it is set: it drops its link and begins again.
        self.clock_changed = self.conditions.clock != before.clock
        if not self.conditions.powered:
            return None
        if not before.powered:
            self._walker.charge()
        return self._walker.step(now, indoors=self.conditions.indoors)


def e7(degrees: float | None) -> int | None:
    """Degrees as the house counts them on the wire: 1e-7."""
    return None if degrees is None else round(degrees * E7)
