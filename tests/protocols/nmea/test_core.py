"""The core: lines cut anywhere, who speaks, checksums, timers, and bytes that nobody should send."""

from __future__ import annotations

from collections.abc import Container
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.dialogue import Event, Heartbeat, Login, Peer, Refused, Reported
from protocols.nmea import HOLD_MS, LINE_LIMIT, NmeaCore, encode_epoch, encode_identity, sentence
from protocols.report import Report
from tests.protocols.nmea.made import bodies

NOON = 1_795_435_200_000
LAT, LON = 311_774_276, 1_215_272_106
HERE = "192.0.2.7"
RMC = sentence("GPRMC,120000.00,A,3110.64566,N,12131.63264,E,1.0,90.0,231126,,,A")
GGA = sentence("GPGGA,120000.00,3110.64566,N,12131.63264,E,1,9,1.2,4.0,M,11.2,M,,")
NEXT = sentence("GPRMC,120001.00,A,3110.64566,N,12131.63264,E,1.0,90.0,231126,,,A")
WRONG = RMC.replace(b"3110", b"3111")
BARE = RMC.partition(b"*")[0] + b"\r\n"


def core(lenient: Container[str] = ()) -> NmeaCore:
    return NmeaCore(Peer(HERE, lenient))


def finish(one: NmeaCore) -> list[Event]:
    due = one.get_timer()
    return [] if due is None else one.handle_timer(due)


def short(events: list[Event]) -> list[Any]:
    """Ids, reasons, ``None`` for a heartbeat, and of reports the seconds after noon."""
    found: list[Any] = []
    for event in events:
        if isinstance(event, Reported):
            found += [((report.fix_time or 0) - NOON) / 1000 for report in event.reports]
        elif isinstance(event, Heartbeat):
            found.append(None)
        else:
            found.append(event.device_id if isinstance(event, Login) else event.reason)
    return found


def say(*pieces: bytes, lenient: Container[str] = ()) -> list[Any]:
    one = core(lenient)
    events: list[Event] = []
    for piece in pieces:
        events += one.receive_data(piece, NOON)
    return short(events + finish(one))


def test_the_sentences_of_one_moment_are_one_report() -> None:
    one = core()
    events = one.receive_data(encode_identity("crane-2") + RMC + GGA, NOON)
    assert short(events) == ["crane-2", None]
    assert one.get_timer() == NOON + HOLD_MS
    assert one.handle_timer(NOON + HOLD_MS - 1) == []
    (reported,) = one.handle_timer(NOON + HOLD_MS)
    assert isinstance(reported, Reported)
    (report,) = reported.reports
    assert (report.fix_time, report.altitude, report.accuracy, report.speed) == (NOON, 4, 60, 51)
    assert one.get_timer() is None
    assert one.handle_timer(NOON + HOLD_MS) == []
    assert one.data_to_send() == []
    assert not one.closing


def test_each_further_sentence_moves_the_timer() -> None:
    one = core()
    one.receive_data(RMC, NOON)
    one.receive_data(GGA, NOON + 300)
    assert one.get_timer() == NOON + 300 + HOLD_MS


def test_a_report_does_not_wait_longer_than_to_the_next_moment() -> None:
    one = core()
    assert short(one.receive_data(RMC + GGA + NEXT, NOON)) == [HERE, 0]


def test_an_epoch_may_come_in_several_datagrams_and_several_in_one() -> None:
    one = core()
    events = one.receive_datagram(RMC, NOON) + one.receive_datagram(GGA, NOON) + one.receive_datagram(NEXT, NOON)
    assert short(events + finish(one)) == [HERE, 0, 1]
    assert short(core().receive_datagram(RMC + GGA + NEXT + GGA, NOON)) == [HERE, 0, 1]
    one = core()
    assert short(one.receive_datagram(RMC.rstrip(), NOON) + finish(one)) == [HERE, 0]


# -- who speaks


def test_who_never_says_a_name_is_who_is_at_its_address() -> None:
    assert say(RMC) == [HERE, 0]
    one = NmeaCore(Peer("::ffff:192.0.2.7"))
    assert short(one.receive_data(RMC, NOON) + finish(one)) == [HERE, 0]


@pytest.mark.parametrize(
    "named",
    [b"crane-2%b", b"crane-2,%b", b"depot/crane-2/%b", b"id=crane-2&gprmc=%b", encode_identity("crane-2") + b"%b"],
)
def test_forms_of_a_name(named: bytes) -> None:
    assert [one for one in say(named % RMC) if one is not None] == ["crane-2", 0]


