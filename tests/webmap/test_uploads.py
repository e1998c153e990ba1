"""Photos and voice notes over the real server: from a phone on the street, killed on the way, to who may see them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from dispatch.evidence import PIECE
from tests.dispatch.test_copies import voice
from tests.server import Answer, Server, basic
from tests.webmap.people import Person, enter_all

NAME, UNIT = "司马长空", "staff-90417"
ROLES: dict[str, dict[str, Any]] = {
    "auditor": {"role": "auditor"},
    "dispatcher": {"role": "dispatcher"},
    "self": {"role": "collector", "unit": UNIT},
    "other": {"role": "collector", "unit": "staff-2"},
}


def picture(seed: int = 0, size: int = 700) -> bytes:
    """Large enough for several pieces."""
    out = io.BytesIO()
    noise = Image.effect_noise((size, size), 90).convert("RGB")
    noise.putpixel((0, 0), (seed, 0, 0))
    exif = Image.Exif()
    exif[0x010F] = "MakerOfPhones"
    noise.save(out, "JPEG", quality=98, exif=exif)
    return out.getvalue()


def sha_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Phone:
    """Sends files as docs/wire/uploads.md says."""

    def __init__(self, server: Server, device: dict[str, Any]) -> None:
        self.server, self.auth = server, basic(device["external_id"], device["token"])

    def where(self, sha: str) -> tuple[int, int] | None:
        told = self.server.ask("HEAD", f"/api/v1/uploads/{sha}", headers=self.auth, port="field")
        if told.status == 404:
            return None
        assert told.status == 200, told
        return int(told.headers["upload-offset"]), int(told.headers["upload-length"])

    def piece(self, data: bytes, at: int, size: int = PIECE, use: str = "task=t1&attempt=1", **others: Any) -> Answer:
        told = {"upload-offset": str(at), "upload-length": str(len(data)), "content-type": "image/jpeg"}
        headers = {**told, **self.auth, **others}
        path = f"/api/v1/uploads/{sha_of(data)}?{use}"
        return self.server.ask("PATCH", path, data[at : at + size], headers, port="field")

    def send(self, data: bytes, **others: Any) -> Answer:
        """All of it, from where it is."""
        at, _ = self.where(sha_of(data)) or (0, 0)
        while (told := self.piece(data, at, **others)).status == 200:
            at = told.json["offset"]
        return told


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("uploads")) as running:
        for id, name in ((UNIT, NAME), ("staff-2", "另一人")):
            assert running.api("POST", "/api/v1/units", {"id": id, "name": name, "street": "东街"}).status == 201
        yield running


@pytest.fixture(scope="module")
def device(server: Server) -> dict[str, Any]:
    return server.register("handheld", "H-77", unit=UNIT)


@pytest.fixture(scope="module")
def phone(server: Server, device: dict[str, Any]) -> Phone:
    return Phone(server, device)


@pytest.fixture(scope="module")
def people(server: Server) -> Iterator[dict[str, Person]]:
    found = enter_all(server, ROLES.items())
    yield found
    for one in found.values():
        one.__exit__()


def test_a_server_that_is_killed_goes_on_where_it_was(server: Server, phone: Phone) -> None:
    data = picture()
    assert len(data) > 3 * 100_000
    assert phone.where(sha_of(data)) is None
    told = phone.piece(data, 0, 100_000)
    assert (told.status, told.json) == (200, {"offset": 100_000})
    server.kill()
    server.start(well=False)
    assert phone.where(sha_of(data)) == (100_000, len(data))
    wrong = phone.piece(data, 0, 100_000)
    assert (wrong.status, wrong.code, wrong.json["offset"]) == (409, "offset", 100_000)
    done = phone.send(data)
    assert (done.status, done.json) == (201, {"photo": sha_of(data)})
    assert phone.where(sha_of(data)) == (len(data), len(data))
    assert phone.piece(data, len(data)).status == 201
    (kept,) = server.data.glob(f"media/*/{sha_of(data)}-*.jpg")
    assert kept.read_bytes() == data
    assert not list(server.data.glob("uploads/*"))


def test_who_does_not_say_who_it_is_uploads_nothing(server: Server, phone: Phone, device: dict[str, Any]) -> None:
    data = picture(1, 60)
    for headers in ({}, basic("H-77", "wrong"), basic("nobody", "x"), {"authorization": "Basic ?"}):
        given = {"upload-offset": "0", "upload-length": "9", "content-type": "image/jpeg", **headers}
        told = server.ask("PATCH", f"/api/v1/uploads/{sha_of(data)}?task=t&attempt=1", data, given, port="field")
        assert (told.status, told.code) == (401, "login")
        assert server.ask("HEAD", f"/api/v1/uploads/{sha_of(data)}", headers=headers, port="field").status == 401
    assert server.ask("HEAD", f"/api/v1/uploads/{sha_of(data)}", headers=phone.auth).status == 404  # of the console


@pytest.mark.parametrize(
    ("others", "status", "code"),
    [
        ({"use": "task=t1"}, 422, "bad_use"),
        ({"use": "task=t1&attempt=1&problem=e"}, 422, "bad_use"),
        ({"use": "task=t1&attempt=0"}, 422, "bad_use"),
        ({"use": f"problem={'e' * 65}"}, 422, "bad_use"),
        ({"upload-offset": "-1"}, 422, "bad_header"),
        ({"upload-length": "x"}, 422, "bad_header"),
        ({"upload-length": "10485761"}, 413, "too_long"),
        ({"upload-length": "3"}, 413, "too_long"),
        ({"upload-length": "0"}, 413, "too_long"),
        ({"content-type": "text/html"}, 415, "media"),
        ({"content-type": "audio/ogg", "upload-length": "2097153"}, 413, "too_long"),
        ({"upload-offset": "5"}, 409, "offset"),
    ],
)
def test_what_is_refused_says_why(phone: Phone, others: dict[str, str], status: int, code: str) -> None:
    told = phone.piece(picture(2, 60), 0, **others)
    assert (told.status, told.code) == (status, code)
    assert told.json["error"]["zh"]


def test_a_piece_has_a_size_and_a_name_a_form(server: Server, phone: Phone) -> None:
    data = picture(3, 900)
    assert len(data) > PIECE
    assert phone.piece(data, 0, PIECE + 1).status == 413
    headers = {"upload-offset": "0", "upload-length": "3", "content-type": "image/jpeg", **phone.auth}
    told = server.ask("PATCH", "/api/v1/uploads/no-digest?problem=e", b"abc", headers, port="field")
    assert (told.status, told.code) == (422, "bad_name")


def test_no_page_is_kept_and_none_is_shown(server: Server, phone: Phone, people: dict[str, Person]) -> None:
    page = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>" * 3
    told = phone.send(page)
    assert (told.status, told.code) == (415, "media")
    # What begins like a photo is kept as it came, and no browser is shown it.
    half = b"\xff\xd8\xff\xe0" + page
    assert phone.send(half).status == 201
    shown = people["dispatcher"].ask("GET", f"/api/v1/photos/{sha_of(half)}")
    assert (shown.status, shown.code) == (422, "no_copy")
    assert b"<svg" not in shown.body


def test_who_sees_a_copy_and_who_the_original(server: Server, phone: Phone, people: dict[str, Person]) -> None:
    data = picture(4, 400)
    assert phone.send(data, use="problem=e-1").status == 201
    shown = {name: one.ask("GET", f"/api/v1/photos/{sha_of(data)}") for name, one in people.items()}
    assert {name: one.status for name, one in shown.items()} == {
        "auditor": 200, "dispatcher": 200, "self": 200, "other": 404,
    }  # fmt: skip
    copy = shown["dispatcher"]
    assert copy.headers["content-type"] == "image/jpeg"
    assert b"MakerOfPhones" in data
    assert b"MakerOfPhones" not in copy.body
    assert Image.open(io.BytesIO(copy.body)).size == (400, 400)

    fetched = {name: one.ask("GET", f"/api/v1/originals/{sha_of(data)}") for name, one in people.items()}
    assert {name for name, one in fetched.items() if one.status == 200} == {"auditor"}
    assert {one.status for name, one in fetched.items() if name != "auditor"} == {403}
    original = fetched["auditor"]
    assert original.body == data
    assert original.headers["content-type"] == "application/octet-stream"
    assert original.headers["content-disposition"].startswith("attachment;")
    assert original.headers["x-content-type-options"] == "nosniff"
    assert people["auditor"].ask("GET", f"/api/v1/originals/{'0' * 64}").status == 404
    looks = server.get(f"/api/v1/access-log?unit={UNIT}")["entries"]
    assert {(one["who"], one["what"]) for one in looks if one["about"].get("photo") == sha_of(data)} == {
        ("auditor", "original"), ("auditor", "photo"), ("dispatcher", "photo"),
    }  # fmt: skip


def test_a_voice_note(phone: Phone, people: dict[str, Person]) -> None:
    data = voice("webm", "libopus")
    told = phone.send(data, use="problem=e-1", **{"content-type": "audio/webm;codecs=opus"})
    assert told.status == 201
    heard = people["dispatcher"].ask("GET", f"/api/v1/voice/{sha_of(data)}")
    assert (heard.status, heard.headers["content-type"], heard.body[:4]) == (200, "audio/ogg", b"OggS")
    assert people["dispatcher"].ask("GET", f"/api/v1/photos/{sha_of(data)}").status == 404
    assert people["other"].ask("GET", f"/api/v1/voice/{sha_of(data)}").status == 404


def test_refusals_are_counted(server: Server) -> None:
    refused = server.get("/api/v1/counters")["protocols"]["handheld"]["refused"]
    assert {"bad_token", "unknown_device", "upload_media", "upload_offset", "upload_too_long"} <= refused.keys()
