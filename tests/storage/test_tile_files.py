"""Tile files: what is in them is found, rows are not upside down, and what cannot be shown is refused at start."""

# pmtiles, the reference, carries no types to check this file against.
# mypy: allow-untyped-calls

from __future__ import annotations

import io
import sqlite3
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pmtiles.reader import MemorySource, Reader
from pmtiles.tile import Compression, TileType, write_varint, zxy_to_tileid

from storage.pmtiles import HEADER, PMTiles, PMTilesError, tile_number, varints
from storage.tile_files import TILE_LIMIT, TileFileError, open_tiles, picture_type
from tests.tiles import make_mbtiles, make_pmtiles, png

MAKE: dict[str, Callable[..., None]] = {"mbtiles": make_mbtiles, "pmtiles": make_pmtiles}
PICTURE = png(4, lambda x, y: (255, x, y))
KINDS = pytest.mark.parametrize("kind", MAKE)


def picture(number: int) -> bytes:
    return png(1, lambda x, y: (number % 256, number // 256 % 256, 7))


@KINDS
def test_every_tile_is_found_where_it_is(tmp_path: Path, kind: str) -> None:
    tiles = {(z, x, y): picture(z * 64 + y * 8 + x) for z in (0, 1, 3) for x in range(2**z) for y in range(2**z)}
    del tiles[(3, 2, 5)]
    path = tmp_path / "city"
    MAKE[kind](path, tiles, attribution='© <a href="https://maps.example">City &amp; Co</a>')
    found = open_tiles(kind, path)
    assert (found.min_zoom, found.max_zoom) == (0, 3)
    assert found.attribution == "© City & Co"
    for place, data in tiles.items():
        assert found.tile(*place) == data
    assert found.tile(3, 2, 5) is None
    assert found.tile(2, 1, 1) is None


@KINDS
def test_a_tile_beyond_the_limit_is_not_there(tmp_path: Path, kind: str) -> None:
    MAKE[kind](tmp_path / "city", {(0, 0, 0): PICTURE, (1, 0, 0): PICTURE + bytes(TILE_LIMIT)})
    assert open_tiles(kind, tmp_path / "city").tile(0, 0, 0) == PICTURE
    assert open_tiles(kind, tmp_path / "city").tile(1, 0, 0) is None


def test_many_tiles_lie_in_leaf_directories(tmp_path: Path) -> None:
    path = tmp_path / "city"
    # of lengths by chance, or the directory would pack too well to need leaves
    chance = Random(1)
    tiles = {(8, x, y): chance.randbytes(chance.randrange(9, 999)) for x in range(150) for y in range(0, 256, 2)}
    make_pmtiles(path, tiles)
    reader = Reader(MemorySource(path.read_bytes()))
    assert reader.header()["leaf_directory_length"] > 0
    found = open_tiles("pmtiles", path)
    for place in [(8, 0, 0), (8, 98, 254), (8, 17, 200), (8, 80, 16)]:
        assert found.tile(*place) == tiles[place] == reader.get(*place)
    assert found.tile(8, 17, 201) is None
    assert found.tile(9, 0, 0) is None
    assert found.tile(0, 0, 0) is None


def test_the_edition_changes_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "city"
    make_mbtiles(path, {(0, 0, 0): PICTURE})
    before = open_tiles("mbtiles", path).edition
    assert open_tiles("mbtiles", path).edition == before
    path.unlink()
    make_mbtiles(path, {(0, 0, 0): PICTURE, (1, 0, 0): bytes(5000)})
    assert open_tiles("mbtiles", path).edition != before


@pytest.mark.parametrize(
    ("stated", "bounds"),
    [
        ("117.4,30.5,117.6,30.8", (117.4, 30.5, 117.6, 30.8)),
        (" 117.4, 30.5, 117.6, 30.8 ", (117.4, 30.5, 117.6, 30.8)),
        ("117.6,30.5,117.4,30.8", None),
        ("0,0,0,0", None),
        ("1.2.3,0,5,5", None),
        ("everywhere", None),
    ],
)
def test_bounds_are_taken_when_they_bound_something(
    tmp_path: Path, stated: str, bounds: tuple[float, ...] | None
) -> None:
    make_mbtiles(tmp_path / "city", {(0, 0, 0): PICTURE}, bounds=stated)
    assert open_tiles("mbtiles", tmp_path / "city").bounds == bounds


def refused(kind: str, path: Path) -> str:
    with pytest.raises(TileFileError) as caught:
        open_tiles(kind, path)
    return str(caught.value)


@KINDS
def test_what_is_no_tile_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "city"
    assert refused(kind, path) == "cannot be read: no such file or directory"
    assert refused(kind, tmp_path) == "cannot be read: is a directory"
    path.write_bytes(b"")
    assert refused(kind, path)
    path.write_bytes(b"PNG" * 1000)
    assert "is no" in refused(kind, path)


@KINDS
def test_vector_tiles_are_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "city"
    if kind == "mbtiles":
        make_mbtiles(path, {(0, 0, 0): b"\x1f\x8b\x08 and so on"}, format="pbf")
    else:
        make_pmtiles(path, {(0, 0, 0): b"\x1f\x8b"}, kind=TileType.MVT, compression=Compression.GZIP)
    assert "holds vector tiles" in refused(kind, path)


def test_mbtiles_that_cannot_be_served(tmp_path: Path) -> None:
    make_mbtiles(tmp_path / "none", {})
    assert refused("mbtiles", tmp_path / "none") == "holds no tile"
    make_mbtiles(tmp_path / "gif", {(0, 0, 0): b"GIF89a"})
    assert "not PNG, JPEG or WebP" in refused("mbtiles", tmp_path / "gif")
    make_mbtiles(tmp_path / "deep", {(40, 0, 0): PICTURE})
    assert "zooms 40 to 40" in refused("mbtiles", tmp_path / "deep")
    sqlite3.connect(tmp_path / "other").execute("CREATE TABLE tiles (a)")
    assert "is no MBTiles file" in refused("mbtiles", tmp_path / "other")


def test_mbtiles_are_opened_for_reading_alone(tmp_path: Path) -> None:
    folder = tmp_path / "read only?"
    folder.mkdir()
    make_mbtiles(folder / "city#1.mbtiles", {(0, 0, 0): PICTURE})
    assert open_tiles("mbtiles", folder / "city#1.mbtiles").tile(0, 0, 0) == PICTURE
    assert [path.name for path in folder.iterdir()] == ["city#1.mbtiles"]


def test_a_damaged_archive_is_an_error_and_not_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "city"
    make_pmtiles(path, {(z, x, 0): picture(x) for z in (0, 5) for x in range(2**z)})
    whole = path.read_bytes()
    for length in (0, 7, HEADER.size, HEADER.size + 10):
        path.write_bytes(whole[:length])
        assert "cannot be used" in refused("pmtiles", path)
    path.write_bytes(whole[:7] + b"\x02" + whole[8:])
    assert "version 2" in refused("pmtiles", path)
    path.write_bytes(whole[:97] + b"\x03" + whole[98:])
    assert "other than gzip" in refused("pmtiles", path)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 127))
