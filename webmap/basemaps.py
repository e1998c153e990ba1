"""The base maps that the page can choose from, made of the settings: addresses of tiles, and the hosts behind them.

A section of the settings may give several (天地图: map and satellite). What goes to the page is plain JSON, the same
names that webmap/static/basemaps.js reads; :func:`hosts` is what the Content-Security-Policy must allow for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from storage.basemaps import Basemap
from storage.tile_files import TileFile

_TIANDITU = (
    "https://t{{s}}.tianditu.gov.cn/{layer}_w/wmts?SERVICE=WMTS&REQUEST=GetTile&VERSION=1.0.0&LAYER={layer}"
    "&STYLE=default&TILEMATRIXSET=w&FORMAT=tiles&TILEMATRIX={{z}}&TILEROW={{y}}&TILECOL={{x}}&tk={key}"
)
_AMAP_STREETS = "https://webrd0{s}.is.autonavi.com/appmaptile?lang=zh_cn&size=1&scale=1&style=8&x={x}&y={y}&z={z}"
_AMAP_PHOTOS = "https://webst0{s}.is.autonavi.com/appmaptile?style=6&x={x}&y={y}&z={z}"
_AMAP_NAMES = "https://webst0{s}.is.autonavi.com/appmaptile?style=8&x={x}&y={y}&z={z}"


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry of the switch on the map. ``layers`` lie over one another, each with an address for Leaflet
    (``wms``: parameters of a Web Map Service); ``bounds`` west, south, east, north in the tiles' own system."""

    id: str
    zh: str
    en: str
    layers: tuple[Mapping[str, Any], ...]
    attribution: str = ""
    coordinates: str = "wgs84"
    imagery: bool = False
    min_zoom: int = 0
    max_zoom: int = 19
    bounds: tuple[float, float, float, float] | None = None

    def view(self) -> dict[str, Any]:
        """As the page reads it."""
        return {
            "id": self.id, "zh": self.zh, "en": self.en, "layers": [dict(layer) for layer in self.layers],
            "attribution": self.attribution, "coordinates": self.coordinates, "imagery": self.imagery,
            "min_zoom": self.min_zoom, "max_zoom": self.max_zoom, "bounds": self.bounds,
        }  # fmt: skip


def choices(basemaps: Sequence[Basemap], files: Mapping[int, TileFile]) -> tuple[Choice, ...]:
    """All entries of the switch, in the order of the settings; ``files`` are the opened ones by their number there."""
    found: list[Choice] = []
    for number, basemap in enumerate(basemaps):
        file = files.get(number)
        if basemap.kind == "tianditu":
            found += _tianditu(number, basemap)
        elif basemap.kind == "amap":
            found += _amap(number)
        elif file is not None:
            found.append(_local(number, basemap, file))
        else:
            found.append(_remote(number, basemap))
    return tuple(found)


def hosts(shown: Sequence[Choice]) -> tuple[str, ...]:
    """Scheme, host and port of everything that the page may ask for pictures, besides its own server."""
    found: dict[str, None] = {}
    for choice in shown:
        for layer in choice.layers:
            for letter in layer.get("subdomains") or " ":
                parts = urlsplit(str(layer["url"]).replace("{s}", letter))
                if parts.netloc:
                    found[f"{parts.scheme}://{parts.netloc}"] = None
    return tuple(found)


def _names(number: int, basemap: Basemap) -> tuple[str, str]:
    return (basemap.name, basemap.name) if basemap.name else (f"底图 {number + 1}", f"Base map {number + 1}")


def _remote(number: int, basemap: Basemap) -> Choice:
    layer: dict[str, Any] = {"url": basemap.url, "subdomains": basemap.subdomains}
    if basemap.kind == "wms":
        layer["wms"] = {"layers": basemap.layers, "format": basemap.format, "version": basemap.version}
    return Choice(
        str(number), *_names(number, basemap), (layer,), basemap.attribution, basemap.coordinates, basemap.imagery,
        basemap.min_zoom, basemap.max_zoom,
    )  # fmt: skip


def _local(number: int, basemap: Basemap, file: TileFile) -> Choice:
    # The file's edition is in the address, so that a browser may keep its tiles until the file is another.
    layer = {"url": f"/tiles/{number}/{{z}}/{{x}}/{{y}}?v={file.edition}", "subdomains": ""}
    return Choice(
        str(number), *_names(number, basemap), (layer,), basemap.attribution or file.attribution,
        basemap.coordinates, basemap.imagery, file.min_zoom, file.max_zoom, file.bounds,
    )  # fmt: skip


def _tianditu(number: int, basemap: Basemap) -> list[Choice]:
    def layers(*names: str) -> tuple[Mapping[str, Any], ...]:
        return tuple({"url": _TIANDITU.format(layer=name, key=basemap.key), "subdomains": "01234567"} for name in names)

    told = "© 天地图 https://www.tianditu.gov.cn"
    return [
        Choice(f"{number}-map", "天地图 矢量", "Tianditu map", layers("vec", "cva"), told, min_zoom=1, max_zoom=18),
        Choice(
            f"{number}-photo",
            "天地图 影像",
            "Tianditu imagery",
            layers("img", "cia"),
            told,
            imagery=True,
            min_zoom=1,
            max_zoom=18,
        ),
    ]


def _amap(number: int) -> list[Choice]:
    def layers(*urls: str) -> tuple[Mapping[str, Any], ...]:
        return tuple({"url": url, "subdomains": "1234"} for url in urls)

    told = "© 高德地图 AutoNavi"
    return [
        Choice(
            f"{number}-map", "高德 街道", "AMap streets", layers(_AMAP_STREETS), told, "gcj02", min_zoom=3, max_zoom=18
        ),
        Choice(
            f"{number}-photo", "高德 卫星", "AMap satellite", layers(_AMAP_PHOTOS, _AMAP_NAMES), told, "gcj02",
            imagery=True, min_zoom=3, max_zoom=18,
        ),
    ]  # fmt: skip
