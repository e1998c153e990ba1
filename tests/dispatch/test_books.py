"""All books of dispatch together, as a snapshot writes them down and a start takes them in."""

from __future__ import annotations

import pytest

from dispatch.books import Books
from dispatch.draft import Step
from tests.dispatch.desk import picture
from tests.dispatch.test_indicators import Straight, day_of, sums_of
from tracker.refusal import Change


def filled(events: list[Change]) -> Books:
    books = Books(day_of)
    by_type = books.by_type()
    for event in events:
        by_type[event[0]].replay(event)
    return books


def written(books: Books) -> list[Change]:
    return [event for book in books.by_type().values() for event in book.events()]


@pytest.mark.parametrize("seed", range(10))
def test_a_snapshot_comes_to_the_same(seed: int) -> None:
    life = Straight(seed)
    journal: list[Change] = []
    watched = Books(day_of)
    by_type = watched.by_type()
    # Each deed with the messages that belong into its commit.
    for event in life.live():
        for each in (event, *watched.outbox.plan(Step([event]))):
            journal.append(each)
            by_type[each[0]].replay(each)
    assert len(watched.outbox) > 0
    again = filled(written(filled(journal)))
    assert picture(again.tasks) == picture(watched.tasks)
    assert sums_of(again.tally) == sums_of(watched.tally)
    assert [hook.id for hook in again.outbox.to_send(0)] == [hook.id for hook in watched.outbox.to_send(0)]
    assert len(again.outbox) == len(watched.outbox)
