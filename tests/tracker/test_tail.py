"""What is not sealed yet: noted as it is committed, found by unit and time, forgotten when it is sealed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.journal_files import Batch
from tests.tracker.helpers import LAT, LON, NOON, record
from tracker import tail as tails
from tracker.record import ENTITY
from tracker.tail import Tail, spans


def batch(first: int, *records: Any) -> Batch:
    return Batch(first, NOON, [tuple(r) for r in records])


def test_records_are_found_by_unit_and_time() -> None:
    tail = Tail()
    tail.take(batch(1, record()))
    assert len(tail) == 0, "nothing is noted before it has begun"
    tail.begin(10)
    tail.take(
        batch(11, record(), record(NOON + 5, unit="p2"), (ENTITY, NOON, "unit", "x", None), record(None, None, None),
              record(NOON + 9), record(NOON + 7))
    )  # fmt: skip
    assert tail.last == 16
    assert tail.find("p1", NOON, NOON + 9) == [11, 15, 16]
    assert tail.find("p1", NOON + 1, NOON + 8) == [16]
    assert tail.find("p2", NOON, NOON + 9) == [12]
    assert tail.find("nobody", 0, NOON * 2) == []


def test_what_does_not_follow_is_not_taken() -> None:
    tail = Tail()
    tail.begin(0)
    tail.take(batch(2, record()))
    assert (tail.last, len(tail)) == (0, 0)
    tail.take(batch(1, record(), record(NOON + 1)))
    tail.take(batch(1, record(), record(NOON + 1)))
    tail.take(batch(2, record(NOON + 1), record(NOON + 2)))
    assert tail.find("p1", 0, NOON * 2) == [1, 2, 3]
    tail.passed(9)
    tail.take(batch(10, record()))
    assert tail.find("p1", 0, NOON * 2) == [1, 2, 3, 10]


def test_it_says_what_is_doubted_by_itself() -> None:
    tail = Tail()
    tail.begin(0)
    tail.take(batch(1, record(accuracy=2000), record(accuracy=2001), record(NOON, server_time=NOON - 120_001)))
    (points,) = tail.points()
    assert points.doubted.tolist() == [False, True, True]
    assert (points.latitude.tolist(), points.longitude.tolist()) == ([LAT] * 3, [LON] * 3)
    assert [tail.units[code] for code in points.unit] == ["p1"] * 3


def test_its_size_has_a_bound_and_room_comes_with_sealing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tails, "BLOCK", 4)
    tail = Tail(points_limit=8)
    tail.begin(0)
    for number in range(1, 20):
        tail.take(batch(number, record(NOON + number)))
    assert tail.full
    assert (tail.last, len(tail)) == (8, 8), "what is noted is whole up to there"
    tail.drop(5)
    assert tail.find("p1", 0, NOON * 2) == [6, 7, 8]
    assert not tail.full
    tail.take(batch(9, record(NOON + 9)))
    assert tail.find("p1", 0, NOON * 2) == [6, 7, 8, 9]
    tail.drop(100)
    assert (len(tail), tail.last) == (0, 100)
    tail.take(batch(101, record()))
    assert tail.find("p1", 0, NOON * 2) == [101]


def test_what_is_handed_out_does_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tails, "BLOCK", 4)
    tail = Tail()
    tail.begin(0)
    tail.take(batch(1, *[record(NOON + i) for i in range(6)]))
    points = tail.points()
    tail.take(batch(7, *[record(NOON + i) for i in range(6)]))
    tail.drop(12)
    assert [number for part in points for number in part.number.tolist()] == [1, 2, 3, 4, 5, 6]


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3))), st.data())
def test_whatever_comes_and_goes_what_is_left_is_found(steps: list[tuple[int, int]], data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tails, "BLOCK", 3)
        tail, first, sealed = Tail(points_limit=12), 1, 0
        tail.begin(0)
        for count, seals in steps:
            tail.take(batch(first, *[record(NOON + first + i) for i in range(count)]))
            first += count if tail.last >= first else 0
            sealed = min(sealed + seals, first - 1)
            tail.drop(sealed)
            assert tail.find("p1", 0, NOON * 2) == list(range(sealed + 1, tail.last + 1))


def test_ranges_are_few() -> None:
    assert spans([]) == []
    assert spans([1, 2, 5000, 20_000, 20_001]) == [(1, 5000), (20_000, 20_001)]
    many = spans([number * 10_000 for number in range(1000)])
    assert len(many) <= 20
    assert (many[0][0], many[-1][1]) == (0, 9_990_000)


def test_a_stretch_of_somebodys_time_is_nobodys() -> None:
    tail = Tail()
    tail.begin(0)
    tail.take(batch(1, *(record(NOON + n, LAT + n, unit=unit) for n in range(6) for unit in ("p1", "p2"))))
    tail.forget_span("p1", NOON + 1, NOON + 4, {NOON + 2})
    tail.forget_span("nobody", 0, 1 << 60, ())
    assert tail.find("p1", 0, 1 << 60) == [1, 5, 9, 11], "the call for help stays, and the end is not in it"
    assert tail.find("p2", 0, 1 << 60) == [2, 4, 6, 8, 10, 12]
    (points,) = tail.points()
    assert sorted(points.latitude[points.unit == tail.units.index("p1")].tolist()) == [
        0, 0, LAT, LAT + 2, LAT + 4, LAT + 5
    ]  # fmt: skip
