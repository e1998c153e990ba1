"""The stand-in's access log: some days of looks at the town's people, read as the API reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from random import Random
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

from webmap.rights import Action, Reach, Who

ZONE = ZoneInfo("Asia/Shanghai")
HOUR = 3_600_000
ACCOUNTS = {"wangli": "leader", "zhou.jie": "dispatcher", "east-seat": "street", "shen": "auditor", "demo": "admin"}
REASONS = [
    "投诉核查",
    "Check of work",
    "投诉 2026-118：商户反映占道经营多日无人处理，核对巡查时间",
    "失去联系",
    "Accident",
    "培训",
]
HOSTILE = '<img src=x onerror="document.title=1">=1+1'


class Looks:
    """``switch(fails=…)`` says what goes wrong; ``asked`` are the queries that came."""

    def __init__(self, roster: Mapping[str, Mapping[str, Any]], now: int) -> None:
        self.names = {unit: str(about["name"]) for unit, about in roster.items()}
        self.fails = ""
        self.asked: list[dict[str, str]] = []
        random, units = Random(7), list(roster)
        self.entries: list[dict[str, Any]] = []
        for number in range(260):
            who = random.choice(list(ACCOUNTS))
            what = random.choice(["track", "track", "nearby", "follow", "trail", "photo", "export", "login"])
            at = now - number * 40 * 60_000 - random.randrange(60_000)
            self._add(who, what, "" if what == "login" else random.choice(units), at, random.choice(REASONS))
        self._add("wangli", "track", units[0], now - 5000, HOSTILE)
        self._add("", "login_refused", "", now - 9000, "", account="nobody-we-know")
        self._add("zhou.jie", "track", "*", now - 12_000, "*")
        self._add("demo", "account_change", "", now - 15_000, "", account="wangli", change="streets")
        self.entries.sort(key=lambda entry: -int(entry["time"]))

    def _add(self, who: str, what: str, unit: str, at: int, reason: str, **about: Any) -> None:
        history = what in ("track", "trail", "nearby")
        removed = unit == "*"
        self.entries.append({
            "id": f"look{len(self.entries):012d}", "time": at, "who": who, "role": ACCOUNTS.get(who, ""), "what": what,
            "unit": None if removed else unit, "name": self.names.get(unit), "removed": removed,
            "reason": reason if unit and not removed and what not in ("follow", "trail", "photo") else "",
            "address": "10.8.0.21",
            "about": {"start": at - 3 * HOUR, "end": at} if history and not removed else about,
        })  # fmt: skip

    def switch(self, **given: Any) -> None:
        self.__dict__.update(given)

    def answer(self, parts: Sequence[str], query: str, who: Who) -> tuple[int, Any]:
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        self.asked.append(asked)
        if self.fails:
            return 503, {"error": {"code": "store", "text": self.fails, "zh": self.fails}}
        own = who.scope(Action.ACCESS_LOG).reach is Reach.OWN
        first, last = (_ms(asked[name]) if name in asked else bound for name, bound in (("from", 0), ("to", 1 << 62)))
        found = [
            {**entry, "address": None if own and entry["who"] != who.name else entry["address"]}
            for entry in self.entries
            if first <= entry["time"] <= last
            and all(asked.get(name, entry[name]) == entry[name] for name in ("who", "unit", "what"))
            and (not own or (entry["unit"] and entry["unit"] == who.unit) or entry["who"] == who.name)
        ]
        if parts[0].endswith(".csv"):
            return 200, b"time,account\r\n"
        start, limit = int(asked.get("after", "0-0").partition("-")[0]), int(asked.get("limit", "100"))
        more = f"{start + limit}-0" if len(found) > start + limit else None
        return 200, {"zone": ZONE.key, "from": first, "to": last, "unreadable": [], "next": more,
                     "entries": found[start : start + limit]}  # fmt: skip


def _ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp() * 1000)
