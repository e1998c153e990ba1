"""What an export of somebody's data looks like: tables, tracks and the words that explain them. Pure: values in, lines
out."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from itertools import chain
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from tracker.catalogue import CATALOGUE
from tracker.model import DISBELIEVED, FOREVER, Doubt, Duty, Mark
from tracker.record import ReportRecord

POINT_HEAD = (
    "fix_time", "local_time", "server_time", "device_time", "latitude", "longitude", "altitude_m", "speed_mps",
    "course_deg", "accuracy_m", "device", "duty", "status", "alarm", "flags", "sent_latitude", "sent_longitude",
    "readings",
)  # fmt: skip
MESSAGE_HEAD = ("server_time", "local_time", "fix_time", "device_time", "device", "duty", "status", "alarm", "flags",
                "readings")  # fmt: skip
LOOK_HEAD = ("time", "local_time", "account", "role", "what", "reason", "about")
DEED_HEAD = ("time", "local_time", "account", "what", "unit", "address")
PHOTO_HEAD = ("file", "received", "taken", "device", "command", "bytes", "kept")

README = """\
个人数据导出  Export of a person's data
{name}（{id}），{made}

本压缩包包含系统保存的关于该人员（或车辆）的全部数据。时间为 UTC，local_time 为城市时间（{zone}）；坐标为 WGS-84。
This archive holds all that is kept of this person (or vehicle). Times are UTC, local_time is the city's ({zone});
coordinates are WGS-84.

about.json        登记信息、设备（不含密钥）、在岗时段  who it is, devices without their secrets, duty intervals
history.jsonl     登记信息与排班的历次变更  every change of these and of the rota, one JSON object a line
points/           每日一表，每个位置点  each position, one CSV table a day (CSV)
tracks/           同样的轨迹，GPX 1.1（不含存疑的点）  the same as GPX 1.1, without points that are doubted
messages/         没有定位的报告  reports without a position
commands.jsonl    下发的指令及结果  what was asked of the devices, and what came of it
roll_calls.jsonl  点名及应答        roll calls, and what was answered
duty.jsonl        上下岗登记        on and off duty, as it was told, and what was removed as off duty
tasks.jsonl       本人与任务有关的每一步  what the person did to tasks, and was asked
decisions.jsonl   每次派遣时所知的本人情况  what was known of the person each time that somebody was chosen for a task
problems.jsonl sos.jsonl  本人的问题上报和求助  what the person reported, and calls for help
notices.jsonl     收到和阅读的通知  notices that the person was sent and has read
webhooks.jsonl    向案件系统发送的相关消息  what the case system was told of the person
looked_at.csv     谁在何时、为何查看过这些数据  who looked at all this, when and why
account.csv       本人账号的登录与操作  when the person's account signed in, and what it looked at
photos.csv photos/  照片和语音，原样  photos and voice notes, as they came
proof/            所在各日的封存记录：每行是封存链中的一项，含该日全市文件的 SHA-256
                  the chain's entries of these days: each holds the SHA-256 of the whole city's files of a day

flags: unauthenticated 设备无密钥 no secret; backfill 补传 sent later; converted 坐标已转换 converted;
skew 时钟偏差 clock off;
duplicate future late secondary jump inaccurate: 存疑，原因如名 doubted, for the reason that the word says.
alarm, status: 部标 JT/T 808 的位  bits as in JT/T 808.
"""


def moment(ms: int | None, zone: tzinfo = UTC) -> str:
    """A time as ISO 8601, empty for none."""
    if ms is None:
        return ""
    try:
        text = datetime.fromtimestamp(ms / 1000, zone).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return str(ms)
    return text.replace("+00:00", "Z") if zone is UTC else text


def flags(marks: int, doubts: int) -> str:
    """The names of what is known and doubted of a point."""
    names = [mark.name for mark in Mark if marks & mark] + [doubt.name for doubt in Doubt if doubts & doubt]
    return " ".join(name.lower() for name in names if name)


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """A CSV table with its head, a line at a time; a spreadsheet knows its UTF-8 by the mark at its beginning."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    for number, row in enumerate(chain((head,), rows)):
        writer.writerow([cell(value) for value in row])
        yield ("\ufeff" if number == 0 else "") + buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()


