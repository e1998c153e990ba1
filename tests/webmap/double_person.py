"""The stand-in's exports and removals: each takes a few questions, so that a page can be seen to wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

STEPS = ("stored", "live", "archive", "archive", "files")
DAY = 86_400_000


class Persons:
    """``gone`` takes a unit off the map."""

    def __init__(self, gone: Callable[[str], None]) -> None:
        self._gone = gone
        self.exports: dict[str, int] = {}
        self.removals: dict[str, int] = {}
        self.asked: list[Any] = []
        self.fails = ""

    def answer(self, method: str, unit: str, parts: list[str], body: Any, now: int) -> tuple[int, Any]:
        if parts == ["export", "file"]:
            return 200, b"PK"
        if parts[0] == "export":
            return self._export(method, unit, now)
        return self._removal(method, unit, body, now)

    def _export(self, method: str, unit: str, now: int) -> tuple[int, Any]:
        if method == "POST":
            if self.fails:
                return 507, {"error": {"code": "disk_low", "text": self.fails, "zh": "磁盘空间不足，暂不能导出"}}
            self.exports[unit] = 0
        turns = self.exports.get(unit)
        if turns is None:
            return 200, {"state": "none", "progress": {}, "problem": None, "file": None}
        self.exports[unit] += method == "GET"
        if turns < 3:
            progress = {"day": f"2026-11-2{turns}", "done": turns + 1, "of": 3} if turns else {}
            state = "running" if turns else "waiting"
            return 202 if method == "POST" else 200, {
                "state": state,
                "progress": progress,
                "problem": None,
                "file": None,
            }
        file = {"made": now - 60_000, "expires": now + 7 * DAY, "bytes": 4_213_000}
        return 200, {"state": "ready", "progress": {}, "problem": None, "file": file}

    def _removal(self, method: str, unit: str, body: Any, now: int) -> tuple[int, Any]:
        if method == "POST":
            self.asked.append(body)
            if "named" in body["reason"]:
                return 422, {"error": {"code": "named", "text": "the reason is kept", "zh": "删除原因会保留"}}
            self.removals[unit] = 0
            self._gone(unit)
        turns = self.removals.get(unit)
        if turns is None:
            return 200, {"state": "none", "holds": {"devices": 1, "photos": 12, "exports": 1}}
        self.removals[unit] += method == "GET"
        done = turns >= len(STEPS)
        return 202 if method == "POST" else 200, {
            "state": "done" if done else "running", "ticket": "5f0c2a91d3b74e68", "reason": body and body["reason"],
            "asked": now - 5000, "done": now if done else None, "step": "done" if done else STEPS[turns],
            "day": "2026-11-21" if turns == 3 else None, "counts": {"records": 17_280}, "problem": None,
            "backups_before": now if done else None,
        }  # fmt: skip
