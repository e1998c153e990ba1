"""Files of rules: what is refused, in which words, and on which line."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from dispatch.rules_file import CITIES, FILE_LIMIT, parse_rules, read_rules
from storage.toml import ConfigError

EXAMPLE = (CITIES / "round-the-clock.toml").read_text("utf-8")
SMALL = """\
[verify]
zh = "核实"
en = "Verify"
[verify.results]
exist = { zh = "属实", en = "Exists" }
not_exist = { zh = "不属实", en = "Does not exist" }
unable = { zh = "无法核实", en = "Cannot be told" }
[check]
zh = "核查"
en = "Check"
[check.results]
pass = { zh = "通过", en = "Passed" }
not_pass = { zh = "不通过", en = "Not passed" }
unable = { zh = "无法核查", en = "Cannot be told" }
[declines]
busy = { zh = "忙", en = "Busy" }
[[limit]]
kind = "verify"
limit = "30 min"
time = "clock"
[[limit]]
kind = "check"
limit = "3 d"
time = "working_days"
"""


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_rules("rules.toml", text.encode())
    return caught.value.problems


def test_the_example_shows_every_setting_with_its_default() -> None:
    shown = re.sub(r"""(?m)^# (?=[a-z_]+ = [\d\[\]., a-z"]+$)""", "", EXAMPLE)
    rules = parse_rules("rules.toml", EXAMPLE.encode())
    assert shown.count("\n# ") < EXAMPLE.count("\n# ") - 30
    assert replace(parse_rules("rules.toml", shown.encode()), version=rules.version) == rules
    for section in (rules.shares, rules.waits, rules.escalation, rules.ranking, rules.arrival, rules.proof):
        for name in section.__dataclass_fields__:
            assert re.search(rf"(?m)^{name} = ", shown), name


