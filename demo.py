"""The demo city: its people and devices entered like any city's, its clients run as a child on the real ports."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet import protocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from simulator.city import City
from simulator.plan import DeviceWish, Issued, demo_roster, plan_json
from storage.archive.layout import shifted
from tracker.areas import read_areas
from tracker.catalogue import CATALOGUE
from tracker.device_plans import plan_token
from tracker.intake import Intake
from tracker.listening import Listening
from tracker.model import Device, UnitId
from tracker.roster import Change
from tracker.rota import OFF, Rota
from tracker.tokens import hashed, new_token
from tracker.working_time import WorkingTime
from webmap.services import CityInfo

_log = Logger(namespace="gridbeat.demo")
INTERVAL_S = 3.0
RESTART_S = 5.0
SHIFTS = (
    ("白班", ["08:00-12:00", "14:00-18:00"], 1), ("早班", ["06:00-14:00"], 0), ("中班", ["14:00-22:00"], 2),
    ("夜班", ["22:00-06:00"], 3),
)  # fmt: skip


def _unit_of(wish: DeviceWish) -> UnitId:
    return UnitId("v1" if wish.person is None else f"c{wish.person + 1:02d}")


def shown(city: City, info: CityInfo) -> CityInfo:
    """The demo city as pages show it."""
    basemap = json.dumps(city.basemap, ensure_ascii=False, separators=(",", ":")).encode()
    return replace(info, name=city.name.zh, center=city.centre, basemap=basemap, demo=True)


async def enter(intake: Intake, city: City) -> list[Issued]:
    """Enter the city's areas, people and devices where they are not there yet; the devices as the simulator needs
    them."""
    roster, wanted = intake.roster, demo_roster(city)
    if not roster.areas:
        both = {"type": "FeatureCollection", "features": [*city.grids["features"], *city.cells["features"]]}
        areas = read_areas(json.loads(json.dumps(both)))
        await intake.change(lambda: (None, roster.plan_areas(areas)))
    if not roster.units:
        units: list[dict[str, Any]] = [
            {
                "id": f"c{person.index + 1:02d}", "kind": "person", "name": person.name.zh, "team": person.team.zh,
                "street": person.street.zh, "grid": person.grid,
            }
            for person in wanted.people
        ]  # fmt: skip
        vehicle = wanted.vehicle
        units.append({"id": "v1", "kind": "vehicle", "name": vehicle.name.zh, "team": vehicle.team.zh})
        await intake.change(lambda: (None, roster.plan_units(units)))
    issued = []
    for wish in wanted.devices:
        held = roster.devices_of(_unit_of(wish))
        # Only digests are kept: every start gives the town's devices other tokens.
        token = new_token()
        device = await (_renew(intake, held[0], token) if held else _register(intake, wish, token))
        issued.append(Issued(wish, device.external_id, token))
    return issued


async def _renew(intake: Intake, device: Device, token: str) -> Device:
    if not CATALOGUE[device.protocol].secret:
        return device
    return await intake.change(lambda: plan_token(intake.roster, device.id, hashed(token)))


async def enter_rota(intake: Intake, rota: Rota, working: WorkingTime, now: int) -> None:
    """Give the town shifts, and its people a rota from today until four weeks from now, where nothing is planned any
    more. Half of them work the office's hours, the others go through early, late and night shifts. Whoever is off
    by the rota is on duty all the same: the town never sleeps."""
    today, roster = rota.days.day_of(now), intake.roster
    if not rota.shifts:
        for name, periods, colour in SHIFTS:
            wanted = {"name": name, "periods": periods, "colour": colour}
            await intake.change(lambda: rota.plan_shift(wanted))  # noqa: B023 - it is called at once
    people = [unit.id for unit in roster.units.values() if unit.kind == "person"]
    given = {shift.name: shift.id for shift in rota.shifts.values() if not shift.retired}
    ahead = rota.assignments(people, shifted(today, 3), shifted(today, 14))
    if any(True for _ in ahead) or not all(name in given for name, _, _ in SHIFTS):
        return
    office, early, late, night = (given[name] for name, _, _ in SHIFTS)
    half = len(people) // 2
    span = {"from": today, "to": shifted(today, 28)}
    by_turns = [early, early, late, late, night, OFF, OFF]
    for wish in ({"units": people[:half], "pattern": [office], "workdays": True},
                 {"units": people[half:], "pattern": by_turns, "rotate": 2}):  # fmt: skip
        await intake.change(lambda: rota.plan_pattern({**span, **wish}, today, _worked(working)))  # noqa: B023


def _worked(working: WorkingTime) -> Callable[[str], bool]:
    return lambda day: working.calendar.day(day).worked


async def _register(intake: Intake, wish: DeviceWish, token: str) -> Device:
    fields = {
        "protocol": wish.protocol, "external_id": wish.external_id, "unit": _unit_of(wish), "token": hashed(token),
    }  # fmt: skip

    def plan() -> tuple[Device, list[Change]]:
        return intake.roster.plan_device(fields)

    return await intake.change(plan)


class Simulator(protocol.ProcessProtocol):
    """The simulator as a child. It ends when we do, because its standard input then closes."""

    transport: Any

    def __init__(self, city: City, issued: list[Issued], listening: Listening, reactor: Any) -> None:
        authority = listening.certificates.authority if listening.certificates else None
        self._plan = plan_json(
            city.seed, issued, listening.numbers, interval=INTERVAL_S,
            tls=[name for name, door in listening.doors.items() if door.tls],
            trust=authority.public_bytes(Encoding.PEM).decode() if authority else "",
        )  # fmt: skip
        self._reactor = reactor
        self._stopping = False

    def start(self) -> None:
        """Run it, and again whenever it should end."""
        project = str(Path(__file__).resolve().parent)
        self._reactor.spawnProcess(self, sys.executable, [sys.executable, "-m", "simulator"], env=None, path=project)

    def connectionMade(self) -> None:
        self.transport.write(self._plan.encode())

    def errReceived(self, data: bytes) -> None:
        for line in data.decode("utf-8", "replace").splitlines():
            _log.debug("simulator: {line}", line=line[:300])

    def processEnded(self, reason: Failure) -> None:
        if not self._stopping:
            _log.warn("the simulator ended; it is started again: {reason}", reason=reason.getErrorMessage())
            self._reactor.callLater(RESTART_S, self.start)

    def stop(self) -> None:
        """Let it end."""
        self._stopping = True
        if self.transport is not None:
            self.transport.closeStdin()
