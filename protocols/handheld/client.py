"""The device's side of the handheld conversation: what a client has to remember, without a socket or a clock.

The shell calls :meth:`Client.connected` when a link stands, feeds :meth:`Client.receive_message`, writes
:meth:`Client.messages_to_send`, calls :meth:`Client.handle_timer` when :meth:`Client.get_timer` is due, closes
when ``closing`` is true, and calls :meth:`Client.disconnected` when the link is gone. Positions may be added
at any time; what the server has not acknowledged is sent again, under the same number, on the next link.

``CLIENT_TABLE`` is the machine: messages of the server by their ``t`` (``told`` stands for all about tasks), and what
the shell or the clock does. A
message that is missing in the row is the server's fault, a call that is missing is the shell's.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.handheld.events import Acknowledged, Busy, ClientEvent, Command, Pong, Rejected, Welcome
from protocols.handheld.messages import (
    BATCH_MAX,
    TOLD_MAP_LIMIT,
    VERSION,
    Message,
    decode,
    encode,
    number,
    string,
    whole,
)
from protocols.handheld.outbox import Outbox
from protocols.handheld.task_messages import ON_SCENE, TEXT_LIMIT, TOLD, read_told

RECONNECT_LIMIT = 600_000
"""ms: the same for the pause before a new link."""
RETRY_LIMIT = 3600
"""Seconds: a longer ``busy`` than an hour would silence a device for a shift by one wrong number."""


class ClientState(IntEnum):
    """Where the device's side is."""

    OFFLINE = 0
    GREETING = 1
    WAITING = 2
    ONLINE = 3
    PAUSED = 4
    CLOSING = 5


_O, _G, _W, _N, _P, _X = ClientState

CLIENT_TABLE: dict[ClientState, dict[str, ClientState]] = {
    ClientState.OFFLINE: {"connected": _G, "disconnected": _O, "bye": _O},
    ClientState.GREETING: {
        "welcome": _N, "busy": _W, "error": _X, "silence": _X, "disconnected": _O, "bye": _X,
    },
    ClientState.WAITING: {"retry": _G, "error": _X, "disconnected": _O, "bye": _X},
    ClientState.ONLINE: {
        "ack": _N, "pong": _N, "command": _N, "told": _N, "busy": _P, "error": _X, "silence": _X, "disconnected": _O,
        "bye": _X,
    },
    ClientState.PAUSED: {
        "ack": _P, "pong": _P, "command": _P, "told": _P, "busy": _P, "error": _X, "retry": _N, "disconnected": _O,
        "bye": _X,
    },
    ClientState.CLOSING: {
        "welcome": _X, "ack": _X, "pong": _X, "command": _X, "told": _X, "busy": _X, "error": _X, "disconnected": _O,
        "bye": _X,
    },
}  # fmt: skip


