"""Tables of people and devices as offices keep them, judged line by line before anything is sent. Pure.

A table is CSV as spreadsheets write it: UTF-8 with or without a byte order mark, UTF-16 or GB18030; cells parted by
commas, semicolons or tabs; column heads in English or Chinese, in any order. Its heads say which table it is: one
with a protocol holds devices, one with a name holds people and vehicles. Everything that is wrong is named by file
and line, all of it at once.
"""

from __future__ import annotations

import csv
import io
import ipaddress
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tracker.areas import GeoJSONError, read_areas
from tracker.catalogue import ALIASES, CATALOGUE
from tracker.model import Area

PEOPLE = {
    "id": ("id", "unit id", "no", "编号", "工号", "人员编号", "车辆编号"),
    "name": ("name", "姓名", "名称", "人员", "人员姓名", "车辆名称"),
    "kind": ("kind", "type", "类型", "类别", "种类"),
    "team": ("team", "group", "班组", "队伍", "中队", "小组", "部门", "单位"),
    "street": ("street", "街道", "所属街道"),
    "grid": ("grid", "网格", "责任网格", "网格编号", "所属网格"),
}
DEVICES = {
    "protocol": ("protocol", "协议", "接入协议", "通信协议"),
    "external_id": ("external id", "device id", "terminal", "设备号", "设备编号", "终端号", "终端手机号", "手机号"),
    "unit": ("unit", "person", "vehicle", "carrier", "人员", "人员编号", "车辆", "使用人", "持有人", "绑定对象"),
    "networks": ("networks", "network", "网段", "来源网段", "允许网段"),
    "header": ("header", "version", "协议版本", "消息头", "版本"),
}
"""Each column with the heads by which it is known; case, spaces and underscores do not matter."""
KINDS = {
    "person": ("", "person", "人员", "采集员", "信息采集员", "监督员", "巡查员", "队员", "人"),
    "vehicle": ("vehicle", "car", "车辆", "巡查车", "执法车", "车"),
}
PROTOCOL_WORDS = {
    "手持": "handheld", "手持机": "handheld", "手持终端": "handheld", "部标": "jt808", "部标808": "jt808",
    "808": "jt808", "jt/t 808": "jt808", "traccar client": "traccar", "手机": "traccar", "手机app": "traccar",
    "gps logger": "gpslogger", "批量": "batch", "批量接口": "batch",
}  # fmt: skip
LABEL_LIMIT = 100
_LOST = re.compile(r"\d(?:[.,]\d+)?[eE]\+\d+")

Unit = Mapping[str, Any]
"""A unit as the API shows it: id, kind, name, team, street, grid."""


class TableError(ValueError):
    """The files cannot be used. ``problems`` are lines such as ``people.csv:7: there is no name``."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


class Told(str):
    """What is said of a line, such as ``people.csv:7: there is no name``; ``zh`` says it to who reads Chinese."""

    zh: str

    def __new__(cls, name: str, line: int, text: str, zh: str) -> Told:
        made = super().__new__(cls, f"{name}:{line}: {text}")
        made.zh = f"第 {line} 行：{zh}"
        return made


def in_chinese(said: Iterable[str]) -> list[str]:
    """The same sentences in Chinese, as far as they are known in it."""
    return [one.zh if isinstance(one, Told) else one for one in said]


@dataclass(frozen=True, slots=True)
class Row:
    """One line's cells by column; only the columns that the table has."""

    line: int
    cells: dict[str, str]


@dataclass(slots=True)
class Table:
    """``kind`` is people or devices. ``notes`` are things worth saying that stop nothing."""

    name: str
    kind: str
    rows: list[Row]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Layer:
    """Grids and cells of a GeoJSON file."""

    name: str
    areas: list[Area]


@dataclass(slots=True)
class Wishes:
    """What a table asks the server for: lines with what to send, the numbers of what is there already."""

    new: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    amended: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    unchanged: int = 0
    notes: list[str] = field(default_factory=list)


# Reading.


def read_file(name: str, data: bytes) -> Table | Layer:
    """A table, or a layer if it is JSON. Raises :class:`TableError`."""
    text = decode(name, data)
    return _read_layer(name, text) if text.lstrip()[:1] in ("{", "[") else _read_table(name, text)


