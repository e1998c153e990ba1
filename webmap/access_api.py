"""Who looked at whom, in the API: a page of it, and all of a span as a table.

Who reaches the whole city reads everything. Everybody else reads who looked at the units within reach, and what they
have looked at themselves; a collector: who looked at me.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from twisted.internet.defer import DeferredLock
from twisted.internet.threads import deferToThreadPool

from tracker.access_log import END, MOST, Look, Page, Place, Question
from tracker.export_files import moment, table
from webmap.reach import unit_within
from webmap.rights import Action, Reach, Who
from webmap.routes import ApiError, Route, answer, time_of, who_of
from webmap.services import Services

DAY_MS = 86_400_000
SPAN_MS = 31 * DAY_MS
"""What is asked for without a beginning."""
PAGE, PAGE_MOST = 100, 1000
"""Entries of one answer, unless asked for otherwise, and at most."""
WORD_LIMIT = 64
"""Characters of an account, a unit or a kind that is asked for: none is longer."""
HEAD = ("time", "local_time", "account", "role", "what", "unit", "name", "reason", "address", "about")
_PLACE = re.compile(r"(\d{1,15})-(\d{1,18})")


def add_access(route: Route, services: Services) -> None:
    """Put the routes on the console's app."""
    # One at a time: years of it are some hundred files.
    reading = DeferredLock()

    def question_of(request: Any, who: Who, most: int) -> Question:
        end = time_of(services, request, "to", services.wall() + 120_000)
        start = time_of(services, request, "from", end - SPAN_MS)
        if start > end:
            raise ApiError(422, "bad_span", "from must not be after to", "开始时间不能晚于结束时间")
        by, unit, what = (_word(request, name) for name in ("who", "unit", "what"))
        asked = Question(start, end, _place(request), by, unit, what, most=most)
        scope = who.scope(Action.ACCESS_LOG)
        if scope.everything:
            return asked
        if scope.reach is Reach.OWN:
            return replace(asked, units=frozenset({who.unit} - {""}), own=who.name)
        units = services.intake.roster.units.values()
        return replace(asked, units=frozenset(unit.id for unit in units if scope.covers(unit)), own=who.name)

    async def read(question: Question) -> Page:
        async with reading:
            page: Page = await deferToThreadPool(services.reactor, services.pool, services.access.log.read, question)
            return page

    @route("GET", "/api/v1/access-log", Action.ACCESS_LOG)
    async def listed(request: Any) -> bytes:
        who = who_of(request)
        question = question_of(request, who, _limit(request))
        page = await read(question)
        after = None if page.after is None else f"{page.after[0]}-{page.after[1]}"
        entries = [look_view(services, who, look) for look in page.looks]
        value = {"zone": str(services.city.zone), "from": question.start, "to": question.end}
        return answer(request, {**value, "unreadable": page.unreadable, "next": after, "entries": entries})

    @route("GET", "/api/v1/access-log.csv", Action.ACCESS_LOG)
    async def tabled(request: Any) -> bytes:
        who = who_of(request)
        page = await read(question_of(request, who, MOST))
        if page.after is not None:
            text = f"more than {MOST:,} entries: ask for a shorter span"
            raise ApiError(422, "too_much", text, "记录过多，请缩短时间范围")
        entries = [look_view(services, who, look) for look in page.looks]
        rows = (_row(services, entry) for entry in entries)
        body: str = await deferToThreadPool(services.reactor, services.pool, lambda: "".join(table(HEAD, rows)))
        request.setHeader("content-type", "text/csv; charset=utf-8")
        request.setHeader("content-disposition", 'attachment; filename="access-log.csv"')
        request.setHeader("cache-control", "no-store")
        return body.encode("utf-8", "replace")


def look_view(services: Services, who: Who, look: Look) -> dict[str, Any]:
    """An entry as it is answered. Whence others came is nobody's business but the city's."""
    known = None if look.removed else unit_within(services.intake.roster, who.scope(Action.PEOPLE), look.unit)
    theirs = who.scope(Action.ACCESS_LOG).reach is Reach.OWN and look.who != who.name
    return {
        "id": look.id, "time": look.server_time, "who": look.who, "role": look.role, "what": look.what,
        "unit": None if look.removed else look.unit, "name": known.name if known is not None else None,
        "removed": look.removed, "reason": "" if look.removed else look.reason,
        "address": None if theirs else look.address, "about": dict(look.about),
    }  # fmt: skip


def _row(services: Services, entry: dict[str, Any]) -> tuple[Any, ...]:
    about = json.dumps(entry["about"], ensure_ascii=False) if entry["about"] else ""
    return (
        moment(entry["time"]), moment(entry["time"], services.city.zone), entry["who"], entry["role"], entry["what"],
        "*" if entry["removed"] else entry["unit"], entry["name"] or "", entry["reason"], entry["address"] or "", about,
    )  # fmt: skip


def _word(request: Any, name: str) -> str:
    given = (request.args.get(name.encode()) or [b""])[0].decode("utf-8", "replace").strip()
    if len(given) > WORD_LIMIT:
        raise ApiError(422, f"bad_{name}", f"{name} is too long", f"{name} 过长")
    return str(given)


def _place(request: Any) -> Place:
    given = (request.args.get(b"after") or [b""])[0].decode("ascii", "replace")
    if not given:
        return END
    match = _PLACE.fullmatch(given)
    if match is None:
        raise ApiError(422, "bad_after", "after must be what next said", "after 须为上一页返回的 next")
    return int(match[1]), int(match[2])


def _limit(request: Any) -> int:
    given = (request.args.get(b"limit") or [b""])[0].decode("ascii", "replace")
    if given and not (given.isascii() and given.isdigit() and 1 <= int(given[:9]) <= PAGE_MOST):
        text = f"limit must be a number from 1 to {PAGE_MOST}"
        raise ApiError(422, "bad_limit", text, f"limit 须为 1 至 {PAGE_MOST}")
    return int(given) if given else PAGE
