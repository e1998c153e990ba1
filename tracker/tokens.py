"""Device tokens: derived, not stored.

A token is an HMAC over who the device is and the generation of its token, keyed with a secret of this data
folder. JT/T 808 hands the token out again at every registration, which a stored hash could not.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from tracker.model import Device


class Tokens:
    """Makes and checks the tokens of one data folder. ``secret``: at least 32 random bytes."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < 32:
            raise ValueError("the secret needs at least 32 bytes")
        self._secret = secret

    def token(self, device: Device) -> str:
        """26 characters, 130 bits; short enough for every JT/T 808 terminal."""
        identity = "\0".join(("device", device.protocol, device.external_id, str(device.token_serial)))
        digest = hmac.digest(self._secret, identity.encode(), hashlib.sha256)
        # Twenty of the 32 bytes are all that 26 characters can show: the rest would be encoded for nothing.
        return base64.b32encode(digest[:20])[:26].decode().lower()

    def accepts(self, device: Device, token: str) -> bool:
        """Whether this is the device's current token; takes the same time whatever the answer."""
        # JSON can hold halves of a surrogate pair, which are no UTF-8.
        told = token.strip().lower().encode("utf-8", "surrogatepass")
        return hmac.compare_digest(self.token(device).encode(), told)
