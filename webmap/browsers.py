"""Browsers that have signed in to an account before: a long-lived cookie says so, and nothing else.

It opens nothing; it only spares its browser the waiting when others guess at the name (:mod:`webmap.tries`). The cookie
holds up to eight tokens, for a desk at which several people work. A token is ``id.signature``: a random id, and an
HMAC-SHA-256 over name, serial and id with a key of the data folder's secret. The name is not in it, and with the
account's serial (another password, a reset) it is worth nothing any more.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable

from webmap.accounts import Account

TOKENS = 8
LASTS_S = 365 * 86_400
"""Seconds that the browser keeps the cookie."""
_APART = "~"


class Browsers:
    """Makes and reads the cookie. ``key``: 32 bytes."""

    def __init__(self, key: bytes, random: Callable[[], str] = lambda: secrets.token_urlsafe(12)) -> None:
        self._key, self._random = key, random

    def known(self, account: Account, cookie: str) -> str:
        """The id of a browser that has signed in to this account; empty if it has not."""
        for token in cookie.split(_APART)[:TOKENS]:
            identity, _, signature = token.partition(".")
            if hmac.compare_digest(self._signed(account, identity).encode(), signature.encode("utf-8", "replace")):
                return identity
        return ""

    def marked(self, account: Account, cookie: str) -> str:
        """The cookie's new value after somebody has signed in to this account."""
        others = [token for token in cookie.split(_APART)[:TOKENS] if 0 < len(token) <= 100 and token.isascii()]
        known = self.known(account, cookie)
        kept = [token for token in others if not known or token.partition(".")[0] != known]
        identity = known or self._random()
        return _APART.join([f"{identity}.{self._signed(account, identity)}", *kept][:TOKENS])

    def _signed(self, account: Account, identity: str) -> str:
        told = f"{len(account.name)}:{account.name}{account.serial}:{identity}".encode("utf-8", "replace")
        return base64.urlsafe_b64encode(hmac.digest(self._key, told, hashlib.sha256)).decode().rstrip("=")