def test_a_name_is_told_once_and_told_again_when_it_changes() -> None:
    assert say(b"a" + RMC, b"a" + GGA, b"a" + NEXT, b"b" + NEXT, b"a" + NEXT) == ["a", 0, 1, "b", 1, "a", 1]
    assert say(encode_identity("a") * 3) == ["a", None, None, None]


def test_what_was_said_before_the_name_belongs_to_it() -> None:
    assert say(RMC, encode_identity("a"), GGA) == ["a", None, 0]


def test_what_another_device_has_begun_is_its_own() -> None:
    assert say(b"a" + RMC, b"b" + GGA) == ["a", 0, "b", 0]


def test_the_date_of_one_device_is_not_that_of_another() -> None:
    old = sentence("GPRMC,120000.00,A,3110.64566,N,12131.63264,E,1.0,90.0,010120,,,A")
    assert say(b"a" + old, b"b" + GGA)[-2:] == ["b", 0]


def test_only_a_sentence_of_ours_makes_what_is_before_it_a_name() -> None:
    assert say(b"price 5$ or so\r\n", b"abc$\r\n", b"abc$GPTXT,01\r\n") == ["garbage"]


def test_a_refused_name_closes_nothing() -> None:
    one = core()
    (login,) = one.receive_data(b"a" + RMC, NOON)
    assert isinstance(login, Login)
    one.refuse(login)
    assert not one.closing


# -- checksums


def test_a_wrong_checksum_is_refused_and_a_missing_one_too() -> None:
    assert say(WRONG) == ["bad_checksum"]
    assert say(BARE) == ["no_checksum"]
    assert say(b"a" + WRONG) == ["a", "bad_checksum"]
    assert say(encode_identity("a").replace(b"a", b"b")) == ["bad_checksum"]
    assert say(b"IMEI:355797031609284*00\r\n") == ["bad_checksum"]
    assert say(sentence("GPGSV,1,1,00").replace(b"1,1", b"1,2")) == ["bad_checksum"]


def test_a_device_may_be_read_leniently() -> None:
    assert say(WRONG, lenient={HERE}) == [HERE, 0]
    assert say(BARE, lenient={HERE}) == [HERE, 0]
    assert say(b"a" + WRONG, lenient={"a"}) == ["a", 0]
    assert say(b"a" + WRONG, lenient={HERE, "b"}) == ["a", "bad_checksum"]
    assert say(encode_identity("a"), WRONG, encode_identity("b"), WRONG, lenient={"a"}) == [
        "a", None, 0, "b", None, "bad_checksum",
    ]  # fmt: skip
    assert say(encode_identity("a").replace(b"*", b"*0"), lenient={"a"}) == ["a", None]


def test_leniency_that_is_switched_on_counts_at_once() -> None:
    lenient: set[str] = set()
    one = core(lenient)
    assert short(one.receive_data(b"a" + WRONG, NOON)) == ["a", "bad_checksum"]
    lenient.add("a")
    assert short(one.receive_data(b"a" + WRONG, NOON) + finish(one)) == [0]


def test_readings_behind_the_checksum_are_passed_over() -> None:
    assert say(RMC.rstrip() + b",460,00,2795,0E6A\r\n") == [HERE, 0]
    assert say(RMC.rstrip() + b"|02.1|01.3\r\n" + b"$GPGGA") == [HERE, 0]


# -- lines


def test_sentences_of_no_use_are_passed_over() -> None:
    useless = [sentence(body) for body in ("GPGSV,1,1,00", "PGRMC,A,1", "PMTK010,002", "GPTXT,01,01,02,hello")]
    assert say(*useless, b"\r\n\r\n  \r\n", b"$GPGSV,1,1,00\r\n") == []


@pytest.mark.parametrize("noise", [b"hello\r\n", b"$\x00\x01\r\n", b"$?\r\n", b"\xff\xfe\r\n", b"a;b\n"])
def test_noise_is_counted(noise: bytes) -> None:
    assert say(noise, RMC) == ["garbage", HERE, 0]


def test_a_sentence_that_makes_no_sense_is_counted() -> None:
    assert say(sentence("GPRMC,250000,A,3110.64566,N,12131.63264,E,,,231126,,")) == ["bad_sentence"]


def test_sentences_need_no_line_ends() -> None:
    assert say(RMC.rstrip() + GGA.rstrip() + NEXT.rstrip()) == [HERE, 0, 1]
    assert say(b"$IMEI=355797031609284" + RMC.rstrip()) == ["355797031609284", None, 0]
    assert say(*(RMC.rstrip() for _ in range(40))) == [HERE, *[0] * 40]


