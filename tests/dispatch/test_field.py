"""What is kept of everybody's plans from one round to the next is what would be found out anew."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from dispatch.book import TaskBook
from dispatch.field import Field
from tests.tracker.helpers import House
from tracker.mirror import Mirror
from tracker.model import Duty, Unit, UnitId
from tracker.pipeline import UnitState
from tracker.presence import PresenceLimits
from tracker.rota import Rota
from tracker.tokens import hashed, new_token

ZONE = ZoneInfo("Asia/Shanghai")
A, B = UnitId("a"), UnitId("b")
MINUTE = 60_000


def moment(day: int, hour: int, minute: int = 0) -> int:
    return round(datetime(2026, 11, day, hour, minute, tzinfo=ZONE).timestamp() * 1000)


class Yard:
    """Two people: one with shifts, one without."""

    def __init__(self, house: House) -> None:
        self.intake, self.roster = house.intake, house.roster
        self.rota = Rota(self.roster, ZONE)
        self.roster.attach(self.rota)
        store: Any = None
        self.mirror = Mirror(store, lambda: 0, self.roster.on_duty, PresenceLimits(120_000, 900_000))
        for id in (A, B):
            self.unit(id)
            self.duty(id, 0)
            state = self.mirror.units[id] = UnitState(id)
            state.fix_time, state.latitude, state.longitude = moment(22, 12), 310_000_000, 1_210_000_000
            wish = {"protocol": "handheld", "external_id": f"h-{id}", "unit": id, "token": hashed(new_token())}
            for change in self.roster.plan_device(wish)[1]:
                self.roster.apply(change)
        for name, periods in (("day", ["08:00-12:00", "13:00-17:00"]), ("night", ["21:00-22:00", "22:30-02:00"])):
            for change in self.rota.plan_shift({"name": name, "periods": periods, "colour": 0})[1]:
                self.rota.apply(change)
        self.field = self.anew()

    def anew(self) -> Field:
        return Field(self.intake, self.mirror, self.rota, TaskBook(), lambda unit: (True, True), lambda unit: "ebike",
                     300.0)  # fmt: skip

    def unit(self, id: UnitId, **fields: Any) -> None:
        self.roster.apply(("unit", id, asdict(Unit(id, "person", id, **{"grid": "g1", **fields}))))

    def duty(self, id: UnitId, start: int, end: int = 1 << 62) -> None:
        self.roster.apply(("duty", f"{id}:1", asdict(Duty(id, 1, start, end))))

    def plan(self, day: int, shift: str, *grids: str) -> None:
        days = {f"{day:02}": (shift, grids)}
        self.rota.apply(("assignment", "a:2026-11", {"days": days}))

    def same(self, at: int) -> None:
        assert self.field.candidates(at) == self.anew().candidates(at)

    def resting(self, at: int) -> bool:
        self.same(at)
        return self.field.candidates(at)[0].resting


def test_breaks_begin_and_end_in_time_also_over_midnight(house: House) -> None:
    yard = Yard(house)
    yard.plan(23, "s1")
    resting = [yard.resting(moment(23, *clock)) for clock in ((7, 59), (8,), (11, 59), (12,), (12, 59), (13,), (17,))]
    assert resting == [False, False, False, True, True, False, False]
    yard.plan(23, "s2")
    found = [yard.resting(moment(*clock)) for clock in ((23, 21, 59), (23, 22), (23, 22, 30), (24, 1), (24, 3))]
    assert found == [False, True, False, False, False]
    for at in range(moment(22, 20), moment(24, 20), 17 * MINUTE):
        yard.same(at)
    yard.same(moment(23, 12))  # the clock is set back


def test_whatever_is_changed_holds_at_once(house: House) -> None:
    yard, at = Yard(house), moment(23, 9)
    yard.plan(23, "s1")
    assert yard.field.candidates(at)[0].areas == {"g1"}
    yard.plan(23, "s1", "g2", "g3")
    assert yard.field.candidates(at)[0].areas == {"g2", "g3"}
    yard.unit(B, grid="g4", street="东街")
    moved = yard.field.candidates(at)[1]
    assert [*moved.areas, *moved.streets] == ["g4", "东街"]
    yard.duty(A, 0, at + MINUTE)
    assert [yard.field.candidates(at + later)[0].on_duty for later in (0, MINUTE - 1, MINUTE)] == [True, True, False]
    yard.duty(B, at)
    assert yard.field.candidates(at)[1].spot is None, "where he was before he came is not where he is"
    yard.same(at)
    yard.roster.remove(A)
    yard.field.forget(A)
    assert [one.unit for one in yard.field.candidates(at)] == [B]
