"""What the tests of the simple trackers' protocols share: frames of real devices, and what must hold for any bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from protocols.dialogue import Event, Heartbeat, Login, Peer, Refused, Reported, TrackerCore
from protocols.report import Report
from tests.data import SHARED

NOW = 1_795_435_200_000
"""2026-11-23 12:00:00 UTC."""
HOUR = 3_600_000
EARLIEST = 915_148_800_000
"""1999, the earliest fix time that frames of real devices may have."""
Make = Callable[[Peer], TrackerCore]
Record = dict[str, Any]
Readers = dict[str, Callable[[Report], object]]


class Everyone:
    """Every device is read leniently."""

    def __contains__(self, device: object) -> bool:
        return True


STRICT = Peer("192.0.2.1")
LENIENT = Peer("192.0.2.1", Everyone())


def frames(protocol: str) -> list[Record]:
    """Messages of real devices with what an independent decoder says of them; empty where they are not at hand."""
    if SHARED is None:
        return []
    lines = (SHARED / "frames" / f"{protocol}.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def name(record: Record) -> str:
    return f"{record['method']}-{record['seq']}"


def data(record: Record) -> bytes:
    if record["format"] == "hex":
        return bytes.fromhex(record["frame"])
    return bytes(record["frame"].encode("latin-1"))


def conversations(make: Make, records: list[Record]) -> dict[str, tuple[Record, list[Event]]]:
    """Each record with its events; those of one method share a connection."""
    cores: dict[str, TrackerCore] = {}
    found = {}
    for record in records:
        core = cores.setdefault(record["method"], make(LENIENT))
        found[name(record)] = record, core.receive_data(data(record), NOW)
    return found


def reports(events: list[Event]) -> list[Report]:
    return [report for event in events if isinstance(event, Reported) for report in event.reports]


def place(report: Report) -> tuple[int, int] | None:
    """Where it says it is, with a fix or, as the last place known, without."""
    if report.latitude is not None and report.longitude is not None:
        return report.latitude, report.longitude
    last = (report.items or {}).get("unlocated")
    return tuple(last) if isinstance(last, list) else None  # type: ignore[return-value]


def check(record: Record, events: list[Event], readers: Readers) -> None:
    """Assert that the events are what the record expects. ``readers``: how an attribute of it is found in a report."""
    expected, kind = record["expected"], record["kind"]
    found = reports(events)
    if expected is None:
        assert [event for event in events if not isinstance(event, Refused)]
        for report in found:
            _possible(report)
        if kind == "verifyPosition":
            assert place(found[0]) is not None
        elif kind == "verifyAttributes":
            assert found[0].items
    elif "position" in expected:
        _same(found[0], expected["position"])
    elif "attribute" in expected:
        wanted = expected["attribute"]
        assert readers[wanted["key"]](found[0]) == wanted["value"]
    else:
        assert all(report.latitude is None for report in found)


def _possible(report: Report) -> None:
    if report.fix_time is not None:
        assert EARLIEST <= report.fix_time <= NOW + 25 * HOUR
    where = place(report)
    if where is not None:
        assert abs(where[0]) <= 900_000_000
        assert abs(where[1]) <= 1_800_000_000
    assert report.speed is None or 0 <= report.speed <= 44_700  # 869 knots
    assert report.course is None or 0 <= report.course < 360


def _same(report: Report, wanted: Record) -> None:
    time = datetime.strptime(wanted["time_utc"], "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC)
    assert report.fix_time == round(time.timestamp() * 1000)
    assert (report.latitude is not None) is wanted["valid"]
    where = place(report)
    assert where is not None
    assert abs(where[0] / 1e7 - wanted["latitude"]) <= 1e-5
    assert abs(where[1] / 1e7 - wanted["longitude"]) <= 1e-5
    if "speed_knots" in wanted:
        assert report.speed is not None
        assert abs(report.speed / 51.4444 - wanted["speed_knots"]) < 0.1


# -- what must hold for any bytes


def told(event: Event) -> object:
    """An event as a value that can be compared."""
    if isinstance(event, Reported):
        return "reported", [fields(report) for report in event.reports], event.ticket
    if isinstance(event, Login):
        return "login", event.device_id, event.ticket
    if isinstance(event, Heartbeat):
        return "heartbeat", event.ticket
    return event.reason


def fields(report: Report) -> dict[str, object]:
    return {name: getattr(report, name) for name in Report.__slots__ if hasattr(report, name)}


def fed(make: Make, parts: list[bytes], peer: Peer = LENIENT, now: int = NOW) -> list[object]:
    """The events of a stream that comes in these parts. What the core wants to answer is answered."""
    core = make(peer)
    found = []
    for part in parts:
        for event in core.receive_data(part, now):
            found.append(told(event))
            answer(core, event)
        due = core.get_timer()
        assert due is None or due >= now
    core.data_to_send()
    return found


def answer(core: TrackerCore, event: Event) -> None:
    """What the session does about an event when all goes well."""
    if isinstance(event, Login):
        core.accept(event)
    elif isinstance(event, Reported | Heartbeat):
        core.acknowledge(event)


def cuts(stream: bytes) -> Iterator[list[bytes]]:
    """The stream byte by byte, and in two parts at each place."""
    yield [stream[i : i + 1] for i in range(len(stream))]
    for at in range(1, len(stream)):
        yield [stream[:at], stream[at:]]


def near(samples: list[bytes]) -> st.SearchStrategy[bytes]:
    """Bytes that look like these messages: some of them in a row, cut, with bytes changed, put in or left out."""

    @st.composite
    def made(draw: st.DrawFn) -> bytes:
        stream = bytearray(b"".join(draw(st.lists(st.sampled_from(samples), min_size=1, max_size=4))))
        for _ in range(draw(st.integers(0, 6))):
            at = draw(st.integers(0, max(0, len(stream) - 1)))
            what = draw(st.sampled_from(("change", "insert", "remove")))
            if what == "remove":
                del stream[at : at + draw(st.integers(1, 9))]
            elif what == "insert":
                stream[at:at] = draw(st.binary(min_size=1, max_size=5))
            elif stream:
                stream[at] = draw(st.integers(0, 255))
        return bytes(stream)

    return made()
