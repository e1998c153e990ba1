"""The route of indicators: rates with what they are of, and times with how many they are the mean of."""

from __future__ import annotations

from datetime import date
from typing import Any

from dispatch.indicators import CITY_DAYS, UNIT_DAYS, Sums, percent
from tracker.model import UnitId
from webmap.reach import unit_within
from webmap.rights import Action, Reach, Scope
from webmap.routes import ApiError, Route, answer, who_of
from webmap.services import Services

BY = ("kind", "day", "street", "unit")
"""What sums can be split by."""


def add_indicators(route: Route, services: Services) -> None:
    """Put the route on the console's app."""

    @route("GET", "/api/v1/indicators", Action.TASKS)
    def indicators(request: Any) -> bytes:
        scope = who_of(request).scope(Action.TASKS)
        today = services.rota.days.day_of(services.wall())
        first, last = (_day(request, name, today) for name in ("from", "to"))
        by = (request.args.get(b"by") or [b"kind"])[0].decode("utf-8", "replace")
        if by not in BY:
            words = ", ".join(BY)
            raise ApiError(422, "bad_by", f"by must be one of {words}", f"by 须为 {words} 之一")
        if last < first:
            raise ApiError(422, "bad_day", "to must not lie before from", "to 不得早于 from")
        groups: dict[tuple[str, str], Sums] = {}
        for kind, key, sums in _reached(services, scope, first, last, by):
            groups.setdefault((key, kind), Sums()).merge(sums)
        rows = [{"kind": kind, by: key, **_view(sums)} for (key, kind), sums in sorted(groups.items())]
        told = {
            "from": first,
            "to": last,
            "by": by,
            "rows": rows,
            "kept_days": UNIT_DAYS if by == "unit" else CITY_DAYS,
        }
        return answer(request, told)


def _reached(services: Services, scope: Scope, first: str, last: str, by: str) -> list[tuple[str, str, Sums]]:
    """Kind, what it is split by, and sums, of what somebody reaches: streets by their name, people by who they are."""
    roster, tally = services.intake.roster, services.tally
    if by == "unit" or scope.reach is Reach.OWN:
        return [
            (kind, {"unit": str(unit), "day": day, "street": "", "kind": kind}[by], sums)
            for day, kind, unit, sums in tally.units(first, last)
            if unit_within(roster, scope, UnitId(unit)) is not None
        ]
    return [
        (kind, {"day": day, "street": street, "kind": kind}[by], sums)
        for day, kind, street, sums in tally.city(first, last)
        if scope.covers_street(street)
    ]


def _view(sums: Sums) -> dict[str, Any]:
    """Rates in percent, means in seconds."""
    return {
        "on_time": {"count": sums.on_time, "of": sums.due, "percent": percent(sums.on_time, sums.due)},
        "overdue": {"count": sums.late, "of": sums.due, "percent": percent(sums.late, sums.due)},
        "response": _mean(sums.accept_ms, sums.accepted), "travel": _mean(sums.travel_ms, sums.travelled),
        "reach": _mean(sums.reach_ms, sums.reached), "answer": _mean(sums.answer_ms, sums.answered),
    }  # fmt: skip


def _mean(ms: int, count: int) -> dict[str, Any]:
    return {"count": count, "seconds": None if count == 0 else round(ms / count / 1000, 1)}


def _day(request: Any, name: str, today: str) -> str:
    given = (request.args.get(name.encode()) or [b""])[0].decode("ascii", "replace")
    if not given:
        return today
    try:
        if len(given) == len(today):
            return date.fromisoformat(given).isoformat()
    except ValueError:
        pass
    raise ApiError(422, "bad_day", f"{name} must be a day such as {today}", f"{name} 须为日期，如 {today}")
