"""Every route of the API with what it is about: the table by which tests/webmap/test_matrix.py walks all of them.

It is written by hand and knows nothing of the handlers: a route that is not here fails the build, and so somebody has
to say here which unit it can be asked about, and how.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from webmap.rights import Action

UNIT, DEVICE, PHONE, VEHICLE, COMMAND, PHOTO = "unit", "device", "phone", "vehicle", "command", "photo"
"""What a parameter can name that belongs to a unit, and so is reached or not."""
ENROLMENT = "enrolment"
GRID, SEAT, CALL, NOTICE, TASK = "grid", "seat", "call", "notice", "task"
"""What belongs to a street, to all the units that were asked or told, and to a street and to who is to do it."""
BELONGS = (UNIT, DEVICE, PHONE, VEHICLE, COMMAND, PHOTO, ENROLMENT, GRID, SEAT, CALL, NOTICE, TASK)


@dataclass(frozen=True, slots=True)
class Case:
    """One way to ask a route. ``thing``: what it names, in the path, the query or the body, as ``{thing}``; ``named``
    stands for it where what is named belongs to no unit. ``good``: the answers' statuses to who has the right and
    reaches it; all bodies are such that nothing comes of them, so that the walk can go on; with ``real`` something
    would, and it is asked only for what is out of reach. ``lists``: what an answer holds of each unit within reach;
    ``tells``: the action whose reach bounds that, if it is another one; ``also``: one that it takes besides."""

    action: Action
    thing: str = ""
    body: Any = None
    query: str = ""
    good: tuple[int, ...] = (200,)
    named: str = ""
    kind: str = "application/json"
    lists: str = ""
    real: bool = False
    tells: Action | None = None
    also: Action | None = None


def case(*given: Any, **fields: Any) -> tuple[Case, ...]:
    return (Case(*given, **fields),)


WHY = "?reason=proof"
NOW = "?lat=31.05&lon=121.05&radius=5000&reason=proof"
OF = {"id": "{unit}", "street": "{street}", "team": "{team}"}
GONE = "nobody"
SHA = "a" * 64
PLACE = {"kind": "verify", "lat": 31.05, "lon": 121.04, "crs": "wgs84"}
DAYS = "?from=2026-11-01&to=2026-11-02"
PLAN = {"assignments": [{"unit": "{unit}", "day": "2026-11-01", "shift": "none"}]}

CASES: dict[str, tuple[Case, ...]] = {
    "GET /api/v1/units": case(Action.LIVE, lists=UNIT),
    "POST /api/v1/units": (
        Case(Action.PEOPLE_CHANGE, body={}, good=(422,)),
        Case(Action.PEOPLE_CHANGE, UNIT, body=OF, good=(422,)),
        Case(Action.PEOPLE_CHANGE, UNIT, body=[OF], good=(422,)),
    ),
    "GET /api/v1/units/{unit}": case(Action.LIVE, UNIT, lists=UNIT),
    "GET /api/v1/units/{unit}/track": (
        Case(Action.TRACK, UNIT, query=WHY),
        Case(Action.TRACK, UNIT, query="?from=2&to=1&reason=proof", good=(422,)),
    ),
    "GET /api/v1/units/{unit}/duty": case(Action.ATTENDANCE, UNIT),
    "POST /api/v1/units/{unit}/duty": case(Action.DUTY, UNIT, body={}, good=(422,)),
    "DELETE /api/v1/units/{unit}/duty/{told}": case(Action.DUTY, UNIT, good=(404,)),
    "GET /api/v1/nearby": case(Action.NEARBY, query=NOW, lists="seen"),
    "GET /api/v1/units/{unit}/export": case(Action.EXPORT, UNIT, query=WHY),
    "POST /api/v1/units/{unit}/export": case(Action.EXPORT, UNIT, body=b"", kind="text/plain", good=(415, 422)),
    "GET /api/v1/units/{unit}/export/file": case(Action.EXPORT, UNIT, query=WHY, good=(404,)),
    "GET /api/v1/units/{unit}/removal": case(Action.REMOVE, UNIT),
    "POST /api/v1/units/{unit}/removal": case(Action.REMOVE, UNIT, body={}, good=(422,)),
    "GET /api/v1/devices": case(Action.DEVICES, lists=DEVICE),
    "POST /api/v1/devices": (
        Case(Action.DEVICES_CHANGE, body={}, good=(422,)),
        Case(Action.DEVICES_CHANGE, UNIT, body={"protocol": "handheld", "unit": "{unit}"}, good=(422,)),
        Case(Action.DEVICES_CHANGE, UNIT, body=[{"protocol": "handheld", "unit": "{unit}"}], good=(207,)),
    ),
    "GET /api/v1/devices/{device}": case(Action.DEVICES, DEVICE, lists=DEVICE),
    "PATCH /api/v1/devices/{device}": (
        Case(Action.DEVICES_CHANGE, DEVICE, body={}),
        Case(Action.DEVICES_CHANGE, DEVICE, body={"unit": "nobody"}, good=(422,)),
    ),
    "POST /api/v1/devices/{device}/token": (
        Case(Action.DEVICES_CHANGE, PHONE, body={}, real=True),
        Case(Action.DEVICES_CHANGE, VEHICLE, body={}),
        Case(Action.DEVICES_CHANGE, PHONE, body={"base": "none"}, good=(422,)),
    ),
    "DELETE /api/v1/devices/{device}/token": case(Action.DEVICES_CHANGE, PHONE, real=True),
    "GET /api/v1/certificate": case(Action.SELF),
    "GET /api/v1/enrolments": case(Action.ENROL),
    "POST /api/v1/units/{unit}/enrolment": case(Action.ENROL, UNIT, body={}, good=(422,)),
    "GET /api/v1/enrolments/{enrolment}": case(Action.ENROL, ENROLMENT),
    "DELETE /api/v1/enrolments/{enrolment}": case(Action.ENROL, ENROLMENT, real=True),
    "POST /api/v1/units/table": case(Action.PEOPLE_CHANGE, body={}, good=(422,)),
    "POST /api/v1/devices/{device}/binding": (
        Case(Action.ENROL, DEVICE, body={}, good=(422,)),
        Case(Action.ENROL, DEVICE, body={"unit": "nobody"}, good=(422,)),
    ),
    "GET /api/v1/devices/{device}/commands": case(Action.DEVICES, DEVICE, lists=COMMAND),
    "POST /api/v1/devices/{device}/commands": (
        Case(Action.COMMAND, DEVICE, body={"kind": "nothing"}, good=(422,)),
        Case(Action.COMMAND, DEVICE, body=[], good=(422,)),
    ),
    "GET /api/v1/commands/{command}": case(Action.DEVICES, COMMAND, lists=COMMAND),
    "DELETE /api/v1/commands/{command}": case(Action.COMMAND, COMMAND, good=(200, 409)),
    "GET /api/v1/commands/{command}/photo/{number}": case(Action.PHOTOS, COMMAND, good=(404,)),
    "GET /api/v1/devices/{device}/photos": case(Action.PHOTOS, DEVICE, lists=PHOTO),
    "GET /api/v1/photos/{photo}": (
        Case(Action.TASKS, PHOTO, also=Action.PHOTOS),
        Case(Action.TASKS, named=SHA, good=(404,)),
    ),
    "GET /api/v1/voice/{sha}": case(Action.TASKS, named=SHA, good=(404,)),
    "GET /api/v1/originals/{sha}": case(Action.ORIGINALS, named=SHA, good=(404,)),
    "GET /api/v1/desk": case(Action.TASKS, lists=TASK),
    "GET /api/v1/tasks": case(Action.TASKS, lists=TASK),
    "POST /api/v1/tasks": (
        Case(Action.DISPATCH, body={}, good=(422,)),
        Case(Action.DISPATCH, UNIT, body={**PLACE, "unit": "{unit}", "due": 1}, good=(422,)),
        Case(Action.DISPATCH, UNIT, body={**PLACE, "reporter": "{unit}", "due": 1}, good=(422,)),
    ),
    "GET /api/v1/tasks/{task}": case(Action.TASKS, TASK),
    "PATCH /api/v1/tasks/{task}": case(Action.DISPATCH, TASK, body={}, good=(422,)),
    "GET /api/v1/tasks/{task}/candidates": case(Action.DISPATCH, TASK),
    "GET /api/v1/candidates": case(Action.DISPATCH, query="?lat=31.05&lon=121.04&crs=wgs84", good=(200, 422)),
    "POST /api/v1/tasks/{task}/{verb}": case(Action.DISPATCH, TASK, body={}, good=(422,)),
    "GET /api/v1/tasks/{task}/decisions": case(Action.DECISIONS, TASK),
    "GET /api/v1/problems": case(Action.TASKS),
    "POST /api/v1/problems/{problem}/task": case(Action.DISPATCH, named=GONE, body={}, good=(404,)),
    "POST /api/v1/problems/{problem}/seen": case(Action.DISPATCH, named=GONE, body={}, good=(404,)),
    "POST /api/v1/sos/{sos}/acknowledge": case(Action.DISPATCH, named=GONE, body={}, good=(404,)),
    "GET /api/v1/indicators": (
        Case(Action.TASKS, query="?by=unit"),
        Case(Action.TASKS, query="?by=street"),
    ),
    "GET /api/v1/notices": case(Action.TASKS),
    "POST /api/v1/notices": (
        Case(Action.DISPATCH, body={}, good=(422,)),
        Case(Action.DISPATCH, UNIT, body={"units": ["{unit}"], "text": "?", "until": "no"}, good=(422,)),
    ),
    "GET /api/v1/notices/{notice}": case(Action.TASKS, NOTICE, lists=UNIT),
    "POST /api/v1/surveys": (
        Case(Action.DISPATCH, body={}, good=(422,)),
        Case(Action.DISPATCH, GRID, body={"grids": ["{grid}"], "text": "?", "due": 1}, good=(422,)),
    ),
    "GET /api/v1/surveys/{survey}": case(Action.TASKS, named=GONE, good=(404,)),
    "GET /api/v1/phones": case(Action.DEVICES, lists=PHONE),
    "GET /api/v1/grids": case(Action.GRIDS, lists="grid"),
    "POST /api/v1/grids": case(Action.GRIDS_CHANGE, body={}, good=(422,)),
    "GET /api/v1/basemap": case(Action.SELF),
    "GET /api/v1/openapi.json": case(Action.SELF),
    "GET /api/v1/counters": case(Action.HEALTH),
    "GET /healthz": case(Action.HEALTH),
    "GET /metrics": case(Action.HEALTH),
    "GET /api/v1/storage": case(Action.STORAGE),
    "GET /api/v1/storage/days": case(Action.STORAGE),
    "GET /api/v1/storage/verify": case(Action.STORAGE),
    "POST /api/v1/storage/verify": case(Action.VERIFY, good=(202,)),
    "GET /api/v1/me": case(Action.SELF),
    "POST /api/v1/me/password": case(Action.SELF, body={}, good=(422,)),
    "POST /api/v1/me/totp": case(Action.SELF, body={}, good=(422,)),
    "POST /api/v1/me/totp/confirm": case(Action.SELF, body={}, good=(422,)),
    "POST /api/v1/me/totp/off": case(Action.SELF, body={}, good=(422,)),
    "GET /api/v1/me/sessions": case(Action.SELF),
    "DELETE /api/v1/me/sessions": case(Action.SELF),
    "DELETE /api/v1/me/sessions/{session}": case(Action.SELF, named=GONE, good=(404,)),
    "GET /api/v1/accounts": case(Action.ACCOUNTS),
    "GET /api/v1/roles": case(Action.ACCOUNTS),
    "POST /api/v1/accounts": case(Action.ACCOUNTS, body={}, good=(422,)),
    "GET /api/v1/accounts/{name}": case(Action.ACCOUNTS, named="collector"),
    "PATCH /api/v1/accounts/{name}": case(Action.ACCOUNTS, named="collector", body={"role": "none"}, good=(422,)),
    "DELETE /api/v1/accounts/{name}": case(Action.ACCOUNTS, named=GONE, good=(404,)),
    "POST /api/v1/accounts/{name}/password": case(Action.ACCOUNTS, named=GONE, good=(404,)),
    "GET /api/v1/access-log": case(Action.ACCESS_LOG, tells=Action.TRACK),
    "GET /api/v1/access-log.csv": case(Action.ACCESS_LOG, tells=Action.TRACK),
    "GET /api/v1/attendance": (
        Case(Action.ATTENDANCE, query=DAYS, lists=UNIT),
        Case(Action.ATTENDANCE, UNIT, query=f"{DAYS}&unit={{unit}}", lists=UNIT),
        Case(Action.ATTENDANCE, UNIT, query=f"{DAYS}&format=csv&unit={{unit}}", lists=UNIT),
    ),
    "GET /api/v1/shifts": case(Action.ROTA),
    "POST /api/v1/shifts": case(Action.ROTA_CHANGE, body={}, good=(403, 422)),
    "PATCH /api/v1/shifts/{shift}": case(Action.ROTA_CHANGE, named=GONE, body={}, good=(403, 404)),
    "DELETE /api/v1/shifts/{shift}": case(Action.ROTA_CHANGE, named=GONE, good=(403, 404)),
    "GET /api/v1/rota": (
        Case(Action.ROTA, query=DAYS, lists=UNIT),
        Case(Action.ROTA, UNIT, query=f"{DAYS}&unit={{unit}}", lists=UNIT),
    ),
    "PUT /api/v1/rota": case(Action.ROTA_CHANGE, UNIT, body=PLAN, good=(422,)),
    "DELETE /api/v1/rota": case(Action.ROTA_CHANGE, UNIT, query=f"{DAYS}&unit={{unit}}"),
    "GET /api/v1/calendar": case(Action.ROTA),
    "GET /api/v1/working-time": case(Action.ROTA),
    "GET /api/v1/grid-import": case(Action.GRIDS_CHANGE),
    "DELETE /api/v1/grid-import": case(Action.GRIDS_CHANGE, good=(409,)),
    "PATCH /api/v1/grids/{grid}": case(Action.GRIDS_CHANGE, GRID, body={}),
    "DELETE /api/v1/grids/{grid}": case(Action.GRIDS_CHANGE, GRID, good=(409,)),
    "GET /api/v1/seats": case(Action.SEATS),
    "POST /api/v1/seats": case(Action.SEATS_CHANGE, body={}, good=(422,)),
    "PATCH /api/v1/seats/{seat}": case(Action.SEATS_CHANGE, SEAT, body={}),
    "DELETE /api/v1/seats/{seat}": case(Action.SEATS_CHANGE, SEAT, real=True),
    "GET /api/v1/roll-calls": case(Action.ROLL_CALL),
    "POST /api/v1/roll-calls": case(Action.ROLL_CALL, UNIT, body={"units": ["{unit}"], "seconds": "no"}, good=(422,)),
    "GET /api/v1/roll-calls/{call}": case(Action.ROLL_CALL, CALL, lists=UNIT),
    "GET /api/v1/roll-calls/{call}/csv": case(Action.ROLL_CALL, CALL),
}
ELSEWHERE = {"POST /api/v1/login", "POST /api/v1/logout"}
"""Asked without a session, and ending it: tests/webmap/test_sessions.py."""

MESSAGES: dict[str, Action] = {"watch": Action.LIVE}
"""All that can be said over the live map's socket."""
