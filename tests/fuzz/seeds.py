"""Good messages of every protocol for the fuzzer to begin with, made by the protocols' own encoders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from protocols import batch, gpslogger, overland, owntracks, traccar
from protocols.delivery import basic
from protocols.gt06 import client as gt06_client
from protocols.gt06.framing import frame as gt06_frame
from protocols.gt06.framing import plain_frame
from protocols.h02 import client as h02_client
from protocols.handheld import Conversation, Framer, Hello, encode, frame
from protocols.jt808 import Authentication, Connection, Positions, Registration
from protocols.jt808.areas import Box, Circle, Period, Polygon, Rules, Shape
from protocols.jt808.client import PhotoAsked, Terminal
from protocols.jt808.downlinks import (
    DeleteAreas,
    Downlink,
    Follow,
    Locate,
    Photo,
    QueryParameters,
    SetCircles,
    SetParameters,
    SetPolygon,
    SetRectangles,
    Text,
)
from protocols.jt808.events import Heartbeat, Logout, Media, TimeRequest
from protocols.jt808.positions import Position
from protocols.nmea.encoder import encode_epoch, encode_identity, sentence
from protocols.report import Report
from protocols.watch import client as watch_client
from protocols.watch.framing import frame as watch_frame

NOW = 1_795_435_200_000
"""2026-11-23 12:00:00 UTC: fuzzing asks no clock."""
IDENTITY = "123456789012345"
LAT, LON = 306_600_000, 1_174_900_000
REPORT = Report(NOW, LAT, LON, 30, 120, 90, 50, alarm=1, items={"battery": 50, "charging": True, "satellites": 9})
PHONE = "13912345678"
PICTURE = b"\xff\xd8" + b"picture" * 20 + b"\xff\xd9"
DOWNLINKS: tuple[Downlink, ...] = (
    Text("集合", urgent=True),
    SetParameters({0x0001: 60, 0x0013: "example", 0x0029: 10, 0x0055: 60}),
    QueryParameters(),
    QueryParameters((0x0001, 0x0013, 0x0055)),
    Locate(),
    Follow(5, 60),
    SetCircles((Circle(ident=1, latitude=LAT, longitude=LON, radius=50, rules=Rules(period=Period.daily(0, 60))),)),
    SetRectangles((Box(ident=2, north=LAT + 9000, west=LON, south=LAT, east=LON + 9000, name="区"),)),
    SetPolygon(Polygon(ident=3, points=((LAT, LON), (LAT, LON + 9000), (LAT + 9000, LON)), rules=Rules(speed=60))),
    DeleteAreas(Shape.CIRCLE, (1,)),
    Photo(1, 2),
)


def jt808() -> tuple[list[bytes], list[bytes]]:
    """All that a terminal says in each version, and all that its platform says: a whole conversation each."""
    terminals, platforms = [], []
    for version, positions in ((2011, 1), (2013, 40), (2019, 2)):
        terminal, core = Terminal(PHONE, version=version), Connection()
        heard: list[bytes] = []
        told: list[bytes] = []

        def talk(
            terminal: Terminal = terminal, core: Connection = core, up: list[bytes] = heard, down: list[bytes] = told
        ) -> None:
            for _ in range(4):
                up.append(b"".join(terminal.data_to_send()))
                answer_all(core, core.receive_data(up[-1], NOW))
                down.append(b"".join(core.data_to_send()))
                for event in terminal.receive_data(down[-1], NOW):
                    if isinstance(event, PhotoAsked):
                        terminal.photos(event, [PICTURE])

        terminal.connect()
        terminal.register(maker="M", model="T", terminal="1", plate="皖A12345")
        talk()
        terminal.authenticate()
        talk()
        terminal.position(NOW, LAT, LON, speed=120, alarm=1, items={"mileage_m": 1000, "signal": 20, "satellites": 9})
        terminal.batch([Position.of(NOW + n, LAT, LON) for n in range(positions)], 1)
        terminal.heartbeat()
        terminal.ask_time()
        terminal.medium(PICTURE)
        talk()
        for downlink in DOWNLINKS:
            core.send(downlink)
            talk()
        terminal.logout()
        talk()
        terminals.append(b"\0" + b"".join(heard))
        platforms.append(bytes([0, version % 10]) + b"".join(told))
    return terminals, platforms


def answer_all(core: Connection, events: Sequence[object]) -> None:
    """What a platform answers that is content with everything."""
    for event in events:
        if isinstance(event, Registration):
            core.answer_registration(event, 0, "token")
        elif isinstance(event, Authentication):
            core.answer_authentication(event, 0)
        elif isinstance(event, Positions | Heartbeat | Logout):
            core.acknowledge(event)
        elif isinstance(event, TimeRequest):
            core.answer_time(event, NOW)
        elif isinstance(event, Media):
            core.acknowledge_media(event)


def handheld() -> list[bytes]:
    hello = {"t": "hello", "v": 1, "device": "d", "token": "t", "app": "1.0.0", "crs": "wgs84", "now": NOW}
    points = [[NOW, LAT, LON, 50, 120, 90, 30, 0, 1], [NOW, None, None]]
    fix = {"t": "fix", "seq": 1, "now": NOW, "live": True, "p": points}
    health = {"t": "health", "seq": 2, "now": NOW, "battery": 50, "charging": False, "net": "4g", "fix": "3d",
              "screen": True, "uptime": 9, "queue": 0}  # fmt: skip
    rest: list[dict[str, Any]] = [{"t": "ping", "now": NOW}, {"t": "done", "id": "c1", "ok": True}, {"t": "bye"}]
    said = b"".join(frame(encode(message)) for message in (hello, fix, health, *rest))
    return [b"\0" + said, b"\x07" + said, b"\x80" + said]


def handheld_server() -> list[bytes]:
    """What the server says to one that has sent :func:`handheld`, and what it may say besides."""
    core, said = Conversation(), b""
    for payload in Framer().receive_data(handheld()[0][1:]):
        for event in core.receive_message(payload):
            if isinstance(event, Hello):
                core.welcome(NOW, name="n", app_min="0.0.1", app_latest="1.0.0", heartbeat=45)
        said += b"".join(map(frame, core.messages_to_send()))
    extra: list[dict[str, Any]] = [
        {"t": "ack", "seq": 1}, {"t": "pong", "now": NOW}, {"t": "command", "id": "c1", "kind": "locate"},
        {"t": "busy", "retry": 5}, {"t": "ack", "seq": 2}, {"t": "error", "code": "c", "text": "t"},
    ]  # fmt: skip
    more = said + b"".join(frame(encode(message)) for message in extra)
    return [b"\0" + said, b"\0" + more, b"\x83" + more]


def phones() -> dict[str, list[bytes]]:
    """Requests in the form of targets.py: flags, query, the header's value, and the body, parted by zero bytes."""
    query, authorization = traccar.encode_query("d", REPORT), basic("u", "secret").encode()
    records = [(f"r{n}", REPORT) for n in range(2)]
    short = gpslogger.encode(REPORT)
    place = owntracks.encode(REPORT, tid="ab", topic="owntracks/u/d", created_at=NOW)
    points = overland.encode("d", [REPORT, REPORT])
    record = b'{"id":"a","fix_time":1795435200,"sos":true,"battery":5,"event":"e","attributes":{"k":[1]}},{"lat":1},5'
    return {
        "traccar": [
            b"\x02" + query + b"\0\0", b"\x01\0\0" + query, b"\0\0\0" + traccar.encode_json("d", REPORT),
            b"\x02id=d&location=30.66,117.49&timestamp=2026-11-23T12:00:00%2B08:00&alarm=sos&a=1.5&b=true\0\0",
        ],
        "owntracks": [
            b"\x04u=u&d=d\0" + authorization + b"\0" + place, b"\x08\0u\0[" + place + b"," + place + b"]",
            b'\x10\0d\0{"_type":"encrypted","data":"x"}', b'\0u=u\0\0{"_type":"transition"}', b"\0\0\0",
        ],
        "gpslogger": [
            b"\x04id=d&" + short + b"\0" + authorization + b"\0", b"\x04\0" + authorization + b"\0" + short,
            b'\0token=t\0\0{"id":"d","lat":30.6,"lon":117.4,"time":"2026-11-23T12:00:00.5Z","spd_kph":"9","note":"n"}',
        ],
        "overland": [
            b"\x04token=t\0Bearer t\0" + points, b"\0id=d&token=t\0\0" + overland.encode("d", [REPORT], REPORT),
            b'\0id=d\0\0{"locations":[{"properties":{"action":"visit"}},{"geometry":{"coordinates":[1]}},7]}',
        ],
        "batch": [
            b"\x04\0Bearer t\0" + batch.encode("d", records), b"\x44\0Bearer t\0" + batch.encode("d", records, now=NOW),
            b"\x84\0Bearer t\0" + batch.packed(batch.encode("d", records[:1])),
            b'\x04\0Bearer t\0{"device":"d","crs":"gcj02","records":[' + record + b"]}",
        ],
    }  # fmt: skip


