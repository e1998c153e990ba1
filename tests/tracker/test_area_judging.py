"""A file of grids is judged: everything that is wrong, at its place, and what it would change."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from tests.tracker.helpers import square, stored
from tracker import area_judging as module
from tracker.area_judging import judge
from tracker.model import Area, AreaId

SIDE = 0.01
"""Degrees: about a kilometre."""


def at(column: float, row: float, identity: str = "", **properties: Any) -> dict[str, Any]:
    """A grid of a square kilometre in a town at 117° E, 30° N."""
    identity = identity or f"g{column:g}{row:g}"
    level = str(properties.pop("level", "grid"))
    share = float(properties.pop("share", 1.0))
    west, south = 117 + column * SIDE, 30 + row * SIDE
    area = square(identity, level, west, south, west + share * SIDE, south + share * SIDE)
    return {"type": "Feature", "id": identity, "geometry": area.geometry, "properties": {"level": level, **properties}}


def file(*features: Any, **others: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features), **others}


def codes(verdict: module.Verdict) -> list[tuple[str, int, str]]:
    return [(one.code, one.feature, one.other) for one in [*verdict.problems, *verdict.warnings]]


def there(*features: Any) -> dict[AreaId, Area]:
    """Areas that are there, as the journal gives them back."""
    areas = judge(file(*features), {}).areas
    records = stored([tuple(asdict(area).values()) for area in areas])
    return {area.id: Area(*values) for area, values in zip(areas, records, strict=True)}


def near(place: tuple[float, float] | None, column: float, row: float) -> bool:
    assert place is not None
    return abs(place[0] - 117 - column * SIDE) < 1e-6 and abs(place[1] - 30 - row * SIDE) < 1e-6


def test_a_good_file() -> None:
    verdict = judge(file(at(0, 0), at(1, 0), at(0, 0, "c1", level="cell", parent="g00", share=0.5)), {})
    assert codes(verdict) == []
    assert (verdict.new, verdict.changed, verdict.same) == (["g00", "g10", "c1"], {}, 0)


def test_all_that_is_wrong_is_told_at_its_place() -> None:
    crossed = at(1, 1, "crossed")
    ring = crossed["geometry"]["coordinates"][0]
    ring[1], ring[2] = ring[2], ring[1]
    nameless = at(2, 2)
    del nameless["id"]
    verdict = judge(file(at(0, 0), crossed, nameless, at(3, 3, "g00"), 7, at(0, 4, level="city")), {})
    assert codes(verdict) == [("not_valid", 2, ""), ("no_id", 3, ""), ("duplicate_id", 4, ""), ("not_geojson", 5, ""),
                              ("bad_level", 6, "")]  # fmt: skip
    assert near(verdict.problems[0].place, 1.5, 1.5), "where it crosses itself"
    assert near(verdict.problems[1].place, 2, 2), "its first corner"
    assert all(one.zh and one.text for one in verdict.problems)
    assert [area.id for area in verdict.areas] == ["g00"]


@pytest.mark.parametrize(
    ("document", "code"),
    [(None, "not_geojson"), ({"type": "FeatureCollection"}, "not_geojson"), (file(crs="EPSG:3857"), "coordinates")],
)
def test_a_file_that_is_none(document: Any, code: str) -> None:
    assert codes(judge(document, {})) == [(code, 0, "")]


def test_neighbours_overlap() -> None:
    verdict = judge(
        file(at(0, 0), at(0.5, 0, "half"), at(3, 0), at(3.995, 0, "sliver"), at(5, 0), at(5, 0, "twin")), {}
    )
    assert codes(verdict) == [("overlap", 1, "half"), ("overlap", 5, "twin")]
    assert "0.5" in verdict.warnings[0].text
    found = verdict.warnings[0].place
    assert found is not None
    assert 117.005 < found[0] < 117.01, "in what is common to both"


def test_a_gap_that_others_enclose() -> None:
    ring = [at(column, row) for column in range(3) for row in range(3) if (column, row) != (1, 1)]
    verdict = judge(file(*ring), {})
    assert codes(verdict) == [("gap", 0, "")]
    place = verdict.warnings[0].place
    assert place is not None
    assert 117.01 < place[0] < 117.02
    assert codes(judge(file(*ring, at(1, 1)), {})) == []


def test_a_cell_and_its_grid() -> None:
    grids = there(at(0, 0), at(5, 5))
    cell = at(0, 0, "in", level="cell", parent="g00", share=0.5)
    out = at(0.75, 0, "out", level="cell", parent="g00", share=0.5)
    none = at(0, 0.5, "none", level="cell", parent="g99", share=0.4)
    assert codes(judge(file(cell, out, none), grids)) == [("no_parent", 3, "g99"), ("outside_grid", 2, "g00")]
    assert codes(judge(file(at(0, 0), none), {})) == [("no_parent", 2, "g99")]
    # Cells that come before any grids are taken, with a word.
    early = judge(file(none), {})
    assert not early.problems
    assert codes(early) == [("no_parent", 1, "g99")]


def test_it_lies_somewhere_else() -> None:
    swapped = {**at(0, 0), "geometry": square("x", "grid", 30, 117 - 90, 30.1, 27.1).geometry}
    verdict = judge(file(swapped), {})
    assert [one.code for one in verdict.warnings] == ["far_away"]
    real = {**at(0, 0), "geometry": square("x", "grid", 30.0, 80.0, 30.1, 80.1).geometry}
    assert "swapped" in judge(file(real), {}).warnings[0].text
    assert codes(judge(file(at(150, 0)), there(at(0, 0)))) == [("far_away", 1, "")]
    assert codes(judge(file(at(50, 0)), there(at(0, 0)))) == []


def test_what_it_would_change() -> None:
    known = there(
        at(0, 0, name="一"), at(1, 0, owner="王"), at(2, 0), at(0, 0, "c", level="cell", parent="g00", share=0.5)
    )
    verdict = judge(
        file(at(0, 0, name="一"), at(1, 0, owner="李", phone="5"), {**at(3, 0), "id": "g20"}, at(9, 0, "new")), known
    )
    assert (verdict.new, verdict.same) == (["new"], 1)
    assert verdict.changed == {"g10": ["owner", "properties"], "g20": ["geometry"]}
    assert verdict.missing == [], "a file without cells says nothing of cells"
    assert judge(file(at(0, 0)), known).missing == ["g10", "g20"]


def test_what_is_told_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROBLEMS", 10)
    monkeypatch.setattr(module, "COMPARED", 2)
    verdict = judge(file(*[7] * 25, at(0, 0), at(0, 0, "a"), at(0, 0, "b")), {})
    assert (len(verdict.problems), len(verdict.warnings), verdict.untold) == (10, 0, 16)
    # A problem behind many warnings is told all the same: it is why nothing can be written.
    features = [at(0, row, f"far{row}") for row in range(3)]
    many = [{**one, "geometry": square("x", "grid", 10 + n, 0, 10.5 + n, 1).geometry} for n, one in enumerate(features)]
    monkeypatch.setattr(module, "PROBLEMS", 1)
    verdict = judge(file(*many), there(at(0, 0)))
    assert (len(verdict.warnings), verdict.untold > 0) == (1, True)


def test_judged_quickly_only_what_stops_it_is_looked_for() -> None:
    verdict = judge(file(at(0, 0), at(0.5, 0, "half"), at(0, 0, "half")), {}, closely=False)
    assert codes(verdict) == [("duplicate_id", 3, "")]


def test_a_file_in_which_all_lie_on_one_place_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAIRS", 50)
    verdict = judge(file(*(at(0, 0, f"g{number}") for number in range(40))), {})
    assert [one.code for one in verdict.warnings] == ["overlap"] * 50
