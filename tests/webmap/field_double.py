"""Stands in for the field's site in tests of the collector's page: its files, the handheld's conversation over a real
WebSocket, and uploads into memory. No dispatch: a test says what the phone is told, and sees all that it said.

Run as ``python -m tests.webmap.field_double``: prints its port on the first line, stops when its standard input
closes. ``POST /double/<verb>`` with a JSON object: ``tell`` (a message for every link; at each welcome if ``keep``),
``reset`` (all of this), ``cut`` and ``mend`` (no link, no upload), ``lose`` (so many acknowledgements), ``choke`` (so
many pieces are refused with 503), ``command``. Each answers everything noted so far.
"""

# twisted.web, klein and autobahn carry no types to check this file against.
# mypy: allow-subclassing-any, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import base64
import hashlib
import json
import time
from typing import Any

import msgpack
from autobahn.twisted.resource import WebSocketResource
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from klein import Klein
from twisted.internet import reactor as running_reactor
from twisted.internet import stdio
from twisted.internet.protocol import Protocol
from twisted.web.resource import Resource
from twisted.web.server import Site

from protocols.handheld import Conversation
from protocols.handheld.conversation import State
from protocols.handheld.events import Batch, Done, Duty, Health, Hello, Ping
from protocols.handheld.messages import decode
from protocols.handheld.task_events import Answer, Problem
from simulator.city import make_city
from webmap.routes import ApiError
from webmap.work_site import make_work

reactor: Any = running_reactor  # its interface is the union of many

DEVICE, TOKEN, NAME = "h-7", "secret", "王芳"
BLANK = b'<!DOCTYPE html><html><link rel="icon" href="/work/icon.svg"></html>'
NUMBERED = (Batch, Health, Duty, Answer, Problem)


def now_ms() -> int:
    return int(time.time() * 1000)


class Link(WebSocketServerProtocol):
    """One phone's conversation: everything is on disk at once."""

    talk: Conversation | None = None

    def onOpen(self) -> None:
        double = self.factory.double
        if double.cut:
            self.transport.abortConnection()
            return
        self.talk = Conversation()
        double.links.append(self)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        double, talk = self.factory.double, self.talk
        if talk is None:
            return
        told = decode(payload)
        for event in talk.receive_message(payload):
            if isinstance(event, Hello):
                if (event.device, event.token) != (DEVICE, TOKEN):
                    talk.refuse("bad_token", "no")
                    break
                talk.welcome(now_ms(), NAME, heartbeat=5, reconnect=1)
                for kind, fields in double.kept:
                    talk._tell(kind, fields)
            elif isinstance(event, Ping):
                talk.pong(now_ms())
            elif isinstance(event, Done):
                double.done.append({"id": event.id, "ok": event.ok})
            elif isinstance(event, NUMBERED):
                double.take(talk, event, told)
        self.flush()
        if talk.closing:
            self.sendClose(1000)

    def flush(self) -> None:
        if self.talk is not None:
            for message in self.talk.messages_to_send():
                self.sendMessage(message, isBinary=True)

    def onClose(self, clean: bool, code: int, reason: str) -> None:
        if self in self.factory.double.links:
            self.factory.double.links.remove(self)


