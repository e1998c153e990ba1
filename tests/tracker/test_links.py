"""Who is connected; commands on their way from the journal to a link, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from tests.tracker.helpers import NOON, House
from tracker.commands_model import Command
from tracker.commands_writer import AT_ONCE
from tracker.device_plans import plan_binding
from tracker.intake import Intake, StoreFailed
from tracker.links import Links
from tracker.model import Device, DeviceId, UnitId
from tracker.record import EVENT
from tracker.roster import Refusal

D1, D2 = DeviceId("d1"), DeviceId("d2")


class FakeSession:
    """Carries out what it is told, or cannot. ``then`` happens while it is told."""

    def __init__(self, can: bool = True, then: Callable[[], None] = lambda: None) -> None:
        self.can = can
        self.then = then
        self.told: list[str] = []
        self.taken_over = 0

    def carry_out(self, command: Command) -> bool:
        self.told.append(command.id)
        self.then()
        return self.can

    def take_over(self) -> None:
        self.taken_over += 1


class Desk:
    """Links over a journal that is moved by hand."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.links = house.make_links()

    def ask(self, device: DeviceId = D1, kind: str = "text", s: int = 3600) -> Command:
        asked = self.begin(device, kind, s)
        self.house.settle()
        assert isinstance(asked.result, Command), asked
        return asked.result

    def begin(self, device: DeviceId = D1, kind: str = "text", s: int = 3600) -> Deferred[Command]:
        self.house.intake.roster.devices.setdefault(device, Device(device, "handheld", device, UnitId("p1")))
        return Deferred.fromCoroutine(self.links.ask(device, kind, {}, s))

    def session(self, device: DeviceId = D1, **options: Any) -> FakeSession:
        session = FakeSession(**options)
        self.links.login(device, session)
        return session

    def later(self, ms: int) -> None:
        self.house.now += ms
        self.house.hands.clock.advance(ms / 1000)
        self.house.settle()

    def restarted(self) -> Links:
        """The server was killed and has begun again over the same journal."""
        self.links.stop()
        self.house.intake = Intake(self.house.journal, lambda: self.house.now)
        self.links = self.house.make_links()
        self.house.intake.replay(self.links.replay)
        self.links.start()
        return self.links

    def journalled(self) -> list[tuple[str, str]]:
        """Commands and states in the order in which they went to disk."""
        found = []
        for batch in self.house.journal.read(1, 1 << 30, rare=True):
            found += [(r[3], r[4].get("state", "created")) for r in batch.records if r[0] == EVENT]
        return found


@pytest.fixture
def desk(house: House) -> Desk:
    return Desk(house)


def failed(asked: Deferred[Command], kind: type[Exception]) -> Exception:
    """What a question ended with."""
    found: list[Failure] = []
    asked.addErrback(found.append)
    assert isinstance(found[0].value, kind)
    return found[0].value


def test_what_is_meant_for_one_is_not_said_to_the_next(desk: Desk) -> None:
    """It waited for its device, which was given to somebody else meanwhile."""
    desk.house.register("handheld", "h1")
    desk.house.register("handheld", "h2")
    meant = desk.ask()
    desk.later(1000)
    for change in plan_binding(desk.house.roster, D1, UnitId("p2"), desk.house.now)[1]:
        desk.house.roster.apply(change)
    after = desk.ask()
    session = desk.session()
    desk.later(1000)
    assert session.told == [after.id]
    assert (meant.state, meant.zh) == ("failed", "设备已换人使用，未下发")


def test_the_newest_session_of_a_device_counts(desk: Desk) -> None:
    links, first, second = desk.links, FakeSession(), FakeSession()
    links.login(D1, first)
    links.login(D1, first)
    assert first.taken_over == 0
    links.login(D1, second)
    assert (first.taken_over, second.taken_over, len(links)) == (1, 0, 1)
    links.logout(D1, first)
    assert links.connected(D1)
    links.logout(D1, second)
    links.logout(D1, second)
    assert not links.connected(D1)


def test_a_command_is_told_when_it_is_on_disk(desk: Desk) -> None:
    session = desk.session()
    asked = desk.begin()
    assert session.told == []
    desk.house.settle()
    assert session.told == ["c0"]
    assert desk.journalled() == [("c0", "created")]
    assert isinstance(asked.result, Command)
    assert asked.result.state == "sent"


def test_a_command_waits_for_its_device(desk: Desk) -> None:
    commands = [desk.ask() for _ in range(3)]
    assert {command.state for command in commands} == {"queued"}
    other = desk.session(D2)
    session = desk.session()
    assert session.told == ["c0", "c1", "c2"]
    assert other.told == []


def test_it_ends_when_that_is_on_disk(desk: Desk) -> None:
    desk.session()
    command = desk.ask(kind="locate")
    desk.links.accepted("c0", D1)
    desk.links.answered("c0", D1, True, "here", "这里")
    assert command.state == "accepted"
    desk.house.settle()
    assert (command.state, command.text, command.zh, command.answered) == ("done", "here", "这里", NOON)
    assert desk.journalled() == [("c0", "created"), ("c0", "done")]


def test_a_link_that_cannot_say_it(desk: Desk) -> None:
    desk.session(can=False)
    command = desk.ask()
    desk.house.settle()
    assert command.state == "failed"
    assert "cannot be said" in command.text


def test_a_link_that_is_lost_while_it_is_told(desk: Desk) -> None:
    commands = [desk.ask() for _ in range(3)]
    session = FakeSession(then=lambda: desk.links.logout(D1, session))
    desk.links.login(D1, session)
    assert session.told == ["c0"]
    assert {command.state for command in commands} == {"queued"}
    assert desk.session().told == ["c0", "c1", "c2"]


