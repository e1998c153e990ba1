"""A collector's handheld: what is seen on the walk becomes messages of the handheld protocol, and tasks are done.

:class:`Handheld` speaks in messages, as on a WebSocket; :class:`FramedHandheld` is the same in the bytes of a TCP
stream. Neither knows a socket or a clock; the keeper (keeper.py) drives both.
"""

from __future__ import annotations

from random import Random
from zlib import crc32

from protocols.handheld import Client, Command, Framer, Rejected, Welcome, frame
from simulator.bearer import Bearer, e7
from simulator.camera import photograph
from simulator.errands import Errands
from simulator.manner import Manner
from simulator.uploads import Uploads
from simulator.walker import Sighting

HEALTH_EVERY = 60_000
"""ms between two health messages while there is a fix; without one the health message is the only sign of life."""
HEALTH_WITHOUT_FIX = 20_000
ANSWERS_WITHIN = 25_000
"""ms that somebody needs to take the device out and press "here"; one in ``SILENT_IN`` does not hear it at all."""
SILENT_IN = 12


class Handheld:
    """One handheld. ``name`` is for the log; it names the device, never a place."""

    def __init__(self, device: str, token: str, bearer: Bearer, now: int, manner: Manner | None = None) -> None:
        """``manner``: how its person answers; without one the device shows no tasks."""
        self.name = device
        self.served = False
        """Whether the server has welcomed this device since the link was made."""
        self.uploads = Uploads()
        self._bearer = bearer
        self._core = Client(device, token, app="1.0.0", tasks=manner is not None)
        self._manner = manner or Manner()
        # Another draw at each start: what is said is known by its number for ever.
        random = Random(f"{device} {now}")
        self._errands = Errands(device, self._manner, self._core, self.uploads, _camera, random)
        self._started = now
        self._health_at = now
        self._without_fix = False
        self._questions: dict[str, int] = {}
        """Roll calls that are on the screen: when somebody presses "here", by their command. Few: each ends."""

    @property
    def reachable(self) -> bool:
        return self._bearer.reachable

    @property
    def closing(self) -> bool:
        return self._core.closing

    @property
    def waiting(self) -> int:
        """Positions and health messages that the server has not acknowledged."""
        return self._core.unacknowledged

    def tick(self, now: int) -> None:
        """One interval has passed: look around and keep what is seen for the server."""
        sighting = self._bearer.sense(now)
        if sighting is None:
            return
        self._keep(sighting, now)
        self._attend(now)
        lost_or_found = (sighting.fix == "none") is not self._without_fix
        self._without_fix = sighting.fix == "none"
        if lost_or_found:
            self._health_at = now
        if now >= self._health_at and self.reachable:
            self._tell_health(sighting, now)

    def connected(self, now: int) -> None:
        self.served = False
        self._core.connected(self._bearer.time(now))

    def disconnected(self) -> None:
        self._core.disconnected()

    def receive(self, payload: bytes, now: int) -> list[str]:
        """Takes one message of the server; returns what is worth a line in the log.

        Raises :class:`~protocols.errors.RemoteProtocolError` if it is none; the keeper then drops the link.
        """
        notes: list[str] = []
        for event in self._core.receive_message(payload, self._bearer.time(now)):
            if isinstance(event, Welcome):
                self.served = True
                notes.append("welcomed")
            elif isinstance(event, Rejected):
                notes.append(f"rejected: {event.code}")
            elif isinstance(event, Command):
                notes.append(f"command: {event.kind[:32]}")
                self._obey(event, now)
            else:
                self._errands.told(event, now)
        self._attend(now)
        return notes

    def to_send(self, now: int) -> list[bytes]:
        return self._core.messages_to_send(self._bearer.time(now))

    def get_timer(self) -> int | None:
        due = self._core.get_timer()
        asked = self._errands.get_timer()
        times = [*self._questions.values(), *([] if due is None else [due - self._bearer.conditions.clock])]
        return min([*times, *([] if asked is None else [asked])], default=None)

    def handle_timer(self, now: int) -> None:
        self._core.handle_timer(self._bearer.time(now))
        for id in [id for id, at in self._questions.items() if at <= now]:
            del self._questions[id]
            self._core.done(id, True)
        self._attend(now)

    def _attend(self, now: int) -> None:
        """Whoever carries it does what is due, and goes where there is something to be done."""
        errands, bearer = self._errands, self._bearer
        errands.ahead = bearer.conditions.clock
        errands.handle_timer(now)
        if bearer.send(errands.goal, self._manner.speed) and errands.goal is not None:
            errands.set_out(now)
        if bearer.there:
            errands.arrived(now)

    def _keep(self, sighting: Sighting, now: int) -> None:
        if sighting.latitude is None:
            return
        accuracy = sighting.accuracy
        self._core.add_position(
            self._bearer.time(now),
            e7(sighting.latitude),
            e7(sighting.longitude),
            None if accuracy is None else round(accuracy * 10),
            round(sighting.speed * 100),
            sighting.course,
            sighting.altitude,
        )

    def _tell_health(self, sighting: Sighting, now: int) -> None:
        self._health_at = now + (HEALTH_WITHOUT_FIX if self._without_fix else HEALTH_EVERY)
        self._core.add_health(
            self._bearer.time(now),
            battery=sighting.battery,
            charging=False,
            net="4g",
            fix=sighting.fix,
            screen=sighting.speed == 0.0,
            uptime=(now - self._started) // 1000,
        )

    def _obey(self, command: Command, now: int) -> None:
        if command.kind not in ("locate", "roll_call"):
            self._core.done(command.id, False, "unknown command")
            return
        if command.id in self._questions:
            return  # it is on the screen already
        sighting = self._bearer.sense(now)
        located = sighting is not None and sighting.latitude is not None
        if sighting is not None:
            self._keep(sighting, now)
        if command.kind == "locate":
            self._core.done(command.id, located, "" if located else "no fix")
            return
        # The same person hears one call and misses another, the same in every run over the same ids.
        draw = crc32(f"{self.name} {command.id}".encode())
        if draw % SILENT_IN:
            self._questions[command.id] = now + 2000 + draw // SILENT_IN % (ANSWERS_WITHIN - 2000)


def _camera(random: Random) -> bytes:
    return photograph(2, random)


class FramedHandheld(Handheld):
    """A handheld on a TCP stream: ``receive`` takes bytes in any split, ``to_send`` gives whole frames."""

    def __init__(self, device: str, token: str, bearer: Bearer, now: int, manner: Manner | None = None) -> None:
        super().__init__(device, token, bearer, now, manner)
        self._framer = Framer()

    def connected(self, now: int) -> None:
        self._framer = Framer()
        super().connected(now)

    def receive(self, payload: bytes, now: int) -> list[str]:
        notes: list[str] = []
        for message in self._framer.receive_data(payload):
            notes += super().receive(message, now)
        return notes

    def to_send(self, now: int) -> list[bytes]:
        return [frame(message) for message in super().to_send(now)]
