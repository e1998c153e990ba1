"""What somebody who makes, amends or decides something of a task has sent: read, and refused with words that say what
to do. A place comes with its coordinate system or not at all: one that is taken for another is half a grid away."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from dispatch.desk_model import NO_TASK, NewTask
from dispatch.model import NOBODY, Spot, Task, TaskId
from protocols.report import CoordinateSystem
from tracker.admission import to_wgs84
from tracker.model import UnitId
from webmap.routes import ApiError, header_of
from webmap.services import Services

SYSTEMS = {"wgs84": CoordinateSystem.WGS84, "gcj02": CoordinateSystem.GCJ02, "bd09": CoordinateSystem.BD09}
EDGE_M = 50
"""Outlines that were drawn one by one leave cracks between them; what lies in one is in the city all the same."""
TEXTS = {"address": 200, "text": 1000, "source": 100}
"""Characters of each."""
REASON = 200
_NEW = frozenset({"id", "kind", "klass", "lat", "lon", "crs", "address", "text", "source", "unit", "reporter", "due"})
_BETTER = frozenset({"seen", "klass", "lat", "lon", "crs", "address", "text"})
_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}")
_KLASS = re.compile(r"[0-9A-Za-z]{0,16}")
_KEY = re.compile(r"[!-~]{1,255}")


def refused(code: str, text: str, zh: str) -> ApiError:
    return ApiError(422, code, text, zh)


def fields_of(given: Any, known: frozenset[str]) -> dict[str, Any]:
    """A JSON object of known fields; what is null is not said."""
    if not isinstance(given, dict) or given.keys() - known:
        names = ", ".join(sorted(known))
        other = ", ".join(sorted(given.keys() - known))[:100] if isinstance(given, dict) else ""
        not_this, zh = (f", not {other}", f"，不可含 {other}") if other else ("", "")
        raise refused("bad_task", f"send an object with any of {names}{not_this}", f"请发送对象，可含 {names}{zh}")
    return {name: value for name, value in given.items() if value is not None}


def new_of(services: Services, given: Any, key: str | None, account: str) -> NewTask:
    """The task that somebody wants. With a ``key`` of his own its id follows from that: asked again it is the same."""
    fields = fields_of(given, _NEW)
    kind = str(fields.get("kind"))
    if kind not in services.desk.rules.kinds:
        words = ", ".join(services.desk.rules.kinds)
        raise refused("bad_kind", f"kind must be one of {words}", f"kind 须为 {words} 之一")
    texts = {name: text_of(fields, name, most) for name, most in TEXTS.items()}
    return NewTask(
        kind, spot_of(services, fields), _id_of(fields, key, account), klass_of(fields), **texts,
        pinned=_unit_of(fields, "unit"), independent=_unit_of(fields, "reporter"), due=_due_of(fields),
    )  # fmt: skip


def better_of(services: Services, given: Any) -> tuple[str, dict[str, Any]]:
    """What somebody knows better of a task, and what he has seen of it."""
    fields = fields_of(given, _BETTER)
    better: dict[str, Any] = {
        name: text_of(fields, name, TEXTS[name]) for name in ("address", "text") if name in fields
    }
    if "klass" in fields:
        better["klass"] = klass_of(fields)
    if fields.keys() & {"lat", "lon", "crs"}:
        better["spot"] = spot_of(services, fields)
    if not better:
        text = "send what is to be amended: text, address, klass, or lat, lon and crs"
        raise refused("bad_task", text, "请发送要修改的内容：text、address、klass，或 lat、lon 与 crs")
    return text_of(fields, "seen", 64), better


def _id_of(fields: Mapping[str, Any], key: str | None, account: str) -> TaskId:
    if "id" in fields:
        if not isinstance(fields["id"], str) or not _ID.fullmatch(fields["id"]):
            text = "id must have 1 to 64 letters, digits and . _ -, the first a letter or a digit"
            raise refused("bad_id", text, "id 须为 1 至 64 位字母、数字及 . _ -，首位为字母或数字")
        return TaskId(fields["id"])
    return NO_TASK if key is None else TaskId(id_from(account, key))


def key_of(request: Any) -> str | None:
    """The header ``Idempotency-Key``: by it what is sent again is known again."""
    key = header_of(request, b"idempotency-key")
    if key and not _KEY.fullmatch(key):
        text = "Idempotency-Key must have 1 to 255 visible ASCII characters"
        raise refused("bad_key", text, "Idempotency-Key 须为 1 至 255 个可见 ASCII 字符")
    return key or None


def id_from(account: str, key: str) -> str:
    """The id that an account's key makes: the same for the same, also after a restart."""
    return f"k-{hashlib.sha256(f'{account} {key}'.encode()).hexdigest()[:20]}"


