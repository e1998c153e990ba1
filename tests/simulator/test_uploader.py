"""Photos go to the field site while there is a network, with the device's name, until they are safe."""

from __future__ import annotations

import json
from base64 import b64encode
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers

from simulator.uploader import Uploader
from simulator.uploads import PIECE, Uploads
from simulator.weather import Backoff


class Response:
    phrase = b""

    def __init__(self, code: int, body: bytes) -> None:
        self.code, self._body = code, body

    def deliverBody(self, reader: Any) -> None:
        reader.dataReceived(self._body)
        reader.connectionLost(Failure(ResponseDone()))


class Site:
    """The field site's side: pieces in order, as docs/wire/handheld.md says. The first requests do not come through."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.seen: set[tuple[str, str]] = set()
        self.troubles: list[Any] = [ConnectionRefusedError(), Response(503, b"<html>")]

    def request(self, method: bytes, url: bytes, headers: Headers, body: Any) -> Deferred[Any]:
        assert method == b"PATCH"
        (who,) = headers.getRawHeaders("Authorization") or [""]
        self.seen.add((who, url.decode()))
        if self.troubles:
            trouble = self.troubles.pop(0)
            if isinstance(trouble, Exception):
                raise trouble
            return succeed(trouble)
        return succeed(self._take(url.decode().rsplit("/", 1)[1].split("?")[0], headers, body))

    def _take(self, sha: str, headers: Headers, body: Any) -> Response:
        (offset,) = headers.getRawHeaders("Upload-Offset") or [""]
        (length,) = headers.getRawHeaders("Upload-Length") or [""]
        have = self.files.setdefault(sha, b"")
        if int(offset) != len(have):
            return Response(409, json.dumps({"offset": len(have)}).encode())

        class Consumer:
            @staticmethod
            def write(data: bytes) -> None:
                self.files[sha] += data

        body.startProducing(Consumer)
        if len(self.files[sha]) == int(length):
            return Response(201, json.dumps({"photo": sha}).encode())
        return Response(200, json.dumps({"offset": len(self.files[sha])}).encode())


def test_photos_arrive_over_a_site_that_fails_at_first() -> None:
    site, uploads, clock = Site(), Uploads(), Clock()
    online = [False]
    uploader = Uploader(
        clock, "XQ0001", "secret", uploads, site, "http://field.test/", reachable=lambda: online[0],
        backoff=Backoff(Random(1)),
    )  # fmt: skip
    data = bytes(PIECE) + b"the rest"
    shas = [uploads.add(("T-1", 2), data), uploads.add(("T-1", 2), b"small")]
    clock.pump([1.0] * 5)
    uploads.release(shas)
    clock.pump([1.0] * 60)
    assert site.seen == set(), "without a network nothing is tried"
    online[0] = True
    clock.pump([1.0] * 200)
    assert [site.files[sha] for sha in shas] == [data, b"small"]
    assert (uploads.sent, len(uploads)) == (2, 0)
    who = "Basic " + b64encode(b"XQ0001:secret").decode()
    assert site.seen == {(who, f"http://field.test/api/v1/uploads/{sha}?task=T-1&attempt=2") for sha in shas}
    assert clock.getDelayedCalls() == []
    uploader.stop()
    uploads.release([uploads.add(("T-1", 2), b"late")])
    assert clock.getDelayedCalls() == [], "it has stopped"
