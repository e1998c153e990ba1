"""What browsers are shown of photos and voice notes: copies that were made of the originals, kept as long as there is
room. ``copies/<UTC day>/<name>`` belongs to ``media/<UTC day>/<name>`` and goes with it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

FOLDER = "copies"
LIMIT = 256 << 20
"""Bytes of all copies: a thousand photos, what a city looks at in a day. Others are made anew."""


def copy_of(data: Path, name: str) -> Path:
    """The copy of a file of the store of photos, by its name there."""
    return data / FOLDER / name


def drop_copies(data: Path, names: Iterable[str]) -> int:
    """Delete the copies of these; how many there were."""
    count = 0
    for name in names:
        with suppress(FileNotFoundError, NotADirectoryError):
            copy_of(data, name).unlink()
            count += 1
    return count


def tidy(data: Path, limit: int = LIMIT, *, spare: int = 10) -> None:
    """Delete those whose original is gone, and the ones that were looked at longest ago when there are too many: so
    many that a ``spare``-th of the room is free."""
    there = []
    for folder in _folders(data / FOLDER):
        for entry in os.scandir(folder):
            with suppress(FileNotFoundError):
                about = entry.stat()
                if (data / "media" / folder.name / entry.name).exists() and not entry.name.endswith(".part"):
                    there.append((about.st_mtime_ns, about.st_size, Path(entry.path)))
                else:
                    os.unlink(entry.path)
        with suppress(OSError):
            folder.rmdir()  # refused while anything is in it
    used = sum(size for _, size, _ in there)
    if used <= limit:
        return
    for _, size, path in sorted(there):
        path.unlink(missing_ok=True)
        used -= size
        if used <= limit - limit // spare:
            return


def _folders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