_FORMULA = re.compile(r"\s*[=+@＝＋－＠-]|[\t\r\n]")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


def cell(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula is told to be a text; some take wide signs for narrow ones."""
    if isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value):
        return "'" + value
    return value


def point_row(record: ReportRecord, doubts: int, zone: tzinfo) -> Sequence[Any]:
    """A point as :data:`POINT_HEAD` has it."""
    assert record.latitude is not None
    assert record.longitude is not None
    original = record.original
    return (
        moment(record.fix_time), moment(record.fix_time, zone), moment(record.server_time), moment(record.device_time),
        f"{record.latitude / 1e7:.7f}", f"{record.longitude / 1e7:.7f}", _known(record.altitude),
        _known(record.speed, 100), _known(record.course), _known(record.accuracy, 10), record.device, record.duty,
        record.status, record.alarm, flags(record.marks, doubts),
        "" if original is None else f"{original[0] / 1e7:.7f}", "" if original is None else f"{original[1] / 1e7:.7f}",
        readings(record.items),
    )  # fmt: skip


def message_row(record: ReportRecord, zone: tzinfo) -> Sequence[Any]:
    """A report without a position as :data:`MESSAGE_HEAD` has it."""
    return (
        moment(record.server_time), moment(record.server_time, zone), moment(record.fix_time),
        moment(record.device_time), record.device, record.duty, record.status, record.alarm, flags(record.marks, 0),
        readings(record.items),
    )  # fmt: skip


def _known(value: int | None, divisor: int = 1) -> float | int | str:
    if value is None:
        return ""
    return value if divisor == 1 else value / divisor


def readings(items: Mapping[str, Any] | None) -> str:
    """What else a report holds, as JSON; bytes as hexadecimal digits."""
    return "" if not items else text_of(items)


def text_of(value: Any) -> str:
    """JSON of what came over a wire, whatever it is."""
    return json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"))


def plain(value: Any) -> Any:
    """The same with nothing that JSON does not know."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value


def gpx(name: str, points: Iterable[tuple[ReportRecord, int]]) -> Iterator[str]:
    """A day's track. Points that are not believed are left out."""
    yield (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<gpx version="1.1" creator={quoteattr("Gridbeat")} xmlns="http://www.topografix.com/GPX/1/1">\n'
        f"<trk><name>{escape(_printable(name))}</name><trkseg>\n"
    )
    for record, doubts in points:
        if doubts & DISBELIEVED or record.latitude is None or record.longitude is None:
            continue
        height = "" if record.altitude is None else f"<ele>{record.altitude}</ele>"
        yield (
            f'<trkpt lat="{record.latitude / 1e7:.7f}" lon="{record.longitude / 1e7:.7f}">{height}'
            f"<time>{moment(record.fix_time)}</time></trkpt>\n"
        )
    yield "</trkseg></trk></gpx>\n"


def device_told(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A device without what is a secret or makes one: an id that we issued is all that such a device has."""
    told = {name: value for name, value in fields.items() if name not in ("token", "next", "token_serial")}
    entry = CATALOGUE.get(str(fields.get("protocol")))
    if entry is None or (entry.issued and not entry.secret):
        told.pop("external_id", None)
    return told


def duty_told(duty: Duty) -> dict[str, Any]:
    """A duty interval; one that is still running has no end."""
    end = None if duty.end == FOREVER else moment(duty.end)
    return {"number": duty.number, "start": moment(duty.start), "end": end}


def _printable(text: str) -> str:
    """Without the signs that XML has no way to write."""
    return "".join(sign if sign.isprintable() else " " for sign in text)
