"""What is said of a verified archive: each word in both languages, and nothing without bounds."""

from __future__ import annotations

import json
import re
from collections import Counter
from zoneinfo import ZoneInfo

from storage.archive import verdict
from storage.archive.chain import FAULTS
from storage.archive.verdict import FINDINGS, REASONS, SHOWN
from storage.archive.verify import Deletions, Finding, Proof, Removal, Report

ZONE = ZoneInfo("Asia/Shanghai")
AT = 1_795_449_600_000


def report(**given: object) -> Report:
    return Report(files=12, bytes=3456, entries=7, **given)  # type: ignore[arg-type]


def test_each_word_is_told_in_both_languages_with_what_belongs_to_it() -> None:
    assert set(FAULTS) <= set(FINDINGS)
    for what, (english, chinese) in FINDINGS.items():
        told = verdict.finding(Finding("fixes", what, "archive/fixes/x", "OTHER", 57, AT), ZONE)
        assert not re.search(r"[\u4e00-\u9fff{}]", told[0])
        assert re.search(r"[\u4e00-\u9fff]", told[1])
        assert "{" not in told[1]
        for word in re.findall(r"{(\w+)}", english):
            wanted = {"other": "OTHER", "number": "57", "at": "2026-11-24 00:00"}[word]
            assert wanted in told[0], what
            assert wanted in told[1], what
        assert set(re.findall(r"{\w+}", english)) == set(re.findall(r"{\w+}", chinese)), what


def test_the_last_word_says_how_far_it_goes() -> None:
    assert verdict.verdict(Report())[0] == "Nothing is sealed yet: there is nothing to verify."
    sound = verdict.verdict(report())
    assert sound[0].startswith("As it was sealed: 12 files, 3,456 bytes, 7 entries. Without heads")
    assert "--head FILE" in sound[1]
    proved = report(proofs=[Proof("fixes", AT, 1, AT, 3, "2026-11-22", 0)])
    assert verdict.verdict(proved)[0] == "As it was sealed: 12 files, 3,456 bytes, 7 entries, and as the heads say."
    wrong = report(findings=[Finding("fixes", "changed", "x")], counts=Counter(changed=1))
    assert verdict.verdict(wrong)[0] == "NOT as it was sealed: 1 finding(s) in 12 files, 3,456 bytes, 7 entries."


def test_a_proof_says_from_when_to_when() -> None:
    english, chinese = verdict.proof(Proof("fixes", AT, 3, AT + 86_400_000, 5, "2026-11-22", 2), ZONE)
    assert english == (
        "fixes: entries 1 to 5 (closed days up to 2026-11-22) are those of the head of 2026-11-25 00:00. The first "
        "head is of 2026-11-24 00:00 and covers 3: what was done before that cannot be seen. 2 entries are newer than "
        "any head."
    )
    assert all(word in chinese for word in ("2026-11-25 00:00", "2026-11-24 00:00", "2026-11-22", " 5 ", " 3 ", "2 "))


def test_a_head_of_nothing_proves_nothing() -> None:
    english, chinese = verdict.proof(Proof("photos", AT, 0, AT, 0, "", 4), ZONE)
    assert english == "photos: nothing was sealed yet at the newest head, of 2026-11-24 00:00; 4 entries are newer."
    assert "2026-11-24 00:00" in chinese


def test_deletions_and_removals_are_told_and_are_no_findings() -> None:
    told = report(
        deletions={("fixes", "retention"): Deletions(2, 4, "2026-11-20", "2026-11-21")},
        removals=[Removal("fixes", 6, "2026-11-22", AT, "request 7", 2)],
        counts=Counter(removal=1),
    )
    lines = list(verdict.lines(told, ZONE))
    assert lines[0] == ("fixes: deleted by 2 entries: 4 files of 2026-11-20 to 2026-11-21 (older than it is kept)")
    assert "超过保存期限" in lines[1]
    assert lines[2] == (
        "fixes: removal, entry 6 of 2026-11-24 00:00: 2 file(s) of 2026-11-22 were written anew (request 7)"
    )
    assert lines[4].startswith("As it was sealed")
    assert set(REASONS) == {"retention", "budget", "disk"}


def test_the_terminal_is_given_a_bounded_number_of_lines() -> None:
    many = report(
        findings=[Finding("fixes", "missing", f"archive/fixes/{number}") for number in range(SHOWN + 50)],
        removals=[Removal("fixes", number, "2026-11-22", AT, "", 1) for number in range(SHOWN + 50)],
        counts=Counter(missing=5000, removal=3000),
    )
    lines = list(verdict.lines(many, ZONE))
    assert len(lines) < 4 * SHOWN + 20
    assert f"… and {5000 - SHOWN:,} more 另有 {5000 - SHOWN:,} 处" in lines
    assert "3,000 removals in all" in lines


def test_a_page_is_given_plain_values() -> None:
    result = verdict.result(
        report(
            findings=[Finding("fixes", "swapped", "archive/fixes/a", "archive/fixes/b")] * (SHOWN + 5),
            counts=Counter(swapped=SHOWN + 5, removal=1),
            removals=[Removal("fixes", 6, "2026-11-22", AT, "request 7", 2)],
            waiting=3,
        ),
        ZONE,
    )
    assert json.loads(json.dumps(result)) == result
    assert (result["sound"], result["files"], result["waiting"]) == (False, 12, 3)
    assert len(result["findings"]) == SHOWN
    assert result["findings"][0] == {
        "name": "archive/fixes/a",
        "what": "swapped",
        "text": "it holds what was sealed as archive/fixes/b",
        "zh": "内容是封存的 archive/fixes/b，被调换",
    }
    assert result["counts"]["swapped"] == SHOWN + 5
    assert len(result["changes"]) == 1
