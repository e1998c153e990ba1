"""Whose fault it is, as types.

A peer can only ever cause a :class:`RemoteProtocolError` (or a refusal, which is a value). Anything else
that leaves a decoder is our bug, and the fuzz tests treat it so.
"""

from __future__ import annotations


class RemoteProtocolError(Exception):
    """The peer sent what its protocol does not allow. ``reason`` is a short stable word used as a counter's name."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class LocalProtocolError(Exception):
    """We called a protocol core in a way that its protocol does not allow: a bug on our side."""
