"""From journalled reports to live state: an ordered list of small pure steps.

Each step sees the unit's state and the point and answers the doubts it has; the first steps decide whether
the point is believed, the last ones take it in. The same steps run over the live stream in journal order
and over a track in fix-time order (:func:`judge`), so that live flags and history's flags differ only by
what was not known yet. Raw points are kept whatever the steps say, and an alarm is never filtered.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any
from zlib import crc32

import msgpack

from protocols.report import ALARM_SOS
from tracker.areas import AreaIndex
from tracker.clockwatch import Clock, note
from tracker.coordinates import distance
from tracker.model import DISBELIEVED, Doubt, Mark, UnitId
from tracker.record import ReportRecord, unpack_track

FUTURE_MS = 120_000
SKEW_MS = 600_000
PRIMARY_SILENCE_MS = 60_000
JUMP_SPEED = 70.0
"""m/s: beyond what any unit does."""
JUMP_DISTANCE = 500.0
"""Metres below which a fast step is noise and not a jump."""
HOUR = 3_600_000
JUMPS_TO_BELIEVE = 3
"""So many points in a row that agree among themselves are where the unit is: it was carried, or the first was wrong."""
ACCURACY_LIMIT = 2000
"""Decimetres: a fix that may be 200 m off says nothing about a street."""
ANCHOR_DISTANCE = 20.0
"""Metres that a unit must be away from its anchor before distance is counted: standing still adds none."""
REMEMBERED = 262_144
"""Identities remembered over all devices (about 40 MB): what is repeated at once is stored once. What is repeated
later is found when the track is read."""

_DUPLICATE, _FUTURE, _LATE, _SECONDARY, _JUMP, _INACCURATE, _SKEW, _NO_FIX = (int(d) for d in Doubt)
_DISBELIEVED = int(DISBELIEVED)
_BACKFILL = int(Mark.BACKFILL)
_STRANGE = _BACKFILL + 1
"""More than a point that is known can have."""

_FIELDS = (
    "unit", "device", "seen", "fix_time", "latitude", "longitude", "altitude", "speed", "course", "accuracy",
    "alarm", "doubts", "device_time", "clocks", "battery", "charging", "network", "fix_state", "grid", "cell",
    "distance", "anchor_latitude", "anchor_longitude", "jumps", "jump_latitude", "jump_longitude", "jump_time",
    "marks", "alarm_time", "alarm_device",
)  # fmt: skip
STATE_FIELDS = _FIELDS
"""The names of a packed state's values."""
STATE_FORMAT = f"{crc32(','.join(_FIELDS).encode()):08x}"
"""Names the layout of a packed state. What an older version stored has another name and is made anew."""


class UnitState:
    """What is known of one unit after so many journal records. Mutable: one per unit, changed for every report."""

    __slots__ = _FIELDS

    unit: UnitId
    device: str  # the primary device
    seen: int  # server time of the newest message of any device
    fix_time: int | None
    latitude: int | None
    longitude: int | None
    altitude: int | None
    speed: int | None
    course: int | None
    accuracy: int | None
    alarm: int
    doubts: int  # of the newest message
    device_time: int | None
    clocks: dict[str, Clock]  # of its devices
    battery: int | None
    charging: bool | None
    network: str | None
    fix_state: str | None
    grid: str | None
    cell: str | None
    distance: float  # metres since the state began
    anchor_latitude: int | None
    anchor_longitude: int | None
    jumps: int
    jump_latitude: int | None
    jump_longitude: int | None
    jump_time: int | None
    marks: int
    alarm_time: int
    alarm_device: str  # whose alarm it is

    def __init__(self, unit: UnitId) -> None:
        for name in _FIELDS:
            setattr(self, name, None)
        self.unit, self.device, self.alarm_device = unit, "", ""
        self.seen = self.alarm = self.doubts = self.jumps = self.marks = self.alarm_time = 0
        self.distance = 0.0
        self.clocks = {}

    def pack(self) -> bytes:
        """The state as stored and published."""
        return _pack([getattr(self, name) for name in _FIELDS])

    @classmethod
    def unpack(cls, data: bytes) -> UnitState:
        state = cls.__new__(cls)
        for name, value in zip(_FIELDS, msgpack.unpackb(data, use_list=False), strict=True):
            setattr(state, name, value)
        return state

    @classmethod
    def of(cls, fields: Sequence[str], values: Sequence[Any]) -> UnitState:
        """A state as any version kept it, by the names of its fields: what that did not know is as at the beginning."""
        known = {name: value for name, value in zip(fields, values, strict=True) if name in cls.__slots__}
        state = cls(known["unit"])
        for name, value in known.items():
            setattr(state, name, value)
        return state


