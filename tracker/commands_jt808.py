"""Commands in the words of JT/T 808: from arguments to what is sent, and from answers to what people read. Pure.

A command is made once when it is asked for, so that what no terminal could be sent is refused then, and again
each time that it goes out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from protocols.jt808.areas import ENTER_PLATFORM, LEAVE_PLATFORM, Area, Box, Circle, Polygon, Rules, Shape
from protocols.jt808.downlinks import (
    DeleteAreas,
    Downlink,
    Follow,
    Locate,
    Photo,
    QueryParameters,
    SetCircles,
    SetParameters,
    SetPolygon,
    SetRectangles,
    Text,
)
from protocols.jt808.parameters import PARAMETERS, Forbidden
from tracker.commands_arguments import bad, listening
from tracker.roster import Refusal

_IDS = {parameter.name: ident for ident, parameter in PARAMETERS.items()}
_SHAPES = {"circle": Shape.CIRCLE, "rectangle": Shape.BOX, "polygon": Shape.POLYGON}
_RESOLUTIONS = {"320x240": 1, "640x480": 2, "800x600": 3, "1024x768": 4}

ANSWERS = {
    1: ("the terminal could not do it", "终端执行失败"),
    2: ("the terminal says that the message has errors", "终端报告消息有误"),
    3: ("the terminal does not support this", "终端不支持此指令"),
}
"""Results of 0x0001 that are not 0."""
PHOTO_ANSWERS = {
    1: ("the terminal could not take the photo", "终端拍摄失败"),
    2: ("the terminal has no such camera", "终端没有该摄像头通道"),
}
"""Results of 0x0805 that are not 0."""


def told(answers: Mapping[int, tuple[str, str]], result: int) -> tuple[str, str]:
    """A result in words, English and Chinese."""
    return answers.get(result) or (f"the terminal answered {result}", f"终端应答 {result}")


def downlink(kind: str, arguments: Mapping[str, Any]) -> Downlink:
    """What a terminal is sent for a command. Raises Refusal ``bad_command`` or ``forbidden_command``."""
    try:
        return _MAKERS[kind](arguments)
    except Forbidden:
        raise listening() from None
    except ValueError as error:
        raise Refusal("bad_command", f"{kind}: {error}", f"{kind}：参数无法用于终端（{error}）") from None


def readable(values: Mapping[int, int | str | bytes]) -> dict[str, int | str]:
    """Parameters that a terminal has told, by name (those without one by number); raw bytes as hexadecimal digits."""
    return {
        PARAMETERS[ident].name if ident in PARAMETERS else f"0x{ident:04x}": value.hex()
        if isinstance(value, bytes)
        else value
        for ident, value in values.items()
    }


def _ident(field: str, name: str) -> int:
    ident = _IDS.get(name)
    if ident is None and name[:2].lower() == "0x":
        try:
            ident = int(name, 16)
        except ValueError:
            ident = None
    if ident is None or not 0 <= ident <= 0xFFFF_FFFF:
        text = "is no parameter; give a name such as report_s or a number such as 0x0029"
        raise bad(field, text, "不是参数，请给出名称（如 report_s）或编号（如 0x0029）")
    return ident


def _parameters(arguments: Mapping[str, Any]) -> Downlink:
    values = {_ident(f"values.{name}"[:80], name): value for name, value in arguments["values"].items()}
    if len(values) < len(arguments["values"]):
        raise bad("values", "name one parameter twice", "同一参数出现了两次")
    return SetParameters(values)


def _query(arguments: Mapping[str, Any]) -> Downlink:
    names = arguments["parameters"]
    return QueryParameters([_ident(f"parameters[{at}]", name) for at, name in enumerate(names)])


def _e7(degrees: float) -> int:
    return round(degrees * 1e7)


def _area(area: Mapping[str, Any]) -> Area:
    alerts = (ENTER_PLATFORM if area["alarm_on_entry"] else 0) | (LEAVE_PLATFORM if area["alarm_on_exit"] else 0)
    ident, rules = area["id"], Rules(alerts)
    if "radius" in area:
        lat, lon = _e7(area["center"]["lat"]), _e7(area["center"]["lon"])
        return Circle(ident=ident, rules=rules, latitude=lat, longitude=lon, radius=area["radius"])
    if "points" in area:
        points = tuple((_e7(point["lat"]), _e7(point["lon"])) for point in area["points"])
        return Polygon(ident=ident, rules=rules, points=points)
    first, last = area["north_west"], area["south_east"]
    return Box(
        ident=ident, rules=rules, north=_e7(first["lat"]), west=_e7(first["lon"]),
        south=_e7(last["lat"]), east=_e7(last["lon"]),
    )  # fmt: skip


def _areas(arguments: Mapping[str, Any]) -> Downlink:
    areas: list[Any] = [_area(area) for area in arguments["areas"]]
    if arguments["shape"] == "polygon":
        if len(areas) != 1:
            raise bad("areas", "must be one polygon: a message holds no more", "每条指令只能含一个多边形")
        return SetPolygon(areas[0])
    return SetCircles(areas) if arguments["shape"] == "circle" else SetRectangles(areas)


_MAKERS: dict[str, Callable[[Mapping[str, Any]], Downlink]] = {
    "text": lambda a: Text(a["text"], a["urgent"], a["display"], a["speak"]),
    "locate": lambda a: Locate(),
    "follow": lambda a: Follow(a["interval"], a["duration"]),
    "parameters": _parameters,
    "query_parameters": _query,
    "areas_set": _areas,
    "areas_delete": lambda a: DeleteAreas(_SHAPES[a["shape"]], a["ids"]),
    "photo": lambda a: Photo(
        a["channel"], a["count"], a["interval"], resolution=_RESOLUTIONS[a["resolution"]], quality=a["quality"]
    ),
}
