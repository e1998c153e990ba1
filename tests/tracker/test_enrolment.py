"""Codes that give somebody a phone: valid once, for minutes, and not to be guessed."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest

from tests.tracker.helpers import NOON
from tracker.enrolment import OPEN_LIMIT, TRIES, VALID_MS, WRONG_LIMIT, Enrolments, Offer
from tracker.model import DeviceId, UnitId
from tracker.refusal import Refusal

ALI = UnitId("p1")


@pytest.fixture
def codes() -> Enrolments:
    digits, secrets = count(100_000), count()
    return Enrolments(lambda: str(next(digits)), lambda: f"secret-{next(secrets)}")


def make(codes: Enrolments, unit: str = "p1", now: int = NOON) -> Offer:
    return codes.offer(UnitId(unit), "traccar", "seat", now, shift=False)


def code_of(work: Callable[[], object]) -> str:
    with pytest.raises(Refusal) as refused:
        work()
    return refused.value.code


def test_digits_and_link_open_it_once(codes: Enrolments) -> None:
    offer = make(codes)
    assert codes.take_digits(offer.digits, "10.0.0.1", NOON) is offer
    assert code_of(lambda: codes.take_secret(offer.secret, NOON)) == "bad_code"
    codes.failed(offer)  # the disk was away
    assert codes.take_secret(offer.secret, NOON) is offer
    codes.used(offer, DeviceId("d1"))
    assert (offer.state, offer.device) == ("used", "d1")
    assert code_of(lambda: codes.take_digits(offer.digits, "10.0.0.1", NOON)) == "bad_code"


@pytest.mark.parametrize("when", [VALID_MS, -1])
def test_it_holds_for_minutes(codes: Enrolments, when: int) -> None:
    offer = make(codes)
    assert code_of(lambda: codes.take_secret(offer.secret, NOON + when)) == "bad_code"
    assert offer.state == "expired"


def test_another_for_the_same_unit_takes_its_place(codes: Enrolments) -> None:
    first, second = make(codes), make(codes)
    assert (first.state, second.state) == ("withdrawn", "open")
    assert codes.get(first.id, NOON) is first
    codes.withdraw(second)
    assert code_of(lambda: codes.take_secret(second.secret, NOON)) == "bad_code"


def test_one_address_guesses_slowly_and_a_right_code_costs_nothing(codes: Enrolments) -> None:
    for number in range(TRIES + 3):  # one office, many phones
        offer = make(codes, f"p{number}")
        assert codes.take_digits(offer.digits, "10.0.0.1", NOON) is offer
    offer = make(codes)
    for _ in range(TRIES):
        assert code_of(lambda: codes.take_digits("000000", "10.0.0.1", NOON)) == "bad_code"
    assert code_of(lambda: codes.take_digits(offer.digits, "10.0.0.1", NOON)) == "too_many_tries"
    assert codes.take_digits(offer.digits, "10.0.0.2", NOON) is offer
    assert code_of(lambda: codes.take_digits("000000", "10.0.0.1", NOON + 120_001)) == "bad_code"


def test_a_customer_of_a_network_has_no_more_tries_than_one_address(codes: Enrolments) -> None:
    offer = make(codes)
    for number in range(TRIES):
        assert code_of(lambda: codes.take_digits("000000", f"2001:db8:1:2::{number}", NOON)) == "bad_code"  # noqa: B023
    assert code_of(lambda: codes.take_digits(offer.digits, "2001:db8:1:2::ff", NOON)) == "too_many_tries"
    assert codes.take_digits(offer.digits, "2001:db8:1:3::1", NOON) is offer


def test_digits_die_of_wrong_tries_from_anywhere_and_the_link_does_not(codes: Enrolments) -> None:
    offer = make(codes)
    for number in range(WRONG_LIMIT):
        assert offer.typable
        assert code_of(lambda number=number: codes.take_digits("000000", f"10.0.1.{number}", NOON)) == "bad_code"
    assert not offer.typable
    assert code_of(lambda: codes.take_digits(offer.digits, "10.0.2.1", NOON)) == "bad_code"
    assert codes.take_secret(offer.secret, NOON) is offer


def test_so_many_are_open_and_none_has_the_digits_of_another() -> None:
    digits = iter(["1", "1", "2", *map(str, range(3, 200))])
    secrets = count()
    codes = Enrolments(lambda: next(digits), lambda: str(next(secrets)))
    offers = [make(codes, f"p{number}") for number in range(OPEN_LIMIT)]
    assert len({offer.digits for offer in offers}) == OPEN_LIMIT
    assert code_of(lambda: make(codes, "another")) == "too_many_codes"
    assert make(codes, "another", NOON + VALID_MS).typable
