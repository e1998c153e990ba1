"""Who looked at whom is found once and in order, wherever the entries lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.archive.layout import ACCESS, CLASSES, EVENTS
from storage.archive.reader import Reader
from storage.archive.verify import verify
from tests.tracker.archive_house import DAY, HOUR, ArchiveHouse
from tests.tracker.helpers import record
from tracker import access_log
from tracker.access_log import AccessLog, Look, Question
from tracker.record import ENTITY, EVENT, masked

EIGHT = 1_795_392_000_000
"""2026-11-23 08:00 in the city."""
ALWAYS = (0, 1 << 62)


class Office:
    """An archive, and somebody who looks at people."""

    def __init__(self, data: Path) -> None:
        self.house = ArchiveHouse(data, EIGHT)
        self.reader = Reader(self.house.archive.layout.root)
        self.log = AccessLog(self.house.bench.journal, self.house.archive, self.reader)
        self.looks = 0

    def look(self, unit: str = "p1", who: str = "li", what: str = "track", **about: Any) -> str:
        self.looks += 1
        id = f"a{self.looks}"
        fields = {"who": who, "role": "leader", "unit": unit, "what": what, "reason": "why", "address": "10.0.0.7"}
        self.house.bench.write((EVENT, self.house.now, "access", id, {**fields, "about": about}), rare=True)
        return id

    def days(self, count: int = 4) -> None:
        """Some days of looks; the first are closed, the last are parts, and the end is not sealed."""
        for _ in range(count):
            for hour in range(2):
                self.look("p1", "li", start=self.house.now - HOUR, end=self.house.now)
                self.look("p2", "wang", "export")
                self.look("", "wang", "login")
                self.house.put(record(self.house.now))
                self.house.bench.write((ENTITY, self.house.now, "unit", "p1", {"name": str(hour)}), rare=True)
                self.house.seal()
                self.house.now += HOUR
            self.house.do("merge")
            self.house.now += DAY - 2 * HOUR
        self.house.now += 6 * DAY
        assert len(self.house.close_days()) == 3 * (count - 1)
        self.look("p1", "wang")

    def all(self, **asked: Any) -> list[Look]:
        return self.log.read(Question(*ALWAYS, **{"most": 1000, **asked})).looks


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path)
    yield office
    office.reader.close()
    office.house.bench.close()


def test_each_is_found_once_the_newest_first_wherever_it_lies(office: Office) -> None:
    office.days()
    kinds = {source.kind for source in office.house.archive.sources(ACCESS, "0000-00-00", "9999-99-99")}
    assert kinds == {"day", "part"}
    assert [look.id for look in office.all()] == [f"a{n}" for n in range(office.looks, 0, -1)]
    one = office.all()[-1]
    assert (one.who, one.role, one.what, one.unit, one.reason, one.address, one.server_time, dict(one.about)) == (
        "li", "leader", "track", "p1", "why", "10.0.0.7", EIGHT, {"start": EIGHT - HOUR, "end": EIGHT},
    )  # fmt: skip


def test_they_are_in_no_other_class_and_in_no_state(office: Office) -> None:
    office.days()
    paths = [source.path for source in office.house.archive.sources(EVENTS, "0000-00-00", "9999-99-99")]
    assert {row["kind"] for row in office.house.rows(*paths)} == {"unit"}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"who": "li"}, {("li", "p1")}),
        ({"unit": "p2"}, {("wang", "p2")}),
        ({"what": "login"}, {("wang", "")}),
        ({"units": frozenset({"p1"})}, {("li", "p1"), ("wang", "p1")}),
        ({"units": frozenset({"p1"}), "own": "wang"}, {("li", "p1"), ("wang", "p1"), ("wang", "p2"), ("wang", "")}),
        ({"units": frozenset()}, set()),
        ({"units": frozenset({"p2"}), "unit": "p1"}, set()),
        ({"who": "' OR 1=1 --"}, set()),
        ({"units": frozenset({"' OR 1=1 --"})}, set()),
    ],
)
def test_what_is_asked_for(office: Office, asked: Any, found: Any) -> None:
    office.days()
    assert {(look.who, look.unit) for look in office.all(**asked)} == found


def test_a_span_holds_both_its_ends(office: Office) -> None:
    office.days()
    times = sorted({look.server_time for look in office.all()})
    page = office.log.read(Question(times[1], times[-2], most=1000))
    assert sorted({look.server_time for look in page.looks}) == times[1:-1]
    assert office.log.read(Question(5, 4)).looks == []


def test_pages_follow_one_another_without_a_gap(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "DAYS_AT_ONCE", 2)
    office.days(6)
    whole = [look.id for look in office.all()]
    for most in (1, 7, len(whole) - 1, len(whole)):
        found: list[str] = []
        question = Question(*ALWAYS, most=most)
        while True:
            page = office.log.read(question)
            found += [look.id for look in page.looks]
            if page.after is None:
                break
            assert len(page.looks) == most
            question = Question(*ALWAYS, page.after, most=most)
        assert found == whole


def test_a_clock_that_was_set_back_hides_nothing(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "DAYS_AT_ONCE", 1)
    for back in (0, 3, 1, 2, 0):
        office.house.now = EIGHT - back * DAY
        office.look()
        office.house.seal()
    for back in (2, 1):
        office.house.now = EIGHT - back * DAY + 1
        office.look()
    times = [look.server_time for look in office.all()]
    assert len(times) == office.looks
    assert times == sorted(times, reverse=True)
    assert [look.server_time for look in office.all(most=3)] == times[:3]


def test_a_damaged_file_is_told_and_costs_only_itself(office: Office) -> None:
    office.days()
    path = office.house.archive.layout.folder(ACCESS) / "2026-11-24.parquet"
    path.write_bytes(path.read_bytes()[:-50])
    page = office.log.read(Question(*ALWAYS, most=1000))
    assert page.unreadable == ["2026-11-24"]
    assert len(page.looks) == office.looks - 6


def test_what_is_past_its_keep_goes_for_good_and_the_chain_says_so(office: Office) -> None:
    office.days()
    (office.house.data / "media").mkdir()
    limits = {kind: [36_500, 0] for kind in CLASSES} | {ACCESS: [8, 0]}
    told = office.house.do("tidy", limits=limits)
    assert told["deleted"] == {"access": {"retention": 2}}
    sealed = office.house.archive.sealed
    assert {look.server_time for look in office.all() if look.number <= sealed} == {
        EIGHT + day * DAY + hour * HOUR for day in (2, 3) for hour in (0, 1)
    }
    left = [path.name for path in office.house.archive.layout.folder(ACCESS).iterdir()]
    assert sorted(left) == ["2026-11-25.parquet", "chain.jsonl"]
    kinds = [entry.kind for entry in office.house.archive.chains[ACCESS].entries]
    assert kinds == ["day", "day", "day", "deletion", "deletion"]
    assert verify(office.house.data).sound


def test_one_who_was_removed_is_nobody(office: Office) -> None:
    office.look("p1")
    for batch in office.house.bench.journal.read(1, 10):
        for one in batch.records:
            office.house.bench.write(masked(one), rare=True)
    gone, there = office.all()
    assert (gone.removed, gone.unit, gone.reason, dict(gone.about)) == (True, "*", "*", {})
    assert (there.removed, there.unit) == (False, "p1")


WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(WORDS, WORDS, st.dictionaries(WORDS, WORDS, max_size=3))
def test_a_masked_record_is_as_long_and_says_nothing(unit: str, reason: str, about: dict[str, str]) -> None:
    fields = {"who": "w", "role": "r", "unit": unit, "what": "x", "reason": reason, "address": "a", "about": about}
    packed = msgpack.packb((EVENT, 1, "access", "id", fields))
    less = masked(msgpack.unpackb(packed, use_list=False))
    assert len(msgpack.packb(less)) == len(packed)
    assert set(less[4]["unit"] + less[4]["reason"] + "".join(less[4]["about"].values())) <= {"*"}
