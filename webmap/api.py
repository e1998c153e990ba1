"""The API: JSON under ``/api/v1``, described by ``/api/v1/openapi.json``. Nothing answers without a login.

A session comes as cookie (pages), as ``Authorization: Bearer`` (what login answered) or as Basic auth. Errors
are ``{"error": {"code", "text", "zh"}}``: a stable code, and what to do in two languages.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

from klein import Klein
from twisted.logger import Logger

from tracker.model import UnitId
from tracker.roster import Change
from webmap import metrics
from webmap.access_api import add_access
from webmap.account_api import add_accounts
from webmap.attendance_api import add_attendance
from webmap.certificate_api import add_certificate
from webmap.command_api import add_commands
from webmap.decision_api import add_decisions
from webmap.desk_api import add_desk
from webmap.device_api import add_devices
from webmap.duty_api import add_duty
from webmap.enrol_api import add_enrolment
from webmap.evidence_api import add_evidence
from webmap.grid_api import add_grids
from webmap.health import health
from webmap.indicator_api import add_indicators
from webmap.login_api import add_login
from webmap.me_api import add_me
from webmap.notice_api import add_notices
from webmap.person_api import add_persons
from webmap.phone_api import add_phones
from webmap.reach import reached, units_wanted
from webmap.rights import Action
from webmap.roll_call_api import add_roll_calls
from webmap.roster_api import add_roster
from webmap.rota_api import add_rota
from webmap.routes import LIST_LIMIT, ApiError, Gate, answer, body_of, make_route, who_of
from webmap.seats_api import add_seats
from webmap.services import Services
from webmap.storage_api import add_storage
from webmap.stories import Stories
from webmap.survey_api import add_surveys
from webmap.task_api import add_tasks
from webmap.task_wishes import id_from, key_of
from webmap.track_api import add_tracks
from webmap.views import roster_view, unit_view

_log = Logger(namespace="gridbeat.api")


def add_api(app: Klein, services: Services, gate: Gate) -> None:
    """Put the routes on the console's app."""
    intake, roster = services.intake, services.intake.roster
    route = make_route(app, gate)
    add_login(app, route, services)
    add_me(route, services)
    add_accounts(route, services)
    add_certificate(route, services)
    add_devices(route, services)
    add_enrolment(route, services)
    add_roster(route, services)
    add_commands(route, services)
    add_phones(route, services)
    add_persons(route, services)
    add_storage(route, services)
    add_tracks(route, services)
    add_access(route, services)
    add_grids(route, services)
    add_roll_calls(route, services)
    add_seats(route, services)
    add_duty(route, services)
    add_rota(route, services)
    add_attendance(route, services)
    stories = Stories(services)
    add_desk(route, services)
    add_tasks(route, services, stories)
    add_decisions(route, services, stories)
    add_indicators(route, services)
    add_evidence(route, services)
    add_notices(route, services)
    add_surveys(route, services)

    @route("GET", "/api/v1/units", Action.LIVE)
    def units(request: Any) -> bytes:
        scope = who_of(request).scope(Action.LIVE)
        found = [unit.id for unit in roster.units.values() if scope.covers(unit)]
        return answer(
            request, {"units": [unit_view(intake, services.mirror, services.coordinates, unit) for unit in found]}
        )

    @route("POST", "/api/v1/units", Action.PEOPLE_CHANGE)
    async def add_units(request: Any) -> bytes:
        given = body_of(request, LIST_LIMIT)
        wanted = given if isinstance(given, list) else given.get("units", [given]) if isinstance(given, dict) else None
        if not isinstance(wanted, list) or not all(isinstance(entry, dict) for entry in wanted):
            raise ApiError(422, "bad_units", "send a unit or a list of units", "请发送一个或一组人员、车辆")
        scope = who_of(request).scope(Action.PEOPLE_CHANGE)
        key = key_of(request)
        if key is not None and scope.everything:
            # Whoever has no id yet gets one that follows from the key: sent again it is the same person.
            wanted = [
                entry if entry.get("id") else {**entry, "id": id_from(who_of(request).name, f"{key} {number}")}
                for number, entry in enumerate(wanted)
            ]

        def plan() -> tuple[list[str], list[Change]]:
            changes = roster.plan_units(units_wanted(roster, scope, wanted))
            return [identity for kind, identity, _ in changes if kind == "unit"], changes

        added = [UnitId(unit) for unit in await intake.change(plan)]
        request.concerns = added[0] if len(added) == 1 else ""
        # Who keeps the roster may have no business with where people are.
        sees = who_of(request).may(Action.LIVE)
        views = [
            unit_view(intake, services.mirror, services.coordinates, unit) if sees else roster_view(roster.units[unit])
            for unit in added
        ]
        return answer(request, {"units": views}, 201)

    @route("GET", "/api/v1/units/<string:unit>", Action.LIVE)
    def unit(request: Any, unit: str) -> bytes:
        identity = reached(services, request, Action.LIVE, unit)
        return answer(request, unit_view(intake, services.mirror, services.coordinates, identity))

    @route("GET", "/api/v1/basemap", Action.SELF)
    def basemap(request: Any) -> bytes:
        return answer(request, services.city.basemap)

    @route("GET", "/api/v1/counters", Action.HEALTH)
    def counters(request: Any) -> bytes:
        pipeline = services.applier.pipeline
        doubts = {(doubt.name or "").lower(): number for doubt, number in pipeline.doubted.items()}
        doubts["duplicate"] = pipeline.duplicates
        return answer(
            request,
            {"protocols": intake.counters.view(), "kept_aside": doubts, "unknown_devices": len(intake.unknown)},
        )

    @route("GET", "/api/v1/openapi.json", Action.SELF)
    def openapi(request: Any) -> bytes:
        return answer(request, resources.files("webmap").joinpath("openapi.json").read_bytes())

    @route("GET", "/healthz", Action.HEALTH)
    def healthz(request: Any) -> bytes:
        view = health(services, who_of(request).scope(Action.HEALTH))
        return answer(request, view, 200 if view["status"] == "ok" else 503)

    @route("GET", "/metrics", Action.HEALTH)
    def numbers(request: Any) -> bytes:
        body = metrics.render(services, who_of(request).scope(Action.HEALTH))
        request.setHeader("content-type", metrics.CONTENT_TYPE)
        return body
