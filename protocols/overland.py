"""Overland (iOS): up to 1,000 GeoJSON points a request, from a queue that the app keeps until we say ``ok``.

The points of ``locations`` come from the queue; ``current``, sent while it is long, is where the phone is now and
comes once more when its turn has come. A point may name the device that it was recorded for: the app keeps that when
it is set up for another one. Coordinates are WGS-84. A negative reading is not known.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from protocols.delivery import (
    LIVE_MS,
    Delivery,
    PhoneRequest,
    Unusable,
    credentials_of,
    fields_of,
    json_of,
    mapping_of,
    name_of,
    names_of,
)
from protocols.errors import RemoteProtocolError
from protocols.readings import EPOCH, clean, position_of, scaled, time_of
from protocols.report import Report

POINTS_LIMIT = 5000
"""Points in one request; the app's own limit is 1,000."""
OK = b'{"result":"ok"}'
"""The answer without which the app keeps its points."""
_CHARGING = {"charging": True, "full": True, "unplugged": False}


def decode(request: PhoneRequest, now: int) -> Delivery:
    """What a request says. ``now``: ms since 1970. Raises :class:`RemoteProtocolError` (``malformed``, ``no_device``,
    ``too_many``) and nothing else."""
    query = fields_of(request.query)
    user, secret = credentials_of(request.headers, query)
    told = mapping_of(json_of(request.body))
    points = told.get("locations")
    if type(points) is not list:
        raise RemoteProtocolError("malformed", '"locations" is not a list')
    if len(points) > POINTS_LIMIT:
        raise RemoteProtocolError("too_many", f"{len(points)} points, {POINTS_LIMIT} allowed")
    current = told.get("current")
    if current is not None:
        points = [*points, current]
    owners = [name_of(_properties(point).get("device_id")) for point in points]
    results = [_result(point) for point in points]
    newest = results[-1] if current is not None else _newest(results)
    if isinstance(newest, Report):
        # With ``current`` there is more in the queue, and the points of that are not about now.
        newest.live = current is not None or now - (newest.fix_time or 0) <= LIVE_MS
    named = names_of(query.get("id"), query.get("device_id"), user, *reversed(owners))
    return Delivery(named, secret, tuple(results), owners=tuple(owners))


def _newest(results: Sequence[Report | Unusable]) -> Report | None:
    reports = [result for result in results if isinstance(result, Report)]
    return max(reports, key=lambda report: report.fix_time or 0, default=None)


def _properties(point: object) -> dict[str, Any]:
    return mapping_of(mapping_of(point).get("properties"))


def _result(point: object) -> Report | Unusable:
    told = _properties(point)
    if "action" in told or told.get("type") == "trip":
        # A visit, the end of a trip, the app's own doings: the last place there was, under a new time.
        return Unusable("not_a_location")
    place = mapping_of(mapping_of(point).get("geometry")).get("coordinates")
    if type(place) is not list or len(place) < 2:
        return Unusable("bad_position")
    try:
        latitude, longitude = position_of(place[1], place[0])
        fix_time = time_of(told.get("timestamp"))
    except RemoteProtocolError as error:
        return Unusable(error.reason)
    course = scaled(told.get("course"), 1, 0, 360)
    return Report(
        fix_time,
        latitude,
        longitude,
        altitude=scaled(told.get("altitude"), 1, -1_000, 20_000),
        speed=scaled(told.get("speed"), 100, 0, 100_000),
        course=None if course is None else course % 360,
        accuracy=scaled(told.get("horizontal_accuracy"), 10, 1, 1_000_000),
        live=False,
        items=_items(told) or None,
    )


def _items(told: dict[str, Any]) -> dict[str, object]:
    motion, state = told.get("motion"), told.get("battery_state")
    words = [word for word in motion if type(word) is str] if type(motion) is list else []
    items: dict[str, object | None] = {
        "battery": scaled(told.get("battery_level"), 100, 0, 100),
        "charging": _CHARGING.get(state) if type(state) is str else None,
        # That there is one, never its name: it says where somebody lives.
        "net": "wifi" if told.get("wifi") else None,
        "activity": clean(",".join(words)) if words else None,
    }
    return {name: item for name, item in items.items() if item is not None}


def encode(device_id: str, reports: Sequence[Report], current: Report | None = None) -> bytes:
    """The body with which the app sends these points."""
    told: dict[str, object] = {"locations": [_feature(device_id, report) for report in reports]}
    if current is not None:
        told["current"] = _feature(device_id, current)
    return json.dumps(told, separators=(",", ":")).encode()


def _feature(device_id: str, report: Report) -> dict[str, object]:
    if report.fix_time is None or report.latitude is None or report.longitude is None:
        raise ValueError("Overland reports positions only")
    items = report.items or {}
    battery, charging = items.get("battery"), items.get("charging")
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [report.longitude / 1e7, report.latitude / 1e7]},
        "properties": {
            "timestamp": (EPOCH + timedelta(seconds=report.fix_time // 1000)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "altitude": report.altitude or 0,
            "speed": -1 if report.speed is None else round(report.speed / 100),
            "course": -1 if report.course is None else report.course,
            "horizontal_accuracy": -1 if report.accuracy is None else round(report.accuracy / 10),
            "vertical_accuracy": -1,
            "motion": [],
            "battery_level": battery / 100 if isinstance(battery, int) else -1,
            "battery_state": "unknown" if charging is None else "charging" if charging else "unplugged",
            "device_id": device_id,
            "wifi": "",
        },
    }
