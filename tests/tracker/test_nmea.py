"""NMEA 0183 from bytes on a socket to records on disk, over TCP and UDP."""

from __future__ import annotations

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.testing import FakeDatagramTransport

from protocols.nmea import HOLD_MS, encode_epoch, encode_identity
from protocols.report import Report
from tests.tracker.helpers import LAT, LON, NOON, House
from tests.tracker.test_tcp import Transport
from tracker.model import Mark
from tracker.service import make_listeners
from tracker.tcp import DeviceLink, LinkLimits

HERE = ("203.0.113.7", 4000)
THERE = ("192.168.1.9", 4000)


def epoch(seconds: int = 0, north: int = 0) -> bytes:
    return encode_epoch(Report(NOON + seconds * 1000, LAT + north, LON, 4, 120, 90, 42, items={"fix": "3d"}))


class Place:
    """Both transports over one intake whose clock is moved by hand."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.clock = house.hands.clock
        listeners = make_listeners(house.intake, house.make_links(), LinkLimits(), self.clock)
        self.tcp, self.udp = listeners.tcp["nmea"], listeners.udp["nmea"]
        self.tcp.startFactory()
        self.udp.makeConnection(FakeDatagramTransport())  # type: ignore[no-untyped-call]

    def connect(self, address: tuple[str, int] = THERE) -> tuple[DeviceLink, Transport]:
        link = self.tcp.buildProtocol(IPv4Address("TCP", *address))
        transport = Transport(IPv4Address("TCP", *address))
        transport.link = link
        link.makeConnection(transport)
        return link, transport

    def wait(self, ms: int = HOLD_MS) -> None:
        self.clock.advance(0)  # what came in one piece has its turn
        self.house.now += ms
        self.clock.advance(ms / 1000)
        self.house.settle()

    def found(self) -> list[tuple[str, int]]:
        """Device and seconds after noon of what is on disk."""
        return [(record.device, ((record.fix_time or 0) - NOON) // 1000) for record in self.house.records]


@pytest.fixture
def place(house: House) -> Place:
    house.register("nmea", "crane-2")  # d1, from private networks
    house.register("nmea", HERE[0])  # d2, from there alone
    return Place(house)


def test_a_stream_over_tcp_cut_anywhere(place: Place) -> None:
    link, transport = place.connect()
    data = encode_identity("crane-2") + b"".join(epoch(i) for i in range(5))
    for i in range(0, len(data), 7):
        link.dataReceived(data[i : i + 7])
    place.house.settle()
    assert place.found() == [("d1", i) for i in range(4)]
    place.wait()
    assert place.found() == [("d1", i) for i in range(5)]
    record = place.house.records[-1]
    assert (record.latitude, record.longitude, record.altitude) == (LAT, LON, 4)
    assert (record.speed, record.course, record.accuracy) == (120, 90, 42)
    assert record.items == {"fix": "3d", "fix_quality": "autonomous"}
    assert record.marks == Mark.UNAUTHENTICATED
    assert transport.taken() == b""
    assert not place.house.refused("nmea")


def test_what_was_said_last_is_kept_when_the_link_ends(place: Place) -> None:
    link, _ = place.connect()
    link.dataReceived(b"crane-2" + epoch())
    link.connectionLost()
    place.house.settle()
    assert place.found() == [("d1", 0)]


def test_a_device_at_its_address_over_udp(place: Place) -> None:
    rmc, gga, gsa = epoch().splitlines(keepends=True)
    for datagram in (rmc, gga, gsa + epoch(1) + epoch(2)):
        place.udp.datagramReceived(datagram, HERE)
    place.wait()
    assert place.found() == [("d2", 0), ("d2", 1), ("d2", 2)]
    assert all(record.altitude == 4 for record in place.house.records)


def test_an_address_speaks_for_itself_only(place: Place) -> None:
    place.udp.datagramReceived(epoch(), THERE)
    place.wait()
    place.udp.datagramReceived(HERE[0].encode() + epoch(), THERE)
    place.udp.datagramReceived(b"crane-2" + epoch(), HERE)  # a name that a person chose, from outside
    place.wait()
    assert place.found() == []
    refused = place.house.refused("nmea")
    assert (refused["unknown_device"], refused["foreign_network"]) == (1, 2)
    assert list(place.house.intake.unknown) == [("nmea", THERE[0])]


def test_a_device_may_change_its_port(place: Place) -> None:
    for port in range(5):
        place.udp.datagramReceived(b"crane-2," + epoch(port), (THERE[0], 4000 + port))
    place.wait()
    assert place.found() == [("d1", i) for i in range(5)]


def test_a_gateway_with_a_stranger_among_its_devices(place: Place) -> None:
    link, transport = place.connect()
    link.dataReceived(b"crane-2" + epoch(0) + b"crane-3" + epoch(0) + b"crane-2" + epoch(1))
    place.wait()
    assert place.found() == [("d1", 0), ("d1", 1)]
    assert place.house.refused("nmea") == {"unknown_device": 1, "not_authenticated": 1}
    assert not transport.disconnecting


def test_who_names_no_known_device_is_cut_off(place: Place) -> None:
    link, transport = place.connect()
    for i in range(5):
        link.dataReceived(b"crane-9" + epoch(i))
        place.wait(5000)
    assert transport.aborted
    assert place.found() == []


def test_a_wrong_checksum_is_tolerated_where_that_was_asked_for(place: Place) -> None:
    link, _ = place.connect()
    wrong = b"crane-2" + epoch().splitlines()[0].replace(b"RMC,12", b"RMC,13") + b"\r\n"
    link.dataReceived(wrong)
    place.wait()
    assert place.house.refused("nmea") == {"bad_checksum": 1}
    roster = place.house.roster
    carrier = roster.find("nmea", "crane-2")
    assert carrier is not None
    for change in roster.plan_amendment(carrier.device.id, {"lenient": True})[1]:
        roster.apply(change)
    link.dataReceived(wrong)
    place.wait()
    assert place.found() == [("d1", 3600)]


def test_a_void_fix_is_kept_without_a_place(place: Place) -> None:
    link, _ = place.connect()
    link.dataReceived(b"crane-2" + encode_epoch(Report(NOON, None, None)))
    place.wait()
    (record,) = place.house.records
    assert (record.fix_time, record.latitude, record.longitude) == (NOON, None, None)
