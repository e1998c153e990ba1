"""20 % of all sendings lost, 10 % sent twice, 30 % of the devices offline for up to ten minutes: nothing is lost."""

from __future__ import annotations

from collections import Counter

import pytest

from dispatch.model import AttemptState, TaskState
from simulator.manner import Manner, Network
from tests.dispatch.bad_network import World

BAD = Network(loss=0.2, duplicates=0.1, offline=0.3)
WITHIN = 35_000
"""ms"""


@pytest.fixture(scope="module", params=(1, 2))
def world(request: pytest.FixtureRequest) -> World:
    """An hour with a task every 20 seconds for 40 people; then the network gets well, and everything is told."""
    world = World(request.param, 40, BAD, Manner(scene_s=20))
    for number in range(180):
        if number % 30 == 0:
            world.slot()
        world.ask(number)
        world.clock.run(world.clock.now + 20_000)
    world.network = Network()
    world.clock.run(world.clock.now + 1_800_000)
    return world


def test_the_network_was_bad(world: World) -> None:
    total = sum(world.fates.values())
    assert world.fates["lost"] > 500
    assert world.fates["unconfirmed"] > 250
    assert world.fates["arrives"] < total
    assert world.offline_ms > 3_600_000
    assert world.server.codes["again"] > 20, "answers came twice"


def test_every_offer_is_acknowledged_or_goes_to_another(world: World) -> None:
    offers = undelivered = 0
    for id in world.tasks.values():
        task = world.server.book.get(id)
        assert task is not None
        for attempt, later in zip(task.attempts, [*task.attempts[1:], None], strict=True):
            offers += 1
            offered = attempt.at[AttemptState.OFFERED]
            settled = min(at for state, at in attempt.at.items() if state is not AttemptState.OFFERED)
            assert settled <= offered + WITHIN
            if attempt.state is AttemptState.UNDELIVERED:
                undelivered += 1
                assert later is not None
                assert later.at[AttemptState.OFFERED] <= offered + WITHIN
                assert later.unit != attempt.unit
    assert offers > 180
    assert undelivered > 10


def test_every_answer_is_stored_once(world: World) -> None:
    made = [(event, *token) for event, token, what in world.said if what == "report"]
    kept = [
        (fields["event"], task, fields["attempt"])
        for _, task, fields in world.server.journal
        if fields is not None and fields["what"] == "report"
    ]
    assert Counter(kept) == Counter(made)
    assert len(kept) >= 180


def test_every_task_has_its_answer_and_no_device_has_one_that_is_over(world: World) -> None:
    book = world.server.book
    assert not book.open()
    for id in world.tasks.values():
        task = book.get(id)
        assert task is not None
        assert task.state is TaskState.CLOSED
        assert task.result is not None
    assert all(len(device.errands) == 0 for device in world.devices.values())
    assert all(book.to_send(unit) == [] for unit in world.devices), "whatever is over was acknowledged"
    assert book.passed_over == 0


def test_the_journal_makes_the_same_of_it(world: World) -> None:
    assert world.replays()
