"""On and off duty: from what was told to intervals, as a pure core.

What was told is kept as it was told, and the intervals follow from all of it (:mod:`tracker.duty_events`). An on that
nobody ends does so after 16 hours, one in a planned shift an hour after that shift's end, and one by the rota or by a
correction at the end that it names.

There are three layers, told apart by what says that an interval is: always, which is a setting; what was told (rota,
device, seat); and crew, a vehicle's, which is the duty of those who crew it. Each is worked out anew by itself when
something of it changes, and never overlaps the others.

Like the roster, a ``plan_*`` method judges and answers the :class:`Step` to journal; :meth:`DutyBook.replay` takes in
an event of it that is there. What is known reaches :data:`KEPT_MS` back; before that everything stays as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tracker.duty_draft import Draft, follow_setting, put_layer
from tracker.duty_events import DUTY, KEPT_MS, UnitBook, crewed, told
from tracker.duty_spans import Span, common, holds, merged, without
from tracker.model import FOREVER, Unit, UnitId
from tracker.roster import Change, Refusal, Roster

DAY_MS = 86_400_000
LONGEST_MS = 16 * 3_600_000
"""After that an on has ended by itself: nobody is on duty for so long, but people forget to say off."""
OVERTIME_MS = 3_600_000
"""So long after a planned shift an on that was told in it ends by itself."""
EARLY_MS = 4 * 3_600_000
"""An on that is told at most so long before a planned shift is told for that shift."""
AHEAD_MS = 120_000
"""A shift is entered so long before it begins, so that its first fix is on duty to the millisecond."""
CLOCK_MS = DAY_MS
"""How far ahead a device's clock may be: its fixes and its duty events have the same."""
MOST = 500
"""Events known of a unit: sixteen a day for the whole time. A button that somebody plays with fills no memory."""

TOLD = frozenset({"rota", "device", "seat"})


@dataclass(slots=True)
class Step:
    """What is to be journalled, events first, and what follows when it is: ``gone`` is time that was on duty and is
    not, as unit, start, end."""

    events: list[Change] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    gone: list[tuple[UnitId, int, int]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.events or self.changes)


