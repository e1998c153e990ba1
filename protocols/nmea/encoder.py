"""What a device writes: the sentences of one epoch, and the line that says who it is. For tests and load."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from protocols.nmea.epochs import ACCURACY_PER_DOP
from protocols.nmea.sentences import KNOT, checksum
from protocols.report import Report

_START = datetime(1970, 1, 1, tzinfo=UTC)


def sentence(body: str) -> bytes:
    """``$<body>*hh`` with its line end."""
    raw = body.encode("ascii")
    return b"$%b*%02X\r\n" % (raw, checksum(raw))


def encode_identity(device_id: str) -> bytes:
    """The line by which a device says who it is."""
    return sentence(f"GBID,{device_id}")


def encode_epoch(report: Report, talker: str = "GN") -> bytes:
    """RMC and GGA of one report, and GSA if it says what kind of fix it has. It needs a fix time."""
    assert report.fix_time is not None
    moment = _START + timedelta(milliseconds=report.fix_time)
    time = f"{moment:%H%M%S}.{moment.microsecond // 1000:03}"
    items = report.items or {}
    place, fixed = ",,,", report.latitude is not None
    if report.latitude is not None and report.longitude is not None:
        north, east = "N" if report.latitude >= 0 else "S", "E" if report.longitude >= 0 else "W"
        place = f"{_degrees(report.latitude, 2)},{north},{_degrees(report.longitude, 3)},{east}"
    speed = "" if report.speed is None else f"{report.speed / KNOT:.3f}"
    course = "" if report.course is None else f"{report.course}.0"
    hdop = "" if report.accuracy is None else f"{report.accuracy / ACCURACY_PER_DOP:.2f}"
    altitude = "" if report.altitude is None else f"{report.altitude}.0"
    satellites = items.get("satellites", "")
    status, mode = ("A", "A") if fixed else ("V", "N")
    out = sentence(f"{talker}RMC,{time},{status},{place},{speed},{course},{moment:%d%m%y},,,{mode}")
    out += sentence(f"{talker}GGA,{time},{place},{int(fixed)},{satellites},{hdop},{altitude},M,,M,,")
    if "fix" in items:
        dimension = {"none": 1, "2d": 2, "3d": 3}[str(items["fix"])]
        out += sentence(f"{talker}GSA,A,{dimension},{',' * 11},,{hdop},")
    return out


def _degrees(value: int, width: int) -> str:
    """Degrees and minutes of 1e-7 degrees."""
    degrees, rest = divmod(abs(value), 10_000_000)
    micro = rest * 6  # millionths of a minute
    return f"{degrees:0{width}}{micro // 1_000_000:02}.{micro % 1_000_000:06}"
