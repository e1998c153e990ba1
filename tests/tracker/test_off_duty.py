"""Off duty nothing is stored, in every protocol: of what a device had stored of a whole day, the part on duty is kept,
all of it is acknowledged in the protocol's own way, and of the rest there is no byte on the disk and no word in a log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import msgpack
import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.logger import globalLogPublisher

from protocols.gt06 import client as gt06
from protocols.h02 import client as h02
from protocols.nmea import HOLD_MS, encode_epoch, encode_identity
from protocols.report import ALARM_SOS, Report
from protocols.traccar import encode_json, encode_query
from protocols.watch import client as watch
from tests.reactor import reactor, run, until
from tests.tracker.helpers import HOUR, LAT, LON, NOON, House, record
from tests.tracker.test_handheld_session import Place as Handhelds
from tests.tracker.test_http import Place as Traccars
from tests.tracker.test_jt808_session import Place as Terminals
from tests.tracker.test_nmea import THERE
from tests.tracker.test_nmea import Place as Talkers
from tests.tracker.test_phone_site import OK
from tests.tracker.test_phone_site import Place as Phones
from tests.tracker.test_trackers import IMEI, PLAIN
from tests.tracker.test_trackers import Place as Trackers
from tracker.archivist import JobFailed
from tracker.catalogue import CATALOGUE
from tracker.model import UnitId
from tracker.off_duty import OffDutyRemovals
from tracker.tracks import Track

BEGAN, ENDED = NOON - HOUR, NOON + HOUR
BEFORE, FIRST, LAST, AFTER = BEGAN - 1000, BEGAN, ENDED - 1000, ENDED
"""Fix times: an interval's start is on duty, and its end is not."""
TIMES = (BEFORE, FIRST, LAST, AFTER)

Say = Callable[[House], object]
"""Has a device say where it was at :data:`TIMES`, when everybody's duty is over, and judges the answers."""


def over(house: House) -> None:
    """Everybody was on duty from eleven to one, and it is two."""
    for unit in house.roster.units:
        house.roster.apply(("duty", f"{unit}:1", {"unit": unit, "number": 1, "start": BEGAN, "end": ENDED}))
    house.now = ENDED + HOUR


def fix(at: int) -> Report:
    return Report(at, LAT, LON)


def handheld(house: House) -> None:
    place = Handhelds(house)
    over(house)
    device = place.log_in()
    for at in TIMES:
        device.client.add_position(at, LAT, LON)
    device.talk()
    house.settle()
    assert device.acknowledged
    assert device.client.unacknowledged == 0


def terminal(*, blind: bool, datagram: bool = False) -> Say:
    """With 0x0200 each, or as what it had stored where there was no network: one 0x0704."""

    def say(house: House) -> None:
        place = Terminals(house)
        over(house)
        vehicle = place.vehicle(datagram=datagram)
        if not blind:
            vehicle.log_in()
        for at in TIMES:
            vehicle.terminal.position(at, LAT, LON)
        if blind:
            vehicle.log_in()
        vehicle.say()
        house.settle()
        assert len(vehicle.acknowledged) == (1 if blind else len(TIMES))
        assert vehicle.terminal.unacknowledged == 0

    return say


def traccar(form: str) -> Say:
    def say(house: House) -> None:
        place = Traccars(house)
        over(house)
        for at in TIMES:
            phone = place.phone()
            if form == "json":
                phone.ask("POST", "/phones", encode_json(place.id, fix(at)), "application/json")
            else:
                phone.ask("GET", "/phones/?" + encode_query(place.id, fix(at)).decode())
            house.settle()
            reply = phone.reply()
            assert reply is not None
            assert reply.code == 200

    return say


def phone(app: str, *groups: tuple[int, ...]) -> Say:
    """These times in one request each."""

    def say(house: House) -> None:
        place = Phones(house)
        over(house)
        for ats in groups:
            reply = place.send(app, *ats)
            house.settle()
            told = reply()
            assert told is not None
            assert told.code == 200
            if app == "batch":
                parts = told.body.partition('"rejected":')
                assert [f'"{at}"' in parts[0] for at in ats] == [at in (FIRST, LAST) for at in ats]
                assert [f'"{at}"' in parts[2] for at in ats] == [at in (BEFORE, AFTER) for at in ats]
            else:
                assert told.body == OK[app]

    return say


