"""Sentences made by hypothesis: right ones as devices write them, and ones with a field that is not as it should be."""

from __future__ import annotations

from hypothesis import strategies as st

DIGITS = "0123456789"


def number(whole: int, digits: int) -> st.SearchStrategy[str]:
    """So many digits before the point at most, and after it."""
    parts = st.tuples(st.text(DIGITS, min_size=1, max_size=whole), st.text(DIGITS, max_size=digits))
    return parts.map(lambda p: f"{p[0]}.{p[1]}" if p[1] else p[0])


odd = st.sampled_from(["", "0", "-1", "1e3", "nan", "inf", ".5", "5.", "1_0", " 7", "A", "x", "99.99", "1" * 40, "+3"])
"""What a field may hold by mistake."""


def loosely(field: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Right nine times in ten."""
    return st.one_of(*[field] * 9, odd)


talkers = st.sampled_from(["GP", "GN", "BD", "GB", "GL", "GA", "QZ"])
clock = st.builds(
    lambda h, m, s, f: f"{h:02}{m:02}{s:02}{f}",
    st.integers(0, 24), st.integers(0, 60), st.integers(0, 60),
    st.sampled_from(["", ".0", ".00", ".90", ".000", ".123", ".999", ".4567", ".999999", "."]),
)  # fmt: skip
dates = st.builds(lambda d, m, y: f"{d:02}{m:02}{y:02}", st.integers(1, 32), st.integers(1, 13), st.integers(0, 99))
fractions = st.text(DIGITS, min_size=1, max_size=10)
latitudes = st.builds(lambda d, m, f: f"{d:02}{m:02}.{f}", st.integers(0, 91), st.integers(0, 61), fractions)
longitudes = st.builds(lambda d, m, f: f"{d:03}{m:02}.{f}", st.integers(0, 181), st.integers(0, 61), fractions)
places = st.builds(
    lambda *p: ",".join(p), loosely(latitudes), loosely(st.sampled_from("NS")), loosely(longitudes),
    loosely(st.sampled_from("EW")),
)  # fmt: skip
modes = loosely(st.sampled_from("AADEFNPRMS"))


def of(kind: str, *fields: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(lambda talker, *told: ",".join([talker + kind, *told]), talkers, *fields)


tail = st.sampled_from(["", ",", ",,", ",6.9,W"])
rmc = of(
    "RMC", loosely(clock), loosely(st.sampled_from("AAAV")), places, loosely(number(4, 6)), loosely(number(3, 6)),
    st.builds(lambda d, t: d + t, loosely(dates), st.one_of(tail, modes.map(lambda m: f",,,{m}"), st.just(",,,A,V"))),
)  # fmt: skip
gga = of(
    "GGA", loosely(clock), places, loosely(st.sampled_from("0111124568")), loosely(number(2, 0)), loosely(number(2, 2)),
    loosely(number(4, 3)), loosely(st.just("M")), st.sampled_from(["50.7", "", "-16.384"]),
    st.sampled_from(["M,,", "M,,0000"]),
)  # fmt: skip
gll = of("GLL", places, loosely(clock), st.builds(lambda s, m: s + m, loosely(st.sampled_from("AAV")),
                                                    st.one_of(st.just(""), modes.map(lambda m: "," + m))))  # fmt: skip
gns = of("GNS", loosely(clock), places, loosely(st.text("AADEFNPR", max_size=4)), loosely(number(2, 0)),
         loosely(number(2, 2)), loosely(number(4, 3)), st.just(",,"))  # fmt: skip
gsa = of("GSA", st.sampled_from("AM"), loosely(st.sampled_from("123")),
         st.lists(st.sampled_from(["", "07", "12"]), min_size=11, max_size=13).map(",".join),
         loosely(number(2, 2)), loosely(number(2, 2)), loosely(number(2, 2)))  # fmt: skip
vtg = of("VTG", loosely(number(3, 3)), st.just("T,,M"), loosely(number(3, 3)), st.just("N"), loosely(number(3, 3)),
         st.builds(lambda m: "K" + m, st.one_of(st.just(""), modes.map(lambda m: "," + m))))  # fmt: skip
zda = of("ZDA", loosely(clock), loosely(st.integers(0, 32).map("{:02}".format)),
         loosely(st.integers(0, 13).map("{:02}".format)), loosely(st.integers(0, 2100).map("{:04}".format)),
         st.just("00,00"))  # fmt: skip
bodies = st.one_of(rmc, gga, gll, gns, gsa, vtg, zda)
