"""Roll calls over real conversations: handhelds whose link is cut and a server that is killed at each step."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from protocols.handheld import Client, Command
from tests.tracker.helpers import LAT, LON, House, square
from tracker.commands_model import Command as CommandAsked
from tracker.handheld_session import AppVersions, HandheldSession
from tracker.intake import Intake, StoreFailed
from tracker.links import Links
from tracker.model import UnitId
from tracker.pipeline import Pipeline
from tracker.roll_call import Reply, RollBook, RollCall
from tracker.roll_caller import NOTICE, RollCaller
from tracker.roster import Refusal

P1 = UnitId("p1")


class Fleet:
    """The live map, as far as it is looked at: the states that the pipeline makes of the journal."""

    def __init__(self, place: Place) -> None:
        self._pipeline = Pipeline(place.house.intake.areas)
        self._place = place
        self.units = self._pipeline.states
        self._last = 0

    def move(self) -> None:
        moved = set()
        for batch in self._place.house.journal.read(self._last + 1, 1 << 20):
            for number, record in enumerate(batch.records, batch.first):
                if number > self._last and record[0] == 1:
                    self._pipeline.take(record)
                    moved.add(record[2])
            self._last = batch.last
        self._place.caller.seen(moved)


class Place:
    """A server in memory, which can be killed."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.house.intake.roster.apply(("area", "g1", _area()))
        self.device = house.register("handheld", "h1", name="张三", grid="g1")
        self.token = house.token(self.device)
        self._begin(RollBook())

    def _begin(self, book: RollBook) -> None:
        self.links: Links = self.house.make_links()
        mirror: Any = Fleet(self)
        self.fleet: Fleet = mirror
        ids = iter(f"r{n}" for n in range(100))
        clock: Any = self.house.hands
        self.caller = RollCaller(self.house.intake, self.links, mirror, book, clock, ids.__next__)
        self.links.ended.append(self.caller.ended)

    def ask(self, *units: str) -> RollCall:
        asked = self.begin(*units)
        self.house.settle()
        assert isinstance(asked.result, RollCall), asked
        return asked.result

    def begin(self, *units: str) -> Deferred[RollCall]:
        return Deferred.fromCoroutine(self.caller.call([UnitId(unit) for unit in units or ("p1",)], "seat", None, {}))

    def later(self, ms: int) -> None:
        self.house.now += ms
        self.house.hands.clock.advance(ms / 1000)
        self.house.settle()
        self.fleet.move()

    def killed(self) -> None:
        """The server is killed and begins again over the same journal."""
        self.links.stop()
        self.caller.stop()
        roster = self.house.roster
        self.house.intake = Intake(self.house.journal, lambda: self.house.now)
        for change in roster.changes():  # this house has put them in without a journal
            self.house.intake.roster.apply(change)
        self.house.roster = self.house.intake.roster
        book = RollBook()
        self._begin(book)

        def happened(event: Any) -> None:
            self.links.replay(event)
            if event[0] == "roll_call":
                book.replay(event)

        self.house.intake.replay(happened)
        self.links.start()
        self.caller.start()
        self.fleet.move()

    @property
    def call(self) -> RollCall:
        return next(self.caller.book.all())

    @property
    def reply(self) -> str:
        self.caller.look()
        return str(self.call.units[P1].reply)


def _area() -> dict[str, Any]:
    area = square("g1", "grid", LON / 1e7 - 0.01, LAT / 1e7 - 0.01, LON / 1e7 + 0.01, LAT / 1e7 + 0.01)
    return {"id": area.id, "level": "grid", "name": "g1", "geometry": area.geometry}