def test_another_login_is_told_again(desk: Desk) -> None:
    first = desk.session()
    desk.ask()
    second = desk.session()
    assert (first.told, second.told) == (["c0"], ["c0"])


def test_an_answer_lets_the_next_go(desk: Desk) -> None:
    session = desk.session()
    for _ in range(6):
        desk.ask()
    assert len(session.told) == 4
    desk.links.accepted("c1", D1)
    assert session.told[4:] == ["c4"]


def test_it_is_told_again_while_there_is_no_answer_and_runs_out(desk: Desk) -> None:
    session = desk.session()
    command = desk.ask(s=50)
    desk.later(20_000)
    assert session.told == ["c0", "c0"]
    desk.later(20_000)
    assert len(session.told) == 3
    desk.later(10_000)
    assert (command.state, command.tries) == ("expired", 3)
    desk.later(100_000)
    assert len(session.told) == 3
    assert desk.journalled() == [("c0", "created"), ("c0", "expired")]
    assert not desk.house.hands.clock.getDelayedCalls()


def test_what_runs_out_sooner_is_looked_at_sooner(desk: Desk) -> None:
    long, short = desk.ask(s=3600), desk.ask(s=5)
    desk.later(5_000)
    assert (long.state, short.state) == ("queued", "expired")


def test_a_cancelled_one_is_not_told(desk: Desk) -> None:
    command = desk.ask()
    cancelled = Deferred.fromCoroutine(desk.links.cancel("c0"))
    session = desk.session()
    desk.house.settle()
    assert cancelled.result is command
    assert (command.state, session.told) == ("cancelled", [])
    assert isinstance(failed(Deferred.fromCoroutine(desk.links.cancel("c0")), Refusal), Refusal)


def test_what_the_disk_does_not_take_is_not_promised(desk: Desk) -> None:
    session = desk.session()
    desk.house.hands.broken = True
    asked = desk.begin()
    desk.house.settle()
    failed(asked, StoreFailed)
    desk.house.hands.broken = False
    desk.later(60_000)
    assert session.told == []
    assert len(desk.links.commands) == 0


def test_an_end_that_the_disk_does_not_take_is_written_later(desk: Desk) -> None:
    session = desk.session()
    command = desk.ask()
    desk.house.hands.broken = True
    desk.links.answered("c0", D1, True)
    desk.later(30_000)
    assert command.state == "sent"
    assert session.told == ["c0"], "it was answered: it is not told again"
    desk.house.hands.broken = False
    desk.later(1_100)
    assert command.state == "done"
    assert desk.journalled() == [("c0", "created"), ("c0", "done")]


def test_a_cancellation_that_the_disk_does_not_take(desk: Desk) -> None:
    command = desk.ask()
    desk.house.hands.broken = True
    cancelled = Deferred.fromCoroutine(desk.links.cancel("c0"))
    desk.house.settle()
    failed(cancelled, StoreFailed)
    desk.house.hands.broken = False
    assert desk.session().told == ["c0"]
    assert command.state == "sent"


def test_a_journal_that_is_full(tmp_path: Any) -> None:
    house = House(tmp_path / "journal", max_waiting=1)
    desk = Desk(house)
    desk.session()
    desk.ask()
    house.hands.hold()
    waiting = desk.begin()
    house.settle()
    desk.links.answered("c0", D1, True)
    assert isinstance(failed(Deferred.fromCoroutine(desk.links.cancel("c1")), Refusal), Refusal), "it is not there yet"
    house.hands.release()
    assert isinstance(waiting.result, Command)
    desk.later(1_100)
    found = desk.links.commands.get("c0")
    assert found is not None
    assert found.state == "done"
    house.close()


def test_a_restart_forgets_nothing_that_was_promised(desk: Desk) -> None:
    desk.session()
    done, sent, out, cancelled = desk.ask(), desk.ask(), desk.ask(s=10), desk.ask()
    desk.links.answered(done.id, D1, True)
    Deferred.fromCoroutine(desk.links.cancel(cancelled.id))
    desk.house.settle()
    desk.house.now += 15_000
    links = desk.restarted()
    session = desk.session()
    assert session.told == [sent.id]
    desk.later(10)
    states = {id: str(command.state) for id in ("c0", "c1", "c2", "c3") if (command := links.commands.get(id))}
    assert states == {done.id: "done", sent.id: "sent", out.id: "expired", cancelled.id: "cancelled"}


def test_many_that_run_out_at_once_are_written_in_parts(desk: Desk) -> None:
    for device in range(12):
        for _ in range(100):
            desk.begin(DeviceId(f"d{device}"), s=60)
    for _ in range(1300):
        desk.house.settle()
    assert len(desk.links.commands) == 1200
    desk.house.batches.clear()
    desk.house.hands.hold()
    desk.later(60_000)
    assert desk.house.journal.waiting == AT_ONCE, "the others wait here, not where they would be before the reports"
    desk.house.hands.release()
    for _ in range(8):
        desk.house.settle()
    assert len(desk.links.commands) == 0
    assert [len(batch.records) for batch in desk.house.batches] == [AT_ONCE] * 6


def test_after_the_stop_nothing_goes_on(desk: Desk) -> None:
    session = desk.session()
    desk.ask(s=30)
    desk.house.hands.broken = True
    desk.links.answered("c0", D1, True)
    desk.house.settle()
    desk.links.stop()
    desk.house.hands.broken = False
    desk.later(100_000)
    assert session.told == ["c0"]
    assert desk.journalled() == [("c0", "created")]
    assert not desk.links.connected(D1)
