"""What may be sent and what is under way: types by their bytes, places and bounds; what is known when it is on disk."""

from __future__ import annotations

import pytest

from dispatch.books import Books
from dispatch.exhibits import USES, Exhibits, Use
from dispatch.media import HEIC, JPEG, M4A, MOST, OGG, PNG, WEBM, WEBP, Medium, Sort, medium_of, sort_of
from dispatch.travel import TRIP
from dispatch.uploads import KEPT_MS, Misplaced, Upload, Uploads
from tracker.dispatch_events import KINDS
from tracker.model import DeviceId, UnitId
from tracker.refusal import Change, Refusal

D, U = DeviceId("d1"), UnitId("p1")
SHA = "a" * 64


@pytest.mark.parametrize(
    ("head", "medium"),
    [
        (b"\xff\xd8\xff\xe0\0\x10JFIF", JPEG),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", PNG),
        (b"RIFF\x24\0\0\0WEBPVP8 ", WEBP),
        (b"RIFF\x24\0\0\0WAVEfmt ", None),
        (b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf", HEIC),
        (b"\0\0\0\x14ftypmif1\0\0\0\0heic", HEIC),
        (b"\0\0\0\x1cftypavif\0\0\0\0mif1avifmiaf", None),
        (b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42", M4A),
        (b"\0\0\0\x1cftypiso5\0\0\x02\0iso5iso6mp41", M4A),
        (b"\0\0\0\x18ftypqt  \0\0\0\0qt  ", None),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\x82\x84webmB\x87\x81\x04", WEBM),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x88matroska", None),
        (b"OggS\0\x02\0\0", OGG),
        (b"<svg xmlns='http://www.w3.org/2000/svg'>", None),
        (b"<!doctype html><script>", None),
        (b"GIF89a\x01\0\x01\0", None),
        (b"\0\0\0\0ftyp", None),
        (b"\xff\xff\xff\xffftypheic", HEIC),
        (b"", None),
    ],
)
def test_a_type_is_told_by_the_first_bytes(head: bytes, medium: Medium | None) -> None:
    assert medium_of(head) is medium


def test_what_it_calls_itself_only_says_how_long_it_may_be() -> None:
    assert sort_of("image/svg+xml") is Sort.PHOTO
    assert sort_of("audio/mp4; codecs=opus") is Sort.VOICE
    assert sort_of("Video/webm") is Sort.VOICE
    assert sort_of("text/html") is None
    assert sort_of("") is None


def upload(sha: str = SHA, device: str = "d1", length: int = 100, touched: int = 0, unit: UnitId = U) -> Upload:
    return Upload(f"t-{device}-{sha[:4]}", DeviceId(device), unit, sha, length, 0, touched)


def test_the_next_bytes_come_where_the_last_have_ended() -> None:
    uploads = Uploads()
    uploads.check(None, 0, 100, 60, Sort.PHOTO)
    one = upload()
    assert uploads.add(one) == []
    uploads.came(one, 60, 5)
    uploads.check(one, 60, 100, 40, Sort.PHOTO)
    for offset in (0, 59, 61):
        with pytest.raises(Misplaced) as error:
            uploads.check(one, offset, 100, 1, Sort.PHOTO)
        assert error.value.offset == 60
    with pytest.raises(Misplaced):
        uploads.check(None, 60, 100, 1, Sort.PHOTO)
    assert not one.whole
    uploads.came(one, 40, 6)
    assert one.whole
    uploads.check(one, 100, 100, 0, Sort.PHOTO)


@pytest.mark.parametrize(
    ("offset", "length", "size", "sort", "code"),
    [
        (0, 0, 0, Sort.PHOTO, "too_long"),
        (0, MOST + 1, 10, Sort.PHOTO, "too_long"),
        (0, (2 << 20) + 1, 10, Sort.VOICE, "too_long"),
        (0, 100, 101, Sort.PHOTO, "too_long"),
        (0, 100, 10, None, "media"),
    ],
)
def test_what_is_too_long_does_not_begin(offset: int, length: int, size: int, sort: Sort, code: str) -> None:
    with pytest.raises(Refusal) as error:
        Uploads().check(None, offset, length, size, sort)
    assert error.value.code == code


def test_another_length_is_another_thing() -> None:
    uploads, one = Uploads(), upload()
    uploads.add(one)
    with pytest.raises(Refusal) as error:
        uploads.check(one, 0, 99, 1, Sort.PHOTO)
    assert error.value.code == "length"


def test_room_is_what_was_announced() -> None:
    uploads = Uploads(room=150)
    uploads.add(upload())
    with pytest.raises(Refusal) as error:
        uploads.check(None, 0, 51, 1, Sort.PHOTO)
    assert error.value.code == "uploads_full"
    uploads.check(None, 0, 50, 1, Sort.PHOTO)
    uploads.drop([upload()])  # not that one, but one like it
    assert uploads.promised == 100
    found = uploads.find(D, SHA)
    assert found is not None
    assert uploads.drop([found]) == [found]
    assert uploads.promised == 0
    assert uploads.drop([found]) == []


def test_a_device_gives_up_what_it_has_left_for_longest() -> None:
    uploads = Uploads(each=2)
    first, second, third = (upload(letter * 64) for letter in "abc")
    other = upload("d" * 64, "d2")
    uploads.add(other)
    uploads.add(first)
    uploads.add(second)
    uploads.came(first, 1, 9)
    assert uploads.add(third) == [second]
    assert len(uploads) == 3
    assert uploads.find(DeviceId("d2"), "d" * 64) is other


def test_what_nobody_goes_on_with_goes() -> None:
    uploads, old, new = Uploads(), upload(touched=1000), upload("b" * 64, touched=5000)
    uploads.add(old)
    uploads.add(new)
    assert uploads.drop_stale(1000 + KEPT_MS) == []
    assert uploads.drop_stale(1001 + KEPT_MS) == [old]
    assert len(uploads) == 1


def test_an_upload_goes_with_its_unit_and_with_its_device() -> None:
    uploads = Uploads()
    for sha, device, unit in (("a" * 64, "d1", "p1"), ("b" * 64, "d2", "p2"), ("c" * 64, "d3", "p3")):
        uploads.add(upload(sha, device, unit=UnitId(unit)))
    gone = uploads.forget(UnitId("p1"), [DeviceId("d3")])
    assert [one.unit for one in gone] == ["p1", "p3"]
    assert len(uploads) == 1


def event(sha: str = SHA, unit: str = "p1", use: Use = Use("t1", 1)) -> Change:  # noqa: B008 - a tuple
    fields = {"unit": unit, "device": "d1", "size": 3, "type": "image/jpeg", "at": 7, "name": f"2026-11-23/{sha}.jpg"}
    return "evidence", f"{sha}:{unit}", fields | use._asdict()


def test_the_same_photo_is_one_exhibit_for_all_that_it_was_sent_for() -> None:
    exhibits = Exhibits()
    for use in (Use("t1", 1), Use("t2", 1), Use("t1", 1), Use(problem="e1")):
        exhibits.take(event(use=use))
    exhibits.take(event(unit="p2"))
    one = exhibits.get(SHA, "p1")
    assert one is not None
    assert one.uses == (Use("t1", 1), Use("t2", 1), Use(problem="e1"))
    assert [each.unit for each in exhibits.of(SHA)] == ["p1", "p2"]
    again = Exhibits()
    for change in exhibits.events():
        again.replay(change)
    assert [*again.all()] == [*exhibits.all()]
    exhibits.forget(U)
    assert [each.unit for each in exhibits.of(SHA)] == ["p2"]
    assert exhibits.get(SHA, "p1") is None
    exhibits.forget(UnitId("p2"))
    assert exhibits.of(SHA) == []


def test_what_is_known_is_bounded() -> None:
    exhibits = Exhibits(most=2)
    for letter in "abc":
        exhibits.take(event(letter * 64))
    assert [one.sha[0] for one in exhibits.all()] == ["b", "c"]
    for number in range(USES + 5):
        found = exhibits.take(event("c" * 64, use=Use("t1", number + 2)))
    assert len(found.uses) == USES
    assert found.uses[-1].attempt == USES + 6


def test_whoever_takes_somebodys_data_away_knows_of_every_book() -> None:
    books = Books(lambda at: "2026-11-23").by_type()
    # A trip says by which mode and how long; nobody is named.
    assert {*books} - {TRIP} == KINDS
