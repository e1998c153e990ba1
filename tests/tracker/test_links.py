"""Who is connected, and what becomes of a command."""

from __future__ import annotations

from tests.tracker.helpers import NOON
from tracker.links import COMMAND_TIMEOUT, COMMANDS_KEPT, Links
from tracker.model import DeviceId

D1, D2 = DeviceId("d1"), DeviceId("d2")


class FakeSession:
    def __init__(self, can: bool = True) -> None:
        self.can = can
        self.asked: list[str] = []
        self.taken_over = 0

    def locate(self, command: str) -> bool:
        self.asked.append(command)
        return self.can

    def take_over(self) -> None:
        self.taken_over += 1


class Bench:
    def __init__(self) -> None:
        self.now = NOON
        self.links = Links(lambda: self.now, iter(f"c{i}" for i in range(10_000)).__next__)


def test_the_newest_session_of_a_device_counts() -> None:
    b, first, second = Bench(), FakeSession(), FakeSession()
    b.links.login(D1, first)
    b.links.login(D1, first)
    assert first.taken_over == 0
    b.links.login(D1, second)
    assert (first.taken_over, second.taken_over, len(b.links)) == (1, 0, 1)
    b.links.logout(D1, first)
    assert b.links.connected(D1)
    b.links.logout(D1, second)
    b.links.logout(D1, second)
    assert not b.links.connected(D1)


def test_a_device_that_is_not_there_cannot_be_asked() -> None:
    b = Bench()
    assert b.links.locate(D1) is None
    assert b.links.command("c0") is None


def test_a_command_over_a_link_that_cannot_ask_has_failed() -> None:
    b = Bench()
    b.links.login(D1, FakeSession(can=False))
    command = b.links.locate(D1)
    assert command is not None
    assert (command.state, command.answered) == ("failed", NOON)


def test_a_command_is_answered_once_and_by_its_own_device() -> None:
    b, session = Bench(), FakeSession()
    b.links.login(D1, session)
    command = b.links.locate(D1)
    assert command is not None
    assert session.asked == [command.id]
    b.links.answered(command.id, D2, True)
    b.links.answered("c99", D1, True)
    assert command.state == "sent"
    b.now += 1500
    b.links.answered(command.id, D1, True, "there")
    b.links.answered(command.id, D1, False, "no")
    assert b.links.view(command) == {
        "id": "c0", "device": "d1", "kind": "locate", "state": "done", "created": NOON, "answered": NOON + 1500,
        "text": "there",
    }  # fmt: skip


def test_an_answer_is_not_waited_for_for_ever() -> None:
    b = Bench()
    b.links.login(D1, FakeSession())
    command = b.links.locate(D1)
    assert command is not None
    b.now += COMMAND_TIMEOUT
    found = b.links.command(command.id)
    assert found is not None
    assert found.state == "sent"
    b.now += 1
    b.links.answered(command.id, D1, True)
    found = b.links.command(command.id)
    assert found is not None
    assert found.state == "expired"


def test_old_commands_are_forgotten() -> None:
    b = Bench()
    b.links.login(D1, FakeSession())
    for _ in range(COMMANDS_KEPT + 1):
        b.links.locate(D1)
    assert b.links.command("c0") is None
    assert b.links.command("c1") is not None
    b.links.answered("c0", D1, True)
