"""Sessions: who has signed in, from where, and until when. The process's memory is the working copy, Redis outlives it.

A session's text is 256 random bits that only its browser or program holds; here and in the store it is named by the
SHA-256 of that text. It ends when nobody has used it for 12 hours, after 7 days, at logout, and when its account has
another serial: another password, role, area or second factor, or is disabled or removed.

What changes is written behind: signing in needs neither Redis nor room on its disk, and what ends has ended here at
once. While the store was not read yet after a start, an unknown session is not a wrong one (:attr:`Sessions.loaded`).
What ended while Redis was away, and was not written before this process ended, is a session again when Redis is back,
unless its account's serial has grown, which the journal keeps.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

import msgpack
from twisted.logger import Logger

from storage.bridge import end_if_cancelled
from storage.client import Unavailable
from webmap.accounts import Account, Accounts
from webmap.session_store import SessionStore

IDLE_MS = 12 * 3_600_000
LASTS_MS = 7 * 86_400_000
SEEN_MS = 60_000
"""When somebody was last there is written this often: a page asks many times a minute."""
PER_ACCOUNT = 50
"""Sessions of one account, the least used one ends for the next: a program may sign in again each time it runs."""
SESSIONS = 20_000
"""In all, likewise: some 300 bytes each."""
AT_ONCE = 1000
"""Sessions in one write: it takes Redis about a millisecond."""
SEAL = 16
"""Bytes before each session in the store, which only we can make: the store is open to other programs of the city, and
who may write there must not be able to sign in."""
AGENT_LIMIT = 200
"""Characters of a browser's name for itself."""
LOOK_S = 2.0
"""Between two looks at whether Redis still has what was written, and what to do while it is away."""

_log = Logger(namespace="gridbeat.sessions")

Ended = Callable[[Collection[str]], None]


@dataclass(slots=True)
class Session:
    """Times are ms since 1970. ``digest`` names it, and opens nothing."""

    digest: str
    name: str
    serial: int
    made: int
    seen: int
    address: str
    agent: str
    stored: int = 0
    """What ``seen`` was when it was last handed to the store."""

    @property
    def id(self) -> str:
        """As lists name it."""
        return self.digest[:16]

    def packed(self) -> bytes:
        fields = (self.name, self.serial, self.made, self.seen, self.address, self.agent)
        packed: bytes = msgpack.packb(fields)
        return packed


