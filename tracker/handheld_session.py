"""A handheld's conversation between its core and the intake; TCP and WebSocket differ only in the framing."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from protocols.errors import RemoteProtocolError
from protocols.handheld import Answer, Batch, Bye, Conversation, Done, Duty, Health, Hello, Ping, Problem, Refused
from protocols.report import Report
from storage.journal import JournalFull
from tracker.commands_model import Command
from tracker.intake import Intake
from tracker.links import Links
from tracker.roster import Carrier
from tracker.spread import reconnect_ms, spread
from tracker.tokens import accepts

PROTOCOL = "handheld"
RETRY_SECONDS = 5
RETRY_SPREAD = 10
"""Seconds over which those come again that were told to in one moment."""
POSITIONS = 200
"""Positions in one message: an hour's backlog is four of them, and a newer position waits for one at most."""
HEARTBEAT_SECONDS = 45
"""Mobile networks drop a silent connection after a minute at the earliest; each heartbeat wakes phone and server."""


@dataclass(frozen=True, slots=True)
class AppVersions:
    """What a handheld is told of its app: below ``minimum`` it is refused."""

    minimum: str = "1.0.0"
    latest: str = "1.0.0"


@dataclass(eq=False, slots=True)
class _Submission:
    """Messages up to number ``seq`` that went to the journal together."""

    seq: int
    done: bool = False
    begin: Callable[[], None] | None = None
    """What is done about it when everything before it is on disk."""


