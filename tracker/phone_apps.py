"""The phone apps as a table: where each comes in, who reads its requests, and what it is answered.

An app takes any 2xx as "delivered, forget it"; what the others mean to it differs, and is why the codes differ
(docs/wire/phones.md). A new app is a decoder and its entry here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from protocols import batch, gpslogger, overland, owntracks, traccar
from protocols.delivery import Delivery, PhoneRequest, Unusable, mapping_of
from protocols.errors import RemoteProtocolError

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class PhoneApp:
    """``ok`` makes the body of the answer to what was delivered, of the records' ids and what became of each (empty:
    it is on disk). ``unknown``: the code for a device that we do not know or that nobody named; ``slow``: for one
    that sends too fast. ``codes``: for a request that can never be read, by its reason, where 400 is not right."""

    protocol: str
    decode: Callable[[PhoneRequest, int], Delivery | None]
    ok: Callable[[Sequence[str], Sequence[str]], bytes]
    kind: str = JSON
    methods: tuple[bytes, ...] = (b"POST",)
    """Empty: any."""
    body_limit: int = 1 << 20
    unknown: int = 404
    slow: int = 429
    challenge: str = "Basic"
    codes: dict[str, int] = field(default_factory=dict)

    def code_of(self, reason: str) -> int:
        """What is answered to a request that cannot be read."""
        return self.unknown if reason == "no_device" else self.codes.get(reason, 400)


def _traccar(request: PhoneRequest, now: int) -> Delivery:
    told = request.query, request.body, request.headers.get("content-type", "")
    try:
        delivery = traccar.decode(*told, now=now)
    except traccar.DeliveryError as error:
        if not error.device_id:
            raise RemoteProtocolError(error.reason, error.detail) from None
        return Delivery((error.device_id,), "", (Unusable(error.reason),))
    return Delivery((delivery.device_id,), "", (delivery.report,))


def _silent(ids: Sequence[str], verdicts: Sequence[str]) -> bytes:
    return b""


TRACCAR_QUERY = PhoneApp(
    "traccar", _traccar, _silent, TEXT, methods=(b"GET", b"POST"), body_limit=traccar.REQUEST_LIMIT, unknown=400
)
TRACCAR_JSON = PhoneApp(
    "traccar", _traccar, _silent, TEXT, methods=(b"GET", b"POST"), body_limit=traccar.REQUEST_LIMIT,
    codes=dict.fromkeys(("malformed", "too_long"), 404),
)  # fmt: skip
# On iOS every 4xx makes the app drop the record, so one that is to come again later is answered 503.
OWNTRACKS = PhoneApp("owntracks", owntracks.decode, lambda ids, verdicts: b"[]", slow=503)
GPSLOGGER = PhoneApp("gpslogger", gpslogger.decode, _silent, TEXT, methods=(), body_limit=traccar.REQUEST_LIMIT)
OVERLAND = PhoneApp(
    "overland", overland.decode, lambda ids, verdicts: overland.OK, challenge="Bearer", codes={"too_many": 413}
)
BATCH = PhoneApp(
    "batch", batch.decode, batch.answer, body_limit=batch.BODY_LIMIT, challenge="Bearer",
    codes={"too_long": 413, "too_many": 413, "bad_encoding": 415},
)  # fmt: skip

PATHS: dict[bytes, PhoneApp] = {
    b"owntracks": OWNTRACKS,
    b"gpslogger": GPSLOGGER,
    b"overland": OVERLAND,
    b"batch": BATCH,
}
"""By the first part of the path; at ``/`` it is :func:`app_of`."""
BODY_LIMIT = max(app.body_limit for app in PATHS.values())
"""Bytes of a body that a site of phones must let through."""


def app_of(request: PhoneRequest) -> PhoneApp:
    """Whose request it is that came to ``/``, where people who type a host and nothing else send every app."""
    headers, body = request.headers, request.body
    if "x-limit-u" in headers or "x-limit-d" in headers:
        return OWNTRACKS
    if b'"_type"' in body or b'"locations"' in body:
        try:
            told = json.loads(body)
        except (ValueError, RecursionError):
            told = None
        first = mapping_of(told[0] if type(told) is list and told else told)
        if type(first.get("_type")) is str:
            return OWNTRACKS
        if type(first.get("locations")) is list:
            return OVERLAND
    is_json = traccar.form_of(request.query, body, headers.get("content-type", "")) == "json"
    return TRACCAR_JSON if is_json else TRACCAR_QUERY
