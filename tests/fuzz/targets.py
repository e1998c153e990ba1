"""What is fuzzed: for each decoder how bytes get into it, what it may raise, and what to begin with.

The list of what may be raised is closed: anything else is a fault of ours, and so is a report that no file could hold
(a number beyond 64 bits, half a surrogate pair), which would be acknowledged and lost. A stream's first byte says into
pieces of which size the rest is cut, so that the fuzzer finds cuts as well as contents. Its highest bit has lengths
and check codes put right first (:mod:`tests.fuzz.mending`): nobody guesses those, and behind them lies what is to be
found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgpack

from protocols import batch
from protocols.delivery import PhoneRequest, Unusable
from protocols.dialogue import Heartbeat, Login, Peer, Reported
from protocols.errors import RemoteProtocolError
from protocols.handheld import Batch, Conversation, Framer, Hello
from protocols.handheld.client import Client, ClientState
from protocols.jt808 import Connection, Positions
from protocols.jt808.client import PhotoAsked, Terminal
from protocols.jt808.downlinks import decode_downlink
from protocols.jt808.media import MediaAnswer, MediaBody, PhotoAnswer, ResendRequest
from protocols.jt808.parameters import ParametersBody
from protocols.report import Report
from tests.fuzz import seeds
from tests.fuzz.mending import MENDING
from tests.fuzz.seeds import IDENTITY, NOW
from tracker.catalogue import DOORS
from tracker.phone_apps import PATHS, TRACCAR_JSON, TRACCAR_QUERY, PhoneApp, app_of


@dataclass(frozen=True, slots=True)
class Target:
    """``run`` takes any bytes and raises nothing but ``allowed``; ``seeds`` are good messages to begin with. ``limit``:
    bytes of an input: longer ones find the same and take longer."""

    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    allowed: tuple[type[Exception], ...] = ()
    limit: int = 1024


def pieces(data: bytes, mend: Callable[[bytes], bytes] = bytes) -> list[bytes]:
    """The input as the network might cut it."""
    size = data[0] & 0x7F if data else 0
    rest = mend(data[1:]) if data and data[0] & 0x80 else data[1:]
    return [rest[at : at + size] for at in range(0, len(rest), size)] if size else [rest]


def storable(reports: Iterable[Report | Unusable | None]) -> None:
    """Raises unless the journal could hold all of them."""
    for report in reports:
        if isinstance(report, Report):
            assert (report.latitude is None) == (report.longitude is None)
            msgpack.packb([getattr(report, name) for name in _VALUES])


_VALUES = ("fix_time", "device_time", "latitude", "longitude", "altitude", "speed", "course", "accuracy", "status",
           "alarm", "live", "crs", "items")  # fmt: skip


# JT/T 808


def jt808(data: bytes) -> None:
    """The platform's side; while a terminal is authenticated it is asked for everything, a thing a piece."""
    core, now, asked = Connection(), NOW, 0
    for piece in pieces(data, MENDING["jt808"]):
        events = core.receive_data(piece, now)
        seeds.answer_all(core, events)
        for event in events:
            storable(event.reports if isinstance(event, Positions) else [getattr(event, "report", None)])
        if core.authenticated and asked < len(seeds.DOWNLINKS):
            core.send(seeds.DOWNLINKS[asked])
            asked += 1
        core.data_to_send()
        now += 1000
        core.handle_timer(core.get_timer() or now)
    Connection().receive_datagram(data, NOW)


def jt808_terminal(data: bytes) -> None:
    """The terminal's side; the second byte is the version's last digit."""
    version = {1: 2011, 9: 2019}.get(data[1] % 10 if len(data) > 1 else 0, 2013)
    terminal, now = Terminal(seeds.PHONE, version=version, token="t"), NOW
    terminal.connect()
    terminal.authenticate()
    terminal.position(NOW, None, None)
    for piece in pieces(data[:1] + data[2:], MENDING["jt808"]):
        for event in terminal.receive_data(piece, now):
            if isinstance(event, PhotoAsked):
                terminal.photos(event, [seeds.PICTURE])
        terminal.data_to_send()
        now += 1000
    terminal.duties.interval(now)


_BODIES: tuple[Callable[[bytes, bool], Any], ...] = (
    MediaBody.decode,
    ResendRequest.decode,
    lambda body, long: ParametersBody.decode(body),
    lambda body, long: PhotoAnswer.decode(body),
    lambda body, long: MediaAnswer.decode(body),
)


def jt808_bodies(data: bytes) -> None:
    """Bodies without frame and header: what reads one writes the same bytes. Id, then the version, then the body."""
    message_id, version, body = int.from_bytes(data[:2], "big"), 1 if data[2:3] > b"\x7f" else None, data[3:]
    if message_id < len(_BODIES):
        read = _BODIES[message_id](body, version is not None)
        assert read.encode() == body
    else:
        # Values, not bytes: a terminal may write the same wish in more ways than we do.
        read = decode_downlink(message_id, body, version)
        assert decode_downlink(message_id, read.encode(version), version) == read


