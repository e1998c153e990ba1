"""Where a unit has been, and who has been near a place: the questions to history, in the API.

An answer of many points is made in a thread; what a question may bring together is bounded, and a 422 says what to ask
instead. Who asks for another one's says why, and is on record before the answer goes out.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

from twisted.internet.defer import DeferredLock
from twisted.internet.threads import deferToThreadPool

from storage.bridge import as_deferred
from tracker import tracks
from tracker.archive_tracks import TooMuch
from tracker.model import UnitId
from tracker.nearby import RADIUS_LIMIT, Circle, Visit
from webmap.access import address_of, reason_of
from webmap.reach import reached, unit_within
from webmap.rights import Action, Reach, Scope
from webmap.routes import ApiError, Route, answer, time_of, who_of
from webmap.services import Services

HOUR_MS = 3_600_000
DEFAULT_SPAN_MS = 24 * HOUR_MS
TRAIL_MS = 15 * 60_000
"""The line behind a unit on the live map: whoever had it open would have seen that, so nobody is asked why."""
NEARBY_SPAN_MS = 31 * 24 * HOUR_MS
"""A month of a whole city takes some ten seconds of a core."""
POINTS_LIMIT = 50_000
"""Points of one answer; ``next`` then says from where to go on."""


def add_tracks(route: Route, services: Services) -> None:
    """Put the routes on the console's app."""
    # One at a time: each may take most of the memory that there is for questions.
    looking = DeferredLock()

    def span_of(request: Any, default: int) -> tuple[int, int]:
        end = time_of(services, request, "to", services.wall() + 120_000)
        start = time_of(services, request, "from", end - default)
        if start > end:
            raise ApiError(422, "bad_span", "from must not be after to", "开始时间不能晚于结束时间")
        return start, end

    @route("GET", "/api/v1/units/<string:unit>/track", Action.TRACK)
    async def track(request: Any, unit: str) -> bytes:
        identity = reached(services, request, Action.TRACK, unit)
        start, end = span_of(request, DEFAULT_SPAN_MS)
        who, what, reason = who_of(request), "trail", ""
        if start < services.wall() - TRAIL_MS:
            what, reason = "track", reason_of(request, who, identity)
        await services.access.record(who, what, [identity], reason, address_of(request), start=start, end=end)
        try:
            found = await as_deferred(services.tracks.read(identity, start, end, most=POINTS_LIMIT))
        except TooMuch:
            text = f"more than {tracks.RECORDS_LIMIT} records: ask for a shorter span"
            raise ApiError(422, "too_much", text, "记录过多，请缩短时间范围") from None
        judged = found.points
        more = judged[POINTS_LIMIT][0].fix_time if len(judged) > POINTS_LIMIT else None

        def render() -> bytes:
            points = [tracks.view(*point) for point in judged[:POINTS_LIMIT]]
            value = {"unit": unit, "from": start, "to": end, "next": more, "unreadable": found.unreadable}
            return json.dumps({**value, "points": points}, ensure_ascii=False, separators=(",", ":")).encode()

        # In a thread: a day has 17,000 points.
        return answer(request, await deferToThreadPool(services.reactor, services.pool, render))

    @route("GET", "/api/v1/nearby", Action.NEARBY)
    async def nearby(request: Any) -> bytes:
        latitude = _number(request, "lat", -90, 90)
        longitude = _number(request, "lon", -180, 180)
        radius = _number(request, "radius", 1, RADIUS_LIMIT)
        start, end = span_of(request, HOUR_MS)
        if end - start > NEARBY_SPAN_MS:
            raise ApiError(422, "bad_span", "ask for 31 days at the most", "时间范围不能超过 31 天")
        who = who_of(request)
        scope = who.scope(Action.NEARBY)
        reason = "" if scope.reach is Reach.OWN else reason_of(request, who, "")
        circle = Circle(round(latitude * 1e7), round(longitude * 1e7), radius)
        async with looking:
            try:
                found = await as_deferred(services.tracks.nearby(circle, start, end))
            except TooMuch:
                text = "too many fixes: ask for a shorter span or a smaller radius"
                raise ApiError(422, "too_much", text, "记录过多，请缩短时间范围或缩小半径") from None
        value = {"lat": latitude, "lon": longitude, "radius": radius, "from": start, "to": end}
        visits = [visit for visit in found.visits if _reaches(services, scope, visit)]
        named, metres = [visit.unit for visit in visits], round(radius)
        await services.access.record(
            who, "nearby", named, reason, address_of(request), start=start, end=end, radius=metres
        )
        units = [_visit_view(services, visit) for visit in visits]
        return answer(request, {**value, "unreadable": found.unreadable, "units": units})


def _reaches(services: Services, scope: Scope, visit: Visit) -> bool:
    """Whether a visit may be told of. Of a unit that is not in the roster nobody knows whose it was."""
    return scope.everything or unit_within(services.intake.roster, scope, visit.unit) is not None


def _visit_view(services: Services, visit: Visit) -> dict[str, Any]:
    known = services.intake.roster.units.get(UnitId(visit.unit))
    return {
        "unit": visit.unit,
        "name": known.name if known else None,
        "kind": known.kind if known else None,
        "fixes": visit.fixes,
        "doubted": visit.doubted,
        "first": visit.first,
        "last": visit.last,
        "nearest": round(visit.nearest, 1),
        "nearest_time": visit.nearest_at,
    }


def _number(request: Any, name: str, low: float, high: float) -> float:
    """A number of the query within both bounds."""
    given = request.args.get(name.encode(), [b""])[0]
    try:
        value = float(given)
    except ValueError:
        value = float("nan")
    if not isfinite(value) or not low <= value <= high:
        bounds = f"{low:g}", f"{high:g}"
        text, zh = f"{name} must be a number from {' to '.join(bounds)}", f"{name} 须为 {' 至 '.join(bounds)} 的数"
        raise ApiError(422, "bad_place", text, zh)
    return value
