"""The audit of what is installed: a vulnerable package fails the build, a network that is away does not, and silence is
never taken for good news."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from typing import Any

import pytest

from tests.tree import ROOT

_SPEC = importlib.util.spec_from_file_location("audit", ROOT / ".ci" / "audit.py")
assert _SPEC is not None
assert _SPEC.loader is not None
audit = importlib.util.module_from_spec(_SPEC)
sys.modules["audit"] = audit  # its dataclasses look for it there
_SPEC.loader.exec_module(audit)

GOOD = {"name": "twisted", "version": "26.10.0", "vulns": []}
BAD = {"name": "requests", "version": "2.19.0",
       "vulns": [{"id": "PYSEC-2018-28", "fix_versions": ["2.20.0"], "aliases": ["CVE-2018-18074"],
                  "description": "it sends passwords along"}]}  # fmt: skip
SKIPPED = {"name": "klein", "skip_reason": "not found and could not be audited: klein (24.8.0)"}


def service(*packages: Any) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def outcome_of(answers: dict[str, str | Exception]) -> Any:
    def ask(name: str) -> str:
        answer = answers[name]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return audit.audit(ask, tuple(answers))


def test_what_is_known_to_be_vulnerable_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.report(outcome_of({"one": service(GOOD, BAD)})) == 1
    told = capsys.readouterr().out
    assert "VULNERABLE requests 2.19.0: PYSEC-2018-28 CVE-2018-18074 (mended in 2.20.0)" in told
    assert "2 packages looked up, 1 known" in told
    assert "NOT LOOKED UP" not in told


def test_nothing_known_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.report(outcome_of({"one": service(GOOD)})) == 0
    assert capsys.readouterr().out == "1 packages looked up, 0 known vulnerabilities.\n"


def test_what_was_skipped_is_asked_elsewhere_and_else_named(capsys: pytest.CaptureFixture[str]) -> None:
    found = {**SKIPPED, "version": "24.8.0", "vulns": []}
    del found["skip_reason"]
    assert not outcome_of({"one": service(GOOD, SKIPPED), "two": service(found)}).missed
    assert audit.report(outcome_of({"one": service(GOOD, SKIPPED), "two": service(SKIPPED)})) == 0
    assert "NOT LOOKED UP, so nothing is known of: klein\n" in capsys.readouterr().out


def test_the_second_is_not_asked_when_the_first_knows_all() -> None:
    assert outcome_of({"one": service(GOOD), "two": AssertionError("asked")}).looked == {"twisted": "26.10.0"}


def test_a_vulnerability_of_the_first_is_not_lost_with_the_second() -> None:
    outcome = outcome_of({"one": service(BAD, SKIPPED), "two": OSError("no network")})
    assert len(outcome.found) == 1
    assert set(outcome.missed) == {"klein", "(two)"}


@pytest.mark.parametrize(
    "broken",
    [
        OSError("no network"),
        subprocess.TimeoutExpired(["pip_audit"], 300),
        subprocess.CalledProcessError(1, ["pip_audit"], "", "Traceback\n  …\nConnectionError: name not known\n"),
        "",
        "<html>",
        "[]",
        '{"dependencies": [{}]}',
    ],
)
def test_a_service_that_cannot_be_asked_is_no_failure_and_no_good_news(
    broken: str | Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit.report(outcome_of({"one": broken, "two": broken})) == 0
    told = capsys.readouterr().out
    assert told.startswith("NOTHING COULD BE LOOKED UP")
    assert "0 known" not in told
    if isinstance(broken, subprocess.CalledProcessError):
        assert "ConnectionError: name not known" in told


def test_the_build_runs_it() -> None:
    assert 'check "$python" .ci/audit.py' in (ROOT / ".ci" / "run").read_text("utf-8")
    pins = [line for line in (ROOT / ".ci" / "audit.txt").read_text("utf-8").splitlines() if not line.startswith("#")]
    assert [line.partition("==")[0] for line in pins] == ["pip-audit"]
