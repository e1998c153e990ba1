"""Who is who: what may be asked for, what is refused, and that the changes alone build the roster again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracker.helpers import NOON, apply_all, square, stored
from tracker.catalogue import CATALOGUE
from tracker.device_plans import plan_token
from tracker.model import FOREVER, Device, DeviceId, Duty, Unit, UnitId
from tracker.roster import PRIVATE_NETWORKS, Change, Refusal, Roster, admits, duty_at
from tracker.tokens import hashed


def units(roster: Roster, *wanted: dict[str, Any]) -> list[str]:
    changes = roster.plan_units(wanted)
    apply_all(roster, changes)
    return [identity for kind, identity, _ in changes if kind == "unit"]


def device(roster: Roster, **wanted: Any) -> Device:
    made, changes = roster.plan_device(wanted)
    apply_all(roster, changes)
    return made


def plain(value: Any) -> Any:
    """Without the difference between a list and a tuple, which msgpack does not keep."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list | tuple) else value


def contents(roster: Roster) -> Any:
    areas = {k: (a.level, a.name, a.parent, plain(a.geometry), a.properties) for k, a in roster.areas.items()}
    carriers = {d: roster.carrier(d) for d in roster.devices}
    return roster.units, roster.devices, areas, roster._duties, roster._highest, roster.misflagged, carriers


# -- units


def test_ids_are_counted_by_kind_and_go_on() -> None:
    roster = Roster()
    assert units(roster, {"name": "A"}, {"name": "B"}, {"name": "C", "kind": "vehicle"}) == ["p1", "p2", "v1"]
    assert units(roster, {"name": "D"}, {"name": "E", "kind": "vehicle"}) == ["p3", "v2"]


def test_an_id_that_was_given_is_not_given_again() -> None:
    roster = Roster()
    assert units(roster, {"name": "A", "id": "p1"}, {"name": "B"}, {"name": "C", "id": "p7"}) == ["p1", "p2", "p7"]
    assert units(roster, {"name": "D"}) == ["p8"]
    assert [u.name for u in roster.units.values()] == ["A", "B", "C", "D"]


@pytest.mark.parametrize("identity", ["p²", "p٣", "p" + "9" * 63, "甲-1", "p_1", "pp", "x" * 64])
def test_any_allowed_id_can_be_taken_in_and_leaves_the_count_alone(identity: str) -> None:
    roster = Roster()
    assert units(roster, {"name": "A", "id": identity}, {"name": "B"}) == [identity, "p1"]


def test_a_unit_is_on_duty_always_from_its_first_change_on() -> None:
    roster = Roster()
    units(roster, {"name": "A", "team": "t", "street": "s", "grid": "g"})
    assert roster.units[UnitId("p1")] == Unit(UnitId("p1"), "person", "A", "t", "s", "g")
    assert roster.on_duty(UnitId("p1"), NOON) == Duty(UnitId("p1"), 1, 0, FOREVER)
    assert roster.on_duty(UnitId("p2"), NOON) is None


def test_a_unit_is_amended_by_its_id_and_keeps_its_duty() -> None:
    roster = Roster()
    units(roster, {"name": "A", "team": "t"})
    roster.apply(("duty", "p1:1", {"unit": "p1", "number": 1, "start": NOON, "end": NOON + 5}))
    changes = roster.plan_units([{"id": "p1", "name": "B", "team": "u"}])
    assert [kind for kind, _, _ in changes] == ["unit"]
    apply_all(roster, changes)
    assert roster.units[UnitId("p1")].team == "u"
    assert roster.on_duty(UnitId("p1"), NOON + 5) is None
    assert len(roster.units) == 1


