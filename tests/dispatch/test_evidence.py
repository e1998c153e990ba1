"""The way of a photo in, over a real journal and a real folder: whatever is killed in between, the journal names no
file that is not there, and the device goes on where it was."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from dispatch.evidence import Evidence, Piece
from dispatch.exhibits import EVIDENCE, USES, Exhibit, Use
from dispatch.media import HEAD, Sort
from dispatch.uploads import EACH, KEPT_MS, Misplaced
from storage import uploads as files
from storage.blobs import Blobs
from tests.tracker.helpers import House, apply_all
from tracker.intake import StoreFailed
from tracker.model import UnitId
from tracker.record import EVENT
from tracker.refusal import Refusal
from tracker.roster import Carrier

PHOTO = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 4
SHA = hashlib.sha256(PHOTO).hexdigest()
USE = Use("t1", 1)


class Street:
    """One start of the server over a folder, a person with a handheld, and a desk that notes what it is told."""

    def __init__(self, folder: Path, **blobs: Any) -> None:
        self.folder = folder
        self.house = House(folder / "journal")
        hands: Any = self.house.hands
        self.blobs = Blobs(folder / "media", hands, hands, **blobs)
        ids = count()
        self.evidence = Evidence(
            folder, self.house.intake, self.blobs, hands, hands, lambda: f"n{os.getpid()}{id(self)}{next(ids)}"
        )
        self.evidence.desk = self
        self.told: list[tuple[Use, str, str]] = []
        self.known: set[Use] = set()
        if not self.house.roster.units:
            apply_all(self.house.roster, self.house.roster.plan_units([{"id": "p1", "name": "张三", "duty": "events"}]))
            self.device = self.house.register("handheld", "H-1", unit="p1")
        self.house.intake.replay(lambda event: self.evidence.exhibits.replay(event) if event[0] == EVIDENCE else None)
        self.evidence.begin()
        self.on_duty()

    def on_duty(self, on: bool = True) -> None:
        end = 1 << 60 if on else 1
        self.house.roster.apply(("duty", "p1:1", {"unit": "p1", "number": 1, "start": 0, "end": end}))

    @property
    def carrier(self) -> Carrier:
        found = self.house.roster.carrier(self.device.id)
        assert found is not None
        return found

    # The desk.

    def whose(self, use: Use, device: str, now: int) -> UnitId:
        return UnitId("p1")

    def belongs(self, use: Use, unit: UnitId) -> bool:
        return use in self.known

    async def arrived(self, use: Use, unit: UnitId, sha: str) -> None:
        self.told.append((use, unit, sha))

    # The device.

    def begin_piece(self, data: bytes = PHOTO, **others: Any) -> Deferred[Exhibit | int]:
        given: dict[str, Any] = {
            "sha": SHA, "offset": 0, "length": len(PHOTO), "sort": Sort.PHOTO, "use": USE, "data": data, **others,
        }  # fmt: skip
        return Deferred.fromCoroutine(self.evidence.take(self.carrier, Piece(**given)))

    def send(self, data: bytes = PHOTO, **others: Any) -> Exhibit | int:
        found: list[Any] = []
        self.begin_piece(data, **others).addBoth(found.append)
        for _ in range(9):
            self.house.settle()
        if hasattr(found[0], "raiseException"):
            found[0].raiseException()
        answer: Exhibit | int = found[0]
        return answer

    def refused(self, data: bytes = PHOTO, **others: Any) -> str:
        with pytest.raises(Refusal) as error:
            self.send(data, **others)
        return error.value.code

    def go_on(self) -> Exhibit:
        """As a device does that was told nothing."""
        for _ in range(9):
            at, length = self.evidence.state(self.carrier, SHA) or (0, len(PHOTO))
            assert length == len(PHOTO)
            taken = self.send(PHOTO[at : at + 600], offset=at)
            if isinstance(taken, Exhibit):
                return taken
        raise AssertionError("it comes to no end")

    # What is there.

    def named(self) -> list[dict[str, Any]]:
        return [one[4] for batch in self.house.journal.read(1, 1 << 30) for one in batch.records
                if one[0] == EVENT and one[2] == EVIDENCE]  # fmt: skip

    def media(self) -> list[str]:
        return sorted(path.relative_to(self.folder / "media").as_posix() for path in self.folder.glob("media/*/*"))

    def under_way(self) -> list[str]:
        return sorted(path.suffix for path in self.folder.glob("uploads/*"))

    def close(self) -> None:
        self.house.close()


@pytest.fixture
def street(tmp_path: Path) -> Iterator[Street]:
    found = Street(tmp_path / "data")
    yield found
    found.close()


def test_a_photo_in_pieces(street: Street) -> None:
    assert street.evidence.state(street.carrier, SHA) is None
    assert street.send(PHOTO[:500]) == 500
    assert street.evidence.state(street.carrier, SHA) == (500, len(PHOTO))
    assert street.told == []
    with pytest.raises(Misplaced) as error:
        street.send(PHOTO[400:], offset=400)
    assert error.value.offset == 500
    exhibit = street.send(PHOTO[500:], offset=500)
    assert isinstance(exhibit, Exhibit)
    (row,) = street.named()
    assert (row["unit"], row["task"], row["attempt"], row["type"]) == ("p1", "t1", 1, "image/jpeg")
    assert street.media() == [row["name"]]
    assert (street.folder / "media" / row["name"]).read_bytes() == PHOTO
    assert Path(row["name"]).name.startswith(SHA)
    assert street.told == [(USE, "p1", SHA)]
    assert street.under_way() == []
    assert street.evidence.state(street.carrier, SHA) == (len(PHOTO), len(PHOTO))
    assert street.evidence.stored(UnitId("p1"), [SHA, "b" * 64]) == [SHA]


def test_the_same_photo_twice_is_one_and_for_two_tasks_too(street: Street) -> None:
    first = street.send()
    assert street.send() == first
    assert len(street.named()) == 1
    second = street.send(b"", offset=len(PHOTO), use=Use("t2", 1))
    assert isinstance(second, Exhibit)
    assert second.uses == (USE, Use("t2", 1))
    assert len(street.media()) == 1
    assert [row["task"] for row in street.named()] == ["t1", "t2"]
    assert [use.task for use, _, _ in street.told] == ["t1", "t1", "t2"]


def test_one_photo_for_everything_fills_no_journal(street: Street) -> None:
    street.send()
    for n in range(60):
        street.send(b"", offset=len(PHOTO), use=Use(f"x{n % 40}", 1))
    assert len(street.named()) == USES


def test_two_requests_at_once_come_one_after_the_other(street: Street) -> None:
    street.house.hands.hold()
    first, second = street.begin_piece(PHOTO[:500]), street.begin_piece(PHOTO[:500])
    failed: list[Any] = []
    second.addErrback(failed.append)
    street.house.hands.release()
    street.house.settle()
    assert first.called
    assert failed[0].value.offset == 500
    assert street.evidence._locks == {}


class Slow:
    """Lets the disk do one thing after another, and counts them."""

    def __init__(self, street: Street) -> None:
        self.street, self.hands = street, street.house.hands
        self.hands.hold()

    def do(self, most: int, done: Deferred[Any]) -> int:
        held = self.hands.held
        assert held is not None
        number = idle = 0
        while number < most and idle < 9:
            if held:
                held.pop(0)()
                number, idle = number + 1, 0
            else:
                self.street.house.settle()
                idle += 1
        return number


def test_it_may_be_killed_at_every_step(tmp_path: Path) -> None:
    steps = 0
    for step in count():
        street = Street(tmp_path / f"{step}" / "data")
        pieces = [PHOTO[:500], PHOTO[500:]]
        left, done = step, None
        slow = Slow(street)
        for offset, data in zip((0, 500), pieces, strict=True):
            if left:
                done = street.begin_piece(data, offset=offset)
                done.addErrback(lambda failure: None)
                left -= slow.do(left, done)
        whole = left > 0
        # What was on the disk at this moment, and nothing else, is what the next start finds.
        copy = tmp_path / f"{step}-again"
        shutil.copytree(street.folder, copy)
        street.house.hands.release()
        street.close()
        again = Street(copy)
        for row in again.named():
            assert hashlib.sha256((copy / "media" / row["name"]).read_bytes()).hexdigest() == SHA, step
        at = again.evidence.state(again.carrier, SHA)
        assert at is None or PHOTO[: at[0]] == PHOTO[: at[0]]
        exhibit = again.go_on()
        assert again.media() == [exhibit.name], step
        assert len(again.named()) == 1, step
        assert again.told[-1] == (USE, "p1", SHA), step
        assert again.under_way() == [], step
        again.close()
        if whole:
            break
        steps = step
    assert steps >= 8


def test_a_restart_finds_what_was_under_way_and_throws_halves_away(tmp_path: Path) -> None:
    street = Street(tmp_path / "data")
    street.send(PHOTO[:700])
    token = next(street.folder.glob("uploads/*.part")).stem
    street.close()
    folder = tmp_path / "data"
    with (folder / "uploads" / f"{token}.part").open("ab") as part:
        part.write(b"torn")  # of a piece that nobody was told of
    (folder / "uploads" / "stray.part").write_bytes(b"x")
    (folder / "uploads" / "half.json").write_text("{")
    street = Street(folder)
    assert street.evidence.state(street.carrier, SHA) == (704, len(PHOTO))
    assert len(list(folder.glob("uploads/*"))) == 2
    # What was torn shows when it is whole, and then it begins anew.
    assert street.refused(PHOTO[704:], offset=704) == "bad_digest"
    assert street.evidence.state(street.carrier, SHA) is None
    street.go_on()
    street.close()


def test_what_came_is_not_what_was_announced(street: Street) -> None:
    assert street.refused(PHOTO[:-1] + b"!") == "bad_digest"
    assert street.media() == []
    assert street.under_way() == []


def test_no_page_is_taken_for_a_photo(street: Street) -> None:
    page = b"<html><script>alert(1)</script>" * 9
    sha = hashlib.sha256(page).hexdigest()
    assert street.refused(page, sha=sha, length=len(page)) == "media"
    assert street.under_way() == []
    # Nor in pieces so small that nobody sees it at first.
    for at in range(0, len(page), HEAD // 2):
        piece = page[at : at + HEAD // 2]
        if at + len(piece) < len(page):
            assert street.send(piece, sha=sha, length=len(page), offset=at) == at + len(piece)
        else:
            assert street.refused(piece, sha=sha, length=len(page), offset=at) == "media"
    assert street.under_way() == []
    assert street.media() == []


def test_a_voice_that_calls_itself_a_photo_is_as_short_as_a_voice(street: Street) -> None:
    voice = b"OggS" + bytes(2 << 20)
    sha = hashlib.sha256(voice).hexdigest()
    assert street.refused(voice, sha=sha, length=len(voice)) == "media"


def test_off_duty_only_what_belongs_to_something(street: Street) -> None:
    street.on_duty(False)
    assert street.refused() == "off_duty"
    assert street.under_way() == []
    street.known = {USE}
    assert isinstance(street.send(), Exhibit)


def test_a_disk_that_is_filling_up_refuses_before_the_first_byte(tmp_path: Path) -> None:
    room = [True]
    street = Street(tmp_path / "data", may_store=lambda: room[0])
    street.send(PHOTO[:500])
    room[0] = False
    assert street.refused(sha="b" * 64) == "media_full"
    assert street.refused(PHOTO[500:], offset=500) == "media_full"
    # It stays where it was, and is finished when there is room.
    assert street.evidence.state(street.carrier, SHA) == (len(PHOTO), len(PHOTO))
    room[0] = True
    assert isinstance(street.send(b"", offset=len(PHOTO)), Exhibit)
    assert len(street.named()) == 1
    street.close()


def test_a_disk_that_fails_takes_nothing_back(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    street.send(PHOTO[:500])
    for number, error in ((errno.ENOSPC, Refusal), (errno.EIO, StoreFailed)):

        def fails(*args: Any, number: int = number) -> None:
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as broken:
            broken.setattr(files, "write_piece", fails)
            with pytest.raises(error):
                street.send(PHOTO[500:], offset=500)
        assert street.evidence.state(street.carrier, SHA) == (500, len(PHOTO))
    street.house.hands.broken = True
    with pytest.raises(Refusal):
        street.send(PHOTO[500:], offset=500)
    street.house.hands.broken = False
    assert isinstance(street.go_on(), Exhibit)


def test_what_the_journal_does_not_take_is_not_there_yet(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuses(events: Any) -> None:
        raise StoreFailed("full")

    with monkeypatch.context() as broken:
        broken.setattr(street.house.intake, "keep", refuses)
        with pytest.raises(StoreFailed):
            street.send()
    assert street.told == []
    assert street.evidence.stored(UnitId("p1"), [SHA]) == []
    exhibit = street.send(b"", offset=len(PHOTO))
    assert isinstance(exhibit, Exhibit)
    assert street.media() == [exhibit.name]


def test_a_device_begins_so_many_and_the_rest_goes_after_a_week(street: Street) -> None:
    for number in range(EACH + 3):
        street.send(PHOTO[:100], sha=f"{number:064x}")
    assert len(street.evidence.uploads) == EACH
    assert street.under_way() == [".json"] * EACH + [".part"] * EACH
    assert street.house.refused("handheld") == {"upload_dropped": 3}
    street.house.now += KEPT_MS + 1
    street.evidence.tidy()
    assert street.under_way() == []
    assert street.evidence.uploads.promised == 0


def test_all_of_it_goes_with_the_person(street: Street) -> None:
    street.send()
    street.send(PHOTO[:100], sha="c" * 64)
    street.evidence.forget(UnitId("p1"), [street.device.id])
    assert street.under_way() == []
    assert street.evidence.exhibits.of(SHA) == []


@pytest.mark.parametrize("steps", range(1, 7))
def test_who_is_removed_while_the_disk_has_it_leaves_nothing(street: Street, steps: int) -> None:
    slow = Slow(street)
    waiting = street.begin_piece()
    codes: list[Any] = []
    waiting.addErrback(codes.append)
    slow.do(steps, waiting)
    street.house.roster.remove(UnitId("p1"))
    street.evidence.forget(UnitId("p1"), [street.device.id])
    street.house.hands.release()
    for _ in range(9):
        street.house.settle()
    # What the journal has by now is the removal's, which comes behind it, and so is its file.
    assert bool(codes) != bool(street.named())
    assert {*street.media()} <= {row["name"] for row in street.named()}
    assert street.under_way() == []
