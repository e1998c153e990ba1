"""What was accepted, refused and kept aside, and why, per protocol. Counted since the start."""

from __future__ import annotations

from collections import defaultdict

REASONS_LIMIT = 64
"""Different reasons kept per protocol: they are words of ours, so this is never reached but by a mistake."""


class Counters:
    """Plain numbers; incremented where things happen, read by the API and the metrics."""

    def __init__(self) -> None:
        self.accepted: defaultdict[str, int] = defaultdict(int)
        self.messages: defaultdict[str, int] = defaultdict(int)
        self.connections: defaultdict[str, int] = defaultdict(int)
        self.refused: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))

    def refuse(self, protocol: str, reason: str, number: int = 1) -> None:
        """Count ``number`` refusals for a reason."""
        reasons = self.refused[protocol]
        if reason not in reasons and len(reasons) >= REASONS_LIMIT:
            reason = "other"
        reasons[reason] += number

    def view(self) -> dict[str, dict[str, object]]:
        """All of them, by protocol."""
        protocols = sorted({*self.accepted, *self.messages, *self.connections, *self.refused})
        return {
            protocol: {
                "messages": self.messages[protocol],
                "accepted": self.accepted[protocol],
                "refused": dict(sorted(self.refused[protocol].items())),
                "connections": self.connections[protocol],
            }
            for protocol in protocols
        }
