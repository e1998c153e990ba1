"""The examples in docs/wire/nmea.md are what the code reads and writes."""

from __future__ import annotations

import re

from protocols.dialogue import Heartbeat, Login, Peer, Reported
from protocols.nmea import HOLD_MS, LINE_LIMIT, NmeaCore, encode_epoch, encode_identity
from protocols.nmea.names import named_in_front
from protocols.nmea.sentences import KINDS, KNOT, MODES
from protocols.report import Report
from tests.tree import ROOT
from tracker.catalogue import CATALOGUE, PORTS

PAGE = (ROOT / "docs/wire/nmea.md").read_text("utf-8")
NOON = 1_795_435_200_000


def test_the_example_is_what_the_encoder_writes_and_the_core_reads() -> None:
    example = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert example
    raw = example[1].replace("\n", "\r\n").encode()
    report = Report(NOON, 311_774_276, 1_215_272_106, 4, 120, 90, 42, items={"satellites": 9, "fix": "3d"})
    assert raw == encode_identity("crane-2") + encode_epoch(report)
    core = NmeaCore(Peer("192.0.2.7"))
    login, beat, reported = core.receive_data(raw, NOON) + core.handle_timer(NOON + HOLD_MS)
    assert login == Login("crane-2")
    assert beat == Heartbeat()
    assert isinstance(reported, Reported)
    (read,) = reported.reports
    for name in ("fix_time", "latitude", "longitude", "altitude", "speed", "course", "accuracy"):
        assert getattr(read, name) == getattr(report, name)


def test_every_name_before_a_sentence_is_read_as_listed() -> None:
    rows = re.findall(r"`([^`]+?)\$GPRMC,…`", PAGE)
    assert [named_in_front(row) for row in rows] == ["crane-2"] * 4 + ["355797031609284"]


def test_every_line_with_a_name_is_read() -> None:
    table = PAGE[PAGE.index("| line | from |") : PAGE.index("or before a sentence")]
    forms = re.findall(r"`(\S[^`]*<name>[^`]*)`", table)
    assert len(forms) >= 10
    for form in forms:
        line = form.replace("<name>", "355797031609284").replace("*hh", "").replace("…", "1,2")
        events = NmeaCore(Peer("192.0.2.7")).receive_data(line.encode() + b"\r\n", NOON)
        assert events == [Login("355797031609284"), Heartbeat()], form


def test_numbers_and_words_are_those_of_the_code() -> None:
    assert set(re.findall(r"^\| ([A-Z]{3}) \|", PAGE, re.MULTILINE)) == KINDS
    assert f"port {PORTS['nmea']}" in PAGE
    assert f"{LINE_LIMIT:,} bytes" in PAGE
    assert f"{HOLD_MS / 1000} s after the last sentence" in PAGE
    assert f"{KNOT:.4f} cm/s" in PAGE
    assert all(f"`{word}`" in PAGE for word in MODES.values())
    assert CATALOGUE["nmea"].issued
    assert CATALOGUE["nmea"].addressed
