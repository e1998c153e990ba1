"""A real server for tests: twistd over twistd.tac as a process of its own, a real city's settings, free ports.

``with Server(tmp_path) as server: server.api("GET", "/api/v1/units")``. It may be killed and started again over the
same data and the same ports.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tracker import catalogue

ROOT = Path(__file__).resolve().parents[1]
PORTS = ("console", "field", "phones", "handheld", "jt808", *catalogue.PORTS)
SECURE = ("console", "field", "phones", "handheld")
"""Those that speak TLS when there is a certificate."""
PATIENCE_S = 60.0
"""For a start, a stop or anything else that comes by itself; a healthy machine needs a second or two."""
_NAMES = {"console": "console", "field": "field", "phone apps": "phones", "handhelds": "handheld", "JT/T 808": "jt808"}
_NAMES |= {catalogue.CATALOGUE[name].title: name for name in catalogue.PORTS}
_TOLD = re.compile(rf"^ {{2}}({'|'.join(map(re.escape, _NAMES))})\b.*:(\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back over HTTP; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str | None:
        """The code of an error answer."""
        error = self.json.get("error")
        return None if error is None else str(error["code"])


def until(what: str, true: Callable[[], Any], seconds: float = PATIENCE_S) -> Any:
    """Wait for something to become true; answers it."""
    end = time.monotonic() + seconds
    while not (found := true()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds:.0f} s in vain for: {what}")
        time.sleep(0.02)
    return found


class Server:
    """One server over ``folder``. ``settings`` are sections of its city.toml besides the ports; a list
    of them is written ``[[so]]``."""

    def __init__(self, folder: Path, settings: dict[str, Any] | None = None) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.config = folder / "city.toml"
        self.ports = dict.fromkeys(PORTS, 0)
        self.process: subprocess.Popen[bytes] | None = None
        self.secure: ssl.SSLContext | None = None
        """Whom a client trusts, where the server has a certificate."""
        self._settings = settings or {}
        self._screens = 0
        self._session: str | None = None

    # -- starting and stopping

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
        self.sweep_up()

    def start(self, *, command: tuple[str, ...] = (), well: bool = True) -> None:
        """Start it and wait until it listens, and with ``well`` until it says that it is well. The first start takes
        free ports, later ones the same. ``command`` is put before the interpreter, as strace is."""
        assert self.process is None
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write_config()
        environment = {**os.environ, "GRIDBEAT_CONFIG": str(self.config), "PYTHONUNBUFFERED": "1"}
        self._screens += 1
        # The script in bin/ may name another place in its first line; this is all that it does.
        start = "import sys; from twisted.scripts.twistd import run; sys.argv[0] = 'twistd'; run()"
        twistd = ["-c", start, "--nodaemon", "--pidfile=", "--python", "twistd.tac"]
        with self.screen.open("wb") as screen:
            self.process = subprocess.Popen(
                [*command, sys.executable, *twistd],
                cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=screen, stderr=screen,
            )  # fmt: skip
        try:
            until("the server listens", self._listens)
            for label, number in _TOLD.findall(self.told()):
                self.ports[_NAMES[label]] = int(number)
            self._write_config()
            if well:
                self.until_well()
        except BaseException:
            self.kill()
            self.sweep_up()
            raise

    def stop(self) -> int | None:
        """End it as an operator does; its exit status, ``None`` if it was not running."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut does. What it has started, the embedded Redis, goes on running."""
        self._end(signal.SIGKILL)

    def sweep_up(self) -> None:
        """End the embedded Redis that a killed server left behind."""
        with suppress(OSError, ValueError):
            pid = self.redis_pid
            if os.readlink(f"/proc/{pid}/cwd") == str((self.data / "redis").resolve()):
                os.kill(pid, signal.SIGKILL)

    def _end(self, number: signal.Signals) -> int | None:
        process, self.process = self.process, None
        if process is None:
            return None
        if process.poll() is None:
            process.send_signal(number)
        try:
            return process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"it did not stop:\n{self.told()}") from None

    def _listens(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            self.process = None
            raise AssertionError(f"the server ended:\n{self.told()}")
        return "login 登录" in self.told()

    def _write_config(self) -> None:
        # A small reserve: hundreds of these servers are made, some at the same time.
        sections: dict[str, dict[str, Any]] = {"server": {"data": str(self.data), "reserve_mb": 1}}
        # Without a calendar: a year that nobody has announced yet is no warning in a test of something else.
        sections["working_time"] = {"country": ""}
        for name in PORTS:
            sections[name] = {"port": self.ports[name]}
        lists: dict[str, list[dict[str, Any]]] = {}
        for name, values in self._settings.items():
            if isinstance(values, list):
                lists[name] = values
            else:
                sections.setdefault(name, {}).update(values)
        lines = []
        for name, values in sections.items():
            lines.append(f"[{name}]")
            lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
        for name, several in lists.items():
            for values in several:
                lines.append(f"[[{name}]]")
                lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
        self.config.write_text("\n".join(lines) + "\n", "utf-8")

    @property
    def screen(self) -> Path:
        """The file that holds what this start has told on the terminal."""
        return self.folder / f"terminal-{self._screens}.txt"

    def told(self) -> str:
        """What it has told on the terminal since it was started."""
        return self.screen.read_text("utf-8", "replace")

    def log(self) -> list[dict[str, Any]]:
        """The events of the log file."""
        return [json.loads(line) for line in (self.data / "log" / "gridbeat.log").read_text("utf-8").splitlines()]

    # -- asking

    def connect(self, port: str) -> socket.socket:
        """A connection, over TLS where that is spoken."""
        link = socket.create_connection(("127.0.0.1", self.ports[port]), PATIENCE_S)
        if self.secure is None or port not in SECURE:
            return link
        return self.secure.wrap_socket(link, server_hostname="127.0.0.1")

    @property
    def login(self) -> tuple[str, str]:
        """Name and password of the first start."""
        name, password = (self.data / "first-login.txt").read_text().split()
        return name, password

    @property
    def session(self) -> str:
        """A session's token; made when first asked for. It outlives restarts."""
        if self._session is None:
            name, password = self.login
            answer = self.ask("POST", "/api/v1/login", {"name": name, "password": password})
            assert answer.status == 200, answer
            self._session = str(answer.json["token"])
        return self._session

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        *,
        port: str = "console",
    ) -> Answer:
        """One request without a login. A body that is not bytes is sent as JSON. Redirects are not followed."""
        sent = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("content-type", "application/json")
        link = http.client.HTTPConnection("127.0.0.1", self.ports[port], timeout=PATIENCE_S)
        link.sock = self.connect(port)
        try:
            link.request(method, path, body, sent)
            response = link.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            link.close()

    def api(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """One request with a login."""
        sent = {"authorization": f"Bearer {self.session}", **(headers or {})}
        answer = self.ask(method, path, body, sent)
        while answer.status == 503 and b'"starting"' in answer.body:  # the sessions of before are not known yet
            time.sleep(0.02)
            answer = self.ask(method, path, body, sent)
        return answer

    def get(self, path: str) -> Any:
        """The JSON of a question that is answered with 200."""
        answer = self.api("GET", path)
        assert answer.status == 200, answer
        return answer.json

    def register(self, protocol: str, external_id: str | None = None, **fields: Any) -> dict[str, Any]:
        """A new device, its token among what is answered."""
        wanted = {"protocol": protocol, **fields} | ({"external_id": external_id} if external_id else {})
        answer = self.api("POST", "/api/v1/devices", wanted)
        assert answer.status == 201, answer
        made: dict[str, Any] = answer.json
        return made

    def until_well(self) -> None:
        """Wait until /healthz has nothing to complain of."""
        until("the server is well", lambda: self.api("GET", "/healthz").status == 200)

    @property
    def redis_pid(self) -> int:
        """The embedded Redis, to be killed by a test."""
        return int((self.data / "redis" / "valkey.pid").read_text())


def basic(name: str, password: str) -> dict[str, str]:
    """The header of Basic auth."""
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}
