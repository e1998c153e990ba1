"""How a unit looks from outside: as an object of the API, as a row of the feed, as an entry of the roster."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from typing import Any

from tracker.clockwatch import skew_of
from tracker.coordinate_watch import CoordinateWatch
from tracker.intake import Intake
from tracker.mirror import Mirror
from tracker.model import FOREVER, AreaId, Device, Doubt, Duty, Unit, UnitId
from tracker.roster import Roster
from webmap.changes import Brief
from webmap.rights import Scope, with_street

SOS = 1
"""The bit of an alarm that says so, in every protocol."""


def roster_view(unit: Unit) -> dict[str, Any]:
    """What the roster has of a unit."""
    return {
        "id": unit.id, "kind": unit.kind, "name": unit.name, "team": unit.team, "street": unit.street,
        "grid": unit.grid or None, "vehicle": unit.vehicle or None, "duty": unit.duty,
    }  # fmt: skip


def unit_view(intake: Intake, mirror: Mirror, watch: CoordinateWatch, unit: UnitId) -> dict[str, Any]:
    """Degrees, metres, m/s, ms since 1970; ``None`` for what is not known."""
    about = intake.roster.units[unit]
    state = mirror.units.get(unit)
    devices = intake.roster.devices_of(unit)
    clocks = state.clocks if state else {}
    view: dict[str, Any] = {
        "id": unit, "kind": about.kind, "name": about.name, "team": about.team, "street": about.street,
        "grid": about.grid or None, "vehicle": about.vehicle or None,
        "duty": duty_state(about.duty, intake.roster.on_duty(unit, intake.wall())),
        "state": mirror.presence(unit).name, "last_message": mirror.last_message(unit),
        "devices": [
            {"id": device.id, "protocol": device.protocol, "clock_skew_ms": skew_of(clocks.get(device.id))}
            for device in devices
        ],
        "device": devices[0].id if devices else None,
        "position": None,
        "warnings": [told for device in devices if (told := coordinate_warning(watch, device))],
    }  # fmt: skip
    if state is None:
        return view
    if state.device:
        view["device"] = state.device
    view |= {
        "alarm": state.alarm, "battery": state.battery, "charging": state.charging, "network": state.network,
        "fix_state": state.fix_state, "clock_skew_ms": skew_of(clocks.get(view["device"])),
        "distance_m": round(state.distance, 1),
        "doubts": [doubt.name.lower() for doubt in Doubt if state.doubts & doubt and doubt.name],
    }  # fmt: skip
    if state.latitude is not None and state.longitude is not None and mirror.shows(unit):
        view["position"] = {
            "lat": state.latitude / 1e7, "lon": state.longitude / 1e7, "fix_time": state.fix_time,
            "altitude": state.altitude, "course": state.course,
            "speed": None if state.speed is None else state.speed / 100,
            "accuracy": None if state.accuracy is None else state.accuracy / 10,
            "grid": state.grid, "cell": state.cell, "device": state.device,
        }  # fmt: skip
    return view


def duty_state(mode: str, duty: Duty | None) -> dict[str, Any]:
    """How a unit comes to be on duty, whether it is, since and until when (ms; ``None``: always), and what says so."""
    found = interval_view(duty) if duty is not None else {"start": None, "end": None, "by": None}
    return {"mode": mode, "on": duty is not None, "since": found["start"], "until": found["end"], "by": found["by"]}


def interval_view(duty: Duty) -> dict[str, Any]:
    """A duty interval; ``None`` for an end that it does not have."""
    return {"start": duty.start or None, "end": None if duty.end == FOREVER else duty.end, "by": duty.by}


_SYSTEMS = {"wgs84": "WGS-84", "gcj02": "GCJ-02", "bd09": "BD-09"}


def coordinate_warning(watch: CoordinateWatch, device: Device) -> dict[str, str] | None:
    """What to tell of a device whose points fit its unit's grid in another coordinate system alone; ``coordinates``
    is that system, as the device can be amended to."""
    system = watch.suspected(device.id, device.coordinates)
    if system is None:
        return None
    other, declared = _SYSTEMS[system], _SYSTEMS[device.coordinates]
    return {
        "code": "coordinates",
        "device": device.id,
        "coordinates": system,
        "text": f"The positions of device {device.id} lie in the unit's own grid only when they are read as {other}; "
        f"it is registered as {declared}. Check what it sends, and amend its coordinate system.",
        "zh": f"设备 {device.id} 的位置按 {other} 解读才落在本人责任网格内，而登记的坐标系是 {declared}。"
        "请核对设备实际使用的坐标系并修改登记。",
    }


def feed_row(mirror: Mirror, unit: str) -> tuple[float | None, float | None, Brief, list[Any]]:
    """Latitude, longitude, brief, and the feed's array: id, lat, lon, course, m/s, presence, fix time, last
    message, accuracy in metres, alarm, battery in percent, grid, cell, doubts. Off duty there is no place."""
    identity = UnitId(unit)
    state = mirror.units.get(identity)
    presence = int(mirror.presence(identity))
    seen = mirror.last_message(identity)
    if state is None or not mirror.shows(identity):
        alarm, battery, doubts = (None, None, None) if state is None else (state.alarm, state.battery, state.doubts)
        values: list[Any] = [
            unit,
            None,
            None,
            None,
            None,
            presence,
            None,
            seen,
            None,
            alarm,
            battery,
            None,
            None,
            doubts,
        ]
        return None, None, (presence, (alarm or 0) & SOS), values
    latitude = None if state.latitude is None else state.latitude / 1e7
    longitude = None if state.longitude is None else state.longitude / 1e7
    values = [
        unit, latitude, longitude, state.course, None if state.speed is None else state.speed / 100, presence,
        state.fix_time, seen, None if state.accuracy is None else state.accuracy / 10, state.alarm, state.battery,
        state.grid, state.cell, state.doubts,
    ]  # fmt: skip
    return latitude, longitude, (presence, (state.alarm or 0) & SOS), values


class RosterText:
    """The roster as the feed's JSON, made anew only when units or devices have changed, and with a new version only if
    it reads differently. ``shown``: the ids of those who are in it; without it all are."""

    def __init__(self, roster: Roster, shown: Callable[[], Collection[UnitId]] | None = None) -> None:
        self._roster = roster
        self._shown = shown
        self._looked = self._version = -1
        self._text = "{}"

    def __call__(self) -> tuple[int, str]:
        roster = self._roster
        if self._looked != roster.labels_version:
            self._looked = roster.labels_version
            shown = roster.units.keys() if self._shown is None else self._shown()
            devices = {unit: roster.devices_of(unit) for unit in shown}
            entries = {
                unit.id: {
                    "name": unit.name, "kind": unit.kind, "team": unit.team, "street": unit.street,
                    "grid": unit.grid or None, "device_protocol": held[-1].protocol if held else None,
                }
                for unit, held in ((roster.units[unit], held) for unit, held in devices.items() if unit in roster.units)
            }  # fmt: skip
            text = json.dumps(entries, ensure_ascii=False, separators=(",", ":"))
            if text != self._text or self._version < 0:
                self._version, self._text = self._looked, text
        return self._version, self._text


AREAS_KEPT = 64 << 20
"""Bytes of grids that are kept as they are answered: a city's 100,000 cells are some 40 MB."""


