"""An export holds everything of one person and nothing of another, from wherever it lies."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as XML
import zipfile
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from storage.archive.chain import Chain, line_of
from storage.archive.layout import FIXES, PHOTOS
from storage.exports import Export, announce, file_of, half_of
from tests.traces import traces
from tests.tracker.helpers import record
from tests.tracker.persons import ACCOUNT_NAME, DEVICES, GONE, LATITUDES, NAMES, STAYS, People
from tracker import archive_export
from tracker.archive_export import ExportFailed, export_person
from tracker.export_files import device_told, duty_told, flags, gpx, message_row, moment, plain, point_row, table
from tracker.model import FOREVER, Doubt, Duty, Mark, UnitId

GPX = "{http://www.topografix.com/GPX/1/1}"


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Any:
    found = People(tmp_path_factory.mktemp("people"))
    yield found
    found.bench.close()


def export(people: People, ticket: str = "t", **others: Any) -> dict[str, Any]:
    announce(people.data, Export(ticket, GONE, people.now))
    about = {"unit": {"id": GONE, "name": NAMES[GONE]}, "devices": [{"id": DEVICES[GONE]}], "duties": []}
    given = {"ticket": ticket, "unit": GONE, "upto": people.bench.journal.last, "about": about, "floor": 0} | others
    result: dict[str, Any] = people.do("export_person", **given)
    return result


def test_it_holds_everything_and_nothing_of_others(people: People, tmp_path: Path) -> None:
    result = export(people)
    with zipfile.ZipFile(file_of(people.data, "t")) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        archive.extractall(tmp_path)
    rows = [row for name in names if name.startswith("points/")
            for row in csv.DictReader(io.StringIO((tmp_path / name).read_text("utf-8-sig")))]  # fmt: skip
    # Each day five, one that came a day late, one with a value that no column holds; one supplement; one not sealed.
    assert len(rows) == result["points"] == 10 * 7 + 1 + 1
    found = sorted(round(float(row["latitude"]) * 1e7) for row in rows)
    expected = [LATITUDES[GONE] + 100 * day + n for day in range(10) for n in (0, 1, 2, 3, 4, 50, 60)]
    assert found == sorted([*expected, LATITUDES[GONE] + 77, LATITUDES[GONE] + 9999])
    assert {row["device"] for row in rows} == {DEVICES[GONE]}
    assert {row["readings"] for row in rows if row["readings"]} == {f'{{"battery":{50 + n}}}' for n in range(5)}
    days = sorted(name[7:17] for name in names if name.startswith("points/"))
    assert sorted(name[7:17] for name in names if name.startswith("tracks/")) == days
    points = 0
    for day in days:
        track = XML.parse(tmp_path / "tracks" / f"{day}.gpx").getroot()
        points += len(track.findall(f".//{GPX}trkpt"))
        assert track.findtext(f".//{GPX}name") == f"{NAMES[GONE]} {day}"
    assert points == len(rows)
    assert len([name for name in names if name.startswith("messages/")]) == 10

    history = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert [one["type"] for one in history] == ["unit", "duty", "device", "account"]
    assert history[3]["fields"] == {
        "name": ACCOUNT_NAME, "role": "collector", "unit": GONE, "streets": [], "teams": [], "disabled": False,
    }  # fmt: skip
    assert "token_serial" not in history[2]["fields"]
    assert history[2]["fields"]["external_id"] == "ext-gone-55"
    commands = (tmp_path / "commands.jsonl").read_text().splitlines()
    assert len(commands) == 20
    looked = list(csv.DictReader(io.StringIO((tmp_path / "looked_at.csv").read_text("utf-8-sig"))))
    assert [(row["account"], row["what"]) for row in looked] == [("leader", "track")] * 11
    assert {row["reason"] for row in looked} == {f"asks for {NAMES[GONE]}"}
    assert [row["time"] for row in looked] == sorted(row["time"] for row in looked)
    # Only while the account was theirs, and not at whom.
    deeds = list(csv.DictReader(io.StringIO((tmp_path / "account.csv").read_text("utf-8-sig"))))
    assert [(row["account"], row["what"], row["unit"]) for row in deeds] == [
        (ACCOUNT_NAME, "login", ""), (ACCOUNT_NAME, "track", ""),
    ]  # fmt: skip
    assert not [name for name in names if b"of-the-account" in (tmp_path / name).read_bytes()]
    photos = list(csv.DictReader(io.StringIO((tmp_path / "photos.csv").read_text("utf-8-sig"))))
    assert len(photos) == result["photos"] == 10 + 10
    tasks = [json.loads(line)["fields"] for line in (tmp_path / "tasks.jsonl").read_text().splitlines()]
    assert [one["what"] for one in tasks] == ["offer", "decline"] * 10
    decisions = [json.loads(line) for line in (tmp_path / "decisions.jsonl").read_text().splitlines()]
    assert [one["chosen"] for one in decisions] == [True, False] * 10
    assert decisions[0]["known"][1] == [LATITUDES[GONE], 1_234_567_890]
    for name, count in (("problems", 20), ("sos", 20), ("webhooks", 10)):
        assert len((tmp_path / f"{name}.jsonl").read_text().splitlines()) == count
    for row in photos:
        assert (tmp_path / "photos" / row["file"]).read_bytes() == (people.data / "media" / row["file"]).read_bytes()
    places = [(LATITUDES[STAYS] + offset, 0) for offset in (0, 1, 50, 60, 77, 100, 9999)]
    assert traces(tmp_path, [STAYS, NAMES[STAYS], DEVICES[STAYS], "ext-stays", "cmd-of-stays"], places) == []
    assert not half_of(people.data, "t").exists()


def test_its_flags_are_those_of_the_closed_day(people: People) -> None:
    export(people)
    with zipfile.ZipFile(file_of(people.data, "t")) as archive:
        text = archive.read("points/2026-11-24.csv").decode("utf-8-sig")
    assert [row["flags"] for row in csv.DictReader(io.StringIO(text))] == ["", "backfill", "", "", "", "", ""]


def test_the_proof_is_what_the_chain_says(people: People) -> None:
    export(people)
    with zipfile.ZipFile(file_of(people.data, "t")) as archive:
        lines = archive.read("proof/fixes.jsonl").splitlines()
        heads = json.loads(archive.read("proof/heads.json"))
        photos = [json.loads(line) for line in archive.read("proof/photos.jsonl").splitlines()]
    chain = Chain(people.archive.layout.chain(FIXES))
    assert lines == [line_of(entry) for entry in chain.entries]
    assert heads[FIXES] == {"number": chain.head[0], "digest": chain.head[1]}
    sealed = people.archive.chains[PHOTOS].files()
    assert {one["file"] for one in photos} <= sealed.keys()
    assert len(photos) == len(sealed) // 2


def test_a_full_disk_refuses_it(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_export, "FREE", lambda folder: 99)
    with pytest.raises(ExportFailed, match="filling up"):
        export(people, "full", floor=100)
    assert not half_of(people.data, "full").exists()
    assert not file_of(people.data, "full").exists()


def test_what_fails_names_nobody(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Any:
        raise ValueError(f"something about {GONE}\nand more")

    monkeypatch.setattr(archive_export, "learned", broken)
    with pytest.raises(ExportFailed) as failed:
        export(people, "broken")
    assert str(failed.value) == "ValueError: something about …"


def test_a_damaged_day_is_named_and_the_others_are_there(tmp_path: Path) -> None:
    people = People(tmp_path)
    path = people.archive.layout.folder(FIXES) / "2026-11-23.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    assert export(people)["points"] == 72 - 7  # what came after it was closed is there still
    with zipfile.ZipFile(file_of(tmp_path, "t")) as archive:
        assert archive.read("unreadable.txt") == b"2026-11-23.parquet\n"
    people.bench.close()


def test_the_job_is_one_of_the_archivists() -> None:
    from tracker.archiving import JOBS

    assert JOBS["export_person"] is export_person


# -- tables


def test_times_are_told_in_iso() -> None:
    assert moment(None) == ""
    assert moment(1_795_435_200_001) == "2026-11-23T12:00:00.001Z"
    assert moment(1 << 62) == str(1 << 62)
    assert duty_told(Duty(UnitId("p"), 1, 0, FOREVER)) == {
        "number": 1,
        "start": "1970-01-01T00:00:00.000Z",
        "end": None,
    }
    assert duty_told(Duty(UnitId("p"), 2, 0, 1000))["end"] == "1970-01-01T00:00:01.000Z"


def test_a_table_is_safe_to_open() -> None:
    rows = [("=1+1", "-2+3", "a,b", 'q"q', -3), ("-2", "-2.5", "-1e9", "−2", "-"), ("@x", "+y", "\tz", "甲", 4)]
    text = "".join(table(("one", "two", "three", "four", "five"), rows))
    assert text.startswith("\ufeffone,")
    assert list(csv.reader(io.StringIO(text[1:])))[1:] == [
        ["'=1+1", "'-2+3", "a,b", 'q"q', "-3"], ["-2", "-2.5", "'-1e9", "−2", "'-"], ["'@x", "'+y", "'\tz", "甲", "4"],
    ]  # fmt: skip


def test_a_track_is_xml_whatever_somebody_is_called() -> None:
    points = [(record(), 0), (record(altitude=5), int(Doubt.JUMP)), (record(altitude=7), int(Doubt.SKEW))]
    text = "".join(gpx('<王 & "强">\x07', points))
    root = XML.fromstring(text)
    assert root.findtext(f".//{GPX}name") == '<王 & "强"> '
    assert [one.findtext(f"{GPX}ele") for one in root.findall(f".//{GPX}trkpt")] == [None, "7"]


def test_rows_hold_what_a_report_holds() -> None:
    one = record(speed=150, accuracy=55, marks=int(Mark.CONVERTED), original=(1, 2), items={"raw": ((1, b"\x02"),)})
    row = point_row(one, int(Doubt.SKEW), UTC)
    assert row[7] == 1.5
    assert row[9] == 5.5
    assert row[-4:] == ("converted skew", "0.0000001", "0.0000002", '{"raw":[[1,"02"]]}')
    assert message_row(record(None, None, None), UTC)[-1] == ""
    assert flags(int(Mark.BACKFILL), int(Doubt.JUMP)) == "backfill jump"
    assert plain({1: [b"\xff", {"a": None}]}) == {"1": ["ff", {"a": None}]}


def test_no_secret_is_handed_out() -> None:
    phone = {"protocol": "traccar", "external_id": "secret", "token_serial": 1, "id": "d1"}
    assert device_told(phone) == {"protocol": "traccar", "id": "d1"}
    handheld = {"protocol": "handheld", "external_id": "H-1", "token_serial": 1, "id": "d1"}
    assert device_told(handheld) == {"protocol": "handheld", "external_id": "H-1", "id": "d1"}