class Sessions:
    """All sessions. ``text`` makes what a browser is given."""

    def __init__(
        self,
        accounts: Accounts,
        store: SessionStore,
        wall: Callable[[], int],
        text: Callable[[], str] = lambda: secrets.token_urlsafe(32),
    ) -> None:
        self._accounts, self._store, self._wall, self._text = accounts, store, wall, text
        self._live: dict[str, Session] = {}
        self._of: dict[str, set[str]] = {}
        self._dirty: set[str] = set()
        self._gone: set[str] = set()
        """To be removed from the store; no more than it holds."""
        self._mark = secrets.token_hex(8)
        self._listeners: list[Ended] = []
        self._wake: asyncio.Event | None = None
        self.loaded = False
        """Whether those of before the start are known."""
        self.problem = ""
        """Why the store does not take them now."""
        accounts.listen(self._changed)

    def __len__(self) -> int:
        return len(self._live)

    # -- using them

    def open(self, account: Account, address: str = "", agent: str = "") -> tuple[str, Session]:
        """A new session: the text for the browser or program, and what is kept of it."""
        now, text = self._wall(), self._text()
        held = self._of.get(account.name, ())
        if len(held) >= PER_ACCOUNT:
            self.end([min(held, key=lambda digest: self._live[digest].seen)])
        elif len(self._live) >= SESSIONS:
            self.end([min(self._live, key=lambda digest: self._live[digest].seen)])
        agent = "".join(one if one.isprintable() else " " for one in agent)[:AGENT_LIMIT]
        session = Session(digest_of(text), account.name, account.serial, now, now, address, agent)
        self._take(session)
        self._later(session)
        return text, session

    def find(self, text: str) -> Session | None:
        """The session of this text, which is being used now; ``None`` if there is none (any more)."""
        session = self._live.get(digest_of(text))
        if session is None:
            return None
        now = self._wall()
        if not self._good(session, now):
            self.end([session.digest])
            return None
        session.seen = max(now, session.seen)
        if session.seen - session.stored >= SEEN_MS:
            self._later(session)
        return session

    def of(self, name: str) -> list[Session]:
        """Those of an account, the one used last first."""
        now = self._wall()
        found = [self._live[digest] for digest in self._of.get(name, ())]
        return sorted((one for one in found if self._good(one, now)), key=lambda one: -one.seen)

    def end(self, digests: Iterable[str]) -> None:
        """They are no sessions any more, from now on."""
        ended = []
        for digest in list(digests):
            session = self._live.pop(digest, None)
            if session is None:
                continue
            ended.append(digest)
            self._dirty.discard(digest)
            self._gone.add(digest)
            held = self._of[session.name]
            held.discard(digest)
            if not held:
                del self._of[session.name]
        if ended:
            self._stir()
            for listener in self._listeners:
                listener(ended)

    def ended(self, listener: Ended) -> None:
        """Have the digests of sessions told at once when they end: sockets that were opened with them close."""
        self._listeners.append(listener)

    def sweep(self) -> None:
        """Let go of those that have run out by themselves."""
        now = self._wall()
        self.end([digest for digest, session in self._live.items() if not self._good(session, now)])

    def _good(self, session: Session, now: int) -> bool:
        account = self._accounts.get(session.name)
        if account is None or account.disabled or account.serial != session.serial:
            return False
        return now - session.seen < IDLE_MS and now - session.made < LASTS_MS

    def _changed(self, name: str) -> None:
        now = self._wall()
        self.end([digest for digest in self._of.get(name, ()) if not self._good(self._live[digest], now)])

    def _take(self, session: Session) -> None:
        self._live[session.digest] = session
        self._of.setdefault(session.name, set()).add(session.digest)

    # -- writing them behind

    def _later(self, session: Session) -> None:
        session.stored = session.seen
        self._dirty.add(session.digest)
        self._stir()

    def _stir(self) -> None:
        if self._wake is not None:
            self._wake.set()

    async def run(self) -> None:
        """Read the store once, then keep it as this process is. Ends when it is cancelled."""
        self._wake = asyncio.Event()
        while True:
            end_if_cancelled()
            self._wake.clear()
            try:
                await self._keep()
                self.problem = ""
            except Unavailable as error:
                if not self.problem:
                    _log.warn("sessions wait for the store: {reason}", reason=str(error))
                self.problem = str(error) or type(error).__name__
            if self.problem:
                await asyncio.sleep(LOOK_S)  # not at once with the next one who signs in
                continue
            try:
                await asyncio.wait_for(self._wake.wait(), LOOK_S)
            except TimeoutError:
                self.sweep()

    async def close(self) -> None:
        """Write what is not written yet, if the store takes it."""
        try:
            if self.loaded:
                await self._write()
        except Unavailable as error:
            _log.warn("the last sessions were not written: {reason}", reason=str(error))

    async def _keep(self) -> None:
        if not self.loaded:
            self._read(await self._store.load())
        elif await self._store.mark() != self._mark:
            # It has lost them, or another process wrote them: all that there are, anew.
            self._dirty |= self._live.keys()
        await self._write()

    def _read(self, stored: dict[str, bytes]) -> None:
        now = self._wall()
        found = []
        for digest, packed in stored.items():
            session = unpacked(digest, packed[SEAL:])
            ours = session is not None and self._ours(session, packed)
            if session is None or not ours or digest in self._gone or not self._good(session, now):
                self._gone.add(digest)
            elif digest not in self._live:
                found.append(session)
        found.sort(key=lambda one: -one.seen)
        for session in found[: max(0, SESSIONS - len(self._live))]:
            self._take(session)
        self._dirty |= self._live.keys()
        self.loaded = True

    def _sealed(self, session: Session) -> bytes:
        packed = session.packed()
        return self._seal(session, packed) + packed

    def _ours(self, session: Session, packed: bytes) -> bool:
        return hmac.compare_digest(packed[:SEAL], self._seal(session, packed[SEAL:]))

    def _seal(self, session: Session, packed: bytes) -> bytes:
        # The hash of the account's password is nowhere but in the journal, and with another one the session ends.
        account = self._accounts.get(session.name)
        key = "" if account is None else account.password
        return hmac.digest(key.encode(), session.digest.encode() + packed, hashlib.sha256)[:SEAL]

    async def _write(self) -> None:
        while True:
            put, gone = list(self._dirty)[:AT_ONCE], list(self._gone)[:AT_ONCE]
            if not put and not gone:
                if await self._store.mark() != self._mark:
                    await self._store.write(self._mark, {}, [])
                return
            self._dirty.difference_update(put)
            self._gone.difference_update(gone)
            # Packed now: what ends while this is on its way is removed by the next one.
            packed = {digest: self._sealed(self._live[digest]) for digest in put}
            try:
                await self._store.write(self._mark, packed, gone)
            except BaseException:
                self._dirty.update(digest for digest in put if digest in self._live)
                self._gone.update(gone)
                raise


def digest_of(text: str) -> str:
    """What names the session of this text."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def unpacked(digest: str, packed: bytes) -> Session | None:
    """A session as it was stored; ``None`` for what is none."""
    try:
        name, serial, made, seen, address, agent = msgpack.unpackb(packed)
        if not (type(serial) is type(made) is type(seen) is int) or not isinstance(name, str):
            return None
        return Session(digest, name, serial, made, seen, str(address), str(agent), stored=seen)
    except (ValueError, TypeError, msgpack.UnpackException):
        return None
