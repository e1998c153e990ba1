"""Who looked at whom: what of a person's data is shown to whom is on record, with when and why.

An entry is an event of type ``access`` in the journal. From there it goes into the archive's class of that name, into
its chain, and away when its days are over; the state of the city does not depend on it.

What shows where somebody has been leaves this machine only when its entry is on disk (:meth:`Access.record`): while
the disk takes no entry, no track is shown. What is live or done already is noted behind it (:meth:`Access.looked`),
because nobody's work on the street may wait for the log; what could not be noted is counted.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from storage.journal import JournalFull
from tracker.access_log import AccessLog
from tracker.intake import Intake
from tracker.record import ACCESS, MASK
from tracker.roster import Change, Refusal
from webmap.rights import Who

REASON_LIMIT = 500
"""Characters of a reason."""
AGAIN_MS = 60_000
"""The same question again within this time is the same look: the pages of one answer, a page that is loaded anew."""
EACH = frozenset({"change", "account_change", "grant"})
"""Deeds: two that are alike are two."""
OWN = frozenset({"track", "trail", "nearby", "photo", "follow"})
"""What is no look at anybody when it is one's own."""
RECENT_LIMIT = 10_000
"""Looks that are remembered for that; the oldest are forgotten first, and would be a second entry."""
ADDRESS_LIMIT = 45
"""Characters of the longest address."""

_FAR = 1 << 62
"""ms: times may be asked for that no number of the journal holds."""
_log = Logger(namespace="gridbeat.access")


class Access:
    """Writes the entries; ``log`` reads them. ``failed`` counts those that the disk did not take."""

    def __init__(self, intake: Intake, log: AccessLog) -> None:
        self._intake = intake
        self.log = log
        self._recent: OrderedDict[tuple[Any, ...], tuple[int, int, int]] = OrderedDict()
        """What was asked -> when it was noted, and the span of time that it was about."""
        self.failed = 0

    def looked(
        self, who: Who, what: str, unit: str = "", reason: str = "", address: str = "", **about: str | int
    ) -> None:
        """Note a look or a deed; never raises. ``what`` is one of the words in docs/archive.md, ``about`` what belongs
        to it: ``start`` and ``end`` of the time in question (ms), ids. No coordinates, and no names but ids."""
        self._note(self._fresh([(who, what, unit, reason, address, about)]), lambda first: None)

    async def record(
        self, who: Who, what: str, units: Sequence[str], reason: str = "", address: str = "", **about: str | int
    ) -> None:
        """The same of one or several units, on disk when this returns. Raises :class:`~tracker.roster.Refusal`
        ``no_record``: then nothing may be shown."""
        entries = self._fresh([(who, what, unit, reason, address, about) for unit in units])
        if not entries:
            return
        written: Deferred[int | None] = Deferred()
        self._note(entries, written.callback)
        if await written is None:
            text = "this look cannot be put on record now, so nothing is shown; try again"
            raise Refusal("no_record", text, "暂时无法记录本次查看，因此不予显示，请稍后重试")

    def _fresh(self, looks: Sequence[tuple[Who, str, str, str, str, Mapping[str, str | int]]]) -> list[_Entry]:
        """Those that are not on record already."""
        now, leaving = self._intake.wall(), self._intake.roster.leaving
        entries = []
        for who, what, unit, reason, address, about in looks:
            if unit and unit == who.unit and what in OWN:
                continue
            if unit in leaving:  # all that names it goes, and this would come after that
                unit, reason, about = MASK, MASK, {}
            about = {
                name: value if isinstance(value, str) else max(-_FAR, min(value, _FAR)) for name, value in about.items()
            }
            rest = tuple(sorted((name, value) for name, value in about.items() if name not in ("start", "end")))
            key = (who.name, who.session, what, unit, reason, address, rest)
            start, end = int(about.get("start", 0)), int(about.get("end", 0))
            at, first, last = self._recent.get(key, (-AGAIN_MS, 0, 0))
            # "Until now" is later each time it is asked.
            if what not in EACH and 0 <= now - at < AGAIN_MS and first - AGAIN_MS <= start and end <= last + AGAIN_MS:
                continue
            fields: dict[str, Any] = {"who": who.name, "role": str(who.role), "unit": unit, "what": what}
            fields |= {"reason": reason[:REASON_LIMIT], "address": address[:ADDRESS_LIMIT], "about": about}
            entries.append(_Entry(key, (now, start, end), (ACCESS, secrets.token_urlsafe(12), fields)))
        return entries

    def _note(self, entries: Sequence[_Entry], done: Any) -> None:
        if not entries:
            return

        def written(first: int | None) -> None:
            if first is None:
                self._lost(len(entries))
            else:
                for entry in entries:
                    self._recent.pop(entry.key, None)
                    self._recent[entry.key] = entry.span
                while len(self._recent) > RECENT_LIMIT:
                    self._recent.popitem(last=False)
            done(first)

        try:
            self._intake.note([entry.event for entry in entries], written)
        except (JournalFull, TypeError, ValueError, OverflowError):
            self._lost(len(entries))
            done(None)

    def _lost(self, number: int) -> None:
        if not self.failed:
            _log.error("looks at people's data cannot be put on record: the disk does not take them")
        self.failed += number


class _Entry:
    """One on its way to the disk."""

    __slots__ = ("event", "key", "span")

    def __init__(self, key: tuple[Any, ...], span: tuple[int, int, int], event: Change) -> None:
        self.key, self.span, self.event = key, span, event


def reason_of(request: Any, who: Who, unit: str, body: Any = None) -> str:
    """Why somebody wants to see what is another one's: the parameter ``reason``, or that field of a JSON ``body``. One
    needs none for one's own; ``unit`` is empty for many. Raises :class:`~tracker.roster.Refusal`."""
    given = body.get("reason") if isinstance(body, dict) else None
    if given is None:
        given = (request.args.get(b"reason") or [b""])[0].decode("utf-8", "replace")
    # JSON can spell half a character, which the journal cannot hold.
    reason = " ".join(given.encode("utf-8", "replace").decode().split()) if isinstance(given, str) else ""
    if (not reason and not (unit and unit == who.unit)) or len(reason) > REASON_LIMIT:
        text = f"say why you look at another one's data: reason, up to {REASON_LIMIT} characters, goes on record"
        raise Refusal("no_reason", text, f"查看他人数据须写明原因（reason，最多 {REASON_LIMIT} 字），并将记录在案")
    return reason


def address_of(request: Any) -> str:
    """Where a request came from."""
    return str(request.getClientAddress().host)
