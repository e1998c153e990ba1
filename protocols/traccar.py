"""The two ways in which Traccar Client reports: a query string or form (up to 8, from 10 on, and all "OsmAnd" apps),
or JSON (9).

One request is one report, and the answer's status is the acknowledgement; what to answer is in
docs/wire/phones.md. A reading that makes no sense is left out; a time or a position that makes none refuses
the request, because a position without them means something else. Coordinates are WGS-84, as both apps take
them from the phone's receiver.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

from protocols.delivery import FIELD_LIMIT, LIVE_MS, NAME_LIMIT, json_of, mapping_of, name_of
from protocols.errors import RemoteProtocolError
from protocols.readings import EPOCH, attributes_of, clean, flag_of, number_of, position_of, scaled, time_of, typed
from protocols.report import ALARM_SOS, Report

Form = Literal["query", "json"]

REQUEST_LIMIT = 64 * 1024
"""Bytes of query and body. A request is some 300 bytes; a form with many extras stays far below this."""
CMS_PER_KNOT = 185_200 / 3_600


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request: whose it is, what it reports, and in which form it came (which decides the answers)."""

    device_id: str
    report: Report
    form: Form


class DeliveryError(RemoteProtocolError):
    """A request that can never be accepted. ``device_id`` is empty if it does not say whose it is.

    ``reason`` is one of ``malformed``, ``too_long``, ``no_device``, ``no_time``, ``bad_time``, ``bad_position``.
    """

    def __init__(self, reason: str, detail: str, form: Form, device_id: str = "") -> None:
        super().__init__(reason, detail)
        self.form: Form = form
        self.device_id = device_id


def form_of(query: bytes, body: bytes, content_type: str) -> Form:
    """Which of the two forms a request has."""
    kind = content_type.partition(";")[0].strip().lower()
    is_json = kind == "application/json" or (not kind and not query and body.lstrip()[:1] == b"{")
    return "json" if is_json else "query"


def decode(query: bytes, body: bytes, content_type: str, *, now: int | None = None) -> Delivery:
    """What a request says. ``query`` is the part after ``?``, still percent-encoded.

    ``now``, the time of receipt in ms, tells what had waited in the phone, and stands in for a position without a
    timestamp; when it is not given such a position is refused. Raises :class:`DeliveryError` and nothing else.
    """
    form = form_of(query, body, content_type)
    device_id = ""
    try:
        if len(query) + len(body) > REQUEST_LIMIT:
            raise RemoteProtocolError("too_long", f"{len(query) + len(body)} bytes, {REQUEST_LIMIT} allowed")
        fields = _json_fields(body) if form == "json" else _query_fields(query, body)
        device_id = _device(fields)
        return Delivery(device_id, _report(fields, now), form)
    except RemoteProtocolError as error:
        raise DeliveryError(error.reason, error.detail, form, device_id) from None


@dataclass(slots=True)
class _Fields:
    """Both forms brought to one: the query form's names, and speed in cm/s, battery in %."""

    values: dict[str, Any]
    extras: dict[str, Any]
    speed_unit: float
    battery_unit: float
    unknown: float | None
    """The number that stands for "not known" (JSON: -1)."""


_NAMES = frozenset(
    {
        "accuracy", "activity", "alarm", "altitude", "batt", "bearing", "charge", "deviceid", "driverUniqueId",
        "event", "hdop", "heading", "id", "is_moving", "lat", "location", "lon", "mock", "odometer", "speed",
        "timestamp", "valid",
    }
)  # fmt: skip
"""The query form's keys that we know; every other is an attribute."""


_SHORT = {"acc": "accuracy", "alt": "altitude", "dir": "bearing", "ischarging": "charge"}
"""What GPSLogger calls them; its ``spd`` is in m/s."""


