"""Roll calls (点名): of a group everybody is asked where he is and whether he is there; who is silent is listed. A pure
core; all times are ms of the wall clock.

What a unit has answered follows from what is on disk already: a believed position newer than the call, the device's
answer to the command that asked it. So a call is told what is there (:meth:`RollBook.located`,
:meth:`RollBook.answered`) as often as one likes; what is new then waits in :meth:`RollBook.events_to_write`. A restart
takes in the events and is told again what is there: nothing is lost, and nobody is asked twice who has answered.

Each event names one unit at the most, so that the data of one person can be taken out of the journal.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from tracker.model import UnitId
from tracker.roster import Change, Refusal

ROLL_CALL = "roll_call"
"""The type of the events, and the kind of the command that asks a person."""
SECONDS, SECONDS_LEAST, SECONDS_MOST = 120, 10, 1800
"""How long a call waits for answers, unless said otherwise, and the bounds of what may be said."""
UNITS = 2000
"""Units of one call: all of a large city's on duty."""
OPEN = 20
"""Calls that wait for answers at a time: more is a program gone wild, which would keep all terminals busy."""
KEPT = 50
"""Calls that can be asked for, some 400 bytes for each unit in them: 40 MB at the most. The journal has all of them."""
FIX_STEP = 1000
"""ms: some protocols cut the time of a fix to whole seconds. One from within the second of the call counts."""


class Way(StrEnum):
    """How a unit can be asked."""

    CONFIRM = "confirm"
    """Its device shows the question, sends its position, and says when the person has pressed "here"."""
    LOCATE = "locate"
    """Its terminal is asked for its position, and shows a text."""
    WAIT = "wait"
    """It has no device that can be asked: the next position that it sends by itself is the answer."""


class Reply(StrEnum):
    """What has come of asking a unit."""

    ASKED = "asked"
    OFFLINE = "offline"
    """Its device has had no link since the call, or since the server was started; it is asked as soon as it has one."""
    NO_DEVICE = "no_device"
    """Nothing can be asked (:attr:`Way.WAIT`), and nothing has come."""
    POSITION = "position"
    CONFIRMED = "confirmed"
    SILENT = "silent"
    """It was asked, and the call has ended without an answer."""


ANSWERED = frozenset({Reply.POSITION, Reply.CONFIRMED})


@dataclass(frozen=True, slots=True)
class Place:
    """Where a unit was: a believed fix. Time in ms, 1e-7 degrees, decimetres; ``own``: whether in its own grid,
    ``None`` if it has none."""

    at: int
    latitude: int
    longitude: int
    accuracy: int | None
    own: bool | None


@dataclass(slots=True)
class Asked:
    """One unit in a call. ``command`` is the id of the command that asks it, ``at`` when the reply came."""

    unit: UnitId
    way: Way
    command: str = ""
    reply: Reply = Reply.ASKED
    at: int | None = None
    place: Place | None = None
    text: str = ""
    """What the device said with its answer."""

    def __post_init__(self) -> None:
        if self.way is Way.WAIT and self.reply is Reply.ASKED:
            self.reply = Reply.NO_DEVICE

    @property
    def settled(self) -> bool:
        """Whether nothing more can come that would say more."""
        return self.reply is Reply.CONFIRMED or (self.reply is Reply.POSITION and self.way is not Way.CONFIRM)

    def fields(self) -> dict[str, Any]:
        """As the journal holds it."""
        place = None if self.place is None else asdict(self.place)
        return {"way": str(self.way), "command": self.command, "reply": str(self.reply), "at": self.at, "place": place,
                "text": self.text}  # fmt: skip

    @classmethod
    def of(cls, unit: UnitId, fields: Mapping[str, Any]) -> Asked:
        place = None if fields["place"] is None else Place(**fields["place"])
        return cls(unit, Way(fields["way"]), fields["command"], Reply(fields["reply"]), fields["at"], place,
                   fields["text"])  # fmt: skip


