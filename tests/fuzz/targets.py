"""What is fuzzed: for each decoder how bytes get into it, what it may raise, and what to begin with.

The list of what may be raised is closed: anything else is a fault of ours. A stream's first byte says into pieces of
which size the rest is cut, so that the fuzzer finds cuts as well as contents.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from protocols import traccar
from protocols.dialogue import Heartbeat, Login, Peer, Reported
from protocols.errors import RemoteProtocolError
from protocols.handheld import Conversation, Framer, Hello, encode, frame
from protocols.jt808 import Authentication, Connection, Positions, Registration
from protocols.jt808.client import Terminal
from protocols.jt808.positions import Position
from protocols.report import Report
from tracker.catalogue import DOORS

NOW = 1_795_435_200_000
"""2026-11-23 12:00:00 UTC: fuzzing asks no clock."""
IDENTITY = "123456789012345"


@dataclass(frozen=True, slots=True)
class Target:
    """``run`` takes any bytes and raises nothing but ``allowed``; ``seeds`` are good messages to begin with."""

    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    allowed: tuple[type[Exception], ...] = ()


def pieces(data: bytes) -> list[bytes]:
    """The input as the network might cut it."""
    size = data[0] if data else 0
    rest = data[1:]
    return [rest[at : at + size] for at in range(0, len(rest), size)] if size else [rest]


# JT/T 808


def jt808(data: bytes) -> None:
    core, now = Connection(), NOW
    for piece in pieces(data):
        for event in core.receive_data(piece, now):
            if isinstance(event, Registration):
                core.answer_registration(event, 0, "token")
            elif isinstance(event, Authentication):
                core.answer_authentication(event, 0)
            elif isinstance(event, Positions):
                core.acknowledge(event)
        core.data_to_send()
        now += 1000
        core.handle_timer(now)
    Connection().receive_datagram(data, NOW)


def jt808_seeds() -> list[bytes]:
    """All that a terminal says: registration, authentication, a position, a batch (of 40: in fragments), logout."""
    seeds = []
    for version, positions in ((2011, 1), (2013, 40), (2019, 2)):
        terminal, core, said = Terminal("13912345678", version=version), Connection(), b""

        def talk(terminal: Terminal = terminal, core: Connection = core) -> bytes:
            sent = b"".join(terminal.data_to_send())
            for event in core.receive_data(sent, NOW):
                if isinstance(event, Registration):
                    core.answer_registration(event, 0, "token")
                elif isinstance(event, Authentication):
                    core.answer_authentication(event, 0)
            terminal.receive_data(b"".join(core.data_to_send()))
            return sent

        terminal.connect()
        terminal.register()
        said += talk()
        terminal.authenticate()
        said += talk()
        terminal.position(NOW, 306_600_000, 1_174_900_000, speed=120, alarm=1, items={"mileage_m": 1000, "signal": 20})
        terminal.batch([Position.of(NOW + n, 306_600_000, 1_174_900_000) for n in range(positions)], 1)
        terminal.heartbeat()
        terminal.logout()
        said += talk()
        seeds.append(b"\0" + said)
    return seeds


# Handhelds


def handheld(data: bytes) -> None:
    framer, core = Framer(), Conversation()
    for piece in pieces(data):
        for message in framer.receive_data(piece):
            for event in core.receive_message(message):
                if isinstance(event, Hello):
                    core.welcome(NOW, name="n", app_min="0.0.1", app_latest="1.0.0", heartbeat=45)
            core.messages_to_send()


def handheld_seeds() -> list[bytes]:
    hello = {"t": "hello", "v": 1, "device": "d", "token": "t", "app": "1.0.0", "crs": "wgs84", "now": NOW}
    points = [[NOW, 306_600_000, 1_174_900_000, 50, 120, 90, 30, 0, 1], [NOW, None, None]]
    fix = {"t": "fix", "seq": 1, "now": NOW, "live": True, "p": points}
    health = {"t": "health", "seq": 2, "now": NOW, "battery": 50, "charging": False, "net": "4g", "fix": "3d",
              "screen": True, "uptime": 9, "queue": 0}  # fmt: skip
    rest = [{"t": "ping", "now": NOW}, {"t": "done", "id": "c1", "ok": True}, {"t": "bye"}]
    said = b"".join(frame(encode(message)) for message in (hello, fix, health, *rest))
    return [b"\0" + said, b"\x07" + said]


# Phones


def phone(data: bytes) -> None:
    """Query and body are parted by the first zero byte; the content type by the input's first byte."""
    kind = ("application/json", "application/x-www-form-urlencoded", "", "text/plain")[data[0] % 4 if data else 0]
    query, _, body = data[1:].partition(b"\0")
    traccar.decode(query, body, kind, now=NOW)


def phone_seeds() -> list[bytes]:
    report = Report(NOW, 306_600_000, 1_174_900_000, 30, 120, 90, 50, alarm=1, items={"battery": 50, "charging": True})
    query, body = traccar.encode_query("d", report), traccar.encode_json("d", report)
    return [b"\x02" + query, b"\x01\0" + query, b"\0\0" + body]


# Simple trackers: every entry of the catalogue that has a door.


def tracker(name: str) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        for lenient in ((), (IDENTITY,)):
            core: Any = DOORS[name].core(Peer("192.0.2.1", lenient))
            now = NOW
            for piece in pieces(data):
                _serve(core, core.receive_data(piece, now))
                due = core.get_timer()
                if due is not None:
                    _serve(core, core.handle_timer(due))
                now += 1000
        core = DOORS[name].core(Peer("192.0.2.1"))
        _serve(core, core.receive_datagram(data[1:], NOW))

    return run


def _serve(core: Any, events: list[Any]) -> None:
    for event in events:
        if isinstance(event, Login):
            core.accept(event)
        elif isinstance(event, Reported | Heartbeat):
            core.acknowledge(event)
    core.data_to_send()


TARGETS: dict[str, Target] = {
    "jt808": Target(jt808, jt808_seeds),
    "handheld": Target(handheld, handheld_seeds, (RemoteProtocolError,)),
    "traccar": Target(phone, phone_seeds, (traccar.DeliveryError,)),
    **{name: Target(tracker(name), list) for name in DOORS},
}
