"""The importer: tables as offices keep them, mistakes by line, and a real server that takes what is right once."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.server import ROOT, Server
from tracker.catalogue import CATALOGUE
from webmap.tables import Layer, Table, TableError, Wishes, judge_devices, judge_people, read_file

PEOPLE = (
    "编号,姓名,类型,班组,街道,责任网格\nw1,王伟,采集员,一班,河东,东一\nw2,李娜,,一班,河东,\ncar1,巡查一号,车辆,机动,,\n"
)
ENCODINGS = ["utf-8", "utf-8-sig", "gb18030", "utf-16"]


def table(text: str, name: str = "people.csv") -> Table:
    read = read_file(name, text.encode())
    assert isinstance(read, Table)
    return read


def faults(text: str, name: str = "people.csv", **present: Any) -> list[str]:
    """What is said of a table, read and judged beside what is there."""
    with pytest.raises(TableError) as caught:
        judged(text, name, **present)
    return caught.value.problems


def judged(text: str, name: str = "people.csv", **present: Any) -> Wishes:
    read = table(text, name)
    if read.kind == "people":
        return judge_people(read, present.get("units", ()), present.get("grids", {}))
    return judge_devices(read, present.get("units", ()), present.get("devices", ()))


def unit(identity: str, name: str, **fields: Any) -> dict[str, Any]:
    return {"id": identity, "kind": "person", "name": name, "team": "", "street": "", "grid": None} | fields


def square(identity: str, west: float, **properties: Any) -> dict[str, Any]:
    ring = [[west, 31.0], [west + 0.01, 31.0], [west + 0.01, 31.01], [west, 31.01], [west, 31.0]]
    return {
        "type": "Feature",
        "properties": {"id": identity, **properties},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


def collection(*features: dict[str, Any]) -> str:
    return json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False, indent=1)


# Reading.


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_tables_as_spreadsheets_write_them(encoding: str, mark: str, ending: str) -> None:
    read = read_file("people.csv", PEOPLE.replace(",", mark).replace("\n", ending).encode(encoding))
    assert isinstance(read, Table)
    assert read.kind == "people"
    assert [row.line for row in read.rows] == [2, 3, 4]
    assert read.rows[0].cells == {
        "id": "w1", "name": "王伟", "kind": "采集员", "team": "一班", "street": "河东", "grid": "东一",
    }  # fmt: skip
    assert read.notes == []


@pytest.mark.parametrize(
    ("head", "kind", "columns"),
    [
        ("Name,Kind", "people", {"name", "kind"}),
        (" 姓名 *,班组", "people", {"name", "team"}),
        ("protocol,External ID,UNIT", "devices", {"protocol", "external_id", "unit"}),
        (
            "协议,终端手机号,车辆,来源网段,协议版本",
            "devices",
            {"protocol", "external_id", "unit", "networks", "header"},
        ),
    ],
)
def test_heads_say_which_table_it_is(head: str, kind: str, columns: set[str]) -> None:
    read = table(head + "\n" + ",".join("x" * len(head.split(","))))
    assert (read.kind, set(read.rows[0].cells)) == (kind, columns)


def test_a_column_that_nobody_reads_is_mentioned() -> None:
    assert table("name,备注\nA,b\n").notes == ["people.csv:1: the column 备注 is not read"]


def test_lines_are_counted_as_an_editor_does() -> None:
    read = table('name,team\n\n,\n"A\nB",x\n\nC\n')
    assert [(row.line, row.cells["name"]) for row in read.rows] == [(4, "A\nB"), (7, "C")]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", ":1: the file is empty"),
        (b"name\nA\xff\xff\xff\n", ":2: this is no text in UTF-8 or GB18030"),
        (b"name\nA\0B\n", ":2: this is no text"),
        (b"\xff\xfea", ":1: this is no text"),
        (b"wer,was\na,b\n", ":1: no column heads are known here"),
        ("姓名,name\na,b\n".encode(), ":1: 姓名 and name mean the same column"),
        (b"name,team\nA,b\nC,d,e\n", ":3: 3 cells under 2 heads"),
        (b'name,team\nA,"b\nC,d\n', "is a quotation mark missing?"),
        (b'{"type":\n nothing}', ":2: this is no JSON"),
        (b'{"type": "Feature"}', ":1: not a GeoJSON FeatureCollection"),
        (b"[" * 100_000, ":1: this is no "),
    ],
)
def test_what_cannot_be_read(data: bytes, told: str) -> None:
    with pytest.raises(TableError) as caught:
        read_file("people.csv", data)
    assert told in caught.value.problems[0]
    assert caught.value.problems[0].startswith("people.csv:")


def test_a_mistake_in_geojson_is_named_by_its_line() -> None:
    text = collection(square("g1", 121.0), square("", 121.1), square("g3", 121.2, level="room"), square("g1", 121.3))
    lines = text.split("\n")
    starts = [number for number, line in enumerate(lines, 1) if line == "  {"]
    with pytest.raises(TableError) as caught:
        read_file("grids.geojson", text.encode())
    assert [problem.split(": ")[0] for problem in caught.value.problems] == [
        f"grids.geojson:{starts[1]}", f"grids.geojson:{starts[2]}", f"grids.geojson:{starts[3]}",
    ]  # fmt: skip
    assert "level" in caught.value.problems[1]
    assert "used twice" in caught.value.problems[2]


def test_grids_in_any_encoding() -> None:
    for encoding in ENCODINGS:
        read = read_file("g.json", collection(square("g1", 121.0, name="东一")).encode(encoding))
        assert isinstance(read, Layer)
        assert read.areas[0].name == "东一"


# People.


def test_people_are_new_amended_or_as_they_are() -> None:
    units = [unit("w1", "王伟", team="一班", street="河东", grid="g1"), unit("w2", "李娜", team="二班", street="河东")]
    wishes = judged(PEOPLE, units=units, grids={"东一": "g1", "g1": "g1"})
    assert wishes.unchanged == 1
    assert [(line, fields["id"], fields["team"]) for line, fields in wishes.amended] == [(3, "w2", "一班")]
    assert [(line, fields["id"], fields["kind"]) for line, fields in wishes.new] == [(4, "car1", "vehicle")]


def test_a_column_that_is_missing_changes_nothing() -> None:
    units = [unit("v1", "Van", kind="vehicle", team="t", street="s", grid="g1")]
    assert judged("id,name\nv1,Van\n", units=units).unchanged == 1
    assert judged("id,name,team\nv1,Van,\n", units=units).amended[0][1] == units[0] | {"team": "", "grid": "g1"}


def test_people_without_ids_are_found_again() -> None:
    text = "name,team\nWang,a\nWang,a\nWang,b\nLi,a\nZhao,c\n"
    units = [unit("p1", "Wang", team="a"), unit("p2", "Wang", team="a"), unit("p3", "Wang", team="b"),
             unit("p4", "Li", team="a"), unit("p5", "Zhao", team="a")]  # fmt: skip
    wishes = judged(text, units=units)
    assert (wishes.unchanged, wishes.new) == (4, [])
    assert [fields["id"] for _, fields in wishes.amended] == ["p5"], "the only one of that name has changed teams"
    # With a vehicle of the same name, and with one Wang more than before.
    wishes = judged(text + "Wang,a\n", units=[*units, unit("v1", "Wang", kind="vehicle", team="a")])
    assert [line for line, _ in wishes.new] == [7]


def test_everything_that_is_wrong_with_people_at_once() -> None:
    text = (
        f"id,name,kind,team,grid\na,,person,t,g1\nb,B,dog,t,\nb,C,,t,\na b,D,,t,\ne,E,,{'t' * 101},\nf,F,,t,nowhere\n"
    )
    assert faults(text, grids={"g1": "g1"}) == [
        "people.csv:2: there is no name",
        "people.csv:3: 'dog' is neither person (人员) nor vehicle (车辆)",
        "people.csv:4: the id b stands on line 3 too",
        "people.csv:5: the id 'a b' may hold up to 64 letters, digits, - and _",
        "people.csv:6: team is longer than 100 characters",
        "people.csv:7: there is no grid 'nowhere'",
    ]
    assert judged("name,grid\nA,g9\n").notes == ["people.csv:2: there is no grid 'g9' yet; import the grids too"]


# Devices.


UNITS = [unit("p1", "王伟"), unit("p2", "李娜"), unit("p3", "李娜"), unit("v1", "Van", kind="vehicle")]


def test_devices_are_new_or_there() -> None:
    text = (
        "协议,设备号,人员,来源网段,协议版本\n"
        "手持终端,h-1,王伟,,\n"
        "部标,013900000001,v1,,2013\n"
        'JT/T808,13900000002,v1,"10.0.0.0/8, 192.168.1.0/24",\n'
        "traccar,,p1,,\n"
        "osmand,,p2,,\n"
        "traccar,car-phone,,10.0.0.0/8；10.1.0.0/16,\n"
    )
    held = [
        {"id": "d1", "protocol": "jt808", "external_id": "13900000001", "unit": "p1"},
        {"id": "d2", "protocol": "traccar", "external_id": "abc", "unit": "p1"},
        {"id": "d3", "protocol": "traccar", "external_id": "car-phone", "unit": "p2"},
    ]
    wishes = judged(text, "devices.csv", units=UNITS, devices=held)
    assert [fields for _, fields in wishes.new] == [
        {"protocol": "handheld", "external_id": "h-1", "unit": "p1"},
        {"protocol": "jt808", "external_id": "13900000002", "unit": "v1", "networks": ["10.0.0.0/8", "192.168.1.0/24"]},
        {"protocol": "traccar", "external_id": "", "unit": "p2"},
    ]
    assert wishes.unchanged == 3
    assert wishes.notes == ["devices.csv:3: d1 is there already, carried by p1; not changed"]


def test_everything_that_is_wrong_with_devices_at_once() -> None:
    text = (
        "protocol,external_id,unit,networks,header\n"
        "gps,1,p1,,\n"
        "jt808,12ab,p1,,\n"
        "jt808,1.39E+10,p1,,\n"
        "handheld,,p1,,\n"
        "traccar,,,,\n"
        "handheld,h1,nobody,,\n"
        "handheld,h2,李娜,,\n"
        "handheld,h3,p1,10.0.0.1/8,\n"
        "jt808,0139,v1,,2020\n"
        "jt808,139,v1,,\n"
    )
    assert [one.split(": ", 1) for one in faults(text, "devices.csv", units=UNITS)] == [
        ["devices.csv:2", "the protocol 'gps' is none of " + ", ".join(CATALOGUE)],
        ["devices.csv:3", "a JT/T 808 terminal number has up to 20 digits, not '12ab'"],
        [
            "devices.csv:4",
            "the spreadsheet has rounded 1.39E+10: format that column as text and enter the number again",
        ],
        ["devices.csv:5", "there is no external id"],
        ["devices.csv:6", "a phone needs a unit or an external id"],
        ["devices.csv:7", "there is no unit 'nobody'; import the people first, or together with the devices"],
        ["devices.csv:8", "2 units are called '李娜'; name one by its id: p2, p3"],
        ["devices.csv:9", "'10.0.0.1/8' is no network such as 10.0.0.0/8 (10.0.0.1/8 has host bits set)"],
        ["devices.csv:10", "the header is 2011, 2013 or 2019, not '2020'"],
        ["devices.csv:11", "the device 139 stands on line 10 too"],
    ]


# With a server.


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("importer")) as running:
        yield running


class Folder:
    """Files to import, and the command."""

    def __init__(self, path: Path, server: Server) -> None:
        self.path = path
        self.server = server

    def put(self, name: str, text: str, encoding: str = "utf-8") -> str:
        (self.path / name).write_bytes(text.encode(encoding))
        return name

    def call(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        known = {key: value for key, value in os.environ.items() if not key.startswith("GRIDBEAT_")}
        return subprocess.run(
            [sys.executable, "-P", "-m", "webmap.importer", *words],
            cwd=self.path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
            env={**known, "PYTHONPATH": str(ROOT), "GRIDBEAT_CONFIG": str(self.server.config),
                 "http_proxy": "http://127.0.0.1:9", **environment},
        )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, server: Server) -> Folder:
    return Folder(tmp_path, server)


def test_a_city_goes_in_once(folder: Folder, server: Server) -> None:
    features = [
        square("c1", 121.001, level="cell", parent="g1"),
        square("g1", 121.0, name="东一"),
        square("g2", 121.1, name="东二"),
    ]
    files = [
        folder.put("devices.csv", "协议,设备号,人员\n手持,h-1,王伟\n手机,,w2\n部标,013800000001,car1\n", "gb18030"),
        folder.put("people.csv", PEOPLE, "gb18030"),
        folder.put("grids.geojson", collection(*features), "utf-8-sig"),
    ]
    done = folder.call(*files, "--out", "tokens.csv")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "grids.geojson: 3 grids and cells are in, 0 were there as they are",
        "people.csv: 3 new units, 0 amended, 0 were there as they are",
        "devices.csv: 3 devices registered, 0 were there already",
        "3 tokens: tokens.csv (only you can read it)",
    ]
    units = {one["id"]: one for one in server.get("/api/v1/units")["units"]}
    assert {key: (one["name"], one["kind"], one["team"], one["grid"]) for key, one in units.items()} == {
        "w1": ("王伟", "person", "一班", "g1"),
        "w2": ("李娜", "person", "一班", None),
        "car1": ("巡查一号", "vehicle", "机动", None),
    }
    out = folder.path / "tokens.csv"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    tokens = list(csv.DictReader(io.StringIO(out.read_text("utf-8"))))
    assert [(one["protocol"], one["unit"], one["name"]) for one in tokens] == [
        ("handheld", "w1", "王伟"), ("traccar", "w2", "李娜"), ("jt808", "car1", "巡查一号"),
    ]  # fmt: skip
    assert [len(one["token"]) for one in tokens] == [26, 0, 26]
    assert len(tokens[1]["external_id"]) == 15, "what is typed into the phone's app"

    again = folder.call(*files, "--out", "other.csv")
    assert again.returncode == 0, again.stderr
    assert again.stderr.splitlines() == [
        "grids.geojson: 0 grids and cells are in, 3 were there as they are",
        "people.csv: 0 new units, 0 amended, 3 were there as they are",
        "devices.csv: 0 devices registered, 3 were there already",
    ]
    assert not (folder.path / "other.csv").exists()

    more = folder.call(folder.put("more.csv", "protocol,external_id,unit\nhandheld,h-2,car1\n"), "--out", "tokens.csv")
    assert more.returncode == 0, more.stderr
    assert len(out.read_text("utf-8").splitlines()) == 5, "an older table is added to, under one head"
    assert [one["external_id"] for one in csv.DictReader(io.StringIO(out.read_text("utf-8")))][3] == "h-2"


def test_tokens_come_on_the_terminal_otherwise(folder: Folder) -> None:
    done = folder.call(folder.put("d.csv", "protocol,external_id\nhandheld,terminal-1\n"))
    assert done.returncode == 0, done.stderr
    (made,) = csv.DictReader(io.StringIO(done.stdout))
    assert (made["external_id"], made["name"], len(made["token"])) == ("terminal-1", "terminal-1", 26)


def test_nothing_goes_in_when_anything_is_wrong(folder: Folder, server: Server) -> None:
    before = len(server.get("/api/v1/units")["units"])
    people = folder.put("people.csv", "name\nA\n")
    devices = folder.put("devices.csv", "protocol,external_id,unit\nhandheld,h-9,A\nhandheld,h-10,B\n")
    done = folder.call(people, devices)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "devices.csv:3: there is no unit 'B'; import the people first, or together with the devices",
        "Nothing was imported.",
    ]
    done = folder.call(people, "nowhere.csv", folder.put("bad.geojson", "{"))
    assert done.returncode == 1
    assert "nowhere.csv: no such file" in done.stderr
    assert "bad.geojson:1: " in done.stderr
    done = folder.call(people, "--out", "no/such/folder.csv")
    assert done.returncode == 1
    assert "nothing was imported" in done.stderr
    assert len(server.get("/api/v1/units")["units"]) == before


def test_what_the_server_refuses_is_named_by_its_line(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else registers the same device between the look and the sending."""
    from webmap import importer

    class Late(importer.Api):
        def ask(self, method: str, path: str, body: Any = None) -> Any:
            if method == "POST" and path == "/api/v1/devices":
                folder.server.register("handheld", "raced")
            return super().ask(method, path, body)

    files = [table("protocol,external_id\nhandheld,first\nhandheld,raced\nhandheld,last\n", "devices.csv")]
    told, tokens = io.StringIO(), io.StringIO()
    api = Late(f"http://127.0.0.1:{folder.server.ports['console']}")
    assert api.log_in(*folder.server.login)
    assert importer.Import(api, files, told, importer.Tokens(None, tokens)).run() is False
    lines = told.getvalue().splitlines()
    assert lines[0].startswith("devices.csv:3: not registered: this device is registered already as d")
    assert lines[1] == "devices.csv: 2 devices registered, 0 were there already, 1 refused"
    assert [line.split(",")[2] for line in tokens.getvalue().splitlines()] == ["external_id", "first", "last"]