class Handheld:
    """A device with its screen; its link is cut by dropping the session."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.client = Client("h1", place.token, app="1.0.0")
        self.questions: dict[str, int] = {}
        self.session: HandheldSession | None = None
        self.unread: list[bytes] | None = None

    def connect(self) -> None:
        place = self.place
        self.session = HandheldSession(place.house.intake, place.links, "192.0.2.1", self._receive, lambda: None,
                                       AppVersions())  # fmt: skip
        self.client.connected(place.house.now)
        self.talk()
        place.house.settle()

    def cut(self) -> None:
        if self.session is not None:
            self.session.ended()
            self.session = None
            self.client.disconnected()
            self.unread = None

    def _receive(self, messages: list[bytes]) -> None:
        if self.unread is not None:
            self.unread += messages
            return
        for message in messages:
            for event in self.client.receive_message(message, self.place.house.now):
                if isinstance(event, Command):
                    self.questions[event.id] = event.until

    def talk(self) -> None:
        out = self.client.messages_to_send(self.place.house.now)
        if out and self.session is not None:
            self.session.receive(out)

    def locate(self) -> None:
        self.client.add_position(self.place.house.now, LAT, LON, 50)
        self.talk()
        self.place.later(20)

    def press(self) -> None:
        for id in self.questions:
            self.client.done(id, True)
        self.talk()
        self.place.later(20)


@pytest.fixture
def place(house: House) -> Place:
    return Place(house)


def test_a_person_sends_a_position_and_presses(place: Place) -> None:
    handheld = Handheld(place)
    handheld.connect()
    call = place.ask()
    assert list(handheld.questions.values()) == [call.ends]
    assert place.reply == "asked"
    handheld.locate()
    one = place.call.units[P1]
    assert (one.reply, one.place is not None and one.place.own) == (Reply.POSITION, True)
    handheld.press()
    assert place.reply == "confirmed"
    place.later(1000)
    assert place.call.ended is not None, "everybody has said all"


@pytest.mark.parametrize("killed", [False, True], ids=["", "killed"])
def test_a_place_of_time_that_turns_out_to_be_off_duty_is_nowhere(place: Place, killed: bool) -> None:
    """Not in the call, not in what is written of it next, and live state, which has it yet, puts it into no call."""
    handheld = Handheld(place)
    handheld.connect()
    place.ask()
    handheld.locate()
    place.later(1000)
    found = place.call.units[P1].place
    assert found is not None
    place.house.roster.apply(("duty", "p1:1", {"unit": "p1", "number": 1, "start": 0, "end": found.at, "by": "device"}))
    place.caller.displaced(P1, found.at, found.at + 1)
    place.caller.seen([P1])
    assert (place.reply, place.call.units[P1].place) == ("position", None)
    place.later(1000)
    if killed:
        place.killed()
    assert (place.reply, place.call.units[P1].place) == ("position", None)


CUTS = ["before it is asked", "unread", "read", "located", "pressed"]


@pytest.mark.parametrize("killed", [False, True], ids=["cut", "killed"])
@pytest.mark.parametrize("step", CUTS)
def test_a_link_that_is_cut_and_a_server_that_is_killed_at_each_step(place: Place, step: str, killed: bool) -> None:
    handheld = Handheld(place)
    if step != CUTS[0]:
        handheld.connect()
    if step == "unread":
        handheld.unread = []
    place.ask()
    if step == "located":
        handheld.locate()
    elif step == "pressed":
        handheld.locate()
        for id in handheld.questions:
            handheld.client.done(id, True)
        assert handheld.client.messages_to_send(place.house.now)  # and nobody ever reads it
    if killed:
        place.killed()
    handheld.cut()
    place.later(3000)
    # That a question had gone out is forgotten with the server: it goes out again.
    known = "offline" if killed else "asked"
    assert place.reply == {CUTS[0]: "offline", "located": "position", "pressed": "position"}.get(step, known)
    handheld.connect()
    assert handheld.questions, "it is asked, again if need be"
    handheld.locate()
    handheld.press()
    assert place.reply == "confirmed"
    place.killed()
    assert place.reply == "confirmed"


@pytest.mark.parametrize("killed", [False, True])
def test_who_says_nothing_is_silent(place: Place, killed: bool) -> None:
    handheld = Handheld(place)
    handheld.connect()
    call = place.ask()
    if killed:
        handheld.cut()
        place.killed()
        handheld.connect()
    place.later(call.ends - place.house.now - 1000)
    assert place.reply == "asked"
    place.later(2000)
    assert place.reply == "silent"
    assert [one.unit for one in place.call.silent] == ["p1"]
    place.killed()
    assert place.reply == "silent"
    assert place.call.ended is not None


def test_what_is_asked_of_whom(place: Place) -> None:
    """A terminal is located and shows a text; of devices, the one that is there is asked; phones are waited for."""
    house = place.house
    vehicle = house.register("jt808", "13900000001", name="巡查车")
    phone = house.register("traccar", name="李四")
    house.register("jt808", "13900000002", unit="p1")
    told: list[tuple[str, str]] = []

    class Terminal:
        def __init__(self, device: str) -> None:
            self.device = device

        def carry_out(self, command: CommandAsked) -> bool:
            told.append((self.device, command.kind))
            if command.kind == "text":
                assert command.arguments["text"] == NOTICE
                NOTICE.encode("gbk")
            return True

        def take_over(self) -> None:
            raise AssertionError

    for device in (vehicle.id, house.roster.devices_of(P1)[1].id):
        place.links.login(device, Terminal(device))
    call = place.ask("p1", vehicle.unit, phone.unit)
    assert sorted(told) == [(vehicle.id, "locate"), (vehicle.id, "text"), ("d4", "locate"), ("d4", "text")]
    assert {unit: (str(one.way), bool(one.command)) for unit, one in call.units.items()} == {
        "p1": ("locate", True), vehicle.unit: ("locate", True), phone.unit: ("wait", False),
    }  # fmt: skip


def test_all_of_it_is_on_disk_or_nothing_has_happened(place: Place) -> None:
    handheld = Handheld(place)
    handheld.connect()
    place.house.hands.broken = True
    asked = place.begin()
    found: list[Any] = []
    asked.addErrback(found.append)
    place.house.settle()
    assert isinstance(found[0].value, StoreFailed)
    assert not handheld.questions
    assert not list(place.caller.book.all())
    place.house.hands.broken = False
    asked = Deferred.fromCoroutine(place.caller.call([], "seat", None, {}))
    asked.addErrback(found.append)
    assert isinstance(found[1].value, Refusal)


def test_answers_wait_for_a_disk_that_does_not_take_them(place: Place) -> None:
    handheld = Handheld(place)
    handheld.connect()
    place.ask()
    handheld.locate()
    place.house.hands.broken = True
    place.later(120_000)
    assert place.reply == "position"
    place.house.hands.broken = False
    for _ in range(5):
        place.later(1000)
    place.killed()
    assert place.call.ended is not None
    assert place.reply == "position"
