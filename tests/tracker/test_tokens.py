"""Device tokens: derived from who the device is and the generation, and from nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tracker.model import Device, DeviceId, UnitId
from tracker.tokens import Tokens

TOKENS = Tokens(bytes(range(32)))
DEVICE = Device(DeviceId("d1"), "handheld", "h1", UnitId("p1"))


def test_a_token_is_always_the_same_and_short_enough_for_every_terminal() -> None:
    token = TOKENS.token(DEVICE)
    assert token == Tokens(bytes(range(32))).token(DEVICE)
    assert len(token) == 26
    assert token.isascii()
    assert token.isalnum()
    assert TOKENS.accepts(DEVICE, f" {token.upper()}\n")


@pytest.mark.parametrize(
    "other",
    [{"protocol": "jt808"}, {"external_id": "h2"}, {"token_serial": 1}, {"protocol": "handheldh", "external_id": "1"}],
)
def test_a_token_is_of_one_device_and_generation(other: dict[str, str | int]) -> None:
    changed = replace(DEVICE, **other)  # type: ignore[arg-type]
    assert TOKENS.token(changed) != TOKENS.token(DEVICE)
    assert not TOKENS.accepts(changed, TOKENS.token(DEVICE))


def test_a_token_outlives_a_new_unit() -> None:
    assert TOKENS.accepts(replace(DEVICE, unit=UnitId("p2"), networks=("10.0.0.0/8",)), TOKENS.token(DEVICE))


@pytest.mark.parametrize("wrong", ["", "x", "张", "\ud800", "a" * 26, "a" * 10_000])
def test_wrong_tokens(wrong: str) -> None:
    assert not TOKENS.accepts(DEVICE, wrong)


def test_another_secret_makes_other_tokens_and_a_short_one_is_refused() -> None:
    assert not Tokens(b"x" * 32).accepts(DEVICE, TOKENS.token(DEVICE))
    with pytest.raises(ValueError, match="32 bytes"):
        Tokens(b"x" * 31)
