"""Every phone app over a real site: on disk before 2xx, codes that each understands, ids, packed bodies, profiles."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.web.resource import Resource

from protocols import batch, gpslogger, overland, owntracks
from protocols.delivery import basic
from protocols.phone_setup import gpslogger_profile
from tests.tracker.helpers import HOUR, NOON, House, report
from tracker.http import BODY_LIMIT, PhoneReports
from tracker.model import Mark
from tracker.phone_limits import Rates
from tracker.site import BoundedSite


@dataclass
class Reply:
    code: int
    headers: dict[str, str]
    body: str


class Place:
    """A house with its phones' site. Every phone has the id ``7f3a9c``."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.door = PhoneReports(house.intake)
        self.site = BoundedSite(self.door, Clock(), body_limit=BODY_LIMIT)
        self.tokens = {
            name: house.token(house.register(name, "7f3a9c"))
            for name in ("owntracks", "gpslogger", "overland", "batch")
        }

    def ask(self, path: str, body: bytes = b"", method: str = "POST", **headers: str) -> Callable[[], Reply | None]:
        """Send it over a connection of its own; what is returned tells the answer, once there is one."""
        address = IPv4Address("TCP", "203.0.113.9", 40000)
        transport = StringTransport(peerAddress=address)  # type: ignore[no-untyped-call]
        channel: Any = self.site.buildProtocol(address)
        channel.makeConnection(transport)
        lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        channel.dataReceived("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

        def reply() -> Reply | None:
            written: bytes = transport.value()  # type: ignore[no-untyped-call]
            if not written:
                return None
            head, _, content = written.partition(b"\r\n\r\n")
            first, *told = head.decode().split("\r\n")
            fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in told)}
            return Reply(int(first.split()[1]), fields, content.decode())

        return reply

    def send(self, app: str, *ats: int, token: str | None = None, id: str = "7f3a9c") -> Callable[[], Reply | None]:
        """Reports of these times as the app sends them; one that takes only one takes the first."""
        ats = ats or (NOON,)
        secret = self.tokens[app] if token is None else token
        reports = [report(at) for at in ats]
        if app == "owntracks":
            return self.ask("/owntracks", owntracks.encode(reports[0]), authorization=basic(id, secret))
        if app == "gpslogger":
            return self.ask("/gpslogger", gpslogger.encode(reports[0]), authorization=basic(id, secret))
        if app == "overland":
            return self.ask("/overland", overland.encode(id, reports), authorization=f"Bearer {secret}")
        return self.batch([(str(at), r) for at, r in zip(ats, reports, strict=True)], secret, id)

    def batch(
        self, records: Any, token: str | None = None, id: str = "7f3a9c", **headers: str
    ) -> Callable[[], Reply | None]:
        body = batch.encode(id, records)
        if headers.get("content_encoding"):
            body = gzip.compress(body)
        return self.ask(
            "/batch", body, authorization=f"Bearer {self.tokens['batch'] if token is None else token}", **headers
        )


@pytest.fixture
def place(house: House) -> Place:
    return Place(house)


APPS = ["owntracks", "gpslogger", "overland", "batch"]
OK = {
    "owntracks": "[]",
    "gpslogger": "",
    "overland": '{"result":"ok"}',
    "batch": f'{{"accepted":["{NOON}"],"duplicate":[],"rejected":[]}}',
}


def code(reply: Callable[[], Reply | None]) -> int | None:
    told = reply()
    return None if told is None else told.code


@pytest.mark.parametrize("app", APPS)
def test_a_report_is_answered_when_it_is_on_disk_and_not_before(place: Place, app: str) -> None:
    reply = place.send(app)
    assert reply() is None
    place.house.settle()
    told = reply()
    assert told is not None
    assert (told.code, told.body) == (200, OK[app])
    (record,) = place.house.records
    assert record.fix_time == NOON
    assert not record.marks & (Mark.UNAUTHENTICATED | Mark.BACKFILL)
    assert place.house.intake.counters.accepted[app] == 1


@pytest.mark.parametrize("app", APPS)
def test_what_cannot_be_stored_now_is_to_come_again(place: Place, app: str) -> None:
    place.house.hands.broken = True
    reply = place.send(app)
    place.house.settle()
    told = reply()
    assert told is not None
    assert told.code == 503
    assert 30 <= int(told.headers["retry-after"]) < 60
    place.house.hands.broken = False
    again = place.send(app)
    place.house.settle()
    assert code(again) == 200
    assert OK[app] == (again() or Reply(0, {}, "")).body, "nothing of the first is taken for known"


@pytest.mark.parametrize("app", APPS)
def test_a_full_journal_is_told_at_once(tmp_path: Path, app: str) -> None:
    house = House(tmp_path / "full", max_waiting=1)
    place = Place(house)
    house.hands.hold()
    place.send(app, NOON)
    assert code(place.send(app, NOON + 1000)) == 503
    house.hands.release()
    house.settle()
    house.close()


