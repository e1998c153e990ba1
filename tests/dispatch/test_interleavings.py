"""Whatever comes in whatever order: two thousand random lives of tasks (a hundred thousand in the long run).

Devices say what they like, about offers old and new; their messages are lost, come twice, late and in another order;
dispatchers decide things meanwhile; steps are planned before the one before is on disk; the server is killed between
any two of these. After each of them nobody shares a task, every open task has a timer, and every answer is there. In
the end the journal and a snapshot both make the same book.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from dispatch.draft import Step
from dispatch.model import OPEN, RESULTS, AttemptInput, AttemptState, Result, TaskId, TaskState, Times
from dispatch.timers import rows
from tests.dispatch.desk import HOUR, NOON, A, B, C, Desk, S, picture, rebuilt, same, task
from tracker.refusal import Change, Refusal

IDS = (TaskId("t1"), TaskId("t2"))
UNITS = (A, B, C)
STEPS = 24
SAID = ("deliver", "accept", "accept", "decline", "depart", "arrive", "report", "report")
PIECES = 20
"""A test is so many of them, so that a failure says its seed soon."""

Message = Callable[[], Step]


class Life(Desk):
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        quick = Times(expire=HOUR, review=HOUR, suspended=HOUR)
        super().__init__(task("t1", times=quick, independent=C), task("t2", times=replace(quick, failed=1)))
        self.bag: list[Message] = []
        """Messages that are on their way."""
        self.unwritten: list[Step] = []
        """Planned, and not on disk yet."""
        self.words: dict[TaskId, set[str]] = {id: set() for id in IDS}
        """Of all answers whose report is on disk."""
        self.answers = dict.fromkeys(IDS, 0)
        """No more than are kept."""
        self.snapshot: tuple[int, list[Change]] = 0, []
        self.count = 0

    def run(self) -> None:
        deeds = (self.hear, self.say, self.say, self.choose, self.choose, self.decide, self.pass_time, self.restart)
        for _ in range(STEPS):
            self.random.choice(deeds)()
            if self.random.random() < 0.7:
                self.write()
            self.check()
        self.write()
        self.check()
        assert same(rebuilt(self.journal), self.book)
        assert same(rebuilt(list(self.book.events())), self.book)

    # -- what happens

    def choose(self) -> None:
        id, unit = self.random.choice(IDS), self.random.choice(UNITS)
        if self.random.random() < 0.1:
            self.plan(lambda: self.book.plan_no_candidate(id, self.now))
        self.plan(lambda: self.book.plan_offer(id, unit, self.random.randrange(600), self.now))

    def say(self) -> None:
        """A device says something, which may be lost, or be said twice, about any attempt there ever was."""
        id = self.random.choice(IDS)
        found = self.book.get(id)
        if found is None or not found.attempts:
            return
        attempt = found.attempts[-1] if self.random.random() < 0.7 else self.random.choice(found.attempts)
        number, unit, what = attempt.number, attempt.unit, self.random.choice(SAID)
        self.count += 1
        event = f"e{self.count}"
        if what == "report":
            self.answers[id] += 1
            if self.answers[id] > RESULTS:
                return
            photos, closes = self.random.choice(((), ("h1",), ("h1", "h2"))), self.random.random() < 0.5
            result = Result(event, unit, number, self.now, required=len(photos), photos=photos, closes=closes)

            def message() -> Step:
                return self.book.plan_report(id, event, result, self.now)

        else:

            def message() -> Step:
                return self.book.plan_told(id, number, unit, AttemptInput(what), self.now, event=event)

        others = (
            lambda: self.book.plan_photo(id, number, unit, self.random.choice(("h1", "h2")), self.now),
            lambda: self.book.plan_acknowledged(id, number, unit, self.now),
            lambda: self.book.plan_heard(unit, self.now),
        )
        self.bag += [message] * self.random.choice((0, 1, 1, 1, 2)) + [self.random.choice(others)]
        if self.random.random() < 0.7:
            self.hear()

    def hear(self) -> None:
        if self.bag:
            message = self.bag.pop(self.random.randrange(len(self.bag)))
            if self.random.random() < 0.1:
                self.bag.append(message)
            self.plan(message)

    def decide(self) -> None:
        id, unit, book, now = self.random.choice(IDS), self.random.choice(UNITS), self.book, self.now
        found = book.get(id)
        assert found is not None
        if found.kept and self.random.random() < 0.6:
            kept = self.random.choice(found.kept)
            self.plan(lambda: book.plan_adopt(id, kept.attempt, kept.at, "wang", now))
            return
        self.plan(self.random.choice((
            lambda: book.plan_assign(id, unit, "wang", 60, now),
            lambda: book.plan_recall(id, "wang", "", now),
            lambda: book.plan_unpin(id, "wang", now),
            lambda: book.plan_return(id, "wang", "", now),
            lambda: book.plan_abandon(id, len(found.attempts), "sos", now),
            lambda: book.plan_suspend(id, "case", "", now),
            lambda: book.plan_resume(id, "case", now),
            lambda: book.plan_resume(id, "case", now),
            lambda: book.plan_close(id, "wang", now) if self.random.random() < 0.3 else Step(),
            lambda: book.plan_cancel(id, "case", "", now) if self.random.random() < 0.2 else Step(),
        )))  # fmt: skip

    def pass_time(self) -> None:
        due = self.book.get_timer()
        if due is not None and self.random.random() < 0.7:
            self.now = max(self.now, due)
        else:
            self.now += self.random.randrange(200 * S)
        for timer in self.book.due(self.now, 3):
            self.plan(lambda timer=timer: self.book.plan_timer(timer, self.now))  # type: ignore[misc]

    def restart(self) -> None:
        """Killed: what was not on disk has never been. Now and then a snapshot is what the next start begins with."""
        if self.random.random() < 0.3:
            self.unwritten = []
        self.write()
        before, (upto, events) = picture(self.book), self.snapshot
        self.book = rebuilt([*events, *self.journal[upto:]])
        assert picture(self.book) == before
        self.snapshot = len(self.journal), list(self.book.events())

    def plan(self, message: Message) -> None:
        """Planned by what is on disk, or sometimes before what was planned last is."""
        if self.random.random() < 0.8:
            self.write()
        try:
            step = message()
        except Refusal:
            return
        held = {timer for id in IDS for timer in self.book.timers.of(id)}
        assert not held & set(step.timers)
        self.unwritten.append(step)

    def write(self) -> None:
        for step in self.unwritten:
            self.do(step)
            for _, id, fields in step.events:
                if fields is not None and fields["what"] == "report":
                    self.words[TaskId(id)].add(fields["word"])
        self.unwritten = []

    # -- what always holds

    def check(self) -> None:
        for id in IDS:
            found = self.book.get(id)
            assert found is not None
            active = [one for one in found.attempts if one.active]
            assert len(active) <= 1
            assert [one for one in active if one is not found.attempt] == []
            reported = bool(active) and active[0].state is AttemptState.REPORTED
            assert bool(active) == (found.state in {TaskState.ASSIGNED, TaskState.IN_PROGRESS, TaskState.RESULTED})
            assert reported == (found.state is TaskState.RESULTED)
            assert (found.result is not None) == (found.state in {TaskState.RESULTED, TaskState.CLOSED})
            there = {one.word for one in found.kept} | ({found.result.word} if found.result else set())
            assert there == self.words[id]
            assert self.book.timers.of(id) == set(rows(found))
            if found.state in OPEN:
                assert self.book.timers.of(id)
        for unit in UNITS:
            sends = [send.what for send in self.book.to_send(unit)]
            assert sends == sorted(sends, key=lambda what: what != "revoke")

    def end(self) -> None:
        """Nobody says anything any more: every task comes to its end, or stays before a dispatcher's eyes."""
        self.wait(2 * HOUR)
        self.check()
        for id in IDS:
            found = self.book.get(id)
            assert found is not None
            assert found.state in {TaskState.CLOSED, TaskState.CANCELLED, TaskState.EXPIRED,
                                   TaskState.RESULTED, TaskState.SUSPENDED}  # fmt: skip


