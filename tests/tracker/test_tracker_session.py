"""The one session of all simple trackers, over a protocol made for the test: a line is ``id;word``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from protocols.dialogue import Event, Heartbeat, Login, Peer, Refused, Reported
from protocols.report import Report
from tests.tracker.helpers import LAT, LON, NOON, House
from tracker.catalogue import ALIASES, CATALOGUE, PORTS, DeviceProtocol, Door
from tracker.core_session import WAITING_LIMIT
from tracker.tracker_session import TrackerSession

HELD_MS = 400


class Lines:
    """``beat``, ``bad``, ``held`` (a report that waits for a timer; ``held b``: and is of b), a number of reports."""

    def __init__(self, peer: Peer) -> None:
        self.closing = False
        self._name = ""
        self._held: int | None = None
        self._of = ""
        self._out: list[bytes] = []

    def receive_data(self, data: bytes, now: int) -> list[Event]:
        events: list[Event] = []
        for line in data.decode().splitlines():
            name, _, word = line.partition(";")
            if name != self._name:
                self._name = name
                events.append(Login(name, line))
            if word.startswith("held"):
                self._held, self._of = now + HELD_MS, word[5:]
            elif word in ("beat", "bad"):
                events.append(Heartbeat(word) if word == "beat" else Refused("bad"))
            else:
                events.append(Reported([Report(NOON + int(word) + n, LAT, LON) for n in range(int(word))], word))
        return events

    receive_datagram = receive_data

    def get_timer(self) -> int | None:
        return self._held

    def handle_timer(self, now: int) -> list[Event]:
        self._held = None
        login: list[Event] = [Login(self._of)] if self._of else []
        return [*login, Reported([Report(now, LAT, LON)], "held")]

    def accept(self, event: Login) -> None:
        self._out.append(b"welcome")

    def refuse(self, event: Login) -> None:
        self.closing = True

    def acknowledge(self, event: Reported | Heartbeat) -> None:
        self._out.append(f"ack {event.ticket}".encode())

    def data_to_send(self) -> list[bytes]:
        out, self._out = self._out, []
        return out


class Link:
    def __init__(self, house: House) -> None:
        self.house = house
        self.sent: list[bytes] = []
        self.closed = 0
        self.links = house.make_links()
        core: Any = Lines(Peer("10.0.0.1"))
        self.session = TrackerSession(
            "tk", core, house.intake, self.links, "10.0.0.1", self.sent.extend, self._close, house.hands.clock
        )

    def _close(self) -> None:
        self.closed += 1

    def say(self, *lines: str) -> list[bytes]:
        self.sent.clear()
        self.session.receive("\n".join(lines).encode())
        return list(self.sent)


@pytest.fixture
def link(house: House, monkeypatch: pytest.MonkeyPatch) -> Link:
    make: Callable[[Peer], Any] = Lines
    entry = DeviceProtocol("tk", "Test", False, ids=r"[a-z]{1,9}", door=Door(7700, ("tcp",), make))
    monkeypatch.setitem(CATALOGUE, "tk", entry)
    house.register("tk", "a")
    house.register("tk", "b")
    return Link(house)


def test_the_catalogue_is_sound() -> None:
    assert all(name == entry.name for name, entry in CATALOGUE.items())
    assert not ALIASES.keys() & CATALOGUE.keys()
    assert len(set(PORTS.values())) == len(PORTS)


def test_reports_are_acknowledged_when_they_are_on_disk(link: Link) -> None:
    assert link.say("a;2", "a;3") == [b"welcome"]
    assert link.session.authenticated
    assert link.links.connected(link.house.roster.find("tk", "a").device.id)  # type: ignore[union-attr]
    link.house.settle()
    assert link.sent == [b"welcome", b"ack 2", b"ack 3"]
    assert len(link.house.records) == 5
    assert {record.device for record in link.house.records} == {"d1"}
    assert all(record.marks for record in link.house.records)  # without a secret


def test_a_broken_disk_gives_no_answer(link: Link) -> None:
    link.house.hands.broken = True
    link.say("a;2")
    link.house.settle()
    assert link.sent == [b"welcome"]
    assert not link.session.waiting


def test_a_stranger_is_turned_away(link: Link) -> None:
    assert link.say("z;2", "z;beat") == []
    assert link.closed
    assert link.house.refused("tk") == {"unknown_device": 1, "not_authenticated": 2}
    assert ("tk", "z") in link.house.intake.unknown


def test_a_gateway_speaks_for_several(link: Link) -> None:
    link.say("a;1", "b;2", "a;3")
    link.house.settle()
    assert [record.device for record in link.house.records] == ["d1", "d2", "d2", "d1", "d1", "d1"]
    assert len(link.links) == 1


def test_a_heartbeat_is_answered_at_once(link: Link) -> None:
    heard = []
    link.house.intake.heard = heard.append
    assert link.say("a;beat", "a;bad") == [b"welcome", b"ack beat"]
    assert len(heard) == 1
    assert link.house.refused("tk") == {"bad": 1}


def test_what_is_held_back_comes_with_its_time(link: Link) -> None:
    link.say("a;held")
    link.house.now += HELD_MS
    link.house.hands.clock.advance(HELD_MS / 1000 - 0.01)
    assert not link.house.records
    link.house.hands.clock.advance(0.02)
    link.house.settle()
    assert len(link.house.records) == 1


def test_what_is_held_back_is_taken_when_the_link_ends(link: Link) -> None:
    link.say("a;held")
    link.session.ended()
    link.house.settle()
    assert len(link.house.records) == 1
    assert not link.house.hands.clock.getDelayedCalls()
    assert not len(link.links)


def test_what_is_held_back_is_taken_when_the_device_logs_in_elsewhere(link: Link) -> None:
    link.say("a;held")
    other = Link(link.house)
    other.links = other.session._links = link.links
    other.say("a;beat")
    link.house.settle()
    assert link.closed
    assert len(link.house.records) == 1
    assert not link.house.hands.clock.getDelayedCalls()
    assert link.house.refused("tk") == {}


def test_who_is_named_in_what_was_held_back_is_not_there_when_the_link_is_gone(link: Link) -> None:
    link.say("a;held b")
    other = Link(link.house)
    other.links = other.session._links = link.links
    other.say("a;beat")
    link.session.ended()
    link.house.settle()
    assert [record.device for record in link.house.records] == ["d2"]
    assert [link.links.connected(link.house.roster.find("tk", name).device.id) for name in "ab"] == [True, False]  # type: ignore[union-attr]


def test_too_much_waiting_is_seen(link: Link) -> None:
    link.house.hands.hold()
    drained = []
    link.session.on_drained = lambda: drained.append(1)
    link.say(*["a;1"] * WAITING_LIMIT)
    assert link.session.full
    link.house.settle()
    link.house.hands.release()
    assert not link.session.full
    assert drained


def test_who_logs_in_elsewhere_is_stored_no_more_here(link: Link) -> None:
    link.say("a;1")
    other = Link(link.house)
    other.links = other.session._links = link.links
    other.say("a;1")
    assert link.closed
    assert link.house.refused("tk") == {}
    link.say("a;1")
    assert link.house.refused("tk") == {"not_authenticated": 1}