class HandheldSession:
    """``send`` writes messages (not framed), ``close`` ends the link after what was written."""

    full = False  # the core's window bounds what waits, and tells the device

    def __init__(
        self,
        intake: Intake,
        links: Links,
        address: str,
        send: Callable[[list[bytes]], None],
        close: Callable[[], None],
        versions: AppVersions,
        later: Callable[..., Any] | None = None,
    ) -> None:
        """``later`` calls something after so many seconds; without it refusals are never slow."""
        self._intake = intake
        self._links = links
        self._address = address
        self._send = send
        self._close = close
        self._versions = versions
        self._later = later
        self._refusal: Any = None  # waits for its time; nothing is heard meanwhile
        self._core = Conversation()
        self._carrier: Carrier | None = None
        self._reports: list[Report] = []
        self._seq: int | None = None
        self._stored: deque[_Submission] = deque()
        self._telling = 0
        """Duty events on their way to the disk: what came behind them waits, because it is judged by them."""
        self._held: list[tuple[Carrier, _Submission, list[Report]]] = []
        self.authenticated = False
        self.on_drained: Callable[[], None] = lambda: None

    def receive(self, messages: list[bytes]) -> None:
        """Whole messages of the device, all that one read brought."""
        for message in messages:
            if self._refusal is not None:
                return
            for event in self._core.receive_message(message):
                _HANDLERS[type(event)](self, event)
        self._store()
        self._flush()

    def broken(self, error: RemoteProtocolError) -> None:
        """The framing is lost: say so and close."""
        self._intake.counters.refuse(PROTOCOL, error.reason)
        self._core.refuse(error.reason, error.detail)
        self._flush()

    def tick(self) -> None:
        """Nothing of this conversation runs out by itself."""

    def ended(self) -> None:
        """The link is gone."""
        if self._refusal is not None and self._refusal.active():
            self._refusal.cancel()
        self._leave()
        self.authenticated = False

    def _leave(self) -> None:
        if self._carrier is not None:
            self._links.logout(self._carrier.device.id, self)
            self._carrier = None

    # -- the Session of tracker.links

    def carry_out(self, command: Command) -> bool:
        if self._core.closing or self._carrier is None:
            return False
        self._core.command(command.id, command.kind, command.arguments.get("until", 0))
        self._flush()
        return True

    def shows_tasks(self) -> bool:
        return self._core.tasks and self._carrier is not None

    def tell(self, what: str, about: Mapping[str, Any]) -> bool:
        """Whatever is said of tasks: to a device that shows them."""
        if self._core.closing or self._carrier is None or not self._core.tasks:
            return False
        _SAYS[what](self._core, about)
        self._flush()
        return True

    def take_over(self) -> None:
        self._carrier = None
        self._refuse("taken_over", "this device has logged in over another link")
        self._flush()

    # -- events

    def _flush(self) -> None:
        out = self._core.messages_to_send()
        if out:
            self._send(out)
        if self._core.closing:
            self._leave()  # a peer that reads nothing is there for minutes yet: nothing is to be sent to it
            self._close()

    def _store(self) -> None:
        """One submission for all that one read brought; its last number covers the others."""
        carrier, seq = self._carrier, self._seq
        reports, self._reports, self._seq = self._reports, [], None
        if carrier is None or seq is None:
            return

        submission = _Submission(seq)
        self._stored.append(submission)
        if self._telling:
            self._held.append((carrier, submission, reports))
        else:
            self._submit(carrier, submission, reports)

    def _submit(self, carrier: Carrier, submission: _Submission, reports: list[Report]) -> None:
        try:
            self._intake.submit(carrier, reports, lambda first: self._kept(submission, first is not None))
        except JournalFull:
            self._busy()

    def _kept(self, submission: _Submission, on_disk: bool) -> None:
        # An acknowledgement covers all before it, and what holds nothing to store is done at once: so none goes
        # out before its turn. After a failure nothing older may be acknowledged: the device begins again.
        if submission not in self._stored:
            return
        if not on_disk:
            self._busy()
        submission.done = True
        self._go_on()

    def _go_on(self) -> None:
        while self._stored and self._stored[0].done:
            self._core.acknowledge(self._stored.popleft().seq)
        if self._stored and self._stored[0].begin is not None:
            begin, self._stored[0].begin = self._stored[0].begin, None
            begin()
        self._flush()

    def _busy(self) -> None:
        self._stored.clear()
        self._held.clear()
        whose = self._carrier.device.id if self._carrier is not None else self._address
        self._core.busy(RETRY_SECONDS + spread(whose, RETRY_SPREAD))

    def _refuse(self, code: str, text: str) -> None:
        if not self._core.closing:
            self._core.refuse(code, text)

    def _refuse_login(self, event: Hello, code: str, text: str) -> None:
        """Who tries often waits for the answer."""
        wait = self._intake.logins.wrong(PROTOCOL, event.device, self._address, self._intake.wall())
        if not wait or self._later is None:
            self._refuse(code, text)
            return

        def refuse() -> None:
            self._refuse(code, text)
            self._flush()

        self._refusal = self._later(wait, refuse)

    def _batch(self, event: Batch) -> None:
        self._reports += event.reports
        self._seq = event.seq
        if event.refused:
            self._intake.counters.refuse(PROTOCOL, "bad_position", event.refused)

    def _health(self, event: Health) -> None:
        self._reports.append(event.report)
        self._seq = event.seq
        if event.refused:
            self._intake.counters.refuse(PROTOCOL, "bad_reading", event.refused)

    def _duty(self, event: Duty) -> None:
        self._store()
        carrier, submission = self._carrier, _Submission(event.seq)
        if carrier is None:
            return
        self._stored.append(submission)
        if event.at is None:
            self._intake.counters.refuse(PROTOCOL, "bad_duty")
            submission.done = True
            self._kept(submission, True)
            return

        def told(on_disk: bool) -> None:
            self._telling -= 1
            self._kept(submission, on_disk)
            while self._held and not self._telling:
                self._submit(*self._held.pop(0))
            self._flush()

        self._telling += 1
        self._intake.told(carrier, event.on, event.at, event.id, told)

    def _said(self, event: Answer | Problem) -> None:
        self._store()
        carrier, submission = self._carrier, _Submission(event.seq)
        if carrier is None:
            return
        self._stored.append(submission)
        if event.bad:
            self._intake.counters.refuse(PROTOCOL, event.bad)
            self._core.standing(event.event, "bad", getattr(event, "task", ""), getattr(event, "attempt", 0), "",
                                event.bad)  # fmt: skip
            self._kept(submission, True)
        else:
            # Who has arrived by the positions before it answers on the scene.
            submission.begin = lambda: self._intake.said(carrier, event, lambda stored: self._kept(submission, stored))
            self._go_on()

    def _hello(self, event: Hello) -> None:
        self._intake.counters.messages[PROTOCOL] += 1
        carrier = self._intake.find(PROTOCOL, event.device, self._address)
        if carrier is None:
            self._refuse_login(event, "unknown_device", "no device is registered under this id")
        elif not accepts(carrier.device, event.token):
            self._intake.counters.refuse(PROTOCOL, "bad_token")
            self._refuse_login(event, "bad_token", "the token is not this device's")
        elif _older(event.app, self._versions.minimum):
            self._intake.counters.refuse(PROTOCOL, "app_too_old")
            self._refuse("app_too_old", f"version {self._versions.minimum} or later is needed")
        else:
            self._carrier, self.authenticated = carrier, True
            self._core.welcome(
                self._intake.wall(), carrier.unit.name if carrier.device.unit else "", heartbeat=HEARTBEAT_SECONDS,
                app_min=self._versions.minimum, app_latest=self._versions.latest, batch_max=POSITIONS,
                reconnect=reconnect_ms(carrier.device.id, len(self._intake.roster.units)),
            )  # fmt: skip
            self._links.login(carrier.device.id, self)  # commands that waited go out behind the welcome

    def _ping(self, event: Ping) -> None:
        self._core.pong(self._intake.wall())
        if self._carrier is not None:
            self._intake.heard(self._carrier)

    def _done(self, event: Done) -> None:
        if self._carrier is not None:
            self._links.answered(event.id, self._carrier.device.id, event.ok, event.text, event.text)

    def _bye(self, event: Bye) -> None:
        pass

    def _refused(self, event: Refused) -> None:
        self._intake.counters.refuse(PROTOCOL, event.reason)


_HANDLERS: dict[type, Callable[[HandheldSession, Any], None]] = {
    Batch: HandheldSession._batch,
    Health: HandheldSession._health,
    Duty: HandheldSession._duty,
    Answer: HandheldSession._said,
    Problem: HandheldSession._said,
    Hello: HandheldSession._hello,
    Ping: HandheldSession._ping,
    Done: HandheldSession._done,
    Bye: HandheldSession._bye,
    Refused: HandheldSession._refused,
}
"""What is done about each event of the core."""


_SAYS: dict[str, Callable[[Conversation, Mapping[str, Any]], None]] = {
    "words": Conversation.words,
    "held": lambda core, about: core.held(about["tasks"]),
    "task": Conversation.task,
    "revoke": lambda core, about: core.revoke(**about),
    "standing": lambda core, about: core.standing(**about),
    "sos": Conversation.sos,
    "notice": Conversation.notice,
}
"""What can be said of tasks."""


def _older(version: str, minimum: str) -> bool:
    return _numbers(version) < _numbers(minimum)


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version without zeros at the end; one that has none is older than all."""
    numbers = []
    for part in version.split("-")[0].split("."):
        if not (part.isascii() and part.isdigit()) or len(part) > 9:
            break
        numbers.append(int(part))
    while numbers and not numbers[-1]:
        numbers.pop()  # 1.0 is 1.0.0
    return tuple(numbers)
