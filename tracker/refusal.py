"""What a plan answers when a change cannot be."""

from __future__ import annotations

from typing import Any

Change = tuple[str, str, dict[str, Any] | None]
"""(type, id, fields), or fields None for a removal. Types: unit, device, binding, duty, area, and those of the
roster's registers."""


class Refusal(Exception):
    """A change that cannot be. ``code`` is stable; the text says what to do, in English and Chinese. ``entry`` is the
    place in a list, from 1; 0 if no list was asked for."""

    def __init__(self, code: str, text: str, zh: str) -> None:
        super().__init__(text)
        self.code = code
        self.zh = zh
        self.entry = 0
