"""Seats: the desks of streets and departments that should be manned at certain hours, and whether they are. Pure.

A seat is an entity of the city like others; that somebody sits at it is not: it is what was seen of its accounts'
consoles since the server started, so an absence begins anew with each start, and the alarm with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from storage.archive.layout import shifted
from storage.hours import Period, read_periods, read_weekdays
from tracker.model import UnitId
from tracker.record import SEAT
from tracker.roster import Change, Refusal
from tracker.workdays import Calendar
from tracker.working_time import Span, spans

GRACE_MS = 300_000
"""How long a seat may be empty in its hours before that is an alarm: somebody fetches water, a browser is restarted."""
SEATS_LIMIT = 500
"""A city has some dozens of streets and departments."""
ACCOUNTS_LIMIT = 50
NAME_LIMIT = 60
DAY_PERIODS: tuple[Period, ...] = ((480, 720), (840, 1080))
"""08:00-12:00 and 14:00-18:00, unless said otherwise."""


@dataclass(frozen=True, slots=True)
class Seat:
    """``weekdays`` (1 is Monday) on which its ``periods`` hold; none: the city's workdays. ``accounts`` man it; none:
    those of its ``street``."""

    id: str
    name: str
    street: str = ""
    periods: tuple[Period, ...] = DAY_PERIODS
    weekdays: tuple[int, ...] = ()
    accounts: tuple[str, ...] = ()

    def fields(self) -> dict[str, Any]:
        """As the journal holds it."""
        return {"id": self.id, "name": self.name, "street": self.street, "periods": self.periods,
                "weekdays": self.weekdays, "accounts": self.accounts}  # fmt: skip

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Seat:
        periods = tuple((start, end) for start, end in fields["periods"])
        lists = {key: tuple(fields[key]) for key in ("weekdays", "accounts")}
        return cls(**{**fields, **lists, "periods": periods})

    def hours(self, now: int, calendar: Calendar, zone: ZoneInfo) -> Span | None:
        """The period in which it should be manned at ``now``, if there is one."""
        today = datetime.fromtimestamp(now / 1000, zone).date().isoformat()
        for day in (shifted(today, -1), today):  # one of yesterday may reach over midnight
            if self._meant(day, calendar):
                for start, end in spans(day, self.periods, zone):
                    if start <= now < end:
                        return start, end
        return None

    def _meant(self, day: str, calendar: Calendar) -> bool:
        if not self.weekdays:
            return calendar.day(day).worked
        return datetime.fromisoformat(day).isoweekday() in self.weekdays


class Seats:
    """All seats; a register of the roster's (:class:`tracker.roster.Register`)."""

    kinds = (SEAT,)

    def __init__(self) -> None:
        self.all: dict[str, Seat] = {}
        self._highest = 0

    # -- judging

    def plan_new(self, wanted: Mapping[str, Any]) -> tuple[Seat, list[Change]]:
        """A seat; its id is the next of ours."""
        if len(self.all) >= SEATS_LIMIT:
            raise Refusal("too_many", f"there are {SEATS_LIMIT} seats already", f"席位已达 {SEATS_LIMIT} 个")
        seat = self._amended(Seat(f"s{self._highest + 1}", ""), {"name": None, **wanted})
        return seat, [(SEAT, seat.id, seat.fields())]

    def plan_change(self, id: str, wanted: Mapping[str, Any]) -> tuple[Seat, list[Change]]:
        """Change what ``wanted`` names."""
        seat = self._amended(self.known(id), wanted)
        return seat, [(SEAT, seat.id, seat.fields())]

    def plan_removal(self, id: str) -> tuple[None, list[Change]]:
        return None, [(SEAT, self.known(id).id, None)]

    def known(self, id: str) -> Seat:
        seat = self.all.get(id)
        if seat is None:
            raise Refusal("no_seat", "there is no such seat", "没有这个席位")
        return seat

    def _amended(self, seat: Seat, wanted: Mapping[str, Any]) -> Seat:
        values: dict[str, Any] = {}
        for key, limit, needed in (("name", NAME_LIMIT, True), ("street", 100, False)):
            if key in wanted:
                given = wanted[key]
                text = values[key] = " ".join(given.split()) if isinstance(given, str) else ""
                if len(text) > limit or not text.isprintable() or (needed and not text):
                    told = f"{key} must be a text of up to {limit} characters"
                    raise Refusal(f"bad_{key}", told, f"{key} 须为至多 {limit} 个字符的文本")
        if any(other.name == values.get("name") and other.id != seat.id for other in self.all.values()):
            raise Refusal("exists", "there is a seat of this name already", "已有同名席位")
        try:
            if "periods" in wanted:
                values["periods"] = read_periods(wanted["periods"])
        except ValueError as error:
            told = "periods 须为 1 至 6 个时段的列表，如 08:00-12:00，且互不重叠"
            raise Refusal("bad_periods", f"periods {error}", told) from None
        try:
            if "weekdays" in wanted:
                values["weekdays"] = () if wanted["weekdays"] is None else read_weekdays(wanted["weekdays"])
        except ValueError as error:
            raise Refusal("bad_weekdays", f"weekdays {error}", "weekdays 须为 1（周一）至 7 的列表") from None
        if "accounts" in wanted:
            given = wanted["accounts"]
            if not isinstance(given, list) or len(given) > ACCOUNTS_LIMIT or not all(isinstance(a, str) for a in given):
                told = f"accounts must be a list of up to {ACCOUNTS_LIMIT} names"
                raise Refusal("bad_accounts", told, f"accounts 须为至多 {ACCOUNTS_LIMIT} 个账号名的列表")
            values["accounts"] = tuple(dict.fromkeys(name.strip().lower()[:64] for name in given if name.strip()))
        changed: Seat = replace(seat, **values)
        if not changed.street and not changed.accounts:
            raise Refusal("nobody", "a seat needs a street or accounts that man it", "席位须指定街道或值守账号")
        return changed

    # -- taking in

    def apply(self, change: Change) -> None:
        _, id, fields = change
        if id[:1] == "s" and id[1:].isdigit():
            self._highest = max(self._highest, int(id[1:]))
        if fields is None:
            self.all.pop(id, None)
        else:
            self.all[id] = Seat.of(fields)

    def changes(self) -> Iterable[Change]:
        for seat in self.all.values():
            yield SEAT, seat.id, seat.fields()

    def remove(self, unit: UnitId) -> None:
        """Seats are nobody's."""


