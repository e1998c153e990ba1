"""Uploads from the street, on the field's site: ``HEAD`` asks how far one is, ``PATCH`` brings the next bytes.

docs/wire/uploads.md is for whoever writes a client. Who asks is a handheld, by its id and token as Basic auth.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from klein import Klein

from dispatch.evidence import PIECE, PROTOCOL, Piece
from dispatch.exhibits import Exhibit, Use
from dispatch.media import sort_of
from dispatch.uploads import Misplaced
from tracker.login_limits import HOLD_S
from tracker.roster import Carrier, Refusal
from tracker.tokens import accepts
from webmap.access import address_of
from webmap.routes import ApiError, answer, error_view, header_of, told
from webmap.services import Services

ATTEMPTS = 1 << 31
WORD = 64
_SHA, _NUMBER = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9]{1,10}")
_STATUS = {
    "too_long": 413, "media": 415, "bad_digest": 422, "bad_value": 422, "length": 409, "offset": 409, "off_duty": 409,
    "gone": 409, "uploads_full": 507, "media_full": 507,
}  # fmt: skip


def add_uploads(api: Klein, services: Services) -> None:
    """Put the two on the app that stands at ``/api`` of the field's site."""

    async def state(request: Any, sha: str) -> bytes:
        found = services.evidence.state(device_of(services, request), _digest(sha))
        if found is None:
            request.setResponseCode(404)
            return b""
        for name, value in zip(("upload-offset", "upload-length"), found, strict=True):
            request.setHeader(name, str(value))
        request.setHeader("cache-control", "no-store")
        return b""

    async def piece(request: Any, sha: str) -> bytes:
        carrier = device_of(services, request)
        counters = services.intake.counters
        body = request.content.read(PIECE + 1)
        if len(body) > PIECE:
            counters.refuse(PROTOCOL, "too_long")
            text = f"send at most {PIECE} bytes at once, and the next ones after the answer"
            raise ApiError(413, "too_long", text, f"每次最多发送 {PIECE} 字节，收到应答后再发送后续内容")
        sort = sort_of(header_of(request, b"content-type"))
        offset, length = _header(request, "upload-offset"), _header(request, "upload-length")
        wanted = Piece(_digest(sha), offset, length, sort, _use(request), body)
        try:
            taken = await services.evidence.take(carrier, wanted)
        except Refusal as refusal:
            counters.refuse(PROTOCOL, f"upload_{refusal.code}" if refusal.code != "off_duty" else refusal.code)
            status = _STATUS.get(refusal.code, 422)
            if status == 409:
                here = services.evidence.state(carrier, wanted.sha) or (0, 0)
                at = refusal.offset if isinstance(refusal, Misplaced) else here[0]
                return answer(request, {"error": error_view(refusal), "offset": at}, 409)
            raise ApiError(status, refusal.code, str(refusal), refusal.zh, wait=60 if status == 507 else 0) from None
        counters.messages[PROTOCOL] += 1
        if isinstance(taken, Exhibit):
            return answer(request, {"photo": taken.sha}, 201)
        return answer(request, {"offset": taken})

    path = "/v1/uploads/<string:sha>"
    api.route(path, methods=["HEAD"], endpoint="upload state")(told(state))
    api.route(path, methods=["PATCH"], endpoint="upload")(told(piece))


def device_of(services: Services, request: Any) -> Carrier:
    """Who asks. Raises :class:`ApiError`."""
    intake, address = services.intake, address_of(request)
    scheme, _, value = header_of(request, b"authorization").partition(" ")
    try:
        name, _, token = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        name = token = ""
    if scheme.lower() == "basic" and name:
        carrier = intake.find(PROTOCOL, name, address)
        if carrier is not None and accepts(carrier.device, token):
            return carrier
        if carrier is not None:
            intake.counters.refuse(PROTOCOL, "bad_token")
        if intake.logins.wrong(PROTOCOL, name, address, intake.wall()):
            text = "too many wrong tokens: wait"
            raise ApiError(429, "too_many_tries", text, "令牌错误次数过多，请稍候", wait=int(HOLD_S))
    raise ApiError(401, "login", "send the device's id and token as Basic auth", "请以 Basic 方式提供设备号和令牌")


def _digest(sha: str) -> str:
    if not _SHA.fullmatch(sha):
        text = "the name is the SHA-256 of the whole file, 64 lower-case hexadecimal digits"
        raise ApiError(422, "bad_name", text, "名称须为整个文件的 SHA-256（64 位小写十六进制）")
    return sha


def _header(request: Any, name: str) -> int:
    given = header_of(request, name.encode()).strip()
    if not _NUMBER.fullmatch(given):
        raise ApiError(422, "bad_header", f"send {name} as a number of bytes", f"请在 {name} 中提供字节数")
    return int(given)


def _use(request: Any) -> Use:
    """What it is for."""
    task, attempt, problem = (
        (request.args.get(name) or [b""])[0].decode("utf-8", "replace") for name in (b"task", b"attempt", b"problem")
    )
    good = bool(task) != bool(problem) and len(task + problem) <= WORD and (task + problem).isprintable()
    if good and problem:
        return Use(problem=problem)
    if good and _NUMBER.fullmatch(attempt) and 0 < int(attempt) < ATTEMPTS:
        return Use(task, int(attempt))
    text = "say what it is for: task and attempt, or the event id of a problem report"
    raise ApiError(422, "bad_use", text, "请说明用途：task 与 attempt，或问题上报的 problem 编号")