def test_a_small_file_is_enough() -> None:
    rules = parse_rules("rules.toml", SMALL.encode())
    assert rules.arrival == parse_rules("rules.toml", EXAMPLE.encode()).arrival
    assert rules.kinds["check"].results["pass"].closes


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        # Kinds and their words.
        ('zh = "核实"\n', "", 1, '[verify] zh is missing: write zh = "..."'),
        ('en = "Verify"', 'en = ""', 3, '[verify] en must be one line of text in quotes, not ""'),
        ('en = "Verify"', 'en = "Verify"\nphotos = 10', 4, "[verify] photos must be 0..9, not 10"),
        ('en = "Verify"', 'en = "Verify"\nfoto = 1', 4,
         "[verify] foto is nothing that can be set; did you mean photos?"),
        ('en = "Check"', 'en = "Check"\nindependent = 1', 11, "[check] independent must be true or false, not 1"),
        (', en = "Exists" }', " }", 5, '[verify.results.exist] en is missing: write en = "..."'),
        ("not_exist = {", "no_exist = {", 6,
         "[verify.results] no_exist is nothing that can be set; did you mean not_exist?"),
        ('not_pass = { zh = "不通过", en = "Not passed" }\n', "", 11,
         '[check.results] not_pass is missing: write not_pass = { zh = "...", en = "..." }'),
        ('{ zh = "通过", en = "Passed" }', '"通过"', 12,
         'check.results.pass must be a section [check.results.pass], not "通过"'),
        ('en = "Not passed"', 'en = "Not passed", closes = "no"', 13,
         '[check.results.not_pass] closes must be true or false, not "no"'),
        # Reasons.
        ("busy =", "Busy =", 16, '[declines] "Busy" must be a word of small letters, such as busy'),
        ('busy = { zh = "忙", en = "Busy" }\n', "", 15, "[declines] must hold 1 to 20 reasons, not 0"),
        # Limits.
        ('kind = "verify"', 'kind = "patrol"', 18, '[[limit]] kind must be one of verify, check, survey, not "patrol"'),
        ('"30 min"', '"30"', 19,
         '[[limit]] limit must be like "30 min", "24 h" or "3 d", 365 days at the most, not "30"'),
        ('"30 min"', "30", 19, "[[limit]] limit must be like"),
        ('"30 min"', '"400 d"', 19, "365 days at the most"),
        ('"30 min"', '"1 d"', 19, '[[limit]] limit must be like "30 min" or "24 h" with time clock'),
        ('"3 d"', '"72 h"', 23, '[[limit]] limit must be like "3 d" with time working_days'),
        ('"clock"', '"sundays"', 20,
         '[[limit]] time must be one of clock, working_hours, working_days, calendar_days, not "sundays"'),
        ('time = "clock"\n', "", 17, '[[limit]] time is missing: write time = "..."'),
        ('time = "clock"', 'time = "clock"\nclass = "04.1"', 21,
         '[[limit]] class must be the first digits of a class, such as "0203", not "04.1"'),
        ('kind = "check"', 'kind = "verify"', 21, '[[limit]] there is one of kind verify and class "" already'),
        ('kind = "check"', 'kind = "check"\nclass = "03"', 17,
         '[[limit]] there is none of kind "check" without a class, for all the rest'),
        # The rest.
        ("[declines]", "[decline]", 15, "decline is nothing that can be set; did you mean declines?"),
        ("[declines]", "[arrival]\nradius_m = 5\n[declines]", 16, "[arrival] radius_m must be 10..1000, not 5"),
        ("[declines]", "[arrival]\nspeed = nan\n[declines]", 16,
         "[arrival] speed must be a number from 0.1 to 5, not NaN"),
        ("[declines]", "[arrival]\nspeed = true\n[declines]", 16, "speed must be a number from 0.1 to 5, not true"),
        ("[declines]", "[shares]\nwarn = 90\n[declines]", 16, "[shares] warn must be less than critical (80), not 90"),
        ("[declines]", "[shares]\nred = 70\n[declines]", 16, "[shares] yellow must be less than red (70), not 80"),
        ("[declines]", "[waits]\nresend_s = [5, 40]\n[declines]", 16,
         "[waits] resend_s must be less than deliver_s (30), not 40"),
        ("[declines]", "[waits]\nresend_s = [15, 5]\n[declines]", 16,
         "[waits] resend_s must rise from each number to the next, not [15, 5]"),
        ("[declines]", "[escalation]\nlevels_s = [120, 180]\n[declines]", 16,
         "[escalation] levels_s must be a list of 3 whole numbers 10..86400, not [120, 180]"),
        ("[declines]", "[escalation]\ncaps_m = 4000\n[declines]", 16,
         "[escalation] caps_m must be a list of 1 to 5 whole numbers 100..100000, not 4000"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(old: str, new: str, line: int, told: str) -> None:
    assert old in SMALL
    found = problems(SMALL.replace(old, new, 1))
    assert any(one.startswith(f"rules.toml:{line}: ") and told in one for one in found), found


def test_what_is_missing_is_told() -> None:
    assert problems("") == [
        "rules.toml:1: [[limit]] must be there, once for each limit, 500 times at the most",
        "rules.toml:1: check is missing: write a section [check]",
        "rules.toml:1: declines is missing: write a section [declines]",
        "rules.toml:1: verify is missing: write a section [verify]",
    ]
    assert "rules.toml:1: arrival must be a section [arrival], not 5" in problems("arrival = 5\n" + SMALL)
    assert "rules.toml:1: limit.0 must be a section [[limit]], not 5" in problems("limit = [5]\n")


def test_everything_that_is_wrong_is_told_at_once() -> None:
    text = SMALL.replace('"30 min"', '"soon"').replace("busy", "BUSY").replace('en = "Check"', "en = 1")
    assert [one.split(": ")[0] for one in problems(text)] == ["rules.toml:10", "rules.toml:16", "rules.toml:19"]


def test_no_toml() -> None:
    assert problems("[verify\n")[0].startswith("rules.toml:1: ")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    with pytest.raises(ConfigError, match="no such file"):
        read_rules(path)
    path.write_bytes(b"#" * (FILE_LIMIT + 1))
    with pytest.raises(ConfigError, match="larger than 256 KiB"):
        read_rules(path)
