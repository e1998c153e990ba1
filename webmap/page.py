"""The console's page: made by folium once at start, then made safe to serve.

folium links its scripts from other hosts and writes scripts and styles into the page. Neither may reach a
browser here: the console works without the internet and under a Content-Security-Policy without
``unsafe-inline``. So the page is rendered, read once, and written anew: every link becomes a local file found
by its file name (a link that has none stops the start), every inline script and style becomes a file named by
its digest. The caller serves ``Page.html`` at ``/`` with ``Page.policy``, and ``Page.files`` at their paths (they never
change, cache them for ever) and the folder :data:`STATIC` under ``/static/`` with :data:`CONTENT_SECURITY_POLICY`.

The base maps of the settings travel in the page as JSON, an attribute of ``<html>``: the map is right from its first
moment, and who may see the page may see them. Their hosts, and no others, are where the page may fetch pictures.

Nothing that a person typed enters a folium element: names travel as JSON and are set as text.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import folium
from branca.element import Element, Figure
from xstatic.pkg import jquery, leaflet

from webmap.basemaps import Choice, hosts

STATIC = Path(__file__).with_name("static")

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""No ``unsafe-inline`` anywhere. Leaflet sets its styles through the object model, which this allows."""


def policy(hosts: Sequence[str]) -> str:
    """The same, with pictures from ``hosts`` (``https://tiles.example``) besides our own: the page with base maps."""
    return CONTENT_SECURITY_POLICY.replace("img-src 'self'", " ".join(("img-src 'self'", *hosts)))


MAP_VARIABLE = "map_console"
"""The global name of the L.map that folium makes; the page states it as ``data-map`` on ``<html>``."""

_KEPT_LINKS = frozenset({"leaflet", "leaflet_css", "jquery"})
_VERSION = re.compile(r"-\d+(\.\d+)+")
_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".png": "image/png",
}
_VIEWPORT = '<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover" />'


class PageError(Exception):
    """folium made something that we cannot serve from here: the start must stop, a browser must not find out."""


@dataclass(frozen=True, slots=True)
class PageSettings:
    """Where the map looks when the page opens (degrees WGS-84) and how far it can zoom."""

    center: tuple[float, float]
    zoom: float = 14
    min_zoom: int = 9
    max_zoom: int = 19
    basemaps: Sequence[Choice] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """``html`` for ``/`` with its ``policy``, and ``files``: path on the server -> (content, content type).
    ``basemaps`` is what the page says of them, as JSON; ``links`` are the library's files by name, with their paths."""

    html: bytes
    policy: str
    files: Mapping[str, tuple[bytes, str]]
    basemaps: str
    links: Mapping[str, str]

    def dressed(self, html: bytes) -> tuple[bytes, str]:
        """Another page of ours, and its policy. One that links ``/assets/leaflet.js`` has a map: it gets the library's
        file for that link, the same base maps, and the same policy as the console's page."""
        if b'"/assets/leaflet.js"' not in html:
            return html, CONTENT_SECURITY_POLICY
        told = html.decode().replace("<html ", f'<html data-basemaps="{escape(self.basemaps)}" ', 1)
        for name, path in self.links.items():
            told = told.replace(f'"/assets/{name}"', f'"/assets/{path}"')
        return told.encode(), self.policy


def build_page(settings: PageSettings) -> Page:
    """Render the page with folium and bring everything home. Raises :class:`PageError` on a link we do not have."""
    basemaps = json.dumps([choice.view() for choice in settings.basemaps], ensure_ascii=False)
    library = _library_files()
    writer = _Writer(library, basemaps)
    writer.feed(_render(settings))
    writer.close()
    links = {name: path for name, (path, _) in library.items()}
    return Page("".join(writer.out).encode(), policy(hosts(settings.basemaps)), writer.files, basemaps, links)


