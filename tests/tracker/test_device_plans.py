"""To whom devices are given, and what they prove themselves with: judged, journalled, taken in."""

from __future__ import annotations

import pytest

from tests.tracker.helpers import LAT, LON, NOON, House, apply_all, report
from tracker import device_plans
from tracker.bindings import KEPT, NOBODY
from tracker.model import Device, DeviceId, Duty, UnitId
from tracker.roster import Refusal, Roster
from tracker.tokens import accepts, hashed

HOUR = 3_600_000
ALI, BAO, CAI = UnitId("p1"), UnitId("p2"), UnitId("p3")


@pytest.fixture
def phone(house: House) -> Device:
    """Ali's phone; Bao and Cai are there too."""
    device = house.register("handheld", "h1", name="Ali")
    house.register("handheld", "h2", name="Bao")
    house.register("handheld", "h3", name="Cai")
    return device


def give(house: House, phone: Device, unit: UnitId, start: int | None = None, end: int | None = None) -> None:
    apply_all(house.roster, device_plans.plan_binding(house.roster, phone.id, unit, house.now, start, end)[1])


def send(house: House, phone: Device, *times: int, alarm: int = 0) -> list[tuple[str, int | None]]:
    """Units and times of what is on disk after fixes of these times came in."""
    carrier = house.roster.carrier(phone.id)
    assert carrier is not None
    house.intake.submit(carrier, [report(at, LAT, LON, alarm=alarm) for at in times], lambda first: None)
    house.settle()
    return [(record.unit, record.fix_time) for record in house.records]


def test_a_backlog_belongs_to_who_carried_the_device_then(house: House, phone: Device) -> None:
    give(house, phone, BAO)
    house.now += HOUR
    give(house, phone, CAI)
    times = (NOON - HOUR, NOON - 1, NOON, NOON + HOUR - 1, NOON + HOUR)
    assert send(house, phone, *times) == [*zip(("p1", "p1", "p2", "p2", "p3"), times, strict=True)]


def test_the_duty_of_that_unit_counts(house: House, phone: Device) -> None:
    duty = Duty(ALI, 1, NOON - 2 * HOUR, NOON - HOUR)
    house.roster.apply(("duty", "p1:1", {"unit": ALI, "number": 1, "start": duty.start, "end": duty.end}))
    give(house, phone, BAO)
    assert send(house, phone, NOON - HOUR - 1, NOON - HOUR, NOON) == [("p1", NOON - HOUR - 1), ("p2", NOON)]
    assert house.refused("handheld") == {"off_duty": 1}


def test_a_device_that_was_taken_back_is_nobodys_but_for_a_call_for_help(house: House, phone: Device) -> None:
    give(house, phone, NOBODY)
    assert send(house, phone, NOON - 1, NOON + 1) == [("p1", NOON - 1)]
    assert house.refused("handheld") == {"off_duty": 1}
    assert send(house, phone, NOON + 2, alarm=1)[-1] == ("p1", NOON + 2)
    assert house.roster.devices_of(ALI) == []
    give(house, phone, ALI)
    assert [device.id for device in house.roster.devices_of(ALI)] == [phone.id]


def test_a_connection_holds_its_carrier_and_sees_the_change(house: House, phone: Device) -> None:
    carrier = house.roster.carrier(phone.id)
    give(house, phone, BAO)
    assert house.roster.carrier(phone.id) is carrier
    assert carrier is not None
    assert carrier.unit.id == BAO


def test_a_correction_counts_from_its_start_and_rewrites_nothing(house: House, phone: Device) -> None:
    stored = send(house, phone, NOON - HOUR, NOON - 10)
    give(house, phone, BAO, NOON - 2 * HOUR)
    assert [(record.unit, record.fix_time) for record in house.records] == stored
    assert send(house, phone, NOON - HOUR + 1)[-1] == ("p2", NOON - HOUR + 1)
    sources, label = house.roster.bindings.relabelled(BAO, NOON - HOUR, NOON)
    assert sources == {ALI}
    assert label is not None
    assert label(phone.id, NOON - HOUR, False, ALI)
    assert not label(phone.id, NOON - 3 * HOUR, False, ALI)
    # Never corrected: as it is stored.
    assert [label("d2", NOON, False, stored) for stored in (BAO, ALI)] == [True, False]
    sources, label = house.roster.bindings.relabelled(ALI, NOON - HOUR, NOON)
    assert sources == set()
    assert label is not None
    assert not label(phone.id, NOON - HOUR, False, ALI)
    # A question about another time, or another one's, is not touched.
    assert house.roster.bindings.relabelled(BAO, NOON - 9 * HOUR, NOON - 3 * HOUR) == (frozenset(), None)
    assert house.roster.bindings.relabelled(CAI, NOON - HOUR, NOON) == (frozenset(), None)


