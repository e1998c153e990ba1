"""Who speaks: the lines and the words in front of a sentence by which devices say their id.

The standard has no such thing. These are the forms that trackers and routers use, and one of our own.
"""

from __future__ import annotations

import re

_ID = r"[0-9A-Za-z][0-9A-Za-z ._:-]{0,63}"
IDS = _ID
"""The whole of an id, as a regular expression."""

_TAGGED = re.compile(
    rf"\s*(?:(?:GBID|PGID|DEVID|GPFID|PCPTI|CONNECT|ID|IMEI)[,=: ]\s*({_ID}?)\s*(?:[,;].*)?)", re.ASCII | re.I | re.S
)
_LINE = re.compile(r"\s*(?:#*,?\s*imei[,=: ]\s*)?([0-9]{15})\s*(?:[,;].*)?", re.ASCII | re.I | re.S)
_WORD = re.compile(r"(?<![a-z0-9])(?:imei|id)\s*[=:]\s*([0-9]{15}(?![0-9])|[0-9a-z][\w.-]{0,63})", re.ASCII | re.I)
_IMEI = re.compile(r"(?<![0-9])([0-9]{15})(?![0-9])", re.ASCII)
_WHOLE = re.compile(r"([0-9a-z][\w.-]{0,63})", re.ASCII | re.I)


def named_by_sentence(body: str) -> str | None:
    """The id in a line like ``$GBID,<id>``, from behind ``$`` to before ``*``."""
    found = _TAGGED.fullmatch(body)
    return found[1] if found else None


def named_by_line(line: str) -> str | None:
    """The id in a line without a sentence: ``IMEI:<id>``, ``##,imei:<id>,A;`` or fifteen digits."""
    found = _LINE.fullmatch(line) or _TAGGED.fullmatch(line)
    return found[1] if found else None


def named_in_front(prefix: str) -> str | None:
    """The id in what stands before ``$``: ``id=<id>&…``, ``imei:<id>…``, an IMEI anywhere, or all of it but for
    separators at its end and what is before a slash."""
    found = _WORD.search(prefix) or _IMEI.search(prefix)
    if found is None:
        found = _WHOLE.fullmatch(prefix.rstrip(" \t,;:|/&=").rpartition("/")[2])
    return found[1] if found else None
