"""Passwords: argon2id hashes, what a new one must be like, and the account of the first start."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from tracker.roster import Refusal
from webmap.safe import write_private

LEAST = 10
"""Characters of a new password."""
MOST = 256
"""Characters of any: more would only be work for us."""

NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$0Jyb1h1kOPgVgfmRKtea/A$CxKFb0TmJBlGVvq/rH6fDSB8hZVMrvMCbFMEqWDZZHw"
"""The hash of no password: looked at for names that do not exist, so that they take as long."""

_hasher = PasswordHasher()


def hashed(password: str) -> str:
    """The argon2id hash of a password. For a thread: some 50 ms and 64 MB. Raises ``UnicodeEncodeError`` for halves of
    characters."""
    return _hasher.hash(password)


def matches(stored: str, password: str) -> bool:
    """Whether a password is the one of this hash; for a thread, as above. One that is too long takes as long and is
    wrong."""
    if len(password) > MOST:
        stored, password = NOBODY, password[:MOST]
    try:
        return _hasher.verify(stored, password)
    except (Argon2Error, InvalidHashError, UnicodeEncodeError):
        # The last: JSON can spell half a character.
        return False


def check_new(name: str, password: str) -> str:
    """The password if it may be one for this account; raises :class:`~tracker.roster.Refusal` if not. There is no rule
    of kinds of characters: length is what counts."""
    try:
        password.encode()
    except UnicodeEncodeError:
        raise Refusal("bad_password", "the new password holds half a character", "新密码含有无效字符") from None
    if not LEAST <= len(password) <= MOST:
        text = f"the new password must have {LEAST} to {MOST} characters"
        raise Refusal("bad_password", text, f"新密码须为 {LEAST} 至 {MOST} 个字符")
    plain = password.casefold()
    if name in plain and len(plain.replace(name, "")) < LEAST - 2:
        raise Refusal("bad_password", "the new password is little more than the name", "新密码不得与账号名相近")
    if len(set(plain)) < 4:
        raise Refusal("bad_password", "the new password repeats a few characters", "新密码不得只由少数几个字符重复组成")
    return password


def random_password() -> str:
    """64 random bits, to be read out or typed once."""
    return "-".join(secrets.token_hex(2) for _ in range(4))


class FirstAdmin:
    """The account of the first start. Its random password is left in ``first-login.txt`` of the data folder, readable
    by the operator alone, until somebody deletes the file or the password is another."""

    name = "admin"

    def __init__(self, folder: Path) -> None:
        self.note = folder / "first-login.txt"
        self.made = ""
        """The password, at the start that has made it: it is told once."""
        self._former = folder / "account.json"

    def make(self) -> str:
        """The hash of a new password, which is in the note; or that of the account that there was before accounts were
        kept in the journal. For a thread. To be called when there is no account."""
        if self._former.exists():
            return str(json.loads(self._former.read_text())["argon2id"])
        self.made = password = random_password()
        # The note first: an account whose password nobody knows would lock everybody out.
        write_private(self.note, f"{self.name}\n{password}\n".encode())
        return hashed(password)

    def done(self) -> None:
        """The account is in the journal."""
        self._former.unlink(missing_ok=True)

    def changed(self, name: str) -> None:
        """An account has another password: a note of the former one would only mislead."""
        if name == self.name:
            self.note.unlink(missing_ok=True)