def nmea(*, datagram: bool) -> Say:
    """It is answered nothing, ever."""

    def say(house: House) -> None:
        house.register("nmea", "crane-2")
        house.register("nmea", "203.0.113.7")
        place = Talkers(house)
        over(house)
        said = [encode_identity("crane-2"), *(encode_epoch(fix(at)) for at in TIMES)]
        if datagram:
            for each in said[1:]:
                place.udp.datagramReceived(said[0] + each, THERE)
                place.wait(HOLD_MS)
            return
        link, transport = place.connect()
        link.dataReceived(b"".join(said))
        place.wait(HOLD_MS)
        assert transport.taken() == b""

    return say


def tracker(protocol: str, ident: str, hello: bytes, message: Callable[[int], bytes], answer: bytes) -> Say:
    """Each message has an ``answer``, which may be none."""

    def say(house: House) -> None:
        house.register(protocol, ident)
        place = Trackers(house)
        over(house)
        link, transport = place.connect(protocol)
        link.dataReceived(hello)
        house.settle()
        transport.taken()
        for at in TIMES:
            link.dataReceived(message(at))
            house.settle()
            taken = transport.taken()
            assert (answer in taken) if answer else taken == b""

    return say


SAYS: dict[str, Say] = {
    "handheld": handheld,
    "jt808": terminal(blind=False),
    "jt808 blind area": terminal(blind=True),
    "jt808 datagrams": terminal(blind=False, datagram=True),
    "traccar": traccar("query"),
    "traccar json": traccar("json"),
    "owntracks": phone("owntracks", *((at,) for at in TIMES)),
    "gpslogger": phone("gpslogger", *((at,) for at in TIMES)),
    "overland": phone("overland", TIMES),
    "batch": phone("batch", TIMES),
    "nmea": nmea(datagram=False),
    "nmea datagrams": nmea(datagram=True),
    "gt06": tracker("gt06", IMEI, gt06.login(IMEI, 1), lambda at: gt06.position(at, LAT, LON, 2),
                    gt06.frame(0x22, serial=2)),
    "h02": tracker("h02", PLAIN, h02.heartbeat(PLAIN), lambda at: h02.position(PLAIN, at, LAT, LON),
                   f"*HQ,{PLAIN},V4,V1,".encode()),
    "watch": tracker("watch", PLAIN, watch.frame("3G", PLAIN, b"LK"), lambda at: watch.position(PLAIN, at, LAT, LON),
                     b""),
    "watch stored": tracker("watch", PLAIN, watch.frame("3G", PLAIN, b"LK"),
                            lambda at: watch.position(PLAIN, at, LAT, LON, kind="UD2"), b""),
}  # fmt: skip


@pytest.fixture
def logged() -> Iterator[list[dict[str, Any]]]:
    events: list[dict[str, Any]] = []
    globalLogPublisher.addObserver(events.append)  # type: ignore[arg-type]
    yield events
    globalLogPublisher.removeObserver(events.append)  # type: ignore[arg-type]


def test_no_protocol_is_left_out() -> None:
    assert {name.split()[0] for name in SAYS} == set(CATALOGUE)


@pytest.mark.parametrize("name", SAYS)
def test_only_what_was_on_duty_is_anywhere(house: House, name: str, logged: list[dict[str, Any]]) -> None:
    SAYS[name](house)
    protocol = name.split()[0]
    assert [record.fix_time for record in house.records] == [FIRST, LAST]
    assert house.refused(protocol) == {"off_duty": 2}
    disk = b"".join(path.read_bytes() for path in house.folder.iterdir() if path.is_file())
    assert [msgpack.packb(at) in disk for at in TIMES] == [False, True, True, False]
    told = repr(logged)
    assert "30.66" not in told
    assert str(LAT) not in told


CALLS: dict[str, Callable[[int], bytes]] = {
    "gt06": lambda at: gt06.alarm(at, LAT, LON, 3),
    "h02": lambda at: h02.position(PLAIN, at, LAT, LON, state=h02.SOS),
    "watch": lambda at: watch.position(PLAIN, at, LAT, LON, kind="AL", state=watch.SOS),
}


