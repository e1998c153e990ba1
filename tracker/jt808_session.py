"""A JT/T 808 terminal's conversation between its core and the intake; TCP and UDP differ only in the bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from protocols.jt808 import (
    Answer,
    Authentication,
    Budget,
    Connection,
    Event,
    Heartbeat,
    Logout,
    Media,
    ParametersAnswer,
    PhotoTaken,
    Positions,
    Refused,
    Registration,
    RegistrationResult,
    Result,
    TimeRequest,
)
from storage.journal import JournalFull
from tracker.commands_model import Command
from tracker.core_session import CoreSession
from tracker.device_plans import plan_code, plan_used
from tracker.intake import Intake
from tracker.jt808_asking import Asking
from tracker.links import Links
from tracker.media import Taken
from tracker.model import DeviceId
from tracker.tokens import accepts, hashed, is_next, new_token

PROTOCOL = "jt808"
MEDIA_WEIGHT = 16
"""What a photo that waits for the disk counts: four of them, of up to 2 MB, are as much as one terminal may have."""


class JT808Session(CoreSession):
    """``send`` writes frames, ``close`` ends the link after what was written, ``clock`` calls later, ``budget`` is
    what unfinished messages of all terminals may hold."""

    def __init__(
        self,
        intake: Intake,
        links: Links,
        address: str,
        send: Callable[[list[bytes]], None],
        close: Callable[[], None],
        clock: Any,
        budget: Budget,
    ) -> None:
        core = Connection(misflagged=intake.roster.misflagged, budget=budget)
        super().__init__(core, intake, links, address, send, close, clock)
        self._timer_due = 0
        self._arrived: list[Positions] = []
        self._asking = Asking(core, links)

    def ended(self) -> None:
        """The link is gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._refusal is not None and self._refusal.active():
            self._refusal.cancel()
        self._core.ended()
        self._leave()
        self.authenticated = False

    def _leave(self) -> None:
        if self._carrier is not None:
            self._links.logout(self._carrier.device.id, self)
            self._carrier = None

    # -- the Session of tracker.links

    def carry_out(self, command: Command) -> bool:
        if not self._core.authenticated:
            return False
        self._asking.ask(command)
        self._flush()
        return True

    def shows_tasks(self) -> bool:
        return True  # as texts

    def tell(self, what: str, about: Mapping[str, Any]) -> bool:
        return False  # all that such a device can be told is a command

    def take_over(self) -> None:
        self._carrier = None
        self.authenticated = False
        self._close()

    # -- events

    def _handle(self, events: list[Event]) -> None:
        for event in events:
            _HANDLERS[type(event)](self, event)
        self._store_arrived()
        self._flush()
        due = self._core.get_timer()
        # A timer that is early costs one look; moving it with each fragment would cost more.
        if due is not None and (self._timer is None or due < self._timer_due):
            if self._timer is not None:
                self._timer.cancel()
            self._timer_due = due
            self._timer = self._clock.callLater(max(0, due - self._intake.wall()) / 1000, self._due)

    def _flush(self) -> None:
        out = self._core.data_to_send()
        if out:
            self._send(out)
        if self._core.closing:
            self._leave()  # a peer that reads nothing is there for minutes yet: nothing is to be sent to it
            self._close()

    def _store_arrived(self) -> None:
        arrived, self._arrived = self._arrived, []
        if not arrived:
            return
        carrier = self._carrier
        if carrier is None:
            return  # the device has logged in elsewhere meanwhile: unanswered, it comes again there
        reports = arrived[0].reports if len(arrived) == 1 else [r for event in arrived for r in event.reports]

        def stored(first: int | None) -> None:
            self.waiting -= len(arrived)
            if first is not None:  # else no answer: the terminal sends it again
                for event in arrived:
                    self._core.acknowledge(event)
                self._flush()
                for event in arrived:
                    self._asking.located(event, carrier.device.id, first > 0)
            self.on_drained()

        self.waiting += len(arrived)
        try:
            self._intake.submit(carrier, reports, stored)
        except JournalFull:
            self.waiting -= len(arrived)

    def _positions(self, event: Positions) -> None:
        if event.answers is None:
            self._arrived.append(event)
            return
        # Whether this one is kept is told to who asked for it, so it goes by itself.
        self._store_arrived()
        self._arrived.append(event)
        self._store_arrived()

    def _heartbeat(self, event: Heartbeat) -> None:
        self._intake.counters.messages[PROTOCOL] += 1
        self._core.acknowledge(event)
        if self._carrier is not None:
            self._intake.heard(self._carrier)

    def _registration(self, event: Registration) -> None:
        self._intake.counters.messages[PROTOCOL] += 1
        carrier = self._intake.find(PROTOCOL, event.phone, self._address)
        if carrier is None:
            self._core.answer_registration(event, RegistrationResult.NO_TERMINAL)
        elif self._intake.logins.may_register(PROTOCOL, event.phone, self._intake.wall()):
            self._hand_out(event, carrier.device.id)

    def _hand_out(self, event: Registration, device: DeviceId) -> None:
        """A code of its own for each registration: its digest is on disk before it goes out. The code of before stays
        good until this one is used, so a lost answer locks nobody out."""
        intake, code = self._intake, new_token()

        def written(ok: bool) -> None:
            if ok:  # else no answer: the terminal registers again
                self._core.answer_registration(event, RegistrationResult.OK, code)
                self._flush()

        intake.soon(lambda: plan_code(intake.roster, device, hashed(code)), written)

    def _authentication(self, event: Authentication) -> None:
        self._intake.counters.messages[PROTOCOL] += 1
        carrier = self._intake.find(PROTOCOL, event.phone, self._address)
        good = carrier is not None and accepts(carrier.device, event.token)
        if carrier is not None and not good:
            self._intake.counters.refuse(PROTOCOL, "bad_token")
        if not good and (wait := self._intake.logins.wrong(PROTOCOL, event.phone, self._address, self._intake.wall())):
            self._refusal = self._clock.callLater(wait, self._refuse_late, event)
            return
        self._core.answer_authentication(event, Result.OK if good else Result.FAILED)
        if carrier is not None and is_next(carrier.device, event.token):
            intake, device, code = self._intake, carrier.device.id, hashed(event.token)
            # If it cannot be written both codes stay good until the terminal logs in again.
            intake.soon(lambda: plan_used(intake.roster, device, code), lambda ok: None)
        # Of two logins in one read the second may be another terminal's: the link is the first one's then.
        if carrier is not None and self._core.authenticated and self._core.phone == event.phone:
            self._carrier, self.authenticated = carrier, True
            self._links.login(carrier.device.id, self)

    def _refuse_late(self, event: Authentication) -> None:
        """Who tries often waits for the answer."""
        self._core.answer_authentication(event, Result.FAILED)
        self._flush()

    def _logout(self, event: Logout) -> None:
        self._store_arrived()
        self._core.acknowledge(event)
        self._leave()
        self.authenticated = False

    def _time_request(self, event: TimeRequest) -> None:
        self._core.answer_time(event, self._intake.wall())

    def _answer(self, event: Answer | ParametersAnswer | PhotoTaken) -> None:
        self._intake.counters.messages[PROTOCOL] += 1
        if self._carrier is not None:
            _ANSWERS[type(event)](self._asking, event, self._carrier.device.id)

    def _media(self, event: Media) -> None:
        self._intake.counters.messages[PROTOCOL] += 1
        if self._carrier is None:
            return  # the device has logged in elsewhere meanwhile: it sends it again there
        taken = Taken(event.media_id, event.kind, event.event, event.channel, event.report, event.data)

        def done(kept: bool) -> None:
            self.waiting -= MEDIA_WEIGHT
            if kept:  # else no answer: the terminal has it still
                self._core.acknowledge_media(event)
                self._flush()
            self.on_drained()

        self.waiting += MEDIA_WEIGHT
        self._links.photo(self._carrier, taken, done)

    def _refused(self, event: Refused) -> None:
        self._intake.counters.refuse(PROTOCOL, event.reason)


_HANDLERS: dict[type, Callable[[JT808Session, Any], None]] = {
    Positions: JT808Session._positions,
    Heartbeat: JT808Session._heartbeat,
    Registration: JT808Session._registration,
    Authentication: JT808Session._authentication,
    Logout: JT808Session._logout,
    TimeRequest: JT808Session._time_request,
    Answer: JT808Session._answer,
    ParametersAnswer: JT808Session._answer,
    PhotoTaken: JT808Session._answer,
    Media: JT808Session._media,
    Refused: JT808Session._refused,
}
"""What is done about each event of the core."""
_ANSWERS: dict[type, Callable[[Asking, Any, DeviceId], None]] = {
    Answer: Asking.answer,
    ParametersAnswer: Asking.parameters,
    PhotoTaken: Asking.photo_taken,
}
"""Those that answer what we have asked."""