def decode(name: str, data: bytes) -> str:
    """The text of a file in any encoding that a spreadsheet here writes."""
    utf_16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    for encoding in ("utf-16",) if utf_16 else ("utf-8-sig", "gb18030"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
        else:
            if "\0" not in text:
                return text
            line = text[: text.index("\0")].count("\n") + 1
    raise TableError([f"{name}:{line}: this is no text in UTF-8 or GB18030; save it as CSV (UTF-8)"])


def _read_table(name: str, text: str) -> Table:
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    try:
        numbered = list(_numbered(lines))
    except csv.Error as error:
        raise TableError([Told(name, lines.line_num, f"{error}; is a quotation mark missing?", "引号不成对")]) from None
    if not numbered:
        raise TableError([Told(name, 1, "the file is empty", "表格是空的")])
    (head_line, head), *rest = numbered
    kind, columns, notes = _heads(name, head_line, head)
    rows, problems = [], list[str]()
    for line, cells in rest:
        if any(cells[len(head) :]):
            text = f"{len(cells)} cells under {len(head)} heads; quote a cell with a comma"
            zh = f"有 {len(cells)} 个单元格，列名只有 {len(head)} 个；含逗号的单元格请加引号"
            problems.append(Told(name, line, text, zh))
        named = {key: cells[at] if at < len(cells) else "" for key, at in columns.items()}
        if any(named.values()):
            rows.append(Row(line, named))
    if problems:
        raise TableError(problems)
    return Table(name, kind, rows, notes)


def _numbered(lines: Any) -> Iterator[tuple[int, list[str]]]:
    """Lines that are not blank with the number of their first line: a quoted cell may hold line ends."""
    before = 0
    for cells in lines:
        trimmed = [cell.strip() for cell in cells]
        if any(trimmed):
            yield before + 1, trimmed
        before = lines.line_num


def _delimiter(text: str) -> str:
    head = next((line for line in text.splitlines() if line.strip()), "")
    return max(",;\t", key=head.count)


def _heads(name: str, line: int, head: list[str]) -> tuple[str, dict[str, int], list[str]]:
    cleaned = [re.sub(r"[\s_*＊]+", "", cell).lower() for cell in head]
    for kind, known, needed in (("devices", DEVICES, "protocol"), ("people", PEOPLE, "name")):
        by_word = {word.replace(" ", ""): key for key, words in known.items() for word in words}
        found = [by_word.get(word) for word in cleaned]
        if needed not in found:
            continue
        for key in known:
            if found.count(key) > 1:
                same = [cell for cell, at in zip(head, found, strict=True) if at == key]
                text, zh = f"{' and '.join(same)} mean the same column", f"{'、'.join(same)} 是同一列"
                raise TableError([Told(name, line, text, zh)])
        notes: list[str] = [
            Told(name, line, f"the column {cell} is not read", f"不读取列“{cell}”")
            for cell, key in zip(head, found, strict=True)
            if cell and key is None
        ]
        return kind, {key: at for at, key in enumerate(found) if key}, notes
    told = (
        "no column heads are known here; people need name (姓名), devices need protocol (协议), GeoJSON begins with {"
    )
    zh = "没有认识的列名；人员表需要“姓名”列（name），设备表需要“协议”列（protocol）"
    raise TableError([Told(name, line, told, zh)])


def _read_layer(name: str, text: str) -> Layer:
    try:
        document = json.loads(text)
    except ValueError as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        raise TableError([f"{name}:{line}: this is no JSON: {error}"]) from None
    except RecursionError:
        raise TableError([f"{name}:1: this is no GeoJSON: nested too deeply"]) from None
    try:
        return Layer(name, read_areas(document))
    except GeoJSONError as error:
        at = _feature_lines(text)
        problems = []
        for told in re.split(r"; (?=feature \d+: |cell '|and \d+ more)", str(error)):
            number = re.match(r"feature (\d+): ", told)
            line = at.get(int(number[1]), 1) if number else 1
            problems.append(f"{name}:{line}: {told}")
        raise TableError(problems) from None


def _feature_lines(text: str) -> dict[int, int]:
    """The line on which each feature begins, counted from 1."""
    start = re.search(r'"features"\s*:\s*\[', text)
    if start is None:
        return {}
    decoder, at, line, counted = json.JSONDecoder(), start.end(), 1, 0
    lines: dict[int, int] = {}
    while (gap := re.compile(r"[\s,]*").match(text, at)) and text[gap.end() : gap.end() + 1] not in ("]", ""):
        line += text.count("\n", counted, gap.end())
        counted = gap.end()
        lines[len(lines) + 1] = line
        _, at = decoder.raw_decode(text, gap.end())
    return lines


# Judging.


def judge_people(table: Table, units: Iterable[Unit], grids: Mapping[str, str]) -> Wishes:
    """What the table asks for beside the ``units`` that are. ``grids``: ids by id and by name; empty: none yet.

    A line with an id means that unit. One without means the unit of the same kind, name and team, or, if there is
    only one of that kind and name on both sides, that one: so the same table may come again.
    """
    wishes, problems = Wishes(notes=list(table.notes)), list[str]()
    present = {unit["id"]: unit for unit in units}
    wanted: list[tuple[int, dict[str, Any]]] = []
    seen: dict[str, int] = {}
    for row in table.rows:
        cells = dict(row.cells)
        told = _faults_of_person(cells, seen)
        if cells.get("id"):
            seen.setdefault(cells["id"], row.line)
        cells.setdefault("kind", present.get(cells.get("id", ""), {"kind": "person"})["kind"])
        grid = cells.get("grid")
        if grid and grid in grids:
            cells["grid"] = grids[grid]
        elif grid and grids:
            told.append((f"there is no grid {grid!r}", f"没有网格“{grid}”"))
        elif grid:
            text, zh = f"there is no grid {grid!r} yet; import the grids too", f"还没有网格“{grid}”，请一并导入网格"
            wishes.notes.append(Told(table.name, row.line, text, zh))
        problems += [Told(table.name, row.line, text, zh) for text, zh in told]
        wanted.append((row.line, cells))
    if problems:
        raise TableError(problems)
    matches = _match(wanted, present)
    for line, cells in wanted:
        before = present.get(cells.get("id") or matches.get(line, ""))
        if before is None:
            wishes.new.append((line, cells))
            continue
        fields = {key: before[key] or "" for key in ("id", "kind", "name", "team", "street", "grid")}
        if (after := fields | cells | {"id": before["id"]}) == fields:
            wishes.unchanged += 1
        else:
            wishes.amended.append((line, after))
    return wishes


def _faults_of_person(cells: dict[str, str], seen: Mapping[str, int]) -> list[tuple[str, str]]:
    """What is wrong, in English and Chinese."""
    told = []
    if not cells["name"]:
        told.append(("there is no name", "没有姓名"))
    if "kind" in cells:
        kind = next((kind for kind, words in KINDS.items() if cells["kind"].lower() in words), None)
        if kind is None:
            text = f"{cells['kind']!r} is neither person (人员) nor vehicle (车辆)"
            told.append((text, f"类型“{cells['kind']}”须为人员（person）或车辆（vehicle）"))
        cells["kind"] = kind or ""
    identity = cells.get("id", "")
    if identity and (len(identity) > 64 or not identity.replace("-", "").replace("_", "").isalnum()):
        text = f"the id {identity!r} may hold up to 64 letters, digits, - and _"
        told.append((text, f"编号“{identity}”须为 1 至 64 个字母、数字、- 或 _"))
    if identity in seen:
        line = seen[identity]
        told.append((f"the id {identity} stands on line {line} too", f"编号“{identity}”与第 {line} 行重复"))
    return told + [
        (f"{key} is longer than {LABEL_LIMIT} characters", f"{zh}超过 {LABEL_LIMIT} 个字符")
        for key, zh in (("name", "姓名"), ("team", "队伍"), ("street", "街道"), ("grid", "网格"))
        if len(cells.get(key, "")) > LABEL_LIMIT
    ]


def _match(wanted: list[tuple[int, dict[str, Any]]], present: Mapping[str, Unit]) -> dict[int, str]:
    """The unit that each line without an id means, by line."""
    named = {cells["id"] for _, cells in wanted if cells.get("id")}
    free = [unit for unit in present.values() if unit["id"] not in named]
    lines = [(line, cells) for line, cells in wanted if not cells.get("id")]
    matches: dict[int, str] = {}
    # The narrow key first, in order on both sides; then the wide one, where it leaves no doubt.
    for key, certain in (
        (lambda entry: (entry["kind"], entry["name"], entry.get("team") or ""), False),
        (lambda entry: (entry["kind"], entry["name"]), True),
    ):
        there, here = _grouped(free, key), _grouped([cells | {"line": line} for line, cells in lines], key)
        for group, entries in here.items():
            if certain and (len(entries) > 1 or len(there[group]) > 1):
                continue
            for entry, unit in zip(entries, there[group], strict=False):
                matches[entry["line"]] = unit["id"]
        taken = set(matches.values())
        free = [unit for unit in free if unit["id"] not in taken]
        lines = [(line, cells) for line, cells in lines if line not in matches]
    return matches


def _grouped(entries: Iterable[Mapping[str, Any]], key: Callable[[Any], Any]) -> defaultdict[Any, list[Any]]:
    groups: defaultdict[Any, list[Any]] = defaultdict(list)
    for entry in entries:
        groups[key(entry)].append(entry)
    return groups


def judge_devices(table: Table, units: Iterable[Unit], devices: Iterable[Mapping[str, Any]]) -> Wishes:
    """What the table asks for beside the ``devices`` that are. Its units are named by id or, if only one has it, by
    name. A phone without an id of its own means the first phone of that unit that no other line means."""
    wishes, problems = Wishes(notes=list(table.notes)), list[str]()
    ids, names = set[str](), defaultdict[str, list[str]](list)
    for one in units:
        ids.add(one["id"])
        names[one["name"]].append(one["id"])
    present = {(held["protocol"], held["external_id"]): held for held in devices}
    lines = [(row.line, *_device_of(row.cells)) for row in table.rows]
    spoken_for = {_key(fields) for _, fields, _ in lines}
    phones = _grouped(
        (held for key, held in present.items() if key not in spoken_for), lambda held: (held["protocol"], held["unit"])
    )
    seen: dict[tuple[str, str], int] = {}
    for line, fields, told in lines:
        where, key = f"{table.name}:{line}: ", _key(fields)
        unit, external = fields.get("unit", ""), fields["external_id"]
        if unit and unit not in ids:
            meant = names.get(unit, [])
            if len(meant) == 1:
                fields["unit"] = unit = meant[0]
            elif meant:
                told.append(f"{len(meant)} units are called {unit!r}; name one by its id: {', '.join(meant)}")
            else:
                told.append(f"there is no unit {unit!r}; import the people first, or together with the devices")
        if external and key in seen:
            told.append(f"the device {external} stands on line {seen[key]} too")
        seen.setdefault(key, line)
        if told:
            problems += [where + fault for fault in told]
            continue
        issued = [] if external else phones[(fields["protocol"], unit)]
        held = issued.pop(0) if issued else present.get(key)
        if held is None:
            wishes.new.append((line, fields))
            continue
        wishes.unchanged += 1
        if unit and held["unit"] != unit:
            wishes.notes.append(f"{where}{held['id']} is there already, carried by {held['unit']}; not changed")
    if problems:
        raise TableError(problems)
    return wishes


def _key(fields: Mapping[str, Any]) -> tuple[str, str]:
    protocol, external = fields["protocol"], fields["external_id"]
    return protocol, CATALOGUE[protocol].normal(external) if external and protocol in CATALOGUE else external


def _device_of(cells: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """The fields to send, and what is wrong with them."""
    told = []
    word = cells["protocol"].lower()
    protocol = PROTOCOL_WORDS.get(word, ALIASES.get(word, word))
    if protocol not in CATALOGUE:
        told.append(f"the protocol {cells['protocol']!r} is none of {', '.join(CATALOGUE)}")
    external = cells.get("external_id", "")
    fields: dict[str, Any] = {"protocol": protocol, "external_id": external}
    if _LOST.fullmatch(external):
        told.append(f"the spreadsheet has rounded {external}: format that column as text and enter the number again")
    elif external and protocol in CATALOGUE and not CATALOGUE[protocol].names(external):
        told.append(f"{CATALOGUE[protocol].ids_told[0]}, not {external!r}")
    elif not external and protocol in CATALOGUE and not CATALOGUE[protocol].issued:
        told.append("there is no external id")
    elif not external and not cells.get("unit"):
        told.append("a phone needs a unit or an external id")
    if cells.get("unit"):
        fields["unit"] = cells["unit"]
    if networks := [one for one in re.split(r"[\s,;、，；|]+", cells.get("networks", "")) if one]:
        fields["networks"] = networks
        for one in networks:
            try:
                ipaddress.ip_network(one)
            except ValueError as error:
                told.append(f"{one!r} is no network such as 10.0.0.0/8 ({error})")
    if header := cells.get("header", ""):
        if header in ("2011", "2013", "2019"):
            fields["header"] = int(header)
        else:
            told.append(f"the header is 2011, 2013 or 2019, not {header!r}")
    return fields, told
