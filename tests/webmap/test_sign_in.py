"""Signing in, without a server: what guessing at the second step comes to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from tracker.roster import Roster
from webmap.accounts import Accounts
from webmap.codes import STEP_MS, Codes, code_at
from webmap.passwords import hashed
from webmap.sign_in import SignIn, Tried, Verdict
from webmap.tries import CODE_TRIES, CODE_TURN_MS

NOON = 1_795_435_200_000
PASSWORD = "a sentence that another knows too"


class Now:
    """A thread pool and a reactor that do at once what they are given."""

    def callInThreadWithCallback(self, done: Callable[..., None], work: Callable[..., Any], *args: Any) -> None:
        done(True, work(*args))

    def callFromThread(self, work: Callable[..., None], *args: Any) -> None:
        work(*args)


class Door:
    """One account, with two steps."""

    def __init__(self) -> None:
        self.now = NOON
        roster, self.codes, pool = Roster(), Codes(bytes(32)), Now()
        self.accounts = Accounts(roster)
        roster.attach(self.accounts)
        self.secret = self.codes.begin("s", NOON)
        sealed = self.codes.confirm("s", "li", code_at(self.secret, NOON // STEP_MS - 1), NOON)
        assert sealed is not None
        for plan in (
            lambda: self.accounts.plan_new({"name": "li", "role": "admin"}, hashed(PASSWORD)),
            lambda: self.accounts.plan_totp("li", sealed, ()),
        ):
            for change in plan()[1]:
                roster.apply(change)
        self.sign_in = SignIn(self.accounts, self.codes, bytes(32), pool, pool, lambda: self.now)  # type: ignore[arg-type]

    def knock(self, code: str, address: str = "10.0.0.1", browser: str = "", password: str = PASSWORD) -> Verdict:
        tried: Deferred[Tried] = Deferred.fromCoroutine(
            self.sign_in.tried("li", password, address, browser=browser, code=code)
        )
        found = tried.result
        assert isinstance(found, Tried), found
        return found.verdict

    @property
    def right(self) -> str:
        return code_at(self.secret, self.now // STEP_MS)


@pytest.fixture
def door() -> Door:
    return Door()


def wrong(door: Door) -> str:
    """A code that is none of the three that are good."""
    good = {code_at(door.secret, door.now // STEP_MS + ahead) for ahead in (-1, 0, 1)}
    return next(code for code in ("000000", "000001", "000002", "000003") if code not in good)


def test_codes_are_guessed_slowly_from_however_many_addresses(door: Door) -> None:
    for number in range(CODE_TRIES):
        assert door.knock(wrong(door), f"10.0.{number}.1") is Verdict.WRONG
    assert door.knock(wrong(door), "10.1.0.1") is Verdict.WRONG, "the first turn"
    assert door.knock(door.right, "10.1.0.2") is Verdict.WAIT
    door.now += CODE_TURN_MS
    assert door.knock(door.right, "10.1.0.2") is Verdict.GOOD


def test_who_guesses_at_codes_keeps_nobody_out_of_the_own_browser(door: Door) -> None:
    cookie = door.sign_in.browsers.marked(door.accounts.known("li"), "")
    for number in range(CODE_TRIES + 1):
        door.knock(wrong(door), f"10.0.{number}.1")
    assert door.knock(door.right, "10.0.0.9") is Verdict.WAIT
    assert door.knock(door.right, "10.0.0.9", browser=cookie) is Verdict.GOOD


def test_waiting_tells_nobody_who_does_not_have_the_password(door: Door) -> None:
    for number in range(CODE_TRIES + 1):
        door.knock(wrong(door), f"10.0.{number}.1")
    assert door.knock(door.right, "10.1.0.1", password="another") is Verdict.WRONG
