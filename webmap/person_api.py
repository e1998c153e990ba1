"""A person's data, or a vehicle's: a copy of all of it, and its removal for good."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from twisted.protocols.basic import FileSender

from tracker.exporting import NoRoom
from tracker.model import UnitId
from tracker.removals import Removal
from webmap.access import address_of, reason_of
from webmap.reach import reached
from webmap.rights import Action
from webmap.routes import ApiError, Route, answer, body_of, missing, who_of
from webmap.services import Services

REASON_LIMIT = 500
"""Characters of a reason."""


def add_persons(route: Route, services: Services) -> None:
    """Put the routes on the console's app."""
    roster = services.intake.roster

    @route("POST", "/api/v1/units/<string:unit>/export", Action.EXPORT)
    async def export(request: Any, unit: str) -> bytes:
        identity, who = reached(services, request, Action.EXPORT, unit), who_of(request)
        reason = reason_of(request, who, identity, body_of(request))
        await services.access.record(who, "export", [identity], reason, address_of(request))
        try:
            await services.exports.ask(identity)
        except NoRoom:
            text = "the disk is filling up: exports must wait until there is room"
            raise ApiError(507, "disk_low", text, "磁盘空间不足，暂不能导出") from None
        return answer(request, await export_view(services, identity), 202)

    @route("GET", "/api/v1/units/<string:unit>/export", Action.EXPORT)
    async def export_state(request: Any, unit: str) -> bytes:
        return answer(request, await export_view(services, reached(services, request, Action.EXPORT, unit)))

    @route("GET", "/api/v1/units/<string:unit>/export/file", Action.EXPORT)
    async def export_file(request: Any, unit: str) -> bytes:
        identity, who = reached(services, request, Action.EXPORT, unit), who_of(request)
        reason = reason_of(request, who, identity)
        found = await services.exports.open(identity)
        if found is None:
            raise missing("export; ask for one first", "导出文件，请先导出")
        export, file = found
        with file:
            await services.access.record(who, "export_file", [identity], reason, address_of(request))
            request.setHeader("content-type", "application/zip")
            request.setHeader("content-length", str(export.bytes))
            request.setHeader("content-disposition", f"attachment; filename*=UTF-8''{quote(unit, safe='')}.zip")
            request.setHeader("cache-control", "no-store")
            request.setHeader("x-content-type-options", "nosniff")
            # A part at a time, as fast as it is read at the other end; who goes away in the middle wants no more.
            sent = FileSender().beginFileTransfer(file, request)
            await sent.addErrback(lambda failure: request.unregisterProducer())
        return b""

    @route("GET", "/api/v1/units/<string:unit>/removal", Action.REMOVE)
    def removal(request: Any, unit: str) -> bytes:
        found = services.removals.of(unit)
        # Of one who is gone only the id is known: those whose reach has no borders may ask on.
        if unit in roster.units or found is None or not who_of(request).scope(Action.REMOVE).everything:
            return answer(request, nothing_yet(services, reached(services, request, Action.REMOVE, unit)))
        return answer(request, removal_view(services, found))

    @route("POST", "/api/v1/units/<string:unit>/removal", Action.REMOVE)
    async def remove(request: Any, unit: str) -> bytes:
        identity, given = reached(services, request, Action.REMOVE, unit), body_of(request)
        confirm, reason = (given.get(key) for key in ("confirm", "reason")) if isinstance(given, dict) else (None, None)
        if confirm != identity:
            text = "nothing was removed: confirm must be the unit's id"
            raise ApiError(422, "not_confirmed", text, "未删除任何数据：confirm 须为该人员或车辆的编号")
        if not isinstance(reason, str) or not 0 < len(reason.strip()) <= REASON_LIMIT:
            text = f"nothing was removed: say why in reason, in up to {REASON_LIMIT} characters"
            raise ApiError(422, "no_reason", text, f"未删除任何数据：请在 reason 中写明原因，最多 {REASON_LIMIT} 字")
        asked = await services.removals.ask(identity, reason.strip())
        # Whose data it was is nowhere any more; the reason has been looked through for that.
        services.access.looked(who_of(request), "removal", "", asked.reason, address_of(request), ticket=asked.ticket)
        return answer(request, removal_view(services, asked), 202)


async def export_view(services: Services, unit: UnitId) -> dict[str, Any]:
    """The newest export of a unit, or the one that is being made."""
    making, newest = services.exports.making(unit), await services.exports.newest(unit)
    if making is not None and making.done and not making.problem:
        making, newest = None, await services.exports.newest(unit)  # it was finished while we looked
    state = "none" if newest is None else "ready"
    if making is not None:
        state = "failed" if making.done else "running" if making.progress else "waiting"
    progress = {} if making is None else {key: making.progress.get(key) for key in ("day", "done", "of")}
    file = None if newest is None else {"made": newest.made, "expires": newest.expires, "bytes": newest.bytes}
    return {"state": state, "progress": progress, "problem": (making and making.problem) or None, "file": file}


def nothing_yet(services: Services, unit: UnitId) -> dict[str, Any]:
    """What a removal would take, of a unit for which none was asked."""
    holds = services.removals.holdings(unit)
    sent = sum(one.unit == unit for one in services.evidence.exhibits.all())
    return {
        "state": "none", "holds": {"devices": holds.devices, "photos": holds.photos + sent, "exports": holds.exports},
    }  # fmt: skip


def removal_view(services: Services, removal: Removal) -> dict[str, Any]:
    """A removal as it is answered; it names nobody."""
    running = services.archivist.running
    progress = running.progress if running is not None and running.job == "remove_person" else {}
    state = "done" if removal.done is not None else "running" if removal.unit else "lost"
    return {
        "state": state, "ticket": removal.ticket, "reason": removal.reason, "asked": removal.asked,
        "done": removal.done, "step": removal.step, "day": progress.get("day"), "counts": removal.counts,
        "problem": removal.problem or None, "backups_before": removal.done,
    }  # fmt: skip
