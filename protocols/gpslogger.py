"""GPSLogger's custom URL: fields under names of the user's choice, of which the app's own short ones are known here.

They stand in the query, in the body as a form or as JSON, or in both, whatever the method says. One request is one
position. The app sends whole files again later, line by line: the same positions once more, long past. The app
writes 0 for what it does not know; where a 0 could be a reading it is kept (speed), else left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from protocols.delivery import (
    LIVE_MS,
    Delivery,
    PhoneRequest,
    Unusable,
    credentials_of,
    fields_of,
    json_of,
    mapping_of,
    names_of,
)
from protocols.errors import RemoteProtocolError
from protocols.readings import attributes_of, clean, flag_of, number_of, position_of, scaled, time_of, typed
from protocols.report import Report

CMS_PER_KMH = 100_000 / 3_600

NAMES: dict[str, tuple[str, ...]] = {
    "device": ("id", "deviceid", "device_id", "device"),
    "phone": ("aid", "androidid", "ser", "serial"),
    "secret": ("token", "key"),
    "lat": ("lat", "latitude"),
    "lon": ("lon", "lng", "long", "longitude"),
    "time": ("timestamp", "time", "timeoffset", "epoch"),
    "speed": ("spd", "speed"),
    "speed_kmh": ("spd_kph", "speed_kph"),
    "altitude": ("alt", "altitude"),
    "accuracy": ("acc", "accuracy"),
    "course": ("dir", "bearing", "course", "heading"),
    "battery": ("batt", "battery"),
    "charging": ("ischarging", "charging", "charge"),
    "satellites": ("sat", "satellites"),
    "hdop": ("hdop",),
    "provider": ("prov", "provider"),
    "note": ("desc", "description", "annotation"),
    "activity": ("act", "activity"),
}
"""What is read, and the names under which it may stand; the first that says something counts. Small letters only
here: capitals make no difference."""
_IGNORED = frozenset({"date", "starttimestamp", "filename", "profile", "vdop", "pdop", "dist"})
"""What the app can add about its file and session: nothing for years."""
_READ = _IGNORED | {name for names in NAMES.values() for name in names}


def decode(request: PhoneRequest, now: int) -> Delivery:
    """What a request says. ``now``: ms since 1970. Raises :class:`RemoteProtocolError` (``malformed``, ``no_device``)
    and nothing else."""
    query = fields_of(request.query)
    body = request.body.strip()
    # The app names no type for its body.
    fields: Mapping[str, Any] = mapping_of(json_of(body)) if body[:1] == b"{" else fields_of(body)
    told: dict[str, object] = {}
    extras: dict[str, object] = {}
    for part in (query, fields):
        for name, value in part.items():
            small = name.lower()
            told[small] = value.strip() if type(value) is str else value
            if small not in _READ:
                extras[name] = typed(value) if type(value) is str else value
    user, secret = credentials_of(request.headers, {})
    if not secret:
        given = _first(told, "secret")
        secret = given if type(given) is str else ""
    # The user of the password is who is meant; the phone's own numbers are what an admin may have registered it by.
    names = names_of(*(told.get(name) for name in NAMES["device"]), user, *(told.get(name) for name in NAMES["phone"]))
    result: Report | Unusable
    try:
        result = _report(told, extras, now)
    except RemoteProtocolError as error:
        result = Unusable(error.reason)
    return Delivery(names, secret, (result,))


def _first(told: Mapping[str, object], what: str) -> object:
    return next((told[name] for name in NAMES[what] if told.get(name) not in (None, "", "null")), None)


def _report(told: Mapping[str, object], extras: Mapping[str, object], now: int) -> Report:
    latitude, longitude = position_of(_first(told, "lat"), _first(told, "lon"))
    fix_time = time_of(_first(told, "time"))
    speed = scaled(_first(told, "speed"), 100, 0, 100_000)
    if speed is None:
        speed = scaled(_first(told, "speed_kmh"), CMS_PER_KMH, 0, 100_000)
    hdop = number_of(_first(told, "hdop"))
    words = {name: _first(told, name) for name in ("provider", "note", "activity")}
    items: dict[str, object | None] = {
        "battery": scaled(_first(told, "battery"), 1, 1, 100),
        "charging": flag_of(_first(told, "charging")),
        "satellites": scaled(_first(told, "satellites"), 1, 1, 100),
        "hdop": hdop if hdop is not None and hdop > 0 else None,
        **{name: clean(word) if type(word) is str else None for name, word in words.items()},
        "attributes": attributes_of(extras) or None,
    }
    course = scaled(_first(told, "course"), 1, 0, 360)
    return Report(
        fix_time,
        latitude,
        longitude,
        altitude=scaled(_first(told, "altitude"), 1, -1_000, 20_000) or None,
        speed=speed,
        course=None if not course else course % 360,
        accuracy=scaled(_first(told, "accuracy"), 10, 1, 1_000_000),
        live=now - fix_time <= LIVE_MS,
        items={name: item for name, item in items.items() if item is not None} or None,
    )


def encode(report: Report) -> bytes:
    """The fields with which the app reports this position when its URL or body ends in ``%ALL``, as far as we have
    them: a query, or the body of a POST."""
    if report.fix_time is None or report.latitude is None or report.longitude is None:
        raise ValueError("GPSLogger reports positions only")
    items = report.items or {}
    speed = (report.speed or 0) / 100
    told = {
        "lat": report.latitude / 1e7,
        "lon": report.longitude / 1e7,
        "sat": items.get("satellites", 0),
        "desc": "",
        "alt": float(report.altitude or 0),
        "acc": (report.accuracy or 0) / 10,
        "dir": float(report.course or 0),
        "prov": items.get("provider", "gps"),
        "spd_kph": speed * 3.6,
        "spd": speed,
        "timestamp": report.fix_time // 1000,
        "batt": items.get("battery", 0),
        "ischarging": str(items.get("charging", False)).lower(),
    }
    return urlencode(told).encode() + b"&"
