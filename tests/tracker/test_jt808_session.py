"""A JT/T 808 terminal's conversation from registration to the disk, with the terminal's own side at the other end."""

from __future__ import annotations

from typing import Any

import pytest

from protocols.jt808 import Budget, MessageId, Position, RegistrationResult, Result, Terminal
from protocols.jt808.client import Acknowledged, Authenticated, Registered, TimeTold
from tests.tracker.helpers import LAT, LON, NOON, House
from tracker.core_session import WAITING_LIMIT
from tracker.jt808_session import JT808Session
from tracker.login_limits import BURST, CODE_BURST, HOLD_S
from tracker.model import DeviceId
from tracker.tokens import accepts

PHONE = "013912345678"
LOCATED = 2


class Vehicle:
    """One terminal and the session that serves it; ``say`` lets everything said go over and come back."""

    def __init__(self, place: Place, phone: str = PHONE, *, datagram: bool = False, **options: Any) -> None:
        self.place = place
        self.terminal = Terminal(phone, **options)
        self.heard: list[Any] = []
        self.closed = 0
        self.drained = 0
        self.datagram = datagram
        self.connect()

    def connect(self) -> None:
        house = self.place.house
        self.session = JT808Session(
            house.intake, self.place.links, "192.0.2.1", self._send, self._close, house.hands, Budget()
        )
        self.session.on_drained = self._drained
        self.terminal.connect()

    def _send(self, frames: list[bytes]) -> None:
        for each in frames:
            self.heard += self.terminal.receive_data(each)

    def _close(self) -> None:
        self.closed += 1

    def _drained(self) -> None:
        self.drained += 1

    def say(self) -> None:
        while frames := self.terminal.data_to_send():
            if self.datagram:
                for each in frames:
                    self.session.receive(each, datagram=True)
            else:
                self.session.receive(b"".join(frames))

    def log_in(self) -> Vehicle:
        self.terminal.register()
        self.say()
        self.place.house.settle()  # the code goes out when its digest is on disk
        self.terminal.authenticate()
        self.say()
        self.place.house.settle()
        assert self.got(Authenticated)[-1].result == 0
        return self

    def position(self, at: int = NOON, **others: Any) -> int:
        serial = self.terminal.position(at, LAT, LON, **others)
        assert serial is not None
        self.say()
        return serial

    def got(self, kind: type) -> list[Any]:
        return [event for event in self.heard if isinstance(event, kind)]

    @property
    def acknowledged(self) -> list[int]:
        return [e.serial for e in self.got(Acknowledged) if e.positions and e.result == 0]


class Place:
    def __init__(self, house: House) -> None:
        self.house = house
        self.links = house.make_links()
        self.device = house.register("jt808", PHONE, name="Patrol 1")

    def vehicle(self, **options: Any) -> Vehicle:
        return Vehicle(self, **options)


@pytest.fixture
def place(house: House) -> Place:
    return Place(house)


@pytest.mark.parametrize("version", [2011, 2013, 2019])
@pytest.mark.parametrize("datagram", [False, True])
def test_login_of_every_version_over_both_transports(place: Place, version: int, datagram: bool) -> None:
    vehicle = place.vehicle(version=version, datagram=datagram).log_in()
    (registered,) = vehicle.got(Registered)
    assert accepts(place.house.roster.devices[place.device.id], registered.token)
    assert vehicle.session.authenticated
    assert place.links.connected(DeviceId("d1"))
    vehicle.position()
    place.house.settle()
    assert len(vehicle.acknowledged) == 1
    vehicle.session.ended()
    assert not place.links.connected(DeviceId("d1"))


def test_registration_of_an_unknown_terminal(place: Place) -> None:
    vehicle = Vehicle(place, "18800000000")
    vehicle.terminal.register()
    vehicle.say()
    assert [e.result for e in vehicle.got(Registered)] == [RegistrationResult.NO_TERMINAL]
    assert place.house.intake.unknown == {("jt808", "18800000000"): (1, NOON)}
    assert not vehicle.closed


@pytest.mark.parametrize(
    ("phone", "token", "reason"), [(PHONE, "wrong", "bad_token"), ("18800000000", "x", "unknown_device")]
)
def test_authentication_that_is_refused_ends_the_link(place: Place, phone: str, token: str, reason: str) -> None:
    vehicle = Vehicle(place, phone)
    vehicle.terminal.authenticate(token)
    vehicle.say()
    assert [e.result for e in vehicle.got(Authenticated)] == [Result.FAILED]
    assert vehicle.closed
    assert not vehicle.session.authenticated
    assert place.house.refused("jt808") == {reason: 1}
    assert len(place.links) == 0


def _codes(place: Place, vehicle: Vehicle) -> list[str]:
    vehicle.terminal.register()
    vehicle.say()
    place.house.settle()
    return [event.token for event in vehicle.got(Registered)]


def _lets_in(place: Place, code: str) -> bool:
    vehicle = place.vehicle()
    vehicle.terminal.authenticate(code)
    vehicle.say()
    place.house.settle()
    return bool(vehicle.got(Authenticated)[-1].result == 0)


