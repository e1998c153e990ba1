"""When a task is due, when people are warned of it, and its light, on the city's clock and calendar.

A limit counts in one of four kinds of time:

- ``clock``: as it goes by.
- ``working_hours``: as it goes by in the city's working hours.
- ``working_days``: the day on which it begins does not count; due when the hours of the last workday end.
- ``calendar_days``: the day on which it begins does not count; due when the last day ends, at midnight.

Both kinds of days are counted as the civil code counts periods. Between the beginning and the end the two working kinds
go by in working hours, the other two always: so 80 % of three working days is a moment at which somebody is there to
be told. While a task is put aside its time stands still: what was left then is left when it goes on.

Moments are ms since 1970. A task keeps ``time``, ``limit`` and ``due``; everything else follows from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from dispatch.rules import Limit, Shares, TimeKind
from storage.hours import DAY_MINUTES
from tracker.working_time import HORIZON_DAYS, NoWorkingTime, WorkingTime, moment

WORKING = frozenset({TimeKind.WORKING_HOURS, TimeKind.WORKING_DAYS})


class Light(StrEnum):
    """How a task stands."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


@dataclass(frozen=True, slots=True)
class Deadline:
    """A task's moments. ``limit`` is all its time in ms, in the time that it counts in."""

    time: TimeKind
    limit: int
    warn: int
    critical: int
    yellow: int
    red: int
    due: int

    def light(self, now: int) -> Light:
        """The light at this moment; of a task that was put aside or answered, ask for the moment at which it was."""
        if now >= self.red:
            return Light.RED
        return Light.YELLOW if now >= self.yellow else Light.GREEN


class Deadlines:
    """The arithmetic of a city. All its methods raise :class:`NoWorkingTime` where there is too little of it."""

    def __init__(self, working: WorkingTime, shares: Shares) -> None:
        self._working = working
        self._shares = shares

    def begin(self, limit: Limit, now: int) -> Deadline:
        """Of a task that begins now."""
        if limit.time is TimeKind.WORKING_DAYS:
            due = self._last_workday(now, limit.length)
        elif limit.time is TimeKind.CALENDAR_DAYS:
            due = moment(self._day(now) + timedelta(days=limit.length), DAY_MINUTES, self._working.zone)
        else:
            due = self._forward(limit.time, now, limit.length)
            return self.of(limit.time, limit.length, due)
        return self.of(limit.time, self.left(limit.time, due, now), due)

    def of(self, time: TimeKind, limit: int, due: int) -> Deadline:
        """Of a task as it was written down."""
        shares = self._shares
        warn, critical, yellow, red = (
            self._when_left(time, due, limit - limit * share // 100)
            for share in (shares.warn, shares.critical, shares.yellow, shares.red)
        )
        return Deadline(time, limit, warn, critical, yellow, red, due)

    def resume(self, deadline: Deadline, stopped: int, now: int) -> Deadline:
        """Of a task that was put aside at ``stopped`` and goes on now. What had gone by has gone by: one that was
        overdue stays so."""
        if now <= stopped:
            return deadline
        left = self.left(deadline.time, deadline.due, stopped)
        if left <= 0:
            return deadline
        return self.of(deadline.time, deadline.limit, self._forward(deadline.time, now, left))

    def left(self, time: TimeKind, due: int, now: int) -> int:
        """How much of its time a task has left, in ms; less than nothing when it is overdue."""
        return self._working.worked(now, due) if time in WORKING else due - now

    # -- moments

    def _forward(self, time: TimeKind, start: int, length: int) -> int:
        return self._working.deadline(start, length) if time in WORKING else start + length

    def _when_left(self, time: TimeKind, due: int, left: int) -> int:
        """The first moment at which no more than this is left; after ``due`` where it is less than nothing."""
        if left <= 0 or time not in WORKING:
            return self._forward(time, due, -left) if left < 0 else due - left
        day = self._day(due)
        for n in range(HORIZON_DAYS):
            for begin, end in reversed(self._working.periods((day - timedelta(days=n)).isoformat())):
                there = min(end, due) - begin
                if there > left:
                    return min(end, due) - left
                left -= max(0, there)
                if left == 0:
                    return self._end_before(begin)
        raise NoWorkingTime("there is not so much working time within ten years")

    def _end_before(self, begin: int) -> int:
        """When the working hours before these ended: what is left when one period begins was left all the while."""
        day = self._day(begin)
        for n in range(HORIZON_DAYS):
            for _, end in reversed(self._working.periods((day - timedelta(days=n)).isoformat())):
                if end <= begin:
                    return end
        return begin

    def _last_workday(self, start: int, days: int) -> int:
        """When the hours of the workday end that is so many after the day of ``start``."""
        day = self._day(start)
        for n in range(1, HORIZON_DAYS):
            periods = self._working.periods((day + timedelta(days=n)).isoformat())
            if periods:
                days -= 1
                if days == 0:
                    return periods[-1][1]
        raise NoWorkingTime("there are not so many workdays within ten years")

    def _day(self, at: int) -> date:
        return datetime.fromtimestamp(at / 1000, self._working.zone).date()
