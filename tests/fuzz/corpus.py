"""The inputs that are kept for each decoder: a text file each, one input in base64 a line."""

from __future__ import annotations

import base64
import contextlib
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import Any

from tests.fuzz.targets import TARGETS, Target

FOLDER = Path(__file__).parent / "corpus"
_WATCHED = str(Path(__file__).resolve().parents[2] / "protocols")


def read(target: str) -> list[bytes]:
    """What is kept, and the seeds."""
    path = FOLDER / f"{target}.txt"
    kept = path.read_text().split() if path.exists() else []
    return [*TARGETS[target].seeds(), *(base64.b64decode(line) for line in kept)]


def write(target: str, inputs: list[bytes]) -> None:
    """Keep the shortest of these that do what all of them do; sorted, so that a change shows what is new."""
    found = needed(TARGETS[target], inputs)
    lines = sorted({base64.b64encode(data).decode() for data in found}, key=lambda line: (len(line), line))
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{target}.txt").write_text("".join(line + "\n" for line in lines))


def needed(target: Target, inputs: Iterable[bytes]) -> list[bytes]:
    """Those inputs, the shortest first, that take a step from line to line which none before them has taken, or take
    one far more often."""
    steps: set[tuple[Any, ...]] = set()
    kept = []
    for data in sorted(set(inputs), key=lambda data: (len(data), data)):
        taken = _steps(target, data)
        if data and not taken <= steps:
            steps |= taken
            kept.append(data)
    return kept


def _steps(target: Target, data: bytes) -> set[tuple[Any, ...]]:
    """Each step of the decoder from one line to the next, with the order of magnitude of how often it is taken."""
    steps: Counter[tuple[Any, ...]] = Counter()

    def enter(frame: FrameType, event: str, _: object) -> Any:
        code = frame.f_code
        if not code.co_filename.startswith(_WATCHED):
            return None
        before = 0

        def trace(frame: FrameType, event: str, _: object) -> Any:
            nonlocal before
            steps[code, before, frame.f_lineno, event] += 1
            before = frame.f_lineno
            return trace

        return trace

    outer = sys.gettrace()
    sys.settrace(enter)
    try:
        with contextlib.suppress(target.allowed):
            target.run(data)
    finally:
        sys.settrace(outer)
    return {(*step, times.bit_length()) for step, times in steps.items()}
