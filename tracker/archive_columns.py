"""Reports and events as columns: what goes into a part, and a report again from what a file holds.

The columns of a part are those of a report's record (:mod:`tracker.record`), in its units. ``moment`` is the fix time,
or the server's where there is none; a part is sorted by unit and ``moment``. A record with a value that its column
cannot hold is kept whole in ``raw``, with nothing but unit, ``moment`` and server time beside it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgpack
import numpy as np

from tracker.record import MASK, ReportRecord

Values = Any
"""A numpy array."""

NONE = -(1 << 63)
"""Stands for None in the integer columns until they are in a table."""
NARROW = (1 << 31) - 1
"""The largest value of the 32-bit columns."""

TYPES: Mapping[str, str] = {
    "unit": "VARCHAR", "moment": "BIGINT", "fix_time": "BIGINT", "latitude": "INTEGER", "longitude": "INTEGER",
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

ACCESS_TYPES: Mapping[str, str] = {
    "number": "BIGINT", "server_time": "BIGINT", "id": "VARCHAR", "who": "VARCHAR", "role": "VARCHAR",
    "what": "VARCHAR", "unit": "VARCHAR", "reason": "VARCHAR", "address": "VARCHAR", "about": "VARCHAR",
}  # fmt: skip
"""The columns of a part of who looked at whom, in order; ``about`` is a JSON object."""

_INTEGERS = {name: kind for name, kind in TYPES.items() if kind not in ("VARCHAR", "BLOB") and name != "moment"}
_NULLABLE = frozenset(
    {"fix_time", "latitude", "longitude", "speed", "course", "accuracy", "device_time", "altitude",
     "original_latitude", "original_longitude"}
)  # fmt: skip
_pack: Callable[[Any], bytes] = msgpack.Packer(use_bin_type=True, autoreset=True).pack


def columns_of(records: Sequence[Sequence[Any]]) -> dict[str, Values]:
    """Report records as arrays by column, with :data:`NONE` for None in those of integers. Every record has its row,
    whatever its values are."""
    try:
        return _columns(records, {})
    except (TypeError, ValueError, OverflowError):
        raw = {i: _pack(record) for i, record in enumerate(records) if not _fits(record)}
        return _columns([_bare(record) if i in raw else record for i, record in enumerate(records)], raw)


def _columns(records: Sequence[Sequence[Any]], raw: Mapping[int, bytes]) -> dict[str, Values]:
    lists: dict[str, Sequence[Any]] = dict(zip(ReportRecord._fields, zip(*records, strict=True), strict=True))
    pairs = lists["original"]
    lists["original_latitude"] = [None if pair is None else pair[0] for pair in pairs]
    lists["original_longitude"] = [None if pair is None else pair[1] for pair in pairs]
    columns = {name: _integers(name, lists[name]) for name in _INTEGERS}
    columns["moment"] = np.where(columns["fix_time"] == NONE, columns["server_time"], columns["fix_time"])
    for name in ("unit", "device"):
        if set(map(type, lists[name])) != {str}:
            raise TypeError(name)
        columns[name] = np.array(lists[name], dtype=object)
    columns["items"] = _objects([None if items is None else _pack(items) for items in lists["items"]])
    columns["raw"] = _objects([raw.get(i) for i in range(len(records))])
    return columns


def _objects(values: Sequence[bytes | None]) -> Values:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _integers(name: str, values: Sequence[Any]) -> Values:
    kinds = set(map(type, values))
    if name in _NULLABLE and type(None) in kinds:
        kinds.discard(type(None))
        values = [NONE if value is None else value for value in values]
    if not kinds <= {int}:
        raise TypeError(name)
    array = np.array(values, dtype=np.uint64 if _INTEGERS[name] == "UBIGINT" else np.int64)
    if _INTEGERS[name] == "INTEGER":
        known = array[array != NONE]
        if len(known) and (known.min() < -NARROW or known.max() > NARROW):
            raise OverflowError(name)
    return array


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


def selected(types: Mapping[str, str]) -> str:
    """What to select from arrays of these columns, made here and registered as a table, for rows of a part."""
    return ", ".join(
        f"NULLIF({column}, {NONE})::{kind} AS {column}" if column in _NULLABLE else f"{column}::{kind} AS {column}"
        for column, kind in types.items()
    )


def event_columns_of(numbers: Sequence[int], records: Sequence[Sequence[Any]]) -> dict[str, Values]:
    """Event records, whose journal numbers these are, as arrays by column."""
    what, server_times, kinds, ids, fields = zip(*records, strict=True)
    return {
        "number": np.array(numbers, dtype=np.int64),
        "server_time": np.array(server_times, dtype=np.int64),
        "what": np.array(what, dtype=np.int64),
        "kind": np.array(kinds, dtype=object),
        "id": np.array(ids, dtype=object),
        "fields": _objects([None if one is None else _pack(one) for one in fields]),
    }


def access_columns_of(looks: Sequence[tuple[int, Sequence[Any]]]) -> dict[str, Values]:
    """Records of who looked at whom, each with its journal number, as arrays by column."""
    rows = [access_row(number, record) for number, record in looks]
    integers = ("number", "server_time")
    return {
        name: np.array(values, dtype=np.int64 if name in integers else object)
        for name, values in zip(ACCESS_TYPES, zip(*rows, strict=True), strict=True)
    }


def access_row(number: int, record: Sequence[Any]) -> tuple[Any, ...]:
    """One of them, its values in the order of :data:`ACCESS_TYPES`."""
    fields = record[4]
    texts = {name: str(fields[name]) for name in ("who", "role", "what", "unit", "reason", "address")}
    if texts["unit"] and not texts["unit"].strip(MASK):
        # In the journal it had to be as long as what had been there.
        return number, record[1], record[3], *{**texts, "unit": MASK, "reason": MASK}.values(), "{}"
    about = json.dumps(fields["about"], ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return number, record[1], record[3], *texts.values(), about


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
