"""Tiles over HTTP: behind the login, kept by browsers, bounded; and the whole way from a settings file to a picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.web.test.requesthelper import DummyRequest

from storage.basemaps import Basemap
from storage.tile_files import TileFile
from storage.toml import ConfigError
from tests.server import Server
from tests.tiles import make_mbtiles, make_pmtiles, png
from webmap import tiles
from webmap.tiles import Tiles, open_all

PICTURE = png(2, lambda x, y: (10, 20, 30))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("city")
    make_pmtiles(folder / "city.pmtiles", {(3, 5, 2): PICTURE})
    with Server(folder, {"basemap": {"kind": "pmtiles", "file": "city.pmtiles"}}) as running:
        yield running


def test_a_tile_of_a_file(server: Server) -> None:
    cookie = {"cookie": f"session={server.session}"}
    answer = server.ask("GET", "/tiles/0/3/5/2", headers=cookie)
    assert (answer.status, answer.body) == (200, PICTURE)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["cache-control"] == "private, max-age=2592000"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    again = server.ask("GET", "/tiles/0/3/5/2", headers={**cookie, "if-none-match": answer.headers["etag"]})
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("0/3/2/5", 204),  # upside down there is nothing
        ("0/9/5/2", 204),
        ("0/3/8/2", 404),
        ("0/3/5/8", 404),
        ("0/23/0/0", 404),
        ("1/3/5/2", 404),
        ("0/3/5/-2", 404),
        ("0/3/5/x", 404),
        ("0/999999999999999999999/0/0", 404),
    ],
)
def test_tiles_that_are_not_there(server: Server, path: str, status: int) -> None:
    assert server.ask("GET", f"/tiles/{path}", headers={"cookie": f"session={server.session}"}).status == status


def test_nobody_sees_a_tile_without_a_login(server: Server) -> None:
    answer = server.ask("GET", "/tiles/0/3/5/2")
    assert (answer.status, answer.body) == (401, b"")
    assert "etag" not in answer.headers
    assert server.ask("GET", "/tiles/0/3/5/2", port="field").status == 404


def test_the_page_knows_its_base_maps_and_asks_no_host(server: Server) -> None:
    page = server.ask("GET", "/", headers={"cookie": f"session={server.session}"})
    assert b"/tiles/0/{z}/{x}/{y}?v=" in page.body
    assert "img-src 'self';" in page.headers["content-security-policy"]


def test_the_hosts_of_base_maps_are_allowed_on_the_page_alone(tmp_path: Path) -> None:
    with Server(tmp_path, {"basemap": {"kind": "amap"}}) as server:
        page = server.ask("GET", "/", headers={"cookie": f"session={server.session}"})
        assert "img-src 'self' https://webrd01.is.autonavi.com" in page.headers["content-security-policy"]
        assert "autonavi" not in server.ask("GET", "/login").headers["content-security-policy"]


def test_a_file_that_cannot_be_shown_stops_the_start_with_its_line(tmp_path: Path) -> None:
    make_mbtiles(tmp_path / "city.mbtiles", {(0, 0, 0): b"\x1f\x8b"}, format="pbf")
    server = Server(tmp_path, {"basemap": {"kind": "mbtiles", "file": "city.mbtiles"}})
    with pytest.raises(AssertionError, match=r"city\.toml:\d+: \[basemap\] file \S+city\.mbtiles holds vector tiles"):
        server.start()


def test_every_file_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    basemaps = [Basemap(kind, where="city.toml:3: [[basemap]]", file=tmp_path / "x") for kind in ("mbtiles", "pmtiles")]
    with pytest.raises(ConfigError) as caught:
        open_all([Basemap("amap"), *basemaps])
    assert (
        caught.value.problems
        == [f"city.toml:3: [[basemap]] file {tmp_path / 'x'} cannot be read: no such file or directory"] * 2
    )


class Reading:
    """A disk that answers when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[Deferred[bytes | None]] = []

    def __call__(self, *asked: Any) -> Deferred[bytes | None]:
        self.waiting.append(Deferred())
        return self.waiting[-1]


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> tuple[Tiles, Reading]:
    reading = Reading()
    served = Tiles({0: TileFile(lambda *place: None, 0, 9, None, "", "e")}, None, None)  # type: ignore[arg-type]
    monkeypatch.setattr(served, "_defer", reading)
    monkeypatch.setattr(tiles, "WAITING_LIMIT", 5)
    return served, reading


def ask(served: Tiles) -> tuple[Any, list[bytes]]:
    request = DummyRequest([b"tiles"])
    answered: list[bytes] = []
    Deferred.fromCoroutine(served.answer(request, 0, 1, 0, 0)).addCallback(answered.append)
    return request, answered


def test_a_slow_disk_is_read_two_at_a_time_and_has_a_bounded_queue(slow: tuple[Tiles, Reading]) -> None:
    served, reading = slow
    asked = [ask(served) for _ in range(7)]
    assert len(reading.waiting) == tiles.AT_ONCE
    assert [request.responseCode for request, _ in asked] == [None] * 5 + [503] * 2
    assert asked[5][0].responseHeaders.getRawHeaders("retry-after") == ["5"]
    while reading.waiting:
        reading.waiting.pop(0).callback(PICTURE)
    assert [answered for _, answered in asked[:5]] == [[PICTURE]] * 5
    request, answered = ask(served)
    reading.waiting.pop().callback(None)
    assert (request.responseCode, answered) == (204, [b""])


def test_a_disk_that_fails_and_a_picture_that_is_none(slow: tuple[Tiles, Reading]) -> None:
    served, reading = slow
    request, answered = ask(served)
    reading.waiting.pop().errback(OSError("gone"))
    assert (request.responseCode, answered) == (503, [b""])
    assert request.responseHeaders.getRawHeaders("cache-control") == ["no-store"]
    request, answered = ask(served)
    reading.waiting.pop().callback(b"<svg onload='alert(1)'>")
    assert (request.responseCode, answered) == (204, [b""])
