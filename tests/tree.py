"""The files of the project as tests see them: what is in the folder, without what is made while working."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_MADE = {"data", "var", "output", "wheels"}


def files(*endings: str) -> list[str]:
    """The paths of all files that end like one of ``endings``, relative, with slashes, in order."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name == ".ci" or not (name.startswith((".", "__")) or name in _MADE)]
        found += [(Path(folder) / name).relative_to(ROOT).as_posix() for name in names if name.endswith(endings)]
    return sorted(found)
