"""The tracker's listeners, and its parts put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tracker.counters import Counters
from tracker.handheld_session import AppVersions, HandheldSession
from tracker.intake import Intake
from tracker.jt808_session import JT808Session
from tracker.links import Links
from tracker.tcp import DeviceFactory, HandheldLink, JT808Link, LinkLimits
from tracker.udp import JT808Datagrams
from tracker.websocket import HandheldSockets


@dataclass(frozen=True, slots=True)
class Listeners:
    """The shells of the devices' protocols, not listening yet."""

    handheld: DeviceFactory
    jt808: DeviceFactory
    jt808_datagrams: JT808Datagrams
    handheld_sockets: HandheldSockets


def make_listeners(
    intake: Intake, links: Links, limits: LinkLimits, reactor: Any, versions: AppVersions | None = None
) -> Listeners:
    """Every transport over the one intake."""
    app = versions or AppVersions()
    counters: Counters = intake.counters

    def handheld(address: str, send: Callable[[list[bytes]], None], close: Callable[[], None]) -> HandheldSession:
        return HandheldSession(intake, links, address, send, close, app)

    def jt808(address: str, send: Callable[[list[bytes]], None], close: Callable[[], None]) -> JT808Session:
        return JT808Session(intake, links, address, send, close)

    return Listeners(
        DeviceFactory("handheld", HandheldLink, handheld, counters, limits, reactor),
        DeviceFactory("jt808", JT808Link, jt808, counters, limits, reactor),
        JT808Datagrams(jt808, counters, limits, reactor),
        HandheldSockets(handheld, counters, limits, reactor),
    )
