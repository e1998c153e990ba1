"""One's own account: who one is and what one may do, the password, the second step, and where one is signed in."""

from __future__ import annotations

from typing import Any

from twisted.internet.threads import deferToThreadPool

from webmap.access import address_of
from webmap.accounts import Account
from webmap.codes import link_of
from webmap.cookies import KNOWN, cookie_of
from webmap.login_api import enter
from webmap.pages import open_to
from webmap.passwords import check_new, hashed
from webmap.phone_api import qr_svg
from webmap.rights import Action, Reach, Who
from webmap.routes import ApiError, Route, answer, body_of, missing, refused, who_of
from webmap.services import Services
from webmap.sessions import Session


def add_me(route: Route, services: Services) -> None:
    """Put the routes of one's own account on the app."""

    def own(request: Any) -> Account:
        return services.accounts.known(who_of(request).name)

    async def proven(request: Any, given: Any, field: str = "password") -> Account:
        """The account, if the password that came with the request is its: a machine that was left alone is not enough
        to take an account over."""
        password = given.get(field) if isinstance(given, dict) else None
        if not isinstance(password, str):
            raise ApiError(422, "bad_password", f"send {field}: the password of today", "请提供当前密码")
        tried = await services.sign_in.tried(
            who_of(request).name, password, address_of(request), browser=cookie_of(request, KNOWN), step=False
        )
        if tried.account is None:
            wrong = ApiError(403, "wrong_password", "the password is not right", "密码不正确")
            raise refused(tried, wrong)
        return tried.account

    def changed(request: Any, account: Account, what: str) -> str:
        """An account is another: its sessions have ended, this one goes on as a new one. Answers that one's text."""
        about = {"account": account.name, "change": what}
        services.access.looked(who_of(request), "account_change", address=address_of(request), **about)
        return enter(services, request, account)[0]

    @route("GET", "/api/v1/me", Action.SELF)
    def me(request: Any) -> bytes:
        who, account = who_of(request), own(request)
        return answer(
            request,
            {
                "name": who.name, "role": str(who.role), "unit": who.unit or None, "streets": list(account.streets),
                "teams": list(account.teams), "rights": rights_of(who), "pages": open_to(who),
                "totp": bool(account.totp), "recovery_codes": len(account.recovery),
            },
        )  # fmt: skip

    @route("POST", "/api/v1/me/password", Action.SELF)
    async def password(request: Any) -> bytes:
        given, who = body_of(request), who_of(request)
        account = await proven(request, given, "old")
        new = given.get("new")
        if not isinstance(new, str):
            raise ApiError(422, "bad_password", "send new: the password to come", "请提供新密码")
        check_new(account.name, new)
        if new == given["old"]:
            raise ApiError(422, "bad_password", "the new password is the old one", "新密码与原密码相同")
        kept = await deferToThreadPool(services.reactor, services.pool, hashed, new)
        former = account.password
        account = await services.intake.change(lambda: services.accounts.plan_password(who.name, kept, former))
        services.first.changed(account.name)
        return answer(request, {"token": changed(request, account, "password"), "name": account.name})

    # -- the second step

    @route("POST", "/api/v1/me/totp", Action.SELF)
    async def begin_totp(request: Any) -> bytes:
        account = await proven(request, body_of(request))
        secret = services.codes.begin(who_of(request).session or account.name, services.wall())
        link = link_of(account.name, secret, f"Gridbeat {services.city.name}".strip())
        return answer(request, {"secret": secret, "link": link, "qr": qr_svg(link)})

    @route("POST", "/api/v1/me/totp/confirm", Action.SELF)
    async def confirm_totp(request: Any) -> bytes:
        given, account = body_of(request), own(request)
        code = given.get("code") if isinstance(given, dict) else None
        if not isinstance(code, str):
            text = "send code: the six digits that the app shows"
            raise ApiError(422, "bad_code", text, "请提供应用显示的 6 位动态码")
        session = who_of(request).session or account.name
        sealed = services.codes.confirm(session, account.name, code, services.wall())
        if sealed is None:
            text = "the code is not right: scan again, and check the clocks of the phone and of the server"
            raise ApiError(422, "bad_code", text, "动态码不正确：请重新扫码，并检查手机与服务器的时间")
        codes, kept = services.codes.new_recovery(account.name)
        account = await services.intake.change(lambda: services.accounts.plan_totp(account.name, sealed, kept))
        return answer(request, {"token": changed(request, account, "totp_on"), "recovery_codes": codes})

    @route("POST", "/api/v1/me/totp/off", Action.SELF)
    async def end_totp(request: Any) -> bytes:
        account = await proven(request, body_of(request))
        account = await services.intake.change(lambda: services.accounts.plan_totp(account.name, "", ()))
        return answer(request, {"token": changed(request, account, "totp_off")})

    # -- where one is signed in

    @route("GET", "/api/v1/me/sessions", Action.SELF)
    def list_sessions(request: Any) -> bytes:
        who = who_of(request)
        found = [session_view(one, who) for one in services.sessions.of(who.name)]
        return answer(request, {"now": services.wall(), "sessions": found})

    @route("DELETE", "/api/v1/me/sessions", Action.SELF)
    def end_others(request: Any) -> bytes:
        who = who_of(request)
        others = [one.digest for one in services.sessions.of(who.name) if one.digest != who.session]
        services.sessions.end(others)
        return answer(request, {"ended": len(others)})

    @route("DELETE", "/api/v1/me/sessions/<string:session>", Action.SELF)
    def end_session(request: Any, session: str) -> bytes:
        ended = [one.digest for one in services.sessions.of(who_of(request).name) if one.id == session]
        if not ended:
            raise missing("session", "会话")
        services.sessions.end(ended)
        return answer(request, {"ended": len(ended)})


def session_view(session: Session, who: Who) -> dict[str, Any]:
    """A session as its account sees it. Times in ms since 1970 UTC."""
    return {
        "id": session.id, "made": session.made, "seen": session.seen, "address": session.address,
        "agent": session.agent, "this": session.digest == who.session,
    }  # fmt: skip


def rights_of(who: Who) -> dict[str, str]:
    """What an account may do, and how far each right goes: ``own``, ``area`` or ``city``."""
    found = {}
    for action in Action:
        scope = who.scope(action)
        if scope.reach is Reach.NONE:
            continue
        found[str(action)] = "own" if scope.reach is Reach.OWN else "city" if scope.everything else "area"
    return found
