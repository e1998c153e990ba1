"""The data folder's secret, files that only we can read, and small texts that are sealed with it."""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


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


def key_of(secret: bytes, purpose: str) -> bytes:
    """A key of 32 bytes for one purpose; from it follows neither the secret nor another purpose's key."""
    return HKDF(SHA256(), 32, salt=None, info=purpose.encode()).derive(secret)


class Seal:
    """Seals short texts with a key of its purpose (Fernet: AES-128 and HMAC-SHA-256)."""

    def __init__(self, secret: bytes, purpose: str) -> None:
        self._fernet = Fernet(base64.urlsafe_b64encode(key_of(secret, purpose)))

    def close(self, text: str) -> str:
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str | None:
        """The text; ``None`` for what was sealed with another folder's secret, or not by us."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            return None
