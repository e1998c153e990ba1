"""The life of commands: every state by every input, order, bounds, and any sequence of what can happen."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from tests.tracker.helpers import NOON
from tracker.commands import LOOKED_AT, TIMEOUT, TRIES, TRIES_IN_ALL, CommandBook
from tracker.commands_model import KINDS, TABLE, Command, Input, Moment, State
from tracker.model import DeviceId
from tracker.roster import Refusal

D1, D2 = DeviceId("d1"), DeviceId("d2")
PHOTO = {"channel": 1, "count": 2, "interval": 0}


class Shelf:
    """A book whose journal always works, and its clock."""

    def __init__(self, **bounds: int) -> None:
        self.book = CommandBook(**bounds)
        self.at = Moment(NOON, 5_000)
        self.ids = iter(f"c{n}" for n in range(1_000_000))
        self.journal: list[tuple[str, dict[str, Any]]] = []

    def ask(self, kind: str = "text", device: DeviceId = D1, *, s: int = 3600, **arguments: Any) -> Command:
        command = self.book.plan(next(self.ids), device, kind, arguments, s, self.at)
        self.journal.append((command.id, command.created_fields()))
        self.book.add(command, self.at)
        return command

    def send(self, device: DeviceId = D1) -> list[str]:
        return [command.id for command in self.book.commands_to_send(device, self.at)]

    def write(self) -> list[str]:
        """What has been decided goes into the journal."""
        ended = self.book.outcomes_to_write(1000)
        for command in ended:
            self.journal.append((command.id, command.outcome_fields()))
            self.book.written(command)
        return [command.id for command in ended]

    def wait(self, ms: int) -> set[DeviceId]:
        self.at = Moment(self.at.wall + ms, self.at.steady + ms)
        return self.book.handle_timer(self.at)

    def restarted(self) -> Shelf:
        """The server begins again; its steady clock does too."""
        again = Shelf()
        again.at, again.ids, again.journal = Moment(self.at.wall, 77), self.ids, self.journal
        for id, fields in self.journal:
            again.book.replay(id, fields, again.at)
        return again


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def bring(shelf: Shelf, state: State) -> Command:
    """A command in this state."""
    command = shelf.ask("locate")
    if state is State.QUEUED:
        return command
    shelf.send()
    if state is State.ACCEPTED:
        shelf.book.accepted(command.id, D1, shelf.at)
    elif state is State.DONE or state is State.FAILED:
        shelf.book.answered(command.id, D1, state is State.DONE, shelf.at)
    elif state is State.EXPIRED:
        shelf.wait(3_600_000)
    elif state is State.CANCELLED:
        shelf.book.written(shelf.book.cancel(command.id))
    shelf.write()
    return command


def give(shelf: Shelf, command: Command, what: Input) -> None:
    """The verb that stands for an input."""
    book = shelf.book
    if what is Input.SEND:
        shelf.send()
    elif what is Input.LOST:
        book.logout(D1)
    elif what is Input.UNANSWERED:
        shelf.wait(TIMEOUT)
    elif what is Input.ACCEPT:
        book.accepted(command.id, D1, shelf.at)
    elif what is Input.SUCCEED or what is Input.FAIL:
        book.answered(command.id, D1, what is Input.SUCCEED, shelf.at, "said", "说")
    elif what is Input.EXPIRE:
        shelf.wait(3_600_000)
    else:
        with suppress(Refusal):
            book.written(book.cancel(command.id))
    shelf.write()


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("what", Input)
def test_every_state_and_input(shelf: Shelf, state: State, what: Input) -> None:
    command = bring(shelf, state)
    assert command.state is state
    give(shelf, command, what)
    assert command.state is TABLE[state].get(what, state)
    assert shelf.book.get(command.id) is command
    assert (len(shelf.book) == 0) == (not TABLE[command.state])


def test_the_table_has_every_state() -> None:
    assert set(TABLE) == set(State)
    assert all(Input.CANCEL in row and Input.EXPIRE in row for row in TABLE.values() if row)


@pytest.mark.parametrize(("kind", "state"), [("text", State.DONE), ("photo", State.ACCEPTED)])
def test_what_is_accepted_is_done_where_nothing_more_comes(shelf: Shelf, kind: str, state: State) -> None:
    command = shelf.ask(kind, **PHOTO)
    shelf.send()
    shelf.book.accepted(command.id, D1, shelf.at)
    assert command.state is State.SENT or state is State.ACCEPTED
    shelf.write()
    assert command.state is state
    assert command.answered == (NOON if state is State.DONE else None)


def test_nothing_ends_before_it_is_written(shelf: Shelf) -> None:
    command = shelf.ask()
    shelf.send()
    shelf.book.answered(command.id, D1, True, shelf.at)
    shelf.book.answered(command.id, D1, False, shelf.at)
    assert command.state is State.SENT
    assert shelf.send() == []
    with pytest.raises(Refusal):
        shelf.book.cancel(command.id)
    (ended,) = shelf.book.outcomes_to_write(10)
    assert shelf.book.outcomes_to_write(10) == []
    shelf.book.unwritten(ended)
    assert shelf.wait(10_000_000) == set()
    assert shelf.write() == [command.id]
    assert command.state is State.DONE


def test_a_cancellation_that_could_not_be_written_is_none(shelf: Shelf) -> None:
    command = shelf.ask()
    cancelled = shelf.book.cancel(command.id)
    assert shelf.send() == []
    assert shelf.book.get_timer() is None
    shelf.book.withdraw(cancelled)
    assert shelf.send() == [command.id]
    cancelled = shelf.book.cancel(command.id)
    assert shelf.wait(TIMEOUT) == set()
    shelf.book.withdraw(cancelled)
    shelf.wait(3_600_000)
    assert shelf.write() == [command.id], "it runs out like any other"


def test_answers_of_other_devices_and_to_nothing(shelf: Shelf) -> None:
    command = shelf.ask()
    shelf.send()
    shelf.book.answered(command.id, D2, True, shelf.at)
    shelf.book.accepted(command.id, D2, shelf.at)
    shelf.book.answered("c99", D1, True, shelf.at)
    assert shelf.write() == []


def test_in_order_and_few_at_once(shelf: Shelf) -> None:
    asked = [shelf.ask().id for _ in range(10)]
    other = shelf.ask(device=D2).id
    assert shelf.send() == asked[:4]
    assert shelf.send() == []
    assert shelf.send(D2) == [other]
    shelf.book.answered(asked[2], D1, True, shelf.at)
    assert shelf.send() == asked[4:5]
    shelf.book.logout(D1)
    shelf.book.login(D1)
    assert shelf.send() == [asked[n] for n in (0, 1, 3, 4)]


def test_what_is_accepted_makes_room(shelf: Shelf) -> None:
    asked = [shelf.ask("photo", **PHOTO).id for _ in range(6)]
    assert shelf.send() == asked[:4]
    for id in asked[:4]:
        shelf.book.accepted(id, D1, shelf.at)
    assert shelf.send() == asked[4:]


def test_it_is_tried_again_and_then_at_the_next_login(shelf: Shelf) -> None:
    command = shelf.ask()
    for number in range(1, TRIES + 1):
        assert shelf.send() == [command.id]
        assert command.tries == number
        assert shelf.wait(TIMEOUT - 1) == set()
        assert shelf.send() == []
        assert shelf.wait(1) == {D1}
    assert shelf.send() == []
    assert command.state is State.QUEUED
    shelf.book.login(D1)
    assert shelf.send() == [command.id]
    assert command.sent == shelf.at.wall


def test_one_that_is_not_answered_does_not_hold_up_the_others(shelf: Shelf) -> None:
    first = [shelf.ask().id for _ in range(4)]
    shelf.send()
    last = shelf.ask().id
    for _ in range(TRIES):
        shelf.wait(TIMEOUT)
        out = shelf.send()
    assert out == [last]
    assert shelf.book.of(D1, 10)[-1].id == first[0]


def test_what_no_device_answers_ends(shelf: Shelf) -> None:
    command = shelf.ask()
    for _ in range(TRIES_IN_ALL):
        shelf.book.login(D1)
        assert shelf.send() == [command.id]
        shelf.book.logout(D1)
    shelf.book.login(D1)
    assert shelf.send() == []
    shelf.write()
    assert (command.state, command.answered, command.tries) == (State.FAILED, None, TRIES_IN_ALL)
    assert "never answered" in command.text
    assert "均无应答" in command.zh


def test_it_runs_out_to_the_millisecond(shelf: Shelf) -> None:
    command = shelf.ask(s=30)
    shelf.wait(29_999)
    assert shelf.write() == []
    shelf.at = Moment(shelf.at.wall + 1, shelf.at.steady + 1)
    assert shelf.send() == [], "the timer is late, and it is not sent all the same"
    assert shelf.wait(0) == {D1}
    shelf.write()
    assert (command.state, command.answered) == (State.EXPIRED, None)


def test_thousands_that_were_cancelled_leave_no_timers_behind(shelf: Shelf) -> None:
    command = shelf.ask(s=60)
    for _ in range(2000):
        shelf.book.written(shelf.book.cancel(shelf.ask(device=D2).id))
    assert len(shelf.book._timers) < 100
    shelf.wait(60_000)
    assert shelf.write() == [command.id]


def test_many_that_run_out_together_are_looked_at_a_few_at_a_time() -> None:
    shelf = Shelf()
    for n in range(LOOKED_AT + 50):
        shelf.ask(device=DeviceId(f"d{n}"), s=60)
    assert len(shelf.wait(60_000)) == LOOKED_AT
    assert shelf.book.get_timer() == shelf.at.steady, "the others are due"
    assert len(shelf.wait(0)) == 50
    assert len(shelf.write()) == LOOKED_AT + 50


def test_a_wall_clock_that_is_set_changes_no_waiting(shelf: Shelf) -> None:
    command = shelf.ask(s=60)
    shelf.at = Moment(NOON - 86_400_000, shelf.at.steady)
    assert shelf.send() == [command.id]
    assert shelf.wait(TIMEOUT) == {D1}
    shelf.at = Moment(NOON + 86_400_000, shelf.at.steady)
    assert shelf.wait(0) == set()
    assert shelf.wait(40_000) == {D1}
    assert shelf.write() == [command.id]


def test_bounds() -> None:
    shelf = Shelf(per_device=3, in_all=4, kept=2)
    asked = [shelf.ask() for _ in range(3)]
    with pytest.raises(Refusal) as full:
        shelf.ask()
    assert (full.value.code, "3 commands" in str(full.value)) == ("queue_full", True)
    shelf.ask(device=D2)
    with pytest.raises(Refusal) as full:
        shelf.ask(device=D2)
    assert full.value.code == "queue_full"
    for command in asked:
        shelf.book.written(shelf.book.cancel(command.id))
    assert [command.id for command in shelf.book.of(D1, 10)] == ["c2", "c1"]
    assert shelf.book.get("c0") is None
    assert len(shelf.book) == 1
    shelf.ask()


def test_what_may_be_a_secret_is_not_in_a_repr(shelf: Shelf) -> None:
    command = shelf.ask(area="31.2304")
    command.result = {"parameters": {"main_apn_password": "31.2304"}}
    assert "31.2304" not in repr(command)


def test_bound_of_the_arguments() -> None:
    shelf = Shelf(arguments=1000)
    first = shelf.ask(text="a" * 600)
    with pytest.raises(Refusal) as refused:
        shelf.ask(device=D2, text="a" * 600)
    assert refused.value.code == "queue_full"
    shelf.book.written(shelf.book.cancel(first.id))
    shelf.ask(device=D2, text="a" * 600)


def test_the_newest_come_first(shelf: Shelf) -> None:
    ids = []
    for number in range(6):
        command = shelf.ask()
        ids.append(command.id)
        if number % 2:
            shelf.book.written(shelf.book.cancel(command.id))
        shelf.wait(1)
    shelf.ask(device=D2)
    assert [command.id for command in shelf.book.of(D1, 10)] == ids[::-1]
    assert [command.id for command in shelf.book.of(D1, 2)] == ids[:-3:-1]


def test_a_restart_keeps_what_is_open_and_how_the_others_ended(shelf: Shelf) -> None:
    done, sent, queued = shelf.ask("query_parameters"), shelf.ask(s=50), shelf.ask("text", text="一")
    shelf.send()
    shelf.book.answered(done.id, D1, True, shelf.at, "ok", "好", {"parameters": {"report_s": 10}})
    shelf.write()
    shelf.wait(10_000)
    again = shelf.restarted()
    assert again.send() == [sent.id, queued.id]
    found = again.book.get(done.id)
    assert found is not None
    assert (found.state, found.text, found.zh, found.tries, found.sent) == (State.DONE, "ok", "好", 1, NOON)
    assert found.result == {"parameters": {"report_s": 10}}
    assert found.answered == NOON
    again.wait(39_999)
    assert again.write() == []
    again.wait(1)
    assert again.write() == [sent.id]
    kept = again.book.get(queued.id)
    assert kept is not None
    assert kept.arguments == {"text": "一"}


def test_what_ran_out_while_the_server_was_away(shelf: Shelf) -> None:
    command = shelf.ask(s=5)
    shelf.at = Moment(shelf.at.wall + 100_000, shelf.at.steady)
    again = shelf.restarted()
    assert again.send() == []
    again.wait(0)
    assert again.write() == [command.id]


# Photos.


def photo(media_id: int) -> dict[str, Any]:
    return {"id": f"p{media_id}", "media_id": media_id, "size": 10}


def test_photos_end_their_command_when_they_are_all_there(shelf: Shelf) -> None:
    command = shelf.ask("photo", **PHOTO)
    assert shelf.book.photographer(D1, 7, 1, 0) is None, "it was not asked yet"
    shelf.send()
    assert shelf.book.photographer(D1, 7, 1, 0) == command.id
    assert shelf.book.photographer(D1, 7, 2, 0) is None, "another camera"
    assert shelf.book.photographer(D1, 7, 1, 3) is None, "an alarm took it"
    assert shelf.book.photographer(D2, 7, 1, 0) is None
    shelf.book.photographed(command.id, photo(7), shelf.at)
    assert shelf.write() == []
    assert command.result == {"photos": [photo(7)]}
    shelf.book.photographed(command.id, photo(8), shelf.at)
    shelf.book.photographed(command.id, photo(9), shelf.at)
    assert shelf.write() == [command.id]
    assert (command.state, command.result) == (State.DONE, {"photos": [photo(7), photo(8)]})
    assert shelf.book.photographer(D1, 9, 1, 0) is None


def test_photos_go_to_the_command_that_expects_them(shelf: Shelf) -> None:
    first, second = shelf.ask("photo", **PHOTO), shelf.ask("photo", **PHOTO)
    shelf.send()
    shelf.book.taken(second.id, D1, (5, 6), shelf.at)
    assert second.state is State.ACCEPTED
    assert shelf.book.photographer(D1, 5, 9, 9) == second.id
    assert shelf.book.photographer(D1, 4, 1, 0) == first.id


def test_fewer_photos_than_were_asked_for(shelf: Shelf) -> None:
    command = shelf.ask("photo", **PHOTO)
    shelf.send()
    shelf.book.photographed(command.id, photo(5), shelf.at)
    shelf.book.taken(command.id, D1, (5,), shelf.at)
    shelf.write()
    assert (command.state, command.text) == (State.FAILED, "the terminal took 1 of 2 photos")
    assert command.result == {"photos": [photo(5)]}


def test_photos_that_do_not_all_come_in_time(shelf: Shelf) -> None:
    some, none = shelf.ask("photo", s=600, **PHOTO), shelf.ask("photo", s=600, **PHOTO)
    shelf.send()
    shelf.book.photographed(some.id, photo(5), shelf.at)
    shelf.wait(600_000)
    shelf.write()
    assert (some.state, some.text, none.state) == (State.FAILED, "1 of 2 photos came in time", State.EXPIRED)


def test_after_a_lost_link_a_photo_is_asked_for_again_and_takes_the_old_one_too(shelf: Shelf) -> None:
    command = shelf.ask("photo", **PHOTO)
    shelf.send()
    shelf.book.taken(command.id, D1, (5, 6), shelf.at)
    shelf.book.photographed(command.id, photo(5), shelf.at)
    shelf.book.logout(D1)
    shelf.book.login(D1)
    assert shelf.send() == [command.id]
    assert shelf.book.photographer(D1, 6, 1, 0) == command.id


def test_what_a_terminal_took_before_a_lost_link_is_not_all_that_it_takes(shelf: Shelf) -> None:
    command = shelf.ask("photo", **PHOTO)
    shelf.send()
    shelf.book.taken(command.id, D1, (5,), shelf.at)
    shelf.book.logout(D1)
    shelf.book.login(D1)
    shelf.send()
    shelf.book.photographed(command.id, photo(5), shelf.at)
    assert shelf.write() == [], "it has been asked again"


def test_photos_on_disk_count_after_a_restart(shelf: Shelf) -> None:
    command = shelf.ask("photo", **PHOTO)
    shelf.send()
    again = shelf.restarted()
    for number in (5, 6):
        again.book.photographed(command.id, photo(number), again.at)
    assert again.write() == [command.id]


def test_a_replay_of_photos_and_then_of_the_end_leaves_nothing_to_write(shelf: Shelf) -> None:
    command = shelf.ask("photo", **PHOTO)
    again = Shelf()
    again.book.replay(command.id, command.created_fields(), again.at)
    for number in (5, 6):
        again.book.photographed(command.id, photo(number), again.at)
    shelf.book.answered(command.id, D1, True, shelf.at, result={"photos": [photo(5), photo(6)]})
    again.book.replay(command.id, command.outcome_fields(), again.at)
    assert again.write() == []
    assert len(again.book) == 0


def test_photos_that_are_not_on_disk_yet_count(shelf: Shelf) -> None:
    command = shelf.ask("photo", **PHOTO)
    shelf.send()
    assert [shelf.book.photographer(D1, number, 1, 0) for number in (5, 5, 6, 7)] == [
        command.id,
        None,
        command.id,
        None,
    ]
    shelf.book.missed(command.id, 6)
    assert shelf.book.photographer(D1, 7, 1, 0) == command.id
    for number in (5, 7):
        shelf.book.photographed(command.id, photo(number), shelf.at)
    assert shelf.write() == [command.id]


# Anything in any order.


class Lives(RuleBasedStateMachine):
    """Two devices, a server that may be killed, and a record of what went over the links."""

    commands = Bundle("commands")

    @initialize()
    def begin(self) -> None:
        self.shelf = Shelf()
        self.online: set[DeviceId] = set()
        self.asked: dict[str, Command] = {}
        self.promised: dict[str, int] = {}
        self.ended: dict[str, State] = {}
        self.first_sent: dict[DeviceId, list[str]] = {D1: [], D2: []}
        self.flight: dict[str, DeviceId] = {}

    @rule(
        target=commands,
        device=st.sampled_from([D1, D2]),
        kind=st.sampled_from(sorted(KINDS)),
        seconds=st.sampled_from([5, 30, 100, 3600]),
    )
    def ask(self, device: DeviceId, kind: str, seconds: int) -> Any:
        command = self.shelf.ask(kind, device, s=seconds, **PHOTO)
        self.promised[command.id] = command.expires
        self.asked[command.id] = command
        self.go_on(device)
        return multiple(command.id)

    def go_on(self, device: DeviceId) -> None:
        if device not in self.online:
            return
        for command in self.shelf.book.commands_to_send(device, self.shelf.at):
            assert command.id not in self.ended, "what has ended is not sent"
            assert command.device == device
            assert self.shelf.at.wall < self.promised[command.id], "what has run out is not sent"
            if command.id not in self.first_sent[device]:
                self.first_sent[device].append(command.id)
            self.flight[command.id] = device
        waiting = [c for c in self.shelf.book.of(device, 1000) if c.state is State.SENT and not c.outcome]
        assert len(waiting) <= 4

    @rule(device=st.sampled_from([D1, D2]))
    def login(self, device: DeviceId) -> None:
        if device in self.online:
            self.shelf.book.logout(device)
        self.online.add(device)
        self.shelf.book.login(device)
        self.go_on(device)

    @rule(device=st.sampled_from([D1, D2]))
    def logout(self, device: DeviceId) -> None:
        self.online.discard(device)
        self.shelf.book.logout(device)

    @rule(id=commands, ok=st.booleans())
    def answer(self, id: str, ok: bool) -> None:
        if id in self.flight:
            device = self.flight[id]
            self.shelf.book.answered(id, device, ok, self.shelf.at)
            self.go_on(device)

    @rule(id=commands)
    def accept(self, id: str) -> None:
        if id in self.flight:
            self.shelf.book.accepted(id, self.flight[id], self.shelf.at)
            self.go_on(self.flight[id])

    @rule(id=consumes(commands))
    def cancel(self, id: str) -> None:
        try:
            command = self.shelf.book.cancel(id)
        except Refusal:
            return
        self.shelf.journal.append((id, command.outcome_fields()))
        self.shelf.book.written(command)
        self.note(id)

    @rule()
    def write(self) -> None:
        for id in self.shelf.write():
            self.note(id)

    def note(self, id: str) -> None:
        assert id not in self.ended, "it ends once"
        command = self.shelf.book.get(id)
        assert command is not None
        self.ended[id] = command.state

    @rule(ms=st.sampled_from([1, 4_000, 19_999, 20_000, 70_000]))
    def wait(self, ms: int) -> None:
        for device in self.shelf.wait(ms):
            self.go_on(device)

    @rule()
    def killed(self) -> None:
        self.shelf = self.shelf.restarted()
        self.online.clear()
        self.asked = {id: self.shelf.book.get(id) or command for id, command in self.asked.items()}

    @invariant()
    def none_is_lost(self) -> None:
        for id, command in self.asked.items():
            found = self.shelf.book.get(id)
            assert found is command
            assert command.state is self.ended[id] if id in self.ended else TABLE[command.state]

    @invariant()
    def the_first_time_they_go_in_order(self) -> None:
        for device, sent in self.first_sent.items():
            order = [id for id in self.promised if id in set(sent)]
            assert sent == order, device

    @invariant()
    def the_timer_is_never_late(self) -> None:
        due = self.shelf.book.get_timer()
        open = [c for c in self.asked.values() if c.id not in self.ended and c.outcome is None]
        assert (due is None) == (not open)
        if due is not None:
            assert due == min(c.due for c in open)


Lives.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestLives = Lives.TestCase
