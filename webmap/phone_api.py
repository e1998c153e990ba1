"""The routes of phones: how the apps reach this server, and what each is told, as fields, link and QR code."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable
from contextlib import closing, suppress
from io import BytesIO
from typing import Any

import segno

from protocols.phone_setup import APPS, setup
from tracker.catalogue import CATALOGUE
from webmap.rights import Action
from webmap.routes import ApiError, Route, answer, who_of
from webmap.services import Services

BASE = re.compile(r"https?://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?")
BASE_LIMIT = 200
"""Characters of an address: it has to fit into a QR code that a phone reads from a screen."""


def add_phones(route: Route, services: Services, address: Callable[[], str | None] | None = None) -> None:
    """Put the routes on the console's app. ``address`` tells this machine's own address in its network."""
    intake, roster = services.intake, services.intake.roster
    address = address or own_address

    @route("GET", "/api/v1/phones", Action.DEVICES)
    def phones(request: Any) -> bytes:
        (bind, port), mirror = services.phones(), services.mirror
        who = who_of(request)
        scope, adopts = who.scope(Action.DEVICES), who.may(Action.DEVICES_CHANGE)
        found = []
        for device in roster.devices.values():
            if device.protocol not in APPS:
                continue
            unit = roster.units.get(device.unit)
            if unit is None or not scope.covers(unit):
                continue
            state = mirror.units.get(unit.id)
            single = len(roster.devices_of(unit.id)) == 1
            followed = single or (state is not None and state.device == device.id)
            found.append(
                {
                    "device": device.id, "protocol": device.protocol, "unit": unit.id, "name": unit.name,
                    "team": unit.team, "state": mirror.presence(unit.id).name if followed else "OFFLINE",
                    "last_message": mirror.last_message(unit.id) if followed else None,
                }
            )  # fmt: skip
        apps = [
            {"protocol": app, "title": CATALOGUE[app].title, "secret": CATALOGUE[app].secret}
            for app in APPS
            if app in CATALOGUE
        ]
        unknown = [
            {"protocol": protocol, "external_id": external, "times": times, "last": last}
            for (protocol, external), (times, last) in reversed(intake.unknown.items())
            if adopts and protocol in APPS
        ]
        tls = services.listening.doors["phones"].tls
        door = {"bind": bind or "0.0.0.0", "port": port, "tls": tls, "local": is_local(bind), "address": address()}
        told = {"now": services.wall(), "zone": str(services.city.zone), "door": door, "apps": apps}
        return answer(request, {**told, "phones": found, "unknown": unknown})


def setup_view(app: str, base: str, external_id: str, token: str | None) -> dict[str, Any]:
    """How a phone is set up: a link, the same as a QR code, and as fields to type."""
    told = setup(app, base, external_id, token)
    steps = [{"label": step.label, "zh": step.zh, "value": step.value} for step in told.steps]
    return {"app": told.app, "link": told.link, "qr": qr_svg(told.link), "steps": steps}


def base_of(given: Any) -> str:
    """The address at which phones reach us, as the page was told it."""
    given = given.strip().rstrip("/") if isinstance(given, str) else ""
    found = BASE.fullmatch(given) if len(given) <= BASE_LIMIT else None
    if found is None or not 0 < int((found[2] or ":80")[1:]) < 65536:
        text = "base must be an address such as http://192.168.1.20:5055"
        raise ApiError(422, "bad_base", text, "base 须为地址，如 http://192.168.1.20:5055")
    return str(given)


def qr_svg(link: str) -> str:
    """The link as a QR code: dark on white with its quiet zone, whatever the page's theme is. No style, no size."""
    written = BytesIO()
    code = segno.make(link, error="m", micro=False, boost_error=False)
    code.save(written, kind="svg", border=4, omitsize=True, dark="#000", light="#fff", xmldecl=False, nl=False)
    return written.getvalue().decode()


def is_local(bind: str) -> bool:
    """Whether only programs of this machine get through a door that listens there."""
    return bool(bind) and ipaddress.ip_address(bind).is_loopback


def own_address() -> str | None:
    """The address of this machine in the network that its default route leads to; ``None`` without one."""
    with suppress(OSError), closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        # Connecting a datagram socket only asks the routing table; nothing is sent.
        probe.connect(("192.0.2.1", 9))
        found = str(probe.getsockname()[0])
        return None if is_local(found) else found
    return None
