"""The patrol vehicle's terminal: what it sees on its round becomes JT/T 808 messages on a TCP stream.

It registers once, authenticates on every connection and tells its position in every interval, more often while it is
followed. It does what it is asked: texts are shown, settings are kept, the camera takes photos. The codec, the queue,
the backfill and the answers are the protocol core's.
"""

from __future__ import annotations

from functools import singledispatchmethod
from random import Random

from protocols.jt808.client import Authenticated, Broken, Located, MediaTaken, PhotoAsked, Registered, Resent, Terminal
from protocols.jt808.duties import AreasChanged, Followed, ParametersSet, ParametersTold, Told
from simulator.bearer import Bearer, e7
from simulator.camera import photograph

HEARTBEAT = 30_000
"""ms between two signs of life, which the server answers."""
SILENCE = 90_000
"""ms without a word of the server after which the link is given up: three heartbeats without an answer."""
PHOTOS_LIMIT = 4
"""Photos for one order: the demo's camera is not for series of hundreds."""

_IGNITION = 0x1
_GPS_AND_BEIDOU = 0xC0000


class VehicleTerminal:
    """The terminal in one vehicle. ``token`` is that of an earlier registration, or None to register first."""

    def __init__(self, phone: str, token: str | None, plate: str, bearer: Bearer) -> None:
        self.name = phone
        self.served = False
        self.closing = False
        self._plate = plate
        self._bearer = bearer
        self._core = Terminal(phone, version=2019, token=token or "", imei="860000000000001", software="GB-SIM 1.0")
        self._heartbeat_at = 0
        self._heard = 0
        self._follow_at: int | None = None  # the next position while it is followed
        self._mileage = 0.0
        self._last: int | None = None

    @property
    def reachable(self) -> bool:
        return self._bearer.reachable

    @property
    def waiting(self) -> int:
        """Positions that the server has not acknowledged."""
        return self._core.unacknowledged

    def tick(self, now: int) -> None:
        """One interval has passed: tell where the vehicle is."""
        sighting = self._bearer.sense(now)
        if sighting is None:
            return
        if self._last is not None:
            self._mileage += sighting.speed * max(0, now - self._last) / 1000
        self._last = now
        items: dict[str, object] = {"mileage_m": round(self._mileage), "signal": 27, "satellites": 17}
        self._core.position(
            self._bearer.time(now),
            e7(sighting.latitude),
            e7(sighting.longitude),
            altitude=sighting.altitude,
            speed=round(sighting.speed * 100),
            course=sighting.course,
            status=_IGNITION | _GPS_AND_BEIDOU,
            items=items,
        )

    def connected(self, now: int) -> None:
        self.served = self.closing = False
        self._heard = now
        self._heartbeat_at = now + HEARTBEAT
        self._core.connect()
        if self._core.token:
            self._core.authenticate()
        else:
            self._core.register(
                province=34, city=9921, maker="GRIDB", model="SIM-1", terminal="XQ01", colour=2, plate=self._plate
            )

    def disconnected(self) -> None:
        self.served = False
        # Nothing is authenticated on a link that is gone: positions wait from here on.
        self._core.connect()

    def receive(self, payload: bytes, now: int) -> list[str]:
        """Takes bytes of the server in any split; returns what is worth a line in the log."""
        self._heard = now
        notes = (self._take(event) for event in self._core.receive_data(payload, now))
        return [note for note in notes if note]

    def to_send(self, now: int) -> list[bytes]:
        return self._core.data_to_send()

    def get_timer(self) -> int | None:
        due = min(self._heartbeat_at, self._heard + SILENCE)
        return due if self._follow_at is None else min(due, self._follow_at)

    def handle_timer(self, now: int) -> None:
        if now >= self._heard + SILENCE:
            self.closing = True
            return
        if now >= self._heartbeat_at:
            self._heartbeat_at = now + HEARTBEAT
            if self.served:
                self._core.heartbeat()
        if self._follow_at is not None and now >= self._follow_at:
            if self._core.duties.followed(now):
                self._follow_at = now + 1000 * self._core.duties.interval(now)
                self.tick(now)
            else:
                self._follow_at = None

    @singledispatchmethod
    def _take(self, event: object) -> str:
        return ""

    @_take.register
    def _(self, event: Registered) -> str:
        if event.result:
            self.closing = True
            return f"registration refused: {event.result}"
        self._core.authenticate()
        return "registered"

    @_take.register
    def _(self, event: Authenticated) -> str:
        if event.result:
            # The server knows another token, or none: the next link begins with a registration.
            self._core.token = ""
            self.closing = True
            return f"authentication refused: {event.result}"
        self.served = True
        return "welcomed"

    @_take.register
    def _(self, event: Located) -> str:
        return "command: locate"

    @_take.register
    def _(self, event: Told) -> str:
        ways = [word for word, on in (("shown", event.display), ("spoken", event.speak)) if on]
        return f"command: text, {len(event.text)} characters, {' and '.join(ways) or 'kept'}"

    @_take.register
    def _(self, event: Followed) -> str:
        self._follow_at = self._heard + 1000 * event.interval if event.interval else None
        return f"command: a position every {event.interval} s for {event.duration} s"

    @_take.register
    def _(self, event: PhotoAsked) -> str:
        count = min(event.photo.count, PHOTOS_LIMIT)
        random = Random(f"{self.name} {self._heard}")
        self._core.photos(event, [photograph(event.photo.resolution, random) for _ in range(count)])
        return f"command: {count} photos"

    @_take.register
    def _(self, event: ParametersSet) -> str:
        return f"command: {len(event.ids)} parameters set"

    @_take.register
    def _(self, event: ParametersTold) -> str:
        return f"command: {event.count} parameters told"

    @_take.register
    def _(self, event: AreasChanged) -> str:
        return f"command: {event.count} areas of shape {event.shape.name.lower()}"

    @_take.register
    def _(self, event: Resent) -> str:
        return f"{event.count} fragments sent again"

    @_take.register
    def _(self, event: MediaTaken) -> str:
        return f"photo {event.media_id} is safe"

    @_take.register
    def _(self, event: Broken) -> str:
        return f"server broke the protocol: {event.reason}"
