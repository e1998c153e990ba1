"""Who looks after the disk: when the oldest is asked for, when it stops, and what follows a night's tidying."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred, fail, succeed

from storage.archive.budgets import Level, Limit
from storage.archive.layout import CLASSES, FIXES, PHOTOS
from tests.tracker.helpers import Hands
from tests.tracker.test_archive_tidy import NOW, TODAY, City, back
from tracker.archivist import JobFailed, Outcome
from tracker.steward import MEASURE_MS, PAUSE_MS, Steward

NOTHING = {"deleted": {}, "journal_days": 0, "photo_days": 0, "bytes": 0, "free": 1, "enough": False}
ENOUGH = {**NOTHING, "deleted": {"fixes": {"disk": 2}}, "journal_days": 1, "bytes": 9, "enough": True}


@dataclass
class Jobs:
    """An archivist whose jobs end when told to."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any], bool]] = field(default_factory=list)
    waiting: list[Deferred[Any]] = field(default_factory=list)

    def ask(self, job: str, arguments: Any = None, *, urgent: bool = False) -> Deferred[Any]:
        self.asked.append((job, arguments, urgent))
        self.waiting.append(Deferred())
        return self.waiting[-1]

    def end(self, result: Any, at: int) -> None:
        self.outcomes["tidy"] = Outcome(at, 1, result)
        self.waiting.pop().callback(result)


class Office:
    """A steward over a small archive; the disk's level is set by hand."""

    def __init__(self, folder: Path, limits: dict[str, Limit] | None = None) -> None:
        self.city = City(folder / "data")
        self.now = NOW
        self.space = SimpleNamespace(level=Level.OK, held=True, well=100, regain=300, free=1000, low=80)
        self.jobs, self.hands = Jobs(), Hands()
        self.counted = self.rewritten = 0
        self.rewriting: Callable[[], Deferred[None]] = lambda: succeed(None)
        limits = {**{kind: Limit(1000) for kind in CLASSES}, **(limits or {})}
        self.steward = Steward(
            self.city.data, self.city.archive, limits, cast(Any, self.space), cast(Any, self.jobs), cast(Any, self),
            self.hands, cast(Any, self.hands), lambda: self.now, self._rewrite,
        )  # fmt: skip

    def count_anew(self) -> None:
        self.counted += 1

    def _rewrite(self) -> Deferred[None]:
        self.rewritten += 1
        return self.rewriting()

    def tick(self, ms: int = 1000) -> None:
        self.now += ms
        self.steward.tick()


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_nothing_is_asked_for_while_there_is_room(office: Office) -> None:
    for _ in range(5):
        office.tick()
    assert office.jobs.asked == []
    assert office.steward.arguments() == {"limits": {kind: [1000, 0] for kind in CLASSES}, "room": 0}


def test_a_disk_that_is_low_has_the_oldest_go_until_there_is_room(office: Office) -> None:
    office.space.level = Level.LOW
    office.tick()
    ((job, arguments, urgent),) = office.jobs.asked
    assert (job, arguments["room"], urgent) == ("tidy", 100, True)
    office.tick()
    assert len(office.jobs.asked) == 1, "one at a time"
    office.jobs.end(ENOUGH, office.now)
    assert not office.steward.exhausted
    office.tick()
    assert len(office.jobs.asked) == 2, "still low: somebody else writes too"
    office.jobs.end(ENOUGH, office.now)
    office.space.level = Level.OK
    office.tick()
    assert len(office.jobs.asked) == 2


def test_with_the_reserve_given_up_there_must_be_room_for_that_too(office: Office) -> None:
    office.space.level, office.space.held = Level.CRITICAL, False
    office.tick()
    assert office.jobs.asked[0][1]["room"] == 300


@pytest.mark.parametrize("failed", [False, True])
def test_history_that_has_no_more_to_give_is_left_alone_for_a_while(office: Office, failed: bool) -> None:
    office.space.level = Level.LOW
    office.tick()
    if failed:
        office.jobs.waiting.pop().errback(JobFailed("no"))
    else:
        office.jobs.end(NOTHING, office.now)
    assert office.steward.exhausted is not failed
    office.tick(PAUSE_MS - 1)
    assert len(office.jobs.asked) == 1
    office.tick(1)
    assert len(office.jobs.asked) == 2
    office.jobs.end(NOTHING, office.now)
    office.space.level = Level.OK
    office.tick()
    assert not office.steward.exhausted
    office.space.level = Level.LOW
    office.tick()
    assert len(office.jobs.asked) == 3, "a disk that is low anew is helped at once"


def test_what_was_deleted_at_night_goes_from_live_state_s_files_too(office: Office) -> None:
    office.tick()
    assert (office.counted, office.rewritten) == (0, 0)
    office.jobs.outcomes["tidy"] = Outcome(office.now, 1, {**NOTHING, "enough": True})
    office.tick()
    office.tick()
    assert (office.counted, office.rewritten, office.steward.rewrites) == (1, 1, 1)
    office.rewriting = lambda: fail(ConnectionError("away"))
    office.jobs.outcomes["tidy"] = Outcome(office.now, 1, {**NOTHING, "enough": True})
    office.tick()
    office.space.level = Level.LOW
    office.jobs.outcomes["tidy"] = Outcome(office.now, 1, {**NOTHING, "enough": True})
    office.tick()
    assert (office.counted, office.rewritten) == (3, 2), "a rewriting needs room itself"
    office.space.level = Level.OK
    office.jobs.outcomes["tidy"] = Outcome(office.now, 1, {}, "it failed")
    office.tick()
    assert office.rewritten == 2


def test_what_history_takes_is_looked_at_every_minute(office: Office) -> None:
    office.tick()
    stock = office.steward.stock
    assert stock is not None
    assert (stock.today, stock.measured.classes[FIXES].used, stock.full_in, stock.disk_full_in) == (TODAY, 0, {}, None)
    office.city.close(FIXES, back(9))
    office.tick(MEASURE_MS - 1)
    assert office.steward.stock is stock
    office.tick(1)
    assert office.steward.stock.measured.classes[FIXES].used == 2000
    assert office.steward.stock.daybook.of(back(9))[FIXES].closed is not None
    office.now -= 86_400_000
    office.tick()
    assert office.steward.stock.at == office.now, "a clock that was set back does not stop it"


def test_one_look_at_a_time_and_another_for_who_asked_meanwhile(office: Office) -> None:
    office.hands.hold()
    office.tick()
    office.tick(MEASURE_MS)
    office.jobs.outcomes["tidy"] = Outcome(1, 1, {**NOTHING, "enough": True})
    office.tick()
    assert len(office.hands.held or []) == 1
    office.hands.release()
    assert office.steward.stock is not None
    assert office.steward.stock.at == office.now
    office.hands.broken = True
    office.tick(MEASURE_MS)
    office.hands.broken = False
    office.tick(MEASURE_MS)
    assert office.steward.stock.at == office.now, "a disk that did not answer is asked again"


def test_when_budget_and_disk_will_be_full(tmp_path: Path) -> None:
    office = Office(tmp_path, {PHOTOS: Limit(1000, 100), FIXES: Limit(1000, 100)})
    for days in range(7, 0, -1):
        office.city.photo(back(days), "a.jpg", bytes(10))
    office.space.free, office.space.low = 285, 80
    office.tick()
    stock = office.steward.stock
    assert stock is not None
    assert (stock.full_in, stock.disk_full_in) == ({PHOTOS: 3}, 21)
