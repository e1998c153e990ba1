"""Whether a report may enter, judged without any state of the unit: before the journal, report by report.

It asks: is the fix time a time, is the position one on Earth, was the unit on duty at the fix time, and in
which system are the coordinates. What is refused here is written nowhere, only counted; it is acknowledged
all the same, because a device would send it for ever. A call for help passes whatever the duty says, once: devices
repeat the alarm in every message as long as it lasts, and where somebody off duty goes from there is nobody's business.
"""

from __future__ import annotations

from protocols.report import ALARM_SOS, CoordinateSystem, Report
from tracker.coordinates import bd09_to_gcj02, gcj02_to_wgs84
from tracker.model import Mark
from tracker.record import REPORT
from tracker.roster import Carrier, duty_at

EARLIEST = 946_684_800_000  # 2000-01-01: older fix times are receivers that have not found the time yet
LATEST = 4_102_444_800_000  # 2100-01-01

_UNAUTHENTICATED, _BACKFILL, _CONVERTED = int(Mark.UNAUTHENTICATED), int(Mark.BACKFILL), int(Mark.CONVERTED)

Admitted = tuple[object, ...]


def admit(report: Report, carrier: Carrier, now: int) -> Admitted | str:
    """The record to journal, or the reason of the refusal (a stable word for a counter). ``now`` in ms."""
    fix_time, latitude, longitude = report.fix_time, report.latitude, report.longitude
    if fix_time is not None:
        if not EARLIEST <= fix_time <= LATEST:
            return "impossible_time"
    elif latitude is not None:
        return "no_fix_time"
    at = now if fix_time is None else fix_time
    unit, duties = carrier.unit, carrier.duties
    if at < carrier.since:
        unit, duties = carrier.earlier(carrier.device.id, at)
    # One interval that never ends is the usual case; everything else is looked up.
    duty = duties[0] if len(duties) == 1 and duties[0].start <= at < duties[0].end else duty_at(duties, at)
    if report.alarm & ALARM_SOS:
        # Of a device that is nobody's, and never was anybody's who is known, there is nobody to help.
        if (not _calls(carrier, at, latitude is not None) and duty is None) or not unit.id:
            return "off_duty"
    else:
        # What is older came from the device's memory and ends nothing.
        if carrier.calling is not None and at > carrier.calling:
            carrier.calling = carrier.calling_at = None
        if duty is None:
            return "off_duty"
    marks = 0 if carrier.authenticated else _UNAUTHENTICATED
    if not report.live:
        marks |= _BACKFILL
    original = None
    if latitude is not None:
        assert longitude is not None
        crs = report.crs or carrier.crs
        if crs:
            original = (latitude, longitude)
            latitude, longitude = to_wgs84(crs, latitude, longitude)
            marks |= _CONVERTED
        # After the conversion, which may carry a point over the edge.
        if not (-900_000_000 <= latitude <= 900_000_000 and -1_800_000_000 <= longitude <= 1_800_000_000):
            return "impossible_position"
    return (
        REPORT, carrier.device.id, unit.id, duty.number if duty else 0, now, report.device_time, fix_time,
        latitude, longitude, report.altitude, report.speed, report.course, report.accuracy,
        report.status, report.alarm, marks, report.items, original,
    )  # fmt: skip


def _calls(carrier: Carrier, at: int, located: bool) -> bool:
    """Take in a message that calls for help: whether it is the one with which that began, or the first with a place.
    The same one again is it too, because the disk may have failed."""
    first = carrier.calling_at if located else carrier.calling
    if carrier.calling is None:
        carrier.calling = at
    if located and carrier.calling_at is None:
        carrier.calling_at = at
    return first is None or first == at


def to_wgs84(crs: int, latitude: int, longitude: int) -> tuple[int, int]:
    """A place in a system that is shifted, as it is in WGS-84; all in 1e-7 degrees."""
    degrees = latitude / 1e7, longitude / 1e7
    if crs == CoordinateSystem.BD09:
        degrees = bd09_to_gcj02(*degrees)
    degrees = gcj02_to_wgs84(*degrees)
    return round(degrees[0] * 1e7), round(degrees[1] * 1e7)
