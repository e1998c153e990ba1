"""Sessions: the working copy in memory, and what is written behind to Redis or to its fake."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.client import Client
from tests.reactor import run, until
from tests.tracker.stores import valkey
from tracker.roster import Roster
from webmap.accounts import Accounts
from webmap.session_store import MemorySessionStore, RedisSessionStore, SessionStore
from webmap.sessions import IDLE_MS, LASTS_MS, PER_ACCOUNT, SEAL, SEEN_MS, Session, Sessions, digest_of, unpacked

NOON = 1_795_435_200_000


class Watch:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> int:
        return self.now


class House:
    """Accounts and their sessions over a store."""

    def __init__(self, store: SessionStore, *names: str) -> None:
        self.watch, self.roster, self.store = Watch(), Roster(), store
        self.accounts = Accounts(self.roster)
        self.roster.attach(self.accounts)
        for name in names or ("wang",):
            wanted = {"name": name, "role": "admin"}
            self.change(lambda wanted=wanted: self.accounts.plan_new(wanted, f"$argon2id${wanted['name']}"))
        self.ended: list[str] = []
        self.sessions = self.restarted()

    def restarted(self) -> Sessions:
        """The same city's next process."""
        sessions = Sessions(self.accounts, self.store, self.watch)
        sessions.ended(self.ended.extend)
        return sessions

    def change(self, plan: Callable[[], tuple[object, Sequence[tuple[str, str, dict[str, object] | None]]]]) -> None:
        for change in plan()[1]:
            self.roster.apply(change)

    def open(self, name: str = "wang") -> tuple[str, Session]:
        return self.sessions.open(self.accounts.known(name), "10.0.0.1", "Browser/1.0")


@pytest.fixture
def house() -> House:
    return House(MemorySessionStore(), "wang", "li")


# In memory.


def test_a_session_is_a_long_text_of_which_only_the_digest_is_kept(house: House) -> None:
    text, session = house.open()
    assert len(text) == 43, "256 bits"
    assert (session.digest, session.name, session.address) == (digest_of(text), "wang", "10.0.0.1")
    assert text not in repr(session)
    assert house.sessions.find(text) is session
    assert house.open()[0] != text


@pytest.mark.parametrize("text", ["", "x", "\x00\xff", "\ud800", "é" * 100, "wang.9999999999999.00"])
def test_what_is_no_session_at_all(house: House, text: str) -> None:
    digest = house.open()[1].digest
    assert house.sessions.find(text) is None
    assert house.sessions.find(digest) is None, "what names a session does not open it"


def test_a_session_that_nobody_uses_ends_and_one_that_is_used_ends_after_a_week(house: House) -> None:
    used, left = house.open()[0], house.open()[0]
    for at in range(NOON, NOON + LASTS_MS, IDLE_MS - 1):
        house.watch.now = at
        assert house.sessions.find(used) is not None
    assert house.sessions.find(left) is None
    house.watch.now = NOON + LASTS_MS
    assert house.sessions.find(used) is None
    assert {*house.ended} == {digest_of(used), digest_of(left)}


def test_sessions_that_ran_out_are_swept(house: House) -> None:
    digests = {house.open()[1].digest, house.open("li")[1].digest}
    house.watch.now += IDLE_MS - 1
    house.sessions.sweep()
    assert house.ended == []
    house.watch.now += 1
    house.sessions.sweep()
    assert ({*house.ended}, len(house.sessions)) == (digests, 0)


def test_what_changes_an_account_ends_its_sessions_at_once_and_says_which(house: House) -> None:
    accounts = house.accounts
    changes: list[Callable[[], tuple[object, Sequence[tuple[str, str, dict[str, object] | None]]]]] = [
        lambda: accounts.plan_password("wang", "$argon2id$new"),
        lambda: accounts.plan_totp("wang", "sealed", ("one",)),
        lambda: accounts.plan_change("wang", {"role": "leader"}),
        lambda: accounts.plan_change("wang", {"streets": ["东街"]}),
        lambda: accounts.plan_change("wang", {"disabled": True}),
        lambda: accounts.plan_reset("wang", "$argon2id$reset", enable=True),
        lambda: accounts.plan_removal("wang"),
    ]
    stays = house.open("li")[0]
    for change in changes:
        text, session = house.open()
        house.ended.clear()
        house.change(change)
        assert house.ended == [session.digest]
        assert house.sessions.find(text) is None
    assert house.sessions.find(stays) is not None


