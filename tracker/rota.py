"""The rota: which shift each unit has on which day, and the grids that it owns then. A pure core beside the roster.

It is a plan; who is on duty is a fact that comes of it (:class:`tracker.model.Duty`). A change is asked for with a
``plan_*`` method, as in :mod:`tracker.roster`, and taken in by :meth:`Rota.apply` when it is in the journal. Days are
those of the city, named ``2026-11-23``.

A month of a unit is one entity, so that a rota for a whole city is one commit, and a year of it some megabytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from storage.archive.layout import Days, shifted
from tracker.model import Area, AreaId, UnitId
from tracker.record import ASSIGNMENT, SHIFT
from tracker.roster import Change, Refusal, Roster
from tracker.shifts import Shift, amended
from tracker.working_time import EARLIEST, LATEST, Span, spans

OFF = "off"
"""The shift of a day that is free."""
KEPT_DAYS = 400
"""Days that the plan reaches back and ahead: over a year, so that a month can be laid beside that of last year. What is
older is forgotten when something is planned for the unit: some 30 kB a unit at the most."""
SHIFTS_LIMIT = 60
"""Shifts of a city, those that are no longer given included."""
GRIDS_LIMIT = 20
"""Grids that one unit owns in one shift."""
ENTRIES_LIMIT = 20_000
"""Days of units in one request: 645 people for a month."""
MONTHS_LIMIT = 4000
"""Months of units in one request: what is written with one commit, so that all of it is in or none."""


class Assigned(NamedTuple):
    """What a unit has on a day: a shift's id or :data:`OFF`; ``grids`` are its own then, or none for those of the
    roster."""

    shift: str
    grids: tuple[AreaId, ...] = ()


class Wish(NamedTuple):
    """What a unit is to have on a day; ``given`` None for nothing."""

    unit: UnitId
    day: str
    given: Assigned | None


class Rota:
    """The state, and what may be done to it; a register of the roster's (:class:`tracker.roster.Register`)."""

    kinds = (SHIFT, ASSIGNMENT)

    def __init__(self, roster: Roster, zone: ZoneInfo) -> None:
        self._roster = roster
        self._zone = zone
        self.days = Days(str(zone))
        self.shifts: dict[str, Shift] = {}
        self._months: dict[UnitId, dict[str, dict[str, Assigned]]] = {}
        """Unit -> month (``2026-11``) -> day -> what it has."""
        self._same: dict[Assigned, Assigned] = {}
        """Each kind of assignment once: a city's year is a few hundred of them."""
        self._highest = 0
        self.version = 0
        """Grows with every change; whoever caches something of the rota compares it."""

    # -- looking

    def of(self, unit: UnitId, day: str) -> Assigned | None:
        """What a unit has on a day; ``None`` if nothing is planned."""
        return self._months.get(unit, {}).get(day[:7], {}).get(day)

    def planned(self, unit: UnitId, day: str) -> tuple[Span, ...]:
        """The moments (ms, ends excluded) at which the unit's periods of work on a city day begin and end, in order. A
        shift over midnight belongs to the day on which it begins. Nothing if the day is free or not planned."""
        assigned = self.of(unit, day)
        shift = None if assigned is None else self.shifts.get(assigned.shift)
        return () if shift is None else spans(day, shift.on(day), self._zone)

    def at(self, unit: UnitId, at: int) -> tuple[str, Assigned] | None:
        """The day and the assignment in whose hours, breaks included, a moment lies. That of the day before holds for a
        shift over midnight."""
        if not EARLIEST <= at <= LATEST:
            return None
        today = self.days.day_of(at)
        for day in (shifted(today, -1), today):
            found = self.planned(unit, day)
            assigned = self.of(unit, day)
            if assigned is not None and found and found[0][0] <= at < found[-1][1]:
                return day, assigned
        return None

    def grids(self, unit: UnitId, at: int) -> tuple[AreaId, ...]:
        """The grids that a unit owns at a moment: those of its shift, or that of the roster; () if it owns none."""
        found = self.at(unit, at)
        return self.own_grids(unit, None if found is None else found[1])

    def own_grids(self, unit: UnitId, assigned: Assigned | None) -> tuple[AreaId, ...]:
        """The grids that go with an assignment."""
        if assigned is not None and assigned.grids:
            return assigned.grids
        known = self._roster.units.get(unit)
        return (AreaId(known.grid),) if known is not None and known.grid else ()

    def assignments(self, units: Iterable[UnitId], first: str, last: str) -> Iterator[tuple[UnitId, str, Assigned]]:
        """What these units have from one day to another, both included. What it needs is taken at once, so that it can
        be read in a thread."""
        held = [
            (unit, [days for month, days in sorted(months.items()) if first[:7] <= month <= last[:7]])
            for unit in units
            if (months := self._months.get(unit))
        ]
        return (
            (unit, day, days[day]) for unit, months in held for days in months for day in sorted(days)
            if first <= day <= last
        )  # fmt: skip

    # -- judging shifts

    def plan_shift(self, wanted: Mapping[str, Any]) -> tuple[Shift, list[Change]]:
        """A new shift with ``name``, ``periods`` and ``colour``."""
        if len(self.shifts) >= SHIFTS_LIMIT:
            raise Refusal(
                "too_many",
                f"there are {SHIFTS_LIMIT} shifts: remove one first",
                f"已有 {SHIFTS_LIMIT} 个班次，请先删除",
            )
        shift = Shift(f"s{self._highest + 1}", "", ())
        return _planned(amended(shift, wanted, self.shifts.values(), ("name", "periods")))

    def plan_shift_change(self, id: str, wanted: Mapping[str, Any], today: str) -> tuple[Shift, list[Change]]:
        """Another name, colour or hours; other hours hold from ``from`` on, a day, or today."""
        shift = self.known(id)
        since = _day(wanted.get("from") or today, today, "from")
        return _planned(amended(shift, wanted, self.shifts.values()).since(since, shift))

    def plan_shift_removal(self, id: str, today: str) -> tuple[bool, list[Change]]:
        """No longer give a shift. One that nobody ever had goes; one that somebody had stays known, retired: True. It
        is refused while somebody is to have it."""
        shift = self.known(id)
        days = {day for months in self._months.values() for month in months.values()
                for day, assigned in month.items() if assigned.shift == id}  # fmt: skip
        ahead = sorted(day for day in days if day >= today)
        if ahead:
            raise Refusal(
                "in_use", f"somebody has this shift on {ahead[0]}: plan another one first",
                f"{ahead[0]} 已排此班次，请先改排其他班次",
            )  # fmt: skip
        return (True, _planned(replace(shift, retired=True))[1]) if days else (False, [(SHIFT, id, None)])

    def known(self, id: str) -> Shift:
        """The shift, or a refusal."""
        if id not in self.shifts:
            raise Refusal("no_shift", "there is no such shift", "没有这个班次")
        return self.shifts[id]

    # -- judging assignments

    def plan_assignments(
        self,
        wanted: Sequence[Mapping[str, Any]],
        today: str,
        within: Callable[[UnitId], bool] = lambda unit: True,
        covers: Callable[[Area], bool] = lambda area: True,
    ) -> tuple[int, list[Change]]:
        """What units are to have on days: entries with ``unit``, ``day``, ``shift`` (an id, ``off``, or None for
        nothing) and ``grids``, if they are others than the roster's. All or none; what is so already is no change.
        ``within`` says which units may be planned, ``covers`` which grids may be given, besides those that a unit has
        on that day: others are unknown. Answers how many days change."""
        if len(wanted) > ENTRIES_LIMIT:
            raise _too_many()
        wishes = []
        for number, fields in enumerate(wanted, 1):
            try:
                unit = self._unit(fields.get("unit"), within)
                day = _day(fields.get("day"), today, "day")
                held = self.own_grids(unit, self.of(unit, day))

                def known(area: Area, held: Sequence[AreaId] = held) -> bool:
                    return covers(area) or area.id in held

                wishes.append(Wish(unit, day, self._assigned(fields.get("shift"), fields.get("grids"), known)))
            except Refusal as refusal:
                refusal.entry = number
                raise
        return self._changes(wishes, today)

    def plan_pattern(
        self,
        wanted: Mapping[str, Any],
        today: str,
        worked: Callable[[str], bool],
        within: Callable[[UnitId], bool] = lambda unit: True,
    ) -> tuple[int, list[Change]]:
        """What ``units`` are to have on all days ``from`` .. ``to``. ``repeat``: what each had so many days before,
        over and over. Or ``pattern``: a list of shifts, ``off`` or None, day after day, which each next unit enters
        ``rotate`` days later; with ``workdays`` days that are not worked are left free and do not count.

        ``worked`` says whether a day is a workday. Answers how many days change."""
        units = wanted.get("units")
        if not isinstance(units, list) or not units:
            raise Refusal("no_units", "units must be a list of people or vehicles", "units 须为人员或车辆的列表")
        first, last = (_day(wanted.get(key), today, key) for key in ("from", "to"))
        days = list(self.days.days(first, last))
        if not days:
            raise Refusal("bad_span", "from must not be after to", "开始日期不能晚于结束日期")
        if len(units) * len(days) > ENTRIES_LIMIT:
            raise _too_many()
        known = [self._unit(unit, within) for unit in units]
        if "repeat" in wanted:
            wishes = self._repeated(known, days, _whole(wanted["repeat"], "repeat", 1, 62))
        else:
            wishes = self._patterned(known, days, wanted, worked)
        return self._changes(wishes, today)

    def _repeated(self, units: list[UnitId], days: list[str], every: int) -> list[Wish]:
        before = [shifted(days[0], n - every) for n in range(every)]
        return [
            Wish(unit, day, self._given_again(self.of(unit, before[n % every])))
            for unit in units for n, day in enumerate(days)
        ]  # fmt: skip

    def _given_again(self, assigned: Assigned | None) -> Assigned | None:
        """The same, unless its shift is no longer given."""
        shift = None if assigned is None else self.shifts.get(assigned.shift)
        return None if shift is not None and shift.retired else assigned

    def _patterned(
        self, units: list[UnitId], days: list[str], wanted: Mapping[str, Any], worked: Callable[[str], bool]
    ) -> list[Wish]:
        pattern = wanted.get("pattern")
        if not isinstance(pattern, list) or not 0 < len(pattern) <= 62:
            text = "send repeat, or a pattern of 1 to 62 shifts"
            raise Refusal("bad_pattern", text, "请给出 repeat，或由 1 至 62 个班次组成的 pattern")
        given = [self._assigned(shift, None) for shift in pattern]
        rotate, only = _whole(wanted.get("rotate", 0), "rotate", 0, 61), wanted.get("workdays", False)
        if type(only) is not bool:
            raise Refusal("bad_workdays", "workdays must be true or false", "workdays 须为 true 或 false")
        wishes = []
        for place, unit in enumerate(units):
            step = place * rotate
            for day in days:
                if only and not worked(day):
                    wishes.append(Wish(unit, day, Assigned(OFF)))
                    continue
                wishes.append(Wish(unit, day, given[step % len(given)]))
                step += 1
        return wishes

    def _unit(self, given: Any, within: Callable[[UnitId], bool]) -> UnitId:
        unit = UnitId(given) if isinstance(given, str) else UnitId("")
        if unit not in self._roster.units or not within(unit):
            raise Refusal("no_unit", "there is no such person or vehicle", "没有这个人员或车辆")
        return unit

    def _assigned(self, shift: Any, grids: Any, known: Callable[[Area], bool] = lambda area: True) -> Assigned | None:
        if shift is None:
            return None
        if shift != OFF and (not isinstance(shift, str) or shift not in self.shifts or self.shifts[shift].retired):
            raise Refusal("no_shift", "there is no such shift", "没有这个班次")
        if grids is None or grids == []:
            return Assigned(shift)
        if not isinstance(grids, list) or len(grids) > GRIDS_LIMIT or not all(isinstance(grid, str) for grid in grids):
            text = f"grids must be a list of up to {GRIDS_LIMIT} grids"
            raise Refusal("bad_grids", text, f"grids 须为至多 {GRIDS_LIMIT} 个网格的列表")
        for grid in grids:
            area = self._roster.areas.get(AreaId(grid))
            if area is None or area.level != "grid" or not known(area):
                raise Refusal("no_grid", "there is no such grid", "没有这个网格")
        return Assigned(shift, tuple(dict.fromkeys(AreaId(grid) for grid in grids)))

    def _changes(self, wishes: Iterable[Wish], today: str) -> tuple[int, list[Change]]:
        """The changes that fulfil the wishes, one for each month of a unit, and what is too old by then."""
        months: dict[tuple[UnitId, str], dict[str, Assigned]] = {}
        changed: set[tuple[UnitId, str]] = set()
        for unit, day, given in wishes:
            key = unit, day[:7]
            days = months.get(key)
            if days is None:
                days = months[key] = dict(self._months.get(unit, {}).get(day[:7], {}))
            if given is None:
                days.pop(day, None)
            else:
                days[day] = given
            changed.add((unit, day))
        number = sum(months[unit, day[:7]].get(day) != self.of(unit, day) for unit, day in changed)
        changes = [
            _month(unit, month, days)
            for (unit, month), days in months.items()
            if days != self._months.get(unit, {}).get(month, {})
        ]
        oldest = shifted(today, -KEPT_DAYS)[:7]
        touched = dict.fromkeys(unit for unit, _ in months)
        changes += [
            _month(unit, month, {}) for unit in touched for month in self._months.get(unit, {}) if month < oldest
        ]
        if len(changes) > MONTHS_LIMIT:
            raise _too_many()
        return number, changes

    # -- taking in

    def apply(self, change: Change) -> None:
        kind, identity, fields = change
        self.version += 1
        if kind == SHIFT:
            if fields is None:
                self.shifts.pop(identity, None)
                return
            self.shifts[identity] = Shift.of(fields)
            number = identity[1:]
            if number.isascii() and number.isdigit():
                self._highest = max(self._highest, int(number[:9]))
            return
        name, _, month = identity.rpartition(":")
        unit = UnitId(name)
        if fields is None:
            months = self._months.get(unit, {})
            months.pop(month, None)
            if not months:
                self._months.pop(unit, None)
            return
        days = {}
        for day, (shift, grids) in fields["days"].items():
            assigned = Assigned(shift, tuple(map(AreaId, grids)))
            days[f"{month}-{day}"] = self._same.setdefault(assigned, assigned)
        self._months.setdefault(unit, {})[month] = days

    def changes(self) -> Iterable[Change]:
        for shift in self.shifts.values():
            yield from _planned(shift)[1]
        for unit, months in self._months.items():
            for month, days in months.items():
                yield _month(unit, month, days)

    def remove(self, unit: UnitId) -> None:
        self.version += 1
        self._months.pop(unit, None)