def test_what_went_in_before_it_broke_is_told(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    from webmap import importer

    class Breaking(importer.Api):
        posts = 0

        def ask(self, method: str, path: str, body: Any = None) -> Any:
            self.posts += method == "POST" and path == "/api/v1/units"
            if self.posts == 3 and method == "POST":
                raise importer.Failed("the server at x cannot be asked: gone")
            return super().ask(method, path, body)

    monkeypatch.setitem(importer.AT_ONCE, "units", 2)
    people = table("name\n" + "".join(f"broken-{n}\n" for n in range(6)))
    api = Breaking(f"http://127.0.0.1:{folder.server.ports['console']}")
    assert api.log_in(*folder.server.login)
    run = importer.Import(api, [people], io.StringIO(), importer.Tokens(None, io.StringIO()))
    with pytest.raises(importer.Failed, match=r"people\.csv: 4 of 6 units are in, perhaps some more; .* same files"):
        run.run()
    names = [one["name"] for one in folder.server.get("/api/v1/units")["units"]]
    assert sorted(name for name in names if name.startswith("broken")) == [f"broken-{n}" for n in range(4)]
    api.posts = 9
    assert importer.Import(api, [people], io.StringIO(), importer.Tokens(None, io.StringIO())).run() is True
    names = [one["name"] for one in folder.server.get("/api/v1/units")["units"]]
    assert sorted(name for name in names if name.startswith("broken")) == [f"broken-{n}" for n in range(6)]


def test_logins(folder: Folder, server: Server) -> None:
    people = folder.put("people.csv", "id,name\nlog1,L\n")
    name, password = server.login
    (folder.path / "password").write_text(password + "\n")
    (folder.path / "wrong").write_text("no\n")
    note = server.data / "first-login.txt"
    kept = note.read_text()
    try:
        note.unlink()
        done = folder.call(people)
        assert done.returncode == 1
        assert "no password: give --password-file or GRIDBEAT_PASSWORD" in done.stderr
        assert folder.call(people, "--user", name, "--password-file", "password").returncode == 0
        assert folder.call(people, GRIDBEAT_USER=name, GRIDBEAT_PASSWORD=password).returncode == 0
        done = folder.call(people, "--password-file", "wrong")
        assert (done.returncode, "does not take the password of admin" in done.stderr) == (1, True)
        assert "No such file" in folder.call(people, "--password-file", "none").stderr
    finally:
        note.write_text(kept)


def test_an_account_with_a_second_step_is_asked_for_a_code(monkeypatch: pytest.MonkeyPatch) -> None:
    from webmap import importer

    sent: list[Any] = []

    class Careful(importer.Api):
        def ask(self, method: str, path: str, body: Any = None) -> Any:
            sent.append(body)
            if "code" not in body:
                raise importer.Refused(401, "this account asks for a code too", code="code_needed")
            return {"token": "t"}

    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: False))
    with pytest.raises(importer.Failed, match="has two-step sign-in"):
        Careful("http://127.0.0.1:1").log_in("li", "p")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("builtins.input", lambda question: "123456")
    assert Careful("http://127.0.0.1:1").log_in("li", "p")
    assert sent[-1] == {"name": "li", "password": "p", "code": "123456"}


def test_no_server_or_another(folder: Folder) -> None:
    people = folder.put("people.csv", "name\nA\n")
    done = folder.call(people, "--url", "http://127.0.0.1:9")
    assert done.returncode == 1
    assert "no server answers at http://127.0.0.1:9. Start it first (./run" in done.stderr
    done = folder.call(people, "--url", f"http://127.0.0.1:{folder.server.ports['phones']}")
    assert done.returncode == 1
    assert "is not Gridbeat" in done.stderr
    folder.put("bad.toml", "[console]\nport = 'x'\n")
    done = folder.call(people, "--config", "bad.toml")
    assert (done.returncode, "bad.toml:2: [console] port" in done.stderr) == (1, True)
    assert folder.call().returncode == 2
