"""Device tokens: random, kept as digests, and those of older folders."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tracker.model import Device, DeviceId, UnitId
from tracker.tokens import accepts, derived, hashed, is_next, new_token

TOKEN = "fiyzbg7vneody27tx3k3s2upyl"
DEVICE = Device(DeviceId("d1"), "handheld", "h1", UnitId("p1"), token=hashed(TOKEN))


def test_a_token_is_short_enough_for_every_terminal_and_never_the_same() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert {len(token) for token in tokens} == {26}
    assert all(token.isascii() and token.isalnum() and token == token.lower() for token in tokens)


def test_what_people_type_is_accepted() -> None:
    assert accepts(DEVICE, TOKEN)
    assert accepts(DEVICE, f" {TOKEN.upper()}\n")


@pytest.mark.parametrize("wrong", ["", "x", "张", "\ud800", "a" * 26, "a" * 10_000, hashed(TOKEN)])
@pytest.mark.parametrize("kept", [hashed(TOKEN), "", None])
def test_wrong_tokens(wrong: str, kept: str | None) -> None:
    assert not accepts(replace(DEVICE, token=kept), wrong)


def test_the_next_code_is_accepted_beside_the_one_before() -> None:
    device = replace(DEVICE, next=hashed("next"))
    assert accepts(device, TOKEN)
    assert not is_next(device, TOKEN)
    assert accepts(device, "next")
    assert is_next(device, "next")
    assert not is_next(DEVICE, "")


def test_a_device_that_is_shut_out_has_none() -> None:
    assert not accepts(replace(DEVICE, revoked=True, next=hashed("next")), TOKEN)
    assert not accepts(replace(DEVICE, revoked=True, next=hashed("next")), "next")


def test_a_derived_token_is_what_it_was() -> None:
    device = replace(DEVICE, token=None)
    assert derived(bytes(range(32)), device) == "fiyzbg7vneody27tx3k3s2upyl"
    others = [replace(device, token_serial=1), replace(device, external_id="h2"), replace(device, protocol="jt808")]
    assert len({derived(bytes(range(32)), one) for one in [device, *others]}) == 4
