"""What every phone app's request is decoded into: whose it is, its secret, and what each of its records says.

A request that names nobody, or cannot be read at all, is a :class:`~protocols.errors.RemoteProtocolError`; a bad
record in a request that can be read is a value, because the phone must be able to go on behind it.
"""

from __future__ import annotations

import binascii
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from protocols.errors import RemoteProtocolError
from protocols.report import Report

FIELD_LIMIT = 100
"""Fields of a query or form: more is no app."""
NAME_LIMIT = 64
"""Characters of a device id."""
NAMES_LIMIT = 8
"""Names that one request can give its device; an Overland queue may hold points of several."""
LIVE_MS = 600_000
"""A fix or message older than this had been stored by the phone: it is not about now."""


@dataclass(frozen=True, slots=True)
class PhoneRequest:
    """The parts of an HTTP request that a decoder reads. ``query``: behind the ``?``, still percent-encoded.
    ``headers``: by their names in small letters; what is not there was not sent."""

    query: bytes = b""
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unusable:
    """A record that can never be taken, and why, in a short stable word."""

    reason: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request. ``names``: the external ids by which its device may be registered, the likeliest first, at least
    one; ``secret``: what it says to prove it, empty if nothing. ``results``: one for each record, in their order.

    Where records say more, there is one entry for each: ``owners``, the device that the record itself names (empty:
    it does not), and ``ids``, made by the client (empty: it made none that can be used).
    """

    names: tuple[str, ...]
    secret: str
    results: tuple[Report | Unusable, ...]
    owners: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()


def fields_of(data: bytes) -> dict[str, str]:
    """A query string or form; of fields of one name the last that says something. ``malformed`` with too many."""
    try:
        text = data.decode("utf-8", "replace").strip()
        pairs = parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=FIELD_LIMIT)
    except ValueError:
        raise RemoteProtocolError("malformed", f"more than {FIELD_LIMIT} fields") from None
    told: dict[str, str] = {}
    for name, value in pairs:
        if value.strip() or name not in told:
            told[name] = value.strip()
    return told


def json_of(body: bytes) -> Any:
    """The body as JSON; ``malformed`` if it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise RemoteProtocolError("malformed", "the body is not JSON") from None


def mapping_of(value: object) -> dict[str, Any]:
    """A JSON object; anything else counts as an empty one."""
    return value if type(value) is dict else {}


def name_of(value: object) -> str:
    """A device id as it may be registered, of text or a whole number; empty if it can be none."""
    text = str(value) if type(value) is int and abs(value) < 1 << 63 else value
    return text if type(text) is str and 0 < len(text) <= NAME_LIMIT and text.isprintable() else ""


def names_of(*values: object) -> tuple[str, ...]:
    """Those that can be device ids, each once, in order; ``no_device`` if there is none."""
    names = tuple(dict.fromkeys(name for name in map(name_of, values) if name))[:NAMES_LIMIT]
    if not names:
        raise RemoteProtocolError("no_device", "the request does not say whose it is")
    return names


def credentials_of(headers: Mapping[str, str], query: Mapping[str, str]) -> tuple[str, str]:
    """(user, secret): of Basic or Bearer authorization, else ``token`` or ``key`` of the query; empty if not told."""
    scheme, _, rest = headers.get("authorization", "").strip().partition(" ")
    user, secret = "", ""
    if scheme.lower() == "basic":
        with suppress(binascii.Error, ValueError):  # as if it had not been sent
            user, _, secret = b64decode(rest.strip(), validate=True).decode("utf-8", "replace").partition(":")
    elif scheme.lower() == "bearer":
        secret = rest.strip()
    return user, secret or query.get("token") or query.get("key") or ""


def basic(user: str, secret: str) -> str:
    """The Authorization header of a user and secret."""
    return "Basic " + b64encode(f"{user}:{secret}".encode()).decode()
