"""Whose an event of dispatch is; and a decision without somebody, which is as long as it was."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.dispatch_events import is_about, is_masked, own_row, without
from tracker.record import MASK

SHA = "a" * 64


@pytest.mark.parametrize(
    ("kind", "id", "fields", "about"),
    [
        ("task", "t1", {"what": "offer", "unit": "p1"}, True),
        ("task", "p1", {"what": "offer", "unit": "p2"}, False),
        ("task", "t1", {"what": "mark"}, False),
        ("problem", "p1:e1", {"what": "seen", "by": "seat"}, True),
        ("problem", "p12:e1", {"what": "report", "unit": "p12"}, False),
        ("sos", "p1:7", {"what": "told", "unit": "p2"}, True),
        ("sos", "p2:7", {"what": "told", "unit": "p1"}, True),
        ("sos", "p2:7", {"what": "raise", "unit": "p2"}, False),
        ("evidence", f"{SHA}:p1", None, True),
        ("evidence", f"{SHA}:x:p1", {"unit": "x:p1"}, False),
        ("hook", "msg_1", {"what": "new", "unit": "p1"}, True),
        ("hook", "msg_1", {"what": "delivered"}, False),
        ("trip", "walk", {"ratio": 1.3, "unit": "p1"}, False),
        ("decision", "t1:1", {"unit": "p1"}, False),
    ],
)
def test_whose_an_event_is(kind: str, id: str, fields: dict[str, Any] | None, about: bool) -> None:
    assert is_about("p1", kind, id, fields) is about


numbers = st.one_of(st.integers(-(1 << 63), (1 << 64) - 1), st.floats(allow_nan=False), st.booleans(), st.none())
rows = st.lists(st.one_of(numbers, st.text(), st.lists(numbers, max_size=3)), min_size=1, max_size=5)


def decision(*units: str, rest: Any = (), at: int = 100_000, chosen: str = "", independent: str = "") -> dict[str, Any]:
    return {
        "at": at, "task": ["t1", 3, 4, independent], "chosen": chosen, "roads": [7 for _ in units],
        "units": [[unit, [301_234_567, -5], 3.5, *rest] for unit in units], "terms": [["", 1.5, 9] for _ in units],
    }  # fmt: skip


@given(rows, st.sampled_from(["p1", "张三", "staff-90417"]))
def test_it_is_as_long_as_before_and_has_none_of_it(rest: list[Any], unit: str) -> None:
    before = decision("p2", unit, rest=rest, chosen=unit, independent=unit)
    after = without(unit, before)
    assert len(msgpack.packb(after)) == len(msgpack.packb(before))
    assert msgpack.packb(unit) not in msgpack.packb(after)
    assert after["units"][0] == before["units"][0]
    assert after["units"][1][:3] == [MASK * len(unit.encode()), [1 << 16, -1], 0.0]
    assert after["terms"][1] == ["", 0.0, 0]
    assert after["roads"] == [7, 0]
    assert is_masked(after)
    assert not is_masked(before)
    assert without(unit, after) == after


def test_who_is_not_in_it_leaves_it_as_it_is() -> None:
    before = decision("p1", "p2", chosen="p2")
    assert without("p3", before) == before
    assert own_row("p3", before) is None
    assert own_row("p2", before) == (before["units"][1], before["terms"][1])


def test_only_what_was_known_off_duty() -> None:
    before = decision("p1", chosen="p1")
    assert without("p1", before, lambda at: at == 100_000 - 3500)["chosen"] == "**"
    assert without("p1", before, lambda at: at == 100_000) == before