class Manning(StrEnum):
    """Whether somebody is at a seat."""

    MANNED = "manned"
    WAITED_FOR = "waited_for"
    """Nobody is, in its hours, for less than the grace."""
    ABSENT = "absent"
    CLOSED = "closed"
    """Nobody is, and nobody need be."""


class SeatWatch:
    """What has been seen of the seats since ``started`` (ms). ``calendar`` says which days are worked."""

    def __init__(self, seats: Seats, calendar: Calendar, zone: ZoneInfo, started: int) -> None:
        self._seats = seats
        self._calendar = calendar
        self._zone = zone
        self._started = started
        self._since: dict[str, int] = {}
        """Manned seats: since when."""
        self._left: dict[str, int] = {}
        """When somebody was seen there last."""

    def look(self, manned: Callable[[Seat], bool], now: int) -> None:
        """Take in who is there now. Call it every few seconds."""
        for known in (self._since, self._left):
            for id in [id for id in known if id not in self._seats.all]:
                del known[id]
        for seat in self._seats.all.values():
            if manned(seat):
                self._since.setdefault(seat.id, now)
                self._left[seat.id] = now
            else:
                self._since.pop(seat.id, None)

    def of(self, seat: Seat, now: int) -> tuple[Manning, int | None, Span | None]:
        """Whether it is manned, since when (``None`` if it is closed), and the hours that it is in."""
        hours = seat.hours(now, self._calendar, self._zone)
        if seat.id in self._since:
            return Manning.MANNED, min(self._since[seat.id], now), hours
        if hours is None:
            return Manning.CLOSED, None, None
        since = min(max(hours[0], self._started, self._left.get(seat.id, 0)), now)
        return Manning.ABSENT if now - since >= GRACE_MS else Manning.WAITED_FOR, since, hours
