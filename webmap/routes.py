"""What every route of the API shares: errors as answers, who is asking, bodies and parameters.

Errors are ``{"error": {"code", "text", "zh"}}``: a stable code, and what to do in two languages.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from functools import wraps
from typing import Any

from klein import Klein
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from tracker.intake import StoreFailed
from tracker.model import DeviceId
from tracker.roster import Refusal
from webmap.access import address_of
from webmap.cookies import SESSION, cookie_of
from webmap.rights import NOTED, Action, Who
from webmap.services import Services
from webmap.sign_in import Tried, Verdict

_PARAMETER, _PLAIN = re.compile(r"<\w+:(\w+)>"), r"{\1}"
_STATUS = {"exists": 409, "last_admin": 409, "no_device": 404, "no_account": 404, "no_seat": 404, "no_record": 503,
           "bad_login": 401, "changed": 409, "not_now": 409, "resulted": 409, "no_result": 409, "independent": 409,
           "no_task": 404, "no_sos": 404, "no_problem": 404, "too_many_tries": 429, "too_many_codes": 429}  # fmt: skip
"""Of refusals; 422 for all others."""
JSON_LIMIT = 256 * 1024
"""Bytes of a request's JSON, unless a route says otherwise: it is taken apart all in one go, and 60 MB of empty lists
held everybody up for twenty seconds. A roll call of 2,000 units is half of it."""
LIST_LIMIT = 4 << 20
"""The same of a list of people, devices or days: 20,000 of them."""
MAY_BEFORE = (b"/api/v1/me/password", b"/api/v1/logout")
"""What one may do who must change the password first."""

_log = Logger(namespace="gridbeat.api")

Handler = Callable[..., Any]
Route = Callable[[str, str, Action], Callable[[Handler], Handler]]
"""``@route("GET", "/api/v1/…", Action.LIVE)`` puts a handler on the console's app, for those who may do that; whom they
reach with it is the handler's business (:func:`who_of`)."""


class ApiError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, code: str, text: str, zh: str, entry: int = 0, wait: int = 0) -> None:
        super().__init__(text)
        self.status, self.code, self.text, self.zh, self.entry = status, code, text, zh, entry
        self.wait = wait
        """Seconds until one may try again."""


def missing(what: str, zh: str) -> ApiError:
    return ApiError(404, "not_found", f"there is no such {what}", f"没有这个{zh}")


def answer(request: Any, value: Any, status: int = 200) -> bytes:
    """JSON, or bytes that are JSON already."""
    request.setResponseCode(status)
    request.setHeader("content-type", "application/json; charset=utf-8")
    request.setHeader("cache-control", "no-store")
    if not isinstance(value, bytes):
        # JSON can spell half a character, and an error may quote it.
        value = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    request.setHeader("content-length", str(len(value)))
    body: bytes = value
    return body


def answer_error(request: Any, error: ApiError) -> bytes:
    if error.status == 401 and request.getHeader(b"x-requested-with") is None and not cookie_of(request, SESSION):
        # Tools then ask for a password; a page would be covered by the browser's own box.
        request.setHeader("www-authenticate", 'Bearer realm="Gridbeat"')
    if error.status == 503 or error.wait:
        request.setHeader("retry-after", str(error.wait or 5))
    return answer(request, {"error": error_view(error)}, error.status)


def error_view(error: ApiError | Refusal) -> dict[str, Any]:
    """An error as it is answered; ``entry`` is its place in the list that was sent, from 1."""
    view = {"code": error.code, "text": str(error), "zh": error.zh}
    return view | {"entry": error.entry} if error.entry else view


