"""Who is who: units, devices, duty and areas, as a pure core.

A change is asked for with a ``plan_*`` method, which judges it against what is and answers the changes to
journal, or raises :class:`Refusal`; :meth:`Roster.apply` takes in a change that is in the journal. So a
replay of the journal builds exactly what the live server had, and can never build what was refused.
"""

from __future__ import annotations

import ipaddress
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

from tracker.bindings import NOBODY, Bindings, Label
from tracker.catalogue import ALIASES, CATALOGUE, address_of
from tracker.device_fields import COORDINATES, PRIVATE_NETWORKS, SWITCHES, admits, networks_of, switches
from tracker.model import DUTY_MODES, FOREVER, Area, AreaId, Device, DeviceId, Duty, Unit, UnitId
from tracker.record import BINDING
from tracker.refusal import Change, Refusal

_NO_UNIT = Unit(NOBODY, "person", "")


class Register(Protocol):
    """What else is known of the city, such as accounts or the rota: taken in, and built anew, with the roster."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Its types of change."""

    def apply(self, change: Change) -> None:
        """Take in a change that is in the journal."""

    def changes(self) -> Iterable[Change]:
        """The whole state as the changes that would build it."""

    def remove(self, unit: UnitId) -> Iterable[Change] | None:
        """Know nothing of a unit any more. Every record that names it goes: what is to stay without it is answered as
        changes, and journalled anew."""


def _never(device: DeviceId, at: int) -> tuple[Unit, tuple[Duty, ...]]:
    return _NO_UNIT, ()


@dataclass(slots=True)
class Carrier:
    """What admission needs of a device, at hand on its connection. Kept current by the roster."""

    device: Device
    unit: Unit
    duties: tuple[Duty, ...]
    authenticated: bool
    crs: int = 0
    """How its coordinates are read unless a report says otherwise: a :class:`CoordinateSystem`."""
    calling: int | None = None
    """Fix time of the message with which its present call for help began, and of the first that had a place; these two
    are admission's business."""
    calling_at: int | None = None
    since: int = 0
    """Fix times before this one (ms) are somebody else's: see ``earlier``."""
    earlier: Callable[[DeviceId, int], tuple[Unit, tuple[Duty, ...]]] = _never
    """Who carried the device at a time before ``since``, and that unit's duties."""

    def at(self, at: int) -> tuple[Unit, tuple[Duty, ...]]:
        """Whose the device was at a time in ms, and that unit's duties: none if it was nobody's."""
        return (self.unit, self.duties) if at >= self.since else self.earlier(self.device.id, at)


@dataclass(slots=True)
class _Plan:
    """What a list has taken so far besides what is: the highest numbers of our ids, the external ids."""

    highest: dict[str, int]
    external: dict[tuple[str, str], DeviceId]


