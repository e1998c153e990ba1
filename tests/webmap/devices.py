"""Devices for tests: one blocking connection each, spoken over with the client sides of the protocols."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from protocols.handheld import Acknowledged, Client, Command, Framer, Pong, Welcome, frame
from protocols.jt808.client import Acknowledged as Answered
from protocols.jt808.client import Authenticated, Located, Registered, Terminal
from tests.server import Answer, Server


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class _Device:
    """A socket, and what has been told over it."""

    def __init__(self, server: Server, port: str) -> None:
        self.socket = server.connect(port)
        self.events: list[Any] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.socket.close()

    def receive(self, data: bytes) -> None:
        raise NotImplementedError

    def wait(self, kind: type[Any], true: Callable[[Any], bool] = lambda event: True) -> Any:
        """The first event of this kind that is not taken yet; reads until it is there."""
        while True:
            for event in self.events:
                if isinstance(event, kind) and true(event):
                    self.events.remove(event)
                    return event
            data = self.socket.recv(65536)
            if not data:
                raise AssertionError(f"closed before {kind.__name__} came; told so far: {self.events}")
            self.receive(data)

    def is_closed(self) -> bool:
        """Reads to the end."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionResetError:
            pass
        return True


class Handheld(_Device):
    """A handheld over TCP."""

    def __init__(self, server: Server, device: str, token: str, **options: Any) -> None:
        super().__init__(server, "handheld")
        self.client = Client(device, token, **options)
        self._framer = Framer()
        self.client.connected(now_ms())
        self.flush()

    def log_in(self) -> Welcome:
        welcome: Welcome = self.wait(Welcome)
        return welcome

    def flush(self) -> None:
        self.socket.sendall(b"".join(frame(message) for message in self.client.messages_to_send(now_ms())))

    def receive(self, data: bytes) -> None:
        for payload in self._framer.receive_data(data):
            self.events += self.client.receive_message(payload, now_ms())
        self.flush()

    def settle(self) -> None:
        """Send what was added and wait until all of it is acknowledged."""
        self.flush()
        while self.client.unacknowledged:
            self.wait(Acknowledged)

    def report(self, *positions: tuple[Any, ...]) -> None:
        for position in positions:
            self.client.add_position(*position)
        self.settle()

    def command(self) -> Command:
        command: Command = self.wait(Command)
        return command

    def done(self, id: str, ok: bool, text: str = "") -> None:
        """Answer a command; returns when the server has read it."""
        self.client.done(id, ok, text)
        self.client.ping(now_ms())
        self.flush()
        self.wait(Pong)


class Vehicle(_Device):
    """A JT/T 808 terminal over TCP."""

    def __init__(self, server: Server, phone: str, **options: Any) -> None:
        super().__init__(server, "jt808")
        self.terminal = Terminal(phone, **options)
        self.terminal.connect()

    def flush(self) -> None:
        self.socket.sendall(b"".join(self.terminal.data_to_send()))

    def receive(self, data: bytes) -> None:
        self.events += self.terminal.receive_data(data)

    def log_in(self) -> str:
        """Register and authenticate; the token that registration brought."""
        self.terminal.register(plate="沪A12345")
        self.flush()
        assert self.wait(Registered).result == 0
        self.authenticate()
        return self.terminal.token

    def authenticate(self, token: str | None = None) -> int:
        self.terminal.authenticate(token)
        self.flush()
        result: int = self.wait(Authenticated).result
        return result

    def report(self, fix_time: int, latitude: int, longitude: int, **fields: Any) -> None:
        serial = self.terminal.position(fix_time, latitude, longitude, **fields)
        self.flush()
        assert self.wait(Answered, lambda event: event.serial == serial).result == 0

    def be_located(self) -> None:
        """Wait to be asked and answer with the newest position."""
        self.wait(Located)
        self.flush()


def phone_report(server: Server, device: str, port: str = "phones", **fields: Any) -> Answer:
    """One report of a Traccar Client in its old form."""
    return server.ask("POST", "/?" + urlencode({"id": device, **fields}), port=port)
