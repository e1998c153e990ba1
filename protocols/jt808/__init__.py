"""JT/T 808, the protocol of vehicle terminals, in its 2011, 2013 and 2019 forms; modelled on public sources.

Bytes: framing.py, header.py, fragments.py (in) and outbox.py (out). Meaning: messages.py, positions.py, items.py,
bcd.py, media.py; what a platform asks: downlinks.py, areas.py, parameters.py. The conversation: states.py (the table),
events.py, readers.py (bodies into events), session.py (our side); the terminal's, for simulator and tests, is in
client.py, client_events.py and duties.py.
Wire and choices for readers outside: docs/wire/jt808.md.
"""

from __future__ import annotations

from protocols.jt808.areas import Box, Circle, Mode, Period, Polygon, Rules, Shape
from protocols.jt808.client import Terminal
from protocols.jt808.downlinks import (
    DeleteAreas,
    Downlink,
    Follow,
    Locate,
    Photo,
    QueryParameters,
    SetCircles,
    SetParameters,
    SetPolygon,
    SetRectangles,
    Text,
)
from protocols.jt808.events import (
    Answer,
    Authentication,
    Event,
    Heartbeat,
    Logout,
    Media,
    ParametersAnswer,
    PhotoTaken,
    Positions,
    Refused,
    Registration,
    TimeRequest,
)
from protocols.jt808.fragments import Budget
from protocols.jt808.messages import MessageId, RegistrationResult, Result
from protocols.jt808.parameters import PARAMETERS, Forbidden
from protocols.jt808.positions import Position
from protocols.jt808.session import Connection

__all__ = [
    "PARAMETERS",
    "Answer",
    "Authentication",
    "Box",
    "Budget",
    "Circle",
    "Connection",
    "DeleteAreas",
    "Downlink",
    "Event",
    "Follow",
    "Forbidden",
    "Heartbeat",
    "Locate",
    "Logout",
    "Media",
    "MessageId",
    "Mode",
    "ParametersAnswer",
    "Period",
    "Photo",
    "PhotoTaken",
    "Polygon",
    "Position",
    "Positions",
    "QueryParameters",
    "Refused",
    "Registration",
    "RegistrationResult",
    "Result",
    "Rules",
    "SetCircles",
    "SetParameters",
    "SetPolygon",
    "SetRectangles",
    "Shape",
    "Terminal",
    "Text",
    "TimeRequest",
]
