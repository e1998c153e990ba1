"""Phone apps over HTTP: the Traccar Client in both its forms, on the phones' port and on the field site.

2xx means to an app: delivered, forget it. So it is said when the report is on disk, and also for what can
never be accepted, or the phone's queue would stand still behind it. Docs: docs/wire/phones.md.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from twisted.internet.defer import Deferred
from twisted.web.http import Request
from twisted.web.pages import notFound
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from protocols import traccar
from storage.journal import JournalFull
from tracker.intake import Intake

PROTOCOL = "traccar"
BODY_LIMIT = 64 * 1024
"""A report has a few hundred bytes; the largest form has a few thousand."""
RETRY_SECONDS = 30
RATE = 20
"""Reports a second that one phone may send for as long as it likes,"""
BURST = 20_000
"""and at once: a day's backlog, one by one. Beyond that it is told to come again."""
PHONES = 20_000
"""Phones whose use is remembered; the one not heard of for longest is forgotten."""


class PhoneReports(Resource):
    """Answers at its own path and nowhere below it."""

    isLeaf = False

    def __init__(self, intake: Intake) -> None:
        super().__init__()
        self._intake = intake
        self._used: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def getChild(self, path: bytes, request: Request) -> Any:
        return self if path == b"" else notFound()

    def render(self, request: Any) -> Any:
        if request.method not in (b"GET", b"POST"):
            return _answer(request, 405, "use GET or POST")
        # requestReceived has read the body already; its size was bounded by the site.
        body = request.content.read(BODY_LIMIT + 1)
        if len(body) > BODY_LIMIT:
            self._intake.counters.refuse(PROTOCOL, "too_long")
            return _answer(request, 413, "a report has at most 64 kB")
        _, _, query = request.uri.partition(b"?")
        # As text, twisted.web fails on bytes that are no UTF-8.
        content_type = (request.getHeader(b"content-type") or b"").decode("utf-8", "replace")
        intake = self._intake
        try:
            delivery = traccar.decode(query, body, content_type, now=intake.wall())
        except traccar.DeliveryError as error:
            known = bool(error.device_id) and intake.roster.find(PROTOCOL, error.device_id) is not None
            intake.counters.refuse(PROTOCOL, error.reason)
            # A bad record of a known device is answered 200: sent again it would be as bad.
            return _answer(request, 200 if known else _unknown(error.form), error.reason)
        carrier = intake.find(PROTOCOL, delivery.device_id, request.getClientAddress().host)
        if carrier is None:
            return _answer(request, _unknown(delivery.form), "this device is not registered")
        if not self._allowed(carrier.device.id):
            intake.counters.refuse(PROTOCOL, "slowed_down")
            return _later(request, 429)
        stored: Deferred[int | None] = Deferred()
        try:
            intake.submit(carrier, [delivery.report], stored.callback)
        except JournalFull:
            return _later(request)
        alive = [True]
        request.notifyFinish().addErrback(lambda _: alive.clear())

        def answer(first: int | None) -> None:
            if alive:
                request.write(_later(request) if first is None else _answer(request, 200, ""))
                request.finish()

        stored.addCallback(answer)
        return NOT_DONE_YET

    def _allowed(self, device: str) -> bool:
        now = self._intake.wall()
        used, at = self._used.pop(device, (0.0, now))
        used = max(0.0, used - (now - at) / 1000 * RATE) + 1
        self._used[device] = (min(used, BURST + 1), now)
        if len(self._used) > PHONES:
            self._used.popitem(last=False)
        return used <= BURST


def _unknown(form: str) -> int:
    return 404 if form == "json" else 400


def _answer(request: Any, code: int, text: str) -> bytes:
    request.setResponseCode(code)
    request.setHeader("content-type", "text/plain; charset=utf-8")
    body = text.encode()
    request.setHeader("content-length", str(len(body)))
    return body


def _later(request: Any, code: int = 503) -> bytes:
    request.setHeader("retry-after", str(RETRY_SECONDS))
    return _answer(request, code, "not stored; send it again later")
