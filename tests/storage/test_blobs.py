"""Files that were promised to be kept: whole or not there, bounded, and nothing counts before it is on disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from storage import blobs
from storage.blobs import NEXT, RECOUNT_S, Blobs, BlobsFull
from tests.reactor import run_deferred
from tests.tracker.helpers import Hands


def make(folder: Path, hands: Any = None, **options: Any) -> Blobs:
    hands = hands or Hands()
    return Blobs(folder / "media", hands, hands, **options)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder / "media")) for path in (folder / "media").rglob("*") if path.is_file())


def put(store: Blobs, name: str, data: bytes) -> bool:
    told: list[bool] = []
    store.write(name, data, told.append)
    (ok,) = told
    return ok


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    store = make(tmp_path)
    assert put(store, "2026-11-23/a.jpg", b"abc")
    assert put(store, "2026-11-24/a.jpg", b"defg")
    assert (store.used, store.count, store.waiting) == (7, 2, 0)
    assert run_deferred(store.read("2026-11-24/a.jpg")) == b"defg"
    assert names(tmp_path) == ["2026-11-23/a.jpg", "2026-11-24/a.jpg"]
    with pytest.raises(FileNotFoundError):
        run_deferred(store.read("2026-11-23/b.jpg"))


def test_a_restart_counts_what_is_there_and_sweeps_up_halves(tmp_path: Path) -> None:
    put(make(tmp_path), "2026-11-23/a.jpg", b"abc")
    (tmp_path / "media" / "2026-11-23" / "b.jpg.part").write_bytes(b"half")
    again = make(tmp_path)
    assert (again.used, again.count) == (3, 1)
    assert names(tmp_path) == ["2026-11-23/a.jpg"]


def test_the_same_again_counts_once(tmp_path: Path) -> None:
    store = make(tmp_path)
    for _ in range(2):
        assert put(store, "2026-11-23/a.jpg", b"abc")
    assert (store.used, store.count) == (3, 1)


def test_the_order_of_the_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes, their sync, the name, the sync of the names: no power cut leaves a name without its bytes."""
    steps: list[str] = []
    sync, replace = os.fsync, Path.replace

    def fsync(handle: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{handle}"))
        steps.append(f"sync {path.relative_to(tmp_path)}" + (f" {path.stat().st_size}" if path.is_file() else ""))
        sync(handle)

    def rename(path: Path, target: Path) -> Path:
        steps.append(f"{path.name} -> {target.name}")
        return replace(path, target)

    monkeypatch.setattr(blobs.os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", rename)
    put(make(tmp_path), "2026-11-23/a.jpg", b"abc")
    assert steps == [
        "sync media",
        "sync media/2026-11-23/a.jpg.part 3",
        "a.jpg.part -> a.jpg",
        "sync media/2026-11-23",
    ]


def test_a_disk_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = make(tmp_path)
    put(store, "2026-11-23/a.jpg", b"abc")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(blobs.os, "fsync", full)
        assert not put(store, "2026-11-23/b.jpg", b"abc")
    assert (store.used, store.count, store.waiting) == (3, 1, 0)
    assert names(tmp_path) == ["2026-11-23/a.jpg"]
    assert put(store, "2026-11-23/b.jpg", b"abc")


@pytest.mark.parametrize(
    ("options", "first", "second"),
    [({"limit": 10}, 6, 5), ({"most": 1}, 1, 1), ({"limit": 10}, 10, 1)],
)
def test_bounds_of_what_is_kept(tmp_path: Path, options: dict[str, int], first: int, second: int) -> None:
    store = make(tmp_path, **options)
    assert put(store, "2026-11-23/a.jpg", bytes(first))
    with pytest.raises(BlobsFull):
        store.write("2026-11-23/b.jpg", bytes(second), lambda ok: None)
    assert names(tmp_path) == ["2026-11-23/a.jpg"], "what is there stays"
    assert make(tmp_path, **options).full == store.full


def test_days_that_were_moved_away_make_room_without_a_restart(tmp_path: Path) -> None:
    hands = Hands()
    store = make(tmp_path, hands, limit=10)
    assert put(store, "2026-11-23/a.jpg", bytes(10))

    def refused() -> None:
        with pytest.raises(BlobsFull):
            store.write("2026-11-24/b.jpg", bytes(10), lambda ok: None)

    refused()
    shutil.rmtree(tmp_path / "media" / "2026-11-23")
    refused()
    assert store.used == 10, "it has looked less than a minute ago"
    hands.clock.advance(RECOUNT_S)
    refused()
    assert put(store, "2026-11-24/b.jpg", bytes(10))
    assert (store.used, store.count) == (10, 1)


def test_days_that_were_deleted_count_no_more_at_once(tmp_path: Path) -> None:
    store = make(tmp_path, limit=0)
    for day in ("2026-11-22", "2026-11-23"):
        assert put(store, f"{day}/a.jpg", bytes(10))
    assert not store.at_limit, "without a limit there is the disk's alone"
    shutil.rmtree(tmp_path / "media" / "2026-11-22")
    store.count_anew()
    assert (store.used, store.count) == (10, 1)


def test_what_is_written_while_it_counts_is_not_forgotten(tmp_path: Path) -> None:
    hands = Hands()
    store = make(tmp_path, hands, limit=10)
    assert put(store, "2026-11-23/a.jpg", bytes(6))
    hands.hold()
    store.recount()
    store.write("2026-11-23/b.jpg", bytes(4), lambda ok: None)
    hands.release()
    assert (store.used, store.count) == (10, 2)


def test_full_means_that_no_photo_fits(tmp_path: Path) -> None:
    store = make(tmp_path, limit=NEXT + 1)
    assert not store.at_limit
    put(store, "2026-11-23/a.jpg", b"ab")
    assert store.at_limit
    assert put(store, "2026-11-23/b.jpg", b"ab"), "what is small is taken all the same"


def test_bound_of_what_waits(tmp_path: Path) -> None:
    hands = Hands()
    store = make(tmp_path, hands, waiting=10)
    hands.hold()
    told: list[bool] = []
    store.write("2026-11-23/a.jpg", bytes(6), told.append)
    with pytest.raises(BlobsFull):
        store.write("2026-11-23/b.jpg", bytes(6), told.append)
    hands.release()
    assert told == [True]
    assert put(store, "2026-11-23/b.jpg", bytes(6))


def test_what_waits_counts(tmp_path: Path) -> None:
    hands = Hands()
    store = make(tmp_path, hands, limit=10, most=2)
    hands.hold()
    store.write("2026-11-23/a.jpg", bytes(6), lambda ok: None)
    with pytest.raises(BlobsFull):
        store.write("2026-11-23/b.jpg", bytes(6), lambda ok: None)
    store.write("2026-11-23/b.jpg", bytes(1), lambda ok: None)
    with pytest.raises(BlobsFull):
        store.write("2026-11-23/c.jpg", bytes(1), lambda ok: None)
    hands.release()
    assert (store.used, store.count) == (7, 2)


def test_a_disk_that_fills_up_takes_no_more(tmp_path: Path) -> None:
    room = [True]
    store = make(tmp_path, may_store=lambda: room[0])
    assert not store.full
    room[0] = False
    assert store.full
    with pytest.raises(BlobsFull):
        store.write("2026-11-23/a.jpg", b"a", lambda ok: None)