def test_a_code_is_on_disk_as_a_digest_before_it_goes_out(place: Place) -> None:
    place.house.hands.hold()
    vehicle = place.vehicle()
    vehicle.terminal.register()
    vehicle.say()
    place.house.settle()
    assert not vehicle.got(Registered)
    place.house.hands.release()
    place.house.settle()
    (code,) = [event.token for event in vehicle.got(Registered)]
    assert not any(code.encode() in file.read_bytes() for file in place.house.folder.iterdir() if file.is_file())


def test_a_lost_code_locks_nobody_out_and_a_used_one_ends_the_one_before(place: Place) -> None:
    first = place.house.token(place.device)
    lost, last = _codes(place, place.vehicle())[0], _codes(place, place.vehicle())[0]
    assert not _lets_in(place, lost)
    assert _lets_in(place, first)
    assert _lets_in(place, last)
    assert not _lets_in(place, first)
    assert _lets_in(place, last)


def test_whoever_knows_a_number_gets_few_codes(place: Place) -> None:
    handed = [code for _ in range(CODE_BURST + 3) for code in _codes(place, place.vehicle())]
    assert len(handed) == CODE_BURST
    assert place.house.refused("jt808") == {"slowed_down": 3}


def test_who_tries_codes_waits_and_the_terminal_does_not(place: Place) -> None:
    for _ in range(BURST):
        assert not _lets_in(place, "wrong")
    guesser = place.vehicle()
    guesser.terminal.authenticate("wrong")
    guesser.say()
    assert not guesser.got(Authenticated)
    # The same address, the same number, and the right code.
    assert _lets_in(place, place.house.token(place.device))
    place.house.hands.clock.advance(HOLD_S)
    assert [event.result for event in guesser.got(Authenticated)] == [Result.FAILED]
    assert place.house.refused("jt808") == {"bad_token": BURST + 1, "slowed_down": 1}


@pytest.mark.parametrize("token", ["wrong", None])
def test_nobody_speaks_for_a_second_terminal_on_one_link(place: Place, token: str | None) -> None:
    """Both logins come in one read, before the first is judged; the second one's token may even be right."""
    other = place.house.register("jt808", "013900000002", name="Patrol 2")
    second = Terminal("013900000002")
    second.connect()
    second.authenticate(token or place.house.token(other))
    vehicle = place.vehicle()
    vehicle.terminal.authenticate(place.house.token(place.device))
    vehicle.session.receive(b"".join(vehicle.terminal.data_to_send() + second.data_to_send()))
    assert place.links.connected(place.device.id)
    assert not place.links.connected(other.id)
    vehicle.position()
    place.house.settle()
    assert [record.device for record in place.house.records] == [place.device.id]