def nmea() -> list[bytes]:
    said = encode_identity(IDENTITY) + encode_epoch(REPORT) + encode_epoch(Report(NOW + 1000, None, None))
    rest = (
        "GNGLL,3039.60000,N,11729.40000,E,120000.00,A,A", "GNVTG,90.0,T,,M,2.3,N,4.3,K,A",
        "GNZDA,120000.00,23,11,2026,08,00", "GNGNS,120001.00,3039.6,N,11729.4,E,AA,9,1.0,30.0,0.0,,",
        "GNGSA,A,3,01,02,,,,,,,,,,,1.8,1.0,1.5,1", "GPGSV,1,1,01,01,40,083,46",
    )  # fmt: skip
    return [b"\0" + said + b"".join(map(sentence, rest)), b"\x09" + said, b"\0imei:1,$GPRMC" + said, b"\0" + said[::-1]]


def gt06() -> list[bytes]:
    at = gt06_client.fix(NOW, LAT, LON, 40, 90)
    kinds = (0x12, 0x16, 0x18, 0x22, 0x23, 0x24, 0x26, 0x2C, 0x31, 0x32, 0x33, 0x36, 0x37, 0x94, 0x95, 0x9B, 0xA0, 0xA1)
    more = (at + bytes(range(60)))[:60]
    hello = gt06_client.login(IDENTITY, zone=480)
    usual = [gt06_client.position(NOW, LAT, LON, 2, stored=True), gt06_client.alarm(NOW, -LAT, -LON, 3),
             gt06_client.heartbeat(4)]  # fmt: skip
    rare = [gt06_frame(kind, more, 5, long=kind in (0x32, 0x94)) for kind in kinds]
    plain = [plain_frame(0x10, at), plain_frame(0x69, at[:6] + bytes(7) + at[:9], 1), plain_frame(0x13, b"123"),
             plain_frame(0x30), plain_frame(0x08)]  # fmt: skip
    return [b"\0" + hello + b"".join(messages) for messages in (usual, rare[:8], rare[8:16], rare[16:], plain)]