def _planned(shift: Shift) -> tuple[Shift, list[Change]]:
    return shift, [(SHIFT, shift.id, shift.fields())]


def _month(unit: UnitId, month: str, days: Mapping[str, Assigned]) -> Change:
    """The change that says all of a unit's month, a removal if there is nothing in it. Days are ``01`` .. ``31``."""
    held = {day[8:]: [assigned.shift, list(assigned.grids)] for day, assigned in sorted(days.items())}
    return ASSIGNMENT, f"{unit}:{month}", {"unit": unit, "days": held} if held else None


def _day(given: Any, today: str, name: str) -> str:
    """A day that the plan reaches."""
    try:
        day = date.fromisoformat(given) if isinstance(given, str) and len(given) == 10 else None
    except ValueError:
        day = None
    if day is None:
        raise Refusal("bad_day", f"{name} must be a day such as {today}", f"{name} 须为日期，如 {today}")
    if abs(day - date.fromisoformat(today)) > timedelta(days=KEPT_DAYS):
        text = f"{name} must be within {KEPT_DAYS} days of today"
        raise Refusal("bad_day", text, f"{name} 须在今天前后 {KEPT_DAYS} 天之内")
    return day.isoformat()


def _whole(given: Any, name: str, low: int, high: int) -> int:
    if type(given) is not int or not low <= given <= high:
        raise Refusal(f"bad_{name}", f"{name} must be {low}..{high}", f"{name} 须为 {low}..{high}")
    return given


def _too_many() -> Refusal:
    text = f"plan up to {ENTRIES_LIMIT} days of {MONTHS_LIMIT} people at once: ask in parts"
    return Refusal("too_many", text, f"一次至多排 {MONTHS_LIMIT} 人、合计 {ENTRIES_LIMIT} 个班，请分次提交")
