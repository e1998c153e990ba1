"""Passwords, the account of the first start, and what belongs to the data folder."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tracker.roster import Refusal
from webmap.passwords import LEAST, MOST, NOBODY, FirstAdmin, check_new, hashed, matches, random_password
from webmap.safe import Seal, key_of, secret_of


def test_the_first_start_makes_a_password(tmp_path: Path) -> None:
    first = FirstAdmin(tmp_path)
    assert not first.made
    stored = first.make()
    name, password = first.note.read_text().split()
    assert (first.name, first.made) == (name, password)
    assert len(password) >= 16
    assert stat.S_IMODE(first.note.stat().st_mode) == 0o600
    assert password not in stored
    assert matches(stored, password)
    assert not matches(stored, password[:-1])
    assert not matches(stored, "\ud800")
    assert not matches(NOBODY, password)
    first.changed("somebody else")
    assert first.note.exists()
    first.changed(name)
    assert not first.note.exists()


def test_the_account_of_an_older_version_keeps_its_password(tmp_path: Path) -> None:
    former = tmp_path / "account.json"
    former.write_text(json.dumps({"name": "admin", "argon2id": hashed("as before")}))
    first = FirstAdmin(tmp_path)
    assert matches(first.make(), "as before")
    assert not first.made
    assert not first.note.exists()
    first.done()
    assert not former.exists()


@pytest.mark.parametrize(
    "password",
    ["", "short", "x" * (LEAST - 1), "y" * (MOST + 1), "aaaaaaaaaaaaaa", "abababababab", "wangwei2026", "2026WangWei",
     "wangwei-wangwei", "half a character \ud800"],
)  # fmt: skip
def test_what_may_not_be_a_password(password: str) -> None:
    with pytest.raises(Refusal) as refused:
        check_new("wangwei", password)
    assert refused.value.code == "bad_password"
    assert refused.value.zh


@pytest.mark.parametrize(
    "password", ["correct horse", "城管巡查每天八小时不停歇", "wangwei likes to walk", "0a1b-2c3d-4e5f-0617"]
)
def test_what_may_be_one(password: str) -> None:
    assert check_new("wangwei", password) == password


def test_what_we_make_may_be_one() -> None:
    made = {random_password() for _ in range(20)}
    assert {check_new("wangwei", one) for one in made} == made
    assert len(made) == 20


def test_a_password_that_is_too_long_is_wrong_whatever_is_stored() -> None:
    long = "correct horse " * 100
    assert not matches(hashed(long), long)


def test_the_secret_of_a_folder_stays(tmp_path: Path) -> None:
    secret = secret_of(tmp_path)
    assert len(secret) == 32
    assert secret_of(tmp_path) == secret
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    assert secret_of(tmp_path / "other") != secret


def test_a_seal_is_of_its_folder_and_its_purpose() -> None:
    secret = bytes(32)
    assert len({key_of(secret, "a"), key_of(secret, "b"), key_of(bytes(31) + b"x", "a"), secret}) == 4
    sealed = Seal(secret, "a").close("王")
    assert Seal(secret, "a").open(sealed) == "王"
    assert Seal(secret, "b").open(sealed) is None
    assert Seal(secret, "a").open("nonsense") is None
