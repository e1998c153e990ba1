"""What a setting may be: checks that take what TOML gave, answer the value to keep, and raise ``ValueError`` with words
that go on after the setting's name."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

Check = Callable[[Any], Any]

LOOPBACK = "127.0.0.1"
TEXT_LIMIT = 200
"""Characters of a name or address: it is shown on every page."""


def whole(low: int, high: int) -> Check:
    """A whole number within both bounds."""

    def check(value: Any) -> int:
        # bool is an int in Python, and yes is no number.
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"must be {low}..{high}, not {shown(value)}")
        return value

    return check


def yes_or_no(value: Any) -> bool:
    """true or false as TOML writes them."""
    if type(value) is not bool:
        raise ValueError(f"must be true or false, not {shown(value)}")
    return value


def port(value: Any) -> int:
    """A port. 0 is taken too, for tests: any that is free."""
    if type(value) is not int or not 0 <= value <= 65535:
        raise ValueError(f"must be 1..65535, not {shown(value)}")
    return value


def text(value: Any) -> str:
    """A name of one line."""
    if not isinstance(value, str) or not value.strip() or len(value) > TEXT_LIMIT or not value.isprintable():
        raise ValueError(f"must be one line of text in quotes, not {shown(value)}")
    return value.strip()


def address(value: Any) -> str:
    """The address of a network interface; names are refused because they may mean several."""
    try:
        return str(ipaddress.ip_address(value if isinstance(value, str) else ""))
    except ValueError:
        hint = f'"{LOOPBACK}" (this machine only) or "0.0.0.0" (every network)'
        raise ValueError(f"must be an IP address such as {hint}, not {shown(value)}") from None


def folder(value: Any) -> Path:
    """A folder; :func:`read` puts a relative one beside the settings file."""
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError(f"must be a folder in quotes, not {shown(value)}")
    try:
        return Path(value).expanduser()
    except RuntimeError:
        raise ValueError(f"names a home that does not exist: {shown(value)}") from None


def zone(value: Any) -> str:
    """The name of a time zone that this machine knows."""
    if _knows(value):
        return str(value)
    if not _knows("Asia/Shanghai"):
        raise ValueError("cannot be checked: this machine has no time zones (sudo apt install tzdata)")
    raise ValueError(f'must be the name of a time zone such as "Asia/Shanghai", not {shown(value)}')


def center(value: Any) -> tuple[float, float]:
    """Latitude and longitude in degrees."""
    if isinstance(value, list) and len(value) == 2 and all(type(one) in (int, float) for one in value):
        latitude, longitude = map(float, value)
        if abs(latitude) <= 90 and abs(longitude) <= 180:
            return latitude, longitude
    raise ValueError(f"must be [latitude, longitude] in degrees, not {shown(value)}")


def redis_url(value: Any) -> str:
    """Where the operator's server is. The value is never shown: it may hold a password."""
    try:
        parts = urlsplit(value if isinstance(value, str) else "")
        usable = parts.path if parts.scheme == "unix" else parts.scheme in ("redis", "rediss") and parts.hostname
        if usable and parts.port != 0:
            return str(value)
    except ValueError:
        pass  # a bracket or a port that is none
    raise ValueError("must be redis://host:port, rediss://host:port or unix:///path/of/the/socket")


def origins(value: Any) -> tuple[str, ...]:
    """Addresses under which browsers reach the console besides its own, for example behind a proxy."""
    if not isinstance(value, list):
        raise ValueError(f"must be a list such as [], not {shown(value)}")
    for one in value:
        if not isinstance(one, str) or not re.fullmatch(r"https?://[^/\s?#@]+", one):
            raise ValueError(f'holds {shown(one)}, which is not like "https://map.example" (no path, no end slash)')
    return tuple(one.lower() for one in value)


def file(value: Any) -> Path:
    """A file; :func:`read` puts a relative one beside the settings file."""
    path = folder(value)
    if not path.name or str(value).endswith("/"):
        raise ValueError(f"must be a file in quotes, not {shown(value)}")
    return path


def head_url(value: Any) -> str:
    """Where heads are sent. The value is never shown: its path may be a secret."""
    told = "must be like https://watch.example/path (http only to this machine)"
    try:
        parts = urlsplit(value if isinstance(value, str) and re.fullmatch(r"[!-~]+", value) else "")
        port = parts.port
    except ValueError:
        raise ValueError(told) from None
    if parts.username is not None:
        raise ValueError("must hold no name and no password; a word in its path that nobody guesses does as well")
    here = parts.scheme == "http" and parts.hostname in (LOOPBACK, "::1", "localhost")
    if not parts.hostname or port == 0 or not (parts.scheme == "https" or here):
        raise ValueError(told)
    return str(value)


def shown(value: Any) -> str:
    """The value much as it was written, but never more than a line's end of it."""
    told = json.dumps(value, ensure_ascii=False, default=str)
    return told if len(told) <= 60 else told[:57] + "..."


def _knows(name: Any) -> bool:
    if not isinstance(name, str) or not name:
        return False
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        # OSError: the name is that of a folder, such as "Asia".
        return False
    return True
