"""No acknowledgement leaves before the fdatasync that covers it: kill -9 cannot show that, the kernel keeps its cache.

Each device sends a report, waits for the answer and sends the next; the trace of the server's calls then says, for
every answer, whether the report's bytes were in the journal's log and that log synced before the answer was sent.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Protocol

import pytest

from protocols.handheld import Client, Framer, frame
from protocols.jt808.client import Acknowledged, Terminal
from protocols.report import Report
from protocols.traccar import encode_query
from tests.faults.fleet import Device, found_city, wall
from tests.faults.server import PATIENCE, Server
from tests.faults.tracing import Call, may_trace, read_calls, safe_from, sent_to, traced

REPORTS = 25


class Exchange(Protocol):
    """A device that reports and waits for the answer. ``greetings``: answers before the first acknowledgement."""

    port: int
    greetings: int

    def report(self, fix_time: int) -> None: ...


@contextmanager
def _connected(port: int) -> Iterator[socket.socket]:
    with closing(socket.create_connection(("127.0.0.1", port), PATIENCE)) as link:
        yield link


class _Handheld:
    greetings = 1

    def __init__(self, link: socket.socket, device: Device) -> None:
        self._link, self._device = link, device
        self.port: int = link.getsockname()[1]
        self._core, self._framer = Client(device.external_id, device.token), Framer()
        self._core.connected(wall())
        self._exchange(lambda: self._core.get_timer() is not None and self._core.state.name == "ONLINE")

    def report(self, fix_time: int) -> None:
        for offset in range(3):
            self._core.add_position(fix_time + offset, self._device.latitude, self._device.longitude)
        self._exchange(lambda: self._core.unacknowledged == 0)

    def _exchange(self, done: Callable[[], bool]) -> None:
        while True:
            self._link.sendall(b"".join(frame(message) for message in self._core.messages_to_send(wall())))
            if done():
                return
            for message in self._framer.receive_data(self._link.recv(65536)):
                self._core.receive_message(message, wall())


class _Terminal:
    greetings = 1

    def __init__(self, link: socket.socket, device: Device) -> None:
        self._link, self._device = link, device
        self.port: int = link.getsockname()[1]
        self._core = Terminal(device.external_id, token=device.token)
        self._core.connect()
        self._core.authenticate()
        while not self._core.authenticated:
            self._exchange()

    def report(self, fix_time: int) -> None:
        self._core.position(fix_time, self._device.latitude, self._device.longitude)
        while not self._exchange():
            pass

    def _exchange(self) -> bool:
        self._link.sendall(b"".join(self._core.data_to_send()))
        return any(isinstance(event, Acknowledged) for event in self._core.receive_data(self._link.recv(65536)))


class _Phone:
    greetings = 0

    def __init__(self, link: socket.socket, device: Device) -> None:
        self._link, self._device = link, device
        self.port: int = link.getsockname()[1]

    def report(self, fix_time: int) -> None:
        query = encode_query(self._device.external_id, Report(fix_time, self._device.latitude, self._device.longitude))
        self._link.sendall(b"GET /?" + query + b" HTTP/1.1\r\nHost: phones\r\n\r\n")
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._link.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200 "), answer


DEVICES: dict[str, tuple[str, Callable[[socket.socket, Device], Exchange]]] = {
    "handheld": ("handheld", _Handheld),
    "jt808": ("jt808", _Terminal),
    "traccar": ("phones", _Phone),
}


def marker(fix_time: int) -> bytes:
    """A fix time as it stands in the journal: a msgpack integer of 64 bits."""
    return b"\xcf" + struct.pack(">Q", fix_time)


def uncovered(calls: list[Call], reports: list[int], answers: list[Call]) -> list[str]:
    """Each answer that left before its report was safe, in words."""
    found = []
    for fix_time, answer in zip(reports, answers, strict=True):
        safe = safe_from(calls, marker(fix_time))
        if safe is None:
            found.append(f"the report of {fix_time} was answered and never synced")
        elif answer.began < safe:
            found.append(f"the report of {fix_time} was answered {safe - answer.began} s before it was on disk")
    return found


def test_no_acknowledgement_before_the_disk(server: Server, tmp_path: Path) -> None:
    reason = may_trace()
    if reason:
        pytest.skip(reason)
    fleet = found_city(server.data, 3, kinds=tuple(DEVICES))
    server.start()
    sent: dict[int, tuple[str, int, list[int]]] = {}
    with traced(server.pid, tmp_path / "trace") as calls:
        for turn, device in enumerate(fleet):
            door, make = DEVICES[device.kind]
            with _connected(server.ports[door]) as link:
                exchange = make(link, device)
                # Every fix time once in the whole trace: it is what a report is known by.
                times = [device.start + (turn * REPORTS + number) * 1000 for number in range(REPORTS)]
                for at in times:
                    exchange.report(at)
                sent[exchange.port] = (device.kind, exchange.greetings, times)
    for port, (kind, greetings, times) in sent.items():
        answers = sent_to(calls, port)[greetings:]
        assert len(answers) == len(times), kind
        assert uncovered(calls, times, answers) == [], kind
        # The same trace as if nothing had been synced, and as if each answer had left when the report came:
        # a check that finds nothing wrong in these would prove nothing.
        unsynced = [call for call in calls if "sync" not in call.name]
        assert len(uncovered(unsynced, times, answers)) == len(times)
        hasty = [replace(answer, began=_written(calls, at)) for at, answer in zip(times, answers, strict=True)]
        assert len(uncovered(calls, times, hasty)) == len(times)
        synced = [safe_from(calls, marker(at)) for at in times]
        margin = min(answer.began - safe for safe, answer in zip(synced, answers, strict=True) if safe is not None)
        print(f"{kind}: {len(times)} answers, each at least {margin * 1_000_000:.0f} µs after its fdatasync")


def _written(calls: list[Call], fix_time: int) -> Decimal:
    return next(call.ended for call in calls if call.file.endswith(".db-wal") and marker(fix_time) in call.data)


def test_lines_of_a_trace_are_read() -> None:
    lines = [
        '1700000000.100000 pwrite64(9</d/2026-11-23.db-wal>, "\\x01\\xcf", 2, 24) = 2 <0.000010>',
        "1700000000.200000 fdatasync(9</d/2026-11-23.db-wal>) = 0 <0.001000>",
        '1700000000.300000 sendto(12<TCP:[127.0.0.1:6900->127.0.0.1:40000]>, "\\x61", 1, 0, NULL, 0) = 1 <0.000020>',
        "1700000000.400000 fdatasync(9</d/2026-11-23.db-wal>) = -1 EIO (Input/output error) <0.001000>",
        "+++ exited with 0 +++",
    ]
    calls = list(read_calls(lines))
    assert [call.name for call in calls] == ["pwrite64", "fdatasync", "sendto"]
    assert [call.data for call in calls] == [b"\x01\xcf", b"", b"a"]
    safe = safe_from(calls, b"\xcf")
    assert safe == calls[1].ended
    assert sent_to(calls, 40000) == [calls[2]]
    assert sent_to(calls, 4000) == []