def test_what_changes_nothing_ends_nothing(house: House) -> None:
    house.change(lambda: house.accounts.plan_totp("wang", "sealed", ("one", "two")))
    text = house.open()[0]
    house.change(lambda: house.accounts.plan_change("wang", {"role": "admin", "disabled": False}))
    house.change(lambda: house.accounts.plan_recovery("wang", "one"))
    assert house.sessions.find(text) is not None
    assert house.accounts.known("wang").recovery == ("two",)


def test_an_account_of_the_same_name_is_another(house: House) -> None:
    text = house.open()[0]
    house.change(lambda: house.accounts.plan_removal("wang"))
    house.change(lambda: house.accounts.plan_new({"name": "wang", "role": "admin"}, "$argon2id$later"))
    assert house.sessions.find(text) is None


def test_the_least_used_one_makes_room(house: House) -> None:
    texts = [house.open()[0] for _ in range(PER_ACCOUNT)]
    house.watch.now += 1
    for text in texts[1:]:
        house.sessions.find(text)
    other = house.open("li")[0]
    newest = house.open()[0]
    assert house.sessions.find(texts[0]) is None
    assert all(house.sessions.find(text) for text in [*texts[1:], newest, other])
    assert len(house.sessions.of("wang")) == PER_ACCOUNT


def test_what_a_browser_calls_itself_is_cut_and_harmless(house: House) -> None:
    session = house.sessions.open(house.accounts.known("wang"), "10.0.0.1", "\x1b[2J<b>\n" + "x" * 5000)[1]
    assert session.agent.startswith(" [2J<b> x")
    assert len(session.agent) == 200


# Over a store.

Check = Callable[[House], Awaitable[None]]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with valkey() as address:
        yield address


@pytest.fixture(params=["memory", "redis"])
def check(request: pytest.FixtureRequest) -> Callable[[Check], None]:
    """Runs a check over an empty store of each kind."""

    def go(work: Check) -> None:
        async def over() -> None:
            if request.param == "memory":
                await work(House(MemorySessionStore(), "wang", "li"))
                return
            client = Client(request.getfixturevalue("url"))
            await client._redis.flushall()
            try:
                await work(House(RedisSessionStore(client), "wang", "li"))
            finally:
                await client.close()

        run(over())

    return go


async def lost(store: SessionStore) -> None:
    """FLUSHALL."""
    if isinstance(store, MemorySessionStore):
        store.clear()
    else:
        assert isinstance(store, RedisSessionStore)
        await store._client._redis.flushall()


def test_a_restart_signs_nobody_out(check: Callable[[Check], None]) -> None:
    async def work(house: House) -> None:
        texts = {name: house.open(name)[0] for name in ("wang", "li")}
        await house.sessions._keep()
        next_one = house.restarted()
        assert not next_one.loaded
        await next_one._keep()
        assert next_one.loaded
        for name, text in texts.items():
            found = next_one.find(text)
            assert found is not None
            assert (found.name, found.made, found.agent) == (name, NOON, "Browser/1.0")
        assert texts["wang"] not in str(await house.store.load())

    check(work)


def test_what_has_ended_is_no_session_of_the_next_process(check: Callable[[Check], None]) -> None:
    async def work(house: House) -> None:
        (gone, session), stays, changed = house.open(), house.open()[0], house.open("li")[0]
        await house.sessions._keep()
        house.sessions.end([session.digest])
        await house.sessions._keep()
        house.change(lambda: house.accounts.plan_password("li", "$argon2id$new"))  # and is killed before it writes that
        next_one = house.restarted()
        await next_one._keep()
        assert [next_one.find(text) is not None for text in (gone, stays, changed)] == [False, True, False]
        assert len(await house.store.load()) == 1, "what is none is removed"

    check(work)


def test_who_may_write_to_the_store_cannot_sign_in(check: Callable[[Check], None]) -> None:
    """A session of his own making, and another's of which the digest is known there, under a text that he knows."""

    async def work(house: House) -> None:
        house.open("li")
        text, session = house.open()
        await house.sessions._keep()
        known = (await house.store.load())[session.digest]
        account = house.accounts.known("wang")
        made = Session(digest_of("made"), "wang", account.serial, NOON, NOON, "", "")
        forged = {
            digest_of("copied"): known,
            digest_of("made"): made.packed(),
            digest_of("sealed"): bytes(SEAL) + made.packed(),
        }
        await house.store.write("mark", forged, [])
        next_one = house.restarted()
        await next_one._keep()
        assert next_one.find(text) is not None
        assert [next_one.find(given) for given in ("copied", "made", "sealed")] == [None] * 3
        assert len(await house.store.load()) == 2, "what is none is removed"

    check(work)


