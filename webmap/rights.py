"""Who may do what to whom: one table of actions and roles, and what an account's labels leave of it.

A right is (action × area). The table gives each role a :class:`Reach` for each action; the streets and teams of an
account narrow it. What is out of reach does not exist for the asker: it is in no answer, no frame, no export and no
error message.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum

from tracker.model import Area, Unit, UnitId

NOBODY = UnitId("")
"""The unit of an account that is no person's."""


class Role(StrEnum):
    """What somebody is in the city's patrol."""

    COLLECTOR = "collector"
    CREW = "crew"
    DISPATCHER = "dispatcher"
    STREET = "street"
    LEADER = "leader"
    AUDITOR = "auditor"
    ADMIN = "admin"
    SYSTEM = "system"
    """案件系统: the program that files cases. It sends tasks and keeps people, grids and the rota in step with its own;
    where people are is not its business."""


class Reach(IntEnum):
    """How far a right goes."""

    NONE = 0
    OWN = 1
    """The unit that the account's person is, and what belongs to it."""
    AREA = 2
    """The streets and teams of the account; nothing for an account without any."""
    CITY = 3
    """Everything, or the streets and teams of the account if it has some."""


class Action(StrEnum):
    """What can be done; every route and every message of the feed names one."""

    LIVE = "live"
    """See where units are now, and their labels."""
    TRACK = "track"
    NEARBY = "nearby"
    PHOTOS = "photos"
    ATTENDANCE = "attendance"
    EXPORT = "export"
    REMOVE = "remove"
    COMMAND = "command"
    ROLL_CALL = "roll_call"
    DUTY = "duty"
    """Say that somebody comes on duty or goes off."""
    ENROL = "enrol"
    """Give a person a device for a shift."""
    PEOPLE = "people"
    PEOPLE_CHANGE = "people_change"
    DEVICES = "devices"
    DEVICES_CHANGE = "devices_change"
    GRIDS = "grids"
    GRIDS_CHANGE = "grids_change"
    ROTA = "rota"
    ROTA_CHANGE = "rota_change"
    SEATS = "seats"
    SEATS_CHANGE = "seats_change"
    ACCOUNTS = "accounts"
    ACCESS_LOG = "access_log"
    STORAGE = "storage"
    VERIFY = "verify"
    TASKS = "tasks"
    """See tasks and how they stand."""
    DISPATCH = "dispatch"
    """Make tasks, and decide who does them and what becomes of them."""
    DECISIONS = "decisions"
    """Read why somebody was chosen, and have it made again."""
    ORIGINALS = "originals"
    """Photos and voice notes as they were received."""
    HEALTH = "health"
    SELF = "self"
    """One's own profile; and what is the same for all, such as the base map and the API's document."""


_NO, _OWN, _AREA, _CITY = Reach.NONE, Reach.OWN, Reach.AREA, Reach.CITY

_ORDER = (Role.COLLECTOR, Role.CREW, Role.DISPATCHER, Role.STREET, Role.LEADER, Role.AUDITOR, Role.ADMIN, Role.SYSTEM)
_ROWS: dict[Action, tuple[Reach, ...]] = {
    # Action                collector crew   dispatcher street  leader  auditor admin   system
    Action.LIVE:            (_OWN,  _OWN,  _CITY,  _AREA,  _CITY,  _CITY,  _CITY,  _NO),
    Action.TRACK:           (_OWN,  _OWN,  _CITY,  _AREA,  _CITY,  _CITY,  _CITY,  _NO),
    Action.NEARBY:          (_NO,   _NO,   _CITY,  _AREA,  _CITY,  _CITY,  _CITY,  _NO),
    Action.PHOTOS:          (_OWN,  _OWN,  _CITY,  _AREA,  _CITY,  _CITY,  _CITY,  _NO),
    Action.ATTENDANCE:      (_OWN,  _OWN,  _CITY,  _AREA,  _CITY,  _CITY,  _CITY,  _NO),
    Action.EXPORT:          (_OWN,  _OWN,  _OWN,   _OWN,   _OWN,   _CITY,  _CITY,  _NO),
    Action.REMOVE:          (_NO,   _NO,   _NO,    _NO,    _NO,    _NO,    _CITY,  _NO),
    Action.COMMAND:         (_NO,   _NO,   _CITY,  _AREA,  _CITY,  _NO,    _CITY,  _NO),
    Action.ROLL_CALL:       (_NO,   _NO,   _CITY,  _AREA,  _CITY,  _NO,    _CITY,  _NO),
    Action.DUTY:            (_OWN,  _OWN,  _CITY,  _AREA,  _CITY,  _NO,    _CITY,  _NO),
    Action.ENROL:           (_NO,   _NO,   _CITY,  _AREA,  _CITY,  _NO,    _CITY,  _NO),
    Action.PEOPLE:          (_OWN,  _OWN,  _CITY,  _AREA,  _CITY,  _CITY,  _CITY,  _CITY),
    Action.PEOPLE_CHANGE:   (_NO,   _NO,   _NO,    _NO,    _CITY,  _NO,    _CITY,  _CITY),
    Action.DEVICES:         (_OWN,  _OWN,  _CITY,  _AREA,  _CITY,  _CITY,  _CITY,  _NO),
    Action.DEVICES_CHANGE:  (_NO,   _NO,   _NO,    _NO,    _CITY,  _NO,    _CITY,  _NO),
    Action.GRIDS:           (_OWN,  _OWN,  _CITY,  _AREA,  _CITY,  _CITY,  _CITY,  _CITY),
    Action.GRIDS_CHANGE:    (_NO,   _NO,   _NO,    _NO,    _CITY,  _NO,    _CITY,  _CITY),
    Action.ROTA:            (_OWN,  _OWN,  _CITY,  _AREA,  _CITY,  _CITY,  _CITY,  _CITY),
    Action.ROTA_CHANGE:     (_NO,   _NO,   _NO,    _AREA,  _CITY,  _NO,    _CITY,  _CITY),
    Action.SEATS:           (_NO,   _NO,   _CITY,  _AREA,  _CITY,  _CITY,  _CITY,  _NO),
    Action.SEATS_CHANGE:    (_NO,   _NO,   _NO,    _NO,    _CITY,  _NO,    _CITY,  _NO),
    Action.ACCOUNTS:        (_NO,   _NO,   _NO,    _NO,    _NO,    _NO,    _CITY,  _NO),
    Action.ACCESS_LOG:      (_OWN,  _OWN,  _OWN,   _OWN,   _OWN,   _CITY,  _CITY,  _NO),
    Action.STORAGE:         (_NO,   _NO,   _NO,    _NO,    _CITY,  _CITY,  _CITY,  _NO),
    Action.VERIFY:          (_NO,   _NO,   _NO,    _NO,    _NO,    _CITY,  _CITY,  _NO),
    Action.TASKS:           (_OWN,  _OWN,  _CITY,  _AREA,  _CITY,  _CITY,  _CITY,  _CITY),
    Action.DISPATCH:        (_NO,   _NO,   _CITY,  _AREA,  _CITY,  _NO,    _CITY,  _CITY),
    Action.DECISIONS:       (_NO,   _NO,   _NO,    _NO,    _CITY,  _CITY,  _CITY,  _NO),
    Action.ORIGINALS:       (_NO,   _NO,   _NO,    _NO,    _NO,    _CITY,  _NO,    _NO),
    Action.HEALTH:          (_NO,   _NO,   _CITY,  _CITY,  _CITY,  _CITY,  _CITY,  _NO),
    Action.SELF:            (_OWN,  _OWN,  _OWN,   _OWN,   _OWN,   _OWN,   _OWN,   _OWN),
}  # fmt: skip
MATRIX: dict[Action, dict[Role, Reach]] = {action: dict(zip(_ORDER, row, strict=True)) for action, row in _ROWS.items()}
"""The one place where it is written."""

