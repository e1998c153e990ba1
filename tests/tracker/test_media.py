"""The index of photos: what is known, newest first, and no more than there may be."""

from __future__ import annotations

from tracker.media import Photo, PhotoIndex
from tracker.model import DeviceId, UnitId


def photo(number: int, device: str = "d1") -> Photo:
    name = f"2026-11-23/p{number}.jpg"
    return Photo(
        f"p{number}", DeviceId(device), UnitId("v1"), None, number, 1, 0, None, 0, 3, "image/jpeg", name
    )  # fmt: skip


def test_the_last_received_come_first() -> None:
    index = PhotoIndex()
    for number in range(3):
        index.add(photo(number))
    assert [one.id for one in index.of(DeviceId("d1"), 2)] == ["p2", "p1"]
    assert index.of(DeviceId("d2"), 2) == []


def test_the_oldest_are_forgotten() -> None:
    index = PhotoIndex(most=3)
    for number, device in enumerate(["d1", "d2", "d2", "d2", "d3"]):
        index.add(photo(number, device))
    assert len(index) == 3
    assert index.get("p1") is None
    assert [one.id for one in index.of(DeviceId("d2"), 9)] == ["p3", "p2"]
    assert index.of(DeviceId("d1"), 9) == []
    assert list(index._of) == ["d2", "d3"]
