"""Devices whose coordinate system seems to be declared wrongly, found by their units' own grids.

A forgotten GCJ-02 puts a unit some 500 m beside itself: half a grid, so it seems to be out of its grid and the nearest
one is somebody else. The pipeline cannot see that, since such a point is as good as any. But a unit works in its own
grid most of the time. So of each device a few dozen points are looked at, minutes or steps apart: does the point lie in
the unit's own grid as it was read, and would it if it had been read in another system? When many points would and
hardly any does that the other reading would lose, the device is suspected, until its points fit or it is amended.

Somebody who works beside the own grid for hours looks the same if the shift happens to lead into it: it is a
suspicion, told to a person, and never mended by itself. What was seen is forgotten at a restart.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from tracker.areas import AreaIndex
from tracker.coordinates import bd09_to_gcj02, distance, gcj02_to_bd09, gcj02_to_wgs84, wgs84_to_gcj02
from tracker.model import DeviceId, Mark, UnitId
from tracker.pipeline import UnitState
from tracker.roster import Roster

SAMPLE_MS = 30_000
"""Points of a device that are nearer in time are not looked at: they cost, and say the same."""
APART_MS = 180_000
APART_M = 50.0
"""A point counts when it is so much later or farther away than the last that did: somebody who sits is one point."""
LEAST = 20
WINDOW = 40
"""Points per device that are remembered, a bit for each system: half an hour of a walk."""
ACCURACY_LIMIT = 1000
"""Decimetres: worse fixes do not tell which side of a border they are on."""

Degrees = tuple[float, float]
_SAME: Callable[[float, float], Degrees] = lambda latitude, longitude: (latitude, longitude)  # noqa: E731
_TO_GCJ02: Mapping[str, Callable[[float, float], Degrees]] = {
    "wgs84": wgs84_to_gcj02,
    "gcj02": _SAME,
    "bd09": bd09_to_gcj02,
}
SYSTEMS = tuple(_TO_GCJ02)


def read_as(system: str, latitude: float, longitude: float) -> Degrees:
    """WGS-84 of degrees that are in ``system``."""
    return _SAME(latitude, longitude) if system == "wgs84" else gcj02_to_wgs84(*_TO_GCJ02[system](latitude, longitude))


def as_sent(system: str, latitude: float, longitude: float) -> Degrees:
    """What a device that was read as ``system`` had sent, from the WGS-84 that it became."""
    if system == "wgs84":
        return latitude, longitude
    shifted = wgs84_to_gcj02(latitude, longitude)
    return shifted if system == "gcj02" else gcj02_to_bd09(*shifted)


@dataclass(slots=True)
class _Seen:
    """One device: how it is read, and of its last points in which systems each lies in the own grid, as bits."""

    declared: str
    grid: str
    looked: int = 0
    counted: tuple[int, int, int] | None = None
    fits: deque[int] = field(default_factory=lambda: deque(maxlen=WINDOW))
    suspected: str | None = None


class CoordinateWatch:
    """Ask :meth:`suspected`; feed :meth:`look` with the units that have moved. One entry per registered device."""

    def __init__(self, areas: Callable[[], AreaIndex]) -> None:
        self._areas = areas
        self._seen: dict[DeviceId, _Seen] = {}

    def forget(self, device: DeviceId) -> None:
        """Know nothing of a device any more."""
        self._seen.pop(device, None)

    def suspected(self, device: DeviceId, declared: str) -> str | None:
        """The system that the device's points seem to be in: wgs84, gcj02 or bd09; ``None`` for no suspicion."""
        seen = self._seen.get(device)
        return seen.suspected if seen is not None and seen.declared == declared else None

    def all(self, roster: Roster) -> list[DeviceId]:
        """Every device under suspicion."""
        devices = roster.devices
        return [
            one for one, seen in self._seen.items() if one in devices and self.suspected(one, devices[one].coordinates)
        ]

    def look(self, units: Iterable[UnitId], states: Mapping[UnitId, UnitState], roster: Roster) -> None:
        """Take in where these units are now: 1.5 µs each, and 0.1 ms at most every half minute for one that moves."""
        for unit in units:
            state, about = states.get(unit), roster.units.get(unit)
            if state is None or about is None or not about.grid or state.fix_time is None:
                continue
            device = DeviceId(state.device)
            seen = self._seen.get(device)
            registered = roster.devices.get(device)
            if registered is None:
                continue
            if seen is None or seen.declared != registered.coordinates or seen.grid != about.grid:
                seen = self._seen[device] = _Seen(registered.coordinates, about.grid)
            if state.fix_time >= seen.looked + SAMPLE_MS:
                seen.looked = state.fix_time
                self._count(seen, state)

    def _count(self, seen: _Seen, state: UnitState) -> None:
        fix_time, latitude, longitude = state.fix_time, state.latitude, state.longitude
        assert fix_time is not None
        if latitude is None or longitude is None or (state.accuracy or 0) > ACCURACY_LIMIT:
            return
        if bool(state.marks & Mark.CONVERTED) != (seen.declared != "wgs84"):
            return  # the report said its system itself, or was read before the device was amended
        if seen.counted is not None:
            at, last_latitude, last_longitude = seen.counted
            if fix_time < at + APART_MS and distance(last_latitude, last_longitude, latitude, longitude) < APART_M:
                return
        seen.counted = (fix_time, latitude, longitude)
        areas, bits = self._areas(), 0
        sent = as_sent(seen.declared, latitude / 1e7, longitude / 1e7)
        for number, system in enumerate(SYSTEMS):
            if system == seen.declared:
                place = latitude, longitude
            else:
                degrees = read_as(system, *sent)
                place = round(degrees[0] * 1e7), round(degrees[1] * 1e7)
            if seen.grid in areas.locate(*place):
                bits |= 1 << number
        seen.fits.append(bits)
        seen.suspected = _judge(seen)


def _judge(seen: _Seen) -> str | None:
    """The system that explains the points so much better than the declared one that a person should look."""
    own = 1 << SYSTEMS.index(seen.declared)
    points = len(seen.fits)
    best, most = None, 0
    for number, system in enumerate(SYSTEMS):
        if system == seen.declared:
            continue
        other = 1 << number
        gained = sum(1 for bits in seen.fits if bits & other and not bits & own)
        lost = sum(1 for bits in seen.fits if bits & own and not bits & other)
        neither = sum(1 for bits in seen.fits if not bits & (own | other))
        if system == seen.suspected:
            holds = gained >= lost and gained * 10 >= points  # told once, it stays until the points really fit
        else:
            holds = points >= LEAST and gained * 10 >= 3 * points and gained >= 10 * lost and neither * 4 <= points
        if holds and gained > most:
            best, most = system, gained
    return best
