"""The settings of working time."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.config import ConfigError, Work, defaults, read


def parse(tmp_path: Path, text: str) -> Work:
    file = tmp_path / "city.toml"
    file.write_text(f"[working_time]\n{text}\n", "utf-8")
    return read(file, {}).working_time


def test_the_city_s_own_hours_and_days(tmp_path: Path) -> None:
    assert parse(tmp_path, "") == defaults({}).working_time
    work = parse(tmp_path, 'hours = ["22:00-06:00"]\nweekdays = [6, 7]\ncountry = ""\nholidays = "days.json"')
    assert (work.hours, work.weekdays, work.country) == (((1320, 1800),), (6, 7), "")
    assert work.holidays == tmp_path / "days.json"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('hours = ["8"]', r"city.toml:2: \[working_time\] hours holds '8'"),
        ("weekdays = [0]", r"\[working_time\] weekdays must be a list of days"),
        ('country = "china"', r"\[working_time\] country must be the two letters"),
        ("holidays = 1", r"\[working_time\] holidays must be a f"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, line: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        parse(tmp_path, line)