def test_a_position_is_acknowledged_when_it_is_on_disk_and_not_before(place: Place) -> None:
    vehicle = place.vehicle().log_in()
    serial = vehicle.position(speed=560, altitude=12, items={"mileage_m": 100})
    assert vehicle.acknowledged == []
    assert vehicle.session.waiting == 1
    place.house.settle()
    assert vehicle.acknowledged == [serial]
    (record,) = place.house.records
    assert (record.device, record.unit, record.fix_time, record.altitude, record.status & LOCATED) == (
        "d1",
        "v1",
        NOON,
        12,
        2,
    )
    assert (record.latitude, record.longitude) == (LAT // 10 * 10, LON // 10 * 10)
    assert (vehicle.session.waiting, vehicle.drained) == (0, 1)


def test_when_the_disk_fails_there_is_no_answer_and_it_comes_again(place: Place) -> None:
    vehicle = place.vehicle().log_in()
    place.house.hands.broken = True
    vehicle.position()
    place.house.settle()
    assert vehicle.acknowledged == []
    assert vehicle.terminal.unacknowledged == 1
    assert vehicle.session.waiting == 0
    place.house.hands.broken = False
    vehicle.session.ended()
    vehicle.connect()
    vehicle.terminal.authenticate()
    vehicle.say()
    place.house.settle()
    assert vehicle.terminal.unacknowledged == 0
    assert [r.fix_time for r in place.house.records] == [NOON]


def test_a_full_journal_gives_no_answer_either(tmp_path: Any) -> None:
    house = House(tmp_path / "j", max_waiting=1)
    vehicle = Place(house).vehicle().log_in()
    house.hands.hold()
    first = vehicle.position(NOON)
    vehicle.position(NOON + 1000)
    assert house.refused("jt808") == {"busy": 1}
    assert vehicle.session.waiting == 1
    house.hands.release()
    house.settle()
    assert vehicle.acknowledged == [first]
    house.close()


def test_off_duty_positions_are_acknowledged_and_written_nowhere(place: Place) -> None:
    place.house.roster.apply(("duty", "v1:1", {"unit": "v1", "number": 1, "start": 0, "end": NOON}))
    vehicle = place.vehicle().log_in()
    serial = vehicle.position(NOON)
    assert vehicle.acknowledged == [serial]
    place.house.settle()
    assert place.house.records == []
    assert place.house.refused("jt808") == {"off_duty": 1}


def test_several_in_one_read_are_one_append_and_each_is_answered(place: Place) -> None:
    vehicle = place.vehicle().log_in()
    serials = [vehicle.terminal.position(NOON + i * 1000, LAT, LON) for i in range(5)]
    vehicle.say()
    place.house.settle()
    assert vehicle.acknowledged == serials
    assert len(place.house.batches) == 3  # its code, that it has used it, and these


def test_a_backlog_comes_as_backfill(place: Place) -> None:
    vehicle = place.vehicle()
    for i in range(40):
        vehicle.terminal.position(NOON + i * 1000, LAT, LON)
    vehicle.log_in()
    place.house.settle()
    assert vehicle.terminal.unacknowledged == 0
    assert len(place.house.records) == 40
    assert {r.marks for r in place.house.records} == {2}


def test_a_terminal_whose_messages_wait_for_the_disk_is_read_no_further(place: Place) -> None:
    vehicle = place.vehicle().log_in()
    place.house.hands.hold()
    for i in range(WAITING_LIMIT):
        assert not vehicle.session.full
        vehicle.position(NOON + i * 1000)
    assert vehicle.session.full
    place.house.settle()
    place.house.hands.release()
    place.house.settle()
    assert not vehicle.session.full
    assert vehicle.drained
    assert len(vehicle.acknowledged) == WAITING_LIMIT


def test_positions_before_authentication_are_refused_and_the_link_stays(place: Place) -> None:
    vehicle = place.vehicle()
    vehicle.terminal.authenticated = True  # it thinks so
    vehicle.position()
    place.house.settle()
    assert [e.result for e in vehicle.got(Acknowledged)] == [Result.FAILED]
    assert place.house.records == []
    assert place.house.refused("jt808") == {"not_authenticated": 1}
    assert not vehicle.closed


def test_heartbeat_time_and_logout(place: Place) -> None:
    heard = []
    place.house.intake.heard = lambda carrier: heard.append(carrier.unit.id)
    vehicle = place.vehicle().log_in()
    vehicle.terminal.heartbeat()
    vehicle.terminal.ask_time()
    vehicle.say()
    assert heard == ["v1"]
    assert [e.message_id for e in vehicle.got(Acknowledged)] == [MessageId.HEARTBEAT]
    assert [e.time for e in vehicle.got(TimeTold)] == [NOON]
    vehicle.terminal.position(NOON, LAT, LON)
    vehicle.terminal.logout()
    vehicle.say()
    assert not place.links.connected(DeviceId("d1"))
    assert not vehicle.session.authenticated
    place.house.settle()
    assert len(place.house.records) == 1  # what came before the logout in the same read
    assert len(vehicle.acknowledged) == 1
    assert [e.message_id for e in vehicle.got(Acknowledged)][1:] == [MessageId.LOGOUT, MessageId.POSITION]


def test_a_second_login_takes_over(place: Place) -> None:
    first = place.vehicle().log_in()
    second = place.vehicle().log_in()
    assert first.closed
    assert not second.closed
    first.session.ended()
    assert place.links.connected(DeviceId("d1"))
    first.position()  # still on its way when its link was cut: unanswered, it comes again over the other
    place.house.settle()
    assert first.acknowledged == []
    assert place.house.records == []


def test_broken_frames_are_counted_by_their_reason(place: Place) -> None:
    vehicle = place.vehicle().log_in()
    vehicle.terminal.heartbeat()
    (good,) = vehicle.terminal.data_to_send()
    bad = bytearray(good)
    bad[-2] ^= 1
    vehicle.session.receive(bytes(bad))
    assert place.house.refused("jt808") == {"bad_checksum": 1}


def test_fragments_that_never_become_whole_are_let_go(place: Place) -> None:
    vehicle = place.vehicle().log_in()
    vehicle.terminal.batch([Position.of(NOON + i * 1000, LAT, LON) for i in range(100)])
    frames = vehicle.terminal.data_to_send()
    assert len(frames) > 2
    vehicle.session.receive(frames[0])
    assert place.house.refused("jt808") == {}
    place.house.now += 10 * 60_000
    place.house.hands.clock.advance(600)
    assert place.house.refused("jt808") == {"fragments_timeout": 1}


def test_counters(place: Place) -> None:
    vehicle = place.vehicle().log_in()
    vehicle.position()
    place.house.settle()
    view = place.house.intake.counters.view()["jt808"]
    assert (view["messages"], view["accepted"]) == (3, 1)


def test_a_commit_that_ends_after_the_link_is_no_trouble(place: Place) -> None:
    vehicle = place.vehicle().log_in()
    place.house.hands.hold()
    vehicle.position()
    place.house.settle()
    vehicle.session.ended()
    place.house.hands.release()
    assert len(place.house.records) == 1
