"""Codes with which somebody gets any phone for a unit: six digits to type, or a link to scan, valid once.

Numbers. A link holds 128 random bits: nobody guesses it, so wrong ones are only counted. Six digits are a million, and
each wrong guess tries all codes that are open at the moment; so a code's digits die after :data:`WRONG_LIMIT` wrong
tries in all, from wherever, since it was made: whoever guesses finds one code with at most 20 in a million, and any of
:data:`OPEN_LIMIT` with 20 × 64 in a million, one time in 800. One address has :data:`TRIES` at once, and one more every
two minutes, so that a single phone cannot end everybody's digits; from many addresses that can be done, and then links
go on working: that is why the seat shows both and says when the digits have died.

In memory only: after a restart a seat makes another code.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass

from storage.networks import counted_as
from tracker.model import DeviceId, UnitId
from tracker.phone_limits import Rates
from tracker.refusal import Refusal

VALID_MS = 600_000
"""A code is typed within minutes at the seat, or a new one is made."""
WRONG_LIMIT = 20
OPEN_LIMIT = 64
"""Codes that are open at once, also what the arithmetic above rests on."""
TRIES = 6
TRIES_RATE = 1 / 120
KEPT = 1000
"""Codes whose end a seat can still ask for."""


@dataclass(slots=True, eq=False)
class Offer:
    """A code. ``by``: the account that made it. ``app``: the protocol that the phone is to speak. ``wrong``: tries of
    digits since it was made that were nobody's. ``state``: open, taken (being written), used, expired or withdrawn."""

    id: str
    unit: UnitId
    app: str
    shift: bool
    by: str
    digits: str
    secret: str
    made: int
    wrong: int = 0
    state: str = "open"
    device: DeviceId | None = None

    @property
    def expires(self) -> int:
        """ms since 1970."""
        return self.made + VALID_MS

    @property
    def typable(self) -> bool:
        """Whether the digits still open it."""
        return self.state == "open" and self.wrong < WRONG_LIMIT


class Enrolments:
    """``new_digits`` and ``new_secret`` make what nobody can foresee."""

    def __init__(self, new_digits: Callable[[], str], new_secret: Callable[[], str]) -> None:
        self._new_digits = new_digits
        self._new_secret = new_secret
        self._offers: dict[str, Offer] = {}
        self._tries = Rates(TRIES_RATE, TRIES)

    def offer(self, unit: UnitId, app: str, by: str, now: int, *, shift: bool) -> Offer:
        """A new code for a unit, in place of one that is open. Raises :class:`~tracker.refusal.Refusal`."""
        self._expire(now)
        for other in self._open():
            if other.unit == unit:
                other.state = "withdrawn"
        if len(self._open()) >= OPEN_LIMIT:
            text = f"{OPEN_LIMIT} codes are open: wait until some are used"
            raise Refusal("too_many_codes", text, f"已有 {OPEN_LIMIT} 个绑定码未使用，请稍候")
        taken = {other.digits for other in self._open()}
        digits = next(made for made in iter(self._new_digits, None) if made not in taken)
        secret = self._new_secret()
        made = Offer(self._new_secret(), unit, app, shift, by, digits, secret, now)
        self._offers[made.id] = made
        while len(self._offers) > KEPT:
            del self._offers[next(iter(self._offers))]
        return made

    def get(self, id: str, now: int) -> Offer | None:
        """A code, as it stands now."""
        self._expire(now)
        return self._offers.get(id)

    def withdraw(self, offer: Offer) -> None:
        """Nobody is to use it."""
        if offer.state == "open":
            offer.state = "withdrawn"

    def take_secret(self, secret: str, now: int) -> Offer:
        """The code behind a link, from now on taken. Raises :class:`~tracker.refusal.Refusal`."""
        self._expire(now)
        told = secret.encode("utf-8", "surrogatepass")
        for offer in self._open():
            if hmac.compare_digest(offer.secret.encode(), told):
                offer.state = "taken"
                return offer
        raise void()

    def take_digits(self, digits: str, address: str, now: int) -> Offer:
        """The code of these digits, from now on taken. Raises :class:`~tracker.refusal.Refusal`."""
        self._expire(now)
        source = counted_as(address)
        if not self._tries.allows(source, 1, now):
            text = "too many wrong codes from here: wait two minutes, or scan the QR code"
            raise Refusal("too_many_tries", text, "错误次数过多，请两分钟后再试，或改扫二维码")
        found = next((offer for offer in self._open() if offer.typable and offer.digits == digits), None)
        if found is None:
            for offer in self._open():
                offer.wrong += 1
            text = "no such code, or it is used or has expired: ask for a new one, or scan the QR code"
            raise Refusal("bad_code", text, "绑定码不正确、已使用或已过期，请重新获取或改扫二维码")
        self._tries.allows(source, -1, now)  # sixty phones of one office are no guessing
        found.state = "taken"
        return found

    def used(self, offer: Offer, device: DeviceId) -> None:
        """The phone is the unit's: that is on disk."""
        offer.state, offer.device = "used", device

    def failed(self, offer: Offer) -> None:
        """It could not be written: the code is good for another try."""
        offer.state = "open"

    def _open(self) -> list[Offer]:
        return [offer for offer in self._offers.values() if offer.state == "open"]

    def _expire(self, now: int) -> None:
        for offer in self._open():
            if not offer.made <= now < offer.expires:
                offer.state = "expired"


def void() -> Refusal:
    """A code that opens nothing any more."""
    return Refusal(
        "bad_code", "this code is used or has expired: ask for a new one", "绑定码已使用或已过期，请重新获取"
    )
