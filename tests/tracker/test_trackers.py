"""GT06, H02 and the watches from bytes on a socket to records on disk and answers on the wire."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.testing import FakeDatagramTransport

from protocols.gt06 import client as gt06
from protocols.h02 import client as h02
from protocols.h02.framing import PAUSE_MS
from protocols.report import ALARM_SOS
from protocols.watch import client as watch
from tests.tracker.helpers import LAT, LON, NOON, House
from tests.tracker.test_tcp import Transport
from tracker.catalogue import CATALOGUE, DOORS
from tracker.model import Mark
from tracker.service import Listeners, make_listeners
from tracker.tcp import DeviceLink, LinkLimits

IMEI = "123456789012345"
PLAIN = "4109177024"
HERE = ("192.168.1.9", 4000)


@dataclass(frozen=True)
class Speaker:
    """A device of one protocol and what it says; ``stranger`` is its name when nobody knows it."""

    protocol: str
    ident: str
    hello: bytes
    stranger: bytes
    fix: bytes
    help: bytes
    beat: bytes
    answers: tuple[bytes, bytes, bytes, bytes]
    """To ``hello``, ``fix``, ``help`` and ``beat``; empty for none."""


def told(kind: str) -> bytes:
    return f"*HQ,{PLAIN},V4,{kind},20261123120000#".encode()


SPEAKERS = [
    Speaker(
        "gt06",
        IMEI,
        gt06.login(IMEI, 1),
        gt06.login("999999999999999", 1),
        gt06.position(NOON, LAT, LON, 2),
        gt06.alarm(NOON + 1000, LAT, LON, 3),
        gt06.heartbeat(4),
        tuple(gt06.frame(kind, serial=serial) for serial, kind in enumerate((0x01, 0x22, 0x26, 0x13), 1)),  # type: ignore[arg-type]
    ),
    Speaker(
        "h02",
        PLAIN,
        h02.heartbeat(PLAIN),
        h02.heartbeat("999"),
        h02.position(PLAIN, NOON, LAT, LON),
        h02.position(PLAIN, NOON + 1000, LAT, LON, state=h02.SOS),
        h02.heartbeat(PLAIN, 55),
        (f"*HQ,{PLAIN},HTBT#".encode(), told("V1"), told("V1"), f"*HQ,{PLAIN},HTBT#".encode()),
    ),
    Speaker(
        "watch",
        PLAIN,
        watch.frame("3G", PLAIN, b"LK"),
        watch.frame("3G", "99999", b"LK"),
        watch.position(PLAIN, NOON, LAT, LON),
        watch.position(PLAIN, NOON + 1000, LAT, LON, kind="AL", state=watch.SOS),
        watch.link(PLAIN, 55),
        (b"[3G*4109177024*0002*LK]", b"", b"[3G*4109177024*0002*AL]", b"[3G*4109177024*0002*LK]"),
    ),
]
by_name = pytest.mark.parametrize("speaker", SPEAKERS, ids=lambda one: one.protocol)


class Place:
    """The listeners over one intake whose clock is moved by hand."""

    def __init__(self, house: House, **limits: int) -> None:
        self.house = house
        self.links = house.make_links()
        self.listeners: Listeners = make_listeners(house.intake, self.links, LinkLimits(**limits), house.hands.clock)

    def connect(self, protocol: str) -> tuple[DeviceLink, Transport]:
        factory = self.listeners.tcp[protocol]
        if not factory._sweep.running:
            factory.startFactory()
        link = factory.buildProtocol(IPv4Address("TCP", *HERE))
        transport = Transport(IPv4Address("TCP", *HERE))
        transport.link = link
        link.makeConnection(transport)
        return link, transport

    def wait(self, seconds: float) -> None:
        """In steps, as real time goes by."""
        while seconds > 0:
            step = min(1, seconds)
            self.house.now += round(step * 1000)
            self.house.hands.clock.advance(step)
            seconds -= step


@pytest.fixture
def place(house: House) -> Place:
    for speaker in SPEAKERS:
        house.register(speaker.protocol, speaker.ident)
    return Place(house)


@by_name
def test_a_device_reports_and_is_answered_when_it_is_on_disk(place: Place, speaker: Speaker) -> None:
    link, transport = place.connect(speaker.protocol)
    link.dataReceived(speaker.hello)
    assert transport.taken() == speaker.answers[0]
    for i in range(len(speaker.fix)):
        link.dataReceived(speaker.fix[i : i + 1])
    link.dataReceived(speaker.help)
    assert transport.taken() == b""
    place.house.settle()
    assert transport.taken() == speaker.answers[1] + speaker.answers[2]
    link.dataReceived(speaker.beat)
    place.house.settle()
    assert transport.taken() == speaker.answers[3]
    fix, alarm, beat = place.house.records
    assert fix.fix_time == NOON
    assert fix.latitude is not None
    assert abs(fix.latitude - LAT) < 10
    assert fix.marks & Mark.UNAUTHENTICATED
    assert (fix.alarm, alarm.alarm & ALARM_SOS) == (0, ALARM_SOS)
    assert alarm.items is not None
    assert list(alarm.items["alarms"]) == ["sos"]
    assert beat.latitude is None
    assert isinstance(beat.items["battery"], int)
    assert place.house.refused(speaker.protocol) == {}
    carrier = place.house.roster.find(speaker.protocol, speaker.ident)
    assert carrier is not None
    assert place.links.connected(carrier.device.id)


@by_name
def test_a_broken_disk_gives_no_answer(place: Place, speaker: Speaker) -> None:
    link, transport = place.connect(speaker.protocol)
    link.dataReceived(speaker.hello)
    transport.taken()
    place.house.hands.broken = True
    link.dataReceived(speaker.help)
    place.house.settle()
    assert transport.taken() == b""
    place.house.hands.broken = False
    link.dataReceived(speaker.help)
    place.house.settle()
    assert transport.taken() == speaker.answers[2]
    assert len(place.house.records) == 1


@by_name
def test_a_stranger_gets_no_answer(place: Place, speaker: Speaker) -> None:
    link, transport = place.connect(speaker.protocol)
    link.dataReceived(speaker.stranger)
    assert transport.taken() == b""
    assert transport.disconnecting
    assert place.house.refused(speaker.protocol)["unknown_device"] == 1


@by_name
def test_rubbish_is_counted_and_what_follows_is_read(place: Place, speaker: Speaker) -> None:
    link, transport = place.connect(speaker.protocol)
    link.dataReceived(b"GET / HTTP/1.1\r\n\r\n" + speaker.hello + b"!!" + speaker.fix)
    place.house.settle()
    assert transport.taken() == speaker.answers[0] + speaker.answers[1]
    assert place.house.refused(speaker.protocol) == {"garbage": 2}
    assert len(place.house.records) == 1


@by_name
def test_a_device_that_is_silent_between_its_heartbeats_is_not_cut_off(place: Place, speaker: Speaker) -> None:
    link, transport = place.connect(speaker.protocol)
    link.dataReceived(speaker.hello)
    quiet = DOORS[speaker.protocol].quiet_s
    assert quiet > LinkLimits().idle_s
    place.wait(quiet - 10)
    assert not transport.aborted
    place.wait(30)
    assert transport.aborted
    assert place.house.refused(speaker.protocol) == {"idle": 1}


@pytest.mark.parametrize("speaker", [one for one in SPEAKERS if one.protocol != "h02"], ids=lambda one: one.protocol)
def test_a_call_for_help_outlives_its_link(place: Place, speaker: Speaker) -> None:
    """H02 says it in each message."""
    for said in (speaker.help, speaker.fix):
        link, _ = place.connect(speaker.protocol)
        link.dataReceived(speaker.hello + said)
        place.house.settle()
        link.connectionLost()
    assert [record.alarm & ALARM_SOS for record in place.house.records] == [ALARM_SOS, ALARM_SOS]


def test_of_two_watches_on_one_link_each_has_its_own_call(place: Place) -> None:
    other = "4109177025"
    place.house.register("watch", other)
    link, _ = place.connect("watch")
    link.dataReceived(watch.position(PLAIN, NOON, LAT, LON, kind="AL", state=watch.SOS))
    for ident in (other, PLAIN):
        link.dataReceived(watch.position(ident, NOON + 1000, LAT, LON))
    place.house.settle()
    assert [record.alarm for record in place.house.records] == [ALARM_SOS, 0, ALARM_SOS]


def test_a_longer_limit_of_the_settings_stands(house: House) -> None:
    listeners = Place(house, idle_s=3600).listeners
    assert listeners.tcp["watch"].limits.idle_s == 3600
    assert listeners.tcp["jt808"].limits.idle_s == 3600


def test_h02_over_udp(place: Place) -> None:
    udp = place.listeners.udp["h02"]
    transport = FakeDatagramTransport()  # type: ignore[no-untyped-call]
    udp.makeConnection(transport)
    udp.datagramReceived(h02.position(PLAIN, NOON, LAT, LON), HERE)
    udp.datagramReceived(h02.binary(PLAIN, NOON + 1000, LAT, LON), HERE)
    place.house.settle()
    assert [record.fix_time for record in place.house.records] == [NOON, NOON + 1000]
    assert transport.written == [(told("V1"), HERE)]  # the binary form has no answer
    udp.stopProtocol()


@pytest.mark.parametrize("ended", [False, True])
def test_a_binary_message_alone_is_taken_after_a_pause_or_at_the_end(place: Place, ended: bool) -> None:
    link, _ = place.connect("h02")
    link.dataReceived(h02.binary(PLAIN, NOON, LAT, LON))
    if ended:
        link.connectionLost()
    else:
        place.wait(PAUSE_MS / 1000)
    place.house.settle()
    assert len(place.house.records) == 1


def test_ids_are_compared_without_their_leading_zeros(place: Place) -> None:
    place.house.register("gt06", "012345678901234")
    link, transport = place.connect("gt06")
    link.dataReceived(gt06.login("12345678901234", 1))
    assert transport.taken() == SPEAKERS[0].answers[0]
    entry = CATALOGUE["gt06"]
    assert entry.normal("012345678901234") == entry.normal("12345678901234")


@pytest.mark.parametrize(
    ("protocol", "ident", "allowed"),
    [
        ("gt06", "123456789012345", True),
        ("gt06", "12345", False),
        ("gt06", "12345678901234x", False),
        ("h02", "1", True),
        ("h02", "a", False),
        ("watch", "8800000015", True),
        ("watch", "123", False),
    ],
)
def test_ids(protocol: str, ident: str, allowed: bool) -> None:
    assert CATALOGUE[protocol].names(ident) is allowed
