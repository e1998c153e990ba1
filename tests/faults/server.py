"""A server as an operator runs it: twistd, its embedded Valkey, a settings file and a data folder of its own.

It is started, killed and started again by the tests, always over the same folder and on the same ports.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from redis import Redis

from storage.embedded import socket_path
from tracker.catalogue import PORTS

ROOT = Path(__file__).resolve().parents[2]
DOORS = ("console", "field", "jt808", "handheld", "phones", *PORTS)
PATIENCE = 120.0
"""Seconds until what should have happened is called missing; nothing is measured with it. Jobs at the lowest priority
are among it, and they wait for everybody else."""
READY = "Gridbeat is running"

# Workers beside each other choose from ranges of their own: a port that is free now is taken a second later.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 4
_PORTS = range(10_000 + 5_500 * _WORKER, 10_000 + 5_500 * (_WORKER + 1))

# Of its own: tests seed the other one, and two runs at the same time would choose the same ports.
_random = random.SystemRandom()


def free_port() -> int:
    """A port that nobody has, for TCP and UDP, below those that the kernel gives to clients: a device that
    reconnects while the server is down could be given the server's own port, and would talk to itself."""
    while True:
        port = _random.choice(_PORTS)
        with closing(socket.socket()) as tcp, closing(socket.socket(type=socket.SOCK_DGRAM)) as udp, suppress(OSError):
            tcp.bind(("127.0.0.1", port))
            udp.bind(("127.0.0.1", port))
            return port


def free_ports(number: int) -> set[int]:
    """So many different ones."""
    found: set[int] = set()
    while len(found) < number:
        found.add(free_port())
    return found