class Double:
    """All that the phone has said, and what breaks."""

    def __init__(self) -> None:
        self.city = make_city()
        self.links: list[Link] = []
        self.reset()

    def reset(self) -> None:
        """As if nothing had been said; whoever has a link loses it."""
        for link in list(self.links):
            link.transport.abortConnection()
        self.kept: list[tuple[str, dict[str, Any]]] = []
        self.said: list[dict[str, Any]] = []
        self.done: list[dict[str, Any]] = []
        self.files: dict[str, bytearray] = {}
        self.photos: dict[str, dict[str, Any]] = {}
        self.cut = False
        self.lose = self.choke = self.pieces = 0

    def take(self, talk: Conversation, event: Any, told: dict[str, Any]) -> None:
        """It is on disk; answers and problems hear how they stand."""
        if self.lose > 0:
            self.lose -= 1
            self.said.append({**told, "lost": True})
            return
        self.said.append(told)
        talk.acknowledge(event.seq)
        if isinstance(event, Answer) and event.what not in ("delivered", "revoked", "informed"):
            state = {"accept": "accepted", "start": "en_route", "arrive": "on_scene", "report": "reported"}
            talk.standing(event.event, "ok", event.task, event.attempt, state.get(event.what, "declined"))
        if isinstance(event, Problem):
            talk.standing(event.event, "ok", "", 0, "")

    hosts = ()

    def basemap(self, request: Any) -> bytes:
        self.check(request)
        return json.dumps(self.city.basemap, ensure_ascii=False).encode()

    def grids(self, request: Any) -> bytes:
        self.check(request)
        own = self.city.grids["features"][5]["id"]
        told = {"center": self.city.centre, "own": own, "grids": self.city.grids, "maps": []}
        return json.dumps(told, ensure_ascii=False).encode()

    async def tile(self, request: Any, number: int, zoom: int, x: int, y: int) -> bytes:
        return b""

    def check(self, request: Any) -> None:
        told = (request.getHeader(b"authorization") or b"").partition(b" ")[2]
        if base64.b64decode(told) != f"{DEVICE}:{TOKEN}".encode():
            raise ApiError(401, "login", "who are you?", "未登录")

    def welcomed(self) -> list[Any]:
        """Who can be told something."""
        return [link for link in self.links if link.talk is not None and link.talk.state is State.WELCOMED]

    def switch(self, verb: str, given: dict[str, Any]) -> None:
        if verb == "tell":
            kind, keep = given.pop("t"), given.pop("keep", False)
            if keep:
                self.kept.append((kind, given))
            for link in self.welcomed():
                link.talk._tell(kind, given)
                link.flush()
        elif verb == "reset":
            self.reset()
        elif verb == "command":
            for link in self.welcomed():
                link.talk.command(**given)
                link.flush()
        elif verb == "cut":
            self.cut = True
            for link in list(self.links):
                link.transport.abortConnection()
        elif verb == "mend":
            self.cut = False
        elif verb in ("lose", "choke"):
            setattr(self, verb, given["n"])

    def noted(self) -> dict[str, Any]:
        return {
            "said": self.said,
            "done": self.done,
            "photos": self.photos,
            "links": len(self.links),
            "pieces": self.pieces,
        }


class Uploads(Resource):
    """``/api``: what comes in pieces, each where the last one ended."""

    isLeaf = True

    def __init__(self, double: Double) -> None:
        super().__init__()
        self.double = double

    def render(self, request: Any) -> bytes:
        double, sha = self.double, request.path.decode().rpartition("/")[2]
        if double.cut:
            request.transport.abortConnection()
            return b""
        double.check(request)
        if request.method == b"HEAD":
            there = double.files.get(sha)
            request.setResponseCode(404 if there is None else 200)
            request.setHeader("upload-offset", str(len(there or b"")))
            return b""
        double.pieces += 1
        if double.choke > 0:
            double.choke -= 1
            request.setResponseCode(503)
            return b""
        file = double.files.setdefault(sha, bytearray())
        offset, length = int(request.getHeader("upload-offset")), int(request.getHeader("upload-length"))
        if offset != len(file):
            request.setResponseCode(409)
            return json.dumps({"offset": len(file)}).encode()
        piece = request.content.read()
        assert len(piece) <= 512 * 1024
        file += piece
        if len(file) < length:
            return json.dumps({"offset": len(file)}).encode()
        assert hashlib.sha256(file).hexdigest() == sha
        about = {key.decode(): values[0].decode() for key, values in request.args.items()}
        kind = request.getHeader("content-type")
        double.photos[sha] = {**about, "size": length, "type": kind, "jpeg": file[:3] == b"\xff\xd8\xff"}
        request.setResponseCode(201)
        return json.dumps({"photo": sha}).encode()


class Switches(Resource):
    """``/double``: the verbs, and ``msgpack``, which reads what the page has written and answers in kind."""

    isLeaf = True

    def __init__(self, double: Double) -> None:
        super().__init__()
        self.double = double

    def render(self, request: Any) -> bytes:
        verb, body = request.path.decode().rpartition("/")[2], request.content.read()
        if verb == "msgpack":
            value = msgpack.unpackb(body, strict_map_key=True)
            request.setHeader("content-type", "application/octet-stream")
            packed: bytes = msgpack.packb(value)
            return packed
        self.double.switch(verb, json.loads(body or b"{}"))
        request.setHeader("content-type", "application/json")
        return json.dumps(self.double.noted(), ensure_ascii=False, default=str).encode()


class _UntilInputCloses(Protocol):
    def connectionLost(self, reason: Any = None) -> None:
        if reactor.running:
            reactor.stop()


def main() -> None:
    double = Double()
    factory = WebSocketServerFactory()
    factory.protocol = Link
    factory.double = double
    factory.startFactory()
    root = Resource()
    root.putChild(b"work", make_work(double))
    root.putChild(b"handheld", WebSocketResource(factory))
    root.putChild(b"api", Uploads(double))
    root.putChild(b"double", Switches(double))
    blank = Klein()
    blank.route("/")(lambda request: BLANK)
    root.putChild(b"blank", blank.resource())
    port = reactor.listenTCP(0, Site(root), interface="127.0.0.1")
    stdio.StandardIO(_UntilInputCloses())
    print(port.getHost().port, flush=True)
    reactor.run()


if __name__ == "__main__":
    main()
