"""Heads of the chains: number and digest of the newest entry of each class, given out of the house once a day.

Who can write to the archive can also recompute a whole chain. What he cannot change is a head that has gone to
somebody else: a later chain either holds that entry with that digest, or it is another chain.

A line of a file of heads, and the body that is sent to an address, are the same JSON object::

    {"city": "Gridbeat", "at": 1795449600000, "heads": {"fixes": {"number": 12, "digest": "…"}, …}}

``at`` is UTC in ms; a class without any entry has number 0 and 64 zeros.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.archive.chain import Chain

LINE_LIMIT = 64 << 10
"""Bytes of one line: a hundred times what a head takes."""
MOST = 100_000
"""Lines of one file: more than two hundred years of days."""
_DIGEST = re.compile(r"[0-9a-f]{64}")


class HeadsUnreadable(Exception):
    """This file holds no heads; the text says why."""


@dataclass(frozen=True, slots=True)
class Head:
    """What the chains had come to at ``at`` (ms): number and digest by class."""

    city: str
    at: int
    heads: Mapping[str, tuple[int, str]]


def head_of(city: str, at: int, chains: Mapping[str, Chain]) -> Head:
    """What the chains have come to now."""
    return Head(city, at, {kind: chain.head for kind, chain in chains.items()})


def body_of(head: Head) -> dict[str, Any]:
    """As it goes out."""
    heads = {kind: {"number": number, "digest": digest} for kind, (number, digest) in head.heads.items()}
    return {"city": head.city, "at": head.at, "heads": heads}


def line_of(head: Head) -> bytes:
    """A line of a file of heads, with its newline."""
    return json.dumps(body_of(head), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def parse(value: Any) -> Head:
    """Raises ValueError for what is no head."""
    try:
        city, at = value["city"], value["at"]
        heads = {kind: (one["number"], one["digest"]) for kind, one in value["heads"].items()}
    except (KeyError, TypeError, AttributeError):
        raise ValueError("not a head") from None
    if not isinstance(city, str) or type(at) is not int:
        raise ValueError("not a head")
    for number, digest in heads.values():
        if type(number) is not int or number < 0 or not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise ValueError("not a head")
    return Head(city, at, heads)


def read_heads(path: Path) -> tuple[list[Head], list[int]]:
    """The heads in a file, in its order, and the lines that are none. A last line without a newline that is none
    either was cut off when the disk it lay on was pulled out, and counts for nothing.

    Raises :class:`HeadsUnreadable`.
    """
    found, bad = list[Head](), list[int]()
    try:
        with path.open("rb") as file:
            number = 0
            while text := file.readline(LINE_LIMIT):
                number += 1
                if number > MOST:
                    raise HeadsUnreadable(f"{path}: more than {MOST:,} lines")
                try:
                    found.append(parse(json.loads(text)))
                except (ValueError, RecursionError):
                    if text.endswith(b"\n") or len(text) == LINE_LIMIT:
                        bad.append(number)
    except OSError as error:
        raise HeadsUnreadable(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    if not found:
        raise HeadsUnreadable(f"{path}: there is no head in it")
    return found, bad
