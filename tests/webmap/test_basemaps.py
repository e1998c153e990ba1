"""What the page is given to choose from, kind by kind, and whom it may ask for pictures."""

from __future__ import annotations

import json
import re
from pathlib import Path

from storage.basemaps import Basemap
from storage.tile_files import TileFile
from webmap.basemaps import Choice, choices, hosts

KEY = "0123456789abcdef0123456789abcdef"


def only(basemap: Basemap) -> Choice:
    (choice,) = choices([basemap], {})
    return choice


def test_none_asks_nobody() -> None:
    assert choices([], {}) == ()
    assert hosts(()) == ()


def test_tianditu_gives_map_and_satellite_each_with_its_names() -> None:
    shown = choices([Basemap("tianditu", key=KEY)], {})
    assert [(one.zh, one.imagery, one.coordinates) for one in shown] == [
        ("天地图 矢量", False, "wgs84"),
        ("天地图 影像", True, "wgs84"),
    ]
    layers = [re.findall(r"LAYER=(\w+)", str(layer["url"])) for one in shown for layer in one.layers]
    assert layers == [["vec"], ["cva"], ["img"], ["cia"]]
    for one in shown:
        for layer in one.layers:
            # vec_w, the Web Mercator set: vec_c would lie displaced on this map
            assert "_w/wmts" in layer["url"]
            assert "TILEMATRIXSET=w" in layer["url"]
            assert f"tk={KEY}" in layer["url"]
            assert {"{z}", "{x}", "{y}", "{s}"} == set(re.findall(r"\{\w\}", str(layer["url"])))
    assert hosts(shown) == tuple(f"https://t{number}.tianditu.gov.cn" for number in range(8))


def test_amap_is_in_gcj02() -> None:
    shown = choices([Basemap("amap")], {})
    assert [one.coordinates for one in shown] == ["gcj02", "gcj02"]
    assert [len(one.layers) for one in shown] == [1, 2]
    assert hosts(shown) == tuple(f"https://web{kind}0{n}.is.autonavi.com" for kind in ("rd", "st") for n in range(1, 5))


def test_a_server_of_tiles_as_it_was_described() -> None:
    one = only(
        Basemap(
            "xyz", url="https://a.example/{z}/{x}/{y}", name="街道", attribution="© A", min_zoom=3, max_zoom=17,
            coordinates="gcj02", imagery=True,
        )
    )  # fmt: skip
    assert (one.zh, one.en, one.attribution, one.min_zoom, one.max_zoom) == ("街道", "街道", "© A", 3, 17)
    assert (one.coordinates, one.imagery) == ("gcj02", True)
    assert hosts([one]) == ("https://a.example",)


def test_a_map_service_gets_its_parameters() -> None:
    one = only(Basemap("wms", url="http://[::1]:8080/wms", layers="a,b", format="image/jpeg", version="1.1.1"))
    assert one.layers[0]["wms"] == {"layers": "a,b", "format": "image/jpeg", "version": "1.1.1"}
    assert hosts([one]) == ("http://[::1]:8080",)


def test_files_of_ours_ask_no_host(tmp_path: Path) -> None:
    file = TileFile(lambda *place: None, 2, 16, (117.0, 30.0, 118.0, 31.0), "© City", "abc")
    basemaps = [Basemap("amap"), Basemap("mbtiles", file=tmp_path), Basemap("pmtiles", name="A", attribution="© B")]
    shown = choices(basemaps, {1: file, 2: file})[2:]
    assert [one.layers[0]["url"] for one in shown] == [f"/tiles/{n}/{{z}}/{{x}}/{{y}}?v=abc" for n in (1, 2)]
    assert [(one.zh, one.en, one.attribution) for one in shown] == [
        ("底图 2", "Base map 2", "© City"),
        ("A", "A", "© B"),
    ]
    assert shown[0].bounds == (117.0, 30.0, 118.0, 31.0)
    assert hosts(shown) == ()


def test_every_choice_has_a_name_of_its_own_and_is_json() -> None:
    shown = choices([Basemap("amap"), Basemap("tianditu", key=KEY), Basemap("amap")], {})
    assert len({one.id for one in shown}) == len(shown) == 6
    assert json.loads(json.dumps([one.view() for one in shown]))[0]["layers"][0]["subdomains"] == "1234"
