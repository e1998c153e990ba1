"""Answers: what is refused, what is asked for, and what fixes say of where they were given."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from dispatch.results import PHOTOS, TEXT_LIMIT, Answer, Evidence, Missing, Where, evidence, missing, read_answer
from dispatch.rules import CHECK, VERIFY, Proof
from dispatch.rules_file import CITIES, read_rules
from tests.dispatch.walks import SPOT, START, fix
from tracker.refusal import Refusal

RULES = read_rules(CITIES / "working-hours.toml")
KIND = RULES.kinds[VERIFY]
A, B, C = ("ab" * 32, "cd" * 32, "ef" * 32)


def test_an_answer_is_read() -> None:
    found = read_answer(KIND, {"word": "exist", "at": START, "text": " 井盖缺失 \n", "photos": [B, A, B]})
    assert found == Answer("exist", START, "井盖缺失", (B, A))
    assert read_answer(KIND, {"word": "unable", "at": START}) == Answer("unable", START)
    assert read_answer(RULES.kinds[CHECK], {"word": "not_pass", "at": START, "photos": None}).word == "not_pass"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"word": "pass"}, "bad_result"),  # that of a check
        ({"word": None}, "bad_result"),
        ({"word": ["exist"]}, "bad_result"),
        ({"at": None}, "bad_time"),
        ({"at": True}, "bad_time"),
        ({"at": 1.5}, "bad_time"),
        ({"text": 5}, "bad_text"),
        ({"text": "字" * (TEXT_LIMIT + 1)}, "bad_text"),
        ({"photos": A}, "bad_photos"),
        ({"photos": [A.upper()]}, "bad_photos"),
        ({"photos": [A[:-1]]}, "bad_photos"),
        ({"photos": [A + "\n"]}, "bad_photos"),
        ({"photos": [1]}, "bad_photos"),
        ({"photos": [f"{n:064x}" for n in range(PHOTOS + 1)]}, "bad_photos"),
    ],
)
def test_what_cannot_be_understood_is_refused(fields: dict[str, Any], code: str) -> None:
    with pytest.raises(Refusal) as caught:
        read_answer(KIND, {"word": "exist", "at": START, **fields})
    assert caught.value.code == code
    assert caught.value.zh


@pytest.mark.parametrize(
    ("answer", "stored", "lacks"),
    [
        (Answer("exist", START, "", (A, B)), {A, B}, Missing()),
        (Answer("exist", START, "", (A, B)), {B, C}, Missing((A,))),
        (Answer("exist", START, "", (A, B, C)), set(), Missing((A, B, C))),
        (Answer("exist", START, "", (A,)), {A}, Missing(more=1)),
        (Answer("exist", START), set(), Missing(more=2)),
        (Answer("not_exist", START, "", (A,)), {A}, Missing()),
        (Answer("unable", START), set(), Missing(text=True)),
        (Answer("unable", START, "锁着"), set(), Missing()),
    ],
)
def test_what_an_answer_lacks(answer: Answer, stored: set[str], lacks: Missing) -> None:
    found = missing(KIND, answer, stored)
    assert found == lacks
    assert bool(found) == (lacks != Missing())


# Where it was given.

RULE = Proof(radius_m=100, window_s=120)
NEAR, NEAR_LATER, OFF, OFF_LATER = fix(0, 30, 40), fix(30, 0, 60), fix(60, 300, 0), fix(90, 240, 320)


def judged(*fixes: Any, at: float = 60.0) -> Evidence:
    found = {evidence(RULE, 50.0, SPOT, START + round(1000 * at), order) for order in permutations(fixes)}
    assert len(found) == 1, "whatever the order"
    return found.pop()


@pytest.mark.parametrize(
    ("fixes", "at", "where", "count"),
    [
        ((NEAR, NEAR_LATER), 60, Where.ON_SCENE, 2),
        ((NEAR, NEAR_LATER, OFF, OFF_LATER), 60, Where.ON_SCENE, 4),  # gone since
        ((NEAR,), 60, Where.ON_SCENE, 1),  # all that there is
        ((NEAR, NEAR), 60, Where.ON_SCENE, 1),
        ((NEAR, NEAR, OFF), 60, Where.ONCE, 2),
        ((OFF, OFF_LATER), 60, Where.ELSEWHERE, 2),
        ((), 60, Where.UNKNOWN, 0),
        ((NEAR, NEAR_LATER), 400, Where.UNKNOWN, 0),
        ((NEAR, NEAR_LATER, OFF), 121, Where.ONCE, 2),  # the first is too long ago
        ((fix(0, 0, 0, 51.0), fix(9, 0, 0, 80.0)), 5, Where.UNKNOWN, 0),
        ((fix(0, 0, 0, 51.0), fix(9, 0, 0, None)), 5, Where.ON_SCENE, 1),
    ],
)
def test_where_an_answer_was_given(fixes: tuple[Any, ...], at: float, where: Where, count: int) -> None:
    found = judged(*fixes, at=at)
    assert (found.where, found.fixes) == (where, count)
    assert found.flagged == (where is not Where.ON_SCENE)


def test_the_nearest_fix_is_told() -> None:
    found = judged(OFF, OFF_LATER)
    assert found.nearest == pytest.approx(300, abs=0.5)
    assert found.at == OFF.at
    assert judged().nearest is None
