"""``./run build-graph city.osm.pbf [out]``: the streets of an OpenStreetMap extract, as the server reads them.

The file is made beside its place and takes it when it is whole, so a server that starts meanwhile finds the one before.
It can be made on another machine: the server needs nothing but the file.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from dispatch.roads_build import draw, streets
from dispatch.roads_file import RoadsError, Streets, save
from dispatch.roads_tags import HIGHWAYS

OUT = Path("roads.npz")


def main(words: Sequence[str] | None = None) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(
        prog="./run build-graph",
        description="Makes of an OpenStreetMap extract the file of streets over which ways to tasks are measured.",
    )
    parser.add_argument("extract", type=Path, help="of the city and a few kilometres round it: city.osm.pbf")
    parser.add_argument("out", type=Path, nargs="?", default=OUT, help=f"the file to be made (default: {OUT})")
    given = parser.parse_args(words)
    try:
        found = build(given.extract)
        write(given.out, found)
    except RoadsError as error:
        _say(f"build-graph: {error}")
        return 1
    except OSError as error:
        _say(f"build-graph: {error.filename}: {error.strerror}\n    无法写入 {error.filename}")
        return 1
    print(f"{given.out}: {given.out.stat().st_size / 1e6:.1f} MB. In the settings 在设置文件中:")
    print(f'[dispatch]\nroads = "{given.out}"')
    return 0


def build(extract: Path) -> dict[str, Streets]:
    """The streets of each mode that has any; tells how far it is. Raises :class:`RoadsError`."""
    if not extract.is_file():
        raise RoadsError(f"there is no file {extract}\n    没有文件 {extract}")
    _say(f"reading {extract} ({extract.stat().st_size / 1e6:.0f} MB); first its nodes, which takes a while 读取中")
    drawn = draw(extract, lambda ways: _say(f"{ways:>10,} ways 道路"))
    found = {}
    for mode in HIGHWAYS:
        one = streets(drawn, mode)
        if one is None:
            _say(f"{mode:>10}: no streets 没有道路")
            continue
        found[mode] = one
        _say(f"{mode:>10}: {one.metres.sum() / 1000:,.0f} km, {one.nodes:,} crossings 路口")
    if not found:
        raise RoadsError(f"{extract} holds no streets: take an extract with all its data\n    文件中没有道路数据")
    return found


def write(path: Path, found: dict[str, Streets]) -> None:
    """Whole or not at all."""
    part = path.with_name(path.name + ".new")
    try:
        with part.open("wb") as file:
            save(file, found)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _say(text: str) -> None:
    """To the terminal, beside what is answered."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    os.nice(19)  # the server goes first
    sys.exit(main())
