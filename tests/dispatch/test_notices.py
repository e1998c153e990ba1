"""Notices: to whom they go, until when, and who has read them."""

from __future__ import annotations

from typing import Any

import pytest

from dispatch.notices import LONGEST, TEXT, UNITS, NoticeBook, Receipt
from tracker.model import UnitId
from tracker.refusal import Change, Refusal

A, B, C = UnitId("a"), UnitId("b"), UnitId("c")
NOW = 1_700_000_000_000
HOUR = 3_600_000


class Seat:
    def __init__(self, kept: int = 100) -> None:
        self.book, self.journal = NoticeBook(kept=kept), list[Change]()

    def do(self, events: list[Change]) -> int:
        self.journal += events
        for event in events:
            self.book.replay(event)
        return len(events)

    def new(self, id: str = "n1", **others: Any) -> int:
        given = {"text": "今日有大风", "units": [A, B], "about": {"street": "东街"}, "until": NOW + HOUR, **others}
        return self.do(self.book.plan(id, by="wang", now=NOW, **given))


def test_everybody_named_is_shown_it_until_he_has_read_it_or_it_is_over() -> None:
    seat = Seat()
    assert seat.new() == 3
    assert [one.id for one in seat.book.to_send(A, NOW)] == ["n1"]
    assert seat.book.to_send(C, NOW) == []
    assert seat.do(seat.book.plan_shown("n1", A, NOW + 5)) == 1
    assert [one.id for one in seat.book.to_send(A, NOW + 6)] == ["n1"], "shown is not read"
    assert seat.do(seat.book.plan_read("n1", A, NOW + 9)) == 1
    assert seat.book.to_send(A, NOW + 10) == []
    assert seat.book.to_send(B, NOW + HOUR) == [], "it is over"
    notice = seat.book.get("n1")
    assert notice is not None
    assert notice.units == {A: Receipt(NOW + 5, NOW + 9), B: Receipt()}


def test_what_comes_twice_is_nothing_and_reading_is_having_been_shown() -> None:
    seat = Seat()
    seat.new()
    assert seat.new() == 0, "the same id is the same notice"
    assert seat.do(seat.book.plan_read("n1", B, NOW + 9)) == 1
    assert seat.do(seat.book.plan_read("n1", B, NOW + 10)) == 0
    assert seat.do(seat.book.plan_shown("n1", B, NOW + 10)) == 0
    assert seat.do(seat.book.plan_read("n1", C, NOW + 9)) == 0, "it was not for him"
    assert seat.do(seat.book.plan_read("n2", B, NOW + 9)) == 0
    notice = seat.book.get("n1")
    assert notice is not None
    assert notice.units[B] == Receipt(NOW + 9, NOW + 9)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"text": " "}, "bad_text"),
        ({"text": "字" * (TEXT + 1)}, "bad_text"),
        ({"units": []}, "nobody"),
        ({"units": [UnitId(f"u{n}") for n in range(UNITS + 1)]}, "too_many"),
        ({"until": NOW}, "bad_until"),
        ({"until": NOW + LONGEST + 1}, "bad_until"),
    ],
)
def test_what_is_no_notice(wrong: dict[str, Any], code: str) -> None:
    with pytest.raises(Refusal) as refused:
        Seat().new(**wrong)
    assert refused.value.code == code


def test_journal_and_snapshot_make_the_same_and_whoever_is_forgotten_is_nowhere() -> None:
    seat = Seat()
    seat.new()
    seat.new("n2", units=[B, C])
    seat.do(seat.book.plan_shown("n1", A, NOW + 5) + seat.book.plan_read("n2", C, NOW + 6))
    for events in (seat.journal, list(seat.book.events())):
        book = NoticeBook()
        for event in events:
            book.replay(event)
        assert book.all() == seat.book.all()
    seat.book.forget(B)
    book = NoticeBook()
    for event in seat.journal:
        if (event[2] or {}).get("unit") != B:
            book.replay(event)
    assert book.all() == seat.book.all()


def test_the_oldest_goes() -> None:
    seat = Seat(kept=2)
    for n in range(3):
        seat.new(f"n{n}")
    assert [notice.id for notice in seat.book.all()] == ["n2", "n1"]
