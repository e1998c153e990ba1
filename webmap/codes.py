"""Two-step sign-in: codes of an app (TOTP, RFC 6238), and recovery codes for when the phone is lost.

A code is six digits that follow from a secret and the half minute; the one before and the one after are good too,
because clocks differ. Each works once. The secret is kept sealed (:class:`webmap.safe.Seal`), recovery codes as HMACs.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable

import pyotp

from webmap.safe import Seal, key_of

STEP_MS = 30_000
DRIFT = 1
"""Steps that a phone's clock may be off, either way."""
RECOVERY_CODES = 8
PENDING_MS = 10 * 60_000
PENDING = 1000
"""Secrets shown and not confirmed yet."""
USED = 20_000
"""Accounts of which the last step is remembered."""
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without those that look like others."""


class Codes:
    """The second step of all accounts. ``secret`` is the data folder's."""

    def __init__(self, secret: bytes, random: Callable[[], str] = pyotp.random_base32) -> None:
        self._seal = Seal(secret, "totp")
        self._key = key_of(secret, "recovery codes")
        self._random = random
        self._used: OrderedDict[str, int] = OrderedDict()
        self._pending: OrderedDict[str, tuple[str, int]] = OrderedDict()

    # -- setting it up

    def begin(self, session: str, now: int) -> str:
        """A new secret (Base32), to be confirmed with a code through the same session within ten minutes."""
        self._pending.pop(session, None)
        self._pending[session] = self._random(), now
        if len(self._pending) > PENDING:
            self._pending.popitem(last=False)
        return self._pending[session][0]

    def confirm(self, session: str, name: str, code: str, now: int) -> str | None:
        """The sealed secret if the code is of the one that was begun; ``None`` if not."""
        secret, begun = self._pending.get(session, ("", 0))
        if not secret or not 0 <= now - begun <= PENDING_MS or not self._counts(name, secret, code, now):
            return None
        del self._pending[session]
        return self._seal.close(secret)

    def new_recovery(self, name: str) -> tuple[list[str], tuple[str, ...]]:
        """Eight recovery codes to be written down, and what is kept of them."""
        codes = ["-".join("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(2))
                 for _ in range(RECOVERY_CODES)]  # fmt: skip
        return codes, tuple(self._kept(name, code) for code in codes)

    # -- asking for it

    def accepts(self, name: str, sealed: str, code: str, now: int) -> bool:
        """Whether it is a code of this account's app, and was not used yet."""
        secret = self._seal.open(sealed)
        return secret is not None and self._counts(name, secret, code, now)

    def recovery(self, name: str, kept: tuple[str, ...], code: str) -> str | None:
        """Which of the kept ones a recovery code is; ``None`` if none."""
        given = self._kept(name, code)
        return next((one for one in kept if hmac.compare_digest(one, given)), None)

    def _counts(self, name: str, secret: str, code: str, now: int) -> bool:
        code = "".join(code.split())
        if len(code) != 6 or not code.isascii() or not code.isdigit():
            return False
        at = now // STEP_MS
        for step in range(at - DRIFT, at + DRIFT + 1):
            if step > self._used.get(name, -1) and hmac.compare_digest(code_at(secret, step), code):
                self._used.pop(name, None)
                self._used[name] = step
                if len(self._used) > USED:
                    self._used.popitem(last=False)
                return True
        return False

    def _kept(self, name: str, code: str) -> str:
        plain = "".join(one for one in code.lower() if one.isalnum())
        return hmac.digest(self._key, f"{name}:{plain}".encode("utf-8", "replace"), hashlib.sha256).hex()


def code_at(secret: str, step: int) -> str:
    """The code of a step of 30 seconds since 1970."""
    return pyotp.HOTP(secret).at(step)


def link_of(name: str, secret: str, issuer: str) -> str:
    """What an app reads as QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=issuer)
