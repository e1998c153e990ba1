"""The routes of storage: what history takes, its days, and whether it is what was sealed."""

from __future__ import annotations

import re
from typing import Any

from twisted.python.failure import Failure

from tracker.archive_context import Result
from webmap.rights import Action
from webmap.routes import ApiError, Route, answer
from webmap.services import Services
from webmap.storage_health import storage_problems
from webmap.storage_view import days, overview

DAYS = 60
DAYS_LIMIT = 400
"""Days in one answer: more than a year."""
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


class Verifying:
    """One verifying at a time, whoever asks, and what came of the last."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._asked = False

    def ask(self) -> None:
        """Begin, unless it has begun."""
        if not self._asked:
            self._asked = True
            self._services.archivist.ask("verify").addBoth(self._ended)

    def _ended(self, _: Result | Failure) -> None:
        self._asked = False

    def view(self) -> dict[str, Any]:
        archivist = self._services.archivist
        running, last = archivist.running, archivist.outcomes.get("verify")
        if running is not None and running.job == "verify":
            told = {"state": "running", "progress": running.progress}
        else:
            told = {"state": "waiting" if self._asked else "idle", "progress": {}}
        view = None
        if last is not None:
            view = {"at": last.at, "took_ms": last.took, "failure": last.failure, "verdict": last.result or None}
        return {**told, "last": view}


def add_storage(route: Route, services: Services) -> None:
    """Put the routes on the console's app."""
    verifying = Verifying(services)

    def stock() -> Any:
        found = services.steward.stock
        if found is None:
            text = "the disk has not been looked at yet; try again"
            raise ApiError(503, "measuring", text, "正在统计磁盘，请稍后重试")
        return found

    @route("GET", "/api/v1/storage", Action.STORAGE)
    def storage(request: Any) -> bytes:
        now = services.wall()
        found = overview(
            stock(),
            services.steward,
            services.space,
            services.archivist,
            services.archive.chains,
            services.heads,
            services.embedded,
            now,
        )
        told = {"now": now, "zone": str(services.city.zone), "problems": storage_problems(services)}
        return answer(request, {**told, **found, "verify": verifying.view()})

    @route("GET", "/api/v1/storage/days", Action.STORAGE)
    def storage_days(request: Any) -> bytes:
        before = (request.args.get(b"before") or [b""])[0].decode("utf-8", "replace")
        if before and not _DAY.fullmatch(before):
            text = "before must be a day such as 2026-11-23"
            raise ApiError(422, "bad_day", text, "before 须为日期，如 2026-11-23")
        shown, following = days(stock(), before or None, _limit(request))
        return answer(request, {"days": shown, "next": following})

    @route("POST", "/api/v1/storage/verify", Action.VERIFY)
    def verify(request: Any) -> bytes:
        verifying.ask()
        return answer(request, verifying.view(), 202)

    @route("GET", "/api/v1/storage/verify", Action.STORAGE)
    def verified(request: Any) -> bytes:
        return answer(request, verifying.view())


def _limit(request: Any) -> int:
    given = (request.args.get(b"limit") or [b""])[0].decode("utf-8", "replace")
    if not given:
        return DAYS
    if not (given.isascii() and given.isdigit() and 1 <= int(given[:9]) <= DAYS_LIMIT):
        raise ApiError(422, "bad_limit", f"limit must be 1..{DAYS_LIMIT}", f"limit 须为 1..{DAYS_LIMIT}")
    return int(given)