NOTED = frozenset({
    Action.PEOPLE_CHANGE, Action.DEVICES_CHANGE, Action.GRIDS_CHANGE, Action.ROTA_CHANGE, Action.SEATS_CHANGE,
})  # fmt: skip
"""Who has changed what by these is on record, whichever route it was. The others note more than that themselves."""

UNDIVIDED = frozenset({Action.ACCOUNTS})
"""What an account that is narrowed to streets or teams cannot do at all: who makes accounts could make one for
everything."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which units and areas somebody reaches with one action. Equal scopes see the same."""

    reach: Reach
    unit: UnitId
    streets: frozenset[str]
    teams: frozenset[str]

    @property
    def everything(self) -> bool:
        return self.reach is Reach.CITY and not self.streets and not self.teams

    def covers(self, unit: Unit) -> bool:
        """Whether a unit is within reach."""
        if self.reach is Reach.OWN:
            return bool(self.unit) and unit.id == self.unit
        return self._reaches() and self._street(unit.street) and (not self.teams or unit.team in self.teams)

    def covers_area(self, area: Area, own: str = "") -> bool:
        """Whether a grid or cell is; ``own`` is the grid of the asker's unit. Teams have no areas of their own."""
        if self.reach is Reach.OWN:
            return bool(own) and own in (area.id, area.parent)
        return self._reaches() and self._street(area.street)

    def covers_street(self, street: str) -> bool:
        """Whether what lies in a street is, such as a task."""
        return self._reaches() and self._street(street)

    def _reaches(self) -> bool:
        return self.reach is Reach.CITY or (self.reach is Reach.AREA and bool(self.streets or self.teams))

    def _street(self, street: str) -> bool:
        return not self.streets or street in self.streets


@dataclass(frozen=True, slots=True)
class Who:
    """Who is asking: an account as it is now, and the session that it asks through."""

    name: str
    role: Role
    unit: UnitId = NOBODY
    """The person that the account is of; empty for a seat's or a program's."""
    streets: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()
    session: str = ""
    """A digest that tells sessions apart; never what opens one."""

    def may(self, action: Action) -> bool:
        return self._reach(action) is not Reach.NONE

    def scope(self, action: Action) -> Scope:
        """What the action reaches for this account."""
        reach = self._reach(action)
        if reach is Reach.OWN:
            return Scope(reach, self.unit, frozenset(), frozenset())
        if reach is Reach.NONE:
            return Scope(reach, NOBODY, frozenset(), frozenset())
        return Scope(reach, NOBODY, self.streets, self.teams)

    def _reach(self, action: Action) -> Reach:
        if action in UNDIVIDED and (self.streets or self.teams):
            return Reach.NONE
        return MATRIX[action][self.role]


def with_street(area: Area, parent: Area | None) -> Area:
    """The area with the street that it lies in: a cell without one has its grid's."""
    return replace(area, street=parent.street) if not area.street and parent is not None else area
