"""Small disks of a test's own: a real file system in a file, filled up and emptied again."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

MEGABYTE = 1 << 20


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """A file system of so many MB at ``folder``: ext4 in a file, or tmpfs where that cannot be; the test is skipped
    where neither may be mounted."""
    if os.getuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a small file system can be mounted by root only: what happens on a full disk is left out")
    folder.mkdir(parents=True, exist_ok=True)
    image = folder.with_name(folder.name + ".img")
    said = _mount_image(image, folder, megabytes)
    if said:
        tmpfs = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
        done = subprocess.run(tmpfs, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no file system can be mounted here: {said}; {done.stderr.strip()}")
    try:
        yield
    finally:
        # A job of the archive outlives a server that was killed by a moment, and has files open.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        image.unlink(missing_ok=True)


def _mount_image(image: Path, folder: Path, megabytes: int) -> str:
    """Empty if it stands; else why not."""
    if shutil.which("mkfs.ext4") is None:
        return "mkfs.ext4 is not installed"
    with image.open("wb") as file:
        file.truncate(megabytes * MEGABYTE)
    for words in (
        ["mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", str(image)],
        ["mount", "-o", "loop", str(image), str(folder)],
    ):
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            image.unlink()
            return done.stderr.strip()
    (folder / "lost+found").rmdir()
    return ""


def free(folder: Path) -> int:
    about = os.statvfs(folder)
    return about.f_bavail * about.f_frsize


@contextmanager
def full(folder: Path) -> Iterator[Path]:
    """Others write whatever the disk will take, and go on doing so: what the server itself frees is gone at once.
    Afterwards their file, which is yielded, is deleted."""
    path = folder / "ballast"
    ended = threading.Event()

    def go_on() -> None:
        while not ended.wait(0.05):
            fill(path, 0)

    fill(path, 0)
    others = threading.Thread(target=go_on, daemon=True)
    others.start()
    try:
        yield path
    finally:
        ended.set()
        others.join()
        path.unlink(missing_ok=True)


def fill(path: Path, leave: int) -> None:
    """Let ``path`` grow until so much is left."""
    with path.open("ab", buffering=0) as file, suppress(OSError):
        while leave == 0 or free(path.parent) > leave:
            most = 65536 if leave == 0 else min(65536, free(path.parent) - leave)
            os.posix_fallocate(file.fileno(), file.tell(), most)
            file.seek(0, os.SEEK_END)
    with path.open("ab", buffering=0) as file, suppress(OSError):
        while leave == 0:
            file.write(bytes(512))
