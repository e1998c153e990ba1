"""What the pages say is so: commands, ports, links, columns, numbers, log fields."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from pathlib import Path

import pytest

from storage import config
from storage.backup import LEFT_OUT
from storage.backup_files import About
from storage.upgrade import FORMAT, NEEDED, STEPS
from tests.server import Server, basic, until
from tests.tree import ROOT, files
from tests.webmap.devices import now_ms, phone_report
from tests.webmap.test_api import DOCUMENT
from tracker.catalogue import PORTS
from webmap import tables

PAGES = [path for path in files(".md") if not path.startswith("tests/")]
READMES = ["README.md", "README.zh.md"]


def read(path: str) -> str:
    return (ROOT / path).read_text("utf-8")


def blocks(text: str, language: str = "sh") -> str:
    return "\n".join(re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL))


def words(text: str) -> set[str]:
    """What stands in backticks."""
    return set(re.findall(r"`([^`\n]+)`", text))


def section(page: str, head: str) -> str:
    found = re.search(rf"^## {re.escape(head)}\n(.*?)(?=^## |\Z)", read(page), re.DOTALL | re.MULTILINE)
    assert found, f"{page} has no section {head}"
    return found[1]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = re.sub(r"```.*?```", "", read(page), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert ((ROOT / page).parent / target).exists(), f"{page} links {target}"


@pytest.mark.parametrize("page", [*READMES, "docs/operations.md"])
def test_commands_exist(page: str) -> None:
    commands = re.findall(r"^\s*(\./\S+)", blocks(read(page)), re.MULTILINE)
    assert commands
    for command in commands:
        assert (ROOT / command).stat().st_mode & 0o111, command
    usage = read("run")
    for option in re.findall(r"\./run .*?(--[a-z-]+)", blocks(read(page))):
        assert option in usage + read("webmap/importer.py"), option


@pytest.mark.parametrize("page", READMES)
def test_ports_are_the_defaults(page: str) -> None:
    settings = config.defaults(PORTS)
    doors = [settings.console, settings.field, settings.jt808, settings.handheld, settings.phones]
    doors += settings.trackers.values()
    assert [int(port) for port in re.findall(r"^\| (\d+) \|", read(page), re.MULTILINE)] == [one.port for one in doors]
    assert f"http://127.0.0.1:{settings.console.port}" in read(page)
    assert f":{settings.phones.port}" in read(page)


def test_both_readmes_say_the_same() -> None:
    english, chinese = map(read, READMES)
    for pattern in (r"^#+ ", r"^```", r"^\| ", r"^\d\. ", r"\]\((?!README)[^)]+\)"):
        assert len(re.findall(pattern, english, re.MULTILINE)) == len(re.findall(pattern, chinese, re.MULTILINE))
    routes = [
        set(re.findall(r"/api/v1/\S*?(?=[`\s])|\./run\b|\./test\b|/healthz|/metrics", one))
        for one in (english, chinese)
    ]
    assert routes[0] == routes[1]


def test_the_example_of_settings_holds_the_defaults() -> None:
    example = tomllib.loads(read("city.toml.example"))
    for name in ("console", "field", "jt808", "handheld", "phones"):
        assert example[name]["port"] == getattr(config.defaults(PORTS), name).port
    for name, port in PORTS.items():
        assert example[name]["port"] == port


def test_routes_that_pages_name_exist() -> None:
    for page in PAGES:
        for route in re.findall(r"/api/v1/[a-z_.-]+(?:/\{\w+\}[a-z/]*)?", read(page)):
            known = {re.sub(r"\{\w+\}", "{}", path) for path in DOCUMENT["paths"]}
            assert re.sub(r"\{\w+\}", "{}", route.rstrip("./")) in known, f"{page}: {route}"


def test_the_columns_of_tables_are_listed() -> None:
    text = section("docs/operations.md", "Importing people, devices and grids")
    for columns in (tables.PEOPLE, tables.DEVICES):
        for key, heads in columns.items():
            row = re.search(rf"^\| `{key}` \| (.*?) \|", text, re.MULTILINE)
            assert row, key
            assert words(row[1]) <= set(heads), f"{key}: {words(row[1]) - set(heads)}"
            assert len(words(row[1])) >= 2


def test_what_is_not_in_a_backup_is_said() -> None:
    text = section("docs/operations.md", "Backup and restore")
    left_out = LEFT_OUT - {"restoring", "lost+found"}  # of which no operator ever hears
    assert left_out <= words(text)
    about = re.search(r"^\| `backup\.json` \| (.*?) \|$", text, re.MULTILINE)
    assert about
    assert words(about[1]) == set(About.__slots__)


def test_every_format_of_the_data_folder_is_listed() -> None:
    rows = re.findall(r"^\| (\d+) (?:\(no file\) )?\|", section("docs/operations.md", "Upgrading"), re.MULTILINE)
    assert [int(row) for row in rows] == [1, *(step.to for step in STEPS)]
    assert STEPS[-1].to == FORMAT
    assert f"needs {NEEDED >> 20} MB free" in section("docs/operations.md", "Upgrading")


def test_the_commands_of_run_are_explained() -> None:
    text = "\n".join(map(read, PAGES))
    for command in set(re.findall(r"^\./run ([a-z][a-z-]*)", read("run"), re.MULTILINE)):
        assert re.search(rf"^\./run {command} ", blocks(text), re.MULTILINE), f"no page has ./run {command}"


def test_every_number_for_prometheus_is_listed() -> None:
    text = section("docs/operations.md", "Health")
    source = read("webmap/metrics.py") + read("webmap/dispatch_health.py")
    made = re.findall(r"(Counter|Gauge)MetricFamily\(\s*\"(\w+)\"", source)
    wanted = {name + ("_total" if kind == "Counter" else "") for kind, name in made}
    assert {word.partition("{")[0] for word in words(text) if word.startswith("gridbeat_")} == wanted


def test_every_problem_of_health_is_listed() -> None:
    known = set(
        DOCUMENT["components"]["schemas"]["Health"]["properties"]["problems"]["items"]["properties"]["what"]["enum"]
    )
    assert set(re.findall(r"^\| `(\w+)` \|", section("docs/operations.md", "Health"), re.MULTILINE)) >= known
    parts = ("health", "storage_health", "door_health", "dispatch_health")
    source = "".join(read(f"webmap/{part}.py") for part in parts)
    assert set(re.findall(r"problem\(\s*\"(\w+)\"", source)) == known


def test_every_field_of_the_log_is_listed() -> None:
    rows = re.findall(r"^\| `(gridbeat[\w.]*)` \| (.*?) \|$", section("docs/operations.md", "The log"), re.MULTILINE)
    listed = {namespace: words(fields) for namespace, fields in rows}
    found: dict[str, set[str]] = {}
    for path in files(".py", ".tac"):
        if path.startswith(("tests/", "bench/", "simulator/")):
            continue
        source = read(path)
        namespace = re.search(r'Logger\(namespace="([\w.]+)"\)', source)
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and re.search(r"\b_?log\.(info|warn|error|failure)$", ast.unparse(node.func)):
                assert namespace, path
                fields = {one.arg for one in node.keywords if one.arg and one.arg != "failure"}
                found.setdefault(namespace[1], set()).update(fields)
    assert {name: fields for name, fields in found.items() if fields} == listed


@pytest.mark.parametrize("page", READMES)
def test_the_first_phone_gets_onto_the_map(page: str, tmp_path: Path) -> None:
    """Step by step as the page has it: the device as its command makes it, the phone as the app reports."""
    command = next(one for one in re.findall(r"```sh\n(.*?)```", read(page), re.DOTALL) if "curl" in one)
    body = re.search(r"-d '(.*?)'", command)
    kind = re.search(r"-H 'content-type: (.*?)'", command)
    assert body
    assert kind
    with Server(tmp_path) as server:
        path = command.split(f":{config.defaults(PORTS).console.port}")[1].strip()
        headers = {**basic(*server.login), "content-type": kind[1]}
        made = server.ask("POST", path, body[1].encode(), headers).json
        assert phone_report(server, made["external_id"], lat=31.2, lon=121.5, timestamp=now_ms() // 1000).status == 200
        unit = f"/api/v1/units/{made['unit']}"
        until("the phone is on the map", lambda: server.get(unit)["position"])
        assert server.get(unit)["name"] == json.loads(body[1])["name"]
