"""Requests as the apps write them, sent over a real site: what each is answered, to the byte, and what is stored.

Each file of ``golden/`` holds a request (``Content-Length: *`` is filled in), the answer, what is stored of it (the
fields that matter, one record a line), and the reasons under which the rest is counted. They are our own, after what
the apps' sources and documents say of version and shape.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from tests.tracker.helpers import House
from tracker.http import BODY_LIMIT, PhoneReports
from tracker.phone_apps import PATHS
from tracker.site import BoundedSite
from tracker.tokens import hashed

FILES = sorted((Path(__file__).parent / "golden").glob("*.http"))
APPS = {app.protocol for app in PATHS.values()} | {"traccar"}
TOKENS = {
    "owntracks": "yosf6bfvhd2gfr5r6itcxvljar", "gpslogger": "g3lrmo5hcanfeb6j47h3yhq5cu",
    "overland": "kpl4xgxk27uwhtesx74oydka76", "batch": "3affn5z5xw4s2t3d7bqqkhkc2x",
}  # fmt: skip
"""Those that the requests tell."""


def ask(house: House, request: bytes) -> bytes:
    """The whole answer to a whole request, over a connection of its own."""
    site = BoundedSite(PhoneReports(house.intake), Clock(), body_limit=BODY_LIMIT)
    address = IPv4Address("TCP", "192.168.1.5", 40000)
    transport = StringTransport(peerAddress=address)  # type: ignore[no-untyped-call]
    channel = site.buildProtocol(address)
    channel.makeConnection(transport)
    channel.dataReceived(request)
    house.settle()
    return bytes(transport.value())  # type: ignore[no-untyped-call]


def sections(path: Path) -> dict[str, str]:
    request, *others = re.split(r"^--- (?=\w)", path.read_text("utf-8"), flags=re.MULTILINE)
    told = {"request": request}
    for part in others:
        name, _, text = part.partition("\n")
        told[name] = text
    return told


def wire(text: str) -> bytes:
    """A request as it is sent: CR LF in its head, the length of its body told."""
    head, _, body = text.partition("\n\n")
    content = body.rstrip("\n").encode()
    head = head.replace("Content-Length: *", f"Content-Length: {len(content)}")
    return head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + content


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_an_app_sends_is_answered_as_it_expects(house: House, path: Path) -> None:
    told = sections(path)
    for protocol in APPS:
        house.register(protocol, "7f3a9c", token=hashed(TOKENS.get(protocol, "")))
    head, _, body = ask(house, wire(told["request"])).partition(b"\r\n\r\n")
    expected, _, expected_body = told["answer"].partition("\n")
    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    assert (f"{status.split()[1]} {headers['content-type']}", body.decode()) == (expected, expected_body.rstrip("\n"))
    wanted = [json.loads(line) for line in told.get("stored", "").splitlines()]
    stored = [
        {name: getattr(record, name) for name in fields} for record, fields in zip(house.records, wanted, strict=False)
    ]
    assert stored == wanted
    assert len(house.records) == len(wanted)
    protocol = next(iter(house.intake.counters.view()), "")
    counted = [reason for reason, number in house.refused(protocol).items() for _ in range(number)]
    assert sorted(counted) == told.get("refused", "").split()


def test_every_app_has_its_requests() -> None:
    assert {path.stem.partition("-")[0] for path in FILES} == APPS
