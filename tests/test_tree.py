"""What holds for every file: nothing is fetched from strangers, nothing outgrows its reader."""

from __future__ import annotations

import ast
import re

import pytest

from tests.tree import ROOT, files

LINES = 500
TEST_LINES = 600
"""Tests are tables and may be longer."""

# In pieces, or this file would be the first to be found. Hosts of scripts and fonts, and of package registries: a
# closed network has none of them, and a page that asks for one waits or leaks who is looking.
STRANGERS = re.compile(
    "|".join(
        re.escape(first + second)
        for first, second in (
            ("cdn", "."),
            ("cdn", "js"),
            ("js", "delivr"),
            ("unpkg", ".com"),
            ("code.", "jquery.com"),
            ("bootstrap", "cdn"),
            ("google", "apis.com"),
            ("g", "static.com"),
            ("font", "awesome.com"),
            ("pypi", ".org"),
            ("python", "hosted.org"),
            ("npm", "js.com"),
            ("npm", "js.org"),
            ("crates", ".io"),
        )
    ),
    re.IGNORECASE,
)
TEXT = (".py", ".js", ".css", ".html", ".md", ".txt", ".toml", ".tac", ".lua", ".example", ".sh")


def test_strangers_are_recognised() -> None:
    assert STRANGERS.search("https://cdn" + ".example/leaflet.js")
    assert STRANGERS.search("//fonts.google" + "apis.com")
    assert not STRANGERS.search("http://127.0.0.1:8080/static/app.js")


def test_nothing_is_fetched_from_strangers() -> None:
    paths = files(*TEXT, "run", "test")
    assert "run" in paths
    assert ".ci/run" in paths
    found = []
    for path in paths:
        for number, line in enumerate((ROOT / path).read_text("utf-8").splitlines(), 1):
            if STRANGERS.search(line):
                found.append(f"{path}:{number}: {line.strip()}")
    assert found == []


def test_no_file_outgrows_its_reader() -> None:
    found = []
    for path in files(".py", ".js"):
        count = (ROOT / path).read_text("utf-8").count("\n")
        if count > (TEST_LINES if path.startswith("tests/") else LINES):
            found.append(f"{path}: {count} lines")
    assert found == []


def test_every_module_says_what_it_is() -> None:
    bare = []
    for path in files(".py"):
        source = (ROOT / path).read_text("utf-8")
        if source.strip() and not ast.get_docstring(ast.parse(source)):
            bare.append(path)
    assert bare == []


def test_every_folder_with_modules_is_a_package() -> None:
    paths = files(".py")
    # .ci holds commands, nothing that is imported.
    folders = {path.rpartition("/")[0] for path in paths if "/" in path} - {".ci"}
    assert [folder for folder in sorted(folders) if f"{folder}/__init__.py" not in paths] == []


@pytest.mark.parametrize("name", ["run", "test", ".ci/run"])
def test_commands_can_be_called(name: str) -> None:
    assert (ROOT / name).stat().st_mode & 0o111 == 0o111
    assert (ROOT / name).read_text("utf-8").startswith("#!/usr/bin/env bash\n")
