"""The grids of the stand-in server: the town's, judged and put in by the real judge, and taken back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from tests.webmap.double_city import Town
from tracker.area_judging import judge
from tracker.areas import read_areas
from tracker.model import Area, AreaId
from webmap.grid_api import _told, area_view, verdict_view


class Areas:
    """All areas by id; ``last`` is what was there before the last import."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self._all: dict[AreaId, Area] | None = None
        self.last: tuple[dict[AreaId, Area], dict[str, Any]] | None = None

    @property
    def all(self) -> dict[AreaId, Area]:
        """Read when somebody asks for them: most tests never do."""
        if self._all is None:
            self._all = {area.id: area for area in read_areas(json.loads(json.dumps(self._town.geojson())))}
        return self._all

    @property
    def count(self) -> int:
        return len(self._town.geojson()["features"]) if self._all is None else len(self._all)

    def answer(self, method: str, parts: list[str], query: str, body: Any, now: int) -> tuple[int, Any]:
        if parts[0] == "grid-import":
            return self._import(method)
        if method == "GET":
            return 200, self._town.geojson() if self._all is None else self._geojson()
        if method == "POST":
            return self._put(query, body, now)
        area = self.all[AreaId(parts[1])]
        self.last = None
        if method == "DELETE":
            gone = [one.id for one in self.all.values() if area.id in (one.id, one.parent)]
            for id in gone:
                del self.all[id]
            return 200, {"removed": len(gone)}
        self.all[area.id] = replace(area, **body)
        return 200, area_view(self.all[area.id])

    def _geojson(self) -> dict[str, Any]:
        features = [
            {"type": "Feature", "id": area.id, "geometry": area.geometry,
             "properties": {**area.properties, **area_view(area)}}
            for area in self.all.values()
        ]  # fmt: skip
        return {"type": "FeatureCollection", "features": features}

    def _put(self, query: str, body: Any, now: int) -> tuple[int, Any]:
        verdict = judge(body, self.all)
        if "check=1" in query:
            return 200, verdict_view(verdict)
        if verdict.problems:
            text, zh = _told(verdict)
            return 422, {"error": {"code": "bad_geojson", "text": text, "zh": zh}}
        before = dict(self.all)
        self.all.update({area.id: area for area in verdict.areas})
        removed = verdict.missing if "remove_missing=1" in query else []
        for id in removed:
            del self.all[id]
        levels = [area.level for area in verdict.areas]
        told = {"grids": levels.count("grid"), "cells": levels.count("cell"), "removed": len(removed)}
        self.last = before, {"by": "demo", "at": now, **told}
        return 201, told

    def _import(self, method: str) -> tuple[int, Any]:
        if method == "GET":
            return 200, {"last": self.last and self.last[1]}
        if self.last is None:
            return 409, {"error": {"code": "no_import", "text": "there is none", "zh": "没有可撤销的导入"}}
        self._all, self.last = self.last[0], None
        return 200, {"restored": 1}
