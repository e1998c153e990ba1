"""The page that folium makes: nothing inline, nothing from elsewhere, the same at every start."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import folium
import pytest

from storage.basemaps import Basemap
from webmap.basemaps import choices
from webmap.page import CONTENT_SECURITY_POLICY, MAP_VARIABLE, STATIC, Page, PageError, PageSettings, build_page

SETTINGS = PageSettings(center=(30.66, 117.49))


class Tags(HTMLParser):
    def __init__(self, html: bytes) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.inline: list[str] = []
        self._inside = ""
        self.feed(html.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside in ("script", "style") and data.strip():
            self.inline.append(data)


@pytest.fixture(scope="module")
def page() -> Page:
    return build_page(SETTINGS)


def test_every_link_is_a_file_of_ours(page: Page) -> None:
    links = [given.get("src") or given.get("href") for _, given in Tags(page.html).found]
    links = [link for link in links if link and link not in ("/", "/phones", "/storage") and not link.startswith("#")]
    assert len(links) >= 8
    for link in links:
        assert link is not None
        assert link in page.files or (STATIC / link.removeprefix("/static/")).is_file(), link


def test_nothing_inline_and_no_other_host(page: Page) -> None:
    tags = Tags(page.html)
    assert tags.inline == []
    for tag, given in tags.found:
        assert "style" not in given, tag
        assert not [name for name in given if name.startswith("on")], tag
    assert b"://" not in page.html
    assert "unsafe" not in CONTENT_SECURITY_POLICY


def test_inline_pieces_became_files_named_by_their_content(page: Page) -> None:
    scripts = [body for path, (body, kind) in page.files.items() if "/inline." in path and "javascript" in kind]
    assert any(f"var {MAP_VARIABLE} = L.map(".encode() in body for body in scripts)
    assert f'data-map="{MAP_VARIABLE}"'.encode() in page.html


def test_pictures_of_the_style_sheet_are_there(page: Page) -> None:
    sheet = next(body for path, (body, _) in page.files.items() if path.startswith("/assets/leaflet."))
    sheets = [body for path, (body, kind) in page.files.items() if "leaflet." in path and "css" in kind]
    assert sheet
    for name in re.findall(rb"url\(([^)#]+)\)", sheets[0]):
        assert f"/assets/{name.decode()}" in page.files


def test_the_same_page_at_every_start(page: Page) -> None:
    again = build_page(SETTINGS)
    assert again.html == page.html
    assert dict(again.files) == dict(page.files)


def test_lists_of_folium_stay_as_they_were() -> None:
    before = list(folium.Map.default_js), list(folium.Map.default_css)
    build_page(SETTINGS)
    assert (folium.Map.default_js, folium.Map.default_css) == before
    assert any(name == "bootstrap" for name, _ in folium.Map.default_js)


def test_an_unknown_link_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    links = [("leaflet", "https://elsewhere.example/leaflet-next.js")]
    monkeypatch.setattr(folium.Map, "default_js", links)
    with pytest.raises(PageError, match="leaflet-next"):
        build_page(SETTINGS)


def test_pictures_may_come_from_the_base_maps_hosts_and_from_nowhere_else() -> None:
    assert build_page(SETTINGS).policy == CONTENT_SECURITY_POLICY
    shown = choices(
        [
            Basemap("xyz", url="https://{s}.tiles.example:8443/{z}/{x}/{y}.png?key=1;2", subdomains="ab"),
            Basemap("wms", url="http://10.0.0.5/wms?map=a", layers="b"),
            Basemap("xyz", url="/osm/{z}/{x}/{y}.png"),
        ],
        {},
    )
    page = build_page(replace(SETTINGS, basemaps=shown))
    before, after = (
        dict(part.split(" ", 1) for part in one.split("; ")) for one in (CONTENT_SECURITY_POLICY, page.policy)
    )
    hosts = "https://a.tiles.example:8443 https://b.tiles.example:8443 http://10.0.0.5"
    assert after == before | {"img-src": f"'self' {hosts}"}


def test_base_maps_travel_in_the_page_as_text() -> None:
    hostile = "<img src=x onerror=alert(1)>\"'&"
    shown = choices([Basemap("xyz", url="/{z}/{x}/{y}", name=hostile, attribution=hostile)], {})
    html = build_page(replace(SETTINGS, basemaps=shown)).html
    assert b"<img src=x" not in html
    tags = Tags(html)
    (given,) = [attributes for tag, attributes in tags.found if tag == "html"]
    assert json.loads(given["data-basemaps"] or "")[0]["attribution"] == hostile
    assert tags.inline == []


def test_every_word_is_in_the_dictionary_in_both_languages() -> None:
    sources = {path.name: path.read_text("utf-8") for path in STATIC.iterdir() if path.suffix in (".js", ".html")}
    dictionaries = [name for name in sources if name == "i18n.js" or name.endswith("_words.js")]
    assert len(dictionaries) >= 3
    dictionary = "\n".join(sources.pop(name) for name in dictionaries)
    words_of = r"""(?:"((?:[^"\\]|\\.)+)"|'((?:[^'\\]|\\.)+)')"""
    found = re.findall(rf"^\s*(\w+): \[\s*{words_of},\s*{words_of},?\s*\],?", dictionary, re.MULTILINE)
    entries = [(key, chinese or also, english or too) for key, chinese, also, english, too in found]
    known = {key for key, _, _ in entries}
    for key, chinese, english in entries:
        places = [sorted(re.findall(r"\{\w+\}", words)) for words in (chinese, english)]
        assert places[0] == places[1], key
    rest = "\n".join(text for name, text in sources.items() if not name.startswith("login"))
    used = set(re.findall(r'\bt\("(\w+)"', rest)) | set(re.findall(r'data-i18n(?:-\w+)?="(\w+)"', rest))
    assert used - known == set()
    # A file of words may have functions that use them.
    words = set(re.findall(r"\w+", rest)) | set(re.findall(r'\bt\("(\w+)"', dictionary))
    # Words that are built from a code: t(`state_${n}`) and their like.
    built = ("ago_", "span_", *re.findall(r"`(\w+_)\$\{", rest))
    assert {key for key in known - words if not key.startswith(built)} == set()
