"""What ``./run new-password`` has left in the data folder: a request for another password, taken up within seconds.

Whoever may write into the data folder is the operator. The request holds a name and an argon2id hash; the password
itself is only on the operator's terminal.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tracker.intake import Intake, StoreFailed
from tracker.roster import Refusal
from webmap.access import Access
from webmap.accounts import Accounts, normal
from webmap.passwords import FirstAdmin
from webmap.safe import write_private

REQUEST = "new-password.json"
REFUSED = "new-password.refused.json"
SECONDS = 2.0
"""Between two looks at whether there is one."""


class LostPassword:
    """Looks for a request and does what it says: the password is another, two-step sign-in is off, and a disabled
    account may sign in again."""

    def __init__(self, folder: Path, intake: Intake, accounts: Accounts, access: Access, first: FirstAdmin) -> None:
        self._request, self._refused = folder / REQUEST, folder / REFUSED
        self._intake, self._accounts, self._access, self._first = intake, accounts, access, first

    async def look(self) -> str | None:
        """The account that has a new password; ``None`` if there was nothing to do, or it could not be done yet."""
        try:
            given = json.loads(self._request.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError):
            given = None
        try:
            name, kept = _read(given)
            changed = await self._intake.change(lambda: self._accounts.plan_reset(name, kept, enable=True))
        except StoreFailed:
            return None  # the disk takes nothing now: at one of the next looks
        except Refusal as refusal:
            write_private(self._refused, json.dumps({"text": str(refusal), "zh": refusal.zh}).encode())
            self._request.unlink(missing_ok=True)
            return None
        self._first.changed(changed.name)
        self._access.looked(changed.who(), "account_change", account=changed.name, change="new_password_command")
        self._request.unlink(missing_ok=True)
        return changed.name


def _read(given: Any) -> tuple[str, str]:
    name, kept = (given.get(key) for key in ("name", "argon2id")) if isinstance(given, dict) else (None, None)
    if not isinstance(name, str) or not isinstance(kept, str) or not kept.startswith("$argon2id$"):
        raise Refusal("bad_request", "the request cannot be read", "请求文件无法读取")
    return normal(name), kept
