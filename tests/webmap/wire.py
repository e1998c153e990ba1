"""HTTP and WebSocket by hand, for what a decent client would not send."""

from __future__ import annotations

import base64
import os
import socket
import struct

from tests.server import PATIENCE_S, Server


def raw(server: Server, port: str, data: bytes) -> socket.socket:
    """A connection over which these bytes were sent."""
    link = socket.create_connection(("127.0.0.1", server.ports[port]), PATIENCE_S)
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