@pytest.mark.parametrize("piece", range(PIECES))
def test_random_lives(piece: int, long_run: bool) -> None:
    lives = (100_000 if long_run else 2_000) // PIECES
    for seed in range(piece * lives, (piece + 1) * lives):
        life = Life(seed)
        try:
            life.run()
            if seed % 20 == 0:
                life.end()
        except AssertionError as wrong:
            raise AssertionError(f"seed {seed}: {wrong}") from wrong


def test_lives_are_not_all_alike() -> None:
    """What they come to: each state of a task and of an attempt is somewhere among two hundred of them."""
    tasks, attempts, over = set(), set(), 0
    for seed in range(200):
        life = Life(seed)
        life.run()
        over += life.book.passed_over
        for id in IDS:
            found = life.book.get(id)
            assert found is not None
            tasks.add(found.state)
            attempts |= {state for one in found.attempts for state in one.at}
    assert over > 0
    assert tasks | {TaskState.EXPIRED} == set(TaskState)
    assert attempts == set(AttemptState)


def test_the_long_end_of_a_life_is_an_end() -> None:
    life = Life(0)
    life.end()
    assert life.now == NOON + 2 * HOUR
    assert [found.state for id in IDS if (found := life.book.get(id))] == [TaskState.EXPIRED] * 2
