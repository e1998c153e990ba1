"""The benchmarks' devices say what the decoders take: one that is refused would measure how quickly we refuse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bench.connections import MAKERS, PHONES
from bench.devices import MODES, Device, Handheld, Vehicle, now_ms
from bench.staging import external_id
from protocols.delivery import PhoneRequest
from protocols.dialogue import Login, Peer, Refused, Reported
from protocols.handheld import Batch, Conversation, Framer, Hello
from protocols.jt808 import Authentication, Connection, Positions
from protocols.report import Report
from tracker.catalogue import CATALOGUE, DOORS
from tracker.phone_apps import PATHS, app_of

WALK = [(306_600_000 + n, 1_174_900_000 + n, 50, 120, 90, 30) for n in range(7)]


@pytest.fixture(params=MODES)
def device(request: pytest.FixtureRequest) -> Iterator[Device]:
    mode = MODES[request.param]
    made = MAKERS[mode.protocol](mode, WALK, 0)
    yield made
    made.sock.close()


def test_every_protocol_is_measured() -> None:
    assert {mode.protocol for mode in MODES.values()} == set(CATALOGUE) == set(MAKERS)
    for name, entry in CATALOGUE.items():
        assert entry.names(external_id(name, 7)), name


def of_a_handheld(device: Device, hello: bytes, said: bytes) -> list[Report]:
    core, reports = Conversation(), []
    for payload in Framer().receive_data(hello + said):
        for event in core.receive_message(payload):
            if isinstance(event, Hello):
                core.welcome(now_ms(), name="n", app_min="0", app_latest="1", heartbeat=45)
            elif isinstance(event, Batch):
                reports += event.reports
    return reports


def of_a_terminal(device: Device, hello: bytes, said: bytes) -> list[Report]:
    core, reports = Connection(), []
    for event in [*core.receive_data(hello, now_ms())]:
        assert isinstance(event, Authentication)
        core.answer_authentication(event, 0)
    for event in core.receive_data(said, now_ms()):
        assert isinstance(event, Positions)
        reports += event.reports
    return reports


def of_a_phone(device: Device, hello: bytes, said: bytes) -> list[Report]:
    assert not hello
    reports: list[Any] = []
    while said:
        head, _, rest = said.partition(b"\r\n\r\n")
        line, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, value in (each.split(": ", 1) for each in lines)}
        size = int(headers.get("content-length", 0))
        path, _, query = line.split()[1].partition("?")
        told = PhoneRequest(query.encode(), rest[:size], headers)
        app = PATHS.get(path[1:].encode()) or app_of(told)
        delivery = app.decode(told, now_ms())
        assert app.protocol == device.mode.protocol
        assert delivery is not None
        assert external_id(app.protocol, 7) in delivery.names
        assert delivery.secret == ("t" if CATALOGUE[app.protocol].secret else "")
        reports += delivery.results
        said = rest[size:]
    return reports


def of_a_tracker(device: Device, hello: bytes, said: bytes) -> list[Report]:
    core = DOORS[device.mode.protocol].core(Peer("192.0.2.1"))
    events = core.receive_data(hello + said, now_ms())
    events += core.handle_timer(core.get_timer() or now_ms())
    assert [event.device_id for event in events if isinstance(event, Login)] == [external_id(device.mode.protocol, 7)]
    assert not [event for event in events if isinstance(event, Refused)]
    return [report for event in events if isinstance(event, Reported) for report in event.reports]


def test_what_is_said_is_taken(device: Device) -> None:
    """Two messages, each with all its reports, at places and times that are new and not yet to come."""
    protocol = device.mode.protocol
    reader = of_a_phone if protocol in PHONES else of_a_tracker
    if isinstance(device, Handheld | Vehicle):
        reader = of_a_handheld if isinstance(device, Handheld) else of_a_terminal
    hello = device.login({"protocol": protocol, "id": external_id(protocol, 7), "token": "t"})
    reports = reader(device, hello, device.messages(2))
    assert all(isinstance(report, Report) and report.latitude is not None for report in reports)
    times = [report.fix_time or 0 for report in reports]
    assert len(times) == len(set(times)) == 2 * device.mode.reports
    assert max(times) <= now_ms()