@dataclass(slots=True)
class RollCall:
    """``by`` is the account that asked, ``about`` what it asked for: street, team, grid. ``ended`` is ``None`` while
    answers are waited for."""

    id: str
    by: str
    asked: int
    ends: int
    about: Mapping[str, str]
    units: dict[UnitId, Asked] = field(default_factory=dict)
    ended: int | None = None

    @property
    def silent(self) -> list[Asked]:
        """Those of whom nothing has come."""
        return [one for one in self.units.values() if one.reply not in ANSWERED]

    def fields(self) -> dict[str, Any]:
        """As the journal holds it, without its units."""
        return {"by": self.by, "asked": self.asked, "ends": self.ends, "about": dict(self.about), "ended": self.ended}

    def event(self) -> Change:
        return ROLL_CALL, self.id, self.fields()

    def event_of(self, one: Asked) -> Change:
        return ROLL_CALL, f"{self.id}:{one.unit}", one.fields()


class RollBook:
    """The calls that wait for answers, and the last ones that do not."""

    def __init__(self, *, open: int = OPEN, kept: int = KEPT) -> None:
        self._most, self._kept = open, kept
        self._calls: OrderedDict[str, RollCall] = OrderedDict()
        self._open: dict[str, RollCall] = {}
        self._commands: dict[str, tuple[RollCall, Asked]] = {}
        """Of open calls: by the command that asks."""
        self._unwritten: dict[tuple[str, UnitId | None], None] = {}

    # -- looking

    def get(self, id: str) -> RollCall | None:
        return self._calls.get(id)

    def all(self) -> Iterator[RollCall]:
        """The newest first."""
        return reversed(self._calls.values())

    @property
    def open(self) -> list[RollCall]:
        return list(self._open.values())

    @property
    def busy(self) -> bool:
        """Whether there is something to wait for, or to write down."""
        return bool(self._open or self._unwritten)

    def wants(self, unit: UnitId) -> bool:
        """Whether a position of this unit may be an answer."""
        found = (call.units.get(unit) for call in self._open.values())
        return any(one is not None and one.place is None for one in found)

    # -- beginning

    def plan(
        self, id: str, by: str, units: Iterable[Asked], seconds: Any, about: Mapping[str, str], now: int
    ) -> RollCall:
        """A call that may be journalled (:meth:`RollCall.event`, ``event_of`` for each unit) and then added."""
        seconds = SECONDS if seconds is None else seconds
        if type(seconds) is not int or not SECONDS_LEAST <= seconds <= SECONDS_MOST:
            text = f"seconds must be a whole number from {SECONDS_LEAST} to {SECONDS_MOST}"
            raise Refusal("bad_seconds", text, f"seconds 须为 {SECONDS_LEAST} 至 {SECONDS_MOST} 的整数")
        asked = {one.unit: one for one in units}
        if not asked:
            raise Refusal("nobody", "nobody on duty is meant by this", "没有符合条件的在岗人员或车辆")
        if len(asked) > UNITS:
            text = f"a roll call is of {UNITS} units at the most: choose a street or a team"
            raise Refusal("too_many", text, f"一次点名至多 {UNITS} 个人员或车辆，请按街道或队伍分别点名")
        if len(self._open) >= self._most:
            text = f"{self._most} roll calls wait for answers already; wait for one to end"
            raise Refusal("calls_full", text, f"已有 {self._most} 次点名正在进行，请等待其结束")
        return RollCall(id, by, now, now + 1000 * seconds, about, asked)

    def add(self, call: RollCall) -> None:
        """It is in the journal."""
        self._calls[call.id] = self._open[call.id] = call
        for one in call.units.values():
            self._know(call, one)
        while len(self._calls) > self._kept:
            oldest = next((id for id in self._calls if id not in self._open), None)
            if oldest is None:
                break
            self._drop(oldest)

    def _know(self, call: RollCall, one: Asked) -> None:
        if one.command:
            self._commands[one.command] = call, one

    def _drop(self, id: str) -> None:
        for one in self._calls.pop(id).units.values():
            self._commands.pop(one.command, None)

    # -- the journal

    def replay(self, event: Change) -> None:
        """Take in what the journal holds, in its order: of a call its head comes first."""
        _, identity, fields = event
        assert fields is not None
        id, _, unit = identity.partition(":")
        call = self._calls.get(id)
        if not unit:
            if call is None:
                self.add(RollCall(id, fields["by"], fields["asked"], fields["ends"], fields["about"]))
                call = self._calls[id]
            if fields["ended"] is not None:
                self._close(call, fields["ended"])
        elif call is not None:
            one = call.units[UnitId(unit)] = Asked.of(UnitId(unit), fields)
            if call.ended is None:
                self._know(call, one)

    def events(self) -> Iterator[Change]:
        """What :meth:`replay` makes this book of again."""
        for call in self._calls.values():
            yield call.event()
            for one in call.units.values():
                yield call.event_of(one)

    def events_to_write(self, limit: int) -> list[Change]:
        """What has changed since it was asked for last, so much at the most; give back what the disk does not take
        (:meth:`unwritten`)."""
        out = []
        for id, unit in list(self._unwritten)[:limit]:
            del self._unwritten[id, unit]
            call = self._calls.get(id)
            one = None if call is None or unit is None else call.units.get(unit)
            if call is not None and unit is None:
                out.append(call.event())
            elif call is not None and one is not None:
                out.append(call.event_of(one))
        return out

    def unwritten(self, events: Iterable[Change]) -> None:
        """The disk did not take these."""
        for _, identity, _ in events:
            id, _, unit = identity.partition(":")
            self._unwritten[id, UnitId(unit) if unit else None] = None

    # -- answers

    def located(self, unit: UnitId, place: Place, now: int) -> None:
        """Where a unit is believed to be; tell it whenever it may be news."""
        for call in self._open.values():
            one = call.units.get(unit)
            if one is None or place.at < call.asked // FIX_STEP * FIX_STEP or now > call.ends:
                continue
            if one.place is None:
                one.place = place
                if one.reply is not Reply.CONFIRMED:
                    one.reply, one.at = Reply.POSITION, now
                self._unwritten[call.id, unit] = None

    def answered(self, command: str, ok: bool, text: str, now: int) -> None:
        """A device's answer to the command that asks a unit is on disk. One that will not ask its person is left to its
        position; a terminal's answer is its position, which comes by itself."""
        call, one = self._commands.get(command, (None, None))
        if call is None or one is None or call.ended is not None or one.reply is Reply.CONFIRMED or now > call.ends:
            return
        if one.way is Way.CONFIRM and ok:
            one.reply, one.at = Reply.CONFIRMED, now
        elif not text or text == one.text:
            return
        one.text = text
        self._unwritten[call.id, one.unit] = None

    def reached(self, reached: Callable[[str], bool]) -> None:
        """Who has been told of it: ``reached`` says so of a command. Not in the journal before the call ends."""
        for call in self._open.values():
            for one in call.units.values():
                if one.command and one.reply in (Reply.ASKED, Reply.OFFLINE):
                    one.reply = Reply.ASKED if reached(one.command) else Reply.OFFLINE

    def displaced(self, unit: UnitId, start: int, end: int) -> None:
        """A unit was off duty from ``start`` to before ``end``: where it was then is nobody's business. That it
        answered stays; it is written down anew without the place."""
        for call in self._calls.values():
            one = call.units.get(unit)
            if one is not None and one.place is not None and start <= one.place.at < end:
                one.place = None
                self._unwritten[call.id, unit] = None

    def forget(self, unit: UnitId) -> None:
        """Know nothing of a unit any more."""
        for call in self._calls.values():
            one = call.units.pop(unit, None)
            if one is not None:
                self._commands.pop(one.command, None)

    # -- time

    def get_timer(self) -> int | None:
        """When :meth:`handle_timer` wants to be called."""
        return min((call.ends for call in self._open.values()), default=None)

    def handle_timer(self, now: int) -> None:
        """End the calls whose time is over, and those in which everybody has said all."""
        for call in self.open:
            if now >= call.ends or all(one.settled for one in call.units.values()):
                for one in call.units.values():
                    if one.reply in (Reply.ASKED, Reply.OFFLINE, Reply.NO_DEVICE):
                        if one.reply is Reply.ASKED:
                            one.reply = Reply.SILENT
                        one.at = now
                        self._unwritten[call.id, one.unit] = None
                # Last: a call that has ended is whole.
                self._close(call, now)
                self._unwritten[call.id, None] = None

    def _close(self, call: RollCall, at: int) -> None:
        call.ended = at
        self._open.pop(call.id, None)
        for one in call.units.values():
            self._commands.pop(one.command, None)
