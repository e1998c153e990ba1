"""One's own account: who one is and what one may do."""

from __future__ import annotations

from typing import Any

from webmap.pages import open_to
from webmap.rights import Action, Reach, Who
from webmap.routes import Route, answer, who_of
from webmap.services import Services


def add_me(route: Route, services: Services) -> None:
    """Put the routes of one's own account on the app."""

    @route("GET", "/api/v1/me", Action.SELF)
    def me(request: Any) -> bytes:
        who = who_of(request)
        account = services.accounts.known(who.name)
        return answer(
            request,
            {
                "name": who.name, "role": str(who.role), "unit": who.unit or None, "streets": list(account.streets),
                "teams": list(account.teams), "rights": rights_of(who), "pages": open_to(who),
                "totp": bool(account.totp),
            },
        )  # fmt: skip


def rights_of(who: Who) -> dict[str, str]:
    """What an account may do, and how far each right goes: ``own``, ``area`` or ``city``."""
    found = {}
    for action in Action:
        scope = who.scope(action)
        if scope.reach is Reach.NONE:
            continue
        found[str(action)] = "own" if scope.reach is Reach.OWN else "city" if scope.everything else "area"
    return found
