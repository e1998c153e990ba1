"""The state machine of a terminal's conversation: one table, from which the diagram in docs/wire/jt808.md is made.

A terminal registers once in its life (0x0100, answered with a token), authenticates on every connection (0x0102
with that token), and only then says where it is. Wrong authentication ends the connection: the answer is
still written. A logout (0x0003) gives up the registration, so what follows has to be authenticated anew. The time
(0x0004) is told to anybody: a terminal may need it before its first position.

What is not in the table is refused: from the terminal with a :class:`~protocols.jt808.events.Refused` event.
Authentications are judged outside and take their time, so decisions may still come when the connection is closing.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class State(IntEnum):
    """Where the conversation stands."""

    CONNECTED = 0
    AUTHENTICATED = 1
    CLOSING = 2


class Input(IntEnum):
    """What can happen: messages of the terminal, and our two decisions on an authentication."""

    REGISTRATION = 0
    AUTHENTICATION = 1
    POSITIONS = 2
    HEARTBEAT = 3
    LOGOUT = 4
    TIME_REQUEST = 5
    ANSWER = 6
    PARAMETERS = 7
    PHOTO_TAKEN = 8
    MEDIA = 9
    RESEND = 10
    ACCEPTED = 11
    REJECTED = 12


TABLE: Final[dict[State, dict[Input, State]]] = {
    State.CONNECTED: {
        Input.REGISTRATION: State.CONNECTED,
        Input.AUTHENTICATION: State.CONNECTED,
        Input.TIME_REQUEST: State.CONNECTED,
        Input.ACCEPTED: State.AUTHENTICATED,
        Input.REJECTED: State.CLOSING,
    },
    State.AUTHENTICATED: {
        Input.REGISTRATION: State.AUTHENTICATED,
        Input.AUTHENTICATION: State.AUTHENTICATED,
        Input.POSITIONS: State.AUTHENTICATED,
        Input.HEARTBEAT: State.AUTHENTICATED,
        Input.LOGOUT: State.CONNECTED,
        Input.TIME_REQUEST: State.AUTHENTICATED,
        Input.ANSWER: State.AUTHENTICATED,
        Input.PARAMETERS: State.AUTHENTICATED,
        Input.PHOTO_TAKEN: State.AUTHENTICATED,
        Input.MEDIA: State.AUTHENTICATED,
        Input.RESEND: State.AUTHENTICATED,
        Input.ACCEPTED: State.AUTHENTICATED,
        Input.REJECTED: State.CLOSING,
    },
    State.CLOSING: {
        Input.ACCEPTED: State.CLOSING,
        Input.REJECTED: State.CLOSING,
    },
}


def diagram() -> str:
    """The table as a Mermaid diagram, one line for each arrow; inputs that change nothing share a line."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.CONNECTED.name.lower()}"]
    for state, row in TABLE.items():
        for target in State:
            inputs = [entry.name.lower() for entry, following in row.items() if following is target]
            if inputs:
                lines.append(f"    {state.name.lower()} --> {target.name.lower()}: {', '.join(inputs)}")
    lines.append(f"    {State.CLOSING.name.lower()} --> [*]")
    return "\n".join(lines)