def _query_fields(query: bytes, body: bytes) -> _Fields:
    values: dict[str, Any] = {}
    extras: dict[str, Any] = {}
    for part in (query, body):
        try:
            text = part.decode("utf-8", "replace").strip()
            pairs = parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=FIELD_LIMIT)
        except ValueError:
            raise RemoteProtocolError("malformed", f"more than {FIELD_LIMIT} fields") from None
        for name, value in pairs:
            if name in _NAMES:
                values[name] = value.strip()
            else:
                extras[name] = typed(value)
    if "spd" in extras:  # GPSLogger, registered as such an app; nobody else says that
        for short, name in _SHORT.items():
            if short in extras:
                values.setdefault(name, extras.pop(short))
        metres = number_of(extras.pop("spd"))
        if metres is not None:
            values.setdefault("speed", metres * 100 / CMS_PER_KNOT)
    values["device"] = values.get("id") or values.get("deviceid")
    return _Fields(values, extras, CMS_PER_KNOT, 1, None)


def _json_fields(body: bytes) -> _Fields:
    location = _object(message := json_of(body), "a request").get("location")
    location = {} if location is None else _object(location, "location")
    coords = location.get("coords")
    coords = {} if coords is None else _object(coords, "coords")
    battery, activity, extras = (mapping_of(location.get(name)) for name in ("battery", "activity", "extras"))
    told = {
        "device": message.get("device_id"),
        "lat": coords.get("latitude"),
        "lon": coords.get("longitude"),
        "batt": battery.get("level"),
        "charge": battery.get("is_charging"),
        "activity": activity.get("type"),
    }
    told |= {name: coords.get(name) for name in ("accuracy", "speed", "heading", "altitude")}
    told |= {name: location.get(name) for name in ("timestamp", "is_moving", "odometer", "event", "mock", "alarm")}
    return _Fields(told, extras, 100, 100, -1)


def _object(value: object, name: str) -> dict[str, Any]:
    if type(value) is not dict:
        raise RemoteProtocolError("malformed", f"{name} is not an object")
    return value


def _device(fields: _Fields) -> str:
    value = fields.values.get("device")
    if value is None or value == "":
        raise RemoteProtocolError("no_device", "the request does not say whose it is")
    name = name_of(value)
    if not name:
        raise RemoteProtocolError("no_device", f"a device id has up to {NAME_LIMIT} printable characters")
    return name


def _report(fields: _Fields, now: int | None) -> Report:
    latitude, longitude = _coordinates(fields)
    stamp = fields.values.get("timestamp")
    if stamp is None or stamp == "":
        if latitude is not None and now is None:
            raise RemoteProtocolError("no_time", "a position without a timestamp")
        fix_time = now if latitude is not None else None
    else:
        fix_time = time_of(stamp)
    if flag_of(fields.values.get("valid")) is False:
        latitude = longitude = None
    items: dict[str, object] = {}
    for name, (key, read) in _ITEMS.items():
        item = read(fields, fields.values.get(key))
        if item is not None:
            items[name] = item
    alarm, word = 0, _text(fields, fields.values.get("alarm"))
    if word is not None:
        alarm = ALARM_SOS if word.lower() == "sos" else 0
        items["alarm"] = word
    attributes = attributes_of(fields.extras)
    if attributes:
        items["attributes"] = attributes
    course = _reading(fields, "bearing", 1, 0, 360)
    if course is None:
        course = _reading(fields, "heading", 1, 0, 360)
    return Report(
        fix_time,
        latitude,
        longitude,
        altitude=_reading(fields, "altitude", 1, -1_000, 20_000),
        speed=_reading(fields, "speed", fields.speed_unit, 0, 100_000),
        course=None if course is None else course % 360,
        # Android says 0 when it does not know; no receiver is exact to the decimetre.
        accuracy=_reading(fields, "accuracy", 10, 1, 1_000_000),
        alarm=alarm,
        live=now is None or fix_time is None or now - fix_time <= LIVE_MS,
        items=items or None,
    )


