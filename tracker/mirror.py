"""The fleet as this process knows it: loaded at start, fed by the published batches, asked instead of the store.

A message that does not follow on the one before it means that one was missed: then everything is loaded anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import msgpack
from twisted.logger import Logger

from protocols.report import ALARM_SOS
from storage.bridge import end_if_cancelled
from storage.client import Unavailable
from tracker.model import Duty, Presence, UnitId
from tracker.pipeline import UnitState
from tracker.presence import PresenceLimits, presence
from tracker.store import LiveStore
from tracker.telling import tell_all

Listener = Callable[[Iterable[UnitId]], None]


class Mirror:
    """``duty(unit, at)`` is the duty interval of a unit at a time; ``wall`` gives ms since 1970."""

    def __init__(
        self,
        store: LiveStore,
        wall: Callable[[], int],
        duty: Callable[[UnitId, int], Duty | None],
        limits: PresenceLimits,
    ) -> None:
        self._store = store
        self._wall = wall
        self._duty = duty
        self.limits = limits
        self.units: dict[UnitId, UnitState] = {}
        self.last = 0
        self.linked = False
        self._journal = ""
        self._heard: dict[UnitId, int] = {}
        self._presence: dict[UnitId, Presence] = {}
        self._listeners: list[Listener] = []
        self._log = Logger(namespace="gridbeat.mirror")

    def listen(self, listener: Listener) -> None:
        """Call ``listener`` with the units whose state or presence has changed."""
        self._listeners.append(listener)

    def heard(self, unit: UnitId) -> None:
        """A sign of life that carried nothing to store. Whoever is off duty is not listened to."""
        now = self._wall()
        if self._duty(unit, now) is not None:
            self._heard[unit] = now

    def forget(self, unit: UnitId) -> None:
        """Know nothing of a unit any more."""
        self.units.pop(unit, None)
        self._heard.pop(unit, None)
        self._presence.pop(unit, None)

    def last_message(self, unit: UnitId) -> int | None:
        """When anything last came from the unit, server time in ms. Nothing is said of what came off duty, which may be
        what was stored on duty, unless it calls for help."""
        state = self.units.get(unit)
        seen = max(state.seen if state else 0, self._heard.get(unit, 0))
        if not seen or (self._duty(unit, seen) is None and not (state is not None and state.alarm & ALARM_SOS)):
            return None
        return seen

    def shows(self, unit: UnitId) -> bool:
        """Whether where the unit is may be shown: a fix of its present duty, or its call for help if it is off duty."""
        state = self.units.get(unit)
        if state is None or state.fix_time is None:
            return False
        duty = self._duty(unit, self._wall())
        if duty is not None:
            return state.fix_time >= duty.start
        return bool(state.alarm & ALARM_SOS) and self._duty(unit, state.fix_time) is None

    def presence(self, unit: UnitId) -> Presence:
        """How present the unit is now."""
        now = self._wall()
        state = self.units.get(unit)
        fix_time = state.fix_time if state else None
        return presence(self.last_message(unit), fix_time, self._duty(unit, now) is not None, now, self.limits)

    def sweep(self, units: Iterable[UnitId]) -> None:
        """Tell of the units whose presence has changed because time went by. Call it every few seconds."""
        changed = []
        now, states, heard, before = self._wall(), self.units, self._heard, self._presence
        duty, limits = self._duty, self.limits
        # What presence() does, in one go: ten thousand units are looked at every few seconds.
        for unit in units:
            state = states.get(unit)
            seen, fix_time = heard.get(unit), None
            if state is not None:
                fix_time = state.fix_time
                if seen is None or state.seen > seen:
                    seen = state.seen or None
            current = presence(seen, fix_time, duty(unit, now) is not None, now, limits)
            if before.get(unit) != current:
                self._presence[unit] = current
                changed.append(unit)
        self._tell(changed)

    async def run(self) -> None:
        """Stay in step with the store, for ever."""
        pause = 0.2
        while True:
            end_if_cancelled()
            try:
                async for message in self._store.messages():
                    if message is None or not self._take(message):
                        await self._load()
                    self.linked, pause = True, 0.2
            except Unavailable as error:
                if self.linked:
                    self._log.warn("the published batches have ended: {reason}", reason=type(error).__name__)
            except Exception:
                # Ours to mend; without the loop the map would stand still for good.
                self._log.failure("the mirror failed")
            self.linked = False
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)

    def _take(self, message: bytes) -> bool:
        if not message:
            return True  # a part of a restore; its last part says that everything is new
        journal, first, last, states = msgpack.unpackb(message, use_list=False, strict_map_key=False)
        if journal != self._journal or first > self.last + 1 or first == 0:
            return False
        if last <= self.last:
            return True  # it was in what we loaded
        changed, now = [], self._wall()
        for packed in states:
            state = UnitState.unpack(packed)
            self.units[state.unit] = state
            if self._heard.get(state.unit, 0) > now:
                del self._heard[state.unit]  # before the clock was set back
            changed.append(state.unit)
        self.last = last
        self._tell(changed)
        return True

    async def _load(self) -> None:
        # The head first: what is applied between the two calls is in the states and comes as a message too.
        journal, last = await self._store.head()
        packed = await self._store.load()
        try:
            states = {state.unit: state for state in map(UnitState.unpack, packed)}
        except ValueError:
            return  # another version packed them; the applier writes them anew, and its message brings us back here
        self._journal, self.last = journal, last
        self.units = states
        self._log.info("mirror loaded", units=len(states), last=last)
        self._tell(states)

    def _tell(self, units: Iterable[UnitId]) -> None:
        units = list(units)
        if units:
            tell_all(self._listeners, units)