@pytest.mark.parametrize("app", APPS)
@pytest.mark.parametrize("token", ["", "-", "x" * 26])
def test_a_wrong_password_is_counted_and_nothing_is_stored(place: Place, app: str, token: str) -> None:
    reply = place.send(app, token=token)()
    assert reply is not None
    assert reply.code == 401
    assert reply.headers["www-authenticate"].split()[0] == ("Basic" if app in ("owntracks", "gpslogger") else "Bearer")
    assert place.house.refused(app) == {"bad_token": 1}
    place.house.settle()
    assert place.house.records == []
    assert not place.house.intake.unknown


@pytest.mark.parametrize("app", APPS)
def test_the_token_of_another_app_is_none(place: Place, app: str) -> None:
    other = APPS[APPS.index(app) - 1]
    assert code(place.send(app, token=place.tokens[other])) == 401


@pytest.mark.parametrize("app", APPS)
def test_of_an_unknown_device_only_its_id_is_kept(place: Place, app: str) -> None:
    assert code(place.send(app, id="nobody")) == 404
    assert list(place.house.intake.unknown) == [(app, "nobody")]
    place.house.settle()
    assert place.house.records == []


@pytest.mark.parametrize("app", APPS)
def test_a_device_with_networks_speaks_from_them_only(place: Place, app: str) -> None:
    device = place.house.register(app, "bound", networks="10.0.0.0/8")
    assert code(place.send(app, token=place.house.token(device), id="bound")) == 404
    assert place.house.refused(app) == {"foreign_network": 1}


@pytest.mark.parametrize("app", APPS)
def test_off_duty_is_delivered_and_written_nowhere(place: Place, app: str) -> None:
    for unit in list(place.house.roster.units):
        place.house.roster.apply(("duty", f"{unit}:1", {"unit": unit, "number": 1, "start": 0, "end": NOON}))
    reply = place.send(app)()
    assert reply is not None
    assert reply.code == 200
    rejected = f'{{"accepted":[],"duplicate":[],"rejected":[{{"index":0,"id":"{NOON}","reason":"off_duty"}}]}}'
    assert reply.body == (rejected if app == "batch" else OK[app])
    assert place.house.refused(app) == {"off_duty": 1}
    place.house.settle()
    assert place.house.records == []


@pytest.mark.parametrize(
    ("app", "expected"), [("owntracks", 503), ("gpslogger", 429), ("overland", 429), ("batch", 429)]
)
def test_one_that_sends_too_fast(place: Place, app: str, expected: int) -> None:
    """OwnTracks drops on iOS what is answered with any 4xx."""
    place.door.rates = Rates(burst=2)
    for at in (NOON, NOON + 1000):
        reply = place.send(app, at)
        place.house.settle()
        assert code(reply) == 200
    told = place.send(app, NOON + 2000)()
    assert told is not None
    assert told.code == expected
    assert 30 <= int(told.headers["retry-after"]) < 60
    assert place.house.refused(app) == {"slowed_down": 1}


def test_every_point_of_a_queue_counts(place: Place) -> None:
    place.door.rates = Rates(burst=3)
    assert code(place.send("overland", *range(NOON, NOON + 4000, 1000))) == 429


def test_an_old_position_is_backlog(place: Place) -> None:
    for app in APPS:
        place.send(app, NOON - HOUR)
        place.house.settle()
    assert [bool(r.marks & Mark.BACKFILL) for r in place.house.records] == [True] * 4


def test_ids_that_are_on_disk_are_known(place: Place) -> None:
    first = place.send("batch", NOON, NOON + 1000)
    place.house.settle()
    again = place.send("batch", NOON, NOON + 1000, NOON + 2000)
    place.house.settle()
    told, told_again = first(), again()
    assert told is not None
    assert told_again is not None
    a, b, c = (str(NOON + i * 1000) for i in range(3))
    assert json.loads(told.body) == {"accepted": [a, b], "duplicate": [], "rejected": []}
    assert json.loads(told_again.body) == {"accepted": [c], "duplicate": [a, b], "rejected": []}
    assert [r.fix_time for r in place.house.records] == [NOON, NOON + 1000, NOON + 2000]
    # All of it known: there is nothing to wait for.
    repeated = place.send("batch", NOON)()
    assert repeated is not None
    assert json.loads(repeated.body)["duplicate"] == [a]
    assert place.house.refused("batch") == {"duplicate": 3}


def test_a_restart_forgets_ids_and_the_answer_is_honest(place: Place) -> None:
    for _ in range(2):
        reply = place.send("batch", NOON)
        place.house.settle()
        told = reply()
        assert told is not None
        assert json.loads(told.body)["accepted"] == [str(NOON)]
        place.site = BoundedSite(PhoneReports(place.house.intake), Clock(), body_limit=BODY_LIMIT)
    # It is in the journal twice and is one point: tests/tracker/test_pipeline.py.
    first, second = place.house.records
    assert first.identity == second.identity


