"""Base maps in the settings file: each kind, and each mistake named by its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.basemaps import KINDS, SECTION_LIMIT, Basemap
from storage.config import PROJECT, read
from storage.toml import ConfigError

KEY = "0123456789abcdef0123456789abcdef"
GOOD = {
    "xyz": 'url = "https://{s}.tiles.example/{z}/{x}/{y}.png"\nsubdomains = "abc"',
    "wms": 'url = "http://10.0.0.5:8080/geoserver/wms?"\nlayers = "city:streets"',
    "tianditu": f'key = "{KEY}"',
    "amap": "",
    "mbtiles": 'file = "maps/city.mbtiles"',
    "pmtiles": 'file = "/srv/maps/city.pmtiles"',
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "city.toml"


def parse(file: Path, text: str) -> tuple[Basemap, ...]:
    file.write_text(text, "utf-8")
    return read(file, {}).basemaps


def problems(file: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(file, text)
    return caught.value.problems


def test_none_unless_said(file: Path) -> None:
    assert parse(file, "") == ()


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_read(file: Path, kind: str) -> None:
    (found,) = parse(file, f'[basemap]\nkind = "{kind}"\n{GOOD[kind]}\n')
    assert found.kind == kind
    assert found.coordinates == "wgs84"
    if kind == "mbtiles":
        assert found.file == file.parent / "maps/city.mbtiles"
    if kind == "pmtiles":
        assert found.file == Path("/srv/maps/city.pmtiles")


def test_several_in_the_order_of_the_file(file: Path) -> None:
    text = f'[[basemap]]\nkind = "tianditu"\n{GOOD["tianditu"]}\n[console]\nport = 81\n[[basemap]]\nkind = "mbtiles"\n'
    found = parse(file, text + 'file = "a"\nname = "影像"\nimagery = true\ncoordinates = "gcj02"\n')
    assert [one.kind for one in found] == ["tianditu", "mbtiles"]
    assert (found[1].name, found[1].imagery, found[1].coordinates) == ("影像", True, "gcj02")
    assert found[1].where == "city.toml:8: [[basemap]]"


def test_a_tile_server_behind_the_same_proxy(file: Path) -> None:
    (found,) = parse(file, '[basemap]\nkind = "xyz"\nurl = "/osm/{z}/{x}/{-y}{r}.png"\nmin_zoom = 3\nmax_zoom = 17\n')
    assert (found.url, found.min_zoom, found.max_zoom) == ("/osm/{z}/{x}/{-y}{r}.png", 3, 17)


@pytest.mark.parametrize(
    ("kind", "line", "told"),
    [
        ("xyz", "", "kind xyz needs url"),
        ("wms", 'layers = "a"', "kind wms needs url"),
        ("tianditu", "", "kind tianditu needs key"),
        ("mbtiles", "", "kind mbtiles needs file"),
        ("osm", "", 'kind must be one of "xyz", "wms", "tianditu", "amap", "mbtiles", "pmtiles"'),
        ("amap", 'url = "https://a/"', "url is not a setting of kind amap; there are none"),
        ("mbtiles", 'file = "a"\nmax_zoom = 3', "max_zoom is not a setting of kind mbtiles"),
        ("tianditu", 'key = "a b"', "key must be the key as 天地图 shows it"),
        ("xyz", 'url = "ftp://a/{z}/{x}/{y}"', "url must begin with https://host/"),
        ("xyz", 'url = "https://me:word@a/{z}/{x}/{y}"', "url must begin with https://host/"),
        ("xyz", 'url = "//a/{z}/{x}/{y}"', "url must begin with https://host/"),
        ("xyz", 'url = "https://a/{z}/{x}/{y}\'; script-src *"', "url must be an address such as"),
        ("xyz", 'url = "https://a;script-src/{z}/{x}/{y}"', "url must begin with https://host/"),
        ("xyz", 'url = "https://a/{z}/{x}.png"', "url must hold {z}, {x} and {y}"),
        ("xyz", 'url = "https://a/{z}/{x}/{y}/{q}"', "url may hold {s}, {z}, {x}, {y}, {-y} and {r}"),
        ("xyz", 'url = "https://{s}.a/{z}/{x}/{y}"', 'url holds {s}: say with subdomains = "abc"'),
        ("xyz", 'url = "https://{z}.a/{z}/{x}/{y}"', "url must begin with https://host/"),
        ("xyz", 'url = "/{z}/{x}/{y}"\nsubdomains = "a.b"', "subdomains must be the letters"),
        ("xyz", 'url = "/{z}/{x}/{y}"\nmin_zoom = 20', "min_zoom must not be more than max_zoom (19)"),
        ("xyz", 'url = "/{z}/{x}/{y}"\nmax_zoom = 23', "max_zoom must be 0..22"),
        ("xyz", 'url = "/{z}/{x}/{y}"\ncoordinates = "bd09"', 'coordinates must be "wgs84" or "gcj02"'),
        ("xyz", 'url = "/{z}/{x}/{y}"\nimagery = 1', "imagery must be true or false"),
        ("xyz", 'url = "/{z}/{x}/{y}"\nattribution = ""', "attribution must be one line of text"),
        ("wms", 'layers = "a"\nurl = "https://a/{z}/wms"', "url is the service's address alone"),
        ("wms", 'layers = "a"\nurl = "https://a/wms"\nversion = "1.0"', 'version must be "1.1.1" or "1.3.0"'),
        ("pmtiles", 'file = "~nobody-of-this-name/x"', "file names a home that does not exist"),
    ],
)
@pytest.mark.parametrize("head", ["[basemap]", "[[basemap]]"])
def test_each_mistake_is_told_with_its_line(file: Path, head: str, kind: str, line: str, told: str) -> None:
    before = "[city]\n" if head == "[basemap]" else '[[basemap]]\nkind = "amap"\n'
    start = before.count("\n") + 1
    found = problems(file, f'{before}{head}\nkind = "{kind}"\n{line}\n')
    assert len(found) == 1
    where, _, words = found[0].partition(f": {head} ")
    assert words.startswith(told)
    key = told.split(" ")[0]
    lines = f'{head}\nkind = "{kind}"\n{line}'.split("\n")
    at = next((i for i, one in enumerate(lines) if one.startswith(f"{key} =") and not told.startswith("kind ")), 0)
    if told.startswith("kind must"):
        at = 1
    assert where == f"city.toml:{start + at}"


def test_a_key_is_not_told(file: Path) -> None:
    assert KEY[:8] not in problems(file, f'[basemap]\nkind = "tianditu"\nkey = "{KEY}!"\n')[0]


def test_things_in_the_wrong_place(file: Path) -> None:
    assert problems(file, '\nbasemap = "xyz"\n') == [
        "city.toml:2: basemap must be a section: write [basemap] on a line of its own"
    ]
    many = '[[basemap]]\nkind = "amap"\n' * (SECTION_LIMIT + 1)
    assert problems(file, many) == [f"city.toml:{2 * SECTION_LIMIT + 1}: [[basemap]] there are more than 12"]
    assert problems(file, '[basemaps]\nkind = "amap"\n') == [
        "city.toml:1: [basemaps] is not a section; did you mean [basemap]?"
    ]
    assert problems(file, '[[basemap]]\nkind = "amap"\n[[basemap]]\n')[0].startswith("city.toml:3: [[basemap]] kind")


def test_the_examples_of_the_settings_file_can_be_used(file: Path) -> None:
    """Each example is commented out, since there is no base map unless one is wanted."""
    text = (PROJECT / "city.toml.example").read_text("utf-8")
    examples = text.split("#   [[basemap]]\n")[1:]
    assert {parse(file, "[[basemap]]\n" + _uncommented(one))[0].kind for one in examples} == set(KINDS)
    assert len(parse(file, "".join("[[basemap]]\n" + _uncommented(one) for one in examples))) == len(KINDS)


def _uncommented(example: str) -> str:
    lines = []
    for line in example.splitlines():
        if not line.startswith("#   "):
            break
        lines.append(line.removeprefix("#   "))
    return "\n".join(lines) + "\n"
