"""The rules of the shipped cities, and what they become."""

from __future__ import annotations

import re

import pytest

from dispatch.model import Times
from dispatch.ranking import Weights
from dispatch.rules import CHECK, RESULTS, SURVEY, VERIFY, Limit, Rules, TimeKind
from dispatch.rules_file import CITIES, parse_rules, read_rules

MINUTE, HOUR = 60_000, 3_600_000
CLOCK = read_rules(CITIES / "round-the-clock.toml")
HOURS = read_rules(CITIES / "working-hours.toml")


def test_two_cities_that_differ() -> None:
    assert [CLOCK.limit(kind, "0101") for kind in (VERIFY, CHECK)] == [Limit(TimeKind.CLOCK, 30 * MINUTE)] * 2
    assert CLOCK.limit(SURVEY, "") == Limit(TimeKind.CALENDAR_DAYS, 3)
    assert HOURS.limit(VERIFY, "0101") == Limit(TimeKind.WORKING_HOURS, 24 * HOUR)
    assert HOURS.limit(CHECK, "0101") == Limit(TimeKind.WORKING_HOURS, 2 * HOUR)
    assert HOURS.limit(CHECK, "0305") == Limit(TimeKind.WORKING_DAYS, 1)
    assert HOURS.limit(CHECK, "02") == Limit(TimeKind.CALENDAR_DAYS, 3)
    assert CLOCK.version != HOURS.version
    assert CLOCK.declines.keys() != HOURS.declines.keys()


@pytest.mark.parametrize("rules", [CLOCK, HOURS])
def test_every_word_is_in_both_languages(rules: Rules) -> None:
    words = [*rules.kinds.values(), *rules.declines.values()]
    for kind, results in RESULTS.items():
        assert tuple(rules.kinds[kind].results) == results
        words += rules.kinds[kind].results.values()
    for word in words:
        assert re.search(r"[\u4e00-\u9fff]", word.zh)
        assert word.en.isascii()


def test_the_longest_class_counts() -> None:
    text = (CITIES / "round-the-clock.toml").read_text("utf-8")
    for code, limit in (("0401", "20 min"), ("0", "2 h")):
        text += f'\n[[limit]]\nkind = "verify"\nclass = "{code}"\nlimit = "{limit}"\ntime = "clock"\n'
    rules = parse_rules("rules.toml", text.encode())
    minutes = {code: rules.limit(VERIFY, code).length // MINUTE for code in ("040103", "0401", "0402", "05", "1", "")}
    assert minutes == {"040103": 20, "0401": 20, "0402": 15, "05": 120, "1": 30, "": 30}
    assert rules.limit(CHECK, "0401").length == 30 * MINUTE
    with pytest.raises(KeyError):
        rules.limit("patrol", "0401")


def test_photos_are_of_the_kind_unless_the_result_says_otherwise() -> None:
    assert [HOURS.kinds[VERIFY].photos_of(word) for word in RESULTS[VERIFY]] == [2, 1, 0]
    assert [CLOCK.kinds[CHECK].photos_of(word) for word in RESULTS[CHECK]] == [1, 1, 0]


def test_what_a_file_does_not_say_is_as_it_is_elsewhere() -> None:
    assert CLOCK.times(VERIFY) == Times()
    assert CLOCK.times(CHECK) == Times(answer=120_000)
    assert CLOCK.weights() == Weights(version=CLOCK.version)


def test_what_a_file_says_counts() -> None:
    times = HOURS.times(CHECK)
    assert (times.answer, times.depart, times.question, times.alert) == (300_000, 1_800_000, 2_400_000, 3_600_000)
    assert (times.levels, times.suspended, times.expire) == ((600_000, 1_200_000, 1_800_000), 72 * HOUR, 168 * HOUR)
    weights = HOURS.weights()
    assert (weights.foreign, weights.lateness, weights.backlog, weights.cooldown) == (600, 1.0, 8, 3600)
    assert weights.caps == (2500.0, 5000.0)