class Client:
    """One device. All times are ms; the shell passes the device's own clock as ``now``.

    ``limit``: positions kept while nobody acknowledges; beyond it the oldest message goes and is counted in
    ``dropped``. 20,000 is a day at one fix in five seconds, some 3 MB. ``window``: messages under way at a
    time, below what the server allows. ``live_age``: a newest position older than this is not called live.
    ``tasks``: the device can show tasks; else it is told of none.
    ``silence``: when an answer is owed and does not come for so long, the link is given up (``closing``).
    """

    def __init__(
        self,
        device: str,
        token: str,
        *,
        app: str = "1.0.0",
        crs: str = "wgs84",
        tasks: bool = False,
        limit: int = 20_000,
        batch_max: int = BATCH_MAX,
        window: int = 8,
        live_age: int = 60_000,
        silence: int = 60_000,
        first_seq: int = 1,
    ) -> None:
        self._hello: Message = {"t": "hello", "v": VERSION, "device": device, "token": token, "app": app, "crs": crs}
        if tasks:
            self._hello["tasks"] = True
        self._outbox = Outbox(limit=limit, batch_max=min(batch_max, BATCH_MAX), live_age=live_age, first_seq=first_seq)
        self._window = window
        self._silence = silence
        self._state = ClientState.OFFLINE
        self._out: list[bytes] = []
        self._heartbeat: int | None = None  # ms
        self._last_sent = 0
        self._progress = 0  # when something was last acknowledged, or began to wait
        self._retry_at = 0
        self._reconnect = 0

    @property
    def state(self) -> ClientState:
        return self._state

    @property
    def closing(self) -> bool:
        """The shell writes what is queued, then closes."""
        return self._state is ClientState.CLOSING

    @property
    def unacknowledged(self) -> int:
        """Positions and health messages that the server has not acknowledged, sent or not."""
        return self._outbox.held

    @property
    def dropped(self) -> int:
        """Positions and health messages thrown away because the queue was full."""
        return self._outbox.dropped

    # What the shell's link does.

    def connected(self, now: int) -> None:
        """A new link stands: says hello. Everything unacknowledged will follow the welcome."""
        self._call("connected")
        self._out = []
        self._say_hello(now)

    def disconnected(self) -> None:
        """The link is gone: what was under way counts as not sent."""
        self._call("disconnected")
        self._out = []
        self._outbox.rewind()
        self._heartbeat = None

    def reconnect_delay(self, failures: int) -> int:
        """How long to wait before the next link, ms; ``failures``: attempts in a row that brought no welcome.

        The server tells every device another pause, so that a fleet that lost it in one moment does not come back in
        one. Before the first welcome there is none: the shell then adds a random part of its own.
        """
        return self._reconnect + min(1000 << min(failures, 6), 60_000)

    def receive_message(self, payload: bytes, now: int) -> list[ClientEvent]:
        """What one message of the server means. Raises :class:`RemoteProtocolError` and is ``closing`` if it is none.

        Messages of a type that we do not know are passed over: a later server may send them. So is what comes
        after the link is gone.
        """
        if self._state is ClientState.OFFLINE:
            return []
        try:
            message = decode(payload, map_limit=TOLD_MAP_LIMIT)
            return self._receive(message, now)
        except RemoteProtocolError:
            self._state = ClientState.CLOSING
            raise

    def messages_to_send(self, now: int) -> list[bytes]:
        """The messages to write now: new positions are put into messages here, so call it after adding some."""
        if self._state is ClientState.ONLINE:
            if not self._outbox.flying:
                self._progress = now
            while self._outbox.flying < self._window and (message := self._outbox.next_message(now)) is not None:
                self._out.append(encode(message))
        out, self._out = self._out, []
        if out:
            self._last_sent = now
        return out

    def get_timer(self) -> int | None:
        """When :meth:`handle_timer` wants to be called, ms; ``None`` for not at all."""
        if self._state in (ClientState.WAITING, ClientState.PAUSED):
            return self._retry_at
        if self._state not in (ClientState.GREETING, ClientState.ONLINE):
            return None
        due = [self._progress + self._silence] if self._awaiting else []
        if self._heartbeat is not None:
            due.append(self._last_sent + self._heartbeat)
        return min(due, default=None)

    def handle_timer(self, now: int) -> None:
        """Goes on after ``busy``, pings when nothing was sent for the heartbeat, gives a silent link up."""
        before = self._state
        if before in (ClientState.WAITING, ClientState.PAUSED):
            if now >= self._retry_at:
                self._call("retry")
                self._outbox.rewind()
                if before is ClientState.WAITING:
                    self._say_hello(now)
        elif before in (ClientState.GREETING, ClientState.ONLINE):
            if self._awaiting and now >= self._progress + self._silence:
                self._call("silence")
            elif self._heartbeat is not None and now >= self._last_sent + self._heartbeat:
                self.ping(now)

    # What the device has to say.

    def add_position(
        self,
        fix_ms: int,
        lat_e7: int | None,
        lon_e7: int | None,
        accuracy_dm: int | None = None,
        speed_cms: int | None = None,
        course: int | None = None,
        altitude_m: int | None = None,
        status: int = 0,
        alarm: int = 0,
    ) -> None:
        """Keeps one position (or, with ``lat_e7`` None, the statement that there was none) for the server."""
        self._outbox.add_position([fix_ms, lat_e7, lon_e7, accuracy_dm, speed_cms, course, altitude_m, status, alarm])

    def add_health(
        self,
        now: int,
        *,
        battery: int | None = None,
        charging: bool = False,
        net: str = "none",
        fix: str = "none",
        screen: bool = False,
        uptime: int = 0,
    ) -> None:
        """Keeps one health message: battery in %, uptime in s, words as in docs/wire/handheld.md."""
        self._outbox.add_health(
            {
                "now": now, "battery": battery, "charging": charging, "net": net, "fix": fix, "screen": screen,
                "uptime": uptime, "queue": self._outbox.held,
            }
        )  # fmt: skip

    def add_duty(self, on: bool, at: int, id: str) -> None:
        """Keeps the event that the person came on duty or went off at a time (ms); ``id`` is the device's own, of up to
        64 characters. Call it before the positions of that time are added."""
        self._outbox.add_duty({"t": "duty", "on": on, "at": at, "id": id})

    def add_answer(
        self,
        task: str,
        attempt: int,
        what: str,
        event: str,
        at: int,
        *,
        reason: str = "",
        word: str = "",
        text: str = "",
        photos: Sequence[str] = (),
    ) -> None:
        """Keeps what is said to a task; ``event`` is the device's own id of it, of up to 64 characters. It goes out
        behind every statement before it, and behind the positions too if it tells of the scene."""
        answer = {"t": "answer", "task": task, "attempt": attempt, "what": what, "event": event, "at": at}
        more = {"reason": reason[:TEXT_LIMIT], "word": word, "text": text[:TEXT_LIMIT], "photos": list(photos)}
        answer |= {name: value for name, value in more.items() if value}
        self._outbox.add_statement(answer, behind=what in ON_SCENE)

    def add_problem(
        self,
        event: str,
        at: int,
        lat_e7: int | None,
        lon_e7: int | None,
        accuracy_dm: int | None = None,
        *,
        klass: str = "",
        text: str = "",
        photos: Sequence[str] = (),
        voice: str = "",
    ) -> None:
        """Keeps a report of something that nobody asked for, as an answer is kept."""
        problem = {"t": "problem", "event": event, "at": at, "lat": lat_e7, "lon": lon_e7, "accuracy": accuracy_dm}
        more = {"klass": klass, "text": text[:TEXT_LIMIT], "photos": list(photos), "voice": voice}
        problem |= {name: value for name, value in more.items() if value}
        self._outbox.add_statement(problem, behind=True)

    def ping(self, now: int) -> None:
        """Asks for the server's time; only on a welcomed link, else nothing happens."""
        self._say({"t": "ping", "now": now})

    def done(self, id: str, ok: bool, text: str = "") -> None:
        """Answers a :class:`Command`; lost with the link, the server then asks again."""
        self._say({"t": "done", "id": id, "ok": ok, "text": text})

    def bye(self) -> None:
        """Leaves on purpose: the link closes, the queue stays."""
        self._call("bye")
        if self._state is ClientState.CLOSING:
            self._out.append(encode({"t": "bye"}))

    # Inside.

    @property
    def _awaiting(self) -> bool:
        """Whether the server owes an answer: to the hello, or for a numbered message."""
        return self._state is ClientState.GREETING or self._outbox.flying > 0

    def _step(self, event: str) -> None:
        after = CLIENT_TABLE[self._state].get(event)
        if after is None:
            raise RemoteProtocolError("out_of_order", f"{event} in state {self._state.name.lower()}")
        self._state = after

    def _call(self, event: str) -> None:
        if event not in CLIENT_TABLE[self._state]:
            raise LocalProtocolError(f"{event} in state {self._state.name}")
        self._step(event)

    def _say_hello(self, now: int) -> None:
        self._progress = now
        self._out.append(encode({**self._hello, "now": now}))

    def _say(self, message: Message) -> None:
        if self._state in (ClientState.ONLINE, ClientState.PAUSED):
            self._out.append(encode(message))

    def _receive(self, message: Message, now: int) -> list[ClientEvent]:
        kind = "told" if message["t"] in TOLD else message["t"]
        if kind not in ("welcome", "ack", "pong", "command", "told", "busy", "error"):
            return []
        self._step(kind)
        if self._state is ClientState.CLOSING and kind not in ("error", "ack"):
            return []
        match kind:
            case "welcome":
                heartbeat = number(message, "heartbeat", 1, 86_400)
                self._heartbeat = heartbeat * 1000
                self._outbox.allow_batch(number(message, "batch_max", 1, 1 << 31))
                app_min, app_latest = string(message, "app_min"), string(message, "app_latest")
                reconnect = whole(message, "reconnect", 0, 1 << 53)
                self._reconnect = min(reconnect or 0, RECONNECT_LIMIT)
                name, at = string(message, "name"), number(message, "now")
                return [Welcome(name, at, heartbeat, app_min, app_latest, self._reconnect)]
            case "ack":
                return self._acknowledge(number(message, "seq"), now)
            case "pong":
                return [Pong(number(message, "now"))]
            case "command":
                until = whole(message, "until", 0, 1 << 53) or 0
                return [Command(string(message, "id"), string(message, "kind"), until)]
            case "told":
                return [read_told(message)]
            case "busy":
                seconds = min(number(message, "retry"), RETRY_LIMIT)
                self._retry_at = now + seconds * 1000
                return [Busy(seconds)]
            case _:
                return [Rejected(string(message, "code"), string(message, "text"))]

    def _acknowledge(self, seq: int, now: int) -> list[ClientEvent]:
        if not self._outbox.acknowledge(seq):
            raise RemoteProtocolError("bad_ack", "a number that was never sent")
        self._progress = now
        return [Acknowledged(seq)]
