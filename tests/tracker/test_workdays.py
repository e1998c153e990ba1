"""Which days are worked, by the files of the house and by a city's own."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tracker.workdays import FILE_LIMIT, FOLDER, Calendar, CalendarError, Kind, read_calendar

CHINA = read_calendar("cn")


def days_of(year: int) -> list[str]:
    first = date(year, 1, 1)
    return [(first + timedelta(days=n)).isoformat() for n in range(366) if (first + timedelta(days=n)).year == year]


@pytest.mark.parametrize(
    ("day", "kind", "name"),
    [
        ("2024-02-09", Kind.WORKDAY, ""),  # the eve was left to each employer
        ("2024-02-10", Kind.HOLIDAY, "春节"),
        ("2024-02-17", Kind.HOLIDAY, "春节"),
        ("2024-02-18", Kind.MAKEUP, "春节"),
        ("2024-05-11", Kind.MAKEUP, "劳动节"),
        ("2024-06-08", Kind.WEEKEND, ""),
        ("2024-06-10", Kind.HOLIDAY, "端午节"),
        ("2024-10-12", Kind.MAKEUP, "国庆节"),
        ("2025-01-26", Kind.MAKEUP, "春节"),
        ("2025-01-28", Kind.HOLIDAY, "春节"),
        ("2025-10-08", Kind.HOLIDAY, "国庆节、中秋节"),
        ("2025-10-09", Kind.WORKDAY, ""),
        ("2026-01-04", Kind.MAKEUP, "元旦"),
        ("2026-02-14", Kind.MAKEUP, "春节"),
        ("2026-02-23", Kind.HOLIDAY, "春节"),
        ("2026-02-28", Kind.MAKEUP, "春节"),
        ("2026-05-09", Kind.MAKEUP, "劳动节"),
        ("2026-09-20", Kind.MAKEUP, "国庆节"),
        ("2026-09-27", Kind.HOLIDAY, "中秋节"),
        ("2026-09-28", Kind.WORKDAY, ""),
        ("2026-10-10", Kind.MAKEUP, "国庆节"),
        ("2026-11-21", Kind.WEEKEND, ""),
    ],
)
def test_days_of_the_notices(day: str, kind: Kind, name: str) -> None:
    found = CHINA.day(day)
    assert (found.kind, found.zh) == (kind, name)
    assert found.worked == (kind in (Kind.WORKDAY, Kind.MAKEUP))
    assert bool(found.en) == bool(name)


@pytest.mark.parametrize(("year", "worked"), [(2024, 251), (2025, 248), (2026, 248)])
def test_days_worked_in_a_year(year: int, worked: int) -> None:
    """As many as the weekdays of the year less the statutory holidays: what is made up is no day more or less."""
    assert sum(CHINA.day(day).worked for day in days_of(year)) == worked
    assert year in CHINA.years


def test_only_weekends_are_made_up_and_names_are_in_both_languages() -> None:
    for path in FOLDER.glob("*.json"):
        document = json.loads(path.read_text("utf-8"))
        assert document["years"] == [int(path.stem[-4:])]
        assert document["source"]
        for holiday in document["holidays"]:
            assert holiday["zh"]
            assert holiday["en"].isascii()
            assert holiday["from"] <= holiday["to"]
            assert all(date.fromisoformat(day).isoweekday() > 5 for day in holiday["work"])


def test_a_year_without_a_file_has_its_weekends() -> None:
    assert 2031 not in CHINA.years
    assert CHINA.day("2031-10-01").kind is Kind.WORKDAY
    assert CHINA.day("2031-10-04").kind is Kind.WEEKEND
    assert read_calendar("").years == frozenset()
    assert read_calendar("xx").day("2026-10-01").kind is Kind.WORKDAY
    assert read_calendar("cn", week=range(1, 7)).day("2026-11-21").worked


def test_the_year_that_is_missing_is_told_in_time() -> None:
    assert [CHINA.missing(day) for day in ("2026-11-30", "2026-12-01", "2027-01-01")] == [None, 2027, 2027]
    assert [CHINA.missing("2025-12-31"), CHINA.missing("2023-12-31")] == [None, 2023]
    assert read_calendar("").missing("2027-01-01") is None


def test_a_file_of_the_city_adds_and_overrides(tmp_path: Path) -> None:
    own = tmp_path / "holidays.json"
    own.write_text(
        json.dumps(
            {
                "years": [2027],
                "holidays": [
                    {"zh": "元旦", "from": "2027-01-01", "work": ["2027-01-03"]},
                    {"en": "City day", "from": "2026-11-26", "to": "2026-11-27"},
                ],
                "workdays": ["2026-10-07", "2026-11-28"],
            }
        ),
        "utf-8",
    )
    calendar = read_calendar("CN", own=own)
    assert calendar.years == {2024, 2025, 2026, 2027}
    assert calendar.day("2027-01-01").en == "元旦"
    assert calendar.day("2027-01-03").kind is Kind.MAKEUP
    assert calendar.day("2026-11-27").zh == "City day"
    assert calendar.day("2026-10-06").kind is Kind.HOLIDAY
    assert calendar.day("2026-10-07").kind is Kind.WORKDAY
    assert calendar.day("2026-11-28").kind is Kind.MAKEUP
    # A whole year of the city's own takes the place of ours.
    assert CHINA.with_file("own", {"years": [2026]}).day("2026-10-01").kind is Kind.WORKDAY


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ([], "must be a JSON object"),
        ({"holiday": []}, "must be a JSON object"),
        ({"years": [1999]}, '"years" must be'),
        ({"years": ["2026"]}, '"years" must be'),
        ({"holidays": {}}, '"holidays" must be a list'),
        ({"holidays": ["2026-01-01"]}, "a holiday must be an object"),
        ({"holidays": [{"from": "2026-01-01"}]}, "without a name"),
        ({"holidays": [{"zh": "元旦"}]}, "is not a day"),
        ({"holidays": [{"zh": "元旦", "from": "2026-02-30"}]}, "'2026-02-30' is not a day"),
        ({"holidays": [{"zh": "元旦", "from": "2026-01-03", "to": "2026-01-01"}]}, "must last"),
        ({"holidays": [{"zh": "元旦", "from": "2026-01-01", "to": "2027-01-01"}]}, "must last"),
        ({"holidays": [{"zh": "元旦", "from": "2026-01-01", "work": "2026-01-04"}]}, '"work" must be a list'),
        ({"workdays": [20260104]}, "is not a day"),
    ],
)
def test_what_a_file_cannot_say(document: Any, told: str) -> None:
    with pytest.raises(CalendarError, match=f"own.json: .*{told}"):
        Calendar().with_file("own.json", document)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "holidays.json"
    with pytest.raises(CalendarError, match="no such file"):
        read_calendar("cn", own=path)
    path.write_text("{", "utf-8")
    with pytest.raises(CalendarError, match="no JSON"):
        read_calendar("cn", own=path)
    path.write_text(" " * (FILE_LIMIT + 1), "utf-8")
    with pytest.raises(CalendarError, match="larger"):
        read_calendar("cn", own=path)
