"""HTTP and WebSocket by hand, for what a decent client would not send."""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
from collections.abc import Callable
from typing import Any, Self

from tests.server import Server


def raw(server: Server, port: str, data: bytes) -> socket.socket:
    """A connection over which these bytes were sent."""
    link = server.connect(port)
    link.sendall(data)
    return link


def rest(link: socket.socket) -> bytes:
    """All that comes until the server closes."""
    data = b""
    try:
        while part := link.recv(65536):
            data += part
    except ConnectionResetError:
        pass
    finally:
        link.close()
    return data


def handshake(
    server: Server, path: str, *, port: str = "console", origin: str | None = None, cookie: str | None = None
) -> tuple[int, list[bytes]]:
    """Open a WebSocket: the answer's status, and the payload of the first frame (a close frame's: code and reason)."""
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{server.ports[port]}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        *([f"Origin: {origin}"] if origin is not None else []),
        *([f"Cookie: {cookie}"] if cookie is not None else []),
    ]
    with raw(server, port, "\r\n".join([*lines, "", ""]).encode("latin-1")) as link, link.makefile("rb") as file:
        status = int(file.readline().split()[1])
        while file.readline().strip():
            pass
        if status != 101:
            return status, []
        head = file.read(2)
        if not head:
            return status, []
        size = head[1] & 0x7F
        if size == 126:
            (size,) = struct.unpack(">H", file.read(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", file.read(8))
        return status, [file.read(size)]


class Socket:
    """The console's feed, opened with a session. Reads whole messages; answers pings."""

    def __init__(self, server: Server, session: str, *, path: str = "/feed", headers: tuple[str, ...] = ()) -> None:
        name = "__Host-session" if server.secure else "session"
        lines = [
            f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{server.ports['console']}", "Connection: Upgrade",
            "Upgrade: websocket", "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}", f"Cookie: {name}={session}", *headers,
        ]  # fmt: skip
        self._link = raw(server, "console", "\r\n".join([*lines, "", ""]).encode("latin-1"))
        self._file = self._link.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        while self._file.readline().strip():
            pass
        self.heard: list[Any] = []
        """Every message so far, as JSON."""
        self.closed: tuple[int, str] | None = None
        """How the server has closed it: code and reason."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._link.close()

    def say(self, message: Any) -> None:
        """A message; text as it is, anything else as JSON."""
        text = message if isinstance(message, str) else json.dumps(message)
        self.send(0x81, text.encode())

    def send(self, first: int, payload: bytes) -> None:
        """One frame with this first byte."""
        size = len(payload)
        head = bytes((first, 0x80 | size)) if size < 126 else bytes((first, 0x80 | 126)) + struct.pack(">H", size)
        if size > 0xFFFF:
            head = bytes((first, 0x80 | 127)) + struct.pack(">Q", size)
        self._link.sendall(head + bytes(4) + payload)

    def hear(self) -> Any:
        """The next message; ``None`` when the server has closed."""
        while self.closed is None:
            try:
                head = self._file.read(2)
            except ConnectionResetError:
                head = b""
            if len(head) < 2:
                self.closed = (1006, "")
                break
            size = head[1] & 0x7F
            if size > 125:
                size = int.from_bytes(self._file.read(2 if size == 126 else 8), "big")
            payload, code = self._file.read(size), head[0] & 0x0F
            if code == 9:
                self.send(0x8A, payload)
            elif code == 8:
                self.closed = struct.unpack(">H", payload[:2])[0], payload[2:].decode()
            elif code == 1:
                self.heard.append(json.loads(payload))
                return self.heard[-1]
        return None

    def until(self, true: Callable[[Any], Any]) -> Any:
        """Read until a message is what was waited for; answers it."""
        while (message := self.hear()) is not None:
            if true(message):
                return message
        raise AssertionError(f"closed with {self.closed} after {self.heard}")

    def rest(self) -> tuple[int, str] | None:
        """Read to the end; how it was closed."""
        while self.hear() is not None:
            pass
        return self.closed
