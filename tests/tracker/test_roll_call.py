"""A roll call: who has answered, who is silent, and what a restart makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.tracker.helpers import LAT, LON, NOON
from tracker.model import UnitId
from tracker.roll_call import FIX_STEP, Asked, Place, Reply, RollBook, RollCall, Way
from tracker.roster import Change, Refusal

S = 1000
WAYS = {"p1": Way.CONFIRM, "p2": Way.CONFIRM, "v1": Way.LOCATE, "p3": Way.WAIT}


def place(at: int = NOON + S, **others: Any) -> Place:
    return Place(**{"at": at, "latitude": LAT, "longitude": LON, "accuracy": 50, "own": True, **others})


def begun(book: RollBook, id: str = "r1", seconds: int | None = None, ways: dict[str, Way] | None = None) -> RollCall:
    asked = [
        Asked(UnitId(unit), way, "" if way is Way.WAIT else f"{id}-{unit}") for unit, way in (ways or WAYS).items()
    ]
    call = book.plan(id, "seat", asked, seconds, {"street": "东街"}, NOON)
    book.add(call)
    return call


def replies(call: RollCall) -> dict[str, str]:
    return {unit: str(one.reply) for unit, one in call.units.items()}


@pytest.fixture
def book() -> RollBook:
    return RollBook()


def test_each_answers_in_its_own_way(book: RollBook) -> None:
    call = begun(book)
    assert replies(call) == {"p1": "asked", "p2": "asked", "v1": "asked", "p3": "no_device"}
    for unit in ("p1", "v1", "p3"):
        book.located(UnitId(unit), place(), NOON + 2 * S)
    book.answered("r1-p1", True, "", NOON + 9 * S)
    assert replies(call) == {"p1": "confirmed", "p2": "asked", "v1": "position", "p3": "position"}
    assert (call.units[UnitId("p1")].at, call.units[UnitId("p1")].place) == (NOON + 9 * S, place())
    assert [one.unit for one in call.silent] == ["p2"]


def test_the_silent_are_those_of_whom_nothing_has_come(book: RollBook) -> None:
    call = begun(book)
    book.located(UnitId("v1"), place(), NOON + S)
    book.reached(lambda command: command != "r1-p1")
    assert book.get_timer() == NOON + 120 * S
    book.handle_timer(NOON + 119 * S)
    assert call.ended is None
    book.handle_timer(NOON + 120 * S)
    assert call.ended == NOON + 120 * S
    assert replies(call) == {"p1": "offline", "p2": "silent", "v1": "position", "p3": "no_device"}
    assert {one.unit for one in call.silent} == {"p1", "p2", "p3"}
    assert book.get_timer() is None
    # What comes now is no answer any more.
    book.located(UnitId("p1"), place(), NOON + 121 * S)
    book.answered("r1-p2", True, "", NOON + 121 * S)
    assert replies(call)["p1"] == "offline"
    assert replies(call)["p2"] == "silent"


def test_when_everybody_has_said_all_it_is_over(book: RollBook) -> None:
    call = begun(book)
    for unit in WAYS:
        book.located(UnitId(unit), place(), NOON + S)
    book.handle_timer(NOON + 2 * S)
    assert call.ended is None, "two have not pressed yet"
    for unit in ("p1", "p2"):
        book.answered(f"r1-{unit}", True, "", NOON + 3 * S)
    book.handle_timer(NOON + 3 * S)
    assert call.ended == NOON + 3 * S
    assert not call.silent


@pytest.mark.parametrize(
    ("at", "counts"),
    [(NOON - 1, False), (NOON, True), (NOON + 1, True)],
)
def test_a_position_counts_from_the_second_of_the_call_on(book: RollBook, at: int, counts: bool) -> None:
    assert NOON % FIX_STEP == 0
    call = begun(book)
    assert book.wants(UnitId("v1"))
    book.located(UnitId("v1"), place(at), NOON + S)
    assert (replies(call)["v1"] == "position") is counts
    assert book.wants(UnitId("v1")) is not counts
    assert not book.wants(UnitId("p9"))


def test_the_first_position_stays_and_a_confirmation_beats_it(book: RollBook) -> None:
    call = begun(book)
    book.answered("r1-p1", True, "收到", NOON + S)
    book.located(UnitId("p1"), place(), NOON + 2 * S)
    book.located(UnitId("p1"), place(NOON + 5 * S, own=False), NOON + 6 * S)
    one = call.units[UnitId("p1")]
    assert (one.reply, one.at, one.text) == (Reply.CONFIRMED, NOON + S, "收到")
    assert one.place == place()


def test_who_cannot_answer_says_so_and_counts_by_the_position(book: RollBook) -> None:
    call = begun(book)
    book.answered("r1-p1", False, "unknown command", NOON + S)
    one = call.units[UnitId("p1")]
    assert (one.reply, one.text) == (Reply.ASKED, "unknown command")
    book.located(UnitId("p1"), place(), NOON + 2 * S)
    assert one.reply is Reply.POSITION
    # A terminal's word is no person's: its position is.
    book.answered("r1-v1", True, "", NOON + S)
    assert replies(call)["v1"] == "asked"


@pytest.mark.parametrize(
    ("seconds", "units", "code"),
    [(9, 1, "bad_seconds"), (1801, 1, "bad_seconds"), (True, 1, "bad_seconds"), ("60", 1, "bad_seconds"),
     (60, 0, "nobody"), (60, 2001, "too_many")],
)  # fmt: skip
def test_calls_that_cannot_be(book: RollBook, seconds: Any, units: int, code: str) -> None:
    asked = [Asked(UnitId(f"p{n}"), Way.WAIT) for n in range(units)]
    with pytest.raises(Refusal) as caught:
        book.plan("r1", "seat", asked, seconds, {}, NOON)
    assert caught.value.code == code


def test_memory_is_bounded() -> None:
    book = RollBook(open=2, kept=3)
    for n in range(2):
        begun(book, f"r{n}", 30)
    with pytest.raises(Refusal) as caught:
        begun(book, "r9")
    assert caught.value.code == "calls_full"
    book.handle_timer(NOON + 30 * S)
    for n in range(2, 4):
        begun(book, f"r{n}", 30)
    assert [call.id for call in book.all()] == ["r3", "r2", "r1"], "the oldest that has ended is forgotten"
    assert [call.id for call in book.open] == ["r2", "r3"]


def test_a_removed_person_is_in_no_call(book: RollBook) -> None:
    call = begun(book)
    book.forget(UnitId("p1"))
    book.answered("r1-p1", True, "", NOON + S)
    assert "p1" not in call.units
    assert all("p1" not in identity for _, identity, _ in book.events_to_write(100))


class Disk:
    """What has been written, and a book made of it."""

    def __init__(self, book: RollBook, call: RollCall) -> None:
        self.book = book
        self.events: list[Change] = [call.event(), *(call.event_of(one) for one in call.units.values())]

    def write(self, limit: int = 100) -> None:
        self.events += self.book.events_to_write(limit)

    def restarted(self) -> RollBook:
        found = RollBook()
        for event in self.events:
            found.replay(event)
        return found


def everything(book: RollBook) -> list[Change]:
    return list(book.events())


def test_a_restart_at_any_time_goes_on(book: RollBook) -> None:
    disk = Disk(book, begun(book))
    steps: list[Callable[[], None]] = [
        lambda: book.located(UnitId("p1"), place(), NOON + S),
        lambda: book.answered("r1-p1", True, "", NOON + 2 * S),
        lambda: book.located(UnitId("v1"), place(), NOON + 3 * S),
        lambda: book.handle_timer(NOON + 120 * S),
    ]
    assert everything(disk.restarted()) == everything(book)
    for step in steps:
        step()
        disk.write()
        again = disk.restarted()
        assert everything(again) == everything(book)
        assert [call.id for call in again.open] == [call.id for call in book.open]
    # A snapshot comes to the same.
    folded = RollBook()
    for event in everything(book):
        folded.replay(event)
    assert everything(folded) == everything(book)


def test_what_was_not_written_is_found_again(book: RollBook) -> None:
    """Killed before the answers were on disk: told what is there once more, the call knows them again."""
    disk = Disk(book, begun(book))
    book.located(UnitId("p1"), place(), NOON + S)
    again = disk.restarted()
    assert replies(next(again.all()))["p1"] == "asked"
    again.located(UnitId("p1"), place(), NOON + 5 * S)
    again.answered("r1-p1", True, "", NOON + 2 * S)
    assert replies(next(again.all()))["p1"] == "confirmed"


def test_what_the_disk_does_not_take_is_written_later(book: RollBook) -> None:
    disk = Disk(book, begun(book))
    book.located(UnitId("p1"), place(), NOON + S)
    book.handle_timer(NOON + 120 * S)
    part = book.events_to_write(2)
    book.unwritten(part)
    assert book.busy
    while book.busy:
        disk.write(1)
    assert everything(disk.restarted()) == everything(book)
