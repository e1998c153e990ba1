"""Room on the disk: the two limits, the reserve on a real file system, and who may give it up from which thread."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from storage.archive.budgets import Level
from storage.journal_files import ROOM
from storage.space import MEGABYTE, NAME, Space, free_bytes
from tests.storage.helpers import Hands

RESERVE = 16 * MEGABYTE
PLENTY = 100 * MEGABYTE


class Disk:
    """A folder on a disk of so many bytes, of which others hold ``PLENTY - free``; the reserve itself is real."""

    def __init__(self, folder: Path, free: int = PLENTY) -> None:
        self.path = folder / NAME
        self.others = PLENTY - free
        self.hands = Hands()
        self.broken: OSError | None = None
        reactor: Any = self.hands
        reactor.seconds = self.hands.clock.seconds
        self.space = Space(folder, RESERVE, reactor, reactor, ask=self._ask)

    def _ask(self, folder: Path) -> int:
        if self.broken is not None:
            raise self.broken
        return PLENTY - self.others - (RESERVE if self.path.exists() else 0)

    def fill(self, left: int) -> None:
        """Others write until so much is left."""
        self.others += self._ask(self.path) - left

    def second(self) -> Level:
        self.hands.clock.advance(1)
        while self.hands.jobs:
            self.hands.work()
        return self.space.level

    def start(self) -> Level:
        self.space.start()
        while self.hands.jobs:
            self.hands.work()
        return self.space.level


def test_the_reserve_is_really_there(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    assert disk.space.level is Level.OK, "it is on its way, and nobody needs it yet"
    assert not disk.path.exists(), "a start does not wait for it"
    assert disk.start() is Level.OK
    about = disk.path.stat()
    assert about.st_size == RESERVE
    assert about.st_blocks * 512 >= RESERVE
    assert disk.space.held
    again = Disk(tmp_path)
    assert again.space.held, "a later start finds it"


def test_both_limits_and_the_way_back(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.start()
    assert (disk.space.low, disk.space.critical) == (RESERVE, 4 * MEGABYTE)
    disk.fill(RESERVE)
    assert (disk.second(), disk.space.may_store_photos()) == (Level.OK, True)
    disk.fill(RESERVE - 1)
    assert (disk.second(), disk.space.may_store_photos(), disk.space.may_export()) == (Level.LOW, False, False)
    disk.fill(RESERVE + 1)
    assert disk.second() is Level.LOW, "no flapping at the limit"
    disk.fill(disk.space.low + disk.space.critical)
    assert disk.second() is Level.OK
    disk.fill(disk.space.critical)
    assert disk.second() is Level.LOW
    assert disk.path.exists()
    disk.fill(disk.space.critical - 1)
    assert disk.second() is Level.CRITICAL
    assert not disk.path.exists()
    assert disk.space.free == disk.space.critical - 1 + RESERVE
    assert disk.space.released == 1
    disk.fill(disk.space.regain - 1)
    assert disk.second() is Level.CRITICAL
    disk.fill(disk.space.regain)
    assert disk.second() is Level.OK, "made again, and enough is left for everybody"
    assert disk.path.stat().st_size == RESERVE


def test_a_disk_too_small_for_it_is_told_from_the_start(tmp_path: Path) -> None:
    disk = Disk(tmp_path, 2 * RESERVE)
    assert disk.space.level is Level.CRITICAL
    assert disk.start() is Level.CRITICAL
    assert not disk.path.exists()


def test_a_refused_writer_need_not_wait_for_the_next_look(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.start()
    assert not disk.space.make_room(), "the disk is not full: whatever failed, this is not the cure"
    disk.fill(0)
    assert disk.space.level is Level.OK, "nobody has looked yet"
    assert disk.space.make_room()
    assert not disk.path.exists()
    assert not disk.space.make_room(), "there is no more to give"
    disk.hands.clock.advance(0)
    disk.hands.work()
    assert disk.space.level is Level.CRITICAL, "it has made us look"


def test_a_writer_never_waits_for_the_reserve_that_is_being_made(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.start()
    disk.fill(0)
    with disk.space._lock:
        assert not disk.space.make_room()


def test_an_operator_may_delete_it(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.start()
    disk.path.unlink()
    disk.fill(RESERVE)
    assert disk.second() is Level.CRITICAL
    disk.fill(disk.space.regain)
    assert disk.second() is Level.OK
    assert disk.path.exists()


@pytest.mark.parametrize("content", [b"", b"x" * RESERVE * 2])
def test_a_reserve_of_another_size_is_made_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    disk = Disk(tmp_path)
    assert not disk.space.held
    disk.start()
    assert disk.path.stat().st_size == RESERVE


def test_a_hole_is_no_reserve(tmp_path: Path) -> None:
    with (tmp_path / NAME).open("wb") as file:
        file.truncate(RESERVE)
    disk = Disk(tmp_path)
    assert not disk.space.held
    disk.start()
    assert disk.path.stat().st_blocks * 512 >= RESERVE


def test_where_nothing_can_be_allocated_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "not here")

    monkeypatch.setattr(os, "posix_fallocate", unsupported)
    disk = Disk(tmp_path)
    assert disk.start() is Level.OK
    assert disk.path.stat().st_blocks * 512 >= RESERVE
    with disk.path.open("rb") as file:
        assert any(file.read(4096))


@pytest.mark.usefixtures("quiet")
def test_what_cannot_be_made_is_said_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    disk = Disk(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "posix_fallocate", refuse)
        assert disk.start() is Level.CRITICAL
        assert "quota" in disk.space.failure
        assert list(tmp_path.iterdir()) == []
    assert disk.second() is Level.OK
    assert disk.space.failure == ""


@pytest.mark.usefixtures("quiet")
def test_a_disk_that_does_not_answer_gets_one_question(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.space.start()
    for _ in range(5):
        disk.hands.clock.advance(1)
    assert len(disk.hands.jobs) == 1
    disk.second()
    disk.broken = OSError(errno.EIO, "Input/output error")
    assert disk.second() is Level.OK, "what was known before still counts"
    assert not disk.space.make_room()
    disk.space.stop()
    disk.hands.clock.advance(5)
    assert not disk.hands.jobs


@pytest.mark.parametrize("megabytes", [1, 8, 31, 64, 512])
def test_the_limits_are_in_order_whatever_the_size(tmp_path: Path, megabytes: int) -> None:
    space = Space(tmp_path, megabytes * MEGABYTE, None, None, ask=lambda _: PLENTY)  # type: ignore[arg-type]
    assert ROOM < space.critical < space.low < space.regain - space.reserve
    assert space.reserve <= space.low


def test_what_is_free_is_asked_of_the_system(tmp_path: Path) -> None:
    before = free_bytes(tmp_path)
    assert before > 0