def test_long_words_are_cut() -> None:
    roster = Roster()
    units(roster, {"name": "n" * 500, "team": "t" * 500})
    assert (len(roster.units[UnitId("p1")].name), len(roster.units[UnitId("p1")].team)) == (100, 100)


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"name": "A", "kind": "dog"}, "bad_kind"),
        ({"name": "A", "kind": None}, "bad_kind"),
        ({}, "no_name"),
        ({"name": "  "}, "no_name"),
        ({"name": None}, "no_name"),
        ({"name": "A", "id": "a b"}, "bad_id"),
        ({"name": "A", "id": "--"}, "bad_id"),
        ({"name": "A", "id": "a:b"}, "bad_id"),
        ({"name": "A", "id": "x" * 65}, "bad_id"),
    ],
)
def test_units_that_are_refused(wanted: dict[str, Any], code: str) -> None:
    roster = Roster()
    with pytest.raises(Refusal) as caught:
        roster.plan_units([{"name": "good"}, wanted])
    assert caught.value.code == code
    assert str(caught.value).startswith("entry 2: ")
    assert caught.value.zh.startswith("entry 2: ")
    assert not roster.units


# -- devices


def test_a_device_without_a_unit_brings_its_own() -> None:
    roster = Roster()
    handheld = device(roster, protocol="handheld", external_id="h1", name="张三", team="t", grid="g")
    assert (handheld.id, handheld.unit) == ("d1", "p1")
    assert roster.units[handheld.unit] == Unit(UnitId("p1"), "person", "张三", "t", "", "g")
    terminal = device(roster, protocol="jt808", external_id="13912345678")
    assert (terminal.id, terminal.unit, roster.units[terminal.unit].kind) == ("d2", "v1", "vehicle")
    assert roster.units[terminal.unit].name == "13912345678"
    walked = device(roster, protocol="jt808", external_id="13900000000", kind="person")
    assert walked.unit == "p2"


def test_a_device_with_a_unit_is_carried_by_it() -> None:
    roster = Roster()
    units(roster, {"name": "A"})
    first = device(roster, protocol="handheld", external_id="h1", unit="p1")
    second = device(roster, protocol="traccar", unit="p1")
    assert roster.devices_of(UnitId("p1")) == [first, second]
    assert roster.devices_of(UnitId("p2")) == []
    assert list(roster.units) == ["p1"]
    found = roster.find("handheld", "h1")
    assert found is not None
    assert (found.device, found.unit, found.authenticated) == (first, roster.units[UnitId("p1")], True)
    assert found.duties[0].end == FOREVER


@pytest.mark.parametrize(
    ("name", "protocol"),
    [
        ("msgpack", "handheld"),
        ("OsmAnd", "traccar"),
        (" JT/T808 ", "jt808"),
        ("jtt808", "jt808"),
        ("Traccar", "traccar"),
    ],
)
def test_protocols_have_other_names(name: str, protocol: str) -> None:
    assert device(Roster(), protocol=name, external_id="12345").protocol == protocol


def test_the_leading_zeros_of_a_terminal_number_do_not_count() -> None:
    roster = Roster()
    made = device(roster, protocol="jt808", external_id="013912345678")
    assert made.external_id == "13912345678"
    for written in ("13912345678", "013912345678", "00000000013912345678"):
        found = roster.find("jt808", written)
        assert found is not None
        assert found.device == made
    assert roster.find("jt808", "1391234567") is None
    with pytest.raises(Refusal, match="already as d1"):
        roster.plan_device({"protocol": "jt808", "external_id": "0013912345678"})
    assert CATALOGUE["jt808"].normal("000") == "0"
    assert CATALOGUE["handheld"].normal("007") == "007"


def test_a_device_is_found_only_in_its_protocol() -> None:
    roster = Roster()
    device(roster, protocol="handheld", external_id="12345")
    assert roster.find("jt808", "12345") is None
    assert roster.find("traccar", "12345") is None
    device(roster, protocol="traccar", external_id="12345")
    assert len(roster.devices) == 2


def test_a_phone_without_an_id_is_given_one_that_nobody_guesses() -> None:
    roster = Roster()
    issued = [device(roster, protocol="traccar") for _ in range(50)]
    assert len({d.external_id for d in issued}) == 50
    assert {len(d.external_id) for d in issued} == {15}
    assert {d.networks for d in issued} == {()}
    carrier = roster.carrier(issued[0].id)
    assert carrier is not None
    assert carrier.authenticated is False


