"""What the page of storage shows: history by class, the disk, the jobs of the archive, and its days. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from storage.archive.budgets import ALARM, LADDER, Limit, Rung, Usage, Way, alarming, rate, to_shed
from storage.archive.chain import Chain
from storage.archive.daybook import DayOfClass, Sealed
from storage.archive.head_sender import HeadSender
from storage.archive.layout import CLASSES, FIXES, shifted
from storage.space import Space
from tracker.archivist import Archivist
from tracker.steward import Steward, Stock


def overview(
    stock: Stock,
    steward: Steward,
    space: Space,
    archivist: Archivist,
    chains: Mapping[str, Chain],
    heads: HeadSender,
    embedded: bool,
    now: int,
) -> dict[str, Any]:
    """Everything but the days."""
    journal = stock.measured.journal
    return {
        "measured": stock.at,
        "today": stock.today,
        "disk": {
            "free_bytes": space.free, "total_bytes": stock.measured.total, "level": space.level.name.lower(),
            "low_bytes": space.low, "reserve_bytes": space.reserve, "reserve_held": space.held,
            "exhausted": steward.exhausted, **_when(stock.disk_full_in, stock.today),
        },
        "classes": [_class_view(kind, stock, steward.limits[kind]) for kind in CLASSES],
        "journal": {"bytes": sum(journal.values()), "days": len(journal), "oldest": min(journal, default=None)},
        "live": {"embedded": embedded, "bytes": stock.measured.live, "rewrites": steward.rewrites},
        "ladder": [
            {
                "at": rung.at.name.lower(), "way": rung.way.value, "what": list(rung.what), "spare_days": rung.spare,
                "now": _stands_on(rung, stock, space, steward),
            }
            for rung in LADDER
        ],
        "jobs": jobs(archivist),
        "chains": [_chain_view(kind, chains[kind]) for kind in CLASSES],
        "heads": {
            "configured": heads.configured, "delivered": heads.delivered() or None,
            "late": [
                {"way": one.way, "since": one.since, "waiting": one.waiting, "reason": one.reason}
                for one in heads.troubles(now)
            ],
        },
    }  # fmt: skip


def jobs(archivist: Archivist) -> dict[str, Any]:
    """What the archivist does, did and will do."""
    task = archivist.running
    return {
        "running": None if task is None else {"job": task.job, "since": task.began, "progress": task.progress},
        "next_seal": archivist.next_seal,
        "last": [
            {"job": job, "ended": one.at, "took_ms": one.took, "failure": one.failure}
            for job, one in archivist.outcomes.items()
        ],
    }


def _class_view(kind: str, stock: Stock, limit: Limit) -> dict[str, Any]:
    usage: Usage = stock.measured.classes[kind]
    days = sorted({*usage.closed, *usage.open})
    deleted = {reason: count for (of, reason), count in sorted(stock.daybook.deleted.items()) if of == kind}
    return {
        "class": kind, "used_bytes": usage.used, "open_bytes": sum(usage.open.values()),
        "days": len(days), "oldest": days[0] if days else None, "newest": days[-1] if days else None,
        "per_day_bytes": rate(usage, stock.today), "keep_days": limit.keep,
        "budget_bytes": limit.budget or None, "alarm_bytes": int(limit.budget * ALARM) or None,
        "alarm": alarming(usage, limit), **_when(stock.full_in.get(kind), stock.today), "deleted": deleted,
    }  # fmt: skip


def _when(days: int | None, today: str) -> dict[str, Any]:
    return {"full_in_days": days, "full_on": None if days is None else shifted(today, days)}


def _stands_on(rung: Rung, stock: Stock, space: Space, steward: Steward) -> bool:
    """Whether a rung is used now: of those that delete history, the first that has any to give."""
    if space.level < rung.at:
        return False
    if rung.way is Way.GIVE:
        return not space.held
    if rung.way is Way.SHED:
        first = next(to_shed(stock.measured.classes, stock.today), None)
        return first is not None and first.kind in rung.what
    return rung.way is Way.REFUSE or not steward.exhausted


def _chain_view(kind: str, chain: Chain) -> dict[str, Any]:
    number, digest = chain.head
    return {"class": kind, "number": number, "digest": digest if number else None, "broken": len(chain.broken)}


def days(stock: Stock, before: str | None, limit: int) -> tuple[list[dict[str, Any]], str | None]:
    """City days, newest first, from the one before ``before`` on; and what to ask with next, if there are more."""
    classes = stock.measured.classes
    named = {*stock.daybook.named(), *(day for usage in classes.values() for day in (*usage.closed, *usage.open))}
    found = sorted((day for day in named if before is None or day < before), reverse=True)
    shown = found[:limit]
    return [_day_view(day, stock) for day in shown], shown[-1] if len(found) > limit else None


def _day_view(day: str, stock: Stock) -> dict[str, Any]:
    known = stock.daybook.of(day)
    parts = []
    for kind in CLASSES:
        usage = stock.measured.classes[kind]
        found = known.get(kind)
        open_bytes = usage.open.get(day, 0)
        if found is not None or open_bytes:
            parts.append(_part_view(kind, found or DayOfClass(), open_bytes))
    states = {part["class"]: part["state"] for part in parts}
    # A day is what its fixes are: photos and snapshots follow days of their own.
    state = states.get(FIXES) or next((one for one in ("closed", "open", "deleted") if one in states.values()), "open")
    return {"day": day, "state": state, "bytes": sum(part["bytes"] for part in parts), "classes": parts}


def _part_view(kind: str, day: DayOfClass, open_bytes: int) -> dict[str, Any]:
    sealed: Sequence[Sealed] = [*([day.closed] if day.closed else []), *day.supplements]
    state = "closed" if sealed else "deleted" if day.gone else "open"
    return {
        "class": kind, "state": state, "bytes": sum(one.bytes for one in sealed) + open_bytes,
        "rows": sum(one.rows for one in sealed), "open_bytes": open_bytes,
        "closed": _sealed_view(day.closed) if day.closed else None,
        "supplements": [_sealed_view(one) for one in day.supplements],
        "deleted": {"reason": day.gone.reason, "at": day.gone.made} if day.gone else None,
        "removals": day.removals,
    }  # fmt: skip


def _sealed_view(one: Sealed) -> dict[str, Any]:
    return {"number": one.number, "digest": one.digest, "at": one.made, "bytes": one.bytes, "rows": one.rows}
