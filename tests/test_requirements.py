"""Every package that is imported is pinned to one version, so that the city runs what the tests ran."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import packages_distributions

import pytest

from tests.tree import ROOT, files

OURS = {path.partition("/")[0].removesuffix(".py") for path in files(".py", ".tac")} | {"audit"}
DEVELOPMENT = ("tests/", "bench/", ".ci/")
BUILDERS = ("dispatch/roads_build.py", "dispatch/roads_tool.py")
"""Run by ./run build-graph alone; nothing of the server imports them."""
_PIN = re.compile(r"([A-Za-z0-9._-]+)(\[[a-z,]+\])?==[0-9][0-9A-Za-z.]*(; .+)?")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(name: str) -> set[str]:
    """The distributions of a file, and of those that it names."""
    found: set[str] = set()
    for line in (ROOT / name).read_text("utf-8").splitlines():
        if line.startswith("-r "):
            found |= pinned(line[3:])
        elif line and not line.startswith("#"):
            pin = _PIN.fullmatch(line)
            assert pin, f"{name}: {line} is not pinned to one version"
            found.add(normal(pin[1]))
    return found


def imported(path: str) -> set[str]:
    """The packages that a module of ours imports, by their outermost name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.partition(".")[0])
    return found - OURS - sys.stdlib_module_names


def part(path: str) -> str:
    """Whose requirements hold for a module."""
    if path.startswith(DEVELOPMENT):
        return "requirements-dev.txt"
    return "requirements-roads.txt" if path in BUILDERS else "requirements.txt"


@pytest.mark.parametrize("requirements", ["requirements.txt", "requirements-roads.txt", "requirements-dev.txt"])
def test_what_is_imported_is_pinned(requirements: str) -> None:
    brought, pins = packages_distributions(), pinned(requirements)
    missing = {
        (path, package)
        for path in files(".py", ".tac")
        if part(path) == requirements
        for package in imported(path)
        if not pins & {normal(name) for name in brought.get(package, [package])}
    }
    assert missing == set()