def spot_of(services: Services, fields: Mapping[str, Any]) -> Spot:
    """Where it is, in WGS-84 and within the city."""
    place = [fields.get("lat"), fields.get("lon")]
    if None in place or "" in place:
        text = "lat and lon are missing: locate it on the map first"
        raise refused("no_position", text, "缺少坐标 lat、lon：请先在地图上定位")
    crs = fields.get("crs")
    if crs is None or crs == "":
        text = "crs is missing: say in which system lat and lon are, wgs84, gcj02 or bd09"
        raise refused("no_crs", text, "缺少坐标系 crs：请注明 lat、lon 属于 wgs84、gcj02 还是 bd09")
    system = SYSTEMS.get(crs) if isinstance(crs, str) else None
    if system is None:
        raise refused("bad_crs", "crs must be wgs84, gcj02 or bd09", "crs 须为 wgs84、gcj02 或 bd09")
    degrees = [_degrees(one, most) for one, most in zip(place, (90, 180), strict=True)]
    latitude, longitude = (round(one * 1e7) for one in degrees)
    if system is not CoordinateSystem.WGS84:
        latitude, longitude = to_wgs84(system, latitude, longitude)
    spot = Spot(latitude, longitude)
    far = services.intake.areas().distance(latitude, longitude)
    if far is not None and far > EDGE_M:
        told = f"{far:.0f} m" if far < 10_000 else f"{far / 1000:.0f} km"
        text = f"this lies {told} outside the city's grids: see whether lat, lon and crs are right"
        raise refused("outside_city", text, f"该位置在全市网格之外 {told}，请核对 lat、lon 与 crs")
    return spot


def _degrees(value: Any, most: int) -> float:
    # A whole number of any length fits no float; nan is within nothing.
    if type(value) not in (int, float) or not -most <= value <= most:
        raise refused(
            "bad_position",
            "lat and lon must be numbers, degrees: are they swapped?",
            "lat、lon 须为以度为单位的数字，请核对两者是否颠倒",
        )
    return float(value)


def text_of(fields: Mapping[str, Any], name: str, most: int) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str) or len(value) > most:
        raise refused(
            f"bad_{name}", f"{name} must be a text of up to {most} characters", f"{name} 须为不超过 {most} 字的文本"
        )
    # JSON can spell half a character, which the journal cannot hold.
    return value.encode("utf-8", "replace").decode().strip()


def klass_of(fields: Mapping[str, Any]) -> str:
    value = fields.get("klass", "")
    if not isinstance(value, str) or not _KLASS.fullmatch(value):
        raise refused("bad_klass", "klass must be a class's code, such as 0203", "klass 须为类别代码，如 0203")
    return value


def number_of(fields: Mapping[str, Any], name: str) -> int:
    value = fields.get(name)
    if type(value) is not int or not 0 <= value < 1 << 53:
        raise refused(f"bad_{name}", f"{name} must be a whole number", f"{name} 须为整数")
    return value


def _unit_of(fields: Mapping[str, Any], name: str) -> UnitId:
    value = fields.get(name, NOBODY)
    if not isinstance(value, str):
        raise refused("no_unit", f"{name} must be a unit's id", f"{name} 须为人员或车辆编号")
    return UnitId(value)


def _due_of(fields: Mapping[str, Any]) -> int | None:
    return None if "due" not in fields else number_of(fields, "due")


def same(task: Task, deeds: list[dict[str, Any]], new: NewTask, account: str) -> bool:
    """Whether a task began as this one is wanted. What of its beginning is not known any more is taken as the same."""
    if not deeds or deeds[0].get("what") != "task":
        return True
    head = deeds[0]
    pins = [one["unit"] for one in deeds[1:3] if one["what"] == "pin" and "by" not in one]
    began = (head["kind"], head["klass"], tuple(head["spot"]), head["address"], head["text"], head["source"],
             UnitId(pins[0] if pins else NOBODY))  # fmt: skip
    wanted = (new.kind, new.klass, (new.spot.latitude, new.spot.longitude), new.address, new.text,
              new.source or account, new.pinned)  # fmt: skip
    return began == wanted and new.due in (None, head["due"])
