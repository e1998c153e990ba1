"""Who takes part in the demo, and the plan with which the simulator's process is started.

The server's composition root asks :func:`demo_roster` for the people, the vehicle and the devices that the city
wants, enters them and issues each device its id and token, and hands what it issued to :func:`plan_json`; the
simulator reads that with :func:`read_plan`. No client knows more than a real device would.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from simulator.city import City, Collector, GridId, PatrolVehicle
from simulator.manner import BOUNDS, Manner, Network

PROTOCOL_FORMS: dict[str, tuple[str, ...]] = {
    "handheld": ("tcp", "websocket"),
    "traccar": ("query", "json"),
    "jt808": ("tcp",),
}
"""The protocols of the city's devices; the first form is the one meant when none is named."""

PORTS = ("handheld", "jt808", "phones", "field")

_ON_WEBSOCKET = frozenset((4, 9, 14, 19))
_ON_TRACCAR = {7: "query", 17: "json"}


@dataclass(frozen=True, slots=True)
class DeviceWish:
    """A device that the city wants. ``external_id`` None: the server makes one up, because it is the only secret."""

    protocol: str
    form: str
    external_id: str | None
    person: int | None
    """Index of the collector who carries it; None for the vehicle."""
    grid: GridId | None


@dataclass(frozen=True, slots=True)
class Roster:
    """Everyone and everything that takes part."""

    people: tuple[Collector, ...]
    vehicle: PatrolVehicle
    devices: tuple[DeviceWish, ...]


@dataclass(frozen=True, slots=True)
class Issued:
    """A device as the server entered it: the id that it answers to, and its token if its protocol has one."""

    wish: DeviceWish
    external_id: str
    token: str | None = None


@dataclass(frozen=True, slots=True)
class PlannedClient:
    """One client of a plan; ``person`` is None for the vehicle."""

    protocol: str
    form: str
    external_id: str
    token: str | None
    person: int | None
    grid: GridId | None
    tasks: bool = False
    """Whether this handheld shows tasks, and its person does them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the simulator's process is told."""

    seed: int
    host: str
    ports: Mapping[str, int]
    interval: float
    clients: tuple[PlannedClient, ...]
    rows: int = 5
    columns: int = 5
    """Size of the city in grids; the plan names it only where it is not the demo's."""
    tls: frozenset[str] = frozenset()
    """The ports, by name, where TLS is spoken."""
    trust: str = ""
    """The authority to be trusted there, PEM; empty for those that the machine trusts."""
    manner: Manner = field(default_factory=Manner)
    network: Network = field(default_factory=Network)


class PlanError(ValueError):
    """The plan cannot be used; the text says why."""


def demo_roster(city: City) -> Roster:
    """The demo: a handheld for each collector (every sixth on a WebSocket), two phones instead, and the vehicle."""
    devices = []
    for person in city.people:
        place = person.index % 25
        if place in _ON_TRACCAR:
            devices.append(DeviceWish("traccar", _ON_TRACCAR[place], None, person.index, person.grid))
        else:
            form = "websocket" if place in _ON_WEBSOCKET else "tcp"
            devices.append(DeviceWish("handheld", form, f"XQ{person.index + 1:04d}", person.index, person.grid))
    devices.append(DeviceWish("jt808", "tcp", "19900000001", None, None))
    return Roster(city.people, city.vehicle, tuple(devices))


def plan_json(
    seed: int,
    issued: Sequence[Issued],
    ports: Mapping[str, int],
    *,
    host: str = "127.0.0.1",
    interval: float = 5,
    tls: Iterable[str] = (),
    trust: str = "",
    manner: Manner | None = None,
    network: Network | None = None,
) -> str:
    """The plan as one line of JSON, to be written to the simulator's standard input, which then stays open."""
    clients = [
        {
            "protocol": device.wish.protocol,
            "form": device.wish.form,
            "external_id": device.external_id,
            "token": device.token,
            "person": "vehicle" if device.wish.person is None else device.wish.person,
            "grid": device.wish.grid,
            "tasks": device.wish.protocol == "handheld",
        }
        for device in issued
    ]
    plan = {
        "seed": seed, "host": host, "ports": dict(ports), "interval_s": interval, "clients": clients,
        "tls": sorted(tls), "trust": trust, "manner": asdict(manner or Manner()),
        "network": asdict(network or Network()),
    }  # fmt: skip
    return json.dumps(plan, ensure_ascii=False, separators=(",", ":")) + "\n"


def read_plan(text: str) -> Plan:
    """The plan in ``text``; raises :class:`PlanError`."""
    try:
        plan: Any = json.loads(text)
        ports = {str(name): int(port) for name, port in plan["ports"].items()}
        interval = float(plan.get("interval_s", 5))
        clients = tuple(_client(entry) for entry in plan["clients"])
        seed, host = int(plan["seed"]), str(plan.get("host", "127.0.0.1"))
        rows, columns = int(plan.get("rows", 5)), int(plan.get("columns", 5))
        tls, trust = frozenset(map(str, plan.get("tls", ()))), str(plan.get("trust", ""))
        manner, network = Manner(**_numbers(plan, "manner", Manner)), Network(**_numbers(plan, "network", Network))
    except PlanError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise PlanError(f"not a plan: {type(error).__name__}: {error}") from None
    if not 0.1 <= interval <= 3600:
        raise PlanError("interval_s must be between 0.1 and 3600")
    if not (1 <= rows <= 100 and 1 <= columns <= 100):
        raise PlanError("a city has 1 to 100 rows and columns of grids")
    if manner.accept + manner.decline > 1 or network.loss + network.duplicates > 0.9:
        raise PlanError("shares of one whole come to more than it")
    return Plan(seed, host, ports, interval, clients, rows, columns, tls, trust, manner, network)


def _numbers(plan: Any, name: str, kind: type[Manner | Network]) -> dict[str, float]:
    """What a plan says of one of the two; what it leaves out is as usual."""
    told = plan.get(name, {})
    for key, value in told.items():
        if key not in {one.name for one in fields(kind)}:
            raise PlanError(f"{name}: no such thing as {key!r}")
        low, high = BOUNDS[key]
        if type(value) not in (int, float) or not low <= value <= high:
            raise PlanError(f"{name}: {key} must be a number from {low:g} to {high:g}")
    return {key: float(value) for key, value in told.items()}


def _client(entry: Any) -> PlannedClient:
    protocol = entry["protocol"]
    forms = PROTOCOL_FORMS.get(protocol)
    if forms is None:
        raise PlanError(f"no such protocol: {protocol!r}")
    form = entry.get("form") or forms[0]
    if form not in forms:
        raise PlanError(f"no such form of {protocol}: {form!r}")
    person, grid, token = entry["person"], entry.get("grid"), entry.get("token")
    if person != "vehicle" and not isinstance(person, int):
        raise PlanError(f'a person is an index or "vehicle", not {person!r}')
    carrier = None if person == "vehicle" else person
    return PlannedClient(
        protocol,
        form,
        str(entry["external_id"]),
        None if token is None else str(token),
        carrier,
        None if grid is None else GridId(str(grid)),
        protocol == "handheld" and entry.get("tasks") is True,
    )
