"""The whole process against small servers on real ports: every protocol and form delivers, and no orphan is left."""

from __future__ import annotations

import asyncio
import re
import ssl
import sys
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha1
from pathlib import Path

import pytest

from protocols.handheld import Batch, Conversation, Framer, Health, Hello, Ping, frame
from protocols.jt808.events import Authentication, Heartbeat, Positions, Registration
from protocols.jt808.session import Connection
from protocols.traccar import decode
from simulator.city import make_city
from simulator.plan import DeviceWish, Issued, plan_json
from storage import authority
from storage.certificates import AUTHORITY, PAIR

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60
"""Seconds until a test that hangs is called one; nothing is measured with it."""


class Desk:
    """What arrived, by protocol and form; ``enough`` is set when every one of the wanted has brought three."""

    def __init__(self, wanted: set[str]) -> None:
        self.arrived: Counter[str] = Counter()
        self.wanted = wanted
        self.enough = asyncio.Event()

    def take(self, form: str, count: int) -> None:
        self.arrived[form] += count
        if all(self.arrived[name] >= 3 for name in self.wanted):
            self.enough.set()

    def handheld(self, form: str, conversation: Conversation, message: bytes) -> list[bytes]:
        for event in conversation.receive_message(message):
            match event:
                case Hello(token=token):
                    assert token == "secret"
                    conversation.welcome(1, "somebody")
                case Batch(seq, reports):
                    self.take(form, len(reports))
                    conversation.acknowledge(seq)
                case Health(seq):
                    conversation.acknowledge(seq)
                case Ping():
                    conversation.pong(1)
        return conversation.messages_to_send()

    async def serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation, framer = Conversation(), Framer()
        while data := await _some(reader):
            for message in framer.receive_data(data):
                writer.writelines(frame(answer) for answer in self.handheld("tcp", conversation, message))
        writer.close()

    async def serve_jt808(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection()
        while data := await _some(reader):
            for event in connection.receive_data(data, 0):
                match event:
                    case Registration():
                        connection.answer_registration(event, 0, "t")
                    case Authentication():
                        connection.answer_authentication(event, 0)
                    case Positions():
                        self.take("jt808", len(event.reports))
                        connection.acknowledge(event)
                    case Heartbeat():
                        connection.acknowledge(event)
            writer.writelines(connection.data_to_send())
        writer.close()

    async def serve_http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await _head(reader):
            first, *lines = head.split(b"\r\n")
            headers = {n.strip().lower(): v.strip() for n, _, v in (line.partition(b":") for line in lines)}
            body = await reader.readexactly(int(headers.get(b"content-length", b"0")))
            query = first.split(b" ")[1].partition(b"?")[2]
            delivery = decode(query, body, headers.get(b"content-type", b"").decode())
            self.take(delivery.form, 1)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async def serve_websocket(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # By hand: autobahn serves either asyncio or Twisted in one process, and the other tests need Twisted.
        head = await _head(reader)
        assert head.startswith(b"GET /handheld HTTP/1.1\r\n")
        key = re.search(rb"(?i)sec-websocket-key: *(\S+)", head)
        assert key is not None
        accept = b64encode(sha1(key[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        conversation = Conversation()
        while (message := await _binary(reader)) is not None:
            for answer in self.handheld("websocket", conversation, message):
                assert len(answer) < 126
                writer.write(bytes((0x82, len(answer))) + answer)
        writer.close()


async def _binary(reader: asyncio.StreamReader) -> bytes | None:
    """The next binary frame of a client, None at the end."""
    try:
        kind, size = await reader.readexactly(2)
        length = size & 0x7F
        if length == 126:
            length = int.from_bytes(await reader.readexactly(2), "big")
        mask = await reader.readexactly(4)
        data = await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return bytes(b ^ mask[i % 4] for i, b in enumerate(data)) if kind == 0x82 else None


async def _some(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(4096)
    except ConnectionError:  # a client that cuts its link
        return b""


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return (await reader.readuntil(b"\r\n\r\n"))[:-4]
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


def wishes() -> list[Issued]:
    grids = make_city().grid_ids
    forms = [("handheld", "tcp"), ("handheld", "websocket"), ("traccar", "query"), ("traccar", "json")]
    people = [DeviceWish(p, f, f"{p}-{f}", i, grids[i]) for i, (p, f) in enumerate(forms)]
    wanted = [*people, DeviceWish("jt808", "tcp", "19900000001", None, None)]
    return [Issued(wish, wish.external_id or "", "secret" if wish.protocol == "handheld" else None) for wish in wanted]


async def play(read: Callable[[str], None], folder: Path | None = None) -> None:
    """``folder`` has a certificate, and TLS is spoken wherever it can be."""
    context, tls, trust = None, list[str](), ""
    if folder is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(folder / PAIR)
        tls, trust = ["handheld", "phones", "field"], (folder / AUTHORITY).read_text()
    desk = Desk({"tcp", "websocket", "query", "json", "jt808"})
    servers = [
        await asyncio.start_server(desk.serve_tcp, "127.0.0.1", 0, ssl=context),
        await asyncio.start_server(desk.serve_jt808, "127.0.0.1", 0),
        await asyncio.start_server(desk.serve_http, "127.0.0.1", 0, ssl=context),
        await asyncio.start_server(desk.serve_websocket, "127.0.0.1", 0, ssl=context),
    ]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    names = dict(zip(("handheld", "jt808", "phones", "field"), ports, strict=True))
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-m", "simulator", cwd=ROOT, stdin=pipe, stderr=pipe, stdout=pipe
    )
    assert process.stdin is not None
    process.stdin.write(plan_json(25, wishes(), names, interval=0.1, tls=tls, trust=trust).encode())
    try:
        await asyncio.wait_for(desk.enough.wait(), PATIENCE)
    finally:
        process.stdin.close()
        try:
            out, log = await asyncio.wait_for(process.communicate(), PATIENCE)
        except TimeoutError:
            process.kill()
            raise
        for server in servers:
            server.close()
    assert process.returncode == 0
    assert out == b""
    read(log.decode())


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_every_client_delivers_and_the_process_ends_with_its_parent(secure: bool, tmp_path: Path) -> None:
    logs: list[str] = []
    if secure:
        authority.make(tmp_path, "Town", ["127.0.0.1"], datetime.now(UTC))
    asyncio.run(play(logs.append, tmp_path if secure else None))
    log = logs[0]
    assert log.count("welcomed") == 3
    assert log.count("delivering") == 2
    assert "Traceback" not in log
    for secret in ("30.6", "117.4", "117.5", "secret", "traccar-query"):
        assert secret not in log


def test_a_plan_that_cannot_be_used_ends_it_with_a_reason() -> None:
    async def run() -> tuple[int | None, bytes]:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "simulator", cwd=ROOT, stdin=pipe, stderr=pipe
        )
        _, log = await asyncio.wait_for(process.communicate(b"{}\n"), PATIENCE)
        return process.returncode, log

    status, log = asyncio.run(run())
    assert status == 2
    assert b"not a plan" in log