def test_what_cannot_be_written_is_rejected(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OverflowError

    monkeypatch.setattr(place.house.journal, "append", refuse)
    told = place.send("batch", NOON)()
    assert told is not None
    assert json.loads(told.body)["rejected"] == [{"index": 0, "id": str(NOON), "reason": "unstorable"}]


def test_packed_bodies(place: Place) -> None:
    records = [(str(i), report(NOON - i * 1000)) for i in range(1000)]
    reply = place.batch(records, content_encoding="gzip")
    place.house.settle()
    told = reply()
    assert told is not None
    assert len(json.loads(told.body)["accepted"]) == len(place.house.records) == 1000


@pytest.mark.parametrize(
    ("body", "encoding", "expected"),
    [
        (b"{}", "br", 415),
        (gzip.compress(bytes(20 << 20)), "gzip", 413),
        (b"{}", "gzip", 400),
        (json.dumps({"device": "7f3a9c", "records": [0] * 1001}).encode(), "identity", 413),
        (b'{"records":[]}', "identity", 404),
    ],
)
def test_a_batch_that_cannot_be_read(place: Place, body: bytes, encoding: str, expected: int) -> None:
    assert code(place.ask("/batch", body, content_encoding=encoding, authorization="Bearer x")) == expected


@pytest.mark.parametrize("app", ["owntracks", "overland", "batch"])
def test_other_methods_and_paths(place: Place, app: str) -> None:
    reply = place.ask(f"/{app}", method="GET")()
    assert reply is not None
    assert (reply.code, reply.headers["allow"]) == (405, "POST")
    assert code(place.ask(f"/{app}/below")) == 404
    assert code(place.ask(f"/{app}/", method="GET")) == 405


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "REPORT"])
def test_gpslogger_takes_any_method(place: Place, method: str) -> None:
    query = gpslogger.encode(report()).decode()
    reply = place.ask(f"/gpslogger?{query}", method=method, authorization=basic("7f3a9c", place.tokens["gpslogger"]))
    place.house.settle()
    assert code(reply) == 200


def test_bodies_that_are_too_large(place: Place) -> None:
    image = json.dumps({"_type": "location", "image": "x" * 500_000}).encode()
    reply = place.ask("/owntracks", image, authorization=basic("7f3a9c", place.tokens["owntracks"]))()
    assert reply is not None
    assert reply.code == 200, "a picture with a place of interest is read past"
    assert code(place.ask("/gpslogger", b"x" * 65537)) == 413
    assert code(place.ask("/", b"x" * 65537)) == 413
    assert code(place.ask("/overland", b"x" * (BODY_LIMIT + 1))) == 413


def test_a_phone_that_only_says_that_it_is_there(place: Place) -> None:
    heard: list[str] = []
    place.house.intake.heard = lambda carrier: heard.append(carrier.device.protocol)
    auth = basic("7f3a9c", place.tokens["owntracks"])
    assert code(place.ask("/owntracks", b'{"_type":"lwt"}', authorization=auth)) == 200
    assert heard == ["owntracks"]
    assert place.house.intake.counters.messages["owntracks"] == 1


def test_the_profile_that_gpslogger_fetches(place: Place) -> None:
    token = place.tokens["gpslogger"]
    path = f"/gpslogger/gridbeat.properties?id=7f3a9c&token={token}&url=https%3A%2F%2Fx%3A5055"
    reply = place.ask(path, method="GET")()
    assert reply is not None
    assert (reply.code, reply.headers["cache-control"]) == (200, "no-store")
    assert reply.body == gpslogger_profile("https://x:5055", "7f3a9c", token)
    for wrong in ("id=7f3a9c&token=x", f"id=other&token={token}", "", "&".join("a=1" for _ in range(200))):
        told = place.ask(f"/gpslogger/gridbeat.properties?{wrong}", method="GET")()
        assert told is not None
        assert told.code in (400, 404)
        assert token not in told.body


def test_no_body_is_taken_apart_by_the_library() -> None:
    """It would look for a form in every body, at a fifth of the cost of the whole request, and nobody reads that."""
    found: list[dict[bytes, list[bytes]]] = []

    class Looking(Resource):
        isLeaf = True

        def render_POST(self, request: Any) -> bytes:
            found.append(dict(request.args))
            assert request.content.read() == b"b=2"
            return b""

    site = BoundedSite(Looking(), Clock(), body_limit=BODY_LIMIT)
    channel: Any = site.buildProtocol(IPv4Address("TCP", "203.0.113.9", 40000))
    channel.makeConnection(StringTransport())
    form = b"Content-Type: application/x-www-form-urlencoded"
    channel.dataReceived(b"POST /?a=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n" + form + b"\r\n\r\nb=2")
    assert found == [{b"a": [b"1"]}]
