"""The devices of the stand-in server: phones that are being set up, terminals that take commands. All in memory.

``heard`` and ``fix`` are what a phone does; ``tick`` lets commands go their way: queued, sent, done, as the real
server's do, a step a second. Commands to a device that is not connected stay queued.
"""

from __future__ import annotations

import base64
import re
import struct
import zlib
from typing import Any

from protocols.phone_setup import APPS, setup
from webmap.phone_api import qr_svg

KINDS = {
    "jt808": [
        "text", "locate", "follow", "parameters", "query_parameters", "areas_set", "areas_delete", "photo",
    ],
    "handheld": ["locate"],
}  # fmt: skip
EXPIRES_S = {"text": 86_400, "parameters": 86_400, "areas_set": 86_400, "areas_delete": 86_400, "locate": 60}
TITLES = {"traccar": "Traccar Client", "owntracks": "OwnTracks", "gpslogger": "GPSLogger", "overland": "Overland"}
PARAMETERS = {"heartbeat_s": 60, "report_s": 10, "speed_limit_kmh": 60, "main_server": "10.1.2.3"}

Answer = tuple[int, Any]


def error(status: int, code: str, text: str, zh: str) -> Answer:
    return status, {"error": {"code": code, "text": text, "zh": zh}}


def photo(number: int) -> bytes:
    """A small picture: PNG, stripes whose colour says which one it is."""
    width, height = 96, 72
    tones = ((90, 130, 170), (170, 120, 80), (90, 150, 100))
    rows = b"".join(
        b"\0" + bytes(tone if (x + y) // 12 % 2 else 225 for x in range(width) for tone in tones[number % 3])
        for y in range(height)
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class Devices:
    """What the API has of devices, phones and commands."""

    def __init__(self, roster: dict[str, dict[str, Any]], now: int) -> None:
        self.devices: dict[str, dict[str, Any]] = {}
        self.people: dict[str, dict[str, Any]] = {}
        self.commands: dict[str, dict[str, Any]] = {}
        self.state: dict[str, dict[str, Any]] = {}  # by unit: position, last_message, warnings
        self.unknown: list[dict[str, Any]] = []
        self.bind, self.tls, self.address, self.reach = "0.0.0.0", False, "192.168.1.20", True
        self.now = now
        for unit, about in roster.items():
            self.people[unit] = {**about, "devices": []}
            self.make(about["device_protocol"], unit, f"id-of-{unit}")

    def make(self, protocol: str, unit: str, external: str) -> dict[str, Any]:
        device: dict[str, Any] = {
            "id": f"d{len(self.devices) + 1}", "protocol": protocol, "external_id": external, "unit": unit,
            "networks": [], "header": 0, "coordinates": "wgs84", "lenient": False,
            "connected": protocol in KINDS, "commands": KINDS.get(protocol, []),
            "revoked": False, "shift": False, "bindings": [],
        }  # fmt: skip
        self.devices[device["id"]] = device
        self.people[unit]["devices"].append({"id": device["id"], "protocol": protocol})
        return device

    # -- what a test does

    def switch(self, verb: str, given: dict[str, Any]) -> None:
        """``device`` and ``command`` amend one; ``heard``, ``fix`` and ``point`` are what a phone sends, ``stranger``
        is one that nobody knows; ``door`` is where phones come in; ``warn`` puts warnings on a unit."""
        if verb == "device":
            self.devices[given.pop("id")].update(given)
        elif verb == "warn":
            self.state.setdefault(given["unit"], {})["warnings"] = given["warnings"]
        elif verb in ("heard", "fix", "point"):
            device = self.devices[given.pop("device")]
            held = self.state.setdefault(device["unit"], {})
            held["last_message"] = self.now
            if verb == "heard":
                return
            point = {"device": device["id"], "fix_time": self.now, "server_time": self.now, "accuracy": 8.0} | given
            held.setdefault("points", []).append({"flags": [], "lat": 30.0, "lon": 120.0, **point})
            if verb == "fix":
                held["position"] = point
        elif verb == "stranger":
            self.unknown = [{"protocol": "traccar", "external_id": given["id"], "times": given["times"], "last": 0}]
        elif verb == "door":
            self.bind, self.address, self.tls = given["bind"], given["address"], given.get("tls", False)
        elif verb == "command":
            self.commands[given.pop("id")].update(given)
        else:
            raise AssertionError(verb)

    def tick(self, now: int) -> None:
        """One second later."""
        self.now = now
        for command in self.commands.values():
            connected = self.devices[command["device"]]["connected"]
            if command["state"] == "queued" and connected:
                command |= {"state": "sent", "sent": now, "tries": 1}
            elif command["state"] == "sent":
                result = self.result(command)
                if result is not None:
                    command |= {"state": "done", "answered": now, "result": result or None}

    def result(self, command: dict[str, Any]) -> dict[str, Any] | None:
        """What comes of it now; ``None``: more is to come."""
        if command["kind"] == "query_parameters":
            return {"parameters": PARAMETERS}
        if command["kind"] != "photo":
            return {}
        taken = (command["result"] or {"photos": []})["photos"]
        number = len(taken) + 1
        url = f"/api/v1/commands/{command['id']}/photo/{number}"
        command["result"] = {"photos": [*taken, {"media_id": number, "size": 5000, "url": url}]}
        return command["result"] if number == command["arguments"].get("count", 1) else None

    # -- what the page asks

    def answer(self, method: str, parts: list[str], query: str, given: Any) -> Answer | bytes | None:
        """Status and JSON, or a picture; ``None`` for what is not ours."""
        if parts == ["phones"]:
            return 200, self.phones()
        if parts == ["units"]:
            return 200, {"units": [self.unit(unit) for unit in self.people]}
        if parts[0] == "units" and len(parts) == 2:
            return 200, self.unit(parts[1])
        if parts[0] == "units" and parts[2:] == ["track"] and "points" in self.state.get(parts[1], {}):
            return 200, {"unit": parts[1], "points": self.state[parts[1]]["points"]}
        if parts == ["devices"] and method == "POST":
            return self.register(given)
        if parts[0] == "devices" and len(parts) > 1:
            device = self.devices[parts[1]]
            if parts[2:] == ["token"]:
                device["serial"] = device.get("serial", 0) + 1
                return self.shown(200, device, given)
            if parts[2:] == ["commands"]:
                if method == "POST":
                    return self.send(device, given)
                newest = [one for one in reversed(self.commands.values()) if one["device"] == device["id"]]
                return 200, {"commands": newest}
            if method == "PATCH":
                device.update(given)
            return 200, device
        if parts[0] == "commands":
            command = self.commands[parts[1]]
            if parts[2:3] == ["photo"]:
                return photo(int(parts[3]))
            if method == "DELETE":
                command |= {"state": "cancelled", "text": "cancelled", "zh": "已取消"}
            return 200, command
        return None

    def phones(self) -> dict[str, Any]:
        found = [
            {
                "device": device["id"], "protocol": device["protocol"], "unit": device["unit"],
                "name": self.people[device["unit"]]["name"], "team": self.people[device["unit"]]["team"],
                "state": "ONLINE_FIX" if "position" in self.state.get(device["unit"], {}) else "OFFLINE",
                "last_message": self.state.get(device["unit"], {}).get("last_message"),
            }
            for device in self.devices.values()
            if device["protocol"] in APPS
        ]  # fmt: skip
        local = self.bind.startswith("127.")
        door = {"bind": self.bind, "port": 5055, "tls": self.tls, "local": local, "address": self.address}
        apps = [{"protocol": app, "title": TITLES[app], "secret": app != "traccar"} for app in APPS]
        return {
            "now": self.now, "zone": "Asia/Shanghai", "door": door, "apps": apps, "phones": found,
            "unknown": self.unknown,
        }  # fmt: skip

    def unit(self, unit: str) -> dict[str, Any]:
        about, state = self.people[unit], self.state.get(unit, {})
        return {
            "id": unit, "kind": about["kind"], "name": about["name"], "team": about["team"],
            "street": about["street"], "grid": about["grid"], "devices": about["devices"],
            "device": about["devices"][0]["id"] if about["devices"] else None,
            "state": "ONLINE_FIX" if "position" in state else "OFFLINE", "last_message": state.get("last_message"),
            "position": state.get("position"), "warnings": state.get("warnings", []),
            **({"duty": about["duty"]} if isinstance(about.get("duty"), dict) else {}),
        }  # fmt: skip

    def register(self, given: dict[str, Any]) -> Answer:
        unit = given.get("unit") or f"p{len(self.people) + 1}"
        if unit not in self.people:
            if given["name"] == "Refused":
                return error(422, "no_name", "a person needs a name", "缺少姓名")
            about = {key: given.get(key) or "" for key in ("name", "team", "street")}
            self.people[unit] = {**about, "kind": "person", "grid": given.get("grid") or None, "devices": []}
        return self.shown(201, self.make(given["protocol"], unit, f"f3a9c1{len(self.devices):09d}"), given)

    def shown(self, status: int, device: dict[str, Any], given: Any) -> Answer:
        """A device with its new token, and what its app must be told."""
        base = (given or {}).get("base")
        if base is None or device["protocol"] not in APPS:
            return status, device | {"token": None}
        if not re.match(r"https?://", base):
            return error(422, "bad_base", "base must be an address", "base 须为地址")
        secret = (
            base64.b32encode(f"secret-{device['id']}-{device.get('serial', 0)}".encode()).decode().strip("=").lower()
        )
        told = setup(device["protocol"], base, device["external_id"], secret)
        steps = [{"label": step.label, "zh": step.zh, "value": step.value} for step in told.steps]
        set_up = {"app": told.app, "link": told.link, "qr": qr_svg(told.link), "steps": steps}
        return status, device | {"token": secret, "setup": set_up}

    def send(self, device: dict[str, Any], given: dict[str, Any]) -> Answer:
        kind = given.pop("kind")
        if kind not in device["commands"]:
            return error(422, "not_supported", "this device takes no such command", "该设备不支持此指令")
        if "listen" in str(given):
            return error(422, "forbidden_command", "listening in on people is not built", "不提供监听功能")
        expires = self.now + 1000 * int(given.pop("expires_s", EXPIRES_S.get(kind, 600)))
        command = {
            "id": f"c{len(self.commands) + 1}", "device": device["id"], "kind": kind, "arguments": given,
            "state": "queued", "created": self.now, "expires": expires, "sent": None, "tries": 0, "answered": None,
            "text": "", "zh": "", "result": None,
        }  # fmt: skip
        self.commands[command["id"]] = command
        return 202, command