class Gate:
    """Who is asking."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def who(self, request: Any) -> Who | None:
        """Who is asking, or ``None``. Raises :class:`ApiError` for those who must wait, and while the sessions of
        before the start are not known yet."""
        header = header_of(request, b"authorization")
        scheme, _, value = header.partition(" ")
        if scheme.lower() == "bearer":
            return self._through(value.strip())
        if scheme.lower() == "basic":
            return await self._program(request, value)
        return self._through(cookie_of(request, SESSION))

    def may_upload(self, request: Any) -> bool:
        """Whether a long body may come: from whoever has a session. The body is not there yet; a password that comes
        with the request is looked at when it is, so it opens no door for long ones."""
        scheme, _, value = header_of(request, b"authorization").partition(" ")
        text = value.strip() if scheme.lower() == "bearer" else cookie_of(request, SESSION)
        return self._of(text) is not None or self.must_wait(text)

    def unit_in(self, ids: Mapping[str, str]) -> str:
        """Whom a route's ids are about: a unit, or who carries a device now; empty for anything else."""
        device = self._services.intake.roster.devices.get(DeviceId(ids.get("device", "")))
        return ids.get("unit", "") or ("" if device is None else device.unit)

    def changed(self, who: Who, route: str, unit: str, address: str, ids: Mapping[str, str]) -> None:
        """Put on record that somebody has changed something."""
        others = {name: value for name, value in ids.items() if name != "unit"}
        self._services.access.looked(who, "change", unit, address=address, route=route, **others)

    def heard(self, who: Who) -> None:
        """Somebody's console has asked for something."""
        self._services.desks.heard(who.name)

    def signed_in(self, request: Any) -> Who | None:
        """Who has signed in with the browser that asks, or ``None``; for pages."""
        return self.of_session(cookie_of(request, SESSION))

    def of_session(self, session: str) -> Who | None:
        """Whose session it is, as their account is now; ``None`` if they must choose a password first."""
        found = self._of(session)
        return None if found is None or self.must_change(found) else found

    def must_wait(self, session: str) -> bool:
        """Whether nobody can say yet whose session it is: the server has just started."""
        sessions = self._services.sessions
        return bool(session) and not sessions.loaded and sessions.find(session) is None

    def must_change(self, who: Who) -> bool:
        """Whether they may do nothing but choose a password of their own."""
        account = self._services.accounts.get(who.name)
        return account is not None and account.must_change

    def _of(self, text: str) -> Who | None:
        session = self._services.sessions.find(text) if text else None
        account = None if session is None else self._services.accounts.get(session.name)
        return None if session is None or account is None else account.who(session.digest)

    def _through(self, text: str) -> Who | None:
        found = self._of(text)
        if found is None and self.must_wait(text):
            raise ApiError(503, "starting", "the server has just started: try again", "服务器刚刚启动，请稍后重试")
        return found

    async def _program(self, request: Any, value: str) -> Who | None:
        try:
            name, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            return None
        tried = await self._services.sign_in.program(name, password, request.getClientAddress().host)
        if tried.verdict is Verdict.WRONG:
            known = self._services.accounts.get(name)
            if known is not None:
                self._services.access.looked(known.who(), "login_refused", address=request.getClientAddress().host)
            return None
        if tried.account is None:
            raise refused(tried)
        return tried.account.who()


