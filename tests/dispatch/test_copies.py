"""Copies for browsers, made by the real child: upright, small, bare, and none of what is no picture or too large."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import subprocess
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from dispatch import copying
from dispatch.copies import Copies, NoCopy, NotNow
from dispatch.exhibits import Exhibit
from dispatch.media import medium_of
from storage.copies import copy_of, drop_copies, tidy
from tests.reactor import reactor, run_deferred
from tracker.model import DeviceId, UnitId

DAY = "2026-11-23"
HEIC = bytes.fromhex(
    "0000001c6674797068656963000000006d696631686569636d6961660000017d6d657461000000000000002168646c720000"
    "000000000000706963740000000000000000000000000000000022696c6f63000000004440000100010000000001a1000100"
    "000000000000290000002369696e6600000000000100000015696e6665020000000001000068766331000000000e7069746d"
    "000000000001000000fd69707270000000dd6970636f00000076687663430103700000009000000000001ef000fcfdf8f800"
    "000f03600001001840010c01ffff03700000030090000003000003001eba0240610001002a42010103700000030090000003"
    "000003001ea020810596eae4a6b9b8086830200000030320000003002162000100064401c173c08900000013636f6c726e63"
    "6c780001000d000680000000146973706500000000000000400000004000000028636c617000000030000000010000002000"
    "000001fffffff000000002ffffffe000000002000000107069786900000000030808080000001869706d6100000000000000"
    "010001058102030584000000316d646174000000252801af1380e531f7ffdb83441d3ea0f9192c12b2ec3dff9edf2e62eefe"
    "12c3eb28a3da73f0"
)
"""48 x 32, blue on the left and red on the right."""


def photo(width: int = 900, height: int = 600, *, kind: str = "JPEG", **options: Any) -> bytes:
    """Green above, black below."""
    image, out = Image.new("RGB", (width, height), "black"), io.BytesIO()
    image.paste((0, 200, 0), (0, 0, width, height // 2))
    image.save(out, kind, **options)
    return out.getvalue()


def with_exif(data: bytes) -> bytes:
    image, out, exif = Image.open(io.BytesIO(data)), io.BytesIO(), Image.Exif()
    exif[0x0112] = 6  # turn it by 90 degrees to see it upright
    exif[0x010F] = "MakerOfPhones"
    exif.get_ifd(0x8825)[1] = "N"
    image.save(out, "JPEG", exif=exif, comment=b"secret-comment")
    return out.getvalue()


def bomb() -> bytes:
    """A PNG of a kilobyte that claims to have 3,600 million pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(90_000))) + chunk(b"IEND", b"")


