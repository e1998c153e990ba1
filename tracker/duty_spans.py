"""Spans of time as sets: pairs of ms, the end excluded, in order and apart from each other."""

from __future__ import annotations

from collections.abc import Iterable

Span = tuple[int, int]
"""Start and end, ms."""


def merged(spans: Iterable[Span]) -> list[Span]:
    """All that is in any of them."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if end <= start:
            continue
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def without(spans: Iterable[Span], others: Iterable[Span]) -> list[Span]:
    """What is in the first and in none of the others."""
    left = merged(spans)
    for start, end in merged(others):
        cut: list[Span] = []
        for a, b in left:
            if b <= start or end <= a:
                cut.append((a, b))
                continue
            if a < start:
                cut.append((a, start))
            if end < b:
                cut.append((end, b))
        left = cut
    return left


def common(spans: Iterable[Span], others: Iterable[Span]) -> list[Span]:
    """What is in both."""
    held = merged(others)
    return merged((max(a, c), min(b, d)) for a, b in spans for c, d in held)


def holds(spans: Iterable[Span], at: int) -> bool:
    """Whether a moment is in one of them."""
    return any(start <= at < end for start, end in spans)