def test_a_line_that_is_not_whole_waits() -> None:
    one = core()
    assert one.receive_data(RMC[:40], NOON) == []
    assert one.get_timer() is None
    assert short(one.receive_data(RMC[40:], NOON + 60_000)) == []
    assert short(finish(one)) == [HERE, 0]


def test_a_line_may_be_long_and_not_longer() -> None:
    fits = RMC.rstrip() + b"," * (LINE_LIMIT - len(RMC) + 2)
    assert say(fits + b"\r\n") == [HERE, 0]
    assert say(fits + b",\r\n" + NEXT) == ["line_too_long", HERE, 1]
    assert say(b"x" * 100_000, b"y" * 100_000, b"z\r\n" + NEXT) == ["line_too_long", HERE, 1]
    assert short(core().receive_datagram(fits + b",", NOON)) == ["line_too_long"]
    assert say(b"x" * 2000 + RMC.rstrip(), NEXT) == ["line_too_long", HERE, 1]


def test_no_more_is_held_than_one_line() -> None:
    one = core()
    for _ in range(100):
        one.receive_data(b"x" * 1000, NOON)
        assert len(one._rest) <= LINE_LIMIT


# -- any bytes, cut anywhere

lines = st.one_of(
    bodies.map(sentence),
    bodies.map(lambda body: f"${body}\r\n".encode()),
    bodies.map(lambda body: sentence(body).rstrip()),
    bodies.map(lambda body: sentence(body).replace(b"1", b"2", 1)),
    st.sampled_from([encode_identity("a"), b"b", b"c,", b"id=d&", b"IMEI:355797031609284\r\n", b"\r\n", b"$", b"*4A"]),
    st.binary(max_size=30),
    st.just(b"x" * (LINE_LIMIT + 1)),
)
streams = st.lists(lines, max_size=12).map(b"".join)


@given(st.one_of(streams, st.binary(max_size=200)), st.lists(st.integers(0, 3000), max_size=6), st.booleans())
def test_it_is_the_same_however_it_is_cut(data: bytes, cuts: list[int], lenient: bool) -> None:
    names = {"a", "b", HERE} if lenient else ()
    whole = say(data, lenient=names)
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    assert say(*(data[a:b] for a, b in pairwise(places)), lenient=names) == whole
    assert say(*(data[i : i + 1] for i in range(len(data))), lenient=names) == whole
    one = core(names)
    assert short(one.receive_data(data + b"\r\n$GP", NOON) + finish(one)) == say(data + b"\r\n", lenient=names)


@given(st.lists(st.one_of(streams, st.binary(max_size=200)), max_size=4))
def test_no_datagram_raises(datagrams: list[bytes]) -> None:
    one = core({"a"})
    events: list[Event] = []
    for datagram in datagrams:
        events += one.receive_datagram(datagram, NOON)
    for event in [*events, *finish(one)]:
        assert not isinstance(event, Reported) or len(event.reports) == 1
        assert not isinstance(event, Refused) or event.reason in {
            "bad_checksum", "no_checksum", "bad_sentence", "garbage", "line_too_long",
        }  # fmt: skip


# -- what the encoder writes


@given(
    st.integers(946_684_800_000, 4_102_444_799_999),
    st.integers(-900_000_000, 900_000_000),
    st.integers(-1_800_000_000, 1_800_000_000),
    st.one_of(st.none(), st.integers(0, 10_000)),
    st.one_of(st.none(), st.integers(1, 4000)),
)
def test_what_is_encoded_is_read(at: int, lat: int, lon: int, speed: int | None, accuracy: int | None) -> None:
    if at >= 3_124_224_000_000:
        at -= 1 << 40  # two digits of a year end in 2068
    given_ = Report(at, lat, lon, 4, speed, 359, accuracy, items={"satellites": 9, "fix": "2d"})
    one = core()
    _, reported = one.receive_data(encode_epoch(given_), NOON) + finish(one)
    assert isinstance(reported, Reported)
    (report,) = reported.reports
    assert (report.fix_time, report.latitude, report.longitude) == (at, lat, lon)
    assert (report.altitude, report.speed, report.course) == (4, speed, 359)
    assert (report.accuracy or 0) == pytest.approx(accuracy or 0, abs=1)
    assert report.items == {"satellites": 9, "fix": "2d", "fix_quality": "autonomous"}


def test_a_void_epoch_is_encoded_too() -> None:
    one = core()
    _, reported = one.receive_data(encode_epoch(Report(NOON, None, None)), NOON) + finish(one)
    assert isinstance(reported, Reported)
    assert (reported.reports[0].fix_time, reported.reports[0].latitude) == (NOON, None)