def voice(form: str, codec: str, seconds: int = 1) -> bytes:
    out, rate = io.BytesIO(), 48_000
    size = 960 if codec == "libopus" else 1024
    with av.open(out, "w", format=form) as container:
        stream: Any = container.add_stream(codec, rate=rate)
        stream.layout = "mono"
        for number in range(seconds * rate // size):
            frame = av.AudioFrame(format="s16" if codec == "libopus" else "fltp", layout="mono", samples=size)
            frame.planes[0].update(bytes(frame.planes[0].buffer_size))
            frame.sample_rate, frame.pts = rate, number * size
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


class Processes:
    """The reactor, whose children end though nobody waits for their signals."""

    def callFromThread(self, f: Callable[..., object], *args: Any) -> None:
        reactor().callFromThread(f, *args)

    def callLater(self, delay: float, f: Callable[..., object], *args: Any) -> Any:
        return reactor().callLater(delay, f, *args)

    def spawnProcess(self, child: Any, program: str, command: list[str], env: Any, path: str) -> None:
        code = subprocess.run(command, executable=program, env=env, cwd=path, stderr=subprocess.DEVNULL).returncode
        told = ProcessDone(None) if code == 0 else ProcessTerminated(None if code < 0 else code)
        self.callLater(0, child.processEnded, Failure(told))


class Shelf:
    """A folder of originals with their copies."""

    def __init__(self, data: Path) -> None:
        self.data, self.room = data, True
        self.pool = ThreadPool(1, 2)
        self.pool.start()
        self.copies = Copies(data, Processes(), self.pool, lambda: self.room)

    def put(self, data: bytes, day: str = DAY) -> Exhibit:
        medium = medium_of(data[:64])
        assert medium is not None
        sha = hashlib.sha256(data).hexdigest()
        name = f"{day}/{sha}-n1.{medium.ending}"
        (self.data / "media" / day).mkdir(parents=True, exist_ok=True)
        (self.data / "media" / name).write_bytes(data)
        return Exhibit(sha, UnitId("p1"), DeviceId("d1"), len(data), medium.type, 0, name)

    def start(self, exhibit: Exhibit) -> Deferred[bytes]:
        return Deferred.fromCoroutine(self.copies.get(exhibit))

    def get(self, exhibit: Exhibit) -> bytes:
        return run_deferred(self.start(exhibit))

    def shown(self, exhibit: Exhibit) -> Image.Image:
        return Image.open(io.BytesIO(self.get(exhibit)))


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    found = Shelf(tmp_path)
    yield found
    found.pool.stop()


def test_a_copy_is_upright_small_and_bare(shelf: Shelf) -> None:
    original = with_exif(photo(2400, 1600))
    exhibit = shelf.put(original + b"<html><script>alert(1)</script>")
    data = shelf.get(exhibit)
    copy = Image.open(io.BytesIO(data))
    assert (copy.format, copy.size) == ("JPEG", (1067, 1600))
    assert not dict(copy.getexif())
    for word in (b"MakerOfPhones", b"secret-comment", b"Exif", b"script"):
        assert word in original + b"script"
        assert word not in data
    # What was above is on the right now.
    left, right = copy.getpixel((50, 800)), copy.getpixel((1010, 800))
    assert isinstance(left, tuple)
    assert isinstance(right, tuple)
    assert (left[1] < 40, right[1] > 160) == (True, True)
    assert (shelf.data / "media" / exhibit.name).read_bytes().startswith(original)


@pytest.mark.parametrize(
    "data", [photo(kind="PNG"), photo(kind="WEBP"), photo(kind="JPEG", progressive=True)], ids=["png", "webp", "jpeg"]
)
def test_small_ones_keep_their_size(shelf: Shelf, data: bytes) -> None:
    assert shelf.shown(shelf.put(data)).size == (900, 600)


def test_what_an_iphone_writes(shelf: Shelf) -> None:
    copy = shelf.shown(shelf.put(HEIC))
    assert copy.size == (48, 32)
    left, right = copy.getpixel((8, 16)), copy.getpixel((40, 16))
    assert isinstance(left, tuple)
    assert isinstance(right, tuple)
    assert left[2] > left[0]
    assert right[0] > right[2]


def test_what_is_clear_is_white(shelf: Shelf) -> None:
    out = io.BytesIO()
    Image.new("RGBA", (40, 40), (0, 0, 0, 0)).save(out, "PNG")
    pixel = shelf.shown(shelf.put(out.getvalue())).getpixel((20, 20))
    assert isinstance(pixel, tuple)
    assert min(pixel) > 250


@pytest.mark.parametrize(
    "make",
    [
        bomb,
        lambda: photo()[:2000],
        lambda: b"\xff\xd8\xff\xe0<html><script>alert(1)</script>",
        lambda: b"\x89PNG\r\n\x1a\n<svg onload='alert(1)'/>",
        lambda: HEIC[:200],
        lambda: b"OggS" + bytes(1000),
        lambda: b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42" + bytes(100),
    ],
    ids=["bomb", "truncated", "page", "drawing", "heic", "ogg", "m4a"],
)
def test_of_what_is_broken_there_is_none(shelf: Shelf, make: Callable[[], bytes]) -> None:
    exhibit = shelf.put(make())
    for _ in range(2):
        with pytest.raises(NoCopy):
            shelf.get(exhibit)
    assert not list(shelf.data.glob("copies/*/*"))
    assert shelf.copies.made == 0


def test_a_picture_with_too_many_pixels_is_not_unpacked(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "PIXELS", 10)
    with pytest.raises(copying.Useless):
        copying.photo(shelf.data / "media" / shelf.put(photo(kind="PNG")).name, shelf.data / "x")


@pytest.mark.parametrize(
    ("form", "codec"), [("ogg", "libopus"), ("webm", "libopus"), ("mp4", "aac")], ids=["ogg", "webm", "mp4"]
)
def test_a_voice_becomes_opus(shelf: Shelf, form: str, codec: str) -> None:
    data = shelf.get(shelf.put(voice(form, codec)))
    assert data[:4] == b"OggS"
    with av.open(io.BytesIO(data)) as sound:
        (stream,) = sound.streams.audio
        assert stream.codec_context.name == "opus"
        heard = sum(frame.samples for frame in sound.decode(stream))
    assert 45_000 < heard < 52_000


def test_a_copy_is_made_once_however_many_ask(shelf: Shelf) -> None:
    exhibit = shelf.put(photo())
    both = run_deferred(gatherResults([shelf.start(exhibit), shelf.start(exhibit)]))
    assert both[0] == both[1]
    assert shelf.get(exhibit) == both[0]
    assert shelf.copies.made == 1
    assert copy_of(shelf.data, exhibit.name).read_bytes() == both[0]


def test_it_goes_with_its_original(shelf: Shelf) -> None:
    exhibit = shelf.put(photo())
    shelf.get(exhibit)
    (shelf.data / "media" / exhibit.name).unlink()
    with pytest.raises(FileNotFoundError):
        shelf.get(exhibit)
    tidy(shelf.data)
    assert not (shelf.data / "copies" / DAY).exists()
    other = shelf.put(photo(kind="PNG"))
    shelf.get(other)
    assert drop_copies(shelf.data, [other.name, exhibit.name]) == 1


def test_a_disk_without_room_gets_no_copies(shelf: Shelf) -> None:
    exhibit = shelf.put(photo())
    shelf.room = False
    with pytest.raises(NotNow):
        shelf.get(exhibit)
    shelf.room = True
    assert shelf.get(exhibit)


def test_the_ones_that_were_looked_at_longest_ago_go_first(shelf: Shelf) -> None:
    names = []
    for number in range(10):
        exhibit = shelf.put(b"\xff\xd8\xff" + bytes([number]))
        path = copy_of(shelf.data, exhibit.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(100))
        os.utime(path, (number, number))
        names.append(path.name)
    (shelf.data / "copies" / DAY / f"{names[0]}.part").write_bytes(b"half")
    tidy(shelf.data, 1000)
    assert len(list(shelf.data.glob("copies/*/*"))) == 10
    tidy(shelf.data, 800)
    assert sorted(path.name for path in shelf.data.glob("copies/*/*")) == sorted(names[3:])
