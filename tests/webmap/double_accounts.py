"""The stand-in's accounts: the rules are the real ones, the passwords are plain, and nothing outlives the process.

Besides ``demo`` there are ``fresh``, whose password is still its first one, and ``careful``, who is asked for a code
(``123456``). ``POST /double/accounts`` takes ``unit`` (whose account ``demo`` is), ``crowd`` (more accounts) and
``anew``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from klein import Klein

from tracker.roster import Change, Refusal
from webmap.accounts import Account, Accounts, normal
from webmap.codes import link_of
from webmap.passwords import check_new
from webmap.phone_api import qr_svg
from webmap.rights import MATRIX, Role

FIRST = {"demo": "demo-password", "fresh": "first-password", "careful": "demo-password"}
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
CODE = "123456"
RECOVERY = [f"abcde-fgh{n}{n}" for n in range(2, 10)]
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/149.0 Safari/537.36"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605 Mobile/15E148 Safari/604.1"

Answer = tuple[int, Any]


def error(status: int, code: str, text: str, zh: str) -> Answer:
    return status, {"error": {"code": code, "text": text, "zh": zh}}


class AccountsDouble:
    """``units``: the roster's, by id."""

    def __init__(self, units: dict[str, dict[str, Any]], now: Callable[[], int]) -> None:
        self._units, self._now = units, now
        self.begin()

    def begin(self) -> None:
        """The accounts and sessions that there are at first."""
        self.accounts = Accounts(cast(Any, SimpleNamespace(units=self._units)))
        for name, password in FIRST.items():
            self.add({"name": name, "role": "admin" if name == "demo" else "dispatcher"}, password, name == "fresh")
        self._put(self.accounts.plan_totp("careful", "sealed", ("kept",))[1])
        self.unit = ""
        began, hour = self._now(), 3_600_000
        self.sessions = [
            {"id": "this", "made": began - hour, "seen": began, "address": "10.1.4.7", "agent": CHROME},
            {
                "id": "phone",
                "made": began - 25 * hour,
                "seen": began - 600_000,
                "address": "10.1.9.2",
                "agent": IPHONE,
            },
            {"id": "tool", "made": began - 60 * hour, "seen": began - 2 * hour, "address": "10.1.0.3", "agent": ""},
        ]

    def add(self, wanted: dict[str, Any], password: str, must_change: bool = True) -> Account:
        made, changes = self.accounts.plan_new(wanted, password, must_change=must_change)
        self._put(changes)
        return made

    def _put(self, changes: list[Change]) -> None:
        for change in changes:
            self.accounts.apply(change)

    def switch(self, unit: str = "", crowd: int = 0, anew: bool = False) -> None:
        if anew:
            self.begin()
        self.unit = unit or self.unit
        for n in range(crowd):
            role = [*Role][n % len(Role)]
            labels = {"streets": ["东街街道", "湖滨街道"]} if role in ("street", "dispatcher") else {}
            unit = [*self._units][n % len(self._units)] if role in ("collector", "crew") else ""
            self.add({"name": f"user-{n:02}", "role": role, "unit": unit, **labels}, "p", n % 3 == 0)
            if n % 7 == 5:
                self._put(self.accounts.plan_change(f"user-{n:02}", {"disabled": True})[1])

    def login(self, given: dict[str, Any]) -> Answer:
        account = self.accounts.get(str(given.get("name")))
        if account is None or account.password != given.get("password"):
            return error(401, "bad_login", "Wrong name, password or code", "用户名、密码或动态码不正确")
        if account.totp and not given.get("code"):
            return error(401, "code_needed", "this account asks for a code too", "请输入动态码或恢复码")
        if account.totp and given["code"] != CODE:
            return error(401, "bad_login", "Wrong name, password or code", "用户名、密码或动态码不正确")
        return 200, {"token": "of-the-double", "name": account.name, "must_change": account.must_change}

    def me(self) -> dict[str, Any]:
        """What differs from who asks in other tests."""
        demo = self.accounts.known("demo")
        found = {"totp": bool(demo.totp), "recovery_codes": len(demo.recovery)}
        return found | ({"unit": self.unit} if self.unit else {})

    def view(self, account: Account) -> dict[str, Any]:
        unit = self._units.get(account.unit)
        here = len(self.sessions) if account.name == "demo" else 0
        return {
            "name": account.name, "role": str(account.role), "unit": account.unit or None,
            "unit_name": unit and unit["name"], "streets": list(account.streets), "teams": list(account.teams),
            "disabled": account.disabled, "must_change": account.must_change, "totp": bool(account.totp),
            "sessions": here, "seen": self._now() if here else None,
        }  # fmt: skip

    def mount(self, app: Klein, guest: Callable[[Any], bool]) -> None:
        """Put the routes on the stand-in's app."""

        def put(path: str, *methods: str) -> Callable[[Callable[..., Answer]], None]:
            def route(handler: Callable[..., Answer]) -> None:
                def run(request: Any, **given: str) -> bytes:
                    body = request.content.read()
                    try:
                        status, value = handler(request.method.decode(), json.loads(body) if body else {}, **given)
                        if guest(request):
                            status, value = error(401, "login", "Log in first", "请先登录")
                    except Refusal as refusal:
                        status, value = error(409 if refusal.code == "exists" else 422, refusal.code, str(refusal),
                                              refusal.zh)  # fmt: skip
                    request.setResponseCode(status)
                    request.setHeader("Content-Type", "application/json; charset=utf-8")
                    return json.dumps(value, ensure_ascii=False).encode()

                app.route(f"/api/v1/{path}", methods=[*methods], endpoint=f"api {path}")(run)

            return route

        @put("me/password", "POST")
        def password(method: str, given: Any) -> Answer:
            for account in (*self.accounts.by_name.values(),):
                if account.password == given["old"]:
                    check_new(account.name, given["new"])
                    self._put(self.accounts.plan_password(account.name, given["new"])[1])
                    return 200, {"token": "of-the-double", "name": account.name}
            return error(403, "wrong_password", "the password is not right", "密码不正确")

        @put("me/totp", "POST")
        def begin(method: str, given: Any) -> Answer:
            if given["password"] != self.accounts.known("demo").password:
                return error(403, "wrong_password", "the password is not right", "密码不正确")
            link = link_of("demo", SECRET, "Gridbeat")
            return 200, {"secret": SECRET, "link": link, "qr": qr_svg(link)}

        @put("me/totp/<string:verb>", "POST")
        def totp(method: str, given: Any, verb: str) -> Answer:
            if verb == "confirm" and given["code"] != CODE:
                return error(422, "bad_code", "the code is not right", "动态码不正确")
            kept = ("sealed", tuple(RECOVERY)) if verb == "confirm" else ("", ())
            self._put(self.accounts.plan_totp("demo", *kept)[1])
            return 200, {"token": "of-the-double"} | ({"recovery_codes": RECOVERY} if verb == "confirm" else {})

        @put("me/sessions", "GET", "DELETE")
        def sessions(method: str, given: Any) -> Answer:
            if method == "DELETE":
                self.sessions, ended = self.sessions[:1], len(self.sessions) - 1
                return 200, {"ended": ended}
            found = [{**one, "this": one["id"] == "this"} for one in self.sessions]
            return 200, {"now": self._now(), "sessions": found}

        @put("me/sessions/<string:session>", "DELETE")
        def end(method: str, given: Any, session: str) -> Answer:
            self.sessions = [one for one in self.sessions if one["id"] != session]
            return 200, {"ended": 1}

        @put("roles", "GET")
        def roles(method: str, given: Any) -> Answer:
            table = {
                action: {role: reach.name.lower() for role, reach in row.items()} for action, row in MATRIX.items()
            }
            return 200, {"roles": [*Role], "actions": table}

        @put("accounts", "GET", "POST")
        def accounts(method: str, given: Any) -> Answer:
            if method == "POST":
                made = self.add(given, "k7m2-9fqd-x4tp-3wch")
                return 201, {"account": self.view(made), "password": made.password}
            found = sorted(self.accounts.by_name.values(), key=lambda one: one.name)
            return 200, {"now": self._now(), "accounts": [self.view(one) for one in found]}

        @put("accounts/<string:name>", "GET", "PATCH", "DELETE")
        def account(method: str, given: Any, name: str) -> Answer:
            name = normal(name)
            if method == "DELETE":
                self._put(self.accounts.plan_removal(name)[1])
                return 200, {}
            if method == "PATCH":
                self._put(self.accounts.plan_change(name, given)[1])
            return 200, self.view(self.accounts.known(name))

        @put("accounts/<string:name>/password", "POST")
        def reset(method: str, given: Any, name: str) -> Answer:
            made, changes = self.accounts.plan_reset(name, "n3vk-8sdz-q2rb-6jhx")
            self._put(changes)
            return 200, {"account": self.view(made), "password": made.password}
