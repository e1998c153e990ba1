"""Who guesses waits, and nobody else does."""

from __future__ import annotations

import pytest

from tracker.roster import Roster
from webmap.accounts import Account, Accounts
from webmap.browsers import TOKENS, Browsers
from webmap.rights import Role
from webmap.tries import COUNTED, HOMES, NAME_SPAN_MS, NAME_TRIES, SPAN_MS, TRIES, TURN_MS, Tries

NOON = 1_795_435_200_000


@pytest.fixture
def tries() -> Tries:
    return Tries()


def test_an_address_has_so_many_wrong_ones_a_minute(tries: Tries) -> None:
    for n in range(TRIES):
        assert tries.wait(NOON, f"n{n}", "10.0.0.1") == 0
        tries.failed(NOON, f"n{n}", "10.0.0.1")
    assert tries.wait(NOON + 1000, "admin", "10.0.0.1") == SPAN_MS - 1000
    assert tries.wait(NOON, "admin", "10.0.0.2") == 0
    assert tries.wait(NOON + SPAN_MS, "admin", "10.0.0.1") == 1
    assert tries.wait(NOON + SPAN_MS + 1, "admin", "10.0.0.1") == 0
    tries.failed(NOON + SPAN_MS + 1, "admin", "10.0.0.1")
    assert tries.wait(NOON + SPAN_MS + 2, "admin", "10.0.0.1") == 0, "a new minute has begun"


def guessed_at(tries: Tries, name: str, now: int = NOON) -> None:
    """Somebody with many addresses guesses at a name."""
    for n in range(NAME_TRIES):
        assert tries.wait(now, name, f"10.1.{n}.1") == 0
        tries.failed(now, name, f"10.1.{n}.1")


def test_a_name_that_is_guessed_at_has_turns_for_strangers(tries: Tries) -> None:
    guessed_at(tries, "wang")
    assert tries.wait(NOON, "wang", "10.2.0.1") == 0, "the first turn"
    assert tries.wait(NOON + 1, "wang", "10.2.0.2") == TURN_MS - 1
    assert tries.wait(NOON + TURN_MS, "wang", "10.2.0.2") == 0
    assert tries.wait(NOON + TURN_MS, "wang", "10.2.0.1") == TURN_MS
    assert tries.wait(NOON, "li", "10.2.0.1") == 0, "of that name only"
    later = NOON + NAME_SPAN_MS + TURN_MS + 1
    assert [tries.wait(later, "wang", f"10.2.0.{n}") for n in range(3)] == [0, 0, 0]


def test_who_guesses_at_a_name_does_not_lock_its_owner_out(tries: Tries) -> None:
    tries.passed("wang", "10.9.0.1")
    guessed_at(tries, "wang")
    assert tries.wait(NOON, "wang", "10.2.0.1") == 0
    for _ in range(5):
        assert tries.wait(NOON, "wang", "10.9.0.1") == 0, "from where it has signed in before"
        assert tries.wait(NOON, "wang", "10.2.0.3", "a browser it knows") == 0
    assert tries.wait(NOON, "wang", "10.2.0.3") > 0


def test_a_known_browser_is_counted_on_its_own(tries: Tries) -> None:
    for _ in range(TRIES):
        tries.failed(NOON, "li", "10.9.0.1")
    assert tries.wait(NOON, "wang", "10.9.0.1") > 0
    assert tries.wait(NOON, "wang", "10.9.0.1", "desk") == 0, "whatever others do behind the same address"
    for _ in range(TRIES):
        tries.failed(NOON, "wang", "10.9.0.2", "desk")
    assert tries.wait(NOON, "wang", "10.9.0.2", "desk") == SPAN_MS
    assert tries.wait(NOON, "wang", "10.9.0.2", "other desk") == 0
    assert tries.wait(NOON, "wang", "10.9.0.2") == 0


def test_a_clock_that_is_set_back_locks_nobody_for_long(tries: Tries) -> None:
    guessed_at(tries, "wang")
    for _ in range(TRIES):
        tries.failed(NOON, "x", "10.9.0.1")
    assert tries.wait(NOON - 86_400_000, "wang", "10.9.0.1") == 0
    assert tries.wait(NOON - 86_400_000 + TURN_MS, "wang", "10.9.0.1") == 0


def test_what_is_counted_has_a_bound(tries: Tries) -> None:
    for n in range(COUNTED + 50):
        tries.failed(NOON, f"n{n}", f"a{n}")
        tries.passed(f"n{n}", f"a{n}")
    for n in range(HOMES + 5):
        tries.passed("wang", f"a{n}")
    assert (len(tries._counts), len(tries._homes), len(tries._homes["wang"])) == (COUNTED, COUNTED, HOMES)


# Browsers.


@pytest.fixture
def browsers() -> Browsers:
    return Browsers(bytes(32))


def account(name: str = "wang", serial: int = 7) -> Account:
    return Account(name, Role.ADMIN, "", serial=serial)


def test_a_browser_is_known_to_whom_it_has_signed_in_to(browsers: Browsers) -> None:
    cookie = browsers.marked(account(), "")
    assert browsers.known(account(), cookie)
    assert not browsers.known(account("li"), cookie)
    assert not browsers.known(account(serial=8), cookie), "another password"
    assert not Browsers(bytes(31) + b"\1").known(account(), cookie)
    assert "wang" not in cookie


def test_several_people_share_a_browser_and_its_id_stays(browsers: Browsers) -> None:
    cookie = ""
    for n in range(TOKENS):
        cookie = browsers.marked(account(f"n{n}"), cookie)
    known = [browsers.known(account(f"n{n}"), cookie) for n in range(TOKENS)]
    assert len({*known}) == TOKENS
    again = browsers.marked(account("n3"), cookie)
    assert [browsers.known(account(f"n{n}"), again) for n in range(TOKENS)] == known
    more = browsers.marked(account("one more"), again)
    assert more.count("~") == TOKENS - 1
    assert not browsers.known(account("n0"), more), "the one used longest ago goes"


@pytest.mark.parametrize("cookie", ["", ".", "~~~", "a.b", "é.é", "\ud800.x", "a" * 5000, "~".join(["a.b"] * 100)])
def test_what_is_no_token_is_nothing(browsers: Browsers, cookie: str) -> None:
    assert browsers.known(account(), cookie) == ""
    made = browsers.marked(account(), cookie)
    assert browsers.known(account(), made)
    assert made.isascii()
    assert len(made) < 1000


# Accounts.


def test_a_new_account_of_an_old_name_is_another(tmp_path: object) -> None:
    roster = Roster()
    accounts = Accounts(roster)
    roster.attach(accounts)
    serials = set()
    for kept in ("$argon2id$a", "$argon2id$b"):
        made, changes = accounts.plan_new({"name": "Wang", "role": "admin"}, kept)
        serials.add(made.serial)
        for change in changes:
            roster.apply(change)
        roster.apply(("account", "wang", None))
    assert len(serials) == 2


def test_a_record_of_before_has_the_fields_of_today() -> None:
    accounts = Accounts(Roster())
    told: list[str] = []
    accounts.listen(told.append)
    accounts.apply(("account", "wang", {"name": "wang", "role": "admin", "password": "h", "streets": [], "teams": []}))
    found = accounts.known("WANG")
    assert (found.must_change, found.recovery, found.serial) == (False, (), 0)
    assert told == ["wang"]