def jt808_bodies_seeds() -> list[bytes]:
    found = [downlink.message_id.to_bytes(2, "big") + bytes([256 * bool(version) >> 1]) + downlink.encode(version)
             for downlink in seeds.DOWNLINKS for version in (None, 1)]  # fmt: skip
    found.append(b"\0\0\x80" + MediaBody(1, 0, 0, 0, 1, bytes(28), seeds.PICTURE).encode())
    found.append(b"\0\1\x80" + ResendRequest(1, (1, 2), True).encode())
    found.append(b"\0\2\0" + bytes.fromhex("0001 02 00000001 04 00000005 00000013 02 6161"))
    found.append(b"\0\3\0" + PhotoAnswer(1, 0, (1, 2)).encode())
    return [*found, b"\0\4\0" + MediaAnswer(1, (1, 2)).encode()]


# Handhelds


def handheld(data: bytes) -> None:
    framer, core = Framer(), Conversation()
    for piece in pieces(data, MENDING["handheld"]):
        for message in framer.receive_data(piece):
            for event in core.receive_message(message):
                if isinstance(event, Hello):
                    core.welcome(NOW, name="n", app_min="0.0.1", app_latest="1.0.0", heartbeat=45)
                storable(event.reports if isinstance(event, Batch) else [getattr(event, "report", None)])
            core.messages_to_send()


def handheld_client(data: bytes) -> None:
    framer, client, now = Framer(), Client("d", "t"), NOW
    client.connected(now)
    client.add_position(NOW, 1, 2)
    client.add_health(NOW)
    for piece in pieces(data, MENDING["handheld"]):
        for message in framer.receive_data(piece):
            client.receive_message(message, now)
            client.messages_to_send(now)
            now = max(now, min(client.get_timer() or now, now + 60_000))
            if client.state is not ClientState.OFFLINE:
                client.handle_timer(now)


# Phones


def phone(app: PhoneApp | None, data: bytes) -> None:
    """Query, the value of one header, and body are parted by zero bytes. The input's first byte: bits 1 and 2 the
    content type, 4, 8 and 16 what the header is, 64 a body that is packed here, 128 one that says it is."""
    flags = data[0] if data else 0
    query, _, rest = data[1:].partition(b"\0")
    value, _, body = rest.partition(b"\0")
    names = {4: "authorization", 8: "x-limit-u", 16: "x-limit-d"}
    headers = {name: value.decode("utf-8", "replace") for bit, name in names.items() if flags & bit}
    kind = ("application/json", "application/x-www-form-urlencoded", "", "text/plain")[flags & 3]
    if kind:
        headers["content-type"] = kind
    if flags & 0xC0:
        headers["content-encoding"] = "gzip"
    request = PhoneRequest(query, batch.packed(body) if flags & 64 else body, headers)
    delivery = (app or app_of(request)).decode(request, NOW)
    if delivery is not None:
        assert delivery.names
        storable(delivery.results)
        assert len(delivery.ids) in (0, len(delivery.results))
        assert len(delivery.owners) in (0, len(delivery.results))


_APPS: dict[str, PhoneApp | None] = {"traccar": None, **{name.decode(): app for name, app in PATHS.items()}}
"""Traccar's is the door at ``/``, where everything comes in that named no other."""
assert {app.protocol for app in (TRACCAR_JSON, TRACCAR_QUERY)} == set(_APPS) - {path.decode() for path in PATHS}


# Simple trackers: every entry of the catalogue that has a door.


def tracker(name: str, data: bytes) -> None:
    for lenient in ((), (IDENTITY,)):
        core: Any = DOORS[name].core(Peer("192.0.2.1", lenient))
        now = NOW
        for piece in pieces(data, MENDING.get(name, bytes)):
            _serve(core, core.receive_data(piece, now))
            due = core.get_timer()
            if due is not None:
                _serve(core, core.handle_timer(due))
            now += 1000
    core = DOORS[name].core(Peer("192.0.2.1"))
    _serve(core, core.receive_datagram(data[1:], NOW))


def _serve(core: Any, events: list[Any]) -> None:
    for event in events:
        if isinstance(event, Login):
            core.accept(event)
        elif isinstance(event, Reported | Heartbeat):
            core.acknowledge(event)
        if isinstance(event, Reported):
            assert event.reports
            storable(event.reports)
    core.data_to_send()


_REMOTE = (RemoteProtocolError,)

TARGETS: dict[str, Target] = {
    "jt808": Target(jt808, lambda: seeds.jt808()[0], limit=2500),
    "jt808_terminal": Target(jt808_terminal, lambda: seeds.jt808()[1], limit=2048),
    "jt808_bodies": Target(jt808_bodies, jt808_bodies_seeds, _REMOTE, limit=256),
    "handheld": Target(handheld, seeds.handheld, _REMOTE),
    "handheld_client": Target(handheld_client, seeds.handheld_server, _REMOTE),
    **{name: Target(partial(phone, app), partial(seeds.phones().__getitem__, name), _REMOTE)
       for name, app in _APPS.items()},
    **{name: Target(partial(tracker, name), seeds.TRACKERS[name]) for name in DOORS},
}  # fmt: skip
"""A new tracker protocol has its own entry here as soon as it has a door and seeds."""
