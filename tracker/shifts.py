"""Shifts: what they are called, and from when to when they go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from storage.archive.layout import shifted
from storage.hours import Period, read_periods
from tracker.roster import Refusal

STEPS_LIMIT = 40
"""Changes of one shift's hours that are remembered."""
NAME_LIMIT = 40
COLOURS = 10
"""Colours that a page has for shifts; they are numbered from 0."""


@dataclass(frozen=True, slots=True)
class Shift:
    """``periods`` are its hours; ``earlier`` those that held before a day, oldest first, so that what has been stays as
    it was. A ``retired`` shift is given to nobody any more."""

    id: str
    name: str
    periods: tuple[Period, ...]
    colour: int = 0
    retired: bool = False
    earlier: tuple[tuple[str, tuple[Period, ...]], ...] = ()

    def on(self, day: str) -> tuple[Period, ...]:
        """Its hours on a day."""
        for before, periods in self.earlier:
            if day < before:
                return periods
        return self.periods

    def since(self, day: str, before: Shift) -> Shift:
        """This shift with its hours from ``day`` on, and those of ``before`` until then."""
        if self.periods == before.periods:
            return self
        earlier = [step for step in before.earlier if step[0] < day]
        return replace(self, earlier=(*earlier, (day, before.on(shifted(day, -1))))[-STEPS_LIMIT:])

    def fields(self) -> dict[str, Any]:
        """As the journal has it."""
        return {
            "id": self.id, "name": self.name, "periods": self.periods, "colour": self.colour, "retired": self.retired,
            "earlier": self.earlier,
        }  # fmt: skip

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Shift:
        """From the journal."""
        earlier = tuple((before, _periods(periods)) for before, periods in fields["earlier"])
        return cls(**{**fields, "periods": _periods(fields["periods"]), "earlier": earlier})


def amended(shift: Shift, wanted: Mapping[str, Any], others: Iterable[Shift], needed: tuple[str, ...] = ()) -> Shift:
    """The shift with what ``wanted`` says of ``name``, ``periods``, ``colour`` and ``retired``; ``needed`` must be
    there. Raises :class:`~tracker.roster.Refusal`."""
    values: dict[str, Any] = {}
    if "name" in wanted or "name" in needed:
        given = wanted.get("name")
        name = values["name"] = " ".join(given.split()) if isinstance(given, str) else ""
        if not 0 < len(name) <= NAME_LIMIT or not name.isprintable():
            text = f"name must be 1 to {NAME_LIMIT} characters"
            raise Refusal("bad_name", text, f"班次名称须为 1 至 {NAME_LIMIT} 个字符")
    if "periods" in wanted or "periods" in needed:
        try:
            values["periods"] = read_periods(wanted.get("periods"))
        except ValueError as error:
            zh = "periods 须为 1 至 6 个时段的列表，如 08:00-12:00，且互不重叠"
            raise Refusal("bad_periods", f"periods {error}", zh) from None
    if "colour" in wanted:
        colour = values["colour"] = wanted["colour"]
        if type(colour) is not int or not 0 <= colour < COLOURS:
            raise Refusal("bad_colour", f"colour must be 0..{COLOURS - 1}", f"colour 须为 0..{COLOURS - 1}")
    if "retired" in wanted:
        values["retired"] = wanted["retired"]
        if type(wanted["retired"]) is not bool:
            raise Refusal("bad_retired", "retired must be true or false", "retired 须为 true 或 false")
    changed = replace(shift, **values)
    same = (other for other in others if other.id != shift.id and not other.retired)
    if not changed.retired and any(other.name == changed.name for other in same):
        raise Refusal("exists", "there is a shift of this name already", "已有同名班次")
    return changed


def _periods(given: Iterable[Sequence[int]]) -> tuple[Period, ...]:
    return tuple((start, end) for start, end in given)