def test_a_lost_store_is_written_anew(check: Callable[[Check], None]) -> None:
    async def work(house: House) -> None:
        texts = [house.open()[0] for _ in range(3)]
        await house.sessions._keep()
        await lost(house.store)
        await house.sessions._keep()
        next_one = house.restarted()
        await next_one._keep()
        assert all(next_one.find(text) for text in texts)

    check(work)


def test_when_it_was_used_last_is_written_now_and_then(check: Callable[[Check], None]) -> None:
    async def work(house: House) -> None:
        text, session = house.open()
        await house.sessions._keep()
        stored = await house.store.load()
        house.watch.now += SEEN_MS - 1
        house.sessions.find(text)
        await house.sessions._keep()
        assert await house.store.load() == stored
        house.watch.now += 1
        house.sessions.find(text)
        await house.sessions._keep()
        found = unpacked(session.digest, (await house.store.load())[session.digest][SEAL:])
        assert found is not None
        assert found.seen == house.watch.now

    check(work)


class Away:
    """A store that is away, or takes no writes."""

    def __init__(self, inner: SessionStore) -> None:
        self.inner, self.away, self.full, self.writes = inner, True, False, 0

    async def load(self) -> dict[str, bytes]:
        if self.away:
            raise ConnectionError("away")
        return await self.inner.load()

    async def write(self, mark: str, put: Mapping[str, bytes], gone: Sequence[str]) -> None:
        self.writes += 1
        if self.away or self.full:
            raise ConnectionError("it takes nothing")
        await self.inner.write(mark, put, gone)

    async def mark(self) -> str:
        if self.away:
            raise ConnectionError("away")
        return await self.inner.mark()


def test_signing_in_needs_no_store_and_what_waited_is_written_when_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webmap.sessions.LOOK_S", 0.005)

    async def work() -> None:
        before = House(MemorySessionStore())
        old = before.open()[0]
        await before.sessions._keep()
        store = Away(before.store)
        house = House(store)
        task = asyncio.ensure_future(house.sessions.run())
        await until(lambda: house.sessions.problem)
        text = house.open()[0]
        assert house.sessions.find(text) is not None
        assert not house.sessions.loaded
        store.away, store.full = False, True
        await until(lambda: store.writes > 1)
        assert house.sessions.loaded
        assert house.sessions.find(old) is not None, "it reads all the same"
        gone = house.open()
        house.sessions.end([gone[1].digest])
        store.full = False
        await until(lambda: not house.sessions.problem)
        assert {digest_of(text), digest_of(old)} == {*await store.load()}
        house.sessions.end([digest_of(old)])
        while digest_of(old) in await store.load():
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(work())


def test_what_came_while_the_store_was_read_is_kept(house: House) -> None:
    async def work() -> None:
        stored = house.open()[0]
        await house.sessions._keep()
        next_one = house.restarted()
        made = next_one.open(house.accounts.known("li"))[0]
        await next_one._keep()
        assert next_one.find(stored) is not None
        assert next_one.find(made) is not None
        await next_one.close()
        assert {*await house.store.load()} == {digest_of(stored), digest_of(made)}

    run(work())


@given(st.binary(max_size=60))
def test_whatever_lies_in_the_store_is_read_or_left(packed: bytes) -> None:
    found = unpacked("d", packed)
    assert found is None or unpacked("d", found.packed()) == found


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["open", "find", "end", "keep", "lose", "change", "restart", "wait"]), st.integers(0, 5)
        ),
        max_size=40,
    )
)
def test_memory_and_store_agree_in_the_end(steps: list[tuple[str, int]]) -> None:
    """Whatever happens in whatever order: a session is good until it has ended, and after a restart the same are."""

    async def work() -> None:
        house = House(MemorySessionStore(), "wang", "li")
        await house.sessions._keep()
        good: dict[str, str] = {}
        for step, n in steps:
            name = ("wang", "li")[n % 2]
            chosen = [*good][n % len(good)] if good else ""
            if step == "open":
                good[house.open(name)[0]] = name
            elif step == "end" and chosen:
                house.sessions.end([digest_of(chosen)])
                del good[chosen]
            elif step == "keep":
                await house.sessions._keep()
            elif step == "lose":
                await lost(house.store)
            elif step == "change":
                house.change(lambda name=name, n=n: house.accounts.plan_password(name, f"$argon2id${n}"))
                good = {text: of for text, of in good.items() if of != name}
            elif step == "restart":
                await house.sessions._keep()
                house.sessions = house.restarted()
                await house.sessions._keep()
            elif step == "wait":
                house.watch.now += SEEN_MS
            assert {text for text in good if house.sessions.find(text)} == {*good}
        await house.sessions._keep()
        assert {*await house.store.load()} == {digest_of(text) for text in good}

    run(work())
