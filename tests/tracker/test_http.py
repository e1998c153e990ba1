"""The phones' port: what each form is answered, and that 200 means on disk."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import Site

from protocols import traccar
from protocols.traccar import encode_json, encode_query
from tests.tracker.helpers import LAT, LON, NOON, House, report
from tracker.http import PhoneReports
from tracker.model import Mark
from tracker.phone_limits import Rates


@dataclass
class Reply:
    code: int
    headers: dict[str, str]
    body: str


class Phone:
    """One connection to the site; requests and answers are bytes."""

    def __init__(self, site: Site, host: str = "192.168.1.5") -> None:
        address = IPv4Address("TCP", host, 5000)
        self.transport = StringTransport(peerAddress=address)  # type: ignore[no-untyped-call]
        self.channel: Any = site.buildProtocol(address)  # type: ignore[no-untyped-call]
        self.channel.makeConnection(self.transport)

    def ask(self, method: str, path: str, body: bytes = b"", content_type: str = "") -> None:
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        head += f"Content-Type: {content_type}\r\n" if content_type else ""
        self.channel.dataReceived(head.encode() + b"\r\n" + body)

    def reply(self) -> Reply | None:
        written: bytes = self.transport.value()  # type: ignore[no-untyped-call]
        self.transport.clear()  # type: ignore[no-untyped-call]
        if not written:
            return None
        head, _, body = written.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        assert len(body) == int(headers.get("content-length", len(body)))
        return Reply(int(first.split()[1]), headers, body.decode())


class Place:
    def __init__(self, house: House) -> None:
        self.house = house
        root = Resource()  # type: ignore[no-untyped-call]
        self.reports = PhoneReports(house.intake)
        root.putChild(b"phones", self.reports)
        clock: Any = Clock()
        self.site = Site(root, reactor=clock)  # type: ignore[no-untyped-call]
        self.site.timeOut = None
        self.id = house.register("traccar").external_id

    def phone(self, host: str = "192.168.1.5") -> Phone:
        return Phone(self.site, host)

    def ask(self, form: str, id: str | None = None, what: Any = None, host: str = "192.168.1.5") -> Phone:
        phone, id, what = self.phone(host), self.id if id is None else id, what or report(NOON)
        if form == "json":
            phone.ask("POST", "/phones", encode_json(id, what), "application/json")
        elif form == "form":
            phone.ask("POST", "/phones", encode_query(id, what), "application/x-www-form-urlencoded")
        else:
            phone.ask("GET" if form == "get" else "POST", "/phones/?" + encode_query(id, what).decode())
        return phone


@pytest.fixture
def place(house: House) -> Place:
    return Place(house)


FORMS = ["get", "post", "form", "json"]


def code(phone: Phone) -> int | None:
    reply = phone.reply()
    return None if reply is None else reply.code


@pytest.mark.parametrize("form", FORMS)
def test_a_report_is_answered_when_it_is_on_disk_and_not_before(place: Place, form: str) -> None:
    phone = place.ask(form, what=report(NOON, speed=500, accuracy=40, items={"battery": 66}))
    assert phone.reply() is None
    place.house.settle()
    assert code(phone) == 200
    (record,) = place.house.records
    assert (record.device, record.unit, record.fix_time, record.latitude, record.longitude) == (
        "d1",
        "p1",
        NOON,
        LAT,
        LON,
    )
    assert record.items is not None
    assert record.items["battery"] == 66
    assert record.marks & Mark.UNAUTHENTICATED


@pytest.mark.parametrize("form", FORMS)
def test_what_cannot_be_stored_now_is_to_come_again(place: Place, form: str) -> None:
    place.house.hands.broken = True
    phone = place.ask(form)
    place.house.settle()
    reply = phone.reply()
    assert reply is not None
    assert reply.code == 503
    assert 30 <= int(reply.headers["retry-after"]) < 60
    assert place.house.intake.counters.accepted["traccar"] == 0


@pytest.mark.parametrize("form", FORMS)
def test_a_full_journal_is_told_at_once(tmp_path: Any, form: str) -> None:
    house = House(tmp_path / "j", max_waiting=1)
    place = Place(house)
    house.hands.hold()
    place.ask("get")
    assert code(place.ask(form, what=report(NOON + 1000))) == 503
    assert house.refused("traccar") == {"busy": 1}
    house.hands.release()
    house.settle()
    house.close()


@pytest.mark.parametrize(("form", "expected"), [("get", 400), ("post", 400), ("form", 400), ("json", 404)])
def test_an_unknown_phone(place: Place, form: str, expected: int) -> None:
    assert code(place.ask(form, id="nobody")) == expected
    assert list(place.house.intake.unknown) == [("traccar", "nobody")]
    place.house.settle()
    assert place.house.records == []


@pytest.mark.parametrize(
    ("path", "body", "content_type", "expected"),
    [
        ("/phones/?lat=1&lon=2", b"", "", 400),
        ("/phones/", b"", "", 400),
        ("/phones", b"{}", "application/json", 404),
        ("/phones", b"not json", "application/json", 404),
    ],
)
def test_a_request_that_names_no_phone(place: Place, path: str, body: bytes, content_type: str, expected: int) -> None:
    phone = place.phone()
    phone.ask("POST", path, body, content_type)
    assert code(phone) == expected
    assert sum(place.house.refused("traccar").values()) == 1


@pytest.mark.parametrize("query", ["timestamp=1795435200&lat=95&lon=2", "timestamp=never&lat=1&lon=2"])
def test_what_can_never_be_accepted_of_a_known_phone_is_passed_by(place: Place, query: str) -> None:
    phone = place.phone()
    phone.ask("GET", f"/phones/?id={place.id}&{query}")
    assert code(phone) == 200
    phone.ask("GET", f"/phones/?id=nobody&{query}")
    assert code(phone) == 400
    place.house.settle()
    assert place.house.records == []


@pytest.mark.parametrize("form", FORMS)
def test_off_duty_is_delivered_and_written_nowhere(place: Place, form: str) -> None:
    place.house.roster.apply(("duty", "p1:1", {"unit": "p1", "number": 1, "start": 0, "end": NOON}))
    assert code(place.ask(form)) == 200
    place.house.settle()
    assert place.house.records == []
    assert place.house.refused("traccar") == {"off_duty": 1}


def test_an_id_that_a_person_chose_is_taken_from_its_networks_only(place: Place) -> None:
    place.house.register("traccar", "zhang")
    phone = place.ask("get", id="zhang", host="10.1.2.3")
    place.house.settle()
    assert code(phone) == 200
    assert code(place.ask("get", id="zhang", host="203.0.113.9")) == 400
    assert code(place.ask("json", id="zhang", host="203.0.113.9")) == 404
    assert place.house.refused("traccar") == {"foreign_network": 2}
    # The issued one comes from anywhere.
    phone = place.ask("get", host="203.0.113.9", what=report(NOON + 1))
    place.house.settle()
    assert code(phone) == 200


def test_other_methods_and_paths(place: Place) -> None:
    phone = place.phone()
    phone.ask("PUT", "/phones")
    assert code(phone) == 405
    phone.ask("GET", f"/phones/below?id={place.id}")
    assert code(phone) == 404


def test_a_body_that_is_too_long(place: Place) -> None:
    phone = place.phone()
    phone.ask("POST", "/phones", b"x" * (traccar.REQUEST_LIMIT + 1), "application/json")
    assert code(phone) == 413
    assert place.house.refused("traccar") == {"too_long": 1}


def test_a_phone_that_has_gone_meanwhile_is_no_trouble(place: Place) -> None:
    phone = place.ask("get")
    phone.channel.connectionLost(Failure(ConnectionError()))  # type: ignore[no-untyped-call]
    place.house.settle()
    assert phone.reply() is None
    assert len(place.house.records) == 1


def test_a_phone_that_asks_too_often_is_told_to_come_later(place: Place) -> None:
    place.reports.rates = Rates(2, 5)
    codes = []
    for i in range(7):
        phone = place.ask("get", what=report(NOON + i * 1000))
        place.house.settle()
        codes.append(code(phone))
    assert codes == [200] * 5 + [429] * 2
    place.house.now += 1500
    phone = place.ask("get", what=report(NOON + 9000))
    place.house.settle()
    assert code(phone) == 200
    assert place.house.refused("traccar") == {"slowed_down": 2}


def test_json_by_hand(place: Place) -> None:
    """As the app writes it, with fields that nobody reads."""
    phone = place.phone()
    body = {
        "device_id": place.id,
        "location": {"timestamp": "2026-11-23T12:00:00.000Z", "coords": {"latitude": 30.66, "longitude": 117.49}},
    }
    phone.ask("POST", "/phones", json.dumps(body).encode(), "application/json; charset=utf-8")
    place.house.settle()
    assert code(phone) == 200
    assert [r.fix_time for r in place.house.records] == [NOON]
