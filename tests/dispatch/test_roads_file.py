"""The file of streets: what is written is what is read, and nothing else is."""

from __future__ import annotations

import io
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dispatch.roads import Roads
from dispatch.roads_file import VERSION, RoadsError, Streets, load, save
from tests.dispatch.street import at
from tests.dispatch.town import riverside


def streets() -> dict[str, Streets]:
    return {mode: net.streets for mode, net in riverside().nets.items()}


def written(of: dict[str, Streets]) -> bytes:
    file = io.BytesIO()
    save(file, of)
    return file.getvalue()


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "roads.npz"
    path.write_bytes(written(streets()))
    found = load(path)
    assert set(found) == set(streets())
    for mode, one in found.items():
        for field in fields(Streets):
            assert np.array_equal(getattr(one, field.name), getattr(streets()[mode], field.name))
    for mode in found:
        assert Roads.load(path).reach(at(0), [at(0, -200)], mode) == riverside().reach(at(0), [at(0, -200)], mode)


def test_a_file_that_is_not_there_says_how_it_is_made(tmp_path: Path) -> None:
    with pytest.raises(RoadsError, match=r"no such file or directory\. Make it with \./run build-graph"):
        load(tmp_path / "none.npz")


def other(**changed: Any) -> bytes:
    return written({"walk": replace(streets()["walk"], **changed)})


def arrays(**given: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **given)
    return file.getvalue()


WALK = streets()["walk"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04 and then nothing",
        b"\x93NUMPY\x01\x00 and then nothing",
        written(streets())[:-100],
        arrays(version=np.array([1, 2])),
        arrays(other=np.array(1)),
        arrays(version=np.array(VERSION)),
        arrays(version=np.array(VERSION), **{"walk.ends": np.zeros((1, 2), np.int32)}),
        arrays(version=np.array({"code": "that is run"}, dtype=object)),
        other(ends=WALK.ends - 1),
        other(ends=WALK.ends + 10_000_000),
        other(edge=WALK.edge + 1),
        other(metres=WALK.metres[:-1]),
        other(metres=WALK.metres * 0),
        other(along=WALK.along * np.nan),
        other(spots=WALK.spots[:, :1]),
        other(**{name: getattr(WALK, name)[:0] for name in ("ends", "metres", "both", "spots", "edge", "along")}),
    ],
    ids=[
        "empty",
        "no zip",
        "no array",
        "torn",
        "two versions",
        "no version",
        "no modes",
        "a part",
        "code",
        "node below",
        "node beyond",
        "edge beyond",
        "too few",
        "no length",
        "no number",
        "half a place",
        "no edges",
    ],
)
def test_what_is_no_file_of_streets_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "roads.npz"
    path.write_bytes(content)
    with pytest.raises(RoadsError, match="Make it with"):
        load(path)


def test_one_of_another_version_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "roads.npz"
    path.write_bytes(arrays(version=np.array(VERSION + 1)))
    with pytest.raises(RoadsError, match=f"streets of version {VERSION + 1}, not {VERSION}"):
        load(path)
