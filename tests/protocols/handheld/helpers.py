"""What the handheld tests share: a moment, a hello, a welcomed conversation."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings

from protocols.handheld import Conversation, decode, encode

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For fuzz tests: a slow machine is no failure."""

NOW = 1_700_000_000_000
POSITION = [NOW, 311774276, 1215272106, 50, 120, 90, 4, 0, 0]
HELLO: dict[str, Any] = {
    "t": "hello", "v": 1, "device": "H-7", "token": "secret", "app": "1.2.3", "crs": "wgs84", "now": NOW,
}  # fmt: skip


def fix(seq: int, *positions: object, **fields: object) -> dict[str, Any]:
    return {"t": "fix", "seq": seq, "now": NOW, "live": True, "p": list(positions) or [POSITION], **fields}


def welcomed(**settings: Any) -> Conversation:
    conversation = Conversation(**settings)
    conversation.receive_message(encode(HELLO))
    conversation.welcome(NOW, "王芳")
    conversation.messages_to_send()
    return conversation


def sent(conversation: Conversation) -> list[dict[str, Any]]:
    return [decode(payload) for payload in conversation.messages_to_send()]
