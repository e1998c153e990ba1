"""A real server as a child process, over a folder of its own, and what it and its Valkey cost.

Used by every benchmark here: ``with Server(folder) as server``. The server is started as ./run starts it, with
a settings file that gives it free ports; nothing in it knows that it is measured.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracker.catalogue import PORTS

PROJECT = Path(__file__).resolve().parents[1]
TICK = os.sysconf("SC_CLK_TCK")
DOORS = ("console", "field", "jt808", "handheld", "phones", *PORTS)


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of CPU (user and system, all threads) and resident bytes of a process."""

    cpu: float
    resident: int


def cost_of(pid: int) -> Cost:
    """What a process has cost so far; without its children, which seal at their own time."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    # 11 and 12 counted from the state: utime and stime; 21 is rss.
    return Cost(sum(map(int, fields[11:13])) / TICK, int(fields[21]) * os.sysconf("SC_PAGE_SIZE"))


def stage(folder: Path, numbers: dict[str, int]) -> list[dict[str, str]]:
    """A data folder with a city, and so many units with a device of each protocol; see bench/staging.py. Answers the
    devices."""
    shutil.rmtree(folder, ignore_errors=True)
    asked = [f"{protocol}={number}" for protocol, number in numbers.items()]
    words = [sys.executable, "-m", "bench.staging", str(folder), *asked]
    subprocess.run(words, cwd=PROJECT, check=True)
    devices: list[dict[str, str]] = json.loads((folder / "devices.json").read_text())
    return devices


def free_ports(number: int) -> list[int]:
    """Ports that nobody listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Server:
    """The server over ``folder``, which holds its data already. ``ports`` by the names of the settings."""

    def __init__(self, folder: Path, wrapper: tuple[str, ...] = ()) -> None:
        """``wrapper``: words put before the command, for a profiler that starts what it looks at."""
        self.folder = folder.resolve()
        self.ports = dict(zip(DOORS, free_ports(len(DOORS)), strict=True))
        self._wrapper = wrapper
        self._token = ""
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Server:
        sections = "".join(f"[{name}]\nport = {port}\n" for name, port in self.ports.items())
        config = self.folder / "bench.toml"
        config.write_text(f'[server]\ndata = "{self.folder}"\n[city]\nname = "bench"\n{sections}')
        twistd = Path(sys.executable).with_name("twistd")
        words = [sys.executable, str(twistd), "--nodaemon", "--pidfile=", "--python", "twistd.tac"]
        with (self.folder / "output.txt").open("wb") as output:
            self._process = subprocess.Popen(
                [*self._wrapper, *words],
                cwd=PROJECT,
                env={**os.environ, "GRIDBEAT_CONFIG": str(config)},
                stdout=output,
                stderr=output,
            )
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _wait(self) -> None:
        """Until it answers, is logged in to, and says that it is well."""
        deadline = time.monotonic() + 30
        while True:
            try:
                if not self._token:
                    name, password = (self.folder / "first-login.txt").read_text().split()
                    self._token = self.ask("POST", "/api/v1/login", {"name": name, "password": password})["token"]
                if self.ask("GET", "/healthz")["status"] == "ok":
                    return
            except KeyError:
                self._token = ""  # of before a start: not known yet, or its Redis is another one
            except (OSError, http.client.HTTPException):
                pass
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server did not start; see {self.folder / 'output.txt'}")
            time.sleep(0.1)

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """A question to the API; what it answers, whatever the status."""
        authority = self.folder / "tls" / "ca.crt"
        place = ("127.0.0.1", self.ports["console"])
        if authority.is_file():
            trust = ssl.create_default_context(cafile=authority)
            link: http.client.HTTPConnection = http.client.HTTPSConnection(*place, timeout=10, context=trust)
        else:
            link = http.client.HTTPConnection(*place, timeout=10)
        headers = {"content-type": "application/json", "authorization": f"Bearer {self._token}"}
        try:
            link.request(method, path, json.dumps(body) if body is not None else None, headers)
            return json.loads(link.getresponse().read())
        finally:
            link.close()

    def caught_up(self) -> int:
        """Wait until live state holds every record of the journal; the last record's number."""
        deadline = time.monotonic() + 60
        while True:
            health = self.ask("GET", "/healthz")
            last: int = health["journal"]["last"]
            if health["live"]["stored"] == last and not health["journal"]["waiting"]:
                return last
            if time.monotonic() > deadline:
                raise RuntimeError(f"live state does not catch up: {health}")
            time.sleep(0.1)

    @property
    def session(self) -> str:
        """What a viewer's cookie says."""
        return self._token

    @property
    def pid(self) -> int:
        """The server's own process."""
        assert self._process is not None
        return self._process.pid

    @property
    def resident(self) -> int:
        """Bytes of memory that it holds."""
        return cost_of(self.pid).resident

    @property
    def valkey(self) -> int:
        """The embedded Valkey's process."""
        return int((self.folder / "redis" / "valkey.pid").read_text())

    def journal_bytes(self) -> int:
        """Bytes of the journal's rows: whole pages in use, with or without what its log still holds."""
        import sqlite3

        total = 0
        for path in (self.folder / "journal").glob("*.db"):
            with sqlite3.connect(path) as db:
                total += db.execute("SELECT sum(length(body) + 24) FROM batch").fetchone()[0]
            db.close()
        return total
