"""The routes of a seat's desk: what is new of tasks, calls for help, reports from the street and notes; who takes care
of a call, and what becomes of a report."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.task import deferLater

from dispatch.media import LIMITS, Sort
from dispatch.messages import words
from dispatch.problems import Report
from dispatch.sos import SosId
from webmap.rights import Action
from webmap.routes import ApiError, Route, answer, body_of, missing, who_of
from webmap.services import Services
from webmap.task_view import Sight
from webmap.task_wishes import fields_of

AT_ONCE = 100
"""Tasks that are put into words in one go, some 3 ms: a large city has ten thousand."""


def add_desk(route: Route, services: Services) -> None:
    """Put the routes on the console's app."""
    desk = services.desk
    begun = desk.version
    """What a page has of an earlier start says nothing of what has changed since."""

    @route("GET", "/api/v1/desk", Action.TASKS)
    async def look(request: Any) -> bytes:
        sight, since = Sight(services, who_of(request)), _since(request)
        whole = since < begun or since > desk.version
        # What changes while the rows are made has a later version, and is asked for by that.
        told: dict[str, Any] = {"version": desk.version, "now": services.wall(), "whole": whole}
        shown: list[bytes] = []
        gone = []
        for number, task in enumerate(desk.changed(0 if whole else since), 1):
            if sight.reaches(task):
                shown.append(_packed(sight.row(task)))
            elif not whole and sight.had(task):
                gone.append(task.id)
            if number % AT_ONCE == 0:
                await deferLater(services.reactor, 0)
        told |= {
            "gone": gone, "sos": sight.calls(), "problems": sight.reports(),
            "notes": sight.notes(0 if whole else since),
        }  # fmt: skip
        if whole:
            told["words"] = words(desk.rules, LIMITS[Sort.PHOTO])
        return answer(request, _packed(told)[:-1] + b',"tasks":[' + b",".join(shown) + b"]}")

    @route("POST", "/api/v1/sos/<string:sos>/acknowledge", Action.DISPATCH)
    async def acknowledge(request: Any, sos: str) -> bytes:
        sight = Sight(services, who_of(request), Action.DISPATCH)
        call = services.sos.book.get(SosId(sos))
        if call is None or not sight.hears(call):
            raise missing("call for help", "求助")
        fields_of(body_of(request), frozenset())
        return answer(request, sight.call(await services.sos.acknowledge(call.id, sight.who.name)))

    def report_of(sight: Sight, id: str) -> Report:
        report = services.reporting.book.get(id)
        if report is None or not sight.reported(report):
            raise missing("report", "上报")
        return report

    @route("GET", "/api/v1/problems", Action.TASKS)
    def problems(request: Any) -> bytes:
        return answer(request, {"problems": Sight(services, who_of(request)).reports()})

    @route("POST", "/api/v1/problems/<string:problem>/seen", Action.DISPATCH)
    async def seen(request: Any, problem: str) -> bytes:
        sight = Sight(services, who_of(request), Action.DISPATCH)
        report = report_of(sight, problem)
        fields_of(body_of(request), frozenset())
        return answer(request, sight.report(await services.reporting.seen(report.id, sight.who.name)))

    @route("POST", "/api/v1/problems/<string:problem>/task", Action.DISPATCH)
    async def take_up(request: Any, problem: str) -> bytes:
        sight = Sight(services, who_of(request), Action.DISPATCH)
        report = report_of(sight, problem)
        kind = fields_of(body_of(request), frozenset({"kind"})).get("kind", "verify")
        if kind not in desk.rules.kinds:
            known = ", ".join(desk.rules.kinds)
            raise ApiError(422, "bad_kind", f"kind must be one of {known}", f"kind 须为 {known} 之一")
        task, made = await services.reporting.make_task(report.id, kind, sight.who.name)
        return answer(request, sight.row(task), 201 if made else 200)


def _packed(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _since(request: Any) -> int:
    given: str = (request.args.get(b"since") or [b"0"])[0].decode("ascii", "replace")
    if not (given.isascii() and given.isdigit() and len(given) <= 16):
        raise ApiError(422, "bad_since", "since is a version that was answered before, or 0",
                       "since 须为此前返回的版本号，或 0")  # fmt: skip
    return int(given)
