"""Looks up whether a package that is installed here, or one that it needs, has a known vulnerability.

    .venv/bin/python .ci/audit.py

The status is 1 when one has. A vulnerability service that cannot be asked is no failure: which packages nobody could
look up is then said plainly, for "no known vulnerability" and "not looked up" are not the same.
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PLACE = HERE.parent / ".venv" / "audit"
SERVICES = ("pypi", "osv")
"""Those that pip-audit knows, by its names; the second is asked what the first does not know."""
INSTALL_S = 300
LOOK_S = 300
"""Seconds: a network that is there but answers nobody must not hold everything up."""

REASONS = 3
"""Of those that were told, so many are shown."""

Ask = Callable[[str], str]
"""Asks a service, answers pip-audit's JSON; raises ``OSError`` or ``subprocess.SubprocessError``."""


@dataclass
class Outcome:
    """Package -> version of those that were looked up, package -> why of those that were not, and what was found."""

    looked: dict[str, str] = field(default_factory=dict)
    missed: dict[str, str] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)

    def take(self, told: Any) -> None:
        """What one service answered. What an earlier one has looked up stays so."""
        for package in told["dependencies"]:
            name = package["name"]
            if "skip_reason" in package:
                if name not in self.looked:
                    self.missed[name] = package["skip_reason"]
                continue
            self.looked[name] = package["version"]
            self.missed.pop(name, None)
            for each in package["vulns"]:
                names = [each["id"], *each.get("aliases", ())]
                better = ", ".join(each.get("fix_versions", ())) or "none yet"
                line = f"{name} {package['version']}: {' '.join(names)} (mended in {better})"
                if line not in self.found:
                    self.found.append(line)


def audit(ask: Ask, services: Sequence[str] = SERVICES) -> Outcome:
    """Ask one service after the other until each package is looked up."""
    outcome = Outcome()
    for service in services:
        if outcome.looked and not outcome.missed:
            break
        try:
            outcome.take(json.loads(ask(service)))
        except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
            outcome.missed.setdefault(f"({service})", reason_of(error))
    return outcome


def reason_of(error: Exception) -> str:
    """The last that a failed command told, or the error itself."""
    told = getattr(error, "stderr", None)
    if isinstance(told, bytes):
        told = told.decode("utf-8", "replace")
    lines = [line.strip() for line in (told or str(error)).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:300]


def report(outcome: Outcome) -> int:
    """Say it; the exit status."""
    for line in outcome.found:
        print(f"VULNERABLE {line}")
    if outcome.looked:
        print(f"{len(outcome.looked)} packages looked up, {len(outcome.found)} known vulnerabilities.")
    if not outcome.looked:
        print("NOTHING COULD BE LOOKED UP, so nothing is known: this is no failure, and no good news either.")
    elif outcome.missed:
        print(f"NOT LOOKED UP, so nothing is known of: {', '.join(sorted(outcome.missed))}")
    for reason in list(dict.fromkeys(outcome.missed.values()))[:REASONS]:
        print(f"  {reason}")
    return 1 if outcome.found else 0


def command(words: Sequence[str], seconds: int) -> str:
    """What a command tells. pip-audit's own status says only whether it found something."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=seconds, check=False)
    if not done.stdout.strip():
        raise subprocess.CalledProcessError(done.returncode, list(words), done.stdout, done.stderr)
    return done.stdout


def ready(python: Path, wanted: Path) -> None:
    """Have pip-audit installed."""
    stamp, text = PLACE / "installed", wanted.read_text("utf-8")
    if stamp.is_file() and stamp.read_text("utf-8") == text:
        return
    venv.create(PLACE, with_pip=True, clear=True)
    words = [python, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "-r", wanted]
    subprocess.run(words, capture_output=True, check=True, timeout=INSTALL_S)
    stamp.write_text(text, "utf-8")


def main() -> int:
    python = PLACE / "bin" / "python"
    try:
        ready(python, HERE / "audit.txt")
    except (OSError, subprocess.SubprocessError) as error:
        return report(Outcome(missed={"everything": f"pip-audit cannot be installed: {reason_of(error)}"}))
    here = sysconfig.get_path("purelib")

    def ask(service: str) -> str:
        options = ["--format", "json", "--aliases", "on", "--progress-spinner", "off", "--timeout", "15"]
        return command([str(python), "-m", "pip_audit", "--path", here, "-s", service, *options], LOOK_S)

    return report(audit(ask))


if __name__ == "__main__":
    sys.exit(main())
