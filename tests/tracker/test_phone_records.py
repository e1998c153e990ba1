"""What becomes of each record: whose it is, whether it came before, what admission says."""

from __future__ import annotations

from protocols.delivery import Delivery, Unusable
from protocols.report import Report
from tests.tracker.helpers import LAT, LON, NOON, House, report
from tracker.phone_limits import RecentIds
from tracker.phone_records import judge


def verdicts(house: House, delivery: Delivery, known: RecentIds | None = None, name: str = "a") -> list[str]:
    carrier = house.roster.carrier(house.register("batch").id)
    assert carrier is not None
    return judge(delivery, carrier, name, known or RecentIds(), NOON)


def with_ids(*records: tuple[str, Report | Unusable]) -> Delivery:
    return Delivery(("a",), "", tuple(r for _, r in records), ids=tuple(id for id, _ in records))


def test_without_ids_nothing_is_judged_but_the_owner(house: House) -> None:
    results = (report(), report(), Unusable("bad_time"), report(1))
    assert verdicts(house, Delivery(("a",), "", results)) == ["", "", "bad_time", ""]
    owned = Delivery(("a", "b"), "", results, owners=("a", "b", "b", ""))
    assert verdicts(house, owned) == ["", "other_device", "bad_time", ""]


def test_duplicates_of_an_id_and_of_a_point(house: House) -> None:
    told = with_ids(
        ("1", report()), ("1", report(NOON + 1)), ("2", report()), ("3", report(alarm=1)),
        ("4", report(NOON, None, None)), ("5", report(NOON, None, None)),
    )  # fmt: skip
    # Of two reports without a position each may hold readings of its own.
    assert verdicts(house, told) == ["", "duplicate", "duplicate", "", "", ""]


def test_what_is_known_of_before(house: House) -> None:
    device = house.register("batch")
    carrier, known = house.roster.carrier(device.id), RecentIds()
    assert carrier is not None
    known.add(device.id, ["1"])
    assert judge(with_ids(("1", report()), ("2", report())), carrier, "a", known, NOON) == ["duplicate", ""]


def test_what_admission_refuses_is_told_and_no_duplicate(house: House) -> None:
    bad = Report(1, LAT, LON)
    told = with_ids(("1", bad), ("1", bad), ("2", Report(NOON, 910_000_000, LON)), ("", Unusable("no_id")))
    assert verdicts(house, told) == ["impossible_time", "impossible_time", "impossible_position", "no_id"]