_packer = msgpack.Packer(use_bin_type=True, autoreset=True)
_pack: Callable[[Any], bytes] = _packer.pack


class Point:
    """One located report on its way through the steps."""

    __slots__ = ("accuracy", "alarm", "cell", "device", "fix_time", "grid", "latitude", "live", "longitude",
                 "moved", "server_time", "timed")  # fmt: skip

    def __init__(
        self, device: str, server_time: int, fix_time: int, latitude: int, longitude: int, accuracy: int | None,
        live: bool, timed: bool,
    ) -> None:  # fmt: skip
        self.device = device
        self.server_time = server_time
        self.fix_time = fix_time
        self.latitude = latitude
        self.longitude = longitude
        self.accuracy = accuracy
        self.live = live
        self.timed = timed
        self.moved = 0.0
        self.grid: str | None = None
        self.cell: str | None = None


Step = Callable[[UnitState, Point], int]


def clock(state: UnitState, point: Point) -> int:
    """Ahead of the server: kept, never live. A message about now that is long past: the clock is off.

    Only messages that state when they were sent can be blamed; a phone app that empties its queue says nothing.
    """
    if point.fix_time - point.server_time > FUTURE_MS:
        return _FUTURE
    if point.live and point.timed and point.server_time - point.fix_time > SKEW_MS:
        return _SKEW
    return 0


def order(state: UnitState, point: Point) -> int:
    """The live position never moves back."""
    return _LATE if state.fix_time is not None and point.fix_time <= state.fix_time else 0


def primary(state: UnitState, point: Point) -> int:
    """A unit is followed by one device; another takes over after a minute of silence."""
    if point.device == state.device or not state.device or state.fix_time is None:
        return 0
    return 0 if point.fix_time - state.fix_time > PRIMARY_SILENCE_MS else _SECONDARY


def accuracy(state: UnitState, point: Point) -> int:
    """A fix whose own error is larger than a block."""
    return _INACCURATE if point.accuracy is not None and point.accuracy > ACCURACY_LIMIT else 0


def jump(state: UnitState, point: Point) -> int:
    """Faster than anything moves here, unless the next points say the same."""
    if state.latitude is None or state.longitude is None or state.fix_time is None:
        return 0
    moved = point.moved = distance(state.latitude, state.longitude, point.latitude, point.longitude)
    seconds = abs(point.fix_time - state.fix_time) / 1000
    if moved <= JUMP_DISTANCE or moved <= JUMP_SPEED * seconds:
        return 0
    return _JUMP


BELIEF: Sequence[Step] = (clock, order, primary, accuracy, jump)
"""Whether a point is believed; in this order, all are asked."""


def _relocated(state: UnitState, point: Point) -> bool:
    """Called for a point whose only fault is its jump: whether it and those before it agree on a new place."""
    agrees = (
        state.jumps > 0
        and state.jump_latitude is not None
        and state.jump_longitude is not None
        and state.jump_time is not None
        and distance(state.jump_latitude, state.jump_longitude, point.latitude, point.longitude)
        <= max(JUMP_DISTANCE, JUMP_SPEED * abs(point.fix_time - state.jump_time) / 1000)
    )
    state.jumps = state.jumps + 1 if agrees else 1
    state.jump_latitude, state.jump_longitude, state.jump_time = point.latitude, point.longitude, point.fix_time
    return state.jumps >= JUMPS_TO_BELIEVE


def _take(state: UnitState, point: Point, record: Sequence[Any], areas: AreaIndex, relocated: bool) -> None:
    """The point is believed: it is where the unit is."""
    state.device = point.device
    state.fix_time, state.latitude, state.longitude = point.fix_time, point.latitude, point.longitude
    state.altitude, state.speed, state.course, state.accuracy = record[9], record[10], record[11], point.accuracy
    state.marks = record[15]
    state.jumps = 0
    state.grid, state.cell = areas.locate(point.latitude, point.longitude)
    if state.anchor_latitude is None or state.anchor_longitude is None or relocated:
        state.anchor_latitude, state.anchor_longitude = point.latitude, point.longitude
        return
    away = distance(state.anchor_latitude, state.anchor_longitude, point.latitude, point.longitude)
    if away > ANCHOR_DISTANCE:
        state.distance += away
        state.anchor_latitude, state.anchor_longitude = point.latitude, point.longitude


