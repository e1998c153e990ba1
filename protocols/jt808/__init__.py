"""JT/T 808, the protocol of vehicle terminals, in its 2011, 2013 and 2019 forms; modelled on public sources.

Bytes: framing.py, header.py, fragments.py. Meaning: messages.py, positions.py, items.py, bcd.py. The conversation:
states.py (the table), events.py, session.py (our side) and client.py (the terminal's, for simulator and tests).
Wire and choices for readers outside: docs/wire/jt808.md.
"""

from __future__ import annotations

from protocols.jt808.client import Terminal
from protocols.jt808.events import (
    Answer,
    Authentication,
    Event,
    Heartbeat,
    Logout,
    Positions,
    Refused,
    Registration,
    TimeRequest,
)
from protocols.jt808.messages import MessageId, RegistrationResult, Result
from protocols.jt808.positions import Position
from protocols.jt808.session import Connection

__all__ = [
    "Answer",
    "Authentication",
    "Connection",
    "Event",
    "Heartbeat",
    "Logout",
    "MessageId",
    "Position",
    "Positions",
    "Refused",
    "Registration",
    "RegistrationResult",
    "Result",
    "Terminal",
    "TimeRequest",
]