def _render(settings: PageSettings) -> str:
    figure = Figure(title="Gridbeat")
    console = folium.Map(
        location=list(settings.center),
        zoom_start=settings.zoom,
        tiles=None,
        zoom_control=False,
        attribution_control=False,
        # folium's own min_zoom and max_zoom belong to its tile layer; in this spelling they reach L.map.
        minZoom=settings.min_zoom,
        maxZoom=settings.max_zoom,
        zoomSnap=0.25,
        wheelPxPerZoomLevel=90,
        keyboard=False,
    )
    # folium names the map at random; a fixed name makes the page the same at every start and findable.
    console._id = MAP_VARIABLE.partition("_")[2]
    # Lists of our own on the instance: folium's are shared by the whole process.
    console.default_js = [link for link in folium.Map.default_js if link[0] in _KEPT_LINKS]
    console.default_css = [link for link in folium.Map.default_css if link[0] in _KEPT_LINKS]
    shell = (STATIC / "shell.html").read_text("utf-8")
    if re.search(r"\{[{%#]", shell):
        raise PageError("shell.html contains what folium's template engine would run")
    figure.header.add_child(Element((STATIC / "head.html").read_text("utf-8")), name="console_head")
    figure.html.add_child(Element(shell), name="console_shell")
    figure.add_child(console)
    return str(figure.render())


def _library_files() -> dict[str, tuple[str, bytes]]:
    """The files that folium may link, by file name without version: (path below /assets/, content)."""
    found: dict[str, tuple[str, bytes]] = {}
    for package, names in ((leaflet, ("leaflet.js", "leaflet.css")), (jquery, ("jquery.min.js",))):
        for name in names:
            content = (Path(package.BASE_DIR) / name).read_bytes()
            found[name] = (_hashed(name, content), content)
    for image in sorted((Path(leaflet.BASE_DIR) / "images").glob("*.png")):
        # leaflet.css names its pictures relative to itself
        found[f"images/{image.name}"] = (f"images/{image.name}", image.read_bytes())
    return found


def _hashed(name: str, content: bytes) -> str:
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}.{hashlib.sha256(content).hexdigest()[:16]}{dot}{suffix}"


class _Writer(HTMLParser):
    """Reads folium's page and writes ours: the same tags, but nothing inline and nothing from elsewhere."""

    def __init__(self, library: Mapping[str, tuple[str, bytes]], basemaps: str) -> None:
        super().__init__(convert_charrefs=False)
        self._library = library
        self._basemaps = basemaps
        self._inline: list[str] | None = None
        self.out: list[str] = []
        self.files: dict[str, tuple[bytes, str]] = {}
        for name, (path, content) in library.items():
            if name.startswith("images/"):
                self._add(path, content)

    def _add(self, path: str, content: bytes) -> str:
        self.files[f"/assets/{path}"] = (content, _TYPES[Path(path).suffix])
        return f"/assets/{path}"

    def _local(self, url: str) -> str:
        if url.startswith("/static/"):
            if not (STATIC / url.removeprefix("/static/")).is_file():
                raise PageError(f"the page links {url}, which does not exist")
            return url
        name = _VERSION.sub("", Path(urlsplit(url).path).name)
        if name not in self._library:
            raise PageError(f"no local file for the link {url}")
        return self._add(*self._library[name])

    def handle_decl(self, decl: str) -> None:
        self.out.append(f"<!{decl}>")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        for name in given:
            if name == "style" or name.startswith("on"):
                raise PageError(f"<{tag}> carries an inline {name}, which the policy forbids")
        if tag == "html":
            shown = escape(self._basemaps)
            self.out.append(f'<html lang="zh-CN" data-map="{MAP_VARIABLE}" data-basemaps="{shown}">')
        elif tag == "meta" and given.get("name") == "viewport":
            self.out.append(_VIEWPORT)  # folium forbids the reader to enlarge the page
        elif tag == "script" and (source := given.get("src")):
            kind = ' type="module"' if given.get("type") == "module" else ""
            self.out.append(f'<script{kind} src="{escape(self._local(source))}">')
        elif tag in ("script", "style"):
            self._inline = []
        elif tag == "link":
            link = escape(self._local(given.get("href") or ""))
            self.out.append(f'<link rel="{escape(given.get("rel") or "")}" href="{link}"/>')
        else:
            self.out.append(self.get_starttag_text() or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._inline is None:
            self.out.append(f"</{tag}>")
            return
        content = "".join(self._inline).strip().encode()
        self._inline = None
        path = self._add(_hashed("inline.js" if tag == "script" else "inline.css", content), content)
        if tag == "script":
            self.out.append(f'<script src="{path}"></script>')
        else:
            self.out.append(f'<link rel="stylesheet" href="{path}"/>')

    def handle_data(self, data: str) -> None:
        (self.out if self._inline is None else self._inline).append(data)

    def handle_entityref(self, name: str) -> None:
        self.out.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.out.append(f"&#{name};")
