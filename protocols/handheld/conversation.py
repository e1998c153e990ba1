"""The server's side of one handheld's conversation: messages in, events and messages out; no bytes of a transport.

A conversation begins with the device's ``hello``. The shell looks the device up and answers it with
:meth:`Conversation.welcome` or :meth:`Conversation.refuse`; only then may the device send positions. Every ``fix``,
``health``, ``duty``, ``answer`` and ``problem`` carries a number, and :meth:`Conversation.acknowledge` says that the
message and all before it are on disk; what is not acknowledged the device sends again after it has reconnected.

``TABLE`` is the whole machine. The rows are where the conversation is, the columns what happens: messages of
the peer by their ``t``, and the shell's verbs. A pair that is missing is a fault: of the peer if a message
came (it is told, and the conversation closes), of ours if a verb was called.

Two states want a word. ``GREETED`` lasts from ``hello`` until the shell's answer, which may take a look-up
in a store: a second hello meanwhile must not start a second look-up. ``BUSY`` follows ``busy``: messages that
the device sent before it heard of it are still under way, and acknowledging one of them would, because
acknowledgements are cumulative, cover the message that was not taken. So nothing is taken until the device
begins again, which shows in a number that is not above the highest one (the input ``resend``). When nothing
waits for an acknowledgement there is nothing to cover, and the verb is ``busy_idle``.

A device that said so in its ``hello`` is told of tasks (``tell`` in the table: the verbs from ``words`` to ``notice``);
to any other these verbs say nothing.

In ``CLOSING`` the peer is no longer heard and the verbs do nothing (a look-up or a commit may end after the
peer has broken the rules, which is not the shell's fault), except that acknowledgements still go out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum
from typing import Any

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.handheld import messages, task_messages
from protocols.handheld.events import Batch, Bye, Done, Duty, Event, Health, Hello, Ping, Refused
from protocols.handheld.messages import BATCH_MAX, VERSION, Message, encode
from protocols.report import CoordinateSystem


class State(IntEnum):
    """Where a conversation is."""

    CONNECTED = 0
    GREETED = 1
    WELCOMED = 2
    BUSY = 3
    CLOSING = 4


_C, _G, _W, _B, _X = State

TABLE: dict[State, dict[str, State]] = {
    State.CONNECTED: {"hello": _G, "bye": _X, "malformed": _X, "refuse": _X},
    State.GREETED: {"bye": _X, "malformed": _X, "welcome": _W, "refuse": _X, "busy": _C},
    State.WELCOMED: {
        "fix": _W, "health": _W, "duty": _W, "answer": _W, "problem": _W, "resend": _W, "ping": _W, "done": _W,
        "unknown": _W, "bye": _X, "malformed": _X,
        "acknowledge": _W, "pong": _W, "command": _W, "tell": _W, "busy": _B, "busy_idle": _W, "refuse": _X,
    },
    State.BUSY: {
        "fix": _B, "health": _B, "duty": _B, "answer": _B, "problem": _B, "resend": _W, "ping": _B, "done": _B,
        "unknown": _B, "bye": _X, "malformed": _X,
        "acknowledge": _B, "pong": _B, "command": _B, "tell": _B, "busy": _B, "refuse": _X,
    },
    State.CLOSING: {
        "hello": _X, "fix": _X, "health": _X, "duty": _X, "answer": _X, "problem": _X, "resend": _X, "ping": _X,
        "done": _X, "unknown": _X, "bye": _X, "malformed": _X,
        "welcome": _X, "acknowledge": _X, "pong": _X, "command": _X, "tell": _X, "busy": _X, "refuse": _X,
    },
}  # fmt: skip


class Conversation:
    """One device's link, over TCP (with a :class:`~protocols.handheld.framing.Framer`) or WebSocket alike.

    ``window``: messages that may be unacknowledged at a time. A commit takes about 10 ms, so even a device
    that empties a queue of days is not slowed by it; beyond it the device is told to come again in
    ``window_retry`` seconds, so that a store that stalls cannot fill the memory.
    """

    def __init__(self, *, window: int = 64, window_retry: int = 5) -> None:
        self._state = State.CONNECTED
        self._crs = CoordinateSystem.WGS84
        self._tasks = False
        self._window = window
        self._window_retry = window_retry
        self._waiting: deque[int] = deque()  # numbers given to the shell and not yet acknowledged, in order
        self._highest = -1
        self._acknowledged: int | None = None  # to be told at the next messages_to_send: one ack covers a read
        self._out: list[bytes] = []

    @property
    def state(self) -> State:
        return self._state

    @property
    def closing(self) -> bool:
        """The shell writes what is queued, then closes."""
        return self._state is State.CLOSING

    @property
    def tasks(self) -> bool:
        """Whether the device shows tasks."""
        return self._tasks

    def receive_message(self, payload: bytes) -> list[Event]:
        """What one message of the peer means. Never raises: a fault of the peer is told to it, and is an event."""
        if self._state is State.CLOSING:
            return []
        try:
            message = messages.decode(payload)
            read = _READERS.get(message["t"], Conversation._unknown)
            return read(self, message)
        except RemoteProtocolError as fault:
            self._state = TABLE[self._state]["malformed"]
            self._tell_error(fault.reason, fault.detail)
            return [Refused(fault.reason, fault.detail)]

    def messages_to_send(self) -> list[bytes]:
        """The messages to write now, in order; each is returned once."""
        self._tell_acknowledged()
        out, self._out = self._out, []
        return out

    # The shell's verbs.

    def welcome(
        self,
        now: int,
        name: str,
        *,
        heartbeat: int = 30,
        app_min: str = "",
        app_latest: str = "",
        batch_max: int = BATCH_MAX,
        reconnect: int = 0,
    ) -> None:
        """Answers ``hello``: the device is known as the unit ``name``. ``now`` in ms, ``heartbeat`` in seconds.

        ``reconnect``: ms that this device is to wait before it connects again when the link breaks; 0 says nothing.
        """
        if self._verb("welcome"):
            advice = {"reconnect": reconnect} if reconnect else {}
            self._send(
                t="welcome", v=VERSION, now=now, app_min=app_min, app_latest=app_latest,
                heartbeat=heartbeat, batch_max=min(batch_max, BATCH_MAX), name=name, **advice,
            )  # fmt: skip

    def refuse(self, code: str, text: str) -> None:
        """Tells the device why it is not served; the conversation is closing. Codes: docs/wire/handheld.md."""
        if self._verb("refuse"):
            self._tell_error(code, text)

    def acknowledge(self, seq: int) -> None:
        """The message ``seq`` and all before it are on disk. A number that ``busy`` gave back is passed over."""
        live = self._verb("acknowledge", in_closing=True)
        waiting = self._waiting
        if not live or seq not in waiting:
            return
        while waiting.popleft() != seq:
            pass
        if self._acknowledged is None or seq > self._acknowledged:
            self._acknowledged = seq

    def pong(self, now: int) -> None:
        """Answers a :class:`Ping` with the server's time in ms."""
        if self._verb("pong"):
            self._send(t="pong", now=now)

    def command(self, id: str, kind: str, until: int = 0) -> None:
        """Asks the device for something (``locate``, ``roll_call``); a :class:`Done` with this id answers.

        ``until``: ms, the server's time after which nobody waits for the answer; 0 says nothing.
        """
        if self._verb("command"):
            self._send(t="command", id=id, kind=kind, **({"until": until} if until else {}))

    def words(self, fields: Mapping[str, Any]) -> None:
        """How kinds, results, reasons and classes are called: the fields of ``words`` without ``t``."""
        self._tell("words", fields)

    def held(self, tasks: Iterable[tuple[str, int]]) -> None:
        """All (task, attempt) that the unit has, after each welcome: whatever else the device shows is over."""
        self._tell("held", {"tasks": task_messages.pairs(tasks)})

    def task(self, fields: Mapping[str, Any]) -> None:
        """One task as it is now: the fields of ``task`` without ``t``."""
        self._tell("task", fields)

    def revoke(self, task: str, attempt: int, reason: str) -> None:
        """The attempt is over; the device answers ``revoked``."""
        self._tell("revoke", {"task": task, "attempt": attempt, "reason": reason})

    def standing(self, event: str, code: str, task: str, attempt: int, state: str, text: str = "") -> None:
        """Answers an :class:`Answer` or :class:`Problem`, once it is on disk: where its task stands."""
        self._tell(
            "standing",
            {"event": event, "code": code, "task": task, "attempt": attempt, "state": state, "text": text},
        )

    def sos(self, fields: Mapping[str, Any]) -> None:
        """An SOS of a colleague, or what became of the device's own: the fields of ``sos`` without ``t``."""
        self._tell("sos", fields)

    def notice(self, fields: Mapping[str, Any]) -> None:
        """Something that everybody should know: the fields of ``notice`` without ``t``."""
        self._tell("notice", fields)

    def busy(self, seconds: int) -> None:
        """What is not acknowledged was not taken: the device sends it again after ``seconds``."""
        idle = self._state is State.WELCOMED and not self._waiting
        if self._verb("busy_idle" if idle else "busy"):
            self._tell_acknowledged()
            self._waiting.clear()
            self._send(t="busy", retry=seconds)

    # The peer's messages, by their "t".

    def _hello(self, message: Message) -> list[Event]:
        self._peer("hello")
        if messages.whole(message, "v", VERSION, VERSION) is None:
            raise RemoteProtocolError("version", f"this server speaks version {VERSION}")
        declared = message.get("crs")
        crs = messages.COORDINATE_SYSTEMS.get(declared) if type(declared) is str else None
        if crs is None:
            raise RemoteProtocolError("crs_undeclared", '"crs" must be one of wgs84, gcj02, bd09, cgcs2000')
        self._crs, self._tasks = crs, message.get("tasks") is True
        device = messages.text(message, "device", 64, required=True)
        token = messages.text(message, "token", 256)
        return [Hello(device, token, messages.text(message, "app", 32), crs, messages.clock(message),
                      self._tasks)]  # fmt: skip

    def _fix(self, message: Message) -> list[Event]:
        seq = messages.sequence(message)
        if not self._takes(seq, "fix"):
            return []
        reports, refused = messages.read_positions(message, self._crs)
        return [Batch(seq, reports, refused)]

    def _health(self, message: Message) -> list[Event]:
        seq = messages.sequence(message)
        if not self._takes(seq, "health"):
            return []
        report, refused = messages.read_health(message, self._crs)
        return [Health(seq, report, refused)]

    def _duty(self, message: Message) -> list[Event]:
        seq = messages.sequence(message)
        if not self._takes(seq, "duty"):
            return []
        return [Duty(seq, *messages.read_duty(message))]

    def _answer(self, message: Message) -> list[Event]:
        seq = messages.sequence(message)
        return [task_messages.read_answer(message, seq)] if self._takes(seq, "answer") else []

    def _problem(self, message: Message) -> list[Event]:
        seq = messages.sequence(message)
        return [task_messages.read_problem(message, seq, self._crs)] if self._takes(seq, "problem") else []

    def _ping(self, message: Message) -> list[Event]:
        self._peer("ping")
        return [Ping(messages.clock(message))]

    def _done(self, message: Message) -> list[Event]:
        self._peer("done")
        ok = message.get("ok")
        if type(ok) is not bool:
            raise RemoteProtocolError("malformed", '"ok" is not true or false')
        said = message.get("text")
        words = "".join(c if c.isprintable() else " " for c in said[:500]) if type(said) is str else ""
        return [Done(messages.text(message, "id", 64, required=True), ok, words)]

    def _bye(self, message: Message) -> list[Event]:
        self._peer("bye")
        return [Bye()]

    def _unknown(self, message: Message) -> list[Event]:
        self._peer("unknown")
        return [Refused("unknown_message", message["t"][:32])]

    # The machine.

    def _peer(self, event: str) -> None:
        """The peer did ``event``: one step of the table."""
        after = TABLE[self._state].get(event)
        if after is None:
            raise RemoteProtocolError("out_of_order", f"{event} does not come here: {self._state.name.lower()}")
        self._state = after

    def _takes(self, seq: int, event: str) -> bool:
        """The peer sent a numbered message; whether it is to be taken."""
        if seq <= self._highest:
            self._peer("resend")
        else:
            self._peer(event)
            self._highest = seq
        if self._state is not State.WELCOMED:
            return False
        if len(self._waiting) >= self._window:
            self.busy(self._window_retry)
            return False
        self._waiting.append(seq)
        return True

    def _verb(self, verb: str, *, in_closing: bool = False) -> bool:
        """The shell did ``verb``: one step of the table, and whether there is anything to do."""
        before = self._state
        after = TABLE[before].get(verb)
        if after is None:
            raise LocalProtocolError(f"{verb} in state {before.name}")
        self._state = after
        return in_closing or before is not State.CLOSING

    def _tell(self, kind: str, fields: Mapping[str, Any]) -> None:
        if self._verb("tell") and self._tasks:
            self._out.append(encode({"t": kind, **task_messages.bounded(fields)}))

    def _tell_acknowledged(self) -> None:
        if self._acknowledged is not None:
            seq, self._acknowledged = self._acknowledged, None
            self._out.append(encode({"t": "ack", "seq": seq}))

    def _tell_error(self, code: str, text: str) -> None:
        self._tell_acknowledged()
        self._send(t="error", code=code, text=text)

    def _send(self, **message: object) -> None:
        self._out.append(encode(message))


_READERS: dict[str, Callable[[Conversation, Message], list[Event]]] = {
    "hello": Conversation._hello,
    "fix": Conversation._fix,
    "health": Conversation._health,
    "duty": Conversation._duty,
    "answer": Conversation._answer,
    "problem": Conversation._problem,
    "ping": Conversation._ping,
    "done": Conversation._done,
    "bye": Conversation._bye,
}
