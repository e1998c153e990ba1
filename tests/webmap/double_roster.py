"""People and devices of the stand-in server as the page of them changes them; codes are told whatever digits a test
wants. The devices themselves are those of double_devices.py."""

from __future__ import annotations

from typing import Any

from protocols.phone_setup import APPS
from tests.webmap.double_devices import TITLES, Devices
from tracker.enrolment import VALID_MS, WRONG_LIMIT
from webmap.phone_api import qr_svg

Answer = tuple[int, Any]


class People:
    """What the API has of units that are amended, of who carries what, and of codes."""

    def __init__(self, devices: Devices) -> None:
        self._devices = devices
        self.offers: dict[str, dict[str, Any]] = {}

    def joined(self, offer: str) -> None:
        """A phone comes with the code."""
        held = self.offers[offer]
        device = self._devices.make(held["app"], held["unit"], f"f3a9c1{len(self._devices.devices):09d}")
        device |= {"shift": held["shift"], "bindings": [_binding(held["unit"], self._devices.now, held["shift"])]}
        held |= {"state": "used", "typable": False, "device": device["id"]}

    def guessed(self, offer: str, wrong: int) -> None:
        """So many wrong codes were typed."""
        self.offers[offer] |= {"wrong": wrong, "typable": wrong < WRONG_LIMIT}

    def answer(self, method: str, parts: list[str], given: Any, now: int) -> Answer | None:
        """Status and JSON; ``None`` for what is not ours."""
        devices, people = self._devices.devices, self._devices.people
        if parts == ["devices"] and method == "GET":
            return 200, {"devices": list(devices.values()), "unknown": self._devices.unknown}
        if parts == ["units"] and method == "POST":
            return 201, {"units": [self._put(fields) for fields in given]}
        if parts == ["units", "table"]:
            return self._table(given)
        if parts[0] == "units" and parts[2:] == ["enrolment"]:
            return self._offer(parts[1], given, now)
        if parts[0] == "units" and parts[2:3] == ["duty"]:
            on = given["on"] if method == "POST" else parts[3].endswith("-off")
            people[parts[1]]["duty"] = _duty("events", on, now)
            return 201, {"unit": parts[1], "told": f"{now}-{'on' if on else 'off'}"}
        if parts == ["enrolments"]:
            door = {"bind": "0.0.0.0", "port": 8081, "local": False, "address": "192.168.1.20", "tls": False}
            apps = [{"protocol": app, "title": TITLES.get(app, app)} for app in (*APPS, "handheld")]
            return 200, {"now": now, "door": door, "apps": apps}
        if parts[0] == "enrolments":
            if method == "DELETE":
                self.offers[parts[1]]["state"] = "withdrawn"
            return 200, self.offers[parts[1]]
        if parts[0] == "devices" and parts[2:] == ["binding"]:
            device, unit = devices[parts[1]], given["unit"]
            if device["unit"]:
                people[device["unit"]]["devices"] = [
                    one for one in people[device["unit"]]["devices"] if one["id"] != device["id"]
                ]
            device |= {"unit": unit, "bindings": [_binding(unit, now, False)] if unit else []}
            if unit:
                people[unit]["devices"].append({"id": device["id"], "protocol": device["protocol"]})
            return 200, device
        if parts[0] == "devices" and parts[2:] == ["token"]:
            device = devices[parts[1]]
            device["revoked"] = method == "DELETE"
            return (200, device | {"token": f"new-token-of-{device['id']}"}) if not (given or {}).get("base") else None
        return None

    def _put(self, fields: dict[str, Any]) -> dict[str, Any]:
        people = self._devices.people
        unit = fields.get("id") or f"p{len(people) + 1}"
        known = people.setdefault(unit, {"devices": [], "kind": "person", "team": "", "street": "", "grid": None})
        known |= {key: fields[key] for key in ("kind", "name", "team", "street", "duty") if key in fields}
        if isinstance(known.get("duty"), str):
            known["duty"] = _duty(known["duty"], known["duty"] == "always")
        known["grid"] = fields.get("grid") or None
        return self._devices.unit(unit)

    def _table(self, given: dict[str, Any]) -> Answer:
        lines = given["table"].strip().splitlines()
        if "name" not in lines[0]:
            return 422, {"error": {"code": "bad_table", "text": "table:1: no column name", "zh": "表格有误"}}
        heads = lines[0].split(",")
        rows = [dict(zip(heads, line.split(","), strict=False)) for line in lines[1:]]
        if given["put"]:
            for row in rows:
                self._put(row)
        return 200, {"added": len(rows), "changed": 0, "unchanged": 0, "notes": [], "notes_zh": []}

    def _offer(self, unit: str, given: dict[str, Any], now: int) -> Answer:
        link = f"{given['base']}/join#secret"
        offer = {
            "id": f"o{len(self.offers) + 1}", "unit": unit, "app": given["app"], "shift": given["shift"],
            "state": "open", "expires": now + VALID_MS, "typable": True, "wrong": 0, "device": None,
        }  # fmt: skip
        self.offers[offer["id"]] = offer
        return 201, offer | {"digits": "482913", "link": link, "qr": qr_svg(link)}


def _duty(mode: str, on: bool, since: int | None = None) -> dict[str, Any]:
    return {"mode": mode, "on": on, "since": since if on else None, "until": None, "by": "seat" if on else None}


def _binding(unit: str, start: int, shift: bool) -> dict[str, Any]:
    return {"unit": unit, "from": start, "to": None, "shift": shift}
