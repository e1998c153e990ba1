"""The routes of seats: which there are, and who is at them."""

from __future__ import annotations

from typing import Any

from tracker.roster import Change, Refusal
from tracker.seats import Manning, Seat
from webmap.desks import covers, desk_view
from webmap.rights import Action, Scope
from webmap.routes import ApiError, Route, answer, body_of, missing, who_of
from webmap.services import Services

_FIELDS = frozenset({"name", "street", "periods", "weekdays", "accounts"})


def add_seats(route: Route, services: Services) -> None:
    """Put the routes on the console's app."""
    intake = services.intake

    def wanted_of(request: Any) -> dict[str, Any]:
        given = body_of(request)
        if not isinstance(given, dict) or given.keys() - _FIELDS:
            known = ", ".join(sorted(_FIELDS))
            raise ApiError(422, "bad_seat", f"send an object with some of {known}", f"请发送含 {known} 的对象")
        return given

    def seat_of(request: Any, id: str) -> Seat:
        found = services.desks.seats.all.get(id)
        if found is None or not covers(who_of(request).scope(Action.SEATS_CHANGE), found):
            raise missing("seat", "席位")
        return found

    def view(scope: Scope, seat: Seat) -> dict[str, Any]:
        return next(desk_view(desk) for desk in services.desks.all(scope) if desk.seat.id == seat.id)

    def within(scope: Scope, planned: tuple[Seat, list[Change]]) -> tuple[Seat, list[Change]]:
        """What was planned, if it stays within the scope."""
        seat = planned[0]
        if not covers(scope, seat):
            known = ", ".join(sorted(scope.streets))
            text = f"street must be one of your account's: {known}"
            raise Refusal("out_of_reach", text, f"street 须在账号范围内：{known}")
        return planned

    @route("GET", "/api/v1/seats", Action.SEATS)
    def listed(request: Any) -> bytes:
        found = services.desks.all(who_of(request).scope(Action.SEATS))
        absent = [desk.seat.id for desk in found if desk.state is Manning.ABSENT]
        return answer(request, {"now": services.wall(), "absent": absent, "seats": [desk_view(desk) for desk in found]})

    @route("POST", "/api/v1/seats", Action.SEATS_CHANGE)
    async def add(request: Any) -> bytes:
        wanted, scope = wanted_of(request), who_of(request).scope(Action.SEATS_CHANGE)
        made = await intake.change(lambda: within(scope, services.desks.seats.plan_new(wanted)))
        return answer(request, view(scope, made), 201)

    @route("PATCH", "/api/v1/seats/<string:seat>", Action.SEATS_CHANGE)
    async def amend(request: Any, seat: str) -> bytes:
        wanted, scope = wanted_of(request), who_of(request).scope(Action.SEATS_CHANGE)
        known = seat_of(request, seat)
        made = await intake.change(lambda: within(scope, services.desks.seats.plan_change(known.id, wanted)))
        return answer(request, view(scope, made))

    @route("DELETE", "/api/v1/seats/<string:seat>", Action.SEATS_CHANGE)
    async def remove(request: Any, seat: str) -> bytes:
        known = seat_of(request, seat)
        await intake.change(lambda: services.desks.seats.plan_removal(known.id))
        return answer(request, {})