def refused(tried: Tried, wrong: ApiError | None = None) -> ApiError:
    """The answer to a try that did not let anybody in; ``wrong`` for what is wrong, if that is not a login."""
    if tried.verdict is Verdict.WAIT:
        seconds = max(1, -(-tried.wait // 1000))
        text, zh = f"too many wrong passwords; wait {seconds} s", f"密码错误次数过多，请 {seconds} 秒后再试"
        return ApiError(429, "too_many_tries", text, zh, wait=seconds)
    if tried.verdict is Verdict.CODE:
        text = "this account asks for a code too: POST /api/v1/login with code"
        return ApiError(401, "code_needed", text, "请输入动态码或恢复码")
    return wrong or ApiError(401, "bad_login", "wrong name, password or code", "用户名、密码或动态码不正确")


def who_of(request: Any) -> Who:
    """Who asks: for handlers of routes."""
    who: Who = request.who
    return who


def guarded(
    gate: Gate, action: Action, handler: Callable[..., Any], changes: str = ""
) -> Callable[..., Deferred[bytes]]:
    """The handler behind the login and the table of rights, its errors as answers.

    ``changes`` is the route, where what has been done by it is put on record. A handler that has only judged sets
    ``request.changed`` to false, and one whose route does not say whom it is about ``request.concerns``."""

    async def run(request: Any, *args: Any, **kwargs: Any) -> bytes:
        who = await gate.who(request)
        if who is None:
            raise ApiError(401, "login", "log in first: POST /api/v1/login", "请先登录")
        if gate.must_change(who) and request.path not in MAY_BEFORE:
            text = "choose a password of your own first: POST /api/v1/me/password"
            raise ApiError(403, "must_change", text, "请先设置自己的密码")
        if not who.may(action):
            text = "your account has no right to do this: ask an admin"
            raise ApiError(403, "no_right", text, "您的账号没有此项权限，请联系管理员")
        request.who, request.changed, request.concerns = who, bool(changes), ""
        gate.heard(who)
        unit = gate.unit_in(kwargs) if changes else ""
        value = handler(request, *args, **kwargs)
        result: bytes = await value if isinstance(value, Coroutine | Deferred) else value
        if request.changed and request.code < 300:
            gate.changed(who, changes, unit or request.concerns or gate.unit_in(kwargs), address_of(request), kwargs)
        return result

    return told(run)


def told(handler: Callable[..., Coroutine[Any, Any, bytes]]) -> Callable[..., Deferred[bytes]]:
    """Errors become answers that say what to do next."""

    async def run(request: Any, *args: Any, **kwargs: Any) -> bytes:
        try:
            return await handler(request, *args, **kwargs)
        except ApiError as error:
            return answer_error(request, error)
        except Refusal as refusal:
            status = _STATUS.get(refusal.code, 422)
            return answer_error(request, ApiError(status, refusal.code, str(refusal), refusal.zh, refusal.entry))
        except StoreFailed as failed:
            text, zh = "nothing was changed", "未作任何更改"
            if failed.written:
                text, zh = f"only the first {failed.written} changes are in", f"仅前 {failed.written} 项更改已写入"
            text = f"the disk does not take it now; {text}, try again"
            return answer_error(request, ApiError(503, "store", text, f"磁盘暂时无法写入，{zh}，请稍后重试"))
        except Exception:
            # Without ids: they may be staff numbers, which a log must not go on holding.
            path = re.sub(r"(/api/v1/\w+/)[^/]+", r"\1…", request.path.decode("latin-1"))
            _log.failure("a request failed", path=path)
            return answer_error(
                request, ApiError(500, "internal", "internal error; see the log", "内部错误，请查看日志")
            )

    @wraps(handler)
    def deferred(*args: Any, **kwargs: Any) -> Deferred[bytes]:
        return Deferred.fromCoroutine(run(*args, **kwargs))

    return deferred


def header_of(request: Any, name: bytes) -> str:
    """A header's text; empty if there is none. As text, twisted.web fails on bytes that are no UTF-8."""
    return (request.getHeader(name) or b"").decode("utf-8", "replace")


def body_of(request: Any, limit: int = JSON_LIMIT) -> Any:
    """The JSON of a request, of so many bytes at the most. A form of another site cannot send this content type
    unasked: no request forgery."""
    kind = header_of(request, b"content-type").partition(";")[0].strip().lower()
    if kind not in ("application/json", "application/geo+json"):
        raise ApiError(
            415, "content_type", "send JSON with content-type: application/json", "请以 application/json 发送 JSON"
        )
    body = request.content.read(limit + 1)
    if len(body) > limit:
        text = f"this is longer than the {limit // 1024} kB that are taken here"
        raise ApiError(413, "too_long", text, f"内容超过此处允许的 {limit // 1024} kB")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "bad_json", f"this is no JSON: {error}", f"不是有效的 JSON：{error}") from None


def time_of(services: Services, request: Any, name: str, default: int) -> int:
    """A time parameter: ms since 1970, or ISO 8601 (without an offset: the city's time)."""
    given = request.args.get(name.encode())
    if not given or not given[0]:
        return default
    found = moment_of(services, given[0].decode("utf-8", "replace").strip().replace(" ", "+"), name)
    return default if found is None else found


def moment_of(services: Services, given: Any, name: str) -> int | None:
    """A time in a body: ms since 1970, or ISO 8601 (without an offset: the city's time); ``None`` if it is not told."""
    if given is None:
        return None
    text = str(given)
    try:
        if text.lstrip("-").isdigit():
            return int(text)
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=services.city.zone)
        return int(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise ApiError(
            422, "bad_time", f"{name} must be milliseconds since 1970 or ISO 8601", f"{name} 须为毫秒时间戳或 ISO 8601"
        ) from None


def make_route(app: Klein, gate: Gate) -> Route:
    """The decorator with which routes are put on the app."""

    def route(method: str, path: str, action: Action) -> Callable[[Handler], Handler]:
        def put(handler: Handler) -> Handler:
            changes = f"{method} {_PARAMETER.sub(_PLAIN, path)}" if method != "GET" and action in NOTED else ""
            app.route(path, methods=[method], endpoint=f"{method} {path}")(guarded(gate, action, handler, changes))
            return handler

        return put

    return route
