"""What every route of the API shares: errors as answers, who is asking, bodies and parameters.

Errors are ``{"error": {"code", "text", "zh"}}``: a stable code, and what to do in two languages.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Coroutine
from datetime import datetime
from functools import wraps
from typing import Any

from klein import Klein
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from tracker.intake import StoreFailed
from tracker.roster import Refusal
from webmap.rights import Action, Who
from webmap.services import Services
from webmap.sessions import NOBODY, matches

COOKIE = "session"
_STATUS = {"exists": 409, "last_admin": 409, "no_device": 404, "no_account": 404, "no_record": 503}
"""Of refusals; 422 for all others."""

_log = Logger(namespace="gridbeat.api")

Handler = Callable[..., Any]
Route = Callable[[str, str, Action], Callable[[Handler], Handler]]
"""``@route("GET", "/api/v1/…", Action.LIVE)`` puts a handler on the console's app, for those who may do that; whom they
reach with it is the handler's business (:func:`who_of`)."""


class ApiError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, code: str, text: str, zh: str, entry: int = 0) -> None:
        super().__init__(text)
        self.status, self.code, self.text, self.zh, self.entry = status, code, text, zh, entry


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
    if error.status == 401 and request.getHeader(b"x-requested-with") is None and not request.getCookie(b"session"):
        # Tools then ask for a password; a page would be covered by the browser's own box.
        request.setHeader("www-authenticate", 'Bearer realm="Gridbeat"')
    if error.status == 503:
        request.setHeader("retry-after", "5")
    return answer(request, {"error": error_view(error)}, error.status)


def error_view(error: ApiError | Refusal) -> dict[str, Any]:
    """An error as it is answered; ``entry`` is its place in the list that was sent, from 1."""
    view = {"code": error.code, "text": str(error), "zh": error.zh}
    return view | {"entry": error.entry} if error.entry else view


class Gate:
    """Who is asking."""

    def __init__(self, services: Services) -> None:
        self._services = services
        # argon2 takes 64 MB and 50 ms of a core each time: two at once leave the machine to the patrol.
        self._verifying = DeferredSemaphore(2)

    async def who(self, request: Any) -> Who | None:
        """Who is asking, or ``None``."""
        return self._account(await self._name(request))

    def signed_in(self, request: Any) -> Who | None:
        """Who has signed in with the browser that asks, or ``None``; for pages."""
        cookie = request.getCookie(COOKIE.encode())
        return self.of_session(cookie.decode("latin-1")) if cookie else None

    def of_session(self, session: str) -> Who | None:
        """Whose session it is, as their account is now."""
        return self._account(self._services.sessions.read(session))

    def _account(self, name: str | None) -> Who | None:
        account = None if name is None else self._services.accounts.get(name)
        return None if account is None or account.disabled else account.who()

    async def _name(self, request: Any) -> str | None:
        sessions = self._services.sessions
        header = header_of(request, b"authorization")
        scheme, _, value = header.partition(" ")
        if scheme.lower() == "bearer":
            return sessions.read(value.strip())
        if scheme.lower() == "basic":
            try:
                name, _, password = base64.b64decode(value, validate=True).decode().partition(":")
            except (binascii.Error, ValueError):
                return None
            # Remembered ones are not for those who are guessing.
            if sessions.may_try(request.getClientAddress().host) and sessions.checked(name, password):
                return name
            return name if await self.verify(request, name, password) else None
        cookie = request.getCookie(COOKIE.encode())
        return sessions.read(cookie.decode("latin-1")) if cookie else None

    async def verify(self, request: Any, name: str, password: str) -> bool:
        """Check a password; raises :class:`ApiError` 429 after too many wrong ones from this address."""
        services, address = self._services, request.getClientAddress().host
        # Looked at when it is our turn: else a thousand tries at once would all be before the first failure.
        async with self._verifying:
            if not services.sessions.may_try(address):
                raise ApiError(
                    429, "too_many_tries", "too many wrong passwords; wait a minute", "密码错误次数过多，请一分钟后再试"
                )
            account = services.accounts.get(name)
            stored = account.password if account is not None and not account.disabled else NOBODY
            good = bool(await deferToThreadPool(services.reactor, services.pool, matches, stored, password))
            if good:
                services.sessions.remember(name, password)
            else:
                services.sessions.failed(address)
        return good


def who_of(request: Any) -> Who:
    """Who asks: for handlers of routes."""
    who: Who = request.who
    return who


def guarded(gate: Gate, action: Action, handler: Callable[..., Any]) -> Callable[..., Deferred[bytes]]:
    """The handler behind the login and the table of rights, its errors as answers."""

    async def run(request: Any, *args: Any, **kwargs: Any) -> bytes:
        who = await gate.who(request)
        if who is None:
            raise ApiError(401, "login", "log in first: POST /api/v1/login", "请先登录")
        if not who.may(action):
            text = "your account has no right to do this: ask an admin"
            raise ApiError(403, "no_right", text, "您的账号没有此项权限，请联系管理员")
        request.who = who
        value = handler(request, *args, **kwargs)
        result: bytes = await value if isinstance(value, Coroutine | Deferred) else value
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


def body_of(request: Any) -> Any:
    """The JSON of a request. A form of another site cannot send this content type unasked: no request forgery."""
    kind = header_of(request, b"content-type").partition(";")[0].strip().lower()
    if kind not in ("application/json", "application/geo+json"):
        raise ApiError(
            415, "content_type", "send JSON with content-type: application/json", "请以 application/json 发送 JSON"
        )
    try:
        return json.loads(request.content.read())
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "bad_json", f"this is no JSON: {error}", f"不是有效的 JSON：{error}") from None


def time_of(services: Services, request: Any, name: str, default: int) -> int:
    """A time parameter: ms since 1970, or ISO 8601 (without an offset: the city's time)."""
    given = request.args.get(name.encode())
    if not given or not given[0]:
        return default
    text = given[0].decode("utf-8", "replace").strip().replace(" ", "+")
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
            app.route(path, methods=[method], endpoint=f"{method} {path}")(guarded(gate, action, handler))
            return handler

        return put

    return route