def test_a_phone_whose_id_a_person_chose_is_taken_from_named_or_private_networks_only() -> None:
    roster = Roster()
    assert device(roster, protocol="traccar", external_id="zhang").networks == PRIVATE_NETWORKS
    named = device(roster, protocol="traccar", external_id="li", networks="203.0.113.0/24, 2001:db8::/32")
    assert named.networks == ("203.0.113.0/24", "2001:db8::/32")
    assert device(roster, protocol="handheld", external_id="h", networks=["192.0.2.7"]).networks == ("192.0.2.7/32",)


def test_a_device_whose_id_is_its_address_is_taken_from_there_only() -> None:
    roster = Roster()
    here = device(roster, protocol="nmea", external_id="203.0.113.7")
    assert here.networks == ("203.0.113.7/32",)
    assert device(roster, protocol="nmea", external_id="2001:DB8::7").networks == ("2001:db8::7/128",)
    assert roster.find("nmea", "2001:db8::7") is roster.find("nmea", "2001:DB8:0::7") is not None
    named = device(roster, protocol="nmea", external_id="203.0.113.8", networks="203.0.113.0/24")
    assert named.networks == ("203.0.113.0/24",)
    assert device(roster, protocol="nmea", external_id="crane-2").networks == PRIVATE_NETWORKS
    assert device(roster, protocol="traccar", external_id="203.0.113.7").networks == PRIVATE_NETWORKS
    assert roster.units[here.unit].name == "NMEA 0183 1"


@pytest.mark.parametrize(
    ("networks", "address", "admitted"),
    [
        ((), "8.8.8.8", True),
        (("10.0.0.0/8",), "10.255.0.1", True),
        (("10.0.0.0/8",), "11.0.0.1", False),
        (("10.0.0.0/8",), "::ffff:10.1.2.3", True),
        (("10.0.0.0/8", "2001:db8::/32"), "2001:db8::7", True),
        (("10.0.0.0/8",), "2001:db8::7", False),
        (("10.0.0.0/8",), "", False),
        (("10.0.0.0/8",), "/run/socket", False),
    ],
)
def test_source_networks(networks: tuple[str, ...], address: str, admitted: bool) -> None:
    made = Device(DeviceId("d1"), "traccar", "x", UnitId("p1"), 0, networks)
    assert admits(made, address) is admitted


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"protocol": "gopher", "external_id": "x"}, "bad_protocol"),
        ({"external_id": "x"}, "bad_protocol"),
        ({"protocol": "handheld"}, "bad_external_id"),
        ({"protocol": "handheld", "external_id": "x" * 65}, "bad_external_id"),
        ({"protocol": "handheld", "external_id": "a\nb"}, "bad_external_id"),
        ({"protocol": "jt808"}, "bad_external_id"),
        ({"protocol": "jt808", "external_id": "1" * 21}, "bad_external_id"),
        ({"protocol": "jt808", "external_id": "13A"}, "bad_external_id"),
        ({"protocol": "jt808", "external_id": "12²"}, "bad_external_id"),
        ({"protocol": "handheld", "external_id": "taken"}, "exists"),
        ({"protocol": "jt808", "external_id": "1", "header": 2012}, "bad_header"),
        ({"protocol": "jt808", "external_id": "1", "header": "2013"}, "bad_header"),
        ({"protocol": "handheld", "external_id": "x", "unit": "p99"}, "no_unit"),
        ({"protocol": "handheld", "external_id": "x", "kind": "dog"}, "bad_kind"),
        ({"protocol": "handheld", "external_id": "x", "networks": "ten"}, "bad_networks"),
        ({"protocol": "handheld", "external_id": "x", "networks": ["10.0.0.1/8"]}, "bad_networks"),
        ({"protocol": "handheld", "external_id": "x", "networks": 5}, "bad_networks"),
    ],
)
def test_devices_that_are_refused(wanted: dict[str, Any], code: str) -> None:
    roster = Roster()
    device(roster, protocol="handheld", external_id="taken")
    before = contents(roster)
    with pytest.raises(Refusal) as caught:
        roster.plan_device(wanted)
    assert caught.value.code == code
    assert caught.value.zh
    assert contents(roster) == before


@pytest.mark.parametrize(("header", "misflagged"), [(0, False), (2011, True), (2013, True), (2019, False)])
def test_terminals_that_set_a_wrong_flag(header: int, misflagged: bool) -> None:
    roster = Roster()
    device(roster, protocol="jt808", external_id="0139", header=header)
    assert ("139" in roster.misflagged) is misflagged