def advance(state: UnitState, record: Sequence[Any], areas: AreaIndex) -> int:
    """Take one report's record into the unit's state; the doubts about it, as :class:`Doubt` bits."""
    (
        _,
        device,
        _,
        _,
        server_time,
        device_time,
        fix_time,
        latitude,
        longitude,
        _,
        _,
        _,
        error,
        _,
        alarm,
        marks,
        items,
        _,
    ) = record
    live = not marks & _BACKFILL
    if server_time < state.alarm_time:
        # Only a server clock that was set back does this. An alarm cannot be later than now, or none would count
        # until that time has come again.
        state.alarm_time = server_time
    state.seen = server_time
    if live:
        if device_time is not None:
            state.device_time = device_time
            note(state.clocks, device, server_time, device_time, 0)
        elif fix_time is not None and latitude is not None:
            note(state.clocks, device, server_time, None, fix_time)
        if items:
            _read_items(state, items)
    if latitude is None:
        doubts = _NO_FIX
    else:
        point = Point(device, server_time, fix_time, latitude, longitude, error, live, device_time is not None)
        doubts = 0
        for step in BELIEF:
            doubts |= step(state, point)
        relocated = doubts & _DISBELIEVED == _JUMP and _relocated(state, point)
        if relocated:
            doubts &= ~_JUMP
        if not doubts & _DISBELIEVED:
            _take(state, point, record, areas, relocated)
    at = server_time if live or fix_time is None else min(fix_time, server_time)
    _take_alarm(state, device, alarm, latitude is not None, at)
    state.doubts = doubts
    return doubts


def _take_alarm(state: UnitState, device: str, alarm: int, located: bool, at: int) -> None:
    """Whatever becomes of the position, an alarm counts; it ends when a later message of its device no longer has it.

    ``at`` is when the message came if it is about now, whatever its fix time: a terminal without a fix may not
    know the time, and a call for help may carry the last position there was.
    """
    if at < state.alarm_time:
        return
    if device == state.alarm_device:
        if not alarm and not located:
            return  # a health message says nothing of alarms
    elif not alarm or (state.alarm & ALARM_SOS and not alarm & ALARM_SOS):
        return
    state.alarm, state.alarm_time, state.alarm_device = alarm, at, device


def _read_items(state: UnitState, items: dict[str, Any]) -> None:
    battery = items.get("battery")
    if type(battery) is int:
        state.battery = battery
    charging = items.get("charging")
    if type(charging) is bool:
        state.charging = charging
    network = items.get("net")
    if type(network) is str:
        state.network = network
    fix_state = items.get("fix")
    if type(fix_state) is str:
        state.fix_state = fix_state


