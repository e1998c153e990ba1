"""Who is at which seat: the consoles that are open, looked at every few seconds. Pure; the root calls :meth:`look`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from storage.hours import spelled
from tracker.model import Area, AreaId
from tracker.seats import Manning, Seat, Seats, SeatWatch
from webmap.accounts import Accounts
from webmap.rights import Role, Scope

CONSOLE_MS = 60_000
"""A console that has asked for something so lately is one that somebody sits at, also without the live map."""


class Desk(NamedTuple):
    """A seat as it is now. ``since`` and ``hours`` in ms, ``None`` while it is closed; ``present``: its accounts that
    have a console open."""

    seat: Seat
    state: Manning
    since: int | None
    hours: tuple[int, int] | None
    present: list[str]


class Desks:
    """``live`` gives the names of the accounts whose map is open now; ``wall`` ms since 1970."""

    def __init__(
        self, seats: Seats, accounts: Accounts, watch: SeatWatch, live: Callable[[], Iterable[str]],
        wall: Callable[[], int],
    ) -> None:  # fmt: skip
        self.seats = seats
        self._accounts = accounts
        self._watch = watch
        self._live = live
        self._wall = wall
        self._heard: dict[str, int] = {}
        """When each account asked for something last; no more than there are accounts."""

    def heard(self, name: str) -> None:
        """An account's console has asked for something."""
        self._heard[name] = self._wall()

    def look(self) -> None:
        """Take in who is there."""
        there = self._there()
        self._watch.look(lambda seat: bool(self._present(seat, there)), self._wall())

    def all(self, scope: Scope) -> list[Desk]:
        """The seats within reach, those that are empty first."""
        self.look()
        now, there = self._wall(), self._there()
        found = [
            Desk(seat, *self._watch.of(seat, now), self._present(seat, there))
            for seat in self.seats.all.values() if covers(scope, seat)
        ]  # fmt: skip
        order = [Manning.ABSENT, Manning.WAITED_FOR, Manning.MANNED, Manning.CLOSED]
        return sorted(found, key=lambda desk: (order.index(desk.state), desk.seat.street, desk.seat.name))

    def _there(self) -> set[str]:
        now = self._wall()
        self._heard = {name: at for name, at in self._heard.items() if 0 <= now - at < CONSOLE_MS}
        return {*self._live(), *self._heard}

    def _present(self, seat: Seat, there: set[str]) -> list[str]:
        found = (self._accounts.get(name) for name in there)
        return sorted(one.name for one in found if one is not None and not one.disabled and (
            one.name in seat.accounts if seat.accounts
            else one.role is Role.STREET and seat.street in one.streets
        ))  # fmt: skip


def covers(scope: Scope, seat: Seat) -> bool:
    """Whether a seat is within reach: by its street, as areas are."""
    return scope.covers_area(Area(AreaId(seat.id), "seat", seat.name, street=seat.street))


def desk_view(desk: Desk) -> dict[str, Any]:
    """A seat as the API shows it."""
    seat = desk.seat
    return {
        "id": seat.id, "name": seat.name, "street": seat.street, "periods": [spelled(one) for one in seat.periods],
        "weekdays": list(seat.weekdays) or None, "accounts": list(seat.accounts), "state": str(desk.state),
        "since": desk.since, "hours": None if desk.hours is None else list(desk.hours), "present": desk.present,
    }  # fmt: skip
