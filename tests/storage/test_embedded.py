"""The embedded server with real ones: killed children, killed parents, two parents, long paths."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from redis import Redis
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from storage.client import Client
from storage.embedded import SOCKET_PATH_LIMIT, EmbeddedServer
from tests.storage.helpers import Program, answering_pid, program


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A data folder; whatever server is still alive in it at the end is ended."""
    yield tmp_path / "data"
    for pid in _servers(tmp_path):
        os.kill(pid, signal.SIGKILL)
    _until(lambda: not _servers(tmp_path))


def _servers(folder: Path) -> list[int]:
    """Pids of the processes that work anywhere below a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.readlink(entry / "cwd").startswith(str(folder)):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def _until(condition: Callable[[], object]) -> None:
    """Wait as long as it takes; whoever runs the tests has the patience, not the test."""
    while not condition():
        time.sleep(0.01)


def _answer(keeper: Program) -> tuple[int, str]:
    pid, how = keeper.line().split()
    return int(pid), how


def _connect(folder: Path) -> Redis:
    return Redis(unix_socket_path=str(folder / "valkey.sock"), protocol=2)


def test_it_answers_on_its_socket_and_nowhere_else(folder: Path) -> None:
    with program("keeper", folder) as keeper:
        pid, how = _answer(keeper)
        assert how == "started"
        assert _servers(folder) == [pid]
        inodes = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()}
        for table in ("tcp", "tcp6", "udp", "udp6"):
            lines = Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
            assert not inodes & {f"socket:[{line.split()[9]}]" for line in lines}
        assert (folder / "valkey.sock").stat().st_mode & 0o777 == 0o700
        assert keeper.ask("stop") == "stopped"
    assert _servers(folder) == []
    assert not (folder / "valkey.sock").exists()


def test_data_persist_over_a_clean_restart(folder: Path) -> None:
    with program("keeper", folder) as keeper:
        first, _ = _answer(keeper)
        with _connect(folder) as server:
            server.set("unit", b"\x00here")
        assert keeper.ask("stop") == "stopped"
    with program("keeper", folder) as keeper:
        second, how = _answer(keeper)
        assert (how, second != first) == ("started", True)
        with _connect(folder) as server:
            assert server.get("unit") == b"\x00here"
        assert keeper.ask("stop") == "stopped"


def test_what_was_deleted_leaves_the_file_when_it_is_written_anew(folder: Path) -> None:
    def holds(secret: bytes) -> bool:
        return any(secret in path.read_bytes() for path in (folder / "appendonlydir").iterdir())

    async def rewrite() -> None:
        client = Client(f"unix://{folder / 'valkey.sock'}")
        await client.rewrite()
        await client.rewrite()  # while it does
        await client.close()

    with program("keeper", folder) as keeper:
        _answer(keeper)
        with _connect(folder) as server:
            server.set("track", b"where somebody was")
            server.set("other", b"what stays")
            server.delete("track")
        _until(lambda: holds(b"where somebody was") and holds(b"what stays"))
        asyncio.run(rewrite())
        _until(lambda: not holds(b"where somebody was"))
        assert holds(b"what stays")
        assert keeper.ask("stop") == "stopped"


def test_a_killed_child_is_started_again(folder: Path) -> None:
    with program("keeper", folder) as keeper:
        pids = [_answer(keeper)[0]]
        for _ in range(2):
            os.kill(pids[-1], signal.SIGKILL)
            pid, how = _answer(keeper)
            assert how == "started"
            assert pid not in pids
            pids.append(pid)
        assert _servers(folder) == [pids[-1]]
        assert keeper.ask("stop") == "stopped"


def test_a_child_outlives_its_killed_parent_and_is_adopted(folder: Path) -> None:
    with program("keeper", folder) as keeper:
        pid, _ = _answer(keeper)
        keeper.kill()
        keeper.wait()
    assert _servers(folder) == [pid]
    with program("keeper", folder) as keeper:
        assert _answer(keeper) == (pid, "adopted")
        assert _servers(folder) == [pid]
        assert keeper.ask("stop") == "stopped"
        assert _servers(folder) == [], "stop waits for the adopted one too"


def test_an_adopted_child_that_dies_is_started_again(folder: Path) -> None:
    with program("keeper", folder) as keeper:
        pid, _ = _answer(keeper)
        keeper.kill()
    with program("keeper", folder) as keeper:
        assert _answer(keeper) == (pid, "adopted")
        os.kill(pid, signal.SIGKILL)
        successor, how = _answer(keeper)
        assert how == "started"
        assert _servers(folder) == [successor]
        assert keeper.ask("stop") == "stopped"


def test_two_parents_never_run_two_servers(folder: Path) -> None:
    with program("keeper", folder) as one, program("keeper", folder) as other:
        answers = [_answer(one), _answer(other)]
        assert answers[0][0] == answers[1][0]
        assert sorted(how for _, how in answers) == ["adopted", "started"]
        for _ in range(3):
            os.kill(answers[0][0], signal.SIGKILL)
            answers = [_answer(one), _answer(other)]
            assert answers[0][0] == answers[1][0]
            assert sorted(how for _, how in answers) == ["adopted", "started"]
            assert _servers(folder) == [answers[0][0]]


def test_the_socket_of_a_dead_server_is_removed(folder: Path) -> None:
    with program("keeper", folder) as keeper:
        pid, _ = _answer(keeper)
        keeper.kill()
        keeper.wait()
    os.kill(pid, signal.SIGKILL)
    _until(lambda: not _servers(folder))
    assert (folder / "valkey.sock").is_socket()
    with program("keeper", folder) as keeper:
        assert _answer(keeper)[1] == "started"
        assert keeper.ask("stop") == "stopped"


def test_a_folder_with_an_odd_name(folder: Path) -> None:
    odd = folder / "城 %41#?"
    url = EmbeddedServer(odd, Clock()).url

    async def head() -> tuple[str, int]:
        client = Client(url)
        try:
            await client.ready()
            return await client.head()
        finally:
            await client.close()

    with program("keeper", odd) as keeper:
        _answer(keeper)
        assert asyncio.run(head()) == ("", 0)
        assert keeper.ask("stop") == "stopped"


def test_a_long_path(folder: Path) -> None:
    deep = folder / ("long" * 20) / ("longer" * 10)
    socket = EmbeddedServer(deep, Clock()).socket
    assert len(os.fsencode(socket)) <= SOCKET_PATH_LIMIT
    assert socket.parent.stat().st_mode & 0o777 == 0o700
    with program("keeper", deep) as keeper:
        pid, _ = _answer(keeper)
        assert asyncio.run(answering_pid(socket)) == pid
        assert keeper.ask("stop") == "stopped"
    socket.parent.rmdir()


def test_a_long_path_whose_short_folder_is_not_ours(folder: Path, tmp_path: Path) -> None:
    deep = folder / ("long" * 20) / ("longer" * 10)
    short = EmbeddedServer(deep, Clock()).socket.parent
    try:
        short.chmod(0o777)
        with pytest.raises(PermissionError, match="shorter path"):
            EmbeddedServer(deep, Clock())
        short.rmdir()
        short.symlink_to(tmp_path)
        with pytest.raises(PermissionError, match="shorter path"):
            EmbeddedServer(deep, Clock())
    finally:
        short.unlink()


def test_a_server_that_will_not_end_is_killed(folder: Path) -> None:
    with program("keeper", folder, 0.3) as keeper:
        pid, _ = _answer(keeper)
        os.kill(pid, signal.SIGSTOP)
        assert keeper.ask("stop") == "stopped"
    assert _servers(folder) == []


class _Forks(Clock):
    """A reactor that can start processes, or has no memory for it."""

    able = True
    tried = 0

    def spawnProcess(self, *_: object, **__: object) -> _Forks:
        self.tried += 1
        if not self.able:
            raise BlockingIOError("no memory for a fork")
        return self

    pid = 0


@pytest.mark.usefixtures("quiet")
def test_the_watch_goes_on_when_a_start_fails(folder: Path) -> None:
    reactor = _Forks()
    server = EmbeddedServer(folder, reactor)
    server.start()
    reactor.able = False
    assert server._child is not None
    server._child.processEnded(Failure(RuntimeError("ended")))
    times = []
    for second in range(60):
        before = reactor.tried
        reactor.pump([0.5, 0.5])
        times += [second] * (reactor.tried - before)
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert 1 <= pauses[-1] <= 3, "never given up, and never long away"
    assert pauses == sorted(pauses), "at longer and longer intervals"
    reactor.able = True
    reactor.pump([0.5] * 21)
    assert server.starts == 2


def test_a_first_start_that_fails_is_said(folder: Path) -> None:
    reactor = _Forks()
    reactor.able = False
    with pytest.raises(BlockingIOError):
        EmbeddedServer(folder, reactor).start()


def test_a_folder_that_cannot_be_used_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(IsADirectoryError):
        EmbeddedServer(tmp_path, Clock()).start()


def test_the_servers_log_is_kept(folder: Path) -> None:
    with program("keeper", folder) as keeper:
        _answer(keeper)
        assert keeper.ask("stop") == "stopped"
    assert "ready to" in (folder / "valkey.log").read_text().lower()
