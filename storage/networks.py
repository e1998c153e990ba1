"""Source networks: which addresses a listener takes connections from."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

NETWORKS_LIMIT = 64
"""Networks of one listener: each is compared for every connection that comes."""

PRIVATE: tuple[Network, ...] = tuple(
    ipaddress.ip_network(one)
    for one in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16",
                "::1/128", "fc00::/7", "fe80::/10")
)  # fmt: skip
"""This machine and networks that no router of the internet leads to (RFC 1918, 3927, 4193). Not 100.64.0.0/10: that is
what a carrier's customers share."""


def networks(value: Any) -> tuple[Network, ...]:
    """The check of a setting: a list of networks, at least one. Raises ``ValueError`` with words."""
    if not isinstance(value, list) or not value or len(value) > NETWORKS_LIMIT:
        raise ValueError('must be a list of networks such as ["10.0.0.0/8"] (["0.0.0.0/0", "::/0"]: from anywhere)')
    found = []
    for one in value:
        try:
            found.append(ipaddress.ip_network(one if isinstance(one, str) else ""))
        except ValueError as error:
            reason = str(error) if isinstance(one, str) and "host bits" in str(error) else "no network"
            raise ValueError(f'holds {str(one)[:60]!r}, which is not like "10.0.0.0/8" ({reason})') from None
    return tuple(found)


def is_loopback(bind: str) -> bool:
    """Whether only programs of this machine reach what is bound there."""
    return ipaddress.ip_address(bind).is_loopback


def within(networks: Iterable[Network], host: str) -> bool:
    """Whether an address lies in one of them. What is no address lies in none."""
    try:
        source = ipaddress.ip_address(host)
    except ValueError:
        return False
    # A listener on "::" sees IPv4 in this form.
    mapped = source.ipv4_mapped if isinstance(source, ipaddress.IPv6Address) else None
    return any((mapped or source) in network for network in networks)


def counted_as(address: str) -> str:
    """What an address is counted as where each has so much: itself, or of IPv6 its network of 64 bits, which is what
    one customer has."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if found.version == 6:
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))
    return str(found)
