"""The roll calls and seats of the stand-in server: the real books and views over the walkers of its town. Of those
that are asked every fifth says nothing; the others answer one after the other, three a second."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

from tests.noon import NOON
from tests.webmap.double_city import OFF_SHIFT, OFFLINE, ONLINE, Town
from tracker.model import Unit, UnitId
from tracker.roll_call import Asked, Place, Reply, RollBook, RollCall, Way
from tracker.roster import Refusal
from tracker.seats import Seats, SeatWatch
from tracker.workdays import Calendar
from webmap.desks import Desk, desk_view
from webmap.roll_call_api import _table, head_view, whole_view

WAYS = {"handheld": Way.CONFIRM, "jt808": Way.LOCATE, "traccar": Way.WAIT}
SILENT_IN = 5
PER_TICK = 3
ZONE = ZoneInfo("Asia/Shanghai")
HOUR = 3_600_000


class Calls:
    """``switch(over=True)`` ends what is open; ``switch(absent=["…"])`` leaves seats empty."""

    def __init__(self, town: Town, now: int) -> None:
        self._town = town
        self.book = RollBook()
        self.asked: list[Any] = []
        self.seats = Seats()
        self._absent: list[str] = []
        for name in ("城东街道", "城南街道", "城西街道", "城北街道"):
            self._take(self.seats.plan_new({"name": name, "street": name, "periods": ["00:00-24:00"],
                                            "weekdays": [1, 2, 3, 4, 5, 6, 7]}))  # fmt: skip
        self._watch = SeatWatch(self.seats, Calendar(), ZoneInfo(NOON), now - HOUR)

    def _take(self, planned: Any) -> Any:
        for change in planned[1]:
            self.seats.apply(change)
        return planned[0]

    def switch(self, now: int, *, over: bool = False, absent: list[str] | None = None) -> None:
        if absent is not None:
            self._absent = absent
        for call in self.book.open:
            if over:
                self._answer(call, now, len(call.units))
                call.ends = now
        self.book.handle_timer(now)

    def tick(self, now: int) -> None:
        for call in self.book.open:
            self._answer(call, now, PER_TICK)
        self.book.handle_timer(now)

    def _answer(self, call: RollCall, now: int, most: int) -> None:
        for number, one in enumerate(call.units.values()):
            walker = self._town.walkers[one.unit]
            if walker.state != ONLINE or number % SILENT_IN == SILENT_IN - 1 or one.settled or most <= 0:
                continue
            most -= 1
            lat, lon = round(walker.latitude * 1e7), round(walker.longitude * 1e7)
            self.book.located(one.unit, Place(now, lat, lon, 80, number % 3 != 0), now)
            self.book.answered(one.command, True, "", now)

    # -- as the API

    def answer(self, method: str, parts: list[str], body: Any, now: int) -> tuple[int, Any]:
        try:
            return (self._seats if parts[0] == "seats" else self._calls)(method, parts[1:], body, now)
        except Refusal as refusal:
            return 422, {"error": {"code": refusal.code, "text": str(refusal), "zh": refusal.zh}}

    def _calls(self, method: str, parts: list[str], body: Any, now: int) -> tuple[int, Any]:
        if method == "POST":
            self.asked.append(body)
            return 201, self._view(self._begin(body, now), now)
        if not parts:
            return 200, {"roll_calls": [head_view(call, self._units(call)) for call in self.book.all()]}
        call = self.book.get(parts[0])
        assert call is not None
        if parts[1:] == ["csv"]:
            services: Any = SimpleNamespace(city=SimpleNamespace(zone=ZONE))
            return 200, _table(services, self._units(call)).encode("utf-8-sig")
        return 200, self._view(call, now)

    def _begin(self, body: Any, now: int) -> RollCall:
        asked = []
        for walker in self._town.walkers.values():
            fits = all(not body.get(key) or walker.about[key] == body[key] for key in ("street", "team"))
            if walker.state == OFF_SHIFT or not fits or walker.id not in body.get("units", [walker.id]):
                continue
            way = WAYS[walker.about["device_protocol"]]
            one = Asked(UnitId(walker.id), way, "" if way is Way.WAIT else f"{len(self.asked)}-{walker.id}")
            if walker.state == OFFLINE and one.command:
                one.reply = Reply.OFFLINE
            asked.append(one)
        about = {key: body[key] for key in ("street", "team") if body.get(key)}
        call = self.book.plan(f"call-{len(self.asked)}", "demo", asked, body.get("seconds"), about, now)
        self.book.add(call)
        return call

    def _units(self, call: RollCall) -> dict[UnitId, tuple[Unit, Asked]]:
        found = {}
        for one in call.units.values():
            about = self._town.walkers[one.unit].about
            labels = (about["name"], about["team"], about["street"], about["grid"] or "")
            found[one.unit] = Unit(one.unit, about["kind"], *labels), one
        return found

    def _view(self, call: RollCall, now: int) -> dict[str, Any]:
        mirror = SimpleNamespace(last_message=lambda unit: self._town.walkers[unit].fix)
        services: Any = SimpleNamespace(wall=lambda: now, mirror=mirror)
        return whole_view(services, call, self._units(call))

    def _seats(self, method: str, parts: list[str], body: Any, now: int) -> tuple[int, Any]:
        if method == "POST":
            return 201, self._desk(self._take(self.seats.plan_new(body)), now)
        if method == "PATCH":
            return 200, self._desk(self._take(self.seats.plan_change(parts[0], body)), now)
        if method == "DELETE":
            self._take(self.seats.plan_removal(parts[0]))
            return 200, {}
        self._watch.look(lambda seat: seat.name not in self._absent, now - 600_000)
        self._watch.look(lambda seat: seat.name not in self._absent, now)
        desks = sorted((self._desk(seat, now) for seat in self.seats.all.values()), key=lambda desk: desk["state"])
        absent = [desk["id"] for desk in desks if desk["state"] == "absent"]
        return 200, {"now": now, "absent": absent, "seats": desks}

    def _desk(self, seat: Any, now: int) -> dict[str, Any]:
        present = [] if seat.name in self._absent else ["east"]
        return desk_view(Desk(seat, *self._watch.of(seat, now), present))
