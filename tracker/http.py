"""Phone apps over HTTP, on the phones' port and on the field site: one resource for all of tracker/phone_apps.py.

2xx means to an app: delivered, forget it. So it is said when the reports are on disk, and also for what can
never be accepted, or the phone's queue would stand still behind it. Docs: docs/wire/phones.md.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.web.http import Request
from twisted.web.pages import notFound
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from protocols.delivery import Delivery, PhoneRequest, fields_of
from protocols.errors import RemoteProtocolError
from protocols.phone_setup import gpslogger_profile
from protocols.report import Report
from storage.journal import JournalFull
from tracker.catalogue import CATALOGUE
from tracker.intake import Intake
from tracker.phone_apps import BODY_LIMIT, PATHS, TEXT, PhoneApp, app_of
from tracker.phone_limits import Rates, RecentIds
from tracker.phone_records import judge
from tracker.roster import Carrier
from tracker.spread import spread
from tracker.tokens import accepts

__all__ = ["BODY_LIMIT", "PhoneReports"]

RETRY_SECONDS = 30
_NOT_KNOWN = (
    'this device is not known here, or its password is another; set the app up anew from the console\'s page "Phones". '
    "此处没有该设备，或其口令已更换；请按控制台“手机接入”页重新设置应用。"
)
"""Some apps show it to their owner."""
RETRY_SPREAD = 30
"""Seconds over which those phones come again that were told to in one moment."""
_HEADERS = ("authorization", "content-encoding", "content-type", "x-limit-d", "x-limit-u")


class PhoneReports(Resource):
    """The root of the phones' paths. One serves both sites, so that what a phone has sent is known on either."""

    isLeaf = False

    def __init__(self, intake: Intake) -> None:
        super().__init__()
        self.intake = intake
        self.rates = Rates()
        self.ids = RecentIds()
        self._root = _Reports(self, None)
        for path, app in PATHS.items():
            self.putChild(path, _Reports(self, app))
        self.children[b"gpslogger"].putChild(b"gridbeat.properties", _Profile(intake))

    def getChild(self, path: bytes, request: Request) -> Any:
        return self._root if path == b"" else notFound()

    def render(self, request: Any) -> Any:
        return self._root.render(request)