@pytest.mark.parametrize("protocol", CALLS)
def test_a_call_for_help_is_kept_with_its_first_place_alone(house: House, protocol: str) -> None:
    ident = IMEI if protocol == "gt06" else PLAIN
    house.register(protocol, ident)
    place = Trackers(house)
    over(house)
    link, transport = place.connect(protocol)
    link.dataReceived(gt06.login(IMEI, 1) if protocol == "gt06" else b"")
    for second in range(3):
        transport.taken()
        link.dataReceived(CALLS[protocol](AFTER + second * 1000))
        house.settle()
        assert transport.taken(), "each is answered, or it would come for ever"
    assert [(record.fix_time, record.alarm & ALARM_SOS, record.duty) for record in house.records] == [(AFTER, 1, 0)]
    assert house.refused(protocol) == {"off_duty": 2}


class Course:
    """A removal's course over parts that do what a test says and note what they did."""

    def __init__(self, *fails: Exception | None) -> None:
        self.done: list[str] = []
        self.kept: list[Any] = []
        self._fails = list(fails)
        photos = SimpleNamespace(
            index=SimpleNamespace(all=lambda: (), drop=lambda ids: None), blobs=SimpleNamespace(count_anew=lambda: None)
        )
        journal = SimpleNamespace(last=7, first_since=lambda at: 1)
        intake: Any = SimpleNamespace(journal=journal, keep=self._keep, wall=lambda: NOON + HOUR)
        parts: dict[str, Any] = {
            "links": SimpleNamespace(photos=photos), "applier": SimpleNamespace(amend=self._amend),
            "mirror": SimpleNamespace(units={}), "archivist": SimpleNamespace(ask=self._ask),
            "tracks": SimpleNamespace(read=self._read, tail=SimpleNamespace(forget_span=lambda *_: None)),
        }  # fmt: skip
        self.removals = OffDutyRemovals(
            intake, reactor=reactor(), new_id=lambda: "x", rewrite=self._rewrite, **parts
        )  # fmt: skip

    def _step(self, name: str) -> None:
        self.done.append(name)
        failure = self._fails.pop(0) if self._fails else None
        if failure is not None:
            raise failure

    async def _keep(self, events: Any) -> None:
        self.kept += events

    async def _read(self, unit: str, start: int, end: int) -> Track:
        self._step("look")
        return Track([(record(NOON), 0, None)], [])

    def _amend(self, unit: str, stays: Any, taints: Any, upto: int, done: Callable[[int], object]) -> None:
        self._step("live")
        done(1)

    def _ask(self, job: str, arguments: Any, *, urgent: bool) -> Deferred[Any]:
        assert urgent
        self._step(job)
        return succeed({"counts": {"records": 1}})

    async def _rewrite(self) -> None:
        self._step("rewrite")

    def run(self, over: Callable[[], bool]) -> None:
        self.removals.take(self.removals.promised([(UnitId("p1"), BEGAN, ENDED)], NOON))
        self.removals.start()
        run(until(over))


COURSE = ["look", "live", "remove_off_duty", "live", "rewrite"]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GATHER_S", "RETRY_S"):
        monkeypatch.setattr(f"tracker.off_duty.{name}", 0.001)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("error", [JobFailed("no"), ConnectionError("away"), RuntimeError("a fault of ours")])
@pytest.mark.parametrize("step", range(len(COURSE)))
def test_whatever_fails_at_whatever_step_it_is_tried_until_it_is_done(step: int, error: Exception) -> None:
    course = Course(*[None] * step, error)
    course.run(lambda: not len(course.removals))
    assert course.done[: step + 1] == COURSE[: step + 1]
    # It is known by then what there is: that is not looked for again.
    assert course.done[step + 1 :] == (COURSE if step == 0 else COURSE[1:])
    assert course.kept[-1][2]["done"] == NOON + HOUR
    assert course.removals.problem == ""


@pytest.mark.usefixtures("at_once")
def test_while_it_waits_it_says_why() -> None:
    course = Course(*[RuntimeError("a fault of ours")] * 1000)
    course.run(lambda: course.removals.problem != "")
    assert course.removals.problem == "a fault of ours"
    assert len(course.removals) == 1
    course.removals.stop()
    ended = len(course.done)
    run(asyncio.sleep(0.01))
    assert len(course.done) == ended
