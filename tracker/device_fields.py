"""What may be said of how a device is read and where from, as a person or a program writes it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from protocols.report import CoordinateSystem
from tracker.model import Device
from tracker.refusal import Refusal

PRIVATE_NETWORKS = ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
"""Where a device without a secret is accepted from when its id was chosen by a person and no network was named."""

COORDINATES = {"wgs84": CoordinateSystem.WGS84, "gcj02": CoordinateSystem.GCJ02, "bd09": CoordinateSystem.BD09}
SWITCHES = ("header", "coordinates", "lenient")


def switches(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """How a device is to be read, as it was asked for or as it is without a word."""
    header = wanted.get("header", 0)
    if type(header) is not int or header not in (0, 2011, 2013, 2019):
        raise Refusal("bad_header", "header must be 2011, 2013 or 2019", "header 须为 2011、2013 或 2019")
    coordinates = wanted.get("coordinates", "wgs84")
    if coordinates not in COORDINATES:
        known = ", ".join(COORDINATES)
        raise Refusal("bad_coordinates", f"coordinates must be one of {known}", f"coordinates 须为 {known} 之一")
    lenient = wanted.get("lenient", False)
    if type(lenient) is not bool:
        raise Refusal("bad_lenient", "lenient must be true or false", "lenient 须为 true 或 false")
    return {"header": header, "coordinates": coordinates, "lenient": lenient}


def networks_of(wanted: Any) -> tuple[str, ...]:
    """Networks as a list or as words between commas."""
    if wanted is None:
        return ()
    if isinstance(wanted, str):
        wanted = [word.strip() for word in wanted.split(",") if word.strip()]
    try:
        return tuple(str(ipaddress.ip_network(network)) for network in wanted)
    except (ValueError, TypeError):
        raise Refusal(
            "bad_networks", 'networks must be a list such as ["10.0.0.0/8"]', 'networks 须为网段列表，如 ["10.0.0.0/8"]'
        ) from None


def admits(device: Device, address: str) -> bool:
    """Whether a device may speak from this address."""
    return not device.networks or _within(device.networks, address)


@lru_cache(maxsize=4096)  # a phone asks with every request, from the few addresses of its networks
def _within(networks: tuple[str, ...], address: str) -> bool:
    try:
        source = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(source, "ipv4_mapped", None)
    return any((mapped or source) in ipaddress.ip_network(network) for network in networks)
