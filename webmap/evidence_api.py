"""Photos and voice notes of answers and reports, for browsers as copies, and for auditors as they were received."""

from __future__ import annotations

from typing import Any

from dispatch.copies import NoCopy, NotNow
from dispatch.exhibits import Exhibit
from dispatch.media import Sort
from dispatch.model import TaskId
from webmap.access import address_of
from webmap.rights import Action
from webmap.routes import ApiError, Route, missing, who_of
from webmap.services import Services
from webmap.task_view import Sight

SHA = 64
"""Digits of a SHA-256; ids of photos that vehicles take are shorter."""
_TOLD = {Sort.PHOTO: ("photo", "照片", "image/jpeg"), Sort.VOICE: ("voice note", "语音", "audio/ogg")}


def add_evidence(route: Route, services: Services) -> None:
    """Put the routes on the console's app. That of photos is with those that vehicles take."""

    @route("GET", "/api/v1/voice/<string:sha>", Action.TASKS)
    async def voice(request: Any, sha: str) -> bytes:
        return await copy(services, request, sha, Sort.VOICE)

    @route("GET", "/api/v1/originals/<string:sha>", Action.ORIGINALS)
    async def original(request: Any, sha: str) -> bytes:
        exhibits = _within(Sight(services, who_of(request), Action.ORIGINALS), sha)
        if not exhibits:
            raise missing("photo or voice note", "照片或语音")
        try:
            data = await services.links.photos.blobs.read(exhibits[0].name)
        except FileNotFoundError:
            raise missing("file of this any more", "文件") from None
        units = [one.unit for one in exhibits]
        await services.access.record(who_of(request), "original", units, address=address_of(request), photo=sha)
        _head(request, "application/octet-stream", len(data))
        ending = exhibits[0].name.rpartition(".")[2]
        # Whatever it is, no browser opens it here.
        request.setHeader("content-disposition", f'attachment; filename="{sha}.{ending}"')
        request.setHeader("cache-control", "no-store")
        return data


async def copy(services: Services, request: Any, sha: str, sort: Sort) -> bytes:
    """The answer with a copy; never the original. Raises :class:`~webmap.routes.ApiError`."""
    name, zh, kind = _TOLD[sort]
    found = _within(Sight(services, who_of(request)), sha)
    found = [one for one in found if one.type.startswith("image/") == (sort is Sort.PHOTO)]
    if not found:
        raise missing(name, zh)
    try:
        data = await services.copies.get(found[0])
    except FileNotFoundError:
        raise missing(f"file of this {name} any more", f"{zh}文件") from None
    except NoCopy:
        text = f"this {name} cannot be shown; the original is kept, and an auditor can fetch it"
        raise ApiError(422, "no_copy", text, f"该{zh}无法显示；原件已保存，审计员可下载") from None
    except NotNow:
        raise ApiError(503, "not_now", "too much is asked for now: try again", "当前请求过多，请稍后再试") from None
    what = "photo" if sort is Sort.PHOTO else "voice_note"
    services.access.looked(who_of(request), what, found[0].unit, address=address_of(request), photo=sha)
    _head(request, kind, len(data))
    request.setHeader("cache-control", "private, max-age=3600, immutable")
    return data


def _within(sight: Sight, sha: str) -> list[Exhibit]:
    """Those with these bytes that belong to somebody or to a task within reach."""
    return [
        one for one in sight.services.evidence.exhibits.of(sha)
        if sight.shows(one.unit) or any(_reaches(sight, use.task) for use in one.uses if use.task)
    ]  # fmt: skip


def _reaches(sight: Sight, id: str) -> bool:
    task = sight.services.desk.book.get(TaskId(id))
    return task is not None and sight.reaches(task)


def _head(request: Any, kind: str, size: int) -> None:
    request.setHeader("content-type", kind)
    request.setHeader("content-length", str(size))
    request.setHeader("x-content-type-options", "nosniff")
    request.setHeader("content-security-policy", "default-src 'none'; sandbox")
