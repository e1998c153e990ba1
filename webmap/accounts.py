"""Accounts: who may sign in, as what, and for which part of the city. A pure core beside the roster.

A change is asked for with a ``plan_*`` method, as in :mod:`tracker.roster`, and taken in by :meth:`Accounts.apply`
when it is in the journal. Of passwords it holds argon2id hashes and nothing else.
"""

from __future__ import annotations

import unicodedata
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from tracker.model import UnitId
from tracker.record import ACCOUNT
from tracker.roster import Change, Refusal, Roster
from webmap.rights import NOBODY, Action, Role, Who

NAME_LIMIT = 64
LABELS_LIMIT = 200
"""Streets or teams of one account."""


@dataclass(frozen=True, slots=True)
class Account:
    """``name`` is what one signs in with, in lower case. ``unit``: the person that it is of, or empty. ``streets`` and
    ``teams`` narrow what its role reaches. ``password`` is an argon2id hash, ``totp`` a sealed secret or empty;
    ``serial`` grows with everything that ends its sessions. ``must_change``: the password was made for somebody, who
    may do nothing but choose another. ``recovery``: HMACs of the recovery codes that are left."""

    name: str
    role: Role
    password: str
    unit: UnitId = NOBODY
    streets: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    totp: str = ""
    disabled: bool = False
    serial: int = 0
    must_change: bool = False
    recovery: tuple[str, ...] = ()

    def who(self, session: str = "") -> Who:
        return Who(self.name, self.role, self.unit, frozenset(self.streets), frozenset(self.teams), session)


