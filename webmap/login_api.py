"""Signing in and out. What a browser is given when it signs in is new; a session that it came with ends."""

from __future__ import annotations

from typing import Any

from klein import Klein
from twisted.logger import Logger

from webmap.access import address_of
from webmap.accounts import Account
from webmap.browsers import LASTS_S
from webmap.cookies import KNOWN, SESSION, cookie_of, set_cookie
from webmap.rights import Action
from webmap.routes import ApiError, Route, answer, body_of, header_of, refused, told, who_of
from webmap.services import Services
from webmap.sessions import LASTS_MS, Session, digest_of
from webmap.sign_in import Verdict

LIMIT = 8 * 1024
"""Bytes of what somebody sends to sign in, who may be anybody: the longest password is an eighth of it."""
_log = Logger(namespace="gridbeat.api")


def add_login(app: Klein, route: Route, services: Services) -> None:
    """Put the routes on the app."""

    async def login(request: Any) -> bytes:
        given = body_of(request, LIMIT)
        given = given if isinstance(given, dict) else {}
        name, password, code = (given.get(key) for key in ("name", "password", "code"))
        if not isinstance(name, str) or not isinstance(password, str) or not isinstance(code or "", str):
            raise ApiError(422, "bad_login", "send name and password", "请提供用户名和密码")
        address = address_of(request)
        tried = await services.sign_in.tried(
            name, password, address, browser=cookie_of(request, KNOWN), code=code or ""
        )
        account = tried.account
        if account is None:
            if tried.verdict is Verdict.WRONG:  # those who must wait are told nothing new, and so are we
                _log.info("login refused", address=address)
                exists = services.accounts.get(name)
                if exists is not None:
                    services.access.looked(exists.who(), "login_refused", address=address)
            raise refused(tried)
        if tried.recovery:
            # Struck off before anybody is in: each works once.
            used = tried.recovery
            account = await services.intake.change(lambda: services.accounts.plan_recovery(name, used))
        text, session = enter(services, request, account)
        services.access.looked(account.who(session.digest), "login", address=address)
        return answer(request, {"token": text, "name": account.name, "must_change": account.must_change})

    app.route("/api/v1/login", methods=["POST"], endpoint="POST /api/v1/login")(told(login))

    @route("POST", "/api/v1/logout", Action.SELF)
    def logout(request: Any) -> bytes:
        services.sessions.end([who_of(request).session])
        set_cookie(request, SESSION, "", 0)
        return answer(request, {})


def enter(services: Services, request: Any, account: Account) -> tuple[str, Session]:
    """Open a session for whoever has just shown who it is, and set the cookies; its text, for a program."""
    former = cookie_of(request, SESSION)
    if former:
        services.sessions.end([digest_of(former)])
    text, session = services.sessions.open(account, address_of(request), header_of(request, b"user-agent"))
    known = services.sign_in.browsers.marked(account, cookie_of(request, KNOWN))
    set_cookie(request, KNOWN, known, LASTS_S)
    set_cookie(request, SESSION, text, LASTS_MS // 1000)
    return text, session
