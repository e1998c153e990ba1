"""A browser's feed as a few lines: a WebSocket over a plain socket, which can also stop reading."""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
import threading
from contextlib import suppress
from typing import Any

from tests.faults.server import PATIENCE, Server

WORLD = [-90.0, -180.0, 90.0, 180.0]


class Viewer:
    """Logs in, watches the whole world, and reads in a thread of its own unless it was told not to.

    ``buffer``: bytes that the kernel may keep for a viewer that does not read.
    """

    def __init__(self, server: Server, *, reading: bool = True, buffer: int | None = None) -> None:
        self._socket = socket.socket()
        if buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self._socket.settimeout(PATIENCE)
        self._socket.connect(("127.0.0.1", server.ports["console"]))
        self._shake_hands(server)
        self.received = 0
        self.frames: list[dict[str, Any]] = []
        self.closed: int | None = None
        self._thread: threading.Thread | None = None
        self.watch()
        if reading:
            self.read()

    def __enter__(self) -> Viewer:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if self._thread is not None:
            self._thread.join()
        self._socket.close()

    def _shake_hands(self, server: Server) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            "GET /feed HTTP/1.1", f"Host: 127.0.0.1:{server.ports['console']}", "Upgrade: websocket",
            "Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13",
            f"Cookie: session={server.session()}", "", "",
        ]  # fmt: skip
        self._socket.sendall("\r\n".join(lines).encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self._socket.recv(1)
            assert byte, head
            head += byte
        assert b" 101 " in head, head

    def watch(self) -> None:
        """Ask for everything, as a page does whenever its map is moved."""
        self._send(json.dumps({"op": "watch", "box": WORLD, "follow": None}))

    def read(self) -> None:
        """Begin to read, or begin again."""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with suppress(OSError, EOFError):
            while True:
                first, second = self._exactly(2)
                length = second & 0x7F
                if length == 126:
                    (length,) = struct.unpack(">H", self._exactly(2))
                elif length == 127:
                    (length,) = struct.unpack(">Q", self._exactly(8))
                payload = self._exactly(length)
                code = first & 0x0F
                if code == 1:
                    self.frames.append(json.loads(payload))
                elif code == 9:
                    self._send(payload.decode("latin-1"), 10)
                elif code == 8:
                    self.closed = struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else 1005
        if self.closed is None:
            self.closed = 1006

    def _exactly(self, count: int) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            part = self._socket.recv(count - len(parts))
            if not part:
                raise EOFError
            parts += part
        self.received += count
        return bytes(parts)

    def _send(self, text: str, code: int = 1) -> None:
        payload = text.encode("latin-1")
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        assert len(payload) < 126
        self._socket.sendall(bytes((0x80 | code, 0x80 | len(payload))) + mask + masked)

    def updates(self) -> list[dict[str, Any]]:
        """The frames with units, so far."""
        return [frame for frame in self.frames if frame["op"] in ("full", "delta")]

    def positions(self) -> dict[str, tuple[float, float]]:
        """Where the units are, after everything that was received."""
        known: dict[str, tuple[float, float]] = {}
        for frame in self.updates():
            if frame["op"] == "full":
                known.clear()
            known.update({row[0]: (row[1], row[2]) for row in frame["units"] if row[1] is not None})
        return known
