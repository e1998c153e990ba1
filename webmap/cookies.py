"""The two cookies of the console: the session, and the token of a browser that has signed in before.

Both are HttpOnly, SameSite=Strict and for the whole site. Under TLS they are Secure and their names begin with
``__Host-``: a browser then takes them from this host and over TLS only, so that no neighbour can plant one.
"""

from __future__ import annotations

from typing import Any

SESSION = "session"
KNOWN = "known"
_OURS = "__Host-"


def cookie_of(request: Any, name: str) -> str:
    """The cookie's value; empty if it was not sent."""
    value = request.getCookie(_named(name, request.isSecure()).encode())
    return str(value.decode("latin-1")) if value else ""


def in_header(header: str, name: str, *, secure: bool) -> str:
    """The same of a WebSocket's handshake, which came over TLS or not."""
    found = dict(part.strip().partition("=")[::2] for part in reversed(header.split(";")))
    return found.get(_named(name, secure), "")


def set_cookie(request: Any, name: str, value: str, seconds: int) -> None:
    """Have the browser keep it for so long; 0 seconds: forget it."""
    secure = request.isSecure()
    request.responseHeaders.addRawHeader(
        "set-cookie",
        f"{_named(name, secure)}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}"
        + ("; Secure" if secure else ""),
    )


def _named(name: str, secure: bool) -> str:
    return _OURS + name if secure else name