class Accounts:
    """All accounts by name; a register of the roster's (:class:`tracker.roster.Register`)."""

    kinds = (ACCOUNT,)

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self.by_name: dict[str, Account] = {}
        self.version = 0
        self._listeners: list[Callable[[str], None]] = []

    def listen(self, listener: Callable[[str], None]) -> None:
        """Have the names of accounts told that have changed or are gone."""
        self._listeners.append(listener)

    def get(self, name: str) -> Account | None:
        return self.by_name.get(normal(name))

    # -- judging

    def plan_new(
        self, wanted: Mapping[str, Any], password: str, *, must_change: bool = False
    ) -> tuple[Account, list[Change]]:
        """An account; ``password`` is the hash."""
        name = _name(wanted.get("name"))
        if name in self.by_name:
            raise Refusal("exists", "there is an account of this name already", "已有同名账号")
        # A number of its own to begin with: no session of an earlier account of this name is one of this.
        serial = zlib.crc32(password.encode())
        new = Account(name, Role.COLLECTOR, password, serial=serial, must_change=must_change)
        return self._planned(self._amended(new, wanted, ("role",)))

    def plan_change(self, name: str, wanted: Mapping[str, Any]) -> tuple[Account, list[Change]]:
        """Change role, person, streets, teams, or whether it may sign in; its sessions end."""
        account = self.known(name)
        changed = self._amended(account, wanted)
        if changed == account:
            return account, []
        self._keep_an_admin(account, changed)
        return self._planned(replace(changed, serial=account.serial + 1))

    def plan_password(
        self, name: str, password: str, former: str | None = None, *, must_change: bool = False
    ) -> tuple[Account, list[Change]]:
        """Another hash, instead of ``former`` if that is named; its sessions end."""
        account = self.known(name)
        if former is not None and former != account.password:
            raise Refusal("changed", "the password was changed meanwhile: sign in again", "密码已被更改，请重新登录")
        return self._planned(replace(account, password=password, must_change=must_change, serial=account.serial + 1))

    def plan_totp(self, name: str, totp: str, recovery: tuple[str, ...]) -> tuple[Account, list[Change]]:
        """Another sealed secret and its recovery codes, or neither; its sessions end."""
        account = self.known(name)
        return self._planned(replace(account, totp=totp, recovery=recovery, serial=account.serial + 1))

    def plan_reset(self, name: str, password: str, *, enable: bool = False) -> tuple[Account, list[Change]]:
        """A password made for somebody who has lost the own one or the second factor; ``enable`` lets a disabled
        account in again."""
        account = self.known(name)
        changed = replace(
            account, password=password, must_change=True, totp="", recovery=(), serial=account.serial + 1,
            disabled=account.disabled and not enable,
        )  # fmt: skip
        return self._planned(changed)

    def plan_recovery(self, name: str, used: str) -> tuple[Account, list[Change]]:
        """A recovery code is used: once. Its sessions go on."""
        account = self.known(name)
        if used not in account.recovery:
            raise Refusal("bad_login", "this recovery code was used", "该恢复码已使用")
        left = tuple(one for one in account.recovery if one != used)
        return self._planned(replace(account, recovery=left))

    def plan_removal(self, name: str) -> tuple[None, list[Change]]:
        account = self.known(name)
        self._keep_an_admin(account, None)
        return None, [(ACCOUNT, account.name, None)]

    def known(self, name: str) -> Account:
        account = self.get(name)
        if account is None:
            raise Refusal("no_account", "there is no such account", "没有这个账号")
        return account

    def _keep_an_admin(self, account: Account, changed: Account | None) -> None:
        stays = changed is not None and _manages(changed)
        if not stays and not any(_manages(a) for a in self.by_name.values() if a.name != account.name):
            text = "this is the last account that can manage accounts: make another admin first"
            raise Refusal("last_admin", text, "这是最后一个管理员账号，请先设立另一个管理员")

    def _amended(self, account: Account, wanted: Mapping[str, Any], needed: tuple[str, ...] = ()) -> Account:
        """The account with what ``wanted`` names of role, unit, streets, teams and disabled."""
        values: dict[str, Any] = {}
        if "role" in wanted or "role" in needed:
            try:
                values["role"] = Role(str(wanted.get("role")))
            except ValueError:
                known = ", ".join(Role)
                raise Refusal("bad_role", f"role must be one of {known}", f"role 须为 {known} 之一") from None
        if "unit" in wanted:
            unit = str(wanted["unit"] or "")
            if unit and unit not in self._roster.units:
                raise Refusal("no_unit", "there is no such person", "没有这个人员")
            values["unit"] = UnitId(unit)
        for key in ("streets", "teams"):
            if key in wanted:
                values[key] = _labels(wanted[key], key)
        if "disabled" in wanted:
            if type(wanted["disabled"]) is not bool:
                raise Refusal("bad_disabled", "disabled must be true or false", "disabled 须为 true 或 false")
            values["disabled"] = wanted["disabled"]
        changed: Account = replace(account, **values)
        if changed.role is Role.STREET and not changed.streets and not changed.teams:
            raise Refusal("no_streets", "a street seat needs streets or teams", "街道席位须指定街道或队伍")
        return changed

    def _planned(self, account: Account) -> tuple[Account, list[Change]]:
        return account, [(ACCOUNT, account.name, {**asdict(account), "role": str(account.role)})]

    # -- taking in

    def apply(self, change: Change) -> None:
        _, name, fields = change
        self.version += 1
        if fields is None:
            self.by_name.pop(name, None)
        else:
            labels = {key: tuple(fields.get(key, ())) for key in ("streets", "teams", "recovery")}
            self.by_name[name] = Account(**{**fields, **labels, "role": Role(fields["role"])})
        for listener in self._listeners:
            listener(name)

    def changes(self) -> Iterable[Change]:
        for account in self.by_name.values():
            yield from self._planned(account)[1]

    def remove(self, unit: UnitId) -> list[Change]:
        """A person's data is being removed: the accounts stay without a person; their names are removed by hand."""
        anew: list[Change] = []
        for name, account in self.by_name.items():
            if account.unit == unit:
                self.by_name[name], changes = self._planned(replace(account, unit=NOBODY))
                anew += changes
        return anew


def _manages(account: Account) -> bool:
    """Whether it can make and change accounts; one that is narrowed to streets or teams cannot."""
    return not account.disabled and account.who().may(Action.ACCOUNTS)


def normal(name: str) -> str:
    """A name as it is looked up: however it was typed."""
    return unicodedata.normalize("NFKC", name).strip().lower()


def _name(given: Any) -> str:
    name = normal(given) if isinstance(given, str) else ""
    if not 0 < len(name) <= NAME_LIMIT or not name.isprintable() or any(c.isspace() or c in ":/\\" for c in name):
        text = f"name must be 1 to {NAME_LIMIT} characters without spaces, colons and slashes"
        raise Refusal("bad_name", text, f"账号名须为 1 至 {NAME_LIMIT} 个字符，不含空格、冒号和斜杠")
    return name


def _labels(given: Any, key: str) -> tuple[str, ...]:
    if not isinstance(given, list) or len(given) > LABELS_LIMIT or not all(isinstance(one, str) for one in given):
        text = f"{key} must be a list of up to {LABELS_LIMIT} names"
        raise Refusal(f"bad_{key}", text, f"{key} 须为至多 {LABELS_LIMIT} 个名称的列表")
    return tuple(dict.fromkeys(one.strip()[:100] for one in given if one.strip()))
