"""The accounts of all: who may sign in, as what, and for which part of the city. For admins."""

from __future__ import annotations

from typing import Any

from twisted.internet.threads import deferToThreadPool

from tracker.roster import Change
from webmap.access import address_of
from webmap.accounts import Account
from webmap.passwords import hashed, random_password
from webmap.rights import MATRIX, Action, Role
from webmap.routes import ApiError, Route, answer, body_of, missing, who_of
from webmap.services import Services

_FIELDS = frozenset({"role", "unit", "streets", "teams", "disabled"})


def add_accounts(route: Route, services: Services) -> None:
    """Put the routes on the app."""

    def view(account: Account) -> dict[str, Any]:
        """An account as it is listed: nothing that opens it."""
        unit = services.intake.roster.units.get(account.unit)
        held = services.sessions.of(account.name)
        return {
            "name": account.name, "role": str(account.role), "unit": account.unit or None,
            "unit_name": None if unit is None else unit.name, "streets": list(account.streets),
            "teams": list(account.teams), "disabled": account.disabled, "must_change": account.must_change,
            "totp": bool(account.totp), "sessions": len(held), "seen": held[0].seen if held else None,
        }  # fmt: skip

    def known(name: str) -> Account:
        account = services.accounts.get(name)
        if account is None:
            raise missing("account", "账号")
        return account

    def wanted_of(request: Any, more: frozenset[str] = frozenset()) -> dict[str, Any]:
        given = body_of(request)
        if not isinstance(given, dict) or not given.keys() <= _FIELDS | more:
            names = ", ".join(sorted(_FIELDS | more))
            raise ApiError(422, "bad_account", f"send an object with any of {names}", f"请发送对象，可含 {names}")
        return given

    def note(request: Any, account: str, what: str) -> None:
        about = {"account": account, "change": what}
        services.access.looked(who_of(request), "account_change", address=address_of(request), **about)

    async def first_password() -> tuple[str, str]:
        """A random password and its hash."""
        password = random_password()
        return password, await deferToThreadPool(services.reactor, services.pool, hashed, password)

    @route("GET", "/api/v1/accounts", Action.ACCOUNTS)
    def list_accounts(request: Any) -> bytes:
        found = sorted(services.accounts.by_name.values(), key=lambda account: account.name)
        return answer(request, {"now": services.wall(), "accounts": [view(account) for account in found]})

    @route("GET", "/api/v1/roles", Action.ACCOUNTS)
    def roles(request: Any) -> bytes:
        table = {
            str(action): {str(role): reach.name.lower() for role, reach in row.items()}
            for action, row in MATRIX.items()
        }
        return answer(request, {"roles": [str(role) for role in Role], "actions": table})

    @route("POST", "/api/v1/accounts", Action.ACCOUNTS)
    async def add_account(request: Any) -> bytes:
        wanted = wanted_of(request, frozenset({"name"}))
        services.accounts.plan_new(wanted, "")  # what cannot be is refused before the work of a hash
        password, kept = await first_password()
        made = await services.intake.change(lambda: services.accounts.plan_new(wanted, kept, must_change=True))
        note(request, made.name, "new")
        return answer(request, {"account": view(made), "password": password}, 201)

    @route("GET", "/api/v1/accounts/<string:name>", Action.ACCOUNTS)
    def account(request: Any, name: str) -> bytes:
        return answer(request, view(known(name)))

    @route("PATCH", "/api/v1/accounts/<string:name>", Action.ACCOUNTS)
    async def amend_account(request: Any, name: str) -> bytes:
        known(name)
        wanted = wanted_of(request)
        changed = await services.intake.change(lambda: services.accounts.plan_change(name, wanted))
        note(request, changed.name, ",".join(sorted(wanted)))
        return answer(request, view(known(name)))

    @route("DELETE", "/api/v1/accounts/<string:name>", Action.ACCOUNTS)
    async def remove_account(request: Any, name: str) -> bytes:
        gone = known(name).name
        await services.intake.change(lambda: services.accounts.plan_removal(name))
        services.first.changed(gone)
        note(request, gone, "removed")
        return answer(request, {})

    @route("POST", "/api/v1/accounts/<string:name>/password", Action.ACCOUNTS)
    async def reset_password(request: Any, name: str) -> bytes:
        known(name)
        password, kept = await first_password()

        def plan() -> tuple[Account, list[Change]]:
            return services.accounts.plan_reset(name, kept)

        reset = await services.intake.change(plan)
        services.first.changed(reset.name)
        note(request, reset.name, "reset")
        return answer(request, {"account": view(reset), "password": password})
