"""One sentence: every field of every kind, and the fast path against pynmea2."""

from __future__ import annotations

from typing import Any

import pynmea2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.nmea.fast import read, read_fast
from protocols.nmea.sentences import KINDS, Sentence, checksum, kind_of, read_with_pynmea2
from tests.protocols.nmea.made import bodies

RMC = "GPRMC,120102.30,A,3110.64566,N,12131.63264,W,2.3,90.4,231126,,,D"
GGA = "GNGGA,120102.30,3110.64566,S,12131.63264,E,4,17,0.84,-3.6,M,11.2,M,,"
DAY = 20_780
TIME = ((12 * 60 + 1) * 60 + 2) * 1000 + 300
LAT, LON = 311_774_277, 1_215_272_107


def with_field(body: str, number: int, value: str) -> str:
    fields = body.split(",")
    fields[number] = value
    return ",".join(fields)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (RMC, Sentence("RMC", "GP", TIME, DAY, False, LAT, -LON, 118, 90, quality="differential")),
        (GGA, Sentence("GGA", "GN", TIME, None, False, -LAT, LON, None, None, -4, 0.84, 17, "rtk")),
        ("BDGNS,120102.30,3110.64566,N,12131.63264,E,NDN,9,1.2,12.6,,,",
         Sentence("GNS", "BD", TIME, None, False, LAT, LON, None, None, 13, 1.2, 9, "differential")),
        ("GBGLL,3110.64566,N,12131.63264,E,120102.30,A,A",
         Sentence("GLL", "GB", TIME, None, False, LAT, LON, quality="autonomous")),
        ("GNGSA,A,3,01,02,,,,,,,,,,,1.9,0.8,1.7", Sentence("GSA", "GN", hdop=0.8, dimension=3)),
        ("GNGSA,A,3,01,02,,,,,,,,,,,1.9,0.8,1.7,4", Sentence("GSA", "GN", hdop=0.8, dimension=3)),
        ("GPVTG,359.7,T,,M,1.0,N,1.9,K,A", Sentence("VTG", "GP", speed=51, course=0)),
        ("GPVTG,,T,,M,,N,36.0,K", Sentence("VTG", "GP", speed=1000)),
        ("GPVTG,90.0,T,,M,1.0,N,1.9,K,N", Sentence("VTG", "GP")),
        ("GPZDA,120102.30,23,11,2026,00,00", Sentence("ZDA", "GP", TIME, DAY)),
        ("GPZDA,,,,,,", Sentence("ZDA", "GP")),
    ],
)  # fmt: skip
def test_what_a_sentence_says(body: str, expected: Sentence) -> None:
    assert kind_of(body) == expected.kind
    assert read(body) == expected
    assert read_with_pynmea2(body) == expected


@pytest.mark.parametrize(
    "body",
    [
        "GPRMC,120102.30,V,3110.64566,N,12131.63264,E,2.3,90.4,231126,,,N",
        "GPRMC,120102.30,V,,,,,,,231126,,",
        with_field(RMC, 12, "N"),
        with_field(RMC, 2, ""),
        with_field(GGA, 6, "0"),
        with_field(GGA, 6, ""),
        "GNGNS,120102.30,,,,,NNN,00,99.9,,,,",
        "GPGLL,,,,,120102.30,V,N",
        "GPGLL,3110.64566,N,12131.63264,E,120102.30,A,N",
    ],
)
def test_a_void_fix_keeps_its_time(body: str) -> None:
    sentence = read(body)
    assert sentence is not None
    assert sentence.void
    assert (sentence.time, sentence.latitude, sentence.longitude) == (TIME, None, None)


def test_a_receiver_that_knows_nothing_says_so() -> None:
    for body in (
        "GPRMC,,V,,,,,,,,,,N",
        "GPGGA,,,,,,0,,,,,,,,",
        "GPGLL,,,,,,V,N",
        "GPRMC,",
        "GPGLL,4916.45,N,12311.12,W",
    ):
        sentence = read(body)
        assert sentence is not None
        assert sentence.void
        assert sentence.time is None


def test_a_navigational_status_of_unknown_is_no_void_fix() -> None:
    sentence = read(RMC + ",V")
    assert sentence is not None
    assert not sentence.void