class DutyBook:
    """What was told of all units, and the judge of what is told next. ``planned`` answers the times of work that the
    rota has for a unit and that begin within a span of time."""

    def __init__(
        self, roster: Roster, planned: Callable[[UnitId, int, int], Sequence[Span]] = lambda unit, since, until: ()
    ) -> None:
        self._roster = roster
        self._planned = planned
        self._books: dict[UnitId, UnitBook] = {}
        self._forgetting: set[UnitId] = set()
        """Vehicles of whose crew somebody is forgotten, which the journal has not been told."""

    def replay(self, event: Change) -> None:
        """Take in an event of type :data:`DUTY` that is in the journal."""
        fields = event[2]
        assert fields is not None
        if fields["by"] == "crew" and not fields["person"]:
            self._forgetting.discard(UnitId(fields["unit"]))
        self._books.setdefault(UnitId(fields["unit"]), UnitBook()).take(fields)

    def forget(self, unit: UnitId) -> None:
        """Know nothing of a unit any more. What a vehicle did with it as its crew stays as it is."""
        self._books.pop(unit, None)
        self._forgetting.discard(unit)
        self._forgetting |= {vehicle for vehicle, book in self._books.items() if book.crews.pop(unit, None)}

    # -- judging what is told

    def plan_on(
        self, unit: UnitId, at: int, by: str, now: int, *, until: int | None = None, who: str = "", id: str = ""
    ) -> Step:
        """On duty from ``at`` (ms) on. Raises Refusal."""
        self._judge(unit, at, by, now)
        end = self._end_of(unit, at) if until is None else until
        return self._step(unit, [told(unit, at, True, by, end, who=who, id=id)], now)

    def plan_off(self, unit: UnitId, at: int, by: str, now: int, *, who: str = "", id: str = "") -> Step:
        """Off duty from ``at`` (ms) on. Raises Refusal."""
        self._judge(unit, at, by, now)
        return self._step(unit, [told(unit, at, False, by, who=who, id=id)], now)

    def plan_correction(self, unit: UnitId, start: int, end: int, on: bool, now: int, *, who: str = "") -> Step:
        """From start to end (ms, excluded) it was on duty, or was not, whatever was told of that time; what is after it
        stays. Raises Refusal."""
        self._judge(unit, start, "seat", now)
        if end <= start or end - start > KEPT_MS:
            raise Refusal("bad_time", "the end must be after the start", "结束时间须晚于开始时间")
        book = self._books.get(unit, UnitBook())
        if on:
            offs = sorted(at for at in book.offs if start <= at < end)
            events = [told(unit, at, False, "seat", who=who, back=True) for at in offs]
            events.append(told(unit, start, True, "seat", end, who=who))
            if not holds(((a, b) for a, b, _ in book.spans()), end):
                events.append(told(unit, end, False, "seat", who=who))
            return self._step(unit, events, now)
        after = next((until for begin, until, _ in book.spans() if begin < end < until), None)
        ats = sorted({start, *(at for at, _ in book.ons if start <= at < end)})
        events = [told(unit, at, False, "seat", who=who) for at in ats]
        if after is not None:
            events.append(told(unit, end, True, "seat", after, who=who))
        return self._step(unit, events, now)

    def plan_undo(self, unit: UnitId, at: int, on: bool, now: int, *, who: str = "") -> Step:
        """Take back what the seat has told: it was never said. Raises Refusal."""
        self._judge(unit, at, "seat", now)
        book = self._books.get(unit, UnitBook())
        if (at, "seat") not in book.ons if on else at not in book.offs:
            raise Refusal("no_event", "nothing was told of that moment", "该时刻没有上岗或下岗记录")
        return self._step(unit, [told(unit, at, on, "seat", who=who, back=True)], now)

    def _judge(self, unit: UnitId, at: int, by: str, now: int) -> None:
        known = self._roster.units.get(unit)
        if known is None:
            raise Refusal("no_unit", f"there is no unit {unit!r}", f"没有编号为 {unit} 的人员或车辆")
        if by == "seat":
            if known.duty == "always":
                raise Refusal(
                    "always", "this unit is on duty always: change that first (duty: events or rota)",
                    "该人员或车辆设为始终在岗，请先改为按排班或按上下岗登记",
                )  # fmt: skip
            if known.duty == "crew":
                text, zh = "this vehicle follows its crew: tell the crew's duty", "该车辆随乘员上下岗，请登记乘员"
                raise Refusal("follows_crew", text, zh)
        if at < now - KEPT_MS:
            raise Refusal("too_old", "that is more than 31 days ago", "时间早于 31 天之前")
        if at > now + (60_000 if by == "seat" else CLOCK_MS):
            raise Refusal("future", "that has not come yet", "时间尚未到来")
        if len(self._books.get(unit, ())) >= MOST:
            text, zh = f"a unit has at most {MOST} events in 31 days", f"31 天内上下岗记录最多 {MOST} 条"
            raise Refusal("too_many", text, zh)

    def _end_of(self, unit: UnitId, at: int) -> int:
        """When an on of that moment ends if nobody ends it."""
        for start, end in self._planned(unit, at - DAY_MS, at + EARLY_MS):
            if start - EARLY_MS <= at < end + OVERTIME_MS:
                return end + OVERTIME_MS
        return at + LONGEST_MS

    # -- what follows by itself

    def plan_time(self, units: Sequence[UnitId], now: int, looked: int) -> Step:
        """What the settings, the rota and the crews make of some units by now. The rota's shifts that begin before
        ``looked`` (ms) are left as they are. A plan that is changed counts from now on and takes nothing away of what
        was; one that is entered late counts from its beginning."""
        draft = Draft(self._roster)
        events: list[Change] = []
        books: dict[UnitId, UnitBook] = {}
        for unit in units:
            known = self._roster.units.get(unit)
            if known is None:
                continue
            self._crewing(known, now, events)
            book = self._books.get(unit)
            if known.duty == "rota" or book is not None:
                events += self._by_rota(known, book or UnitBook(), now, looked)
        for event in events:
            whose = UnitId(event[2]["unit"])  # type: ignore[index]
            if whose not in books:
                books[whose] = self._books.get(whose, UnitBook()).copy()
            books[whose].take(event[2])  # type: ignore[arg-type]
        for unit in dict.fromkeys([*units, *books]):
            known = self._roster.units.get(unit)
            if known is None:
                continue
            book = self._books.get(unit)
            if book is not None and unit not in books:
                book.forget_before(now - KEPT_MS)
            follow_setting(draft, known, now)
            told_of = books.get(unit, book)
            if told_of is not None and (unit in books or unit in draft.touched):
                _settle(draft, known, told_of)
            draft.prune(unit, now)
        events += self._follow(draft, books, now)
        return Step(events, draft.changes(), draft.gone())

    def _by_rota(self, unit: Unit, book: UnitBook, now: int, looked: int) -> list[Change]:
        wanted = dict(self._planned(unit.id, looked, now + AHEAD_MS)) if unit.duty == "rota" else {}
        found = []
        for (at, by), until in book.ons.items():
            if by != "rota" or at < looked:
                continue
            end = wanted.get(at)
            if end is None:
                if at > now:
                    found.append(told(unit.id, at, True, "rota", at))
                elif until > now:
                    found.append(told(unit.id, at, True, "rota", now))
            elif end > until or until > max(end, now):
                found.append(told(unit.id, at, True, "rota", max(end, min(until, now))))
        for at, end in wanted.items():
            if (at, "rota") not in book.ons:
                found.append(told(unit.id, at, True, "rota", end))
        return found

    def _crewing(self, unit: Unit, now: int, events: list[Change]) -> None:
        """Who crews what, where that is not what it was."""
        if unit.kind == "vehicle":
            for person in self._crew_of(unit.id):
                known = self._roster.units.get(UnitId(person))
                if known is None or known.vehicle != unit.id:
                    events.append(crewed(unit.id, person, now, False))
        elif unit.vehicle and unit.id not in self._crew_of(UnitId(unit.vehicle)):
            events.append(crewed(UnitId(unit.vehicle), unit.id, now, True))

    def _crew_of(self, vehicle: UnitId) -> list[str]:
        book = self._books.get(vehicle)
        return [] if book is None else [name for name, spans in book.crews.items() if spans and spans[-1][1] == FOREVER]

    # -- working out

    def _step(self, unit: UnitId, events: Sequence[Change], now: int) -> Step:
        book = self._books.get(unit, UnitBook()).copy()
        book.forget_before(now - KEPT_MS)
        fresh = []
        for event in events:
            before = book.copy()
            book.take(event[2])  # type: ignore[arg-type]
            if book != before:
                fresh.append(event)
        if not fresh:
            return Step()
        draft = Draft(self._roster)
        _settle(draft, self._roster.units[unit], book)
        draft.prune(unit, now)
        fresh += self._follow(draft, {}, now)
        return Step(fresh, draft.changes(), draft.gone())

    def _follow(self, draft: Draft, books: dict[UnitId, UnitBook], now: int) -> list[Change]:
        """The vehicles of those whose duty has changed; the events that this takes."""
        touched = set(draft.touched)
        events = [crewed(vehicle, "", now, False) for vehicle in self._forgetting]
        for vehicle in self._forgetting:
            books = {**books, vehicle: books.get(vehicle, self._books[vehicle]).copy()}
            books[vehicle].take({"at": now, "on": False, "by": "crew", "until": 0, "person": ""})
        for vehicle, book in {**self._books, **books}.items():
            known = self._roster.units.get(vehicle)
            if known is None or known.duty != "crew" or not book.crews:
                continue
            if vehicle not in books and vehicle not in touched and touched.isdisjoint(book.crews):
                continue
            facts = [(duty.start, duty.end) for duty in draft.of(vehicle) if duty.by == "crew"]
            crews = [span for spans in book.crews.values() for span in spans]
            alone = max(end for _, end in crews)  # and nobody has crewed it since
            wanted = without(facts, [*crews, (alone, FOREVER)])
            for person, spans in book.crews.items():
                duties = draft.of(UnitId(person))
                wanted += common([(duty.start, duty.end) for duty in duties], spans)
            put_layer(draft, vehicle, [(a, b, "crew") for a, b in merged(wanted)], frozenset({"crew"}), 0)
            draft.prune(vehicle, now)
        return events


def _settle(draft: Draft, unit: Unit, book: UnitBook) -> None:
    """The layer of what was told, as it follows from that now."""
    if unit.duty != "crew":
        put_layer(draft, unit.id, book.spans(), TOLD, book.first)


__all__ = ["DUTY", "KEPT_MS", "DutyBook", "Step", "UnitBook", "crewed", "told"]
