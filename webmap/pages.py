"""Pages beside the map: each is a file ``static/<name>.html`` at ``/<name>``, for those with a certain right."""

from __future__ import annotations

from webmap.rights import Action, Who

PAGES = {
    "phones": Action.DEVICES_CHANGE,
    "certificate": Action.SELF,
    "storage": Action.STORAGE,
    "seats": Action.SEATS,
    "grids": Action.GRIDS,
    "access": Action.ACCESS_LOG,
    "rota": Action.ROTA,
    "roster": Action.PEOPLE,
    "accounts": Action.ACCOUNTS,
    "profile": Action.SELF,
}


def open_to(who: Who) -> list[str]:
    """The pages that this account may open."""
    return [name for name, action in PAGES.items() if who.may(action)]
