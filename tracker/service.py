"""The tracker's listeners, and its parts put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from protocols.alarms import Held
from protocols.dialogue import Peer
from protocols.jt808 import Budget
from tracker.catalogue import DOORS, Door
from tracker.counters import Counters
from tracker.handheld_session import AppVersions, HandheldSession
from tracker.intake import Intake
from tracker.jt808_session import JT808Session
from tracker.links import Links
from tracker.sources import Sources
from tracker.tcp import DeviceFactory, HandheldLink, LinkLimits, StreamLink
from tracker.tracker_session import TrackerSession
from tracker.turns import Turns
from tracker.udp import DeviceDatagrams
from tracker.websocket import HandheldSockets

Send = Callable[[list[bytes]], None]
Close = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Listeners:
    """The shells of the devices' protocols, not listening yet; TCP and UDP by the protocol's name."""

    tcp: Mapping[str, DeviceFactory]
    udp: Mapping[str, DeviceDatagrams]
    handheld_sockets: HandheldSockets


def make_listeners(
    intake: Intake,
    links: Links,
    limits: LinkLimits,
    reactor: Any,
    versions: AppVersions | None = None,
    doors: Mapping[str, Door] = DOORS,
    turns: Turns | None = None,
    sources: Mapping[str, Sources] | None = None,
) -> Listeners:
    """Every transport over the one intake. ``sources`` by the listener's name; without one it takes all."""
    allowed = sources or {}
    app = versions or AppVersions()
    counters: Counters = intake.counters
    budget = Budget()
    turns = Turns(reactor) if turns is None else turns  # one for all: it is one reactor, one disk and one map

    def handheld(address: str, send: Send, close: Close) -> HandheldSession:
        return HandheldSession(intake, links, address, send, close, app, reactor.callLater)

    def jt808(address: str, send: Send, close: Close) -> JT808Session:
        return JT808Session(intake, links, address, send, close, reactor, budget)

    def tracker(name: str, door: Door) -> Callable[[str, Send, Close], TrackerSession]:
        calls = Held(lambda ident: intake.roster.find(name, ident) is not None)

        def make(address: str, send: Send, close: Close) -> TrackerSession:
            core = door.core(Peer(address, intake.roster.lenient[name], calls))
            return TrackerSession(name, core, intake, links, address, send, close, reactor)

        return make

    tcp = {
        "handheld": DeviceFactory("handheld", HandheldLink, handheld, counters, limits, reactor, turns,
                                  allowed.get("handheld")),
        "jt808": DeviceFactory("jt808", StreamLink, jt808, counters, limits, reactor, turns, allowed.get("jt808")),
    }  # fmt: skip
    udp = {"jt808": DeviceDatagrams("jt808", jt808, counters, limits, reactor, allowed.get("jt808"))}
    for name, door in doors.items():
        patient = replace(limits, idle_s=max(limits.idle_s, door.quiet_s))
        if "tcp" in door.transports:
            tcp[name] = DeviceFactory(
                name, StreamLink, tracker(name, door), counters, patient, reactor, turns, allowed.get(name)
            )
        if "udp" in door.transports:
            udp[name] = DeviceDatagrams(name, tracker(name, door), counters, patient, reactor, allowed.get(name))
    return Listeners(tcp, udp, HandheldSockets(handheld, counters, limits, reactor, turns))