def h02() -> list[bytes]:
    place = h02_client.position
    told = [place(IDENTITY, NOW, LAT, LON, knots=4.5), place(IDENTITY, NOW, -LAT, -LON, kind="V6", tail=",460,0,1,2"),
            place(IDENTITY, NOW, LAT, LON, fixed=False, state=h02_client.SOS),
            h02_client.heartbeat(IDENTITY, 80)]  # fmt: skip
    rest = (
        "NBR,120000,460,0,1,2,10133,5173,50,10133,5174,40,231126,FFFFFBFF,9",
        "V3,120000,46000,02,10133,5173,50,20,10133,5174,40,20,0160,X,231126,FFFFFBFF",
        "LINK,120000,22,6,80,0,0,231126,FFFFFBFF", "VP1,A,30.66,N,117.49,E,1.0,2.0,231126",
        "VP1,V,460,0,10133,5173,40Y10133,5174,40", "V4,V1,20261123120000",
        "VI1,120000,A,3039.6,N,11729.4,E,0,0,231126,F",
    )  # fmt: skip
    others = b"".join(f"*HQ,{IDENTITY},{body}#".encode() for body in rest)
    bits = b"".join(h02_client.binary("1234567890", NOW, LAT, LON, size=size) for size in (32, 45))
    return [b"\0" + b"".join(told), b"\x0b" + others, b"\0" + bits, b"\0" + told[0] + bits]


def watch() -> list[bytes]:
    place = watch_client.position
    around = ",2,255,460,0,9346,4822,150,9346,4823,140,1,home,11:22:33:44:55:66,-60,10.5"
    told = [watch_client.link(IDENTITY, 80, 5), place(IDENTITY, NOW, LAT, LON, speed=4.5, tail=around),
            place(IDENTITY, NOW, -LAT, -LON, kind="AL", state=watch_client.SOS, fixed=False, tail=around),
            place(IDENTITY, NOW, LAT, LON, kind="UD2", index="0001")]  # fmt: skip
    bodies = (
        "heart,70",
        "bphrt,120,80,70,,,,",
        "oxygen,0,98",
        "btemp2,1,36.5",
        "temp,36.5",
        "TKQ",
        "LK",
        "blood,120,80",
    )
    rest = b"".join(watch_frame("3G", IDENTITY, body.encode()) for body in bodies)
    said = b"".join(told)
    return [b"\0" + said, b"\x80" + said + rest, b"\x0d" + rest, b"\0x" + rest]


TRACKERS = {"nmea": nmea, "gt06": gt06, "h02": h02, "watch": watch}
