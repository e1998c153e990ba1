"""OwnTracks in HTTP mode, of Android and iOS: one JSON object a request, of which ``location`` is what we take.

Whose it is stands in several places, of which the apps fill some (docs/wire/phones.md). Coordinates are WGS-84. The
app leaves zero values out: a reading that is missing, or 0 where 0 says nothing, is not known; of latitude and
longitude one may be missing, on the equator or the first meridian.
"""

from __future__ import annotations

import json
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
    names_of,
)
from protocols.errors import RemoteProtocolError
from protocols.readings import clean, clock_of, position_of, scaled, time_of
from protocols.report import Report

CMS_PER_KMH = 100_000 / 3_600
OBJECTS_LIMIT = 1000
"""Objects in one request, should somebody send an array of them; the apps send one."""

_UNSET = {"x-limit-u": "user", "x-limit-d": "device"}
"""What iOS says when nobody has filled in the field."""
_CHARGING = {1: False, 2: True, 3: True}
_NETWORKS = {"w": "wifi", "m": "mobile", "o": "none"}


def decode(request: PhoneRequest, now: int) -> Delivery | None:
    """What a request says; ``None`` for an empty body, by which the app deletes a friend. ``now``: ms since 1970.

    Raises :class:`RemoteProtocolError` (``malformed``, ``no_device``) and nothing else.
    """
    if not request.body.strip():
        return None
    query = fields_of(request.query)
    user, secret = credentials_of(request.headers, query)
    try:
        told = json_of(request.body)
        messages = told if type(told) is list else [told]
        if len(messages) > OBJECTS_LIMIT:
            raise RemoteProtocolError("malformed", f"more than {OBJECTS_LIMIT} objects")
        results = tuple(_result(message, now) for message in messages)
    except RemoteProtocolError as error:
        # Whoever says who it is has it counted and goes on: the app would send it for ever.
        messages, results = [], (Unusable(error.reason),)
    first = mapping_of(messages[0]) if messages else {}
    return Delivery(_names(request, query, user, first), secret, results)


def _names(request: PhoneRequest, query: dict[str, str], user: str, message: dict[str, Any]) -> tuple[str, ...]:
    """The user, with and without the device; then the same of the topic, and at last the two letters."""
    headers = {name: request.headers.get(name, "").strip() for name in _UNSET}
    limit = {name: "" if headers[name] == unset else headers[name] for name, unset in _UNSET.items()}
    names: list[object] = _pair(
        user or limit["x-limit-u"] or query.get("u", ""), limit["x-limit-d"] or query.get("d", "")
    )
    topic = message.get("topic")
    if type(topic) is str:
        parts = topic.split("/")
        if parts[0] == "owntracks" and len(parts) >= 3:
            names += _pair("" if parts[1] == "user" else parts[1], parts[2])
        names.append(topic)
    return names_of(*names, message.get("tid"))


def _pair(user: str, device: str) -> list[object]:
    return [user, f"{user}/{device}"] if user and device else [user or device]


def _result(told: object, now: int) -> Report | Unusable:
    if type(told) is not dict:
        return Unusable("malformed")
    if told.get("_type") != "location":
        # A transition, waypoint, status, card or command, or one that is encrypted with a key we do not have.
        return Unusable("encrypted" if told.get("_type") == "encrypted" else "not_a_location")
    try:
        return _report(told, now)
    except RemoteProtocolError as error:
        return Unusable(error.reason)


def _report(told: dict[str, Any], now: int) -> Report:
    lat, lon = told.get("lat"), told.get("lon")
    if lat is None and lon is None:
        raise RemoteProtocolError("bad_position", "neither latitude nor longitude")
    latitude, longitude = position_of(0 if lat is None else lat, 0 if lon is None else lon)
    fix_time = time_of(told.get("tst"))
    made = clock_of(told.get("created_at")) or fix_time
    # The message is about now if it was made just now. Its fix may be old all the same, of a phone that lies still:
    # then the time of making is not told on, or the clock would be blamed for the age of the fix.
    live = now - made <= LIVE_MS
    course = scaled(told.get("cog"), 1, 0, 360)
    return Report(
        fix_time,
        latitude,
        longitude,
        altitude=scaled(told.get("alt"), 1, -1_000, 20_000),
        speed=scaled(told.get("vel"), CMS_PER_KMH, 0, 100_000),
        course=None if course is None else course % 360,
        accuracy=scaled(told.get("acc"), 10, 1, 1_000_000),
        live=live,
        device_time=None if live and made - fix_time > LIVE_MS else made,
        items=_items(told) or None,
    )


def _items(told: dict[str, Any]) -> dict[str, object]:
    motion = told.get("motionactivities")
    words = [word for word in motion if type(word) is str] if type(motion) is list else []
    state, conn = told.get("bs"), told.get("conn")
    items: dict[str, object | None] = {
        "battery": scaled(told.get("batt"), 1, 0, 100),
        "charging": _CHARGING.get(state) if type(state) is int else None,
        "net": _NETWORKS.get(conn) if type(conn) is str else None,
        "activity": clean(",".join(words)) if words else None,
    }
    for name, key in (("trigger", "t"), ("tag", "tag"), ("place", "poi")):
        text = told.get(key)
        items[name] = clean(text) if type(text) is str and text else None
    return {name: item for name, item in items.items() if item is not None}


def encode(report: Report, *, tid: str = "", topic: str = "", created_at: int | None = None) -> bytes:
    """The body with which the app reports this position; ``created_at`` in ms. Headers are the caller's."""
    if report.fix_time is None or report.latitude is None or report.longitude is None:
        raise ValueError("OwnTracks reports positions only")
    items = report.items or {}
    told: dict[str, object] = {
        "_type": "location",
        "lat": report.latitude / 1e7,
        "lon": report.longitude / 1e7,
        "tst": report.fix_time // 1000,
        "tid": tid,
        "topic": topic,
        "created_at": None if created_at is None else created_at // 1000,
        "acc": None if report.accuracy is None else round(report.accuracy / 10),
        "alt": report.altitude,
        "vel": None if report.speed is None else round(report.speed / CMS_PER_KMH),
        "cog": report.course,
        "batt": items.get("battery"),
        "bs": {True: 2, False: 1}.get(bool(items["charging"])) if "charging" in items else None,
        "t": items.get("trigger"),
    }
    return json.dumps({name: value for name, value in told.items() if value}, separators=(",", ":")).encode()
