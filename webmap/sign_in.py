"""Signing in: the password in a thread, the second step, and what is counted when either is wrong.

Unknown names, disabled accounts, wrong passwords and wrong codes are answered alike and take as long: each costs one
argon2id. That costs 64 MB and 50 ms of a core, so there are two lanes, one for browsers that are known to the name and
one for all others: whoever floods the door waits for himself.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from twisted.internet.defer import DeferredSemaphore
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from webmap.accounts import Account, Accounts, normal
from webmap.browsers import Browsers
from webmap.codes import Codes
from webmap.passwords import NOBODY, matches
from webmap.safe import key_of
from webmap.tries import Tries

WAITING = 500
"""Tries that wait for a lane: some 30 seconds' work."""
REMEMBERED_MS = 300_000
"""How long a checked password need not be checked again: a program that polls with Basic auth would else cost
50 ms of CPU a request."""
REMEMBERED = 100


class Verdict(Enum):
    """What came of a try."""

    GOOD = "good"
    WRONG = "wrong"
    CODE = "code"
    """The password is right; the account asks for a code too."""
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Tried:
    """``account`` is there when it is good. ``recovery``: the recovery code that was used, as it is kept: to be struck
    from the account before anything else. ``wait``: ms until the next try."""

    verdict: Verdict
    account: Account | None = None
    recovery: str = ""
    wait: int = 0


class SignIn:
    """Checks names and passwords; ``secret`` is the data folder's."""

    def __init__(
        self,
        accounts: Accounts,
        codes: Codes,
        secret: bytes,
        reactor: Any,
        pool: ThreadPool,
        wall: Callable[[], int],
    ) -> None:
        self._accounts, self._codes, self._wall = accounts, codes, wall
        self._reactor, self._pool = reactor, pool
        self.browsers = Browsers(key_of(secret, "known browsers"))
        self.tries = Tries()
        self._key = key_of(secret, "checked passwords")
        self._checked: OrderedDict[bytes, int] = OrderedDict()
        self._lanes = {True: DeferredSemaphore(1), False: DeferredSemaphore(1)}

    async def tried(
        self, name: str, password: str, address: str, *, browser: str = "", code: str = "", step: bool = True
    ) -> Tried:
        """One try. ``browser`` is the cookie of :class:`Browsers`, ``step`` whether an account that has a second step
        is asked for it."""
        name = normal(name)[:200]
        account = self._accounts.get(name)
        known = self.browsers.known(account, browser) if account is not None else ""
        lane = self._lanes[bool(known)]
        if len(lane.waiting) >= WAITING:
            return Tried(Verdict.WAIT, wait=10_000)
        await lane.acquire()
        try:
            # Looked at when it is our turn: else a thousand tries at once would all be before the first failure.
            wait = self.tries.wait(self._wall(), name, address, known)
            if wait:
                return Tried(Verdict.WAIT, wait=wait)
            account = self._accounts.get(name)
            stored = account.password if account is not None and not account.disabled else NOBODY
            good = bool(await deferToThreadPool(self._reactor, self._pool, matches, stored, password))
            found = self._second(account, code, step, known) if good and account is not None else Tried(Verdict.WRONG)
            if found.verdict is Verdict.WRONG:
                self.tries.failed(self._wall(), name, address, known)
            elif found.verdict is Verdict.GOOD:
                self.tries.passed(name, address)
            return found
        finally:
            lane.release()

    def _second(self, account: Account, code: str, step: bool, known: str) -> Tried:
        now = self._accounts.get(account.name)
        if now is None or now.disabled or now.password != account.password:
            return Tried(Verdict.WRONG)  # it changed while the thread was at work
        if not step or not now.totp:
            return Tried(Verdict.GOOD, now)
        if not code:
            return Tried(Verdict.CODE)
        wait = self.tries.code_wait(self._wall(), now.name, known)
        if wait:
            return Tried(Verdict.WAIT, wait=wait)
        if self._codes.accepts(now.name, now.totp, code, self._wall()):
            return Tried(Verdict.GOOD, now)
        used = self._codes.recovery(now.name, now.recovery, code)
        if used is not None:
            return Tried(Verdict.GOOD, now, used)
        self.tries.code_failed(self._wall(), now.name, known)
        return Tried(Verdict.WRONG)

    # -- Basic auth

    async def program(self, name: str, password: str, address: str) -> Tried:
        """A program that sends name and password with every request. What was right a moment ago is not computed again,
        but not for an address that is guessing."""
        account = self._accounts.get(name)
        if account is None or account.disabled or account.totp:
            return await self.tried(name, password, address)
        pair = self._pair(account, password)
        now = self._wall()
        if 0 <= now - self._checked.get(pair, -REMEMBERED_MS) < REMEMBERED_MS:
            wait = self.tries.wait(now, account.name, address)
            return Tried(Verdict.WAIT, wait=wait) if wait else Tried(Verdict.GOOD, account)
        found = await self.tried(name, password, address)
        if found.verdict is Verdict.GOOD:
            self._checked.pop(pair, None)
            self._checked[pair] = self._wall()
            if len(self._checked) > REMEMBERED:
                self._checked.popitem(last=False)
        return found

    def _pair(self, account: Account, password: str) -> bytes:
        # The stored hash is part of it: another password, and what was remembered is worth nothing.
        told = f"{account.password}:{password}".encode("utf-8", "replace")
        return hmac.digest(self._key, told, hashlib.sha256)
