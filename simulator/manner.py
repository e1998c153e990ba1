"""How people answer when a task comes, and how bad the network is: all that a plan may say of either."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import Literal

Will = Literal["accept", "decline", "silent"]
Fate = Literal["arrives", "lost", "unconfirmed"]


@dataclass(frozen=True, slots=True)
class Manner:
    """Shares of all offers, and seconds. Who neither accepts nor declines does not answer at all."""

    accept: float = 0.92
    decline: float = 0.04
    answer_s: float = 21.0
    """Median of a log-normal draw: until the person has taken the device out and pressed a button."""
    answer_spread: float = 0.5
    """Standard deviation of its logarithm: of a hundred people one needs more than a minute."""
    scene_s: float = 60.0
    """On the scene at least; and up to three times as long."""
    speed: float = 3.3
    """m/s of the way to a task, on an e-bike."""

    def will(self, random: Random) -> Will:
        """What somebody does about an offer."""
        draw = random.random()
        return "accept" if draw < self.accept else "decline" if draw < self.accept + self.decline else "silent"

    def answers_in(self, random: Random) -> int:
        """ms until then; a second at least."""
        return max(1000, round(1000 * random.lognormvariate(math.log(self.answer_s), self.answer_spread)))

    def stays(self, random: Random) -> int:
        """ms on the scene."""
        return round(1000 * self.scene_s * random.uniform(1, 3))


@dataclass(frozen=True, slots=True)
class Network:
    """What happens between devices and server. On a stream nothing is lost by itself, and nothing comes twice: what
    is lost takes its link with it, and what arrives while its confirmation is lost is sent again over the next.

    ``loss`` and ``duplicates``: shares of all sendings. ``offline``: share of the devices without a network at some
    time of every ten minutes, for up to ``offline_s``."""

    loss: float = 0.0
    duplicates: float = 0.0
    offline: float = 0.0
    offline_s: float = 600.0

    @property
    def good(self) -> bool:
        """Whether nothing goes wrong between a device that has a network and the server."""
        return not (self.loss or self.duplicates)

    def fate(self, random: Random) -> Fate:
        """What becomes of one sending: after both of the others the link is of no use any more."""
        draw = random.random()
        return "lost" if draw < self.loss else "unconfirmed" if draw < self.loss + self.duplicates else "arrives"


BOUNDS: dict[str, tuple[float, float]] = {
    "accept": (0, 1), "decline": (0, 1), "answer_s": (0.1, 3600), "answer_spread": (0, 3), "scene_s": (0, 36_000),
    "speed": (0.1, 40), "loss": (0, 0.9), "duplicates": (0, 0.9), "offline": (0, 1), "offline_s": (1, 1800),
}  # fmt: skip
"""Least and most of each of them."""