class Pipeline:
    """The states of all units after so many journal records."""

    def __init__(self, areas: Callable[[], AreaIndex], *, remembered: int = REMEMBERED) -> None:
        self.states: dict[UnitId, UnitState] = {}
        self._areas = areas
        self._identities: dict[int, int] = {}
        """Of each point whether it was known only from what its device had stored."""
        self.remembered = remembered
        self.duplicates = 0
        self.doubted = dict.fromkeys(Doubt, 0)

    def take(self, record: Sequence[Any]) -> bool:
        """Take one report in. False for a point that came before and is not to be stored again."""
        if record[7] is not None:
            identity = hash((record[1], record[6], record[7], record[8], record[13], record[14]))
            identities = self._identities
            stored = record[15] & _BACKFILL
            if identities.get(identity, _STRANGE) <= stored:
                self.duplicates += 1
                state = self.states.get(record[2])
                if state is not None:
                    state.seen = record[4]
                return False
            identities[identity] = stored
            if len(identities) > self.remembered:
                self._forget()
        unit: UnitId = record[2]
        state = self.states.get(unit)
        if state is None:
            state = self.states[unit] = UnitState(unit)
        doubts = advance(state, record, self._areas())
        if doubts:
            for doubt in Doubt:
                if doubts & doubt:
                    self.doubted[doubt] += 1
        return True

    def remember(self, record: Sequence[Any]) -> None:
        """A report that was taken before we began, in a run of the server before this one."""
        if record[7] is not None:
            identity = hash((record[1], record[6], record[7], record[8], record[13], record[14]))
            self._identities[identity] = min(record[15] & _BACKFILL, self._identities.get(identity, _STRANGE))
            if len(self._identities) > self.remembered:
                self._forget()

    def _forget(self) -> None:
        for old in list(islice(self._identities, self.remembered // 8)):
            del self._identities[old]

    def forget(self, unit: UnitId) -> None:
        """Know nothing of a unit any more. Whose point an identity is cannot be told, so all are forgotten: what was
        said before and is repeated is stored twice, and found when the track is read."""
        self.states.pop(unit, None)
        self._identities.clear()

    def rebuilt(self, state: UnitState, before: Iterable[bytes], rest: Iterable[bytes]) -> UnitState:
        """What is known of a unit by what is left of its tracks of the last days, ``before`` being what they were.
        The clocks of its devices are as they were: they say nothing of the unit."""
        areas = self._areas()
        was, now = UnitState(state.unit), UnitState(state.unit)
        for part in before:
            for record in unpack_track(part):
                advance(was, record, areas)
        for part in rest:
            for record in unpack_track(part):
                advance(now, record, areas)
        now.clocks = state.clocks
        now.distance = max(0.0, state.distance - was.distance + now.distance)
        return now

    def load(self, packed: Iterable[bytes]) -> None:
        """Start from stored states instead of none."""
        self.begin(map(UnitState.unpack, packed))

    def begin(self, states: Iterable[UnitState]) -> None:
        """Start from these states."""
        self.states = {state.unit: state for state in states}
        self._identities.clear()


def judge(records: Iterable[ReportRecord], areas: AreaIndex) -> list[tuple[ReportRecord, int, str | None]]:
    """A track's final flags: each distinct located point in fix-time order with its doubts and its grid.

    Of copies of a point one sent at once counts before one that the device had stored, then the one received first; the
    point was received when the first of them was. The result does not depend on the order of arrival.

    An hour (UTC) is judged by what is known from the beginning of the hour before it on, and of nothing before that: so
    the flags of a point are the same whichever span of its track is asked for, if the span begins at :func:`lead_in` or
    earlier. A city's days are judged one by one, so that a sealed day stands for itself.
    """
    counting: dict[tuple[object, ...], ReportRecord] = {}
    came: dict[tuple[object, ...], int] = {}
    for record in records:
        if record.latitude is None:
            continue
        identity = record.identity
        known = counting.get(identity)
        if known is None:
            counting[identity] = record
        else:
            counting[identity] = min(record, known, key=_received)
            came[identity] = min(record.server_time, came.get(identity, known.server_time))
    for identity, at in came.items():
        counting[identity] = counting[identity]._replace(server_time=at)
    judged: list[tuple[ReportRecord, int, str | None]] = []
    # The state that judges, the one that takes over with the next hour, and the hour. Most of the time both are one.
    state = following = UnitState(UnitId(""))
    hour = 0
    for record in sorted(counting.values(), key=_in_time):
        assert record.fix_time is not None
        assert record.latitude is not None
        assert record.longitude is not None
        if record.fix_time // HOUR != hour:
            follows = record.fix_time // HOUR == hour + 1
            hour = record.fix_time // HOUR
            state, following = (following if follows else UnitState(UnitId(""))), UnitState(UnitId(""))
        # Two devices of one unit may fix in the same millisecond; neither is late because of it.
        doubts = advance(state, record, areas) & ~_LATE
        if following is not state:
            advance(following, record, areas)
            if _believes_the_same(state, following):
                following = state
        grid = None if doubts & _DISBELIEVED else areas.locate(record.latitude, record.longitude)[0]
        judged.append((record, doubts, grid))
    return judged


def lead_in(start: int) -> int:
    """From which fix time on (ms) points are needed for the flags of those from ``start`` on, unless their city day
    begins later: see :func:`judge`."""
    return (start // HOUR - 1) * HOUR


def _believes_the_same(one: UnitState, other: UnitState) -> bool:
    """Whether two states will judge whatever comes alike."""
    return (
        one.fix_time == other.fix_time
        and one.device == other.device
        and one.latitude == other.latitude
        and one.longitude == other.longitude
        and not one.jumps
        and not other.jumps
    )


def _in_time(record: ReportRecord) -> tuple[Any, ...]:
    """A total order in which distinct points never compare equal, and which does not ask when they came."""
    return (record.fix_time, record.device, record.latitude, record.longitude, record.status, record.alarm)


def _received(record: ReportRecord) -> tuple[Any, ...]:
    """Which of two copies counts; those of the same millisecond in an order that is at least always the same, and that
    a database has too when a day is closed: None before every number, bytes as bytes."""
    latitude, longitude = record.original or (None, None)
    readings = (record.device_time, record.altitude, record.speed, record.course, record.accuracy, latitude, longitude)
    return (
        record.marks & _BACKFILL,
        record.server_time,
        record.duty,
        *(-math.inf if value is None else value for value in readings),
        record.marks,
        b"" if record.items is None else _pack(record.items),
    )