def _coordinates(fields: _Fields) -> tuple[int | None, int | None]:
    """1e-7 degrees, or both ``None`` if the request has none; ``bad_position`` for anything between."""
    told = [fields.values.get("lat"), fields.values.get("lon")]
    both = fields.values.get("location")
    if type(both) is str and both and told[0] in (None, "") and told[1] in (None, ""):
        told = [part.strip() for part in both.split(",", 2)]
    if all(value is None or value == "" for value in told):
        return None, None
    if len(told) != 2:
        raise RemoteProtocolError("bad_position", "latitude and longitude are two numbers")
    return position_of(*told)


def _reading(fields: _Fields, name: str, unit: float, low: int, high: int) -> int | None:
    value = fields.values.get(name)
    return None if number_of(value) == fields.unknown else scaled(value, unit, low, high)


def _text(fields: _Fields, value: object) -> str | None:
    return clean(value) if type(value) is str and value else None


def _percent(fields: _Fields, value: object) -> int | None:
    return _reading(fields, "batt", fields.battery_unit, 0, 100)


def _metres(fields: _Fields, value: object) -> int | None:
    return _reading(fields, "odometer", 1, 0, 1 << 53)


def _positive(fields: _Fields, value: object) -> float | None:
    number = number_of(value)
    return number if number is not None and number >= 0 else None


_ITEMS: dict[str, tuple[str, Callable[[_Fields, object], object]]] = {
    "battery": ("batt", _percent),
    "charging": ("charge", lambda _, value: flag_of(value)),
    "hdop": ("hdop", _positive),
    "driver": ("driverUniqueId", _text),
    "activity": ("activity", _text),
    "odometer_m": ("odometer", _metres),
    "mock": ("mock", lambda _, value: flag_of(value)),
    "event": ("event", _text),
    "moving": ("is_moving", lambda _, value: flag_of(value)),
}
"""Name in :attr:`Report.items` -> field, and how it is read."""


def encode_query(device_id: str, report: Report) -> bytes:
    """The query string with which a phone reports this: what :func:`decode` takes as ``query``."""
    items = report.items or {}
    told: dict[str, object] = {"id": device_id}
    if report.fix_time is not None:
        told["timestamp"] = report.fix_time if report.fix_time % 1000 else report.fix_time // 1000
    if report.latitude is not None and report.longitude is not None:
        told |= {"lat": f"{report.latitude / 1e7:.7f}", "lon": f"{report.longitude / 1e7:.7f}"}
    if report.speed is not None:
        told["speed"] = f"{report.speed / CMS_PER_KNOT:.4f}"
    if report.accuracy is not None:
        told["accuracy"] = report.accuracy / 10
    told |= {"bearing": report.course, "altitude": report.altitude, "batt": items.get("battery")}
    charging = items.get("charging")
    told["charge"] = None if charging is None else str(charging).lower()
    told["alarm"] = "sos" if report.alarm & ALARM_SOS else None
    return urlencode({name: value for name, value in told.items() if value is not None}).encode("ascii")


def encode_json(device_id: str, report: Report) -> bytes:
    """The JSON body with which a phone reports this: what :func:`decode` takes as ``body``."""
    items = report.items or {}
    location: dict[str, object] = {"is_moving": bool(report.speed)}
    if report.fix_time is not None:
        moment = EPOCH + timedelta(milliseconds=report.fix_time)
        location["timestamp"] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if report.latitude is not None and report.longitude is not None:
        location["coords"] = {
            "latitude": report.latitude / 1e7,
            "longitude": report.longitude / 1e7,
            "accuracy": -1 if report.accuracy is None else report.accuracy / 10,
            "speed": -1 if report.speed is None else report.speed / 100,
            "heading": -1 if report.course is None else report.course,
            "altitude": -1 if report.altitude is None else report.altitude,
        }
    battery = items.get("battery")
    level = battery / 100 if isinstance(battery, int) else -1
    location["battery"] = {"level": level, "is_charging": items.get("charging") is True}
    if report.alarm & ALARM_SOS:
        location["alarm"] = "sos"
    return json.dumps({"location": location, "device_id": device_id}, separators=(",", ":")).encode()
