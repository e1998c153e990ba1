"""What a running city forgets of a unit whose data is removed: roster, links, commands, photos, live state, the map."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgpack
import pytest

from protocols.report import ALARM_SOS
from storage.client import Client
from storage.journal_files import Batch
from tests.reactor import run, until
from tests.tracker.applier_bench import Bench
from tests.tracker.helpers import LAT, NOON, House, record, report
from tests.tracker.stores import valkey
from tracker.commands_model import Moment, Outcome, State
from tracker.ledger import Ledger
from tracker.media import Photo
from tracker.mirror import Mirror
from tracker.model import DeviceId, Duty, UnitId
from tracker.presence import PresenceLimits
from tracker.roster import Refusal
from tracker.store import LiveStore, MemoryLiveStore, RedisLiveStore, Update
from tracker.tail import Tail
from webmap.feed import Feed, Viewer


@pytest.fixture
def house(tmp_path: Path) -> Any:
    found = House(tmp_path / "journal")
    yield found
    found.close()


# -- who is who


def test_the_roster_knows_nobody_of_that_name(house: House) -> None:
    device = house.register("jt808", "13800000001", unit="", name="巡一", header=2013, lenient=True)
    other = house.register("handheld", "H-2", name="留下")
    unit, version = device.unit, house.roster.version
    house.roster.remove(unit)
    assert list(house.roster.units) == [other.unit]
    assert list(house.roster.devices) == [other.id]
    assert house.roster.find("jt808", "13800000001") is None
    assert not house.roster.devices_of(unit)
    assert not house.roster.duties_of(unit)
    assert not house.roster.misflagged
    assert not house.roster.lenient["jt808"]
    assert house.roster.version > version
    assert unit not in json.dumps(list(house.roster.changes()))


def test_nobody_else_is_called_so_until_all_has_gone(house: House) -> None:
    unit = house.register("handheld", "H-1", name="走").unit
    house.roster.remove(unit)
    with pytest.raises(Refusal) as refused:
        house.roster.plan_units([{"id": unit, "name": "来"}])
    assert refused.value.code == "leaving"
    house.roster._highest["p"] = 0  # as after a restart, when nobody remembers the number
    assert house.roster.plan_units([{"name": "来"}])[0][1] != unit
    house.roster.leaving.discard(unit)
    assert house.roster.plan_units([{"id": unit, "name": "来"}])


def test_what_its_device_still_says_is_stored_nowhere(house: House) -> None:
    device = house.register("handheld", "H-1", name="走")
    carrier = house.roster.carrier(device.id)
    assert carrier is not None
    house.roster.remove(device.unit)
    told: list[int | None] = []
    house.intake.submit(carrier, [report(), report(NOON + 1, alarm=ALARM_SOS)], told.append)
    house.settle()
    assert told == [0]  # the device may forget it
    assert house.records == []
    assert house.refused("handheld") == {"unknown_device": 2}


# -- commands and photos


class Session:
    def __init__(self) -> None:
        self.closed = 0

    def carry_out(self, command: Any) -> bool:
        return True

    def take_over(self) -> None:
        self.closed += 1


def test_links_are_closed_and_commands_forgotten(house: House) -> None:
    links = house.make_links()
    gone, stays = house.register("handheld", "H-1", name="走"), house.register("handheld", "H-2", name="留")
    sessions = {device.id: Session() for device in (gone, stays)}
    for device in (gone, stays):
        links.login(device.id, sessions[device.id])
        for _ in range(2):
            house_ask(house, links, device.id)
    links.answered("c0", gone.id, True)
    house.settle()
    links.answered("c1", gone.id, True)  # decided and on its way to the disk
    links.forget(gone.unit, [gone.id])
    house.settle()
    assert [sessions[gone.id].closed, sessions[stays.id].closed] == [1, 0]
    assert links.commands.of(gone.id, 9) == []
    assert [links.commands.get(id) for id in ("c0", "c1")] == [None, None]
    assert len(links.commands.of(stays.id, 9)) == len(links.commands) == 2
    assert not links.connected(gone.id)
    house.roster.remove(gone.unit)
    with pytest.raises(Refusal):
        house_ask(house, links, gone.id)
    links.stop()


def house_ask(house: House, links: Any, device: DeviceId) -> None:
    from twisted.internet.defer import Deferred

    asked = Deferred.fromCoroutine(links.ask(device, "locate", {}, 60))
    house.settle()
    failed: list[Any] = []
    asked.addErrback(failed.append)
    if failed:
        failed[0].raiseException()


def test_a_command_that_is_forgotten_does_not_end(house: House) -> None:
    links = house.make_links()
    device = house.register("handheld", "H-1", name="走")
    house_ask(house, links, device.id)
    book = links.commands
    command = book.get("c0")
    assert command is not None
    command.outcome = Outcome(State.DONE)
    book.forget(device.id)
    book.unwritten(command)
    book.written(command)
    assert book.get("c0") is None
    assert book.outcomes_to_write(9) == []
    assert book.handle_timer(Moment(NOON, 10**9)) == set()
    links.stop()


def photo(id: str, unit: str) -> Photo:
    name = f"2026-11-23/{id}.jpg"
    return Photo(id, DeviceId(f"d-{unit}"), UnitId(unit), None, 1, 1, 0, NOON, NOON, 3, "image/jpeg", name)


def test_photos_are_forgotten(house: House) -> None:
    index = house.make_links().photos.index
    for one in (photo("a", "p1"), photo("b", "p2"), photo("c", "p1")):
        index.add(one)
    index.forget(UnitId("p1"))
    assert [one.id for one in index.all()] == ["b"]
    assert index.of(DeviceId("d-p1"), 9) == []


def test_the_ledger_keeps_removals_over_a_snapshot() -> None:
    ledger, at = Ledger(), Moment(NOON, 0)
    for fields in ({"step": "stored"}, {"step": "done"}):
        ledger.replay(("removal", "t1", fields), at)
    assert list(ledger.events()) == [("removal", "t1", {"step": "done"})]


# -- live state


def of_two(store_hour: int) -> Update:
    tracks = {(unit, hour): b"x" for unit in ("p1", "p12") for hour in (store_hour, store_hour + 1)}
    places = [(117.0, 30.0, "p1"), (117.0, 30.0, "p12")]
    entities = [("unit", "p1", b"u"), ("device", "d1", b"d"), ("unit", "p12", b"v")]
    return Update(1, 5, {"p1": b"state", "p12": b"other"}, places, entities, tracks, b"m")


async def forgotten(store: LiveStore) -> None:
    assert await store.apply("j", of_two(500_000)) == 5
    await store.forget("p1", [("unit", "p1"), ("device", "d1"), ("duty", "p1:1")], b"")
    assert await store.load() == [b"other"]
    assert await store.track("p1", range(500_000, 500_002)) == [b"", b""]
    assert await store.track("p12", range(500_000, 500_002)) == [b"x", b"x"]
    assert await store.head() == ("j", 5)


def test_the_store_forgets_a_unit() -> None:
    run(forgotten(MemoryLiveStore()))


def test_redis_forgets_a_unit_and_its_file_too() -> None:
    async def work() -> None:
        client = Client(url)
        try:
            await forgotten(RedisLiveStore(client))
            names = [name async for name in client._redis.scan_iter()]
            assert b"p1:" not in b" ".join(names)
            assert await client.hash("{s0}unit") == {b"p12": b"v"}
            assert await client.hash("{s0}device") == {}
            assert await client._redis.zrange("{s0}geo", 0, -1) == [b"p12"]
            await client._redis.config_set("appendonly", "yes")
            await client.rewritten()
            assert not await client._rewriting()
        finally:
            await client.close()

    with valkey() as url:
        run(work())


@pytest.mark.usefixtures("hurry")
def test_the_applier_forgets_when_all_has_been_applied(bench: Bench) -> None:
    async def work() -> None:
        done: list[int] = []
        bench.commit(30)
        async with bench.running() as applier:
            await bench.check()
            unit = next(iter(applier.pipeline.states))
            applier.forget(unit, [("unit", unit)], bench.journal.last + 5, lambda: done.append(applier.applied))
            bench.commit(20)
            await until(lambda: bool(done))
            assert done[0] >= 35
            assert unit not in applier.pipeline.states
            last = bench.journal.last
            applier.forget(unit, [], last, lambda: done.append(-1))
            bench.store.away = True
            await until(lambda: unit not in applier.pipeline.states)
            bench.store.away = False
            await until(lambda: done[-1] == -1)
            assert not [state for state in await bench.store.load() if msgpack.unpackb(state)[0] == unit]

    run(work())


def test_the_mirror_forgets(house: House) -> None:
    mirror = Mirror(MemoryLiveStore(), lambda: NOON, lambda unit, at: Duty(unit, 1, 0), PresenceLimits(1000, 2000))
    mirror.heard(UnitId("p1"))
    mirror.sweep([UnitId("p1")])
    mirror.forget(UnitId("p1"))
    assert mirror.last_message(UnitId("p1")) is None
    assert not mirror._presence


def test_what_is_not_sealed_is_nobodys() -> None:
    tail = Tail()
    tail.begin(0)
    records = [tuple(record(NOON + n, LAT + n, unit=unit)) for n in range(4) for unit in ("p1", "p2")]
    tail.take(Batch(1, NOON, records))
    tail.forget("p1")
    tail.forget("nobody")
    assert tail.find("p1", 0, 1 << 60) == []
    assert tail.find("p2", 0, 1 << 60) == [2, 4, 6, 8]
    (points,) = tail.points()
    theirs = points.unit != tail.units.index("p2")
    assert int(theirs.sum()) == 4
    assert not points.latitude[theirs].any()
    assert bool(points.doubted[theirs].all())
    assert "p1" not in tail.units


# -- the map


def row(unit: str) -> tuple[float, float, int, list[Any]]:
    return 30.0, 117.0, 0, [unit, 30.0, 117.0, None, None, 0, NOON, *[None] * 7]


def test_no_viewer_is_shown_the_unit_again() -> None:
    feed = Feed("i", row, lambda: (1, "{}"), lambda now: {})
    sent: list[bytes] = []
    late: list[bytes] = []
    for frames in (sent, late):
        viewer = Viewer(frames.append)
        feed.join(viewer, NOON)
        feed.watch(viewer, {"op": "watch", "box": [0, 0, 90, 180], "follow": None})
    feed.update(["p1", "p2"])
    feed.flush(NOON, 0)
    behind = next(viewer for viewer in feed.viewers if viewer.send == late.append)
    behind.paused = True
    feed.update(["p1", "p2"])
    feed.flush(NOON + 100, 0)
    sent.clear()
    late.clear()
    feed.update(["p1"])
    feed.forget("p1")
    behind.paused = False
    feed.flush(NOON + 5000, 0)
    new: list[bytes] = []
    viewer = Viewer(new.append)
    feed.join(viewer, NOON)
    feed.watch(viewer, {"op": "watch", "box": [0, 0, 90, 180], "follow": "p1"})
    feed.update(["p2"])
    feed.flush(NOON + 6000, 0)
    assert b"p2" in b"".join(new)
    assert b"p2" in b"".join(late)
    for frames in (sent, late, new):
        assert not [one for frame in frames for one in json.loads(frame).get("units", ()) if one[0] == "p1"]
