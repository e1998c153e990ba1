"""The file of a city's streets, as ``./run build-graph`` makes it and the server reads it: numpy arrays, no code.

Each mode has its own :class:`Streets`. A street is cut where it meets another; between two of these nodes it is an
edge. Points every :data:`SPACING` metres along the edges, *marks*, say where each of them runs: who stands somewhere
stands on the edge whose mark is nearest.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from dispatch.travel import SPEEDS, Array

VERSION = 1
"""Whoever changes what is in the file counts on; an older one is then built again."""
SPACING = 40.0
"""Metres between two marks of an edge at the most: between them it counts as straight."""


class RoadsError(ValueError):
    """The file, or what it was to be made of, cannot be used; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Streets:
    """Those of one mode. Nodes are numbered from 0; each can be reached from each."""

    ends: Array
    """int32, edges × 2: the nodes between which each edge runs."""
    metres: Array
    """float32, edges: how long each is."""
    both: Array
    """bool, edges: whether it may be used from its second node to its first too."""
    spots: Array
    """int32, marks × 2: latitude and longitude, 1e-7 degrees, WGS-84."""
    edge: Array
    """int32, marks: on which edge each lies."""
    along: Array
    """float32, marks: metres from the edge's first node."""

    @property
    def nodes(self) -> int:
        return int(self.ends.max()) + 1


_TYPES = {"ends": "i4", "metres": "f4", "both": "?", "spots": "i4", "edge": "i4", "along": "f4"}


def save(file: BinaryIO, streets: Mapping[str, Streets]) -> None:
    arrays = {
        f"{mode}.{field.name}": getattr(one, field.name).astype(_TYPES[field.name])
        for mode, one in streets.items()
        for field in fields(Streets)
    }
    np.savez_compressed(file, version=np.array(VERSION), **arrays)


def load(path: Path) -> dict[str, Streets]:
    """Streets by mode. Raises :class:`RoadsError` for what is no file of streets, or one of another version."""
    try:
        # Numbers and nothing else: without pickle no file can make the server run what it holds.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
            version = int(held["version"])
            if version != VERSION:
                raise RoadsError(f"{path}: streets of version {version}, not {VERSION}. {_AGAIN}")
            found = {mode: _streets(held, mode) for mode in SPEEDS if f"{mode}.ends" in held}
    except OSError as error:
        raise RoadsError(f"{path}: {(error.strerror or 'cannot be read').lower()}. {_AGAIN}") from None
    except (KeyError, TypeError, IndexError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise RoadsError(f"{path}: no file of streets ({type(error).__name__}). {_AGAIN}") from None
    except RoadsError:
        raise
    except ValueError:
        raise RoadsError(f"{path}: no file of streets. {_AGAIN}") from None
    if not found:
        raise RoadsError(f"{path}: holds no streets. {_AGAIN}")
    return found


_AGAIN = "Make it with ./run build-graph city.osm.pbf"


def _streets(held: Any, mode: str) -> Streets:
    one = Streets(**{name: held[f"{mode}.{name}"] for name in _TYPES})
    edges, marks = len(one.metres), len(one.edge)
    shapes = {"ends": (edges, 2), "metres": (edges,), "both": (edges,), "spots": (marks, 2), "edge": (marks,),
              "along": (marks,)}  # fmt: skip
    for name, kind in _TYPES.items():
        array = getattr(one, name)
        if array.dtype != np.dtype(kind) or array.shape != shapes[name]:
            raise ValueError(name)
    if not edges or not marks or one.ends.min() < 0 or one.edge.min() < 0 or one.edge.max() >= edges:
        raise ValueError("edge")
    if not (np.isfinite(one.metres).all() and np.isfinite(one.along).all() and (one.metres > 0).all()):
        raise ValueError("metres")
    if one.nodes > 2 * edges:
        raise ValueError("ends")
    return one