@pytest.mark.parametrize(
    "body",
    [
        with_field(RMC, 1, "246102"),
        with_field(RMC, 1, ""),
        with_field(RMC, 1, "noon"),
        with_field(RMC, 3, ""),
        with_field(RMC, 3, "3110"),
        with_field(RMC, 3, "9110.64566"),
        with_field(RMC, 4, ""),
        with_field(RMC, 4, "E"),
        with_field(RMC, 5, "18110.64566"),
        with_field(RMC, 6, "N"),
        with_field(RMC, 9, "311126"),
        with_field(RMC, 9, "311326"),
        "GPGLL,4916.45,N,12311.12,W,,A",
        "GPZDA,120102.30,31,11,2026,00,00",
        "GPZDA,120102.30,,11,2026,00,00",
    ],
)
def test_a_sentence_that_makes_no_sense_is_none(body: str) -> None:
    assert read(body) is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (with_field(RMC, 7, "5001"), "speed"),
        (with_field(RMC, 7, "nan"), "speed"),
        (with_field(RMC, 7, "1e300"), "speed"),
        (with_field(RMC, 8, "361"), "course"),
        (with_field(RMC, 8, "-1"), "course"),
        (with_field(GGA, 7, "1000"), "satellites"),
        (with_field(GGA, 7, "x"), "satellites"),
        (with_field(GGA, 8, "99.99"), "hdop"),
        (with_field(GGA, 8, "0"), "hdop"),
        (with_field(GGA, 9, "200000"), "altitude"),
        (with_field(GGA, 10, "F"), "altitude"),
    ],
)
def test_a_reading_that_makes_no_sense_is_left_out(body: str, field: str) -> None:
    sentence = read(body)
    assert sentence is not None
    assert sentence.latitude is not None
    assert getattr(sentence, field) is None


@pytest.mark.parametrize(
    ("date", "day"), [("010100", 10_957), ("311268", 36_159), ("010169", -365), ("011196", 9801), ("290224", 19_782)]
)
def test_the_year_has_two_digits(date: str, day: int) -> None:
    body = with_field(RMC, 9, date)
    assert [one and one.day for one in (read_fast(body), read_with_pynmea2(body))] == [day, day]


@pytest.mark.parametrize("body", ["PGRMC,A,1", "GPGSV,1,1,00", "GPRMCX", "GPRMC", "", "$", "GPTXT,01"])
def test_sentences_of_no_use_have_no_kind(body: str) -> None:
    assert kind_of(body) == ""


def test_small_letters_are_read_too() -> None:
    assert kind_of(RMC.lower()) == "RMC"
    sentence = read("gprmc" + RMC[5:])
    assert sentence is not None
    assert sentence.latitude == LAT


# -- against pynmea2


@given(bodies)
def test_the_fast_path_reads_what_pynmea2_reads(body: str) -> None:
    quick = read_fast(body)
    if quick is not None:
        assert quick == read_with_pynmea2(body)
    assert read(body) == read_with_pynmea2(body)


@given(bodies)
def test_the_place_is_that_of_pynmea2(body: str) -> None:
    sentence = read(body)
    parsed: Any = pynmea2.parse(body)
    if sentence is not None and sentence.latitude is not None and sentence.longitude is not None:
        assert sentence.latitude / 1e7 == pytest.approx(parsed.latitude, abs=1e-7)
        assert sentence.longitude / 1e7 == pytest.approx(parsed.longitude, abs=1e-7)


def test_the_usual_sentences_take_the_fast_path() -> None:
    for body in (RMC, GGA, "GBGLL,3110.64566,N,12131.63264,E,120102.30,A,A", "GPVTG,359.7,T,,M,1.0,N,1.9,K,A",
                 "GNGSA,A,3,01,02,,,,,,,,,,,1.9,0.8,1.7,4"):  # fmt: skip
        assert read_fast(body) is not None


@given(st.text(max_size=120), st.sampled_from(sorted(KINDS)))
def test_nothing_that_a_sentence_may_hold_raises(text: str, kind: str) -> None:
    read(f"GP{kind},{text}")
    kind_of(text)


@given(st.binary(max_size=300))
def test_the_checksum_is_that_of_the_standard(body: bytes) -> None:
    told = 0
    for byte in body:
        told ^= byte
    assert checksum(body) == told


def test_the_checksum_of_the_longest_line() -> None:
    assert checksum(bytes([1, 2]) * 700) == 0
    assert checksum(bytes([1, 2]) * 1024) == 0
    assert checksum(b"\x01" + bytes([1, 2]) * 512) == 1
