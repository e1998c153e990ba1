"""Deeds against the two tables: what they allow happens, everything else changes nothing."""

from __future__ import annotations

import pytest

from dispatch.deeds import FAILURES, FOLLOWS, apply, clone
from dispatch.model import ACTIVE, ATTEMPT, OPEN, TASK, Attempt, AttemptInput, AttemptState, TaskInput, TaskState
from tests.dispatch.desk import NOON, A, task

_HOLDS = {
    AttemptState.OFFERED: TaskState.ASSIGNED, AttemptState.DELIVERED: TaskState.ASSIGNED,
    AttemptState.REPORTED: TaskState.RESULTED,
}  # fmt: skip


@pytest.mark.parametrize("what", list(AttemptInput))
@pytest.mark.parametrize("state", list(AttemptState))
def test_every_input_in_every_state_of_an_attempt(state: AttemptState, what: AttemptInput) -> None:
    found = task()
    found.attempts = [Attempt(1, A, "round", state, {state: NOON}, 60)]
    found.state = _HOLDS.get(state, TaskState.IN_PROGRESS) if state in ACTIVE else TaskState.QUEUED
    before, after = clone(found), ATTEMPT[state].get(what)
    fields = {"what": str(what), "at": NOON + 1, "attempt": 1, "unit": A, "event": "e1", "word": "w", "text": "",
              "said": 0, "required": 0, "photos": (), "arrived": (), "closes": False, "marks": ()}  # fmt: skip
    if after is None and what is not AttemptInput.REPORT:
        with pytest.raises(LookupError):
            apply(found, fields)
        assert found == before
        return
    apply(found, fields)
    attempt = found.attempts[0]
    if after is None:
        assert (attempt.state, found.state, [one.word for one in found.kept]) == (state, before.state, ["w"])
    else:
        assert (attempt.state, attempt.at[after], attempt.seen) == (after, NOON + 1, ("e1",))
        assert found.failed == (what in FAILURES)
        followed = TASK[before.state][FOLLOWS[what]] if what in FOLLOWS else before.state
        assert found.state is followed
    with pytest.raises(LookupError):
        apply(found, fields)  # the same once more


@pytest.mark.parametrize("what", ["suspend", "cancel", "expire", "resume"])
@pytest.mark.parametrize("state", list(TaskState))
def test_every_decision_in_every_state_of_a_task_that_nobody_holds(state: TaskState, what: str) -> None:
    found = task()
    found.state = state
    before, after = clone(found), TASK[state].get(TaskInput(what))
    fields = {"what": what, "at": NOON + 1, "warn": 1, "critical": 2, "due": 3}
    if after is None:
        with pytest.raises(LookupError):
            apply(found, fields)
        assert found == before
    else:
        apply(found, fields)
        assert (found.state, found.since) == (after, NOON + 1)


@pytest.mark.parametrize("what", ["suspend", "cancel", "expire", "close"])
def test_what_somebody_holds_is_taken_from_him_first(what: str) -> None:
    found = task()
    found.attempts = [Attempt(1, A, "round", AttemptState.ACCEPTED, {AttemptState.ACCEPTED: NOON}, 60)]
    found.state = TaskState.IN_PROGRESS
    with pytest.raises(LookupError):
        apply(found, {"what": what, "at": NOON, "attempt": 1})
    assert found.state is TaskState.IN_PROGRESS


def test_what_is_planned_for_a_number_that_is_there_already_is_none() -> None:
    found = task()
    offer = {"what": "offer", "at": NOON, "attempt": 1, "unit": A, "by": "round", "eta": 60}
    apply(found, offer)
    apply(found, {"what": "decline", "at": NOON, "attempt": 1, "unit": A})
    with pytest.raises(LookupError):
        apply(found, offer)
    assert found.state is TaskState.QUEUED


def test_only_what_is_done_is_closed_but_for_what_nobody_knows_any_more() -> None:
    found = task()
    found.attempts = [Attempt(1, A, "round", AttemptState.RECALLED, {AttemptState.RECALLED: NOON}, 60)]
    with pytest.raises(LookupError):
        apply(found, {"what": "close", "at": NOON, "attempt": 1})
    found.attempts = []
    apply(found, {"what": "close", "at": NOON, "attempt": 1})
    assert found.state is TaskState.CLOSED


def test_whatever_ends_holds_nothing() -> None:
    assert {state for state, ways in ATTEMPT.items() if not ways} == set(AttemptState) - ACTIVE
    assert set(TaskState) - OPEN == {TaskState.CLOSED, TaskState.CANCELLED, TaskState.EXPIRED}
    assert all(set(ways) <= set(TaskInput) for ways in TASK.values())


def test_an_unknown_deed_is_none() -> None:
    with pytest.raises(LookupError):
        apply(task(), {"what": "sing", "at": NOON})