def test_a_corrected_span_ends_and_what_came_after_stays(house: House, phone: Device) -> None:
    give(house, phone, BAO)
    house.now += 4 * HOUR
    give(house, phone, CAI, NOON - HOUR, NOON + HOUR)
    at = house.roster.bindings.at
    found = [at(phone.id, NOON + hours * HOUR) for hours in (-2, -1, 0, 1, 3)]
    assert [binding and binding.unit for binding in found] == [ALI, CAI, CAI, BAO, BAO]
    assert house.roster.devices[phone.id].unit == BAO


def test_handing_over_is_no_correction(house: House, phone: Device) -> None:
    give(house, phone, BAO)
    house.now += HOUR
    give(house, phone, ALI)
    assert house.roster.bindings.relabelled(ALI, 0, house.now) == (frozenset(), None)
    assert house.roster.bindings.relabelled(BAO, 0, house.now) == (frozenset(), None)


@pytest.mark.parametrize(
    ("unit", "start", "end", "code"),
    [("p9", None, None, "no_unit"), ("p2", NOON + 1, None, "bad_span"), ("p2", -1, None, "bad_span"),
     ("p2", NOON - 5, NOON - 5, "bad_span"), ("p2", NOON - 5, NOON + 5, "bad_span")],
)  # fmt: skip
def test_bindings_that_cannot_be(
    house: House, phone: Device, unit: str, start: int | None, end: int | None, code: str
) -> None:
    with pytest.raises(Refusal) as refused:
        device_plans.plan_binding(house.roster, phone.id, UnitId(unit), house.now, start, end)
    assert refused.value.code == code


def test_so_many_are_remembered_and_what_is_older_is_nobodys(house: House, phone: Device) -> None:
    for _ in range(KEPT):
        house.now += HOUR
        give(house, phone, BAO)
    assert len(house.roster.bindings.of(phone.id)) == KEPT
    assert send(house, phone, NOON + HOUR - 1, NOON + HOUR) == [("p2", NOON + HOUR)]


def test_a_replay_of_the_whole_state_holds_the_same(house: House, phone: Device) -> None:
    give(house, phone, BAO, NOON - HOUR)
    again = Roster()
    apply_all(again, house.roster.changes())
    assert list(again.changes()) == list(house.roster.changes())
    carrier = again.carrier(phone.id)
    assert carrier is not None
    assert (carrier.at(NOON - HOUR)[0].id, carrier.at(NOON - HOUR - 1)[0].id) == (BAO, ALI)


# -- for a shift


def test_what_was_given_for_a_shift_is_nobodys_when_it_ends(house: House, phone: Device) -> None:
    roster = house.roster
    apply_all(roster, roster.plan_units([{"id": "p2", "name": "Bao", "duty": "events"}]))
    roster.apply(("duty", "p2:1", {"unit": BAO, "number": 1, "start": NOON, "end": 1 << 62}))
    apply_all(roster, device_plans.plan_binding(roster, phone.id, BAO, NOON, shift=True)[1])
    assert device_plans.plan_shift_ends(roster, NOON + HOUR) == []
    roster.apply(("duty", "p2:1", {"unit": BAO, "number": 1, "start": NOON, "end": NOON + HOUR}))
    assert device_plans.plan_shift_ends(roster, NOON + HOUR - 1) == []
    apply_all(roster, device_plans.plan_shift_ends(roster, NOON + 2 * HOUR))
    assert roster.devices[phone.id].unit == NOBODY
    assert [(one.start, one.unit) for one in roster.bindings.in_force(phone.id)][-1] == (NOON + HOUR, NOBODY)
    assert device_plans.plan_shift_ends(roster, NOON + 3 * HOUR) == []


