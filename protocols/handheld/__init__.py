"""The handheld protocol: msgpack over TCP or WebSocket, docs/wire/handheld.md.

``framing`` cuts a TCP stream, ``messages`` and ``task_messages`` know the fields, ``conversation`` is the server's
side, ``client`` with its ``outbox`` the device's, and ``events`` with ``task_events`` what both tell their shells. Use
the names re-exported here.
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
from protocols.handheld.task_events import (
    Answer,
    Held,
    KindWords,
    NoticeTold,
    Phrase,
    Problem,
    ResultWords,
    Revoked,
    SosTold,
    Standing,
    TaskTold,
    Words,
)

__all__ = [
    "BATCH_MAX",
    "CLIENT_TABLE",
    "MESSAGE_LIMIT",
    "TABLE",
    "VERSION",
    "Acknowledged",
    "Answer",
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
    "Held",
    "Hello",
    "KindWords",
    "NoticeTold",
    "Phrase",
    "Ping",
    "Pong",
    "Problem",
    "Refused",
    "Rejected",
    "ResultWords",
    "Revoked",
    "SosTold",
    "Standing",
    "State",
    "TaskTold",
    "Welcome",
    "Words",
    "decode",
    "encode",
    "frame",
]