class _Reports(Resource):
    """Answers at its own path and nowhere below it. ``app``: ``None`` to look at each request whose it is."""

    def __init__(self, door: PhoneReports, app: PhoneApp | None) -> None:
        super().__init__()
        self._door, self._intake, self._app = door, door.intake, app

    def getChild(self, path: bytes, request: Request) -> Any:
        return self if path == b"" else notFound()

    def render(self, request: Any) -> Any:
        # requestReceived has read the body already; its size was bounded by the site.
        body = request.content.read(BODY_LIMIT + 1)
        told = PhoneRequest(request.uri.partition(b"?")[2], body, _headers(request))
        app, intake = self._app or app_of(told), self._intake
        if app.methods and request.method not in app.methods:
            request.setHeader("allow", b", ".join(app.methods))
            return _answer(request, 405, f"use {b' or '.join(app.methods).decode()}")
        if len(body) > app.body_limit:
            intake.counters.refuse(app.protocol, "too_long")
            return _answer(request, 413, f"a request has at most {app.body_limit // 1024} kB")
        try:
            delivery = app.decode(told, intake.wall())
        except RemoteProtocolError as error:
            intake.counters.refuse(app.protocol, error.reason)
            return _answer(request, app.code_of(error.reason), str(error))
        if delivery is None:
            return _answer(request, 200, app.ok((), ()), app.kind)
        found = self._whose(app, delivery, request.getClientAddress().host)
        if type(found) is int:
            if found == app.slow:
                return _later(request, delivery.names[0], app.slow)
            if found == 401:
                request.setHeader("www-authenticate", f'{app.challenge} realm="Gridbeat"')
            return _answer(request, found, _NOT_KNOWN)
        carrier, name = found
        if not self._door.rates.allows(carrier.device.id, len(delivery.results), intake.wall()):
            intake.counters.refuse(app.protocol, "slowed_down")
            return _later(request, carrier.device.id, app.slow)
        return self._take(app, delivery, carrier, name, request)

    def _whose(self, app: PhoneApp, delivery: Delivery, address: str) -> Any:
        """The device's carrier and the name that it was found by, or the code of the refusal, which is counted."""
        intake, protocol, registered = self._intake, app.protocol, False
        for name in delivery.names:
            carrier = intake.roster.find(protocol, name)
            if carrier is None:
                continue
            registered = True
            if not CATALOGUE[protocol].secret or accepts(carrier.device, delivery.secret):
                return (carrier, name) if intake.find(protocol, name, address) else app.unknown
        if registered:
            intake.counters.refuse(protocol, "bad_token")
            return app.slow if intake.logins.wrong(protocol, delivery.names[0], address, intake.wall()) else 401
        intake.find(protocol, delivery.names[0], address)
        return app.unknown

    def _take(self, app: PhoneApp, delivery: Delivery, carrier: Carrier, name: str, request: Any) -> Any:
        """Store what can be stored; the answer is sent when it is on disk."""
        intake, ids, device = self._intake, self._door.ids, carrier.device.id
        verdicts = judge(delivery, carrier, name, ids, intake.wall())
        for reason in filter(None, verdicts):
            intake.counters.refuse(app.protocol, reason)
        wanted = [r for r, verdict in zip(delivery.results, verdicts, strict=True) if not verdict]
        if not wanted:
            intake.counters.messages[app.protocol] += 1
            intake.heard(carrier)
            return _answer(request, 200, app.ok(delivery.ids, verdicts), app.kind)
        stored: Deferred[int | None] = Deferred()
        try:
            intake.submit(carrier, [r for r in wanted if isinstance(r, Report)], stored.callback)
        except JournalFull:
            return _later(request, device)
        alive = [True]
        request.notifyFinish().addErrback(lambda _: alive.clear())

        def answer(first: int | None) -> None:
            if first:
                ids.add(device, (id for id, verdict in zip(delivery.ids, verdicts, strict=False) if not verdict))
            elif first == 0 and delivery.ids:  # no value of these could be written; sent again it would be the same
                verdicts[:] = [verdict or "unstorable" for verdict in verdicts]
            if alive:
                told = (
                    _later(request, device)
                    if first is None
                    else _answer(request, 200, app.ok(delivery.ids, verdicts), app.kind)
                )
                request.write(told)
                request.finish()

        stored.addCallback(answer)
        return NOT_DONE_YET


class _Profile(Resource):
    """The settings that GPSLogger's link fetches, for whoever has the device's id and secret."""

    isLeaf = True

    def __init__(self, intake: Intake) -> None:
        super().__init__()
        self._intake = intake

    def render(self, request: Any) -> Any:
        try:
            told = fields_of(request.uri.partition(b"?")[2])
        except RemoteProtocolError as error:
            return _answer(request, 400, str(error))
        carrier = self._intake.roster.find("gpslogger", told.get("id", ""))
        if carrier is None or not accepts(carrier.device, told.get("token", "")):
            return _answer(request, 404, _NOT_KNOWN)
        request.setHeader("cache-control", "no-store")
        return _answer(request, 200, gpslogger_profile(told.get("url", ""), told["id"], told["token"]))


def _headers(request: Any) -> dict[str, str]:
    # As text, twisted.web fails on bytes that are no UTF-8.
    found = {name: request.getHeader(name.encode()) for name in _HEADERS}
    return {name: value.decode("utf-8", "replace") for name, value in found.items() if value is not None}


def _answer(request: Any, code: int, told: str | bytes, kind: str = TEXT) -> bytes:
    request.setResponseCode(code)
    request.setHeader("content-type", kind)
    body = told if isinstance(told, bytes) else told.encode()
    request.setHeader("content-length", str(len(body)))
    return body


def _later(request: Any, device: str, code: int = 503) -> bytes:
    request.setHeader("retry-after", str(RETRY_SECONDS + spread(device, RETRY_SPREAD)))
    return _answer(request, code, "not stored; send it again later")
