"""Cutting: the first at once, the rest in turns, each once."""

from __future__ import annotations

from twisted.internet.task import Clock

from tracker.cutter import AT_ONCE, PAUSE, Cutter


def test_a_few_are_cut_at_once() -> None:
    clock, cut = Clock(), list[int]()
    Cutter(clock, cut.append).add(range(AT_ONCE))
    assert cut == list(range(AT_ONCE))
    assert not clock.getDelayedCalls()


def test_many_are_cut_in_turns() -> None:
    clock, cut = Clock(), list[int]()
    cutter = Cutter(clock, cut.append)
    many = list(range(2 * AT_ONCE + 1))
    cutter.add(many)
    assert len(cut) == AT_ONCE
    assert many[-1] in cutter
    assert many[0] not in cutter
    cutter.add(many[AT_ONCE:])  # those that wait already, once more
    assert len(cut) == AT_ONCE
    clock.pump([PAUSE] * 3)
    assert cut == many
    assert not clock.getDelayedCalls()


def test_who_is_gone_is_not_cut_and_a_stop_ends_it() -> None:
    clock, cut = Clock(), list[int]()
    cutter = Cutter(clock, cut.append)
    cutter.add(range(3 * AT_ONCE))
    cutter.forget(AT_ONCE)
    clock.advance(PAUSE)
    assert AT_ONCE not in cut
    assert len(cut) == 2 * AT_ONCE
    cutter.stop()
    assert not clock.getDelayedCalls()