def until(true: Callable[[], object], what: str, patience: float = PATIENCE) -> float:
    """Wait until something is true; the seconds that it took."""
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > patience:
            raise AssertionError(f"still not after {patience:.0f} s: {what}")
        time.sleep(0.02)
    return time.monotonic() - began


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and waits for its parent does not."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def processes_in(folder: Path) -> list[int]:
    """Pids of the living processes that work anywhere below a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and Path(os.readlink(entry / "cwd")).is_relative_to(folder.resolve()):
                found.append(int(entry.name))
    return [pid for pid in found if is_alive(pid)]


def cpu_seconds(pid: int) -> float:
    """What a process has had of the processors."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> int:
    """Bytes of memory that a process has."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(pid)


class Server:
    """One data folder with its server. ``settings``: further lines by section, such as ``{"limits": "idle_s = 5"}``."""

    def __init__(self, folder: Path, settings: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.config = folder / "city.toml"
        self.redis_socket = socket_path(self.data / "redis")
        self.ports = dict(zip(DOORS, free_ports(len(DOORS)), strict=True))
        self.starts = 0
        # A small reserve, unless the test is about it: many such servers are made.
        self._settings = {"server": "reserve_mb = 1", **(settings or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._token = ""
        folder.mkdir(parents=True, exist_ok=True)
        self.write_config()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing that was started here outlives the test."""
        self.kill()
        for pid in processes_in(self.folder):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda: not processes_in(self.folder), "the embedded server ends")

    def write_config(self) -> None:
        sections = {**self._settings}
        for door in DOORS:
            sections[door] = f"port = {self.ports[door]}\n{sections.get(door, '')}"
        lines = [f"[{name}]\n{text}\n" for name, text in sections.items()]
        self.config.write_text("\n".join(lines))

    # -- the process

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def output(self) -> str:
        """What the newest start has said on stdout and stderr."""
        return self._output.read_text("utf-8", "replace")

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start it and do not wait."""
        assert self._process is None
        self.starts += 1
        self._output = self.folder / f"output-{self.starts}.txt"
        twistd = Path(sys.executable).with_name("twistd")
        words = [sys.executable, str(twistd), "--nodaemon", "--pidfile=", "--python", str(ROOT / "twistd.tac")]
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                words,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                env={**os.environ, "GRIDBEAT_CONFIG": str(self.config)},
                # A shell starts what runs in the background deaf to Ctrl-C, and that is inherited.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        return self._process

    def start(self) -> Server:
        """Start it and wait until it listens."""
        process = self.spawn()

        def listens() -> bool:
            assert process.poll() is None, f"the server ended with {process.returncode}:\n{self.output}"
            return READY in self.output

        until(listens, "the server listens")
        return self

    def kill(self) -> None:
        """kill -9."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, and wait until it has; its status."""
        process, self._process = self._process, None
        assert process is not None
        process.send_signal(number)
        return self._wait(process)

    def ended(self) -> int:
        """Wait until it has ended by itself; its status."""
        process, self._process = self._process, None
        assert process is not None
        return self._wait(process)

    def _wait(self, process: subprocess.Popen[bytes]) -> int:
        try:
            return process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    # -- the embedded server

    def valkey_pid(self) -> int | None:
        """The pid of the Valkey over this folder, if one is alive."""
        with suppress(OSError, ValueError):
            pid = int((self.data / "redis" / "valkey.pid").read_text())
            if is_alive(pid) and os.readlink(f"/proc/{pid}/cwd") == str((self.data / "redis").resolve()):
                return pid
        return None

    def redis(self) -> Redis:
        """A client of the server's Redis."""
        return Redis(unix_socket_path=str(self.redis_socket), protocol=2, socket_timeout=PATIENCE)

    # -- the API

    def api(self, path: str, body: Any = None, *, method: str = "") -> Any:
        """What the API answers; an AssertionError if that is an error. The first call logs in."""
        status, _, answer = self.ask(path, body, method=method)
        assert status < 300, f"{path}: {status} {answer[:500]!r}"
        return json.loads(answer)

    def ask(self, path: str, body: Any = None, *, method: str = "") -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the API's answer."""
        headers = {"authorization": f"Bearer {self.session()}"}
        payload = None
        if body is not None:
            payload = json.dumps(body).encode()
            headers["content-type"] = "application/json"
        method = method or ("POST" if payload else "GET")
        found = self._request(method, path, payload, headers)
        if found[0] == 503 and json.loads(found[2]).get("error", {}).get("code") == "starting":
            # Nobody knows the sessions of before yet, and perhaps Redis is away for long; a new one is known at once.
            headers["authorization"] = f"Bearer {self.login_again()}"
            found = self._request(method, path, payload, headers)
        return found

    def session(self) -> str:
        """A session of the console; it holds over restarts."""
        if not self._token:
            name, password = (self.data / "first-login.txt").read_text().split()
            basic = b64encode(f"{name}:{password}".encode()).decode()
            status, _, _ = self._request("GET", "/api/v1/counters", None, {"authorization": f"Basic {basic}"})
            assert status == 200
            login = json.dumps({"name": name, "password": password}).encode()
            _, _, answer = self._request("POST", "/api/v1/login", login, {"content-type": "application/json"})
            self._token = json.loads(answer)["token"]
        return self._token

    def login_again(self) -> str:
        """A new session, made now."""
        self._token = ""
        return self.session()

    def _request(
        self, method: str, path: str, payload: bytes | None, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["console"], timeout=PATIENCE)
        try:
            connection.request(method, path, payload, headers)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def health(self) -> dict[str, Any]:
        """What /healthz says, well or not."""
        status, _, answer = self.ask("/healthz")
        view: dict[str, Any] = json.loads(answer)
        assert status == (200 if view["status"] == "ok" else 503)
        return view

    def problems(self) -> set[str]:
        """The words of what is wrong."""
        return {problem["what"] for problem in self.health()["problems"]}

    def well(self) -> bool:
        """Nothing is wrong but perhaps the clock: the load's devices live hours ago."""
        return self.problems() <= {"clock"}

    def settled(self) -> bool:
        """Everything in the journal is in live state, and no track has a hole."""
        view = self.health()
        if {problem["what"] for problem in view["problems"]} - {"clock"}:  # as in well()
            return False
        if view["live"]["stored"] != view["journal"]["last"] or view["journal"]["waiting"]:
            return False
        with closing(self.redis()) as redis:
            return not redis.hlen("{s0}holes")
