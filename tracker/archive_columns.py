"""Reports and events as columns: what goes into a part, and a report again from what a file holds.

The columns of a part are those of a report's record (:mod:`tracker.record`), in its units. ``at`` is the fix time, or
the server's where there is none; a part is sorted by unit and ``at``. A record with a value that its column
cannot hold is kept whole in ``raw``, with nothing but unit, ``at`` and server time beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgpack
import numpy as np

from tracker.record import ReportRecord

Values = Any
"""A numpy array."""

NONE = -(1 << 63)
"""Stands for None in the integer columns until they are in a table."""
NARROW = (1 << 31) - 1
"""The largest value of the 32-bit columns."""

TYPES: Mapping[str, str] = {
    "unit": "VARCHAR", "at": "BIGINT", "fix_time": "BIGINT", "latitude": "INTEGER", "longitude": "INTEGER",
    "speed": "INTEGER", "course": "INTEGER", "accuracy": "INTEGER", "marks": "INTEGER", "server_time": "BIGINT",
    "device": "VARCHAR", "duty": "BIGINT", "device_time": "BIGINT", "altitude": "INTEGER", "status": "UBIGINT",
    "alarm": "UBIGINT", "items": "BLOB", "original_latitude": "INTEGER", "original_longitude": "INTEGER",
    "raw": "BLOB",
}  # fmt: skip
"""A part's columns, in order, with their types."""

EVENT_TYPES: Mapping[str, str] = {
    "number": "BIGINT", "server_time": "BIGINT", "what": "INTEGER", "kind": "VARCHAR", "id": "VARCHAR",
    "fields": "BLOB",
}  # fmt: skip
"""The columns of a part of events, in order."""

_NULLABLE = ("fix_time", "latitude", "longitude", "speed", "course", "accuracy", "device_time", "altitude")
_WIDE = frozenset({"at", "fix_time", "server_time", "duty", "device_time"})
_UNSIGNED = frozenset({"status", "alarm"})
_pack: Callable[[Any], bytes] = msgpack.Packer(use_bin_type=True, autoreset=True).pack


@dataclass(slots=True)
class Columns:
    """Reports as arrays of one length; texts as codes into ``units`` and ``devices``, bytes as objects.

    ``extra`` are the rows that have items, an original or a raw record: row, items, original, raw.
    """

    numbers: dict[str, Values]
    units: list[str]
    devices: list[str]
    extra: list[tuple[int, bytes | None, int | None, int | None, bytes | None]]

    def __len__(self) -> int:
        return len(self.numbers["at"])


def columns_of(records: Sequence[Sequence[Any]]) -> Columns:
    """Report records as columns. Every record has its row, whatever its values are."""
    try:
        return _columns(records, {})
    except (TypeError, ValueError, OverflowError):
        raw = {i: record for i, record in enumerate(records) if not _fits(record)}
        return _columns([_bare(record) if i in raw else record for i, record in enumerate(records)], raw)


def _columns(records: Sequence[Sequence[Any]], raw: Mapping[int, Sequence[Any]]) -> Columns:
    by_name = dict(zip(ReportRecord._fields, zip(*records, strict=True), strict=True))
    del by_name["kind"]
    items, original = by_name.pop("items"), by_name.pop("original")
    units, unit_codes = _codes(by_name.pop("unit"))
    devices, device_codes = _codes(by_name.pop("device"))
    numbers: dict[str, Values] = {"unit": unit_codes, "device": device_codes}
    for name, values in by_name.items():
        numbers[name] = _array(name, values)
    numbers["at"] = np.where(numbers["fix_time"] == NONE, numbers["server_time"], numbers["fix_time"])
    extra = []
    for i, (item, pair) in enumerate(zip(items, original, strict=True)):
        if item is not None or pair is not None:
            latitude, longitude = pair or (None, None)
            if pair is not None and max(abs(pair[0]), abs(pair[1])) > NARROW:
                raise OverflowError("original")
            extra.append((i, None if item is None else _pack(item), latitude, longitude, None))
    extra += [(i, None, None, None, _pack(record)) for i, record in raw.items()]
    return Columns(numbers, units, devices, extra)


def _array(name: str, values: Sequence[Any]) -> Values:
    kinds = set(map(type, values))
    if name in _NULLABLE and type(None) in kinds:
        kinds.discard(type(None))
        values = [NONE if value is None else value for value in values]
    if not kinds <= {int}:
        raise TypeError(name)
    array = np.array(values, dtype=np.uint64 if name in _UNSIGNED else np.int64)
    if name not in _WIDE and name not in _UNSIGNED:
        known = array[array != NONE]
        if len(known) and (known.min() < -NARROW or known.max() > NARROW):
            raise OverflowError(name)
    return array


def _codes(values: Iterable[str]) -> tuple[list[str], Values]:
    known: dict[str, int] = {}
    codes = [known.setdefault(value, len(known)) for value in values]
    if not all(type(value) is str for value in known):
        raise TypeError("a name that is no text")
    return list(known), np.array(codes, dtype=np.int64)


def _fits(record: Sequence[Any]) -> bool:
    try:
        _columns([record], {})
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _bare(record: Sequence[Any]) -> tuple[Any, ...]:
    """What a record that does not fit is found by."""
    whole = ReportRecord._make(record)
    at = whole.fix_time if type(whole.fix_time) is int and abs(whole.fix_time) < 1 << 62 else None
    server = whole.server_time if type(whole.server_time) is int and abs(whole.server_time) < 1 << 62 else 0
    return (
        whole.kind, "", str(whole.unit), 0, server, None, at, None, None, None, None, None, None, 0, 0, 0, None, None,
    )  # fmt: skip


def event_rows(number: int, records: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Event records that begin with this journal number as rows."""
    return [
        (number + i, record[1], record[0], record[2], record[3], None if record[4] is None else _pack(record[4]))
        for i, record in enumerate(records)
    ]


def records_of(rows: Iterable[Mapping[str, Any]]) -> Iterable[ReportRecord]:
    """The reports of rows that have a part's columns by name, None where there is no value."""
    for row in rows:
        raw = row["raw"]
        if raw is not None:
            yield ReportRecord._make(msgpack.unpackb(raw, use_list=False, strict_map_key=False))
            continue
        latitude, items = row["original_latitude"], row["items"]
        yield ReportRecord(
            1, row["device"], row["unit"], row["duty"], row["server_time"], row["device_time"], row["fix_time"],
            row["latitude"], row["longitude"], row["altitude"], row["speed"], row["course"], row["accuracy"],
            row["status"], row["alarm"], row["marks"],
            None if items is None else msgpack.unpackb(items, use_list=False, strict_map_key=False),
            None if latitude is None else (latitude, row["original_longitude"]),
        )  # fmt: skip
