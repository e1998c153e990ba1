"""The handheld protocol: msgpack over TCP or WebSocket, docs/wire/handheld.md.

``framing`` cuts a TCP stream, ``messages`` knows the fields, ``conversation`` is the server's side and
``client`` the device's. Use the names re-exported here.
"""

from __future__ import annotations

from protocols.handheld.conversation import (
    TABLE,
    Batch,
    Bye,
    Conversation,
    Done,
    Event,
    Health,
    Hello,
    Ping,
    Refused,
    State,
)
from protocols.handheld.framing import MESSAGE_LIMIT, Framer, frame
from protocols.handheld.messages import BATCH_MAX, VERSION, decode, encode

__all__ = [
    "BATCH_MAX",
    "MESSAGE_LIMIT",
    "TABLE",
    "VERSION",
    "Batch",
    "Bye",
    "Conversation",
    "Done",
    "Event",
    "Framer",
    "Health",
    "Hello",
    "Ping",
    "Refused",
    "State",
    "decode",
    "encode",
    "frame",
]
