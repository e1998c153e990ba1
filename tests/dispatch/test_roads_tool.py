"""./run build-graph, without the shell before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispatch import roads_tool
from dispatch.roads import Roads
from tests.dispatch.street import at
from tests.dispatch.town import Town

SQUARE = Town().way((0, 0), (500, 0), (500, 500), (0, 500), (0, 0)).way((0, 0), (500, 500), highway="steps")


def test_it_makes_the_file_and_says_where_it_belongs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    SQUARE.write(Path("city.osm.pbf"))
    assert roads_tool.main(["city.osm.pbf"]) == 0
    out, told = capsys.readouterr()
    assert '[dispatch]\nroads = "roads.npz"' in out
    assert "2 ways" in told
    assert "walk: 3 km" in told
    assert "ebike: 2 km" in told
    [walk] = Roads.load(Path("roads.npz")).reach(at(0), [at(500, 500)], "walk")
    assert walk == pytest.approx(707, abs=2)
    assert roads_tool.main(["city.osm.pbf", "other.npz"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["city.osm.pbf", "other.npz", "roads.npz"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["none.osm.pbf"], "there is no file none.osm.pbf"),
        (["text.osm.pbf"], "Is it an OpenStreetMap extract (.osm.pbf), and all of it?"),
        (["empty.osm.pbf"], "empty.osm.pbf holds no streets"),
        (["city.osm.pbf", "no folder/roads.npz"], "No such file or directory"),
    ],
)
def test_what_it_cannot_use_it_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    """And what was there stays."""
    monkeypatch.chdir(tmp_path)
    Path("text.osm.pbf").write_text("no extract")
    Path("roads.npz").write_text("that of before")
    Town().way((0, 0), (500, 0), highway="proposed").write(Path("empty.osm.pbf"))
    SQUARE.write(Path("city.osm.pbf"))
    assert roads_tool.main(words) == 1
    assert told in capsys.readouterr().err
    assert Path("roads.npz").read_text() == "that of before"
    assert not list(tmp_path.glob("*.new"))