class AreasText:
    """Grids and cells as the API answers them, made once for all who reach the same."""

    def __init__(self, roster: Roster, limit: int = AREAS_KEPT) -> None:
        self._roster = roster
        self._limit = limit
        self._version = -1
        self._kept: dict[tuple[Scope, str], bytes] = {}

    def __call__(self, scope: Scope, own: str) -> bytes:
        """What the scope covers; ``own`` is the grid of the asker's unit."""
        if self._version != self._roster.areas_version:
            self._version = self._roster.areas_version
            self._kept.clear()
        text = self._kept.pop((scope, own), None)
        if text is None:
            text = areas_geojson(self._roster, scope, own)
        self._kept[scope, own] = text
        while sum(map(len, self._kept.values())) > self._limit:
            del self._kept[next(iter(self._kept))]
        return text


def areas_geojson(roster: Roster, scope: Scope, own: str = "") -> bytes:
    """The grids and cells that a scope covers as a GeoJSON FeatureCollection, grids first."""
    areas = roster.areas
    found = (
        area for area in areas.values()
        if scope.covers_area(with_street(area, areas.get(AreaId(area.parent))), own)
    )  # fmt: skip
    features = [
        {
            "type": "Feature", "id": area.id, "geometry": area.geometry,
            "properties": {
                **area.properties, "id": area.id, "name": area.name, "level": area.level,
                "parent": area.parent or None, "street": area.street, "owner": area.owner or None,
            },
        }
        for area in sorted(found, key=lambda area: (area.level != "grid", area.id))
    ]  # fmt: skip
    return json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False,
                      separators=(",", ":")).encode()  # fmt: skip