class Roster:
    """The state, and what may be done to it."""

    def __init__(self) -> None:
        self.units: dict[UnitId, Unit] = {}
        self.devices: dict[DeviceId, Device] = {}
        self.areas: dict[AreaId, Area] = {}
        self.bindings = Bindings()
        self._duties: dict[UnitId, tuple[Duty, ...]] = {}
        self._by_external: dict[tuple[str, str], DeviceId] = {}
        self._carriers: dict[DeviceId, Carrier] = {}
        self._carried: dict[UnitId, dict[DeviceId, None]] = {}
        self._highest: dict[str, int] = {"d": 0, "p": 0, "v": 0}
        self.misflagged: set[str] = set()
        """JT/T 808 terminals that set the 2019 flag on 2013 bodies."""
        self.lenient: defaultdict[str, set[str]] = defaultdict(set)
        """By protocol: external ids of devices whose wrong checksums are tolerated."""
        self.leaving: set[str] = set()
        """Ids of units whose data is being removed: nobody else is called so until all of it has gone."""
        self._registers: dict[str, Register] = {}
        self.follow_crew = True
        """Whether a vehicle that gets a crew is on duty with it from then on, unless its own duty is asked for."""
        self.duty_version = 0
        """Grows with every change of a unit or a duty."""
        self.version = 0
        """Grows with every change; whoever caches something of the roster compares it."""
        self.labels_version = 0
        """The same for units and devices alone."""
        self.areas_version = 0

    def attach(self, register: Register) -> None:
        """Take in a register's changes too; before the journal is replayed."""
        for kind in register.kinds:
            self._registers[kind] = register

    # -- looking

    def find(self, protocol: str, external_id: str) -> Carrier | None:
        """The device registered for this protocol under this id."""
        device = self._by_external.get((protocol, CATALOGUE[protocol].normal(external_id)))
        return None if device is None else self.carrier(device)

    def carrier(self, device: DeviceId) -> Carrier | None:
        """The one carrier of a device; the same object as long as the device exists."""
        return self._carriers.get(device)

    def on_duty(self, unit: UnitId, at: int) -> Duty | None:
        """The duty interval of a unit at a time in ms."""
        return duty_at(self._duties.get(unit, ()), at)

    def duties_of(self, unit: UnitId) -> tuple[Duty, ...]:
        return self._duties.get(unit, ())

    def devices_of(self, unit: UnitId) -> list[Device]:
        return [self.devices[device] for device in self._carried.get(unit, ())]

    def carried_by(self, device: DeviceId, at: int) -> UnitId:
        """Whose a device was at a time in ms, as is known now; empty if it was nobody's."""
        binding = self.bindings.at(device, at)
        if binding is not None:
            return binding.unit
        return NOBODY if self.bindings.of(device) or device not in self.devices else self.devices[device].unit

    def relabelled(self, unit: UnitId, start: int, end: int) -> tuple[frozenset[UnitId], Label | None]:
        """As of its bindings (:meth:`tracker.bindings.Bindings.relabelled`), judged by the unit's duty."""
        duties = self.duties_of(unit)
        return self.bindings.relabelled(unit, start, end, lambda at: duty_at(duties, at) is not None)

    def changes(self) -> Iterable[Change]:
        """The whole state as the changes that would build it."""
        for unit in self.units.values():
            yield "unit", unit.id, asdict(unit)
        for duties in self._duties.values():
            for duty in duties:
                yield "duty", f"{duty.unit}:{duty.number}", asdict(duty)
        yield from self.bindings.changes()
        for device in self.devices.values():
            yield "device", device.id, asdict(device)
        for area in self.areas.values():
            yield "area", area.id, asdict(area)

    def said_of(self, known: Set[tuple[str, str]]) -> list[Change]:
        """What is said now of these, by type and id; of what registers and bindings answer when a unit is removed."""
        whole = dict.fromkeys(self._registers[kind] for kind, _ in known if kind in self._registers)
        ours = [change for change in self.changes() if change[:2] in known]
        return [*ours, *(change for register in whole for change in register.changes() if change[:2] in known)]

    # -- judging

    def plan_units(self, wanted: Iterable[Mapping[str, Any]]) -> list[Change]:
        """Add or amend persons and vehicles. One with an ``id`` that exists is amended. How it comes to be on duty and
        the vehicle that it crews stay as they are unless they are named; at first it is on duty always."""
        entries, highest = list(wanted), dict(self._highest)
        asked = {str(fields.get("id") or ""): fields for fields in entries}
        changes: list[Change] = []
        for number, fields in enumerate(entries, 1):
            try:
                changes += self._plan_unit(fields, highest, asked, number)
            except Refusal as refusal:
                refusal.entry = number
                raise
        return self._with_crews(changes, asked)

    def _with_crews(self, changes: list[Change], asked: Mapping[str, Mapping[str, Any]]) -> list[Change]:
        """And the vehicles among them, or those that are, which have their first crew now."""
        if not self.follow_crew:
            return changes
        planned = {id: fields for kind, id, fields in changes if kind == "unit" and fields is not None}
        crewed = {unit.vehicle for unit in self.units.values()}
        for vehicle in {fields["vehicle"]: None for fields in planned.values() if fields["vehicle"]}:
            known = planned[vehicle] if vehicle in planned else asdict(self.units[UnitId(vehicle)])
            if vehicle not in crewed and known["duty"] == "always" and not asked.get(vehicle, {}).get("duty"):
                follows: Change = ("unit", vehicle, {**known, "duty": "crew"})
                changes = [follows if c[:2] == follows[:2] else c for c in changes if c[1] != f"{vehicle}:1"]
                changes += [follows] if vehicle not in planned else []
        return changes

    def _plan_unit(
        self,
        fields: Mapping[str, Any],
        highest: dict[str, int],
        asked: Mapping[str, Mapping[str, Any]] | None = None,
        number: int = 1,
    ) -> list[Change]:
        """``highest``: the ids given out so far, counted on; ``asked``: what the list itself names anywhere, by id."""
        asked = asked or {}
        where = f"entry {number}: " if number > 1 or "name" not in fields else ""
        kind = fields.get("kind", "person")
        if kind not in ("person", "vehicle"):
            raise Refusal("bad_kind", f"{where}kind must be person or vehicle", f"{where}kind 须为 person 或 vehicle")
        name = str(fields.get("name") or "").strip()
        if not name:
            raise Refusal("no_name", f"{where}a {kind} needs a name", f"{where}缺少姓名或名称 name")
        letter = kind[0]
        identity = str(fields.get("id") or "")
        if not identity:
            while not identity or identity in asked or identity in self.leaving:
                highest[letter] += 1
                identity = f"{letter}{highest[letter]}"
        if len(identity) > 64 or not identity.replace("-", "").replace("_", "").isalnum():
            raise Refusal(
                "bad_id", f"{where}id may hold letters, digits, - and _", f"{where}id 只能含字母、数字、- 和 _"
            )
        if identity in self.leaving:
            raise Refusal(
                "leaving", f"{where}the data of {identity} is being removed: wait until that is done",
                f"{where}{identity} 的数据正在删除，请等待完成",
            )  # fmt: skip
        _count(highest, identity)
        known = self.units.get(UnitId(identity))
        kept = known if known is not None and known.kind == kind else Unit(UnitId(identity), kind, name)
        duty = str(fields.get("duty") or kept.duty).strip()
        if duty not in DUTY_MODES[kind]:
            modes = ", ".join(DUTY_MODES[kind])
            raise Refusal("bad_duty", f"{where}duty must be one of {modes}", f"{where}duty 须为 {modes} 之一")
        vehicle = _label(fields, "vehicle") if fields.get("vehicle") is not None else kept.vehicle
        if vehicle and (kind != "person" or self._kind_of(vehicle, asked) != "vehicle"):
            raise Refusal(
                "bad_vehicle",
                f"{where}a person crews a vehicle that exists",
                f"{where}vehicle 须为已有车辆的编号，且只用于人员",
            )
        team, street, grid = (_label(fields, k) for k in ("team", "street", "grid"))
        unit = Unit(UnitId(identity), kind, name[:100], team, street, grid, duty, vehicle)
        changes: list[Change] = [("unit", unit.id, asdict(unit))]
        if known is None and unit.duty == "always":
            changes.append(("duty", f"{unit.id}:1", asdict(Duty(unit.id, 1, 0))))
        return changes

    def _kind_of(self, unit: str, asked: Mapping[str, Mapping[str, Any]]) -> str:
        if unit in asked:
            return str(asked[unit].get("kind", "person"))
        return self.units[UnitId(unit)].kind if unit in self.units else ""

    def plan_devices(self, wanted: Iterable[Mapping[str, Any]]) -> tuple[list[Device | Refusal], list[Change]]:
        """Register many at once, each judged as if those before it were in; one that is refused stops no other.
        ``token`` is the digest of the token that a device is shown."""
        plan = _Plan(dict(self._highest), {})
        results: list[Device | Refusal] = []
        changes: list[Change] = []
        for number, fields in enumerate(wanted, 1):
            try:
                device, made = self._plan_device(fields, plan)
            except Refusal as refusal:
                refusal.entry = number
                results.append(refusal)
            else:
                results.append(device)
                changes += made
        return results, changes

    def plan_device(self, wanted: Mapping[str, Any]) -> tuple[Device, list[Change]]:
        """Register a device. Without ``unit`` a person (for JT/T 808 a vehicle) is made to carry it."""
        return self._plan_device(wanted, _Plan(dict(self._highest), {}))

    def _plan_device(self, wanted: Mapping[str, Any], plan: _Plan) -> tuple[Device, list[Change]]:
        protocol = str(wanted.get("protocol", "")).strip().lower()
        protocol = ALIASES.get(protocol, protocol)
        if protocol not in CATALOGUE:
            known = ", ".join(CATALOGUE)
            raise Refusal("bad_protocol", f"protocol must be one of {known}", f"protocol 须为 {known} 之一")
        entry = CATALOGUE[protocol]
        given = str(wanted.get("external_id") or "").strip()
        networks = networks_of(wanted.get("networks"))
        if given and not entry.secret and not networks:
            address = address_of(given) if entry.addressed else None
            networks = PRIVATE_NETWORKS if address is None else (str(ipaddress.ip_network(address)),)
        if entry.issued and not given:
            # 60 bits: nobody guesses it, and a thumb can still type it.
            given = secrets.token_hex(8)[:15]
        if not entry.names(given):
            raise Refusal("bad_external_id", *entry.ids_told)
        external = entry.normal(given)
        held = self._by_external.get((protocol, external)) or plan.external.get((protocol, external))
        if held is not None:
            raise Refusal(
                "exists",
                f"this device is registered already as {held}; POST /api/v1/devices/{held}/token makes a new token",
                f"该设备已登记为 {held}；POST /api/v1/devices/{held}/token 可换发令牌",
            )
        told = switches(wanted)
        changes: list[Change] = []
        unit = str(wanted.get("unit") or "")
        if unit and unit not in self.units:
            raise Refusal("no_unit", f"there is no unit {unit!r}", f"没有编号为 {unit} 的人员或车辆")
        if not unit:
            fields = {k: wanted.get(k) for k in ("team", "street", "grid")}
            # An id that is a secret is nobody's name: names are shown to everybody.
            kind = "Phone" if entry.door is None else entry.title
            default = f"{kind} {plan.highest['d'] + 1}" if not entry.secret else given
            changes = self._plan_unit(
                {"kind": wanted.get("kind", entry.kind), "name": wanted.get("name") or default, **fields}, plan.highest
            )
            unit = changes[0][1]
        plan.highest["d"] += 1
        identity = plan.external[(protocol, external)] = DeviceId(f"d{plan.highest['d']}")
        token = str(wanted.get("token") or "") if entry.secret else ""
        device = Device(identity, protocol, external, UnitId(unit), 0, networks, **told, token=token)
        return device, [*changes, ("device", device.id, asdict(device))]

    def plan_amendment(self, device: DeviceId, wanted: Mapping[str, Any]) -> tuple[Device, list[Change]]:
        """Change how a device is read and where from: ``networks``, ``header``, ``coordinates``, ``lenient``."""
        known = self.devices.get(device)
        if known is None:
            raise Refusal("no_device", f"there is no device {device!r}", f"没有编号为 {device} 的设备")
        unknown = sorted(wanted.keys() - {"networks", *SWITCHES})
        if unknown:
            text = f"{', '.join(map(str, unknown))} cannot be changed"
            raise Refusal("bad_change", text, f"{'、'.join(map(str, unknown))} 不能修改")
        networks = networks_of(wanted["networks"]) if "networks" in wanted else known.networks
        amended = replace(known, networks=networks, **{k: v for k, v in switches(wanted).items() if k in wanted})
        return amended, [("device", device, asdict(amended))]

    def plan_areas(self, areas: Iterable[Area]) -> list[Change]:
        """Put grids and cells in, or in place of those with the same id."""
        return [("area", area.id, asdict(area)) for area in areas]

    # -- taking in

    def apply(self, change: Change) -> None:
        """Take in a change that is in the journal."""
        kind, identity, fields = change
        register = self._registers.get(kind)
        if register is not None:
            register.apply(change)
            return
        self.version += 1
        self.labels_version += kind in ("unit", "device")
        if kind == "unit":
            assert fields is not None
            unit = Unit(**fields)
            self.units[unit.id] = unit
            self.duty_version += 1
            _count(self._highest, unit.id)
            self._refresh(unit.id)
        elif kind == "duty":
            self.duty_version += 1
            self._take_duty(identity, fields)
        elif kind == "device":
            assert fields is not None
            device = Device(**{**fields, "networks": tuple(fields["networks"])})
            before = self.devices.get(device.id)
            if before is not None and before.unit != device.unit:
                self._carried[before.unit].pop(device.id)
            elif before is not None and before.external_id != device.external_id:
                self._by_external.pop((before.protocol, before.external_id), None)
            self.devices[device.id] = device
            self._carried.setdefault(device.unit, {})[device.id] = None
            self._by_external[(device.protocol, device.external_id)] = device.id
            if device.protocol == "jt808":
                (self.misflagged.add if device.header in (2011, 2013) else self.misflagged.discard)(device.external_id)
            lenient = self.lenient[device.protocol]
            (lenient.add if device.lenient else lenient.discard)(device.external_id)
            _count(self._highest, device.id)
            self._hold(device)
        elif kind == BINDING:
            bound = self.devices.get(self.bindings.apply(identity, fields))
            if bound is not None:
                self._hold(bound)
        elif kind == "area":
            self.areas_version += 1
            if fields is None:
                self.areas.pop(AreaId(identity), None)
            else:
                self.areas[AreaId(identity)] = Area(**fields)

    def _take_duty(self, identity: str, fields: dict[str, Any] | None) -> None:
        name, _, number = identity.rpartition(":")
        unit = UnitId(name)
        duties = [duty for duty in self._duties.get(unit, ()) if duty.number != int(number)]
        if fields is not None:
            duties = sorted([*duties, Duty(**fields)], key=lambda duty: duty.start)
        self._duties[unit] = tuple(duties)
        self._refresh(unit)

    def remove(self, unit: UnitId) -> list[Change]:
        """Know nothing of a unit any more, nor of its duties and its devices but those that others carried too, which
        are nobody's. Carriers that somebody has at hand are no longer those of their devices. Its id stays in
        :attr:`leaving`. Answers what is to be said anew without it: by registers, of bindings and of such devices."""
        self.version += 1
        self.labels_version += 1
        self.leaving.add(unit)
        self.units.pop(unit, None)
        self._duties.pop(unit, None)
        anew: list[Change] = [binding.change() for binding in self.bindings.blank(unit)]
        for device in self.devices_of(unit):
            carrier = self._carriers.pop(device.id, None)
            if carrier is not None:
                carrier.duties = ()
            if self.bindings.carried(device.id):
                anew.append(("device", device.id, asdict(replace(device, unit=NOBODY))))
                self.apply(anew[-1])
                continue
            self.bindings.drop(device.id)
            del self.devices[device.id]
            self._by_external.pop((device.protocol, device.external_id), None)
            self.misflagged.discard(device.external_id)
            self.lenient[device.protocol].discard(device.external_id)
        self._carried.pop(unit, None)
        for register in dict.fromkeys(self._registers.values()):
            anew += register.remove(unit) or ()
        return anew

    def _refresh(self, unit: UnitId) -> None:
        for device in self.devices_of(unit):
            self._hold(device)

    def _hold(self, device: Device) -> None:
        """Bring the device's carrier up to date."""
        holder, duties = self.units.get(device.unit), self._duties.get(device.unit, ())
        force = self.bindings.in_force(device.id)
        if holder is None:
            if device.unit != NOBODY:
                return  # it comes with its unit
            holder, duties = self._last_holder(device.id, FOREVER), ()
        carrier = self._carriers.get(device.id)
        if carrier is None:
            trusted = CATALOGUE[device.protocol].secret
            carrier = self._carriers[device.id] = Carrier(device, holder, duties, trusted)
        else:
            carrier.device, carrier.unit, carrier.duties = device, holder, duties
        carrier.crs = COORDINATES[device.coordinates]
        carrier.since, carrier.earlier = (force[-1].start, self._held) if force else (0, _never)

    def _held(self, device: DeviceId, at: int) -> tuple[Unit, tuple[Duty, ...]]:
        """Who carried a device at a time in the past, and the duties of that unit."""
        binding = self.bindings.at(device, at)
        unit = None if binding is None else self.units.get(binding.unit)
        return (self._last_holder(device, at), ()) if unit is None else (unit, self._duties.get(unit.id, ()))

    def _last_holder(self, device: DeviceId, at: int) -> Unit:
        """Whose a call for help is that comes from a device which is nobody's: of who carried it last."""
        for binding in reversed(self.bindings.in_force(device)):
            if binding.start <= at and binding.unit in self.units:
                return self.units[binding.unit]
        return _NO_UNIT


def _count(highest: dict[str, int], identity: str) -> None:
    """Remember an id like ours, so that it is not given again; longer numbers are nobody's count."""
    letter, number = identity[:1], identity[1:]
    if letter in highest and number.isascii() and number.isdigit() and len(number) <= 9:
        highest[letter] = max(highest[letter], int(number))


def duty_at(duties: tuple[Duty, ...], at: int) -> Duty | None:
    """The interval that holds a time in ms."""
    for duty in duties:
        if duty.start <= at < duty.end:
            return duty
    return None


def _label(fields: Mapping[str, Any], key: str) -> str:
    return str(fields.get(key) or "").strip()[:100]


__all__ = ["FOREVER", "PRIVATE_NETWORKS", "Carrier", "Change", "Refusal", "Roster", "admits", "duty_at"]
