"""Devices that report without a pause, in a process of their own: ``python -m tests.faults.load PLAN``.

PLAN is JSON: the ports, the devices and the pace. Each device sends points that no other sends, a second of fix time
apart, over its own protocol, and reconnects shortly after every break. On stdout there is a line of JSON ten times a
second with what was made and acknowledged. After SIGTERM no more points are made; when all are acknowledged (or after
a second SIGTERM) everything is written down in OUT and the process ends.

What is acknowledged is kept by this file from the bytes that went over the wire, not by the protocol cores.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from protocols.errors import RemoteProtocolError
from protocols.handheld import Acknowledged, Busy, Client, Framer, decode, frame
from protocols.jt808.client import Acknowledged as Answered
from protocols.jt808.client import Authenticated, Terminal
from protocols.jt808.framing import Framer as Unframer
from protocols.jt808.header import decode_header
from protocols.jt808.messages import MessageId
from protocols.jt808.positions import Batch, Position, decode_report
from protocols.report import Report
from protocols.traccar import encode_json, encode_query

STEP = 1000
"""ms of fix time between two points of a device."""
UNANSWERED = 4.0
"""Seconds without an answer to what was sent, after which a device gives its link up, as real ones do."""


class Sender:
    """What all devices have in common: making points, and keeping account of them."""

    def __init__(self, plan: dict[str, Any], device: dict[str, Any]) -> None:
        self.kind: str = device["kind"]
        self.id: str = device["external_id"]
        self.token: str = device["token"]
        self.unit: str = device["unit"]
        self._start: int = device["start"]
        self._latitude: int = device["latitude"]
        self._longitude: int = device["longitude"]
        self.pace: float = plan["pace"]
        self.patience: float = plan["patience"]
        self.backlog: int = device["backlog"]
        self.port: int = plan["ports"][{"traccar": "phones"}.get(self.kind, self.kind)]
        self.made = 0
        self.acknowledged: set[int] = set()
        self.marks: Counter[str] = Counter()

    def past(self) -> None:
        """Make a point of the time before the device had a link."""
        self.point()

    def make(self) -> tuple[int, int, int]:
        """A new point: fix time, latitude, longitude; its number can be told from each of them."""
        number, self.made = self.made, self.made + 1
        return self._start + number * STEP, self._latitude + number * 10, self._longitude + number * 10

    def safe(self, fix_times: list[int]) -> None:
        """The server says that it has these."""
        self.acknowledged.update(fix_times)

    @property
    def complete(self) -> bool:
        return len(self.acknowledged) == self.made

    def point(self) -> None:
        """Make one and put it into the device's queue."""
        raise NotImplementedError

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection; returns or raises OSError when it is of no more use."""
        raise NotImplementedError

    async def produce(self, stopped: asyncio.Event) -> None:
        for _ in range(self.backlog):
            self.past()
        if self.backlog:
            self.point()  # where it is as it comes back
        await asyncio.sleep(random.random() * self.pace)
        while not stopped.is_set():
            self.point()
            await asyncio.sleep(self.pace)

    async def run(self) -> None:
        while True:
            with suppress(OSError, EOFError, TimeoutError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                self.marks["connections"] += 1
                try:
                    await self.talk(reader, writer)
                finally:
                    self.lost()
                    writer.transport.abort()
            await asyncio.sleep(0.05 + random.random() * 0.2)

    def lost(self) -> None:
        """The link is gone."""


async def _read(reader: asyncio.StreamReader, seconds: float) -> bytes | None:
    """What came; None if nothing did, EOFError at the end."""
    try:
        data = await asyncio.wait_for(reader.read(65536), seconds)
    except TimeoutError:
        return None
    if not data:
        raise EOFError
    return data


class Handheld(Sender):
    """msgpack over TCP."""

    def __init__(self, plan: dict[str, Any], device: dict[str, Any]) -> None:
        super().__init__(plan, device)
        self._core = Client(self.id, self.token, silence=int(self.patience * 1000))
        self._sent: dict[int, list[int]] = {}

    def point(self) -> None:
        self._core.add_position(*self.make())

    def lost(self) -> None:
        self._core.disconnected()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        core, framer = self._core, Framer()
        core.connected(_now())
        while True:
            for message in core.messages_to_send(_now()):
                said = decode(message)
                if said["t"] == "fix":
                    self._sent[said["seq"]] = [point[0] for point in said["p"]]
                writer.write(frame(message))
            await writer.drain()
            if core.closing:
                return
            data = await _read(reader, min(self.pace / 5, 0.5))
            due = core.get_timer()
            if due is not None and due <= _now():
                core.handle_timer(_now())
            for payload in framer.receive_data(data or b""):
                try:
                    events = core.receive_message(payload, _now())
                except RemoteProtocolError as error:
                    self.marks[f"server broke the protocol: {error.reason}"] += 1
                    return
                for event in events:
                    if isinstance(event, Acknowledged):
                        for seq in [seq for seq in self._sent if seq <= event.seq]:
                            self.safe(self._sent.pop(seq))
                    else:
                        self.marks[type(event).__name__.lower()] += 1
                        if isinstance(event, Busy):
                            self.marks["retry"] = event.seconds


class Vehicle(Sender):
    """JT/T 808 over TCP."""

    def __init__(self, plan: dict[str, Any], device: dict[str, Any]) -> None:
        super().__init__(plan, device)
        self._core = Terminal(self.id, version=2013, token=self.token)
        self._under_way: dict[int, list[int]] = {}
        self._past: deque[Position] = deque()
        self._batch: int | None = None

    def point(self) -> None:
        fix_time, latitude, longitude = self.make()
        self._core.position(fix_time, latitude, longitude)

    def past(self) -> None:
        self._past.append(Position.of(*self.make()))

    def lost(self) -> None:
        self._core.connect()
        self._under_way.clear()
        self._batch = None

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        core = self._core
        core.connect()
        core.authenticate()
        heard = time.monotonic()
        while True:
            if self._past and core.authenticated and self._batch not in core.pending:
                # As terminals do: of the blind area one frame full at a time, and where they are in between.
                self._batch = core.batch([self._past.popleft() for _ in range(min(len(self._past), 30))], 1)
            for sent in core.data_to_send():
                self._note(sent)
                writer.write(sent)
            await writer.drain()
            data = await _read(reader, min(self.pace / 5, 0.5))
            if data is not None or not self._under_way:
                heard = time.monotonic()
            elif time.monotonic() - heard > self.patience:
                self.marks["unanswered"] += 1
                return
            for event in core.receive_data(data or b""):
                if isinstance(event, Answered):
                    points = self._under_way.pop(event.serial, [])
                    if event.result == 0:
                        self.safe(points)
                    else:
                        self.marks[f"result {event.result}"] += 1
                        return
                elif isinstance(event, Authenticated):
                    self.marks["welcome"] += 1
                    if event.result:
                        return

    def _note(self, sent: bytes) -> None:
        """Which points a frame of ours holds."""
        for payload in Unframer().receive_data(sent):
            assert isinstance(payload, bytes)
            header, body = decode_header(payload)
            bodies: tuple[bytes, ...] = ()
            if header.message_id == MessageId.POSITION:
                bodies = (body,)
            elif header.message_id == MessageId.BATCH:
                bodies = Batch.decode(body).bodies
            if bodies:
                times = [decode_report(one, True).fix_time for one in bodies]
                self._under_way[header.serial] = [at for at in times if at is not None]


class Phone(Sender):
    """Traccar Client over HTTP, both forms in turn."""

    def __init__(self, plan: dict[str, Any], device: dict[str, Any]) -> None:
        super().__init__(plan, device)
        self._queue: list[Report] = []

    def point(self) -> None:
        fix_time, latitude, longitude = self.make()
        self._queue.append(Report(fix_time, latitude, longitude))

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            if not self._queue:
                await asyncio.sleep(0.02)
                continue
            report = self._queue[0]
            assert report.fix_time is not None
            writer.write(self._request(report))
            await writer.drain()
            async with asyncio.timeout(self.patience):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                status = int(head.split()[1])
                length = int(head.partition("content-length:")[2].split()[0])
                await reader.readexactly(length)
            if status == 200:
                self.safe([report.fix_time])
                self._queue.pop(0)
                continue
            self.marks[f"status {status}"] += 1
            if "retry-after:" in head:
                self.marks["retry"] = int(head.partition("retry-after:")[2].split()[0])
            await asyncio.sleep(0.5)

    def _request(self, report: Report) -> bytes:
        assert report.fix_time is not None
        if report.fix_time // STEP % 2:
            head = f"GET /?{encode_query(self.id, report).decode()} HTTP/1.1\r\nHost: phones\r\n\r\n"
            return head.encode()
        body = encode_json(self.id, report)
        about = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return f"POST / HTTP/1.1\r\nHost: phones\r\n{about}\r\n".encode() + body


KINDS: dict[str, Callable[[dict[str, Any], dict[str, Any]], Sender]] = {
    "handheld": Handheld,
    "jt808": Vehicle,
    "traccar": Phone,
}


def _now() -> int:
    return time.time_ns() // 1_000_000


async def _report(senders: list[Sender]) -> None:
    while True:
        made = sum(sender.made for sender in senders)
        acknowledged = sum(len(sender.acknowledged) for sender in senders)
        marks: Counter[str] = Counter()
        by_kind: Counter[str] = Counter()
        for sender in senders:
            by_kind[sender.kind] += len(sender.acknowledged)
            for name, count in sender.marks.items():
                if name == "retry":
                    marks[f"retry {sender.kind}"] = count
                else:
                    marks[f"{sender.kind} {name}"] += count
        print(json.dumps({"made": made, "acknowledged": acknowledged, "by_kind": by_kind, "marks": marks}), flush=True)
        await asyncio.sleep(0.1)


async def _main(plan: dict[str, Any]) -> None:
    random.seed(plan["seed"])
    senders = [KINDS[device["kind"]](plan, device) for device in plan["devices"]]
    stopped, given_up = asyncio.Event(), asyncio.Event()

    def end() -> None:
        (given_up if stopped.is_set() else stopped).set()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end)
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(sender.run()) for sender in senders]
        running += [tasks.create_task(sender.produce(stopped)) for sender in senders]
        running.append(tasks.create_task(_report(senders)))
        await stopped.wait()
        while not (given_up.is_set() or all(sender.complete for sender in senders)):
            await asyncio.sleep(0.05)
        for task in running:
            task.cancel()
    told = {sender.unit: {"made": sender.made, "acknowledged": sorted(sender.acknowledged)} for sender in senders}
    Path(plan["out"]).write_text(json.dumps(told))


if __name__ == "__main__":
    asyncio.run(_main(json.loads(Path(sys.argv[1]).read_text())))
