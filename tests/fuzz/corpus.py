"""The inputs that are kept for each decoder: a text file each, one input in base64 a line."""

from __future__ import annotations

import base64
from pathlib import Path

from tests.fuzz.targets import TARGETS

FOLDER = Path(__file__).parent / "corpus"


def read(target: str) -> list[bytes]:
    """What is kept, and the seeds."""
    path = FOLDER / f"{target}.txt"
    kept = path.read_text().split() if path.exists() else []
    return [*TARGETS[target].seeds(), *(base64.b64decode(line) for line in kept)]


def write(target: str, inputs: list[bytes]) -> None:
    """Keep these; sorted, so that a change shows what is new."""
    lines = sorted({base64.b64encode(data).decode() for data in inputs if data}, key=lambda line: (len(line), line))
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{target}.txt").write_text("".join(line + "\n" for line in lines))
