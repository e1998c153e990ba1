"""The patrol vehicle's terminal: what it sees on its round becomes JT/T 808 messages on a TCP stream.

It registers once, authenticates on every connection, tells its position in every interval and answers when it
is asked where it is. The codec, the queue and the backfill are the protocol core's.
"""

from __future__ import annotations

from functools import singledispatchmethod

from protocols.jt808.client import Authenticated, Broken, Located, Registered, Terminal
from simulator.bearer import Bearer, e7

HEARTBEAT = 30_000
"""ms between two signs of life, which the server answers."""
SILENCE = 90_000
"""ms without a word of the server after which the link is given up: three heartbeats without an answer."""

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
        notes = (self._take(event) for event in self._core.receive_data(payload))
        return [note for note in notes if note]

    def to_send(self, now: int) -> list[bytes]:
        return self._core.data_to_send()

    def get_timer(self) -> int | None:
        return min(self._heartbeat_at, self._heard + SILENCE)

    def handle_timer(self, now: int) -> None:
        if now >= self._heard + SILENCE:
            self.closing = True
        elif now >= self._heartbeat_at:
            self._heartbeat_at = now + HEARTBEAT
            if self.served:
                self._core.heartbeat()

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
    def _(self, event: Broken) -> str:
        return f"server broke the protocol: {event.reason}"
