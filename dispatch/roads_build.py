"""From an OpenStreetMap extract to the streets of each mode: ways are read, cut where they meet, and measured.

What cannot be reached from most of the rest (a yard that the map does not join to its street, a platform) is left out:
nobody is to be sent a long way round because of a gap in a map.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import osmium
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from dispatch.roads_file import SPACING, RoadsError, Streets
from dispatch.roads_tags import BACKWARD, BOTH, HIGHWAYS, hidden, uses
from dispatch.travel import Array, points

EACH = 20_000
"""Ways between two words of progress."""
_APART = 1000.0
"""Between two ways in the line on which all of them are laid end to end, so that no place on it belongs to two."""
_LEAST = 0.1
"""Metres of an edge: one of none would be no edge to scipy."""


@dataclass(slots=True)
class Drawn:
    """Ways as they are drawn, one after the other: of each its nodes, and who may use it."""

    nodes: array[int] = field(default_factory=lambda: array("q"))
    latitude: array[int] = field(default_factory=lambda: array("i"))
    longitude: array[int] = field(default_factory=lambda: array("i"))
    count: array[int] = field(default_factory=lambda: array("i"))
    """Nodes of each way."""
    hidden: array[int] = field(default_factory=lambda: array("b"))
    """Whether each is, as :func:`dispatch.roads_tags.hidden` says."""
    use: dict[str, array[int]] = field(default_factory=lambda: {mode: array("b") for mode in HIGHWAYS})

    def add(self, use: Mapping[str, int], hidden: bool, drawn: list[tuple[int, int, int]]) -> None:
        if len(drawn) < 2:
            return
        for node, latitude, longitude in drawn:
            self.nodes.append(node)
            self.latitude.append(latitude)
            self.longitude.append(longitude)
        self.count.append(len(drawn))
        self.hidden.append(hidden)
        for mode, found in self.use.items():
            found.append(use.get(mode, 0))


def draw(path: Path, tell: Callable[[int], None]) -> Drawn:
    """The ways of an extract; ``tell`` is told how many there are so far. Raises :class:`RoadsError`."""
    found = Drawn()
    try:
        ways = (
            osmium.FileProcessor(str(path))
            .with_locations()
            .with_filter(osmium.filter.EntityFilter(osmium.osm.WAY))
            .with_filter(osmium.filter.KeyFilter("highway"))
        )
        for way in ways:
            assert isinstance(way, osmium.osm.Way)
            tags = dict(way.tags)
            use = uses(tags)
            if use:
                _add(found, use, hidden(tags), way)
                if len(found.count) % EACH == 0:
                    tell(len(found.count))
    except (RuntimeError, OSError) as error:
        raise RoadsError(f"{path}: {error}. Is it an OpenStreetMap extract (.osm.pbf), and all of it?") from None
    tell(len(found.count))
    return found


def _add(found: Drawn, use: Mapping[str, int], below: bool, way: osmium.osm.Way) -> None:
    """An extract cuts a way at its border: the nodes beyond have no place."""
    drawn: list[tuple[int, int, int]] = []
    for node in way.nodes:
        at = node.location
        if at.valid():
            drawn.append((node.ref, at.y, at.x))
        else:
            found.add(use, below, drawn)
            drawn = []
    found.add(use, below, drawn)


def streets(drawn: Drawn, mode: str) -> Streets | None:
    """What one mode can use; ``None`` if that is nothing."""
    use = np.array(drawn.use[mode], np.int8)
    count = np.array(drawn.count, np.int64)
    kept = np.repeat(use > 0, count)
    if not kept.any():
        return None
    below = np.array(drawn.hidden, np.bool_)[use > 0]
    count, use = count[use > 0], use[use > 0]
    way = np.repeat(np.arange(len(count)), count)
    latitude, longitude = np.array(drawn.latitude)[kept], np.array(drawn.longitude)[kept]
    _, node, often = np.unique(np.array(drawn.nodes)[kept], return_inverse=True, return_counts=True)
    place = points(latitude.astype(np.float64), longitude.astype(np.float64))
    step = np.sqrt((np.diff(place, axis=0) ** 2).sum(axis=1)) / 1000.0
    same = np.diff(way) == 0
    line = np.concatenate(([0.0], np.cumsum(np.where(same, step, _APART))))
    """Where each node of each way lies on one long line, metres."""
    cut = np.flatnonzero((often[node] > 1) | ~np.concatenate(([False], same)) | ~np.concatenate((same, [False])))
    start, end = cut[:-1], cut[1:]
    inside = way[start] == way[end]
    start, end = start[inside], end[inside]
    one_way = use[way[start]]
    back = one_way == BACKWARD
    ends = np.column_stack((np.where(back, node[end], node[start]), np.where(back, node[start], node[end])))
    length = line[end] - line[start]
    whole, ends = _largest(ends, one_way == BOTH)
    edge, along, at = _marks(line[start][whole], length[whole], back[whole])
    seen = ~below[way[start]][whole][edge]
    edge, along, at = edge[seen], along[seen], at[seen]
    if not len(edge):
        return None
    return Streets(
        ends=ends.astype(np.int32),
        metres=np.maximum(length[whole], _LEAST).astype(np.float32),
        both=(one_way == BOTH)[whole],
        spots=np.column_stack(
            [np.rint(np.interp(at, line, axis.astype(np.float64))) for axis in (latitude, longitude)]
        ).astype(np.int32),
        edge=edge.astype(np.int32),
        along=along.astype(np.float32),
    )


def _largest(ends: Array, both: Array) -> tuple[Array, Array]:
    """Which edges belong to the largest part within which each node can be reached from each, and these edges with
    their nodes numbered anew."""
    size = int(ends.max()) + 1
    rows, columns = np.concatenate((ends[:, 0], ends[both, 1])), np.concatenate((ends[:, 1], ends[both, 0]))
    graph = csr_matrix((np.ones(len(rows), np.int8), (rows, columns)), shape=(size, size))
    _, part = connected_components(graph, directed=True, connection="strong")
    inner = part == np.bincount(part[ends[:, 0]]).argmax()
    whole = inner[ends[:, 0]] & inner[ends[:, 1]]
    used = np.zeros(size, np.bool_)
    used[ends[whole]] = True
    number = np.cumsum(used) - 1
    return whole, number[ends[whole]]


def _marks(start: Array, length: Array, back: Array) -> tuple[Array, Array, Array]:
    """Of every mark its edge, how far along that it is, and where on the line."""
    pieces = np.maximum(np.ceil(length / SPACING).astype(np.int64), 1)
    edge = np.repeat(np.arange(len(length)), pieces + 1)
    first = np.concatenate(([0], np.cumsum(pieces + 1)[:-1]))
    share = (np.arange(len(edge)) - first[edge]) / pieces[edge]
    along = share * length[edge]
    return edge, np.where(back[edge], length[edge] - along, along), start[edge] + along