def test_who_is_on_duty_always_has_no_shift(house: House, phone: Device) -> None:
    with pytest.raises(Refusal) as refused:
        device_plans.plan_binding(house.roster, phone.id, BAO, NOON, shift=True)
    assert refused.value.code == "no_shift"


# -- removals


def test_a_removal_leaves_what_others_carried_and_names_nobody(house: House, phone: Device) -> None:
    house.register("traccar", name="Dan", unit="")
    give(house, phone, BAO)
    house.now += HOUR
    give(house, phone, CAI)
    house.now += HOUR
    give(house, phone, BAO)
    anew = house.roster.remove(BAO)
    assert {(kind, identity) for kind, identity, _ in anew} == {
        ("device", "d1"), ("binding", "d1:1"), ("binding", "d1:3")
    }  # fmt: skip
    assert DeviceId("d2") not in house.roster.devices
    assert house.roster.devices[phone.id].unit == NOBODY
    at = house.roster.bindings.at
    found = [at(phone.id, when) for when in (NOON - 1, NOON, NOON + HOUR, NOON + 2 * HOUR)]
    assert [binding and binding.unit for binding in found] == [ALI, NOBODY, CAI, NOBODY]
    assert house.roster.said_of({(kind, identity) for kind, identity, _ in anew})
    assert "p2" not in str(list(house.roster.changes()))


# -- tokens


def test_another_token_ends_the_one_before(house: House, phone: Device) -> None:
    carrier = house.roster.carrier(phone.id)
    renewed, changes = device_plans.plan_token(house.roster, phone.id, hashed("another"))
    assert accepts(house.roster.devices[phone.id], house.token(phone))  # not before it is in the journal
    apply_all(house.roster, changes)
    assert house.roster.devices[phone.id] == renewed
    assert accepts(renewed, "another")
    assert not accepts(renewed, house.token(phone))
    assert house.roster.carrier(phone.id) is carrier
    with pytest.raises(Refusal) as caught:
        device_plans.plan_token(house.roster, DeviceId("d9"), "")
    assert caught.value.code == "no_device"


def test_an_id_that_we_issued_is_renewed_where_there_is_no_token(house: House) -> None:
    phone = house.register("traccar", name="Eve")
    renewed, changes = device_plans.plan_token(house.roster, phone.id, hashed("unused"))
    apply_all(house.roster, changes)
    assert renewed.token == ""
    assert house.roster.find("traccar", phone.external_id) is None
    assert house.roster.find("traccar", renewed.external_id) is not None


@pytest.mark.parametrize(("protocol", "external"), [("handheld", "x1"), ("traccar", ""), ("gt06", "868123450000001")])
def test_a_device_that_is_shut_out_and_let_in_again(house: House, protocol: str, external: str) -> None:
    device = house.register(protocol, external, name="Eve")
    revoked, changes = device_plans.plan_revocation(house.roster, device.id)
    apply_all(house.roster, changes)
    assert house.intake.find(protocol, device.external_id, "10.0.0.1") is None
    assert house.refused(protocol) == {"revoked": 1}
    assert not accepts(revoked, house.token(device))
    renewed, changes = device_plans.plan_token(house.roster, device.id, hashed("new"))
    apply_all(house.roster, changes)
    assert house.intake.find(protocol, renewed.external_id, "10.0.0.1") is not None


def test_digests_of_older_folders_are_written_once(house: House) -> None:
    fields = {"protocol": "handheld", "unit": "p1", "networks": []}
    apply_all(house.roster, house.roster.plan_units([{"id": "p1", "name": "Ali"}]))
    house.roster.apply(("device", "d1", {"id": "d1", "external_id": "h1", **fields}))
    house.roster.apply(("device", "d2", {"id": "d2", "external_id": "x", **fields, "protocol": "traccar"}))
    apply_all(house.roster, device_plans.plan_digests(house.roster, lambda device: f"old {device.id}"))
    assert accepts(house.roster.devices[DeviceId("d1")], "old d1")
    assert house.roster.devices[DeviceId("d2")].token == ""
    assert device_plans.plan_digests(house.roster, lambda device: "other") == []
