"""The certificate that this server shows, and how a phone comes to trust it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from storage.certificates import fingerprint
from storage.networks import is_loopback
from webmap.authority_page import HOST, PAGE, name_of, rows
from webmap.phone_api import own_address, qr_svg
from webmap.rights import Action
from webmap.routes import ApiError, Route, answer
from webmap.services import Services

SITES = ("field", "phones", "console")
"""Those that show the page, the one that phones reach first."""


def add_certificate(route: Route, services: Services, address: Callable[[], str | None] | None = None) -> None:
    """Put the route on the console's app. ``address`` tells this machine's own address in its network."""
    listening = services.listening
    address = address or own_address

    @route("GET", "/api/v1/certificate", Action.SELF)
    def certificate(request: Any) -> bytes:
        certificates = listening.certificates
        if certificates is None:
            return answer(request, {"tls": False})
        pair = certificates.pair
        told = {"tls": True, "names": pair.names, "ends": pair.ends, "private": certificates.private}
        if certificates.authority is not None:
            link = _link(request)
            told |= {
                "name": name_of(certificates.authority),
                "fingerprint": rows(fingerprint(certificates.authority)),
                "link": link,
                "qr": None if link is None else qr_svg(link),
            }
        return answer(request, told)

    def _link(request: Any) -> str | None:
        """Where a phone finds the page, in the clear; ``None`` if nothing but this machine reaches it."""
        given = (request.args.get(b"host") or [b""])[0].decode("latin-1")
        if given and not HOST.fullmatch(given):
            raise ApiError(422, "bad_host", "host must be a name or an address", "host 须为名称或地址")
        host = HOST.fullmatch(given)[1] if given else ""  # type: ignore[index]
        reached = [name for name in SITES if listening.doors[name].tls and not listening.doors[name].local]
        if not reached:
            return None
        if not host or _is_here(host):
            bind = listening.doors[reached[0]].bind
            here = bind if bind not in ("0.0.0.0", "::") else address() or ""
            host = f"[{here}]" if ":" in here else here
        return f"http://{host}:{listening.numbers[reached[0]]}{PAGE}" if host else None


def _is_here(host: str) -> bool:
    try:
        return is_loopback(host.strip("[]"))
    except ValueError:
        return host.lower() == "localhost"
