"""What a device is told of a task: in the fields of the handheld protocol, and as a text for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from dispatch.model import Attempt, AttemptState, Task
from dispatch.rules import Rules

TEXT_LIMIT = 400
"""Characters of a text: it takes two bytes for each, and a terminal takes 1,024; nobody reads more while driving."""


def words(rules: Rules, photo_limit: int) -> dict[str, Any]:
    """How kinds, results and reasons are called."""
    kinds = {
        name: {
            "zh": kind.zh, "en": kind.en, "photos": kind.photos,
            "results": {
                word: {"zh": result.zh, "en": result.en, "photos": kind.photos_of(word), "text": result.text}
                for word, result in kind.results.items()
            },
        }
        for name, kind in rules.kinds.items()
    }  # fmt: skip
    declines = {word: {"zh": named.zh, "en": named.en} for word, named in rules.declines.items()}
    classes = {code: {"zh": named.zh, "en": named.en} for code, named in rules.classes.items()}
    return {"version": rules.version, "kinds": kinds, "declines": declines, "classes": classes,
            "photo_limit": photo_limit}  # fmt: skip


def message(task: Task, attempt: Attempt, what: str, now: int, reason: str = "") -> dict[str, Any]:
    """A task as its holder sees it who is told now (ms)."""
    result = task.result if task.result is not None and task.result.attempt == attempt.number else None
    named = () if result is None else tuple(photo for photo in result.photos if photo not in result.arrived)
    more = 0 if result is None else max(0, result.required - len(result.photos))
    return {
        "task": task.id, "attempt": attempt.number, "what": what, "state": str(attempt.state), "kind": task.kind,
        "klass": task.klass, "lat": task.spot.latitude, "lon": task.spot.longitude, "address": task.address,
        "text": task.text, "due": task.due, "until": until(task, attempt, now), "reason": reason, "photos": list(named),
        "more": more,
    }  # fmt: skip


def until(task: Task, attempt: Attempt, now: int) -> int:
    """When an offer must have its answer (ms), one that is delivered now; 0 if there is none to give."""
    if attempt.state is AttemptState.OFFERED:
        return min(now, attempt.at[attempt.state] + task.times.deliver) + task.times.answer
    return attempt.at[attempt.state] + task.times.answer if attempt.state is AttemptState.DELIVERED else 0


_TEXTS: Mapping[str, str] = {
    "offer": "【{kind}】{place}。{text}请于{due}前处理，收到请接单。",
    "revoke": "【任务撤回】{place}，请勿前往。",
    "return": "【退回重报】{place}：{reason}",
    "amended": "【任务变更】{place}。{text}",
    "remind": "【催办】{place}，请尽快前往。",
    "question": "【询问】{place}，是否已到达？",
    "overdue": "【已超时】{place}，请立即处理。",
}
"""What a crew is told; of all else nothing."""


def text(task: Task, rules: Rules, what: str, reason: str, zone: ZoneInfo) -> str | None:
    """The same for a terminal that shows texts and says them, or ``None``."""
    form = _TEXTS.get(what)
    if form is None:
        return None
    due = datetime.fromtimestamp(task.due / 1000, zone)
    spot = f"{task.spot.latitude / 1e7:.5f},{task.spot.longitude / 1e7:.5f}"
    more = f"{task.text[:150]}。" if task.text else ""
    kind = rules.kinds.get(task.kind)
    told = form.format(
        kind=task.kind if kind is None else kind.zh, place=(task.address or spot)[:150], text=more, due=f"{due:%H:%M}",
        reason=reason[:80],
    )  # fmt: skip
    return told[:TEXT_LIMIT]
