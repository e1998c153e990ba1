"""Both WebSockets of ours against the cases of the public conformance suite (RFC 6455), sections 1 to 7 and 10.

The suite's client sends and expects an echo, which neither of our sockets gives. So each is run as it is made for
its site, with its own options, producers and site, and only what it does with a whole message is replaced. Sections
9 (volume) and 12, 13 (compression, which we never offer) are left out.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from typing import Any

import pytest
from autobahn.twisted.websocket import WebSocketServerFactory
from twisted.web.resource import Resource

from tests.reactor import reactor, run, run_deferred
from tests.tracker.helpers import NOON, House
from tracker.service import make_listeners
from tracker.site import BoundedSite
from tracker.tcp import LinkLimits
from tracker.websocket import HandheldSocket
from webmap.feed import Feed
from webmap.feeds import Alike
from webmap.rights import Role, Who
from webmap.websocket import FeedSocket, FeedSockets

CASES = [f"{section}.*" for section in (1, 2, 3, 4, 5, 6, 7, 10)]
NUMBER = 247
"""Cases in these sections: fewer would mean that some were not run."""
LONGEST = 1 << 20
"""Bytes of the suite's longest message and some more; a viewer's own limit is far below it."""
CLIENT = """
import asyncio, json, os, sys, kosoku
async def main(url, *cases):
    try:
        results = await kosoku.run_fuzzingclient(url, cases, concurrency=8)
    except kosoku.FailureError as error:
        results = error.results
    told = [dict(case=one.case_id, passed=one.passed, behavior=one.behavior.value, close=one.behavior_close.value,
                 result=one.result) for one in results]
    print(json.dumps(told), flush=True)
    os._exit(0)  # its threads outlive the loop, and an interpreter that ends under them now and then aborts
asyncio.run(main(*sys.argv[1:]))
"""


class EchoHandheld(HandheldSocket):
    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.sendMessage(payload, isBinary)


class EchoFeed(FeedSocket):
    def onConnect(self, request: Any) -> None:
        self.session = "somebody"

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.sendMessage(payload, isBinary)


def handheld(house: House) -> WebSocketServerFactory:
    sockets = make_listeners(house.intake, house.make_links(), LinkLimits(), reactor()).handheld_sockets
    sockets.protocol = EchoHandheld
    return sockets


def feed(house: House) -> WebSocketServerFactory:
    core = Feed("i", lambda unit: (None, None, (0, 0), [unit]), lambda: (1, "{}"), lambda now: {})
    # What the server says by itself is no echo.
    core.join = core.leave = lambda *viewer: None  # type: ignore[method-assign]
    sockets = FeedSockets(Alike(core), lambda session: Who("admin", Role.ADMIN), lambda: 0, lambda: NOON, (), reactor())
    sockets.protocol = EchoFeed
    return sockets


@pytest.mark.parametrize("make", [handheld, feed])
def test_conformance(house: House, make: Any) -> None:
    sockets = make(house)
    sockets.setProtocolOptions(maxMessagePayloadSize=LONGEST, maxFramePayloadSize=LONGEST)
    root: Any = Resource()  # type: ignore[no-untyped-call]
    root.putChild(b"socket", sockets.as_resource())
    site = BoundedSite(root, reactor(), body_limit=1024)

    port = reactor().listenTCP(0, site, interface="127.0.0.1")
    try:
        url = f"ws://127.0.0.1:{port.getHost().port}/socket"
        # In a process of its own, without autobahn's native validator: the suite would take that for the slow one,
        # which has other arguments.
        environment = {**os.environ, "AUTOBAHN_USE_NVX": "0"}
        command = [sys.executable, "-c", CLIENT, url, *CASES]
        work = asyncio.to_thread(subprocess.run, command, env=environment, capture_output=True, check=True, timeout=100)
        results = json.loads(run(work).stdout)
    finally:
        run_deferred(port.stopListening())
    assert [result for result in results if not result["passed"]] == []
    assert len(results) == NUMBER
