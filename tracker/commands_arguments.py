"""What may be said with a command: its arguments by kind as tables, strictly read. Pure.

:func:`read` gives the arguments in full, with what was left out; whatever is wrong is refused by the name of its
field. What only a protocol can judge (which parameters there are, which characters) is judged by its own module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tracker.commands_model import KINDS, LONGEST
from tracker.roster import Refusal

Read = Callable[[str, Any], Any]
"""(field's name, what was given) -> the value. Raises Refusal."""
_REQUIRED: Any = object()

FORBIDDEN = frozenset({"listen", "call", "talk", "monitor", "audio", "record"})
"""Kinds that people look for in terminals' manuals and that are not built: they open a microphone in a cabin without
a word to those in it. What parameters do the same is refused where parameters are read."""
ENTRIES = 100
"""Parameters or areas of one command: a message's count is a byte, and a terminal's input buffer is small."""


def bad(name: str, text: str, zh: str) -> Refusal:
    """What is wrong with a field."""
    return Refusal("bad_command", f"{name} {text}", f"{name} {zh}")


def listening() -> Refusal:
    """Why nobody is listened to."""
    return Refusal(
        "forbidden_command",
        "listening in on people is not built: this opens a microphone without a word to those in the cabin",
        "不提供监听功能：该指令会在车内人员不知情时打开麦克风",
    )


def read(kind: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a command of this kind. Raises Refusal ``bad_command`` or ``forbidden_command``."""
    if isinstance(kind, str) and kind.strip().lower() in FORBIDDEN:
        raise listening()
    fields = _FIELDS.get(kind) if isinstance(kind, str) else None
    if fields is None:
        raise bad("kind", f"must be one of {', '.join(KINDS)}", f"须为 {'、'.join(KINDS)} 之一")
    return _fields("", fields, given)


def expiry(kind: str, arguments: Mapping[str, Any], asked: Any) -> int:
    """Seconds for which a command holds, as asked or by its kind; a series of photos takes its time besides."""
    if asked is not None:
        return int(whole(1, LONGEST)("expires_s", asked))
    series = (arguments["count"] - 1) * arguments["interval"] if kind == "photo" else 0
    return KINDS[kind].expiry + int(series)


def whole(low: int, high: int) -> Read:
    """A whole number between two others."""

    def read(name: str, value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            raise bad(name, f"must be a whole number from {low} to {high}", f"须为 {low} 至 {high} 的整数")
        return value

    return read


def number(low: float, high: float) -> Read:
    """A number between two others."""

    def read(name: str, value: Any) -> float:
        if type(value) not in (int, float) or not low <= value <= high:
            raise bad(name, f"must be a number from {low:g} to {high:g}", f"须为 {low:g} 至 {high:g} 的数")
        return float(value)

    return read


def flag(name: str, value: Any) -> bool:
    if type(value) is not bool:
        raise bad(name, "must be true or false", "须为 true 或 false")
    return value


def word(*words: str) -> Read:
    """One of these."""

    def read(name: str, value: Any) -> str:
        if value not in words or not isinstance(value, str):
            raise bad(name, f"must be one of {', '.join(words)}", f"须为 {'、'.join(words)} 之一")
        return value

    return read


def text(limit: int) -> Read:
    """So many characters at most, and at least one that is seen."""

    def read(name: str, value: Any) -> str:
        if not isinstance(value, str) or not value.strip() or len(value) > limit:
            raise bad(name, f"must be a text of 1 to {limit} characters", f"须为 1 至 {limit} 个字符的文本")
        return value

    return read


def listed(entry: Read, *, least: int = 1) -> Read:
    """A list, each entry of which is read for itself."""

    def read(name: str, value: Any) -> list[Any]:
        if not isinstance(value, Sequence) or isinstance(value, str) or not least <= len(value) <= ENTRIES:
            raise bad(name, f"must be a list of {least} to {ENTRIES} entries", f"须为 {least} 至 {ENTRIES} 项的列表")
        return [entry(f"{name}[{at}]", one) for at, one in enumerate(value)]

    return read


def _parameter(name: str, value: Any) -> str:
    """A parameter's name, or its number as 0x0029; which there are is the protocol's to say."""
    if not isinstance(value, str) or not 0 < len(value) <= 64:
        raise bad(name, "must be the name of a parameter or its number such as 0x0029", "须为参数名或编号，如 0x0029")
    return value


def _values(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not 0 < len(value) <= ENTRIES:
        raise bad(name, f"must be an object of 1 to {ENTRIES} parameters", f"须为含 1 至 {ENTRIES} 个参数的对象")
    for key, one in value.items():
        if type(one) not in (int, str) or (isinstance(one, str) and len(one) > 255):
            raise bad(f"{name}.{key}", "must be a whole number or a text", "须为整数或文本")
    return {_parameter(name, key): one for key, one in value.items()}


_POINT = {"lat": (number(-90, 90), _REQUIRED), "lon": (number(-180, 180), _REQUIRED)}


def _point(name: str, value: Any) -> dict[str, Any]:
    return _object(name, _POINT, value)


_EVERY_AREA = {
    "id": (whole(1, 0xFFFF_FFFF), _REQUIRED),
    "alarm_on_entry": (flag, True),
    "alarm_on_exit": (flag, True),
}
"""A terminal tells what it notices by the alarm bits of its positions."""
_SHAPES: dict[str, dict[str, tuple[Read, Any]]] = {
    "circle": {**_EVERY_AREA, "center": (_point, _REQUIRED), "radius": (whole(1, 100_000), _REQUIRED)},
    "rectangle": {**_EVERY_AREA, "north_west": (_point, _REQUIRED), "south_east": (_point, _REQUIRED)},
    "polygon": {**_EVERY_AREA, "points": (listed(_point, least=3), _REQUIRED)},
}
_SHAPE = word(*_SHAPES)


def _areas(given: dict[str, Any]) -> dict[str, Any]:
    """The areas by the shape that was named."""
    fields, shape = _SHAPES[given["shape"]], given["shape"]
    areas = [_object(f"areas[{at}]", fields, area) for at, area in enumerate(given["areas"])]
    if len({area["id"] for area in areas}) < len(areas):
        raise bad("areas", f"name one {shape} twice", "含有重复的 id")
    return {**given, "areas": areas}


_FIELDS: dict[str, dict[str, tuple[Read, Any]]] = {
    "text": {
        "text": (text(1024), _REQUIRED), "urgent": (flag, False), "display": (flag, True), "speak": (flag, True),
    },
    "locate": {},
    "roll_call": {"until": (whole(0, 1 << 53), 0)},
    "follow": {"interval": (whole(0, 0xFFFF), _REQUIRED), "duration": (whole(0, 7 * 86_400), 0)},
    "parameters": {"values": (_values, _REQUIRED)},
    "query_parameters": {"parameters": (listed(_parameter, least=0), [])},
    "areas_set": {"shape": (_SHAPE, _REQUIRED), "areas": (listed(lambda name, value: value), _REQUIRED)},
    "areas_delete": {"shape": (_SHAPE, _REQUIRED), "ids": (listed(whole(1, 0xFFFF_FFFF), least=0), _REQUIRED)},
    "photo": {
        "channel": (whole(1, 255), 1), "count": (whole(1, 10), 1), "interval": (whole(0, 600), 0),
        "resolution": (word("320x240", "640x480", "800x600", "1024x768"), "640x480"), "quality": (whole(1, 10), 5),
    },
}  # fmt: skip
"""Field -> how it is read, and what it is when it was left out."""


def _fields(where: str, fields: Mapping[str, tuple[Read, Any]], given: Mapping[str, Any]) -> dict[str, Any]:
    unknown = next((name for name in given if name not in fields), None)
    if unknown is not None:
        known = ", ".join(fields) or "none"
        raise bad(f"{where}{unknown}"[:80], f"is not known here; known are: {known}", f"不是可用的字段，可用：{known}")
    found = {}
    for name, (read, default) in fields.items():
        if name in given:
            found[name] = read(f"{where}{name}", given[name])
        elif default is _REQUIRED:
            raise bad(f"{where}{name}", "is missing", "缺失")
        else:
            found[name] = default
    if "areas" in found:
        return _areas(found)
    if found.get("interval") and found.get("duration") == 0:
        raise bad("duration", "must say for how many seconds", "须说明跟踪持续的秒数")
    return found


def _object(name: str, fields: Mapping[str, tuple[Read, Any]], value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise bad(name, "must be an object", "须为对象")
    return _fields(f"{name}.", fields, value)
