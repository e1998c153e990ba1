"""Passwords, the account of the first start, and sessions that are signed statements.

A session is ``name.expiry.signature``; it needs no store, so nobody is logged out by a restart or while Redis
is away. Passwords are argon2id, checked in a thread, two at a time.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

SESSION_MS = 7 * 86_400_000
TRIES = 10
"""Wrong passwords per address and minute; the next are refused without a look."""
ADDRESSES = 10_000
REMEMBERED_MS = 300_000
"""How long a checked password need not be checked again: a program that polls with Basic auth would else cost
50 ms of CPU a request."""


NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$0Jyb1h1kOPgVgfmRKtea/A$CxKFb0TmJBlGVvq/rH6fDSB8hZVMrvMCbFMEqWDZZHw"
"""The hash of no password: looked at for names that do not exist, so that they take as long."""

_hasher = PasswordHasher()


def hashed(password: str) -> str:
    """The argon2id hash of a password. For a thread: some 50 ms and 64 MB. Raises ``UnicodeEncodeError`` for halves of
    characters."""
    return _hasher.hash(password)


def matches(stored: str, password: str) -> bool:
    """Whether a password is the one of this hash; for a thread, as above."""
    try:
        return _hasher.verify(stored, password)
    except (Argon2Error, InvalidHashError, UnicodeEncodeError):
        # The last: JSON can spell half a character.
        return False


class FirstAdmin:
    """The account of the first start. Its random password is left in ``first-login.txt`` of the data folder, readable
    by the operator alone, until somebody deletes the file."""

    name = "admin"

    def __init__(self, folder: Path) -> None:
        self.note = folder / "first-login.txt"
        self._former = folder / "account.json"

    def make(self) -> str:
        """The hash of a new password, which is in the note; or that of the account that there was before accounts were
        kept in the journal. For a thread. To be called when there is no account."""
        if self._former.exists():
            return str(json.loads(self._former.read_text())["argon2id"])
        password = "-".join(secrets.token_hex(2) for _ in range(4))
        # The note first: an account whose password nobody knows would lock everybody out.
        write_private(self.note, f"{self.name}\n{password}\n".encode())
        return hashed(password)

    def done(self) -> None:
        """The account is in the journal."""
        self._former.unlink(missing_ok=True)

    def password(self) -> str | None:
        """The password of the first start, while its note is there."""
        try:
            return self.note.read_text().split()[1]
        except (OSError, IndexError):
            return None


class Sessions:
    """Signs and reads sessions, counts wrong tries. ``secret`` belongs to the data folder."""

    def __init__(self, secret: bytes, wall: Callable[[], int]) -> None:
        self._key = hmac.digest(secret, b"console session", hashlib.sha256)
        self._wall = wall
        self._failures: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._checked: OrderedDict[bytes, int] = OrderedDict()

    def open(self, name: str) -> str:
        """A new session's text."""
        expiry = self._wall() + SESSION_MS
        statement = f"{base64.urlsafe_b64encode(name.encode()).decode().rstrip('=')}.{expiry}"
        return f"{statement}.{self._sign(statement)}"

    def read(self, session: str) -> str | None:
        """Whose session it is; ``None`` if it is none of ours or has run out."""
        statement, _, signature = session.rpartition(".")
        if not hmac.compare_digest(self._sign(statement).encode(), signature.encode("utf-8", "replace")):
            return None
        encoded, _, expiry = statement.partition(".")
        if int(expiry) < self._wall():
            return None
        return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()

    def _sign(self, statement: str) -> str:
        return hmac.digest(self._key, statement.encode("utf-8", "replace"), hashlib.sha256).hex()

    # -- tries

    def may_try(self, address: str) -> bool:
        """Whether this address may try a password now."""
        count, since = self._failures.get(address, (0, 0))
        return count < TRIES or self._wall() - since > 60_000

    def failed(self, address: str) -> None:
        """A wrong password came from this address."""
        count, since = self._failures.pop(address, (0, 0))
        now = self._wall()
        self._failures[address] = (count + 1, since) if now - since <= 60_000 else (1, now)
        if len(self._failures) > ADDRESSES:
            self._failures.popitem(last=False)

    # -- Basic auth

    def checked(self, name: str, password: str) -> bool:
        """Whether this pair was found right a short while ago."""
        at = self._checked.get(self._pair(name, password))
        return at is not None and self._wall() - at < REMEMBERED_MS

    def remember(self, name: str, password: str) -> None:
        """The pair is right."""
        self._checked[self._pair(name, password)] = self._wall()
        if len(self._checked) > 100:
            self._checked.popitem(last=False)

    def _pair(self, name: str, password: str) -> bytes:
        return hmac.digest(self._key, f"{len(name)}:{name}{password}".encode(), hashlib.sha256)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only we can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def secret_of(folder: Path) -> bytes:
    """The data folder's secret; made when there is none."""
    path = folder / "secret"
    if not path.exists():
        write_private(path, secrets.token_bytes(32))
    return path.read_bytes()
