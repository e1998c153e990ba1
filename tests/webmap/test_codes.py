"""Two-step sign-in: codes by RFC 6238, each once; recovery codes; what is sealed."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webmap.codes import PENDING_MS, RECOVERY_CODES, STEP_MS, Codes, code_at, link_of
from webmap.safe import Seal

SECRET = bytes(range(32))
NOON = 1_795_435_200_000
OF_THE_RFC = base64.b32encode(b"12345678901234567890").decode()


@pytest.fixture
def codes() -> Codes:
    return Codes(SECRET, lambda: OF_THE_RFC)


@pytest.fixture
def sealed(codes: Codes) -> str:
    """A secret that is set up, its first code used two minutes ago."""
    codes.begin("session", NOON - 120_000)
    found = codes.confirm("session", "wang", code_at(OF_THE_RFC, (NOON - 120_000) // STEP_MS), NOON - 120_000)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_the_vectors_of_the_rfc(seconds: int, code: str) -> None:
    """Appendix B, SHA-1; ours have six digits of its eight."""
    assert code_at(OF_THE_RFC, seconds * 1000 // STEP_MS) == code[2:]


def test_a_code_is_good_for_its_step_and_one_each_side(codes: Codes, sealed: str) -> None:
    step = NOON // STEP_MS
    for off, good in ((-2, False), (2, False), (-1, True), (0, True), (1, True)):
        assert codes.accepts("wang", sealed, code_at(OF_THE_RFC, step + off), NOON) is good, off


def test_a_code_works_once(codes: Codes, sealed: str) -> None:
    code, former = (code_at(OF_THE_RFC, NOON // STEP_MS - back) for back in (0, 1))
    assert codes.accepts("wang", sealed, f" {code[:3]} {code[3:]} ", NOON)
    assert not codes.accepts("wang", sealed, code, NOON)
    assert not codes.accepts("wang", sealed, former, NOON), "nor one of before it"
    assert codes.accepts("li", sealed, code, NOON), "counted for each account"


@given(st.text(max_size=12))
def test_no_other_text_is_a_code(text: str) -> None:
    codes = Codes(SECRET)
    sealed = Seal(SECRET, "totp").close(OF_THE_RFC)
    good = {code_at(OF_THE_RFC, NOON // STEP_MS + off) for off in (-1, 0, 1)}
    assert codes.accepts("wang", sealed, text, NOON) is ("".join(text.split()) in good)


def test_a_secret_is_confirmed_in_time_by_who_was_shown_it(codes: Codes) -> None:
    codes.begin("session", NOON)
    code = code_at(OF_THE_RFC, NOON // STEP_MS)
    assert codes.confirm("other", "wang", code, NOON) is None
    assert codes.confirm("session", "wang", "000000", NOON) is None
    late = NOON + PENDING_MS + 1
    assert codes.confirm("session", "wang", code_at(OF_THE_RFC, late // STEP_MS), late) is None
    assert codes.confirm("session", "wang", code, NOON)
    assert codes.confirm("session", "wang", code, NOON) is None


def test_what_is_kept_of_a_secret_opens_nothing(codes: Codes, sealed: str) -> None:
    assert OF_THE_RFC not in sealed
    code = code_at(OF_THE_RFC, NOON // STEP_MS)
    assert not Codes(bytes(32)).accepts("wang", sealed, code, NOON), "another data folder"
    assert not codes.accepts("wang", sealed[:-2] + "xx", code, NOON)
    assert not codes.accepts("wang", "", code, NOON)


def test_recovery_codes(codes: Codes) -> None:
    shown, kept = codes.new_recovery("wang")
    assert len({*shown}) == len({*kept}) == RECOVERY_CODES
    assert not any(code in "".join(kept) for code in shown)
    assert codes.recovery("wang", kept, shown[3]) == kept[3]
    assert codes.recovery("wang", kept, f" {shown[3].upper().replace('-', ' ')}") == kept[3]
    assert codes.recovery("li", kept, shown[3]) is None
    assert codes.recovery("wang", kept, "") is None
    assert codes.recovery("wang", (), shown[3]) is None


def test_what_an_app_reads() -> None:
    link = link_of("王伟", OF_THE_RFC, "Gridbeat 示例市")
    assert link.startswith("otpauth://totp/")
    assert f"secret={OF_THE_RFC}" in link
    assert "issuer=Gridbeat" in link