def test_a_carrier_sees_the_changes_of_its_unit_its_duty_and_its_device() -> None:
    roster = Roster()
    made = device(roster, protocol="handheld", external_id="h1")
    units(roster, {"name": "other"})
    carrier = roster.carrier(made.id)
    assert carrier is not None
    units(roster, {"id": "p1", "name": "renamed"})
    assert carrier.unit.name == "renamed"
    roster.apply(("duty", "p1:1", {"unit": "p1", "number": 1, "start": 0, "end": NOON}))
    roster.apply(("duty", "p1:2", {"unit": "p1", "number": 2, "start": NOON + 9, "end": FOREVER}))
    assert [d.number for d in carrier.duties] == [1, 2]
    assert [duty_at(carrier.duties, at) is None for at in (NOON - 1, NOON, NOON + 8, NOON + 9)] == [
        False,
        True,
        True,
        False,
    ]
    roster.apply(
        ("device", "d1", {"id": "d1", "protocol": "handheld", "external_id": "h1", "unit": "p2", "networks": ()})
    )
    assert carrier.unit.name == "other"
    assert roster.devices_of(UnitId("p1")) == []
    assert [d.id for d in roster.devices_of(UnitId("p2"))] == ["d1"]


# -- areas


def test_areas_are_put_in_replaced_and_removed() -> None:
    roster = Roster()
    apply_all(roster, roster.plan_areas([square("g1", "grid", 0, 0, 1, 1), square("g2", "grid", 1, 0, 2, 1)]))
    version = roster.areas_version
    apply_all(roster, roster.plan_areas([square("g1", "grid", 0, 0, 1, 2, street="s")]))
    assert {a.id: a.street for a in roster.areas.values()} == {"g1": "s", "g2": ""}
    roster.apply(("area", "g1", None))
    roster.apply(("area", "never", None))
    assert list(roster.areas) == ["g2"]
    assert roster.areas_version > version


def test_every_change_shows_in_the_version() -> None:
    roster = Roster()
    seen = {roster.version}
    for change in roster.plan_device({"protocol": "handheld", "external_id": "h"})[1]:
        roster.apply(change)
        seen.add(roster.version)
    assert len(seen) == 4
    assert roster.areas_version == 0


# -- replay


words = st.sampled_from(["", "A", "B", "p1", "p2", "p3", "v1", "d1", "p²"])
asked = st.one_of(
    st.tuples(
        st.just("units"),
        st.lists(
            st.fixed_dictionaries({"name": words, "id": words, "kind": st.sampled_from(["person", "vehicle"])}),
            max_size=3,
        ),
    ),
    st.tuples(
        st.just("device"),
        st.fixed_dictionaries(
            {
                "protocol": st.sampled_from(["handheld", "jt808", "traccar", "nmea"]),
                "external_id": st.sampled_from(["", "1", "01", "2", "x"]),
                "unit": st.sampled_from(["", "p1", "v1", "p2"]),
                "header": st.sampled_from([0, 2013, 2019]),
            }
        ),
    ),
    st.tuples(st.just("token"), st.sampled_from(["d1", "d2", "d3"])),
    st.tuples(st.just("areas"), st.sampled_from(["g1", "g2"])),
)


@given(st.lists(asked, max_size=15))
def test_a_replay_of_the_changes_builds_the_same_roster(wishes: list[tuple[str, Any]]) -> None:
    roster, journal = Roster(), []
    for what, wish in wishes:
        changes: list[Change]
        try:
            if what == "units":
                changes = roster.plan_units(wish)
            elif what == "device":
                changes = roster.plan_device(wish)[1]
            elif what == "token":
                changes = plan_token(roster, DeviceId(wish), hashed(str(len(journal))))[1]
            else:
                changes = roster.plan_areas([square(wish, "grid", 0, 0, 1, 1)])
        except Refusal:
            continue
        apply_all(roster, changes)
        journal += changes
    again = Roster()
    apply_all(again, stored(journal))
    assert contents(again) == contents(roster)
    assert set(roster.devices) == {c.device.id for c in map(roster.carrier, roster.devices) if c}
