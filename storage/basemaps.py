"""The ``[basemap]`` sections of the settings file: what may stand in them, and values that can be used.

One base map is ``[basemap]``; several to choose from are ``[[basemap]]`` each. What a section may hold follows from
its ``kind``: :data:`KINDS` is the table. A key in an address, as 天地图 has it, is never shown in a message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TEXT_LIMIT = 200
"""Characters of a name or an attribution: it is shown on the map."""
URL_LIMIT = 1000
SECTION_LIMIT = 12
"""Base maps of one city: a switch with more cannot be read."""
ZOOMS = range(23)

_HOST = re.compile(r"https?://(?:[A-Za-z0-9.-]|\{s\})+(?::\d{1,5})?(?=/)|https?://\[[0-9A-Fa-f:]+\](?::\d{1,5})?(?=/)")
_PRINTED = re.compile(r"[!#-&(-;=?-\[\]_a-z{|}~]+")
"""ASCII that an address may be written with: no space, quote, angle bracket or backslash."""
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Basemap:
    """One base map as the operator describes it. ``where`` is what a message about it begins with."""

    kind: str
    where: str = "[basemap]"
    name: str = ""
    url: str = ""
    key: str = ""
    file: Path = Path()
    layers: str = ""
    format: str = "image/png"
    version: str = "1.3.0"
    subdomains: str = ""
    attribution: str = ""
    min_zoom: int = 0
    max_zoom: int = 19
    coordinates: str = "wgs84"
    imagery: bool = False


Problem = Callable[[str | None, str], None]
"""Told a mistake: the key that it is about (None: the section), and words that begin with the key."""


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > TEXT_LIMIT or not value.isprintable():
        raise ValueError("must be one line of text in quotes")
    return value.strip()


def _address(value: Any) -> str:
    """An address of a web server, or a path on this one (``/…``: a tile server behind the same proxy)."""
    if not isinstance(value, str) or len(value) > URL_LIMIT or not _PRINTED.fullmatch(value):
        raise ValueError('must be an address such as "https://tiles.example/{z}/{x}/{y}.png"')
    if not _HOST.match(value) and not re.match(r"/(?!/)", value):
        raise ValueError("must begin with https://host/, http://host/ or / (without name and password)")
    unknown = set(_PLACEHOLDER.findall(value)) - {"s", "z", "x", "y", "-y", "r"}
    rest = _PLACEHOLDER.sub("", value)
    if unknown or "{" in rest or "}" in rest:
        raise ValueError("may hold {s}, {z}, {x}, {y}, {-y} and {r}, and no other braces")
    return value


def _key(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9]{16,64}", value):
        raise ValueError("must be the key as 天地图 shows it: letters and digits")
    return value


def _file(value: Any) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("must be a file in quotes")
    try:
        return Path(value).expanduser()
    except RuntimeError:
        raise ValueError("names a home that does not exist") from None


def _subdomains(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[a-z0-9]{1,16}", value):
        raise ValueError('must be the letters or digits that {s} stands for, such as "abc"')
    return "".join(dict.fromkeys(value))


def _zoom(value: Any) -> int:
    if type(value) is not int or value not in ZOOMS:
        raise ValueError(f"must be {ZOOMS[0]}..{ZOOMS[-1]}")
    return value


def _yes_or_no(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError("must be true or false")
    return value


def _one_of(*words: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in words:
            raise ValueError("must be " + " or ".join(f'"{word}"' for word in words))
        return str(value)

    return check


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "name": _text,
    "url": _address,
    "key": _key,
    "file": _file,
    "layers": _text,
    "format": _one_of("image/png", "image/jpeg", "image/webp"),
    "version": _one_of("1.1.1", "1.3.0"),
    "subdomains": _subdomains,
    "attribution": _text,
    "min_zoom": _zoom,
    "max_zoom": _zoom,
    "coordinates": _one_of("wgs84", "gcj02"),
    "imagery": _yes_or_no,
}

_SHOWN = ("name", "attribution", "coordinates", "imagery")
KINDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "xyz": (("url",), (*_SHOWN, "subdomains", "min_zoom", "max_zoom")),
    "wms": (("url", "layers"), (*_SHOWN, "format", "version", "subdomains", "min_zoom", "max_zoom")),
    "tianditu": (("key",), ()),
    "amap": ((), ()),
    "mbtiles": (("file",), _SHOWN),
    "pmtiles": (("file",), _SHOWN),
}
"""Each kind with the keys that it needs and those that it may have besides."""


def read_basemap(table: Mapping[str, Any], where: str, folder: Path, problem: Problem) -> Basemap | None:
    """One section; ``None`` after a mistake, which ``problem`` was told. A relative file is beside the settings."""
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        problem("kind" if "kind" in table else None, "kind must be one of " + ", ".join(f'"{one}"' for one in KINDS))
        return None
    needed, others = KINDS[kind]
    values: dict[str, Any] = {}
    good = True
    for key, value in table.items():
        if key == "kind":
            continue
        if key not in (*needed, *others):
            known = ", ".join((*needed, *others)) or "none"
            problem(key, f"{key} is not a setting of kind {kind}; there are {known}")
            good = False
            continue
        try:
            values[key] = _CHECKS[key](value)
        except ValueError as error:
            problem(key, f"{key} {error}")
            good = False
    for key in needed:
        if key not in table:
            problem(None, f"kind {kind} needs {key}")
            good = False
    if not good:
        return None
    if "file" in values:
        values["file"] = folder / values["file"]
    basemap = Basemap(kind, where, **values)
    for key, told in _amiss(basemap):
        problem(key, f"{key} {told}")
        good = False
    return basemap if good else None


def _amiss(basemap: Basemap) -> list[tuple[str, str]]:
    """What two keys must be to each other."""
    found = []
    placeholders = set(_PLACEHOLDER.findall(basemap.url))
    if basemap.kind == "xyz" and not ({"z", "x"} <= placeholders and placeholders & {"y", "-y"}):
        found.append(("url", "must hold {z}, {x} and {y}, where the tile's numbers go"))
    if basemap.kind == "wms" and placeholders - {"s"}:
        found.append(("url", "is the service's address alone: layers and the rest are added to it"))
    if "s" in placeholders and not basemap.subdomains:
        found.append(("url", 'holds {s}: say with subdomains = "abc" what it stands for'))
    if basemap.min_zoom > basemap.max_zoom:
        found.append(("min_zoom", f"must not be more than max_zoom ({basemap.max_zoom})"))
    return found
