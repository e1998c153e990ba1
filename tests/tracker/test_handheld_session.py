"""A handheld's conversation from hello to the disk, with the device's own side of the protocol at the other end."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from protocols.errors import RemoteProtocolError
from protocols.handheld import Client
from protocols.handheld.events import Acknowledged, Busy, Command, Pong, Rejected, Welcome
from protocols.handheld.messages import decode, encode
from tests.tracker.helpers import LAT, LON, NOON, House
from tracker.commands_model import Command as CommandAsked
from tracker.device_plans import plan_token
from tracker.handheld_session import AppVersions, HandheldSession, _older
from tracker.links import Links
from tracker.model import DeviceId
from tracker.tokens import hashed


class Handheld:
    """One device and the session that serves it; the link between them is two lists."""

    def __init__(self, house: House, links: Links, token: str, *, device: str = "h1", **options: Any) -> None:
        self.house = house
        self.client = Client(device, token, **options)
        self.heard: list[Any] = []
        self.closed = False
        self.session = HandheldSession(
            house.intake, links, "192.0.2.1", self._send, self._close, AppVersions("1.2.0", "1.3.0")
        )
        self.client.connected(house.now)
        self.talk()

    def _send(self, messages: list[bytes]) -> None:
        for message in messages:
            self.heard += self.client.receive_message(message, self.house.now)

    def _close(self) -> None:
        self.closed = True

    def talk(self) -> None:
        """What the device has to say goes over in one read."""
        out = self.client.messages_to_send(self.house.now)
        if out:
            self.session.receive(out)

    def fix(self, at: int = NOON, **others: Any) -> None:
        self.client.add_position(at, LAT, LON, **others)
        self.talk()

    def got(self, kind: type) -> list[Any]:
        return [event for event in self.heard if isinstance(event, kind)]

    @property
    def acknowledged(self) -> list[int]:
        return [event.seq for event in self.got(Acknowledged)]

    @property
    def rejected(self) -> list[str]:
        return [event.code for event in self.got(Rejected)]


class Place:
    def __init__(self, house: House) -> None:
        self.house = house
        self.links = house.make_links()
        self.device = house.register("handheld", "h1", name="张三")
        self.token = house.token(self.device)

    def log_in(self, **options: Any) -> Handheld:
        return Handheld(self.house, self.links, self.token, **{"app": "1.2.0", **options})


@pytest.fixture
def place(house: House) -> Place:
    return Place(house)


def test_login(place: Place) -> None:
    handheld = place.log_in()
    (welcome,) = handheld.got(Welcome)
    assert (welcome.name, welcome.now, welcome.app_min, welcome.app_latest) == ("张三", NOON, "1.2.0", "1.3.0")
    assert place.links.connected(DeviceId("d1"))
    assert handheld.session.authenticated
    handheld.session.ended()
    assert not place.links.connected(DeviceId("d1"))


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"device": "h2"}, "unknown_device"),
        ({"token": "wrong"}, "bad_token"),
        ({"token": ""}, "bad_token"),
        ({"app": "1.1.9"}, "app_too_old"),
        ({"app": ""}, "app_too_old"),
        ({"app": "²"}, "app_too_old"),
    ],
)
def test_logins_that_are_refused(place: Place, options: dict[str, Any], code: str) -> None:
    given = {"device": "h1", "token": place.token, "app": "1.2.0", **options}
    handheld = Handheld(place.house, place.links, given.pop("token"), **given)
    assert handheld.rejected == [code]
    assert handheld.closed
    assert not handheld.session.authenticated
    assert not len(place.links)
    assert place.house.refused("handheld") == {code: 1}


def test_coordinates_that_are_not_declared_are_refused(place: Place) -> None:
    handheld = place.log_in(crs="mars")
    assert handheld.rejected == ["crs_undeclared"]
    assert handheld.closed


def test_of_an_unknown_device_only_its_id_is_kept(place: Place) -> None:
    for _ in range(3):
        Handheld(place.house, place.links, "x", device="stranger")
    assert place.house.intake.unknown == {("handheld", "stranger"): (3, NOON)}


def test_a_device_speaks_from_its_networks_only(place: Place) -> None:
    made = place.house.register("handheld", "h3", networks=["10.0.0.0/8"])
    handheld = Handheld(place.house, place.links, place.house.token(made), device="h3", app="9")
    assert handheld.rejected == ["unknown_device"]
    assert place.house.refused("handheld") == {"foreign_network": 1}
    assert not place.house.intake.unknown


def test_a_renewed_token_ends_the_old_one_at_the_next_login(place: Place) -> None:
    _, changes = plan_token(place.house.roster, DeviceId("d1"), hashed("another"))
    for change in changes:
        place.house.roster.apply(change)
    assert place.log_in().rejected == ["bad_token"]


@pytest.mark.parametrize(
    ("version", "minimum", "older"),
    [
        ("1.2.0", "1.2.0", False),
        ("1.2", "1.2.0", False),
        ("1.10", "1.9.9", False),
        ("1.9.9", "1.10", True),
        ("2", "1.9", False),
        ("1.2.0-rc1", "1.2.0", False),
        ("x", "0.0.1", True),
        ("1.²", "1.1", True),
    ],
)
def test_versions(version: str, minimum: str, older: bool) -> None:
    assert _older(version, minimum) is older


def test_a_position_is_acknowledged_when_it_is_on_disk_and_not_before(place: Place) -> None:
    handheld = place.log_in()
    handheld.fix(speed_cms=120)
    assert handheld.acknowledged == []
    place.house.settle()
    assert handheld.acknowledged == [1]
    (record,) = place.house.records
    assert (record.device, record.unit, record.fix_time, record.latitude, record.speed) == ("d1", "p1", NOON, LAT, 120)
    assert handheld.client.unacknowledged == 0


def test_all_that_one_read_brings_is_one_append_with_one_acknowledgement(place: Place) -> None:
    handheld = place.log_in(batch_max=2)
    for i in range(6):
        handheld.client.add_position(NOON + i, LAT, LON)
    handheld.talk()
    place.house.settle()
    assert handheld.acknowledged == [3]
    assert len(place.house.records) == 6
    assert len(place.house.batches) == 1


def test_what_holds_nothing_to_store_does_not_acknowledge_what_waits_before_it(place: Place) -> None:
    handheld = place.log_in()
    place.house.hands.hold()
    handheld.fix()
    place.house.settle()
    handheld.fix(946_684_800_000 - 1)  # no time: refused by the protocol, nothing to store
    place.house.roster.apply(("duty", "p1:1", {"unit": "p1", "number": 1, "start": NOON - 1, "end": NOON + 1}))
    handheld.fix(NOON + 5000)  # off duty
    assert handheld.acknowledged == []
    place.house.hands.release()
    assert handheld.acknowledged[-1] == 3
    assert len(place.house.records) == 1


def test_when_the_disk_fails_nothing_is_acknowledged_and_all_comes_again(place: Place) -> None:
    handheld = place.log_in()
    place.house.hands.hold()
    handheld.fix()
    place.house.settle()
    handheld.fix(946_684_800_000 - 1)
    place.house.hands.broken = True
    place.house.hands.release()
    assert handheld.acknowledged == []
    (busy,) = handheld.got(Busy)
    assert handheld.client.unacknowledged == 2
    place.house.hands.broken = False
    place.house.now += busy.seconds * 1000
    handheld.client.handle_timer(place.house.now)
    handheld.talk()
    place.house.settle()
    assert handheld.acknowledged[-1] == 2
    assert [r.fix_time for r in place.house.records] == [NOON]


def test_after_a_failure_an_older_commit_acknowledges_nothing(place: Place) -> None:
    """The second group was under way when the first failed: the device begins again with both."""
    handheld = place.log_in()
    place.house.hands.hold()
    handheld.fix(NOON)
    place.house.settle()
    handheld.fix(NOON + 1)
    place.house.hands.broken = True
    first = place.house.hands.held or []
    first.pop(0)()
    place.house.hands.broken = False
    assert handheld.got(Busy)
    place.house.now += 15_000
    handheld.client.handle_timer(place.house.now)
    handheld.talk()  # both again, and now the older commit of the second ends
    first.pop(0)()
    assert handheld.acknowledged == []
    place.house.hands.release()
    place.house.settle()
    assert handheld.acknowledged == [2]
    assert {r.fix_time for r in place.house.records} == {NOON, NOON + 1}


def test_a_full_journal_is_told(tmp_path: Any) -> None:
    house = House(tmp_path / "j", max_waiting=2)
    place = Place(house)
    handheld = place.log_in()
    house.hands.hold()
    handheld.fix(NOON)
    handheld.fix(NOON + 1)
    handheld.fix(NOON + 2)
    assert len(handheld.got(Busy)) == 1
    assert house.refused("handheld") == {"busy": 1}
    house.hands.release()
    house.settle()
    house.now += 5000
    handheld.client.handle_timer(house.now)
    for _ in range(3):
        handheld.talk()
        house.settle()
    assert {r.fix_time for r in house.records} >= {NOON, NOON + 1}
    house.close()


def test_off_duty_positions_are_acknowledged_and_written_nowhere(place: Place) -> None:
    place.house.roster.apply(("duty", "p1:1", {"unit": "p1", "number": 1, "start": 0, "end": NOON}))
    handheld = place.log_in()
    handheld.fix(NOON + 1)
    assert handheld.acknowledged == [1]
    place.house.settle()
    assert place.house.records == []
    assert place.house.refused("handheld") == {"off_duty": 1}
    handheld.fix(NOON + 2, alarm=1)
    place.house.settle()
    assert [r.alarm for r in place.house.records] == [1]


def test_health_and_counters(place: Place) -> None:
    handheld = place.log_in()
    handheld.client.add_health(NOON, battery=81, net="4g", fix="3d")
    handheld.talk()
    handheld.fix()
    place.house.settle()
    health, fix = place.house.records
    assert health.items is not None
    assert (health.items["battery"], health.device_time, health.latitude) == (81, NOON, None)
    assert fix.latitude == LAT
    view = place.house.intake.counters.view()["handheld"]
    assert (view["accepted"], view["messages"], view["refused"]) == (2, 3, {})


def test_a_bad_position_is_counted_and_acknowledged_with_the_rest(place: Place) -> None:
    handheld = place.log_in()
    message = {"t": "fix", "seq": 1, "now": NOON, "live": True, "p": [["x"], [NOON, LAT, LON], [NOON, 1 << 40, 0]]}
    handheld.client.add_position(NOON, LAT, LON)
    handheld.client.messages_to_send(NOON)
    handheld.session.receive([encode(message)])
    place.house.settle()
    assert handheld.acknowledged == [1]
    assert place.house.refused("handheld") == {"bad_position": 2}
    assert len(place.house.records) == 1


def test_ping_is_answered_and_is_a_sign_of_life(place: Place) -> None:
    heard = []
    place.house.intake.heard = lambda carrier: heard.append(carrier.unit.id)
    handheld = place.log_in()
    place.house.now += 777
    handheld.client.ping(place.house.now)
    handheld.talk()
    assert [pong.now for pong in handheld.got(Pong)] == [NOON + 777]
    assert heard == ["p1"]


def test_a_second_login_takes_over(place: Place) -> None:
    first = place.log_in()
    second = place.log_in()
    assert first.rejected == ["taken_over"]
    assert first.closed
    assert not second.closed
    first.session.ended()  # its link goes down later
    assert place.links.connected(DeviceId("d1"))
    second.fix()
    place.house.settle()
    assert second.acknowledged == [1]


def test_what_was_on_its_way_at_a_take_over_is_kept_once_acknowledged_or_sent_again(place: Place) -> None:
    first = place.log_in()
    first.fix()
    second = place.log_in()
    place.house.settle()
    assert len(place.house.records) == 1
    assert second.acknowledged == []


def ask(place: Place, kind: str = "locate", expires_s: int = 60) -> CommandAsked:
    """A command that is in the journal."""
    asked = Deferred.fromCoroutine(place.links.ask(DeviceId("d1"), kind, {}, expires_s))
    place.house.settle()
    assert isinstance(asked.result, CommandAsked)
    return asked.result


@pytest.mark.parametrize(("ok", "state"), [(True, "done"), (False, "failed")])
def test_a_locate_command_is_answered(place: Place, ok: bool, state: str) -> None:
    handheld = place.log_in()
    command = ask(place)
    (asked,) = handheld.got(Command)
    assert (asked.id, asked.kind, command.state) == (command.id, "locate", "sent")
    handheld.client.done(asked.id, ok, "as asked")
    handheld.talk()
    assert command.state == "sent", "it is not in the journal yet"
    place.house.settle()
    assert (command.state, command.text, command.answered) == (state, "as asked", NOON)


def test_a_command_that_waited_comes_behind_the_welcome(place: Place) -> None:
    command = ask(place)
    assert command.state == "queued"
    handheld = place.log_in()
    assert [type(event) for event in handheld.heard][-2:] == [Welcome, Command]
    assert command.state == "sent"


def test_a_handheld_that_is_away_when_it_has_done_says_so_later(place: Place) -> None:
    handheld = place.log_in()
    command = ask(place)
    (asked,) = handheld.got(Command)
    handheld.session.ended()
    assert command.state == "queued"
    again = place.log_in()
    again.client.done(asked.id, True)
    again.talk()
    place.house.settle()
    assert command.state == "done"


def test_a_message_that_is_none_ends_the_conversation(place: Place) -> None:
    handheld = place.log_in()
    handheld.session.receive([b"\xc1"])
    assert handheld.rejected == ["malformed"]
    assert handheld.closed
    assert place.house.refused("handheld") == {"malformed": 1}
    assert handheld.session.carry_out(ask(place)) is False
    assert not handheld.got(Command)


def test_framing_that_is_lost_is_told(place: Place) -> None:
    handheld = place.log_in()
    handheld.session.broken(RemoteProtocolError("too_long", "5 GB"))
    assert handheld.rejected == ["too_long"]
    assert handheld.closed
    assert place.house.refused("handheld") == {"too_long": 1}
    # Its peer may keep the link for minutes by not reading: what is asked now waits for the next login.
    command = ask(place)
    assert command.state == "queued"
    handheld.session.ended()
    assert place.log_in().got(Command)


def test_positions_before_the_hello_are_out_of_order(place: Place) -> None:
    out: list[bytes] = []
    closed = []
    session = HandheldSession(
        place.house.intake, place.links, "192.0.2.1", out.extend, lambda: closed.append(1), AppVersions()
    )
    session.receive([encode({"t": "fix", "seq": 1, "p": [[NOON, LAT, LON]]})])
    assert decode(out[0])["code"] == "out_of_order"
    assert closed
    place.house.settle()
    assert place.house.records == []


def test_a_commit_that_ends_after_the_link_is_no_trouble(place: Place) -> None:
    handheld = place.log_in()
    place.house.hands.hold()
    handheld.fix()
    place.house.settle()
    handheld.session.ended()
    place.house.hands.release()
    assert len(place.house.records) == 1


# -- duty


class Clerk:
    """Takes duty events in when it is told to."""

    def __init__(self, place: Place) -> None:
        self.heard: list[tuple[bool, int, str]] = []
        self.done: list[Any] = []
        place.house.intake.told = self.told

    def told(self, carrier: Any, on: bool, at: int, id: str, done: Any) -> None:
        self.heard.append((on, at, id))
        self.done.append(done)


def test_a_duty_event_is_acknowledged_when_it_is_on_disk_and_what_follows_waits_for_it(place: Place) -> None:
    clerk, device = Clerk(place), place.log_in()
    device.fix(NOON)
    device.client.add_duty(False, NOON + 1, "e1")
    device.fix(NOON + 2)
    device.fix(NOON + 3)
    place.house.settle()
    assert clerk.heard == [(False, NOON + 1, "e1")]
    assert device.acknowledged == [1]
    assert [record.fix_time for record in place.house.records] == [NOON]
    clerk.done.pop()(True)
    place.house.settle()
    assert device.acknowledged[-1] == 4
    assert [record.fix_time for record in place.house.records] == [NOON, NOON + 2, NOON + 3]


def test_two_duty_events_in_one_read_are_acknowledged_in_their_turn(place: Place) -> None:
    clerk, device = Clerk(place), place.log_in()
    device.client.add_duty(True, NOON, "e1")
    device.client.add_position(NOON + 1, LAT, LON)
    device.talk()
    device.client.add_duty(False, NOON + 2, "e2")
    device.fix(NOON + 3)
    place.house.settle()
    clerk.done[1](True)
    place.house.settle()
    assert device.acknowledged == []
    clerk.done[0](True)
    place.house.settle()
    assert device.acknowledged[-1] == 4


def test_a_duty_event_that_the_disk_refuses_comes_again(place: Place) -> None:
    clerk, device = Clerk(place), place.log_in()
    device.client.add_duty(True, NOON, "e1")
    device.fix(NOON + 1)
    clerk.done.pop()(False)
    place.house.settle()
    assert device.got(Busy)
    assert device.acknowledged == []
    assert place.house.records == []
    place.house.now += 3_600_000
    device.client.handle_timer(place.house.now)
    device.talk()
    assert clerk.heard == [(True, NOON, "e1")] * 2


def test_a_duty_event_that_cannot_be_read_is_counted(place: Place) -> None:
    Clerk(place)
    device = place.log_in()
    device.client.add_duty(True, 5, "e1")
    device.talk()
    assert device.acknowledged == [1]
    assert place.house.refused("handheld") == {"bad_duty": 1}
