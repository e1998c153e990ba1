"""The city's listeners as they will be: where each is bound, whether it speaks TLS, and whom it takes in.

A listener that every network can reach speaks TLS, or says in the settings from which networks it takes plain text;
:func:`doors` refuses the settings otherwise. Devices' protocols that have no TLS take private networks until the
settings say more.
"""

from __future__ import annotations

from dataclasses import dataclass

from storage.config import Listener, SecureListener, Settings, listeners
from storage.networks import PRIVATE, Network, is_loopback
from storage.toml import ConfigError


@dataclass(frozen=True, slots=True)
class Door:
    """One listener. ``networks``: from where it takes connections, ``None`` for from anywhere."""

    name: str
    bind: str
    port: int
    tls: bool
    networks: tuple[Network, ...] | None

    @property
    def local(self) -> bool:
        """Whether only this machine reaches it."""
        return is_loopback(self.bind)

    @property
    def sources(self) -> list[str] | None:
        """``networks`` as text."""
        return None if self.networks is None else [str(network) for network in self.networks]


def doors(settings: Settings, certified: bool) -> dict[str, Door]:
    """All of them by name. ``certified``: there is a certificate. Raises :class:`ConfigError` for those that would
    speak in the clear to networks that nobody named."""
    problems: list[tuple[int, str]] = []
    bare: dict[str, list[tuple[str, str]]] = {}
    found = {}
    for name, listener in listeners(settings):
        tls = _speaks_tls(listener, certified)
        if tls and not certified:
            line, place = settings.source.line(name, "tls"), settings.source.place(name, "tls")
            told = "tls is true, but there is no certificate: ./run make-certificate makes one, or [tls] names yours"
            problems.append((line, f"{place}: [{name}] {told}"))
        networks = listener.networks
        if networks is None and not tls and not is_loopback(listener.bind):
            networks = PRIVATE
            if isinstance(listener, SecureListener):
                bare.setdefault(settings.source.place(name, "bind", "server"), []).append((name, listener.bind))
        found[name] = Door(name, listener.bind, listener.port, tls, networks)
    for place, those in bare.items():
        names = ", ".join(f"[{name}]" for name, _ in those)
        line = settings.source.line(those[0][0], "bind", "server")
        problems.append((line, f"{place}: {_BARE.format(names=names, bind=those[0][1], first=those[0][0])}"))
    if problems:
        raise ConfigError([told for _, told in sorted(problems)])
    return found


_BARE = (
    "{names} at {bind}: networks would reach this without TLS. ./run make-certificate makes a certificate, [tls] names "
    'one of yours; or say from where plain text may come, for example [{first}] networks = ["192.168.0.0/16"]'
)


def _speaks_tls(listener: Listener, certified: bool) -> bool:
    if not isinstance(listener, SecureListener):
        return False
    return certified if listener.tls is None else listener.tls
