"""The one record that every protocol decodes into and that crosses the house once.

A report is what a device said at one moment: a position, or the statement that it has none, with its
readings. The decoders fill the first part; the tracker's admission fills the second part in place. It is
mutable and slotted on purpose: it lives on the per-report path, where copying a record of twenty fields
costs more than everything else done to it.

Units, the same in every protocol: times in milliseconds since 1970 UTC; latitude and longitude in 1e-7
degrees (positive north and east); altitude in metres; speed in centimetres per second; course in degrees
clockwise from north, 0 to 359; accuracy in decimetres (one sigma, as the device states it).
``None`` means that the device did not say.
"""

from __future__ import annotations

from enum import IntEnum


class CoordinateSystem(IntEnum):
    """How the coordinates of a report are to be read (what the device declared)."""

    WGS84 = 0
    GCJ02 = 1
    BD09 = 2


ALARM_SOS = 1
"""Bit 0 of :attr:`Report.alarm`. All protocols put a call for help there; the other bits are the protocol's own."""


class Report:
    """One position or no-fix report of one device.

    ``latitude`` and ``longitude`` are both set or both ``None`` (no fix). ``status`` and ``alarm`` are the
    bits as the protocol states them; together with device, fix time and position they are the identity of
    the point. ``live`` is true for a message that a device sends about now, false for what it had stored.
    ``items`` holds further readings under documented names (docs/wire/), or ``None``.
    """

    __slots__ = (
        "accuracy",
        "alarm",
        "altitude",
        "course",
        "crs",
        # set by the tracker's admission
        "device",
        "device_time",
        "duty",
        # as decoded
        "fix_time",
        "items",
        "latitude",
        "live",
        "longitude",
        "marks",
        "original",
        "server_time",
        "speed",
        "status",
        "unit",
    )

    fix_time: int | None
    device_time: int | None
    latitude: int | None
    longitude: int | None
    altitude: int | None
    speed: int | None
    course: int | None
    accuracy: int | None
    status: int
    alarm: int
    live: bool
    crs: int
    items: dict[str, object] | None
    device: str
    unit: str
    duty: int
    server_time: int
    marks: int
    original: tuple[int, int] | None

    def __init__(
        self,
        fix_time: int | None,
        latitude: int | None,
        longitude: int | None,
        altitude: int | None = None,
        speed: int | None = None,
        course: int | None = None,
        accuracy: int | None = None,
        status: int = 0,
        alarm: int = 0,
        live: bool = True,
        device_time: int | None = None,
        items: dict[str, object] | None = None,
        crs: int = 0,
    ) -> None:
        self.fix_time = fix_time
        self.latitude = latitude
        self.longitude = longitude
        self.altitude = altitude
        self.speed = speed
        self.course = course
        self.accuracy = accuracy
        self.status = status
        self.alarm = alarm
        self.live = live
        self.device_time = device_time
        self.items = items
        self.crs = crs

    def __repr__(self) -> str:
        """Never shows the coordinates: a report may end up in a log line."""
        located = "located" if self.latitude is not None else "no fix"
        return f"<Report fix_time={self.fix_time} {located} alarm={self.alarm:#x}>"
