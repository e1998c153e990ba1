"""Device tokens: 130 random bits, shown once, of which only a digest is kept.

A plain SHA-256 is enough: nobody tries 2^130 inputs, and a phone tells its token with every request, which a slow hash
would make dear.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from tracker.model import Device


def new_token() -> str:
    """26 characters, 130 bits; short enough for every JT/T 808 terminal."""
    return base64.b32encode(secrets.token_bytes(17))[:26].decode().lower()


def hashed(token: str) -> str:
    """What is kept of a token. Case and spaces around it do not count: people type it."""
    # JSON can hold halves of a surrogate pair, which are no UTF-8.
    return hashlib.sha256(token.strip().lower().encode("utf-8", "surrogatepass")).hexdigest()


def accepts(device: Device, token: str) -> bool:
    """Whether this is the device's token, or the one that is to follow it."""
    told = hashed(token)
    good = bool(device.token) and hmac.compare_digest(device.token or "", told)
    return (good or is_next(device, token)) and not device.revoked


def is_next(device: Device, token: str) -> bool:
    """Whether it is the code that was handed out last and not used yet."""
    return bool(device.next) and hmac.compare_digest(device.next, hashed(token))


def derived(secret: bytes, device: Device) -> str:
    """The token that a device had when tokens were derived from the data folder's secret: for the one time that its
    digest is written."""
    identity = "\0".join(("device", device.protocol, device.external_id, str(device.token_serial)))
    digest = hmac.digest(secret, identity.encode(), hashlib.sha256)
    return base64.b32encode(digest[:20])[:26].decode().lower()
