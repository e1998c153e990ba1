"""On and off duty, told at the seat: the routes. The rules are those of :mod:`tracker.duty`."""

from __future__ import annotations

from typing import Any

from tracker.duty import Step
from tracker.model import UnitId
from tracker.roster import Refusal
from webmap.reach import reached
from webmap.rights import Action, Reach
from webmap.routes import ApiError, Route, answer, body_of, missing, who_of
from webmap.services import Services
from webmap.views import duty_state, interval_view

UNDO_MS = 300_000
"""What one has told of oneself may be taken back for so long. A seat may always correct."""
_WANTED = "send on (true or false), at and until in ms", "请发送 on（true 或 false）、at、until（毫秒）"
_FIELDS = frozenset({"on", "at", "until"})


def add_duty(route: Route, services: Services) -> None:
    """Put the routes on the console's app."""

    @route("GET", "/api/v1/units/<string:unit>/duty", Action.ATTENDANCE)
    def duties(request: Any, unit: str) -> bytes:
        return answer(request, duty_view(services, reached(services, request, Action.ATTENDANCE, unit)))

    @route("POST", "/api/v1/units/<string:unit>/duty", Action.DUTY)
    async def tell(request: Any, unit: str) -> bytes:
        identity, who = reached(services, request, Action.DUTY, unit), who_of(request)
        on, at, until = _wanted(body_of(request))
        own = who.scope(Action.DUTY).reach is Reach.OWN
        if own and (at is not None or until is not None):
            text = "one's own duty is told as it happens; what was is corrected at a seat"
            raise ApiError(422, "not_now", text, "本人只能登记当前上下岗，补登请联系坐席")
        now = services.wall()
        moment = now if at is None else at
        book = services.duty

        def plan() -> Step:
            if until is not None:
                return book.plan_correction(identity, moment, until, on, now, who=who.name)
            told = book.plan_on if on else book.plan_off
            return told(identity, moment, "seat", now, who=who.name)

        await services.clerk.carry_out(plan)
        return answer(request, {**duty_view(services, identity), "told": event_of(moment, on)}, 201)

    @route("DELETE", "/api/v1/units/<string:unit>/duty/<string:told>", Action.DUTY)
    async def undo(request: Any, unit: str, told: str) -> bytes:
        identity, who = reached(services, request, Action.DUTY, unit), who_of(request)
        at, on = _event(told)
        now = services.wall()
        if who.scope(Action.DUTY).reach is Reach.OWN and at < now - UNDO_MS:
            raise ApiError(422, "too_late", "that is too long ago to be taken back", "时间过久，不能撤销")
        try:
            await services.clerk.carry_out(lambda: services.duty.plan_undo(identity, at, on, now, who=who.name))
        except Refusal as refusal:
            if refusal.code == "no_event":
                raise missing("duty event", "上下岗记录") from None
            raise
        return answer(request, duty_view(services, identity))


def event_of(at: int, on: bool) -> str:
    """How an event of a seat is called, to be taken back."""
    return f"{at}-{'on' if on else 'off'}"


def _event(told: str) -> tuple[int, bool]:
    digits, _, word = told.partition("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 15 or word not in ("on", "off"):
        raise missing("duty event", "上下岗记录")
    return int(digits), word == "on"


def _wanted(given: Any) -> tuple[bool, int | None, int | None]:
    if not isinstance(given, dict) or given.keys() - _FIELDS or type(given.get("on")) is not bool:
        raise ApiError(422, "bad_duty", *_WANTED)
    times = []
    for name in ("at", "until"):
        value = given.get(name)
        if value is not None and (type(value) is not int or not 0 <= value < 1 << 53):
            raise ApiError(422, "bad_time", f"{name} is a time in ms since 1970", f"{name} 须为毫秒时间戳")
        times.append(value)
    return given["on"], times[0], times[1]


def duty_view(services: Services, unit: UnitId) -> dict[str, Any]:
    """How a unit comes to be on duty, whether it is, and its intervals of the last 31 days; times in ms, ``None`` for
    one that has no beginning or is open."""
    roster, now = services.intake.roster, services.wall()
    duties = [duty for duty in roster.duties_of(unit) if duty.end > duty.start]
    return {
        "unit": unit,
        **duty_state(roster.units[unit].duty, roster.on_duty(unit, now)),
        "intervals": [interval_view(duty) for duty in duties],
    }
