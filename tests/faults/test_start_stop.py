"""Starts that must not be, and ends that must lose nothing."""

from __future__ import annotations

import signal
import socket
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.fleet import Device
from tests.faults.server import Server, processes_in, until
from tests.faults.traffic import Traffic


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_clean_stop_under_load(server: Server, fleet: list[Device], number: signal.Signals) -> None:
    server.start()
    with Traffic(server, fleet) as traffic:
        traffic.flows(500)
        for _ in range(2):
            assert server.stop(number) in (
                0,
                -number,
            )  # twistd ends by the signal that it was sent, when everything is done
            assert "raceback" not in server.output
            assert processes_in(server.folder) == []
            server.start()
            traffic.flows()
        told = traffic.drain()
    assert server.stop(number) in (0, -number)
    # A clean stop leaves nothing in SQLite's log: a copy of the day's file alone is the whole day.
    assert list((server.data / "journal").glob("*-wal")) == []
    server.start()
    until(server.settled, "live state is complete")
    print(traffic.check(told))


def test_two_servers_over_one_folder(server: Server, tmp_path: Path) -> None:
    server.start()
    with Server(tmp_path / "second", {"server": f'data = "{server.data}"'}) as second:
        second.spawn()
        assert second.ended() == 1
        assert f"Another Gridbeat is running over {server.data}" in second.output
        assert "Traceback" not in second.output
    assert server.health()["status"] == "ok"
    assert server.valkey_pid() is not None
    # All of it is of people: nobody else on the machine can read it.
    made = [path for path in server.data.rglob("*") if path.is_file() or path.is_dir()]
    assert len(made) > 10
    assert [path for path in made if path.stat().st_mode & 0o77] == []


# One loop opens all doors: a site, a session of its own, and a simple tracker stand for the others.
@pytest.mark.parametrize("door", ["console", "jt808", "nmea"])
def test_port_taken(server: Server, door: str) -> None:
    with closing(socket.create_server(("127.0.0.1", server.ports[door]))):
        server.spawn()
        assert server.ended() == 1
    assert f"Port {server.ports[door]} on 127.0.0.1 cannot be used" in server.output
    assert "Traceback" not in server.output
    assert processes_in(server.folder) == []
    server.start()


def test_udp_port_taken(server: Server) -> None:
    with closing(socket.socket(type=socket.SOCK_DGRAM)) as taken:
        taken.bind(("127.0.0.1", server.ports["jt808"]))
        server.spawn()
        assert server.ended() == 1
    assert f"Port {server.ports['jt808']} on 127.0.0.1 cannot be used" in server.output


def test_folder_that_cannot_be_written(server: Server) -> None:
    """Where the data folder should be there is a file."""
    server.data.write_text("")
    server.spawn()
    assert server.ended() == 1
    assert str(server.data) in server.output


def test_killed_while_it_starts(server: Server, fleet: list[Device]) -> None:
    """The first start ever, killed at any point of it, leaves nothing that keeps the next from starting."""
    for number in range(12):
        server.spawn()
        time.sleep(0.1 * number)
        server.kill()
    server.start()
    with Traffic(server, fleet) as traffic:
        traffic.flows()
        told = traffic.drain()
    print(traffic.check(told))
