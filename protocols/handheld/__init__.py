"""The handheld protocol: msgpack over TCP or WebSocket, docs/wire/handheld.md.

``framing`` cuts a TCP stream, ``messages`` knows the fields, ``conversation`` is the server's side, ``client``
with its ``outbox`` the device's, and ``events`` what both tell their shells. Use the names re-exported here.
"""

from __future__ import annotations

from protocols.handheld.client import CLIENT_TABLE, Client, ClientState
from protocols.handheld.conversation import TABLE, Conversation, State
from protocols.handheld.events import (
    Acknowledged,
    Batch,
    Busy,
    Bye,
    ClientEvent,
    Command,
    Done,
    Duty,
    Event,
    Health,
    Hello,
    Ping,
    Pong,
    Refused,
    Rejected,
    Welcome,
)
from protocols.handheld.framing import MESSAGE_LIMIT, Framer, frame
from protocols.handheld.messages import BATCH_MAX, VERSION, decode, encode

__all__ = [
    "BATCH_MAX",
    "CLIENT_TABLE",
    "MESSAGE_LIMIT",
    "TABLE",
    "VERSION",
    "Acknowledged",
    "Batch",
    "Busy",
    "Bye",
    "Client",
    "ClientEvent",
    "ClientState",
    "Command",
    "Conversation",
    "Done",
    "Duty",
    "Event",
    "Framer",
    "Health",
    "Hello",
    "Ping",
    "Pong",
    "Refused",
    "Rejected",
    "State",
    "Welcome",
    "decode",
    "encode",
    "frame",
]