def test_any_bytes_behind_a_header_are_an_archive_or_refused(noise: bytes, at: int) -> None:
    head = HEADER.pack(b"PMTiles", 3, HEADER.size, len(noise), *[0] * 9, 1, 1, 1, 2, 0, 5, *[0] * 7)
    data = head + noise
    try:
        archive = PMTiles(lambda offset, length: data[offset : offset + length])
        archive.tile(3, at % 8, at // 8 % 8, 100)
    except PMTilesError:
        return


@settings(deadline=None)
@given(st.data(), st.integers(0, 20))
def test_tiles_are_numbered_as_the_reference_does(data: st.DataObject, zoom: int) -> None:
    x, y = (data.draw(st.integers(0, 2**zoom - 1)) for _ in range(2))
    assert tile_number(zoom, x, y) == zxy_to_tileid(zoom, x, y)


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**62)))
def test_varints_are_read_as_the_reference_writes_them(numbers: list[int]) -> None:

    stream = io.BytesIO()
    for number in numbers:
        write_varint(stream, number)
    assert varints(stream.getvalue()).tolist() == numbers


def test_pictures_are_known_by_their_first_bytes() -> None:
    assert picture_type(PICTURE) == "image/png"
    assert picture_type(b"\xff\xd8\xff\xe0...") == "image/jpeg"
    assert picture_type(b"RIFF\0\0\0\0WEBPVP8 ") == "image/webp"
    assert picture_type(b"<svg onload=alert(1)>") is None
