"""What becomes of an extract: ways cut where they meet, measured, and what leads nowhere left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dispatch import roads_build
from dispatch.roads_build import Drawn, draw, streets
from dispatch.roads_file import SPACING, RoadsError
from tests.dispatch.town import Town, read


def test_ways_are_cut_where_they_meet(tmp_path: Path) -> None:
    """A line with a bend, and one that crosses it at one of its nodes; another crosses it where neither has one."""
    found = read(
        Town()
        .way((0, 0), (100, 0), (200, 0), (200, 100))
        .way((100, -50), (100, 0), (100, 50))
        .way((150, -50), (150, 50), bridge="yes")
        .way((150, 50), (100, 50))
        .write(tmp_path / "a.osm.pbf")
    )
    assert set(found) == {"vehicle", "ebike", "walk"}
    for one in found.values():
        assert sorted(np.rint(one.metres).tolist()) == [50, 50, 50, 100, 100, 200]
        assert one.nodes == 7
        assert one.both.all()
        assert one.along.min() == 0
        assert (one.along <= one.metres[one.edge] + 0.01).all()
        for edge in range(len(one.metres)):
            along = one.along[one.edge == edge]
            assert np.diff(along).max() <= SPACING
            assert (along[0], along[-1]) == (0, one.metres[edge])


def test_a_way_may_be_drawn_against_its_direction(tmp_path: Path) -> None:
    town = Town().way((0, 0), (300, 0), oneway="-1").way((0, 0), (0, 100), oneway="yes").way((0, 100), (300, 0))
    one = read(town.write(tmp_path / "a.osm.pbf"))["vehicle"]
    edge = int(np.flatnonzero(np.rint(one.metres) == 300)[0])
    assert not one.both[edge]
    # From the east end: the mark at which it begins is the one farthest east.
    marks = one.spots[one.edge == edge][np.argsort(one.along[one.edge == edge])]
    assert (np.diff(marks[:, 1]) < 0).all()


def test_what_leads_nowhere_is_left_out(tmp_path: Path) -> None:
    """An island, and for vehicles a street that they can drive into but not out of."""
    town = (
        Town().way((0, 0), (500, 0), (500, 500), (0, 500), (0, 0)).way((1000, 0), (1200, 0))
        .way((500, 500), (700, 500), oneway="yes")
    )  # fmt: skip
    found = read(town.write(tmp_path / "a.osm.pbf"))
    assert round(float(found["vehicle"].metres.sum())) == 2000
    assert round(float(found["walk"].metres.sum())) == 2200


def test_at_the_border_ways_end(tmp_path: Path) -> None:
    town = Town().way((0, 0), (100, 0), (200, 0), (300, 0), (400, 0))
    found = read(town.write(tmp_path / "a.osm.pbf", without=(100, 0)))
    assert found["walk"].metres.sum() == pytest.approx(200, abs=0.5)


def test_two_ways_between_the_same_crossings_are_two(tmp_path: Path) -> None:
    town = Town().way((0, 0), (300, 0)).way((0, 0), (150, 200), (300, 0)).way((0, 0), (0, 0))
    assert sorted(np.rint(read(town.write(tmp_path / "a.osm.pbf"))["walk"].metres).tolist())[-2:] == [300, 500]


def test_no_streets_are_none(tmp_path: Path) -> None:
    town = Town().way((0, 0), (300, 0), highway="steps").way((0, 0), (300, 50), highway="proposed")
    assert set(read(town.write(tmp_path / "a.osm.pbf"))) == {"walk"}
    assert streets(Drawn(), "walk") is None
    below = Town().way((0, 0), (300, 0), tunnel="yes")
    assert read(below.write(tmp_path / "b.osm.pbf")) == {}


def test_progress_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roads_build, "EACH", 3)
    town = Town()
    for n in range(7):
        town.way((n, 0), (n, 1))
    told: list[int] = []
    draw(town.write(tmp_path / "a.osm.pbf"), told.append)
    assert told == [3, 6, 7]


@pytest.mark.parametrize("content", [b"no extract at all", b"\x00\x00\x00\x0e\x0a\x09OSMHeader"])
def test_what_is_no_extract_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.osm.pbf").write_bytes(content)
    with pytest.raises(RoadsError, match="Is it an OpenStreetMap extract"):
        draw(tmp_path / "a.osm.pbf", lambda ways: None)
