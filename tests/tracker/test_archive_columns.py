"""Columns: every report comes back from a file as it went in, whatever its values are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.archive import parquet
from tests.tracker.helpers import record
from tracker.archive_columns import TYPES, columns_of, records_of, selected
from tracker.record import ReportRecord

_WHOLE = st.integers(-(1 << 31) + 1, (1 << 31) - 1)
_ITEMS = st.dictionaries(
    st.text(max_size=8),
    st.one_of(st.integers(-(1 << 63), (1 << 64) - 1), st.text(max_size=8), st.binary(max_size=8), st.booleans(),
              st.floats(allow_nan=False), st.none(), st.tuples(st.integers(0, 255), st.binary(max_size=4))),
    max_size=3,
)  # fmt: skip
_TIMES = st.integers(946_684_800_000, 4_102_444_800_000)


@st.composite
def _records(draw: st.DrawFn) -> ReportRecord:
    located = draw(st.booleans())
    optional = st.none() | _WHOLE
    return ReportRecord(
        1, draw(st.text(max_size=4)), draw(st.sampled_from(["p1", "p2", "车1", "p'3"])), draw(st.integers(0, 1 << 40)),
        draw(_TIMES), draw(st.none() | _TIMES), draw(_TIMES if located else st.none() | _TIMES),
        draw(_WHOLE) if located else None, draw(_WHOLE) if located else None, draw(optional), draw(optional),
        draw(optional), draw(optional), draw(st.integers(0, (1 << 64) - 1)), draw(st.integers(0, (1 << 64) - 1)),
        draw(st.integers(0, 7)), draw(st.none() | _ITEMS), draw(st.none() | st.tuples(_WHOLE, _WHOLE)),
    )  # fmt: skip


def written(records: list[Any], path: Path) -> list[ReportRecord]:
    db = parquet.connect()
    db.register("chunk", columns_of(records))
    assert parquet.write(db, f"SELECT {selected(TYPES)} FROM chunk", path) == len(records)
    cursor = db.execute(f"SELECT * FROM {parquet.table([path])}")
    names = [column[0] for column in cursor.description or ()]
    assert names == list(TYPES)
    return list(records_of(dict(zip(names, row, strict=True)) for row in cursor.fetchall()))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=st.lists(_records(), min_size=1, max_size=20))
def test_what_goes_in_comes_out(records: list[ReportRecord], tmp_path: Path) -> None:
    assert written(records, tmp_path / "a.parquet") == records


def test_a_value_that_no_column_holds_keeps_its_record_whole(tmp_path: Path) -> None:
    good = record(1_795_000_000_000)
    strange = [
        good._replace(altitude=1 << 40),
        good._replace(speed=1.5),
        good._replace(status=-1),
        good._replace(alarm="sos"),
        good._replace(original=(1 << 33, 0)),
        good._replace(original=(0.5, 0)),
        good._replace(device_time="noon"),
        good._replace(course=True),
    ]
    for one in strange:
        assert written([good, one, good], tmp_path / "a.parquet") == [good, one, good]
    assert written(strange, tmp_path / "b.parquet") == strange


def test_a_strange_record_is_found_by_its_unit_and_time(tmp_path: Path) -> None:
    strange = record(1_795_000_000_000)._replace(altitude=1 << 40)
    db = parquet.connect()
    db.register("chunk", columns_of([strange]))
    found = db.execute(
        f"SELECT unit, moment, server_time, latitude FROM (SELECT {selected(TYPES)} FROM chunk)"
    ).fetchall()
    assert found == [(strange.unit, strange.fix_time, strange.server_time, None)]
