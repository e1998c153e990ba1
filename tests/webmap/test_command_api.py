"""Commands over the API of a real server: what is taken and what is refused, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest

from protocols.jt808.client import MediaTaken, PhotoAsked
from tests.server import Server, until
from tests.webmap.devices import Handheld, Vehicle, now_ms
from tests.webmap.people import enter
from tests.webmap.test_api import check, error

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("commands")) as running:
        yield running


@pytest.fixture
def call(server: Server) -> Call:
    """Ask with a login; the answer's JSON after a look at the status and the schema."""

    def ask(method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        answer = check(method, path, server.api(method, path, body))
        assert answer.status == status, answer
        return answer.json

    return ask


@pytest.fixture(scope="module")
def terminal(server: Server) -> str:
    """The id of a JT/T 808 terminal that never comes."""
    return str(server.register("jt808", "13900000001")["id"])


def test_a_handheld_is_asked_where_it_is(call: Call, server: Server) -> None:
    made = server.register("handheld", "asked")
    assert made["commands"] == ["locate", "roll_call"]
    path = f"/api/v1/devices/{made['id']}/commands"
    with Handheld(server, "asked", made["token"]) as device:
        device.log_in()
        for ok, state in ((True, "done"), (False, "failed")):
            sent = call("POST", path, {"kind": "locate"}, status=202)
            assert (sent["state"], sent["answered"], sent["device"], sent["tries"]) == ("sent", None, made["id"], 1)
            assert sent["expires"] - sent["created"] == 60_000
            asked = device.command()
            assert (asked.id, asked.kind) == (sent["id"], "locate")
            device.done(asked.id, ok, "indoors")
            until("it has ended", lambda id=sent["id"]: call("GET", f"/api/v1/commands/{id}")["state"] != "sent")
            answered = call("GET", f"/api/v1/commands/{sent['id']}")
            assert (answered["state"], answered["text"]) == (state, "indoors")
            assert answered["created"] <= answered["answered"]
    assert [one["state"] for one in call("GET", path)["commands"]] == ["failed", "done"]
    # Who has asked where somebody is is on record before the device hears of it; twice in a minute is one look.
    (noted,) = server.get("/api/v1/access-log?what=command")["entries"]
    assert (noted["who"], noted["unit"]) == ("admin", made["unit"])
    assert noted["about"] == {"device": made["id"], "kind": "locate"}


def test_what_was_said_to_one_is_not_said_to_the_next(server: Server) -> None:
    ali, bao = (str(server.api("POST", "/api/v1/units", {"name": name}).json["units"][0]["id"]) for name in ("A", "B"))
    device = server.register("handheld", "shared", unit=ali)["id"]
    path = f"/api/v1/devices/{device}/commands"
    first = server.api("POST", path, {"kind": "locate"}).json["id"]
    assert server.api("POST", f"/api/v1/devices/{device}/binding", {"unit": bao}).status == 200
    second = server.api("POST", path, {"kind": "locate"}).json["id"]
    with enter(server, "said", role="collector", unit=bao) as collector:
        assert [one["id"] for one in collector.ask("GET", path).json["commands"]] == [second]
        assert collector.ask("GET", f"/api/v1/commands/{first}").status == 404
        assert collector.ask("GET", f"/api/v1/commands/{second}").status == 200
    assert [one["id"] for one in server.get(path)["commands"]] == [second, first]


def test_a_vehicle_is_asked_where_it_is(call: Call, server: Server) -> None:
    made = server.register("jt808", "013912345678")
    with Vehicle(server, "13912345678") as vehicle:
        assert vehicle.log_in() != made["token"], "JT/T 808 hands a fresh code out at each registration"
        fix = now_ms() // 1000 * 1000 - 60_000
        vehicle.report(fix, 311_500_000, 1_215_500_000, speed=1000)
        sent = call("POST", f"/api/v1/devices/{made['id']}/commands", {"kind": "locate"}, status=202)
        vehicle.terminal.position(fix + 30_000, 311_510_000, 1_215_500_000, speed=1000)
        vehicle.be_located()
        path = f"/api/v1/commands/{sent['id']}"
        until("it is answered", lambda: call("GET", path)["state"] == "done")
    until(
        "it is on the map", lambda: call("GET", f"/api/v1/units/{made['unit']}")["position"]["fix_time"] == fix + 30_000
    )


def test_a_device_that_is_away_is_told_when_it_comes(call: Call, server: Server) -> None:
    made = server.register("handheld", "later")
    path = f"/api/v1/devices/{made['id']}/commands"
    first, second = (call("POST", path, {"kind": "locate", "expires_s": 3600}, status=202) for _ in range(2))
    assert (first["state"], first["sent"], first["tries"], first["result"]) == ("queued", None, 0, None)
    assert [one["id"] for one in call("GET", path)["commands"]] == [second["id"], first["id"]]
    assert [one["id"] for one in call("GET", f"{path}?limit=1")["commands"]] == [second["id"]]
    cancelled = call("DELETE", f"/api/v1/commands/{first['id']}")
    assert (cancelled["state"], cancelled["answered"]) == ("cancelled", None)
    assert error(call("DELETE", f"/api/v1/commands/{first['id']}", status=409))[0] == "ended"
    with Handheld(server, "later", made["token"]) as device:
        device.log_in()
        assert device.command().id == second["id"], "what was cancelled is not told"


ALL_KINDS: list[dict[str, Any]] = [
    {"kind": "text", "text": "请到人民路 12 号"},
    {"kind": "text", "text": "Hello", "urgent": True, "display": False, "speak": True},
    {"kind": "locate"},
    {"kind": "follow", "interval": 10, "duration": 600},
    {"kind": "follow", "interval": 0},
    {"kind": "parameters", "values": {"report_s": 30, "0x0001": 60, "plate": "沪A12345"}},
    {"kind": "query_parameters"},
    {"kind": "query_parameters", "parameters": ["report_s", "0x0001"]},
    {
        "kind": "areas_set",
        "shape": "circle",
        "areas": [{"id": 1, "center": {"lat": 31.1, "lon": 121.5}, "radius": 200, "alarm_on_exit": False}],
    },
    {
        "kind": "areas_set",
        "shape": "rectangle",
        "areas": [{"id": 2, "north_west": {"lat": 31.2, "lon": 121}, "south_east": {"lat": 31, "lon": 121.2}}],
    },
    {
        "kind": "areas_set",
        "shape": "polygon",
        "areas": [{"id": 3, "points": [{"lat": 31, "lon": 121}, {"lat": 31.1, "lon": 121}, {"lat": 31, "lon": 121.1}]}],
    },
    {"kind": "areas_delete", "shape": "polygon", "ids": [3]},
    {"kind": "photo"},
    {"kind": "photo", "channel": 2, "count": 3, "interval": 5, "resolution": "320x240", "quality": 1},
]


@pytest.mark.parametrize("given", ALL_KINDS, ids=[f"{n}-{one['kind']}" for n, one in enumerate(ALL_KINDS)])
def test_every_kind_is_taken_and_shown(call: Call, terminal: str, given: dict[str, Any]) -> None:
    made = call("POST", f"/api/v1/devices/{terminal}/commands", {**given, "expires_s": 60}, status=202)
    assert made["kind"] == given["kind"]
    assert (
        made["arguments"].items()
        >= {name: value for name, value in given.items() if name not in ("kind", "areas", "expires_s")}.items()
    )
    assert call("GET", f"/api/v1/commands/{made['id']}") == made
    assert call("DELETE", f"/api/v1/commands/{made['id']}")["state"] == "cancelled"


@pytest.mark.parametrize(
    ("given", "code", "word"),
    [
        ({}, "bad_command", "kind must be one of text, locate"),
        ({"kind": "explode"}, "bad_command", "kind"),
        ({"kind": ["text"]}, "bad_command", "kind"),
        ([], "bad_command", "JSON object"),
        ({"kind": "locate", "now": True}, "bad_command", "now is not known"),
        ({"kind": "locate", "expires_s": 0}, "bad_command", "expires_s"),
        ({"kind": "text"}, "bad_command", "text is missing"),
        ({"kind": "text", "text": "\ud800"}, "bad_command", "cannot show"),
        ({"kind": "text", "text": "😀"}, "bad_command", "1f600"),
        ({"kind": "text", "text": "字" * 513}, "bad_command", "1024"),
        ({"kind": "text", "text": "a", "urgent": 1}, "bad_command", "urgent must be true or false"),
        ({"kind": "follow", "interval": 10}, "bad_command", "duration"),
        ({"kind": "parameters", "values": {"report_s": 0}}, "bad_command", "report_s"),
        ({"kind": "parameters", "values": {"speed": 0}}, "bad_command", "values.speed"),
        ({"kind": "parameters", "values": {"0x0029": 5, "report_s": 5}}, "bad_command", "twice"),
        ({"kind": "parameters", "values": {"0x0048": "13800000000"}}, "forbidden_command", "listening in"),
        ({"kind": "parameters", "values": {"listen_phone": ""}}, "forbidden_command", "listening in"),
        ({"kind": "listen", "phone": "138"}, "forbidden_command", "listening in"),
        ({"kind": "call"}, "forbidden_command", "listening in"),
        ({"kind": "areas_set", "shape": "circle", "areas": [{"id": 1}]}, "bad_command", "areas[0].center is missing"),
        ({"kind": "areas_set", "shape": "star", "areas": [{"id": 1}]}, "bad_command", "shape"),
        ({"kind": "photo", "count": 11}, "bad_command", "count must be a whole number from 1 to 10"),
        ({"kind": "photo", "resolution": "8k"}, "bad_command", "resolution must be one of 320x240"),
    ],
)
def test_what_cannot_be_asked(call: Call, terminal: str, given: Any, code: str, word: str) -> None:
    path = f"/api/v1/devices/{terminal}/commands"
    before = call("GET", path)
    found = error(call("POST", path, given, status=422))
    assert found[0] == code
    assert word in found[1]
    assert call("GET", path) == before


def test_who_cannot_be_asked(call: Call, server: Server) -> None:
    phone = server.register("traccar", "phone-1")
    handheld = server.register("handheld", "h-1")
    assert phone["commands"] == []
    for device, kind in ((phone, "locate"), (handheld, "photo")):
        path = f"/api/v1/devices/{device['id']}/commands"
        code, text = error(call("POST", path, {"kind": kind}, status=422))
        assert code == "not_supported"
        assert kind in text
    for method, path in (
        ("POST", "/api/v1/devices/d0/commands"),
        ("GET", "/api/v1/devices/d0/commands"),
        ("GET", "/api/v1/devices/d0/photos"),
        ("GET", "/api/v1/commands/none"),
        ("DELETE", "/api/v1/commands/none"),
        ("GET", "/api/v1/commands/none/photo/1"),
        ("GET", "/api/v1/photos/none"),
    ):
        body = {"kind": "locate"} if method == "POST" else None
        assert error(call(method, path, body, status=404))[0] == "not_found"


@pytest.mark.parametrize("limit", ["0", "1001", "ten", "-1", "٣"])
def test_limits_that_are_none(call: Call, terminal: str, limit: str) -> None:
    for what in ("commands", "photos"):
        found = call("GET", f"/api/v1/devices/{terminal}/{what}?limit={quote(limit)}", status=422)
        assert error(found)[0] == "bad_limit"


def test_a_queue_that_is_full(call: Call, server: Server) -> None:
    path = f"/api/v1/devices/{server.register('handheld', 'flooded')['id']}/commands"
    for _ in range(100):
        call("POST", path, {"kind": "locate", "expires_s": 3600}, status=202)
    assert error(call("POST", path, {"kind": "locate"}, status=409))[0] == "queue_full"
    assert len(call("GET", f"{path}?limit=1000")["commands"]) == 100


JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 20
PAGE = b"<html><script>alert(1)</script>"


def test_photos(call: Call, server: Server) -> None:
    made = server.register("jt808", "13912345699")
    path = f"/api/v1/devices/{made['id']}/photos"
    assert call("GET", path) == {"photos": []}
    with Vehicle(server, "13912345699") as vehicle:
        vehicle.log_in()
        id = call("POST", f"/api/v1/devices/{made['id']}/commands", {"kind": "photo", "channel": 2}, status=202)["id"]
        vehicle.terminal.photos(vehicle.wait(PhotoAsked), [JPEG])
        vehicle.flush()
        vehicle.wait(MediaTaken)
        vehicle.terminal.medium(PAGE, event=3)
        vehicle.flush()
        vehicle.wait(MediaTaken)
    until("it has ended", lambda: call("GET", f"/api/v1/commands/{id}")["state"] == "done")
    (photo,) = call("GET", f"/api/v1/commands/{id}")["result"]["photos"]
    assert photo["size"] == len(JPEG)
    for url in (photo["url"], f"/api/v1/commands/{id}/photo/1"):
        answer = check("GET", url, server.api("GET", url))
        assert (answer.status, answer.body, answer.headers["content-type"]) == (200, JPEG, "image/jpeg")
        assert "content-disposition" not in answer.headers
    for number in ("0", "2", "x", "\u0661"):
        assert call("GET", f"/api/v1/commands/{id}/photo/{quote(number)}", status=404)["error"]["code"] == "not_found"
    page, picture = call("GET", path)["photos"]
    assert (picture["id"], picture["command"], picture["channel"], picture["event"]) == (photo["id"], id, 2, 0)
    assert (page["command"], page["event"], page["type"]) == (None, 3, "application/octet-stream")
    assert call("GET", f"{path}?limit=1")["photos"] == [page]
    answer = check("GET", page["url"], server.api("GET", page["url"]))
    assert (answer.body, answer.headers["content-type"]) == (PAGE, "application/octet-stream")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert server.ask("GET", photo["url"]).status == 401
    for file in (server.data / "media").rglob("*.jpg"):
        file.unlink()
    assert error(call("GET", photo["url"], status=404))[0] == "not_found"
