"""Notices (今日提示): something that everybody of a street or team should know today, and who has read it. A pure core.

Times are ms. Events are ``("notice", id, fields)``; the head names nobody, every other one a single unit, so that one
person's can be taken out of the journal.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from tracker.model import UnitId
from tracker.refusal import Change, Refusal

NOTICE = "notice"
"""The type of the events."""
TEXT = 500
"""Characters: what is read standing in the rain."""
UNITS = 5000
"""Of one notice: everybody of a large city."""
KEPT = 100
"""Notices that can be asked for, some 300 bytes for each unit: 150 MB at the very most; the journal has all of them."""
LONGEST = 31 * 86_400_000


@dataclass(slots=True)
class Receipt:
    """When a notice was shown to somebody, and when he said that he has read it; 0 for not yet."""

    delivered: int = 0
    read: int = 0


@dataclass(slots=True)
class Notice:
    """``until``: after that nobody is shown it any more. ``about``: whom it was meant for, in words of the asker."""

    id: str
    by: str
    at: int
    until: int
    text: str
    about: Mapping[str, str]
    units: dict[UnitId, Receipt] = field(default_factory=dict)

    def unread(self, unit: UnitId, now: int) -> bool:
        receipt = self.units.get(unit)
        return receipt is not None and not receipt.read and now < self.until


class NoticeBook:
    """The last notices."""

    def __init__(self, *, kept: int = KEPT) -> None:
        self._kept = kept
        self._notices: OrderedDict[str, Notice] = OrderedDict()

    # -- looking

    def get(self, id: str) -> Notice | None:
        return self._notices.get(id)

    def all(self) -> list[Notice]:
        """The newest first."""
        return list(reversed(self._notices.values()))

    def to_send(self, unit: UnitId, now: int) -> list[Notice]:
        """What a unit has not read, the oldest first."""
        return [notice for notice in self._notices.values() if notice.unread(unit, now)]

    # -- judging

    def plan(
        self, id: str, text: str, units: Iterable[UnitId], about: Mapping[str, str], until: int, by: str, now: int
    ) -> list[Change]:
        """A new notice. Raises Refusal."""
        named = list(dict.fromkeys(units))
        if not text.strip() or len(text) > TEXT:
            raise Refusal("bad_text", f"text must have 1 to {TEXT} characters", f"内容须为 1 至 {TEXT} 字")
        if not now < until <= now + LONGEST:
            raise Refusal("bad_until", "until must lie ahead, within 31 days", "截止时间须在今后 31 天之内")
        if not 0 < len(named) <= UNITS:
            text = f"this is meant for {len(named)} units; it must be 1 to {UNITS}"
            raise Refusal(
                "nobody" if not named else "too_many", text, f"接收对象为 {len(named)} 个，须为 1 至 {UNITS} 个"
            )
        if id in self._notices:
            return []
        head = {"what": "new", "by": by, "at": now, "until": until, "text": text.strip(), "about": dict(about)}
        return [(NOTICE, id, head), *((NOTICE, id, {"what": "to", "at": now, "unit": unit}) for unit in named)]

    def plan_shown(self, id: str, unit: UnitId, now: int) -> list[Change]:
        """A device has it. Nothing if that is known."""
        receipt = self._receipt(id, unit)
        if receipt is None or receipt.delivered:
            return []
        return [(NOTICE, id, {"what": "shown", "at": now, "unit": unit})]

    def plan_read(self, id: str, unit: UnitId, now: int) -> list[Change]:
        """Its person has read it."""
        receipt = self._receipt(id, unit)
        if receipt is None or receipt.read:
            return []
        return [(NOTICE, id, {"what": "read", "at": now, "unit": unit})]

    def _receipt(self, id: str, unit: UnitId) -> Receipt | None:
        notice = self._notices.get(id)
        return None if notice is None else notice.units.get(unit)

    # -- the journal

    def replay(self, event: Change) -> None:
        """It is in the journal."""
        _, id, fields = event
        assert fields is not None
        if fields["what"] == "new":
            self._notices[id] = Notice(id, fields["by"], fields["at"], fields["until"], fields["text"], fields["about"])
            while len(self._notices) > self._kept:
                self._notices.popitem(last=False)
            return
        notice = self._notices.get(id)
        if notice is None:
            return
        receipt = notice.units.setdefault(UnitId(fields["unit"]), Receipt())
        if fields["what"] == "shown":
            receipt.delivered = fields["at"]
        elif fields["what"] == "read":
            receipt.delivered = receipt.delivered or fields["at"]
            receipt.read = fields["at"]

    def events(self) -> Iterator[Change]:
        """What :meth:`replay` makes this book of again."""
        for notice in self._notices.values():
            head = {"what": "new", "by": notice.by, "at": notice.at, "until": notice.until, "text": notice.text,
                    "about": dict(notice.about)}  # fmt: skip
            yield NOTICE, notice.id, head
            for unit, receipt in notice.units.items():
                yield NOTICE, notice.id, {"what": "to", "at": notice.at, "unit": unit}
                if receipt.delivered:
                    yield NOTICE, notice.id, {"what": "shown", "at": receipt.delivered, "unit": unit}
                if receipt.read:
                    yield NOTICE, notice.id, {"what": "read", "at": receipt.read, "unit": unit}

    def forget(self, unit: UnitId) -> None:
        """Know nothing of a unit any more."""
        for notice in self._notices.values():
            notice.units.pop(unit, None)
