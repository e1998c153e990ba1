"""Our own way in for programs: many records in one request, each with an id that the client made.

The answer says of each record what became of it, so that the client can forget it: accepted, duplicate, or rejected
for ever with a reason. What else is answered is in docs/wire/phones.md, with which a client can be written.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Sequence
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
from protocols.readings import attributes_of, clean, clock_of, flag_of, position_of, scaled, time_of
from protocols.report import ALARM_SOS, CoordinateSystem, Report

BODY_LIMIT = 1 << 20
"""Bytes of a body, as sent and as unpacked: a record has some 200."""
RECORDS_LIMIT = 1000
"""Records in one request."""
SYSTEMS = {"wgs84": CoordinateSystem.WGS84, "gcj02": CoordinateSystem.GCJ02, "bd09": CoordinateSystem.BD09}
WORDS = ("activity", "event", "net")
"""Texts of a record that are kept under their own names."""
FIELDS = (
    "id", "fix_time", "lat", "lon", "accuracy", "speed", "course", "altitude", "sos", "battery", "charging", *WORDS,
    "attributes",
)  # fmt: skip
"""All that is read of a record; anything else is passed over."""


def decode(request: PhoneRequest, now: int) -> Delivery:
    """What a request says. ``now``: ms since 1970. Of the records the newest is about now if it is recent, by the
    client's own clock if that is told.

    Raises :class:`RemoteProtocolError` and nothing else: ``bad_encoding``, ``too_long``, ``malformed``, ``bad_crs``,
    ``too_many``, ``no_device``.
    """
    query = fields_of(request.query)
    user, secret = credentials_of(request.headers, query)
    told = json_of(_unpacked(request))
    if type(told) is not dict or type(told.get("records")) is not list:
        raise RemoteProtocolError("malformed", 'the body is an object with a list under "records"')
    records: list[Any] = told["records"]
    if len(records) > RECORDS_LIMIT:
        raise RemoteProtocolError("too_many", f"{len(records)} records, {RECORDS_LIMIT} allowed")
    crs = told.get("crs", "wgs84")
    if type(crs) is not str or crs not in SYSTEMS:
        raise RemoteProtocolError("bad_crs", f"crs is one of {', '.join(SYSTEMS)}")
    clock = clock_of(told.get("now"))
    names = names_of(told.get("device"), user)
    results = [_result(record, SYSTEMS[crs], clock) for record in records]
    newest = max(
        (result for result in results if isinstance(result, Report)), key=lambda r: r.fix_time or 0, default=None
    )
    if newest is not None:
        newest.live = (now if clock is None else clock) - (newest.fix_time or 0) <= LIVE_MS
    return Delivery(names, secret, tuple(results), ids=tuple(_id(record) for record in records))


def _unpacked(request: PhoneRequest) -> bytes:
    """The body as it was before it was packed, never more than :data:`BODY_LIMIT` bytes of it."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    body = request.body
    if encoding == "gzip":
        unpacker = zlib.decompressobj(wbits=31)
        try:
            body = unpacker.decompress(body, BODY_LIMIT + 1)
        except zlib.error:
            raise RemoteProtocolError("malformed", "the body is not gzip") from None
        if len(body) <= BODY_LIMIT and (not unpacker.eof or unpacker.unused_data):
            raise RemoteProtocolError("malformed", "the body is not one whole gzip stream")
    elif encoding != "identity":
        raise RemoteProtocolError("bad_encoding", "Content-Encoding is gzip or nothing")
    if len(body) > BODY_LIMIT:
        raise RemoteProtocolError("too_long", f"a body has at most {BODY_LIMIT} bytes, unpacked")
    return body


def _id(record: object) -> str:
    value = mapping_of(record).get("id")
    return value if type(value) is str and 0 < len(value) <= 64 and value.isprintable() else ""


def _result(record: object, crs: CoordinateSystem, clock: int | None) -> Report | Unusable:
    if type(record) is not dict:
        return Unusable("malformed")
    if not _id(record):
        return Unusable("no_id")
    lat, lon = record.get("lat"), record.get("lon")
    latitude: int | None = None
    longitude: int | None = None
    try:
        if lat is not None or lon is not None:
            latitude, longitude = position_of(lat, lon)
        fix_time = time_of(record.get("fix_time"))
    except RemoteProtocolError as error:
        return Unusable(error.reason)
    course = scaled(record.get("course"), 1, 0, 360)
    return Report(
        fix_time,
        latitude,
        longitude,
        altitude=scaled(record.get("altitude"), 1, -1_000, 20_000),
        speed=scaled(record.get("speed"), 100, 0, 100_000),
        course=None if course is None else course % 360,
        accuracy=scaled(record.get("accuracy"), 10, 1, 1_000_000),
        alarm=ALARM_SOS if record.get("sos") is True else 0,
        live=False,
        device_time=clock,
        items=_items(record) or None,
        crs=crs,
    )


def _items(record: dict[str, Any]) -> dict[str, object]:
    items: dict[str, object | None] = {
        "battery": scaled(record.get("battery"), 1, 0, 100),
        "charging": flag_of(record.get("charging")),
        "attributes": attributes_of(mapping_of(record.get("attributes"))) or None,
    }
    for name in WORDS:
        text = record.get(name)
        items[name] = clean(text) if type(text) is str and text else None
    return {name: item for name, item in items.items() if item is not None}


def answer(ids: Sequence[str], verdicts: Sequence[str]) -> bytes:
    """The answer when everything that was accepted is on disk. A verdict for each record, in their order: empty if it
    was accepted, ``duplicate``, or the reason for which it never will be."""
    accepted = [id for id, verdict in zip(ids, verdicts, strict=True) if not verdict]
    duplicate = [id for id, verdict in zip(ids, verdicts, strict=True) if verdict == "duplicate"]
    rejected = [
        {"index": index, "id": id or None, "reason": verdict}
        for index, (id, verdict) in enumerate(zip(ids, verdicts, strict=True))
        if verdict not in ("", "duplicate")
    ]
    told = {"accepted": accepted, "duplicate": duplicate, "rejected": rejected}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def encode(device_id: str, records: Sequence[tuple[str, Report]], *, now: int | None = None) -> bytes:
    """The body with which a client sends these records, each with its id. ``now``: its own clock, ms."""
    told: dict[str, object] = {"device": device_id, "records": [_record(id, report) for id, report in records]}
    if now is not None:
        told["now"] = now
    return json.dumps(told, separators=(",", ":")).encode()


def packed(body: bytes) -> bytes:
    """The body for ``Content-Encoding: gzip``, the same for the same body."""
    return gzip.compress(body, mtime=0)


def _record(id: str, report: Report) -> dict[str, object]:
    told: dict[str, object | None] = {
        "id": id,
        "fix_time": report.fix_time,
        "lat": None if report.latitude is None else report.latitude / 1e7,
        "lon": None if report.longitude is None else report.longitude / 1e7,
        "accuracy": None if report.accuracy is None else report.accuracy / 10,
        "speed": None if report.speed is None else report.speed / 100,
        "course": report.course,
        "altitude": report.altitude,
        "sos": True if report.alarm & ALARM_SOS else None,
        **(report.items or {}),
    }
    return {name: value for name, value in told.items() if value is not None}
