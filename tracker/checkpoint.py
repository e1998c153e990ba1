"""From the journal to a snapshot and back: the jobs ``snapshot`` and ``states``, and what a start takes from them.

The job reads the snapshot before, what the journal holds since of who is who and of what has happened, and the units'
states from live state, and writes it all down; the server has no part in it. States are written down each hour too,
because reports are so many. A start takes in the snapshot and reads of the journal only what is later: its days before
that may be gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgpack

from storage.archive import snapshots
from storage.archive.chain import Chain
from storage.archive.layout import CLASSES, SNAPSHOTS, Layout, shifted
from storage.archive.snapshots import ENTITY, EVENT, About, Snapshot
from storage.client import Unavailable, stored_states
from tracker import record
from tracker.archive_context import AFTER_MIDNIGHT, Arguments, Context, Result
from tracker.commands_model import Moment
from tracker.ledger import Book, Ledger
from tracker.pipeline import STATE_FIELDS, STATE_FORMAT, UnitState
from tracker.roster import Change

READ_RECORDS = 5000

_packer = msgpack.Packer(use_bin_type=True, autoreset=True)


class Fold:
    """All that is known beside the tracks after so many records. 100,000 cells take some 60 MB: an entity is kept as
    what was last said of it, packed."""

    def __init__(self, now: int, others: Mapping[str, Book]) -> None:
        self._at = Moment(now, 0)
        self._entities: dict[tuple[str, str], bytes] = {}
        self._ledger = Ledger(others=others)

    def take(self, word: str, change: Change) -> None:
        """The next change, in the journal's order."""
        if word == EVENT:
            self._ledger.replay(change, self._at)
            return
        kind, identity, fields = change
        if fields is None:
            self._entities.pop((kind, identity), None)
        else:
            self._entities[kind, identity] = _packer.pack(fields)

    def changes(self) -> Iterator[tuple[str, Change]]:
        """Changes that come to the same, in the order in which things were first heard of."""
        for (kind, identity), packed in self._entities.items():
            yield ENTITY, (kind, identity, msgpack.unpackb(packed, use_list=False, strict_map_key=False))
        for event in self._ledger.events():
            yield EVENT, event


def snapshot(context: Context, arguments: Arguments) -> Result:
    """Write the snapshot of the city day that has ended, if there is none.

    ``upto`` is the last record that is surely in the journal, ``redis`` the URL of live state. While that is away, or
    holds the states of another journal or version, those of the snapshot before are kept. Answers what it holds, and
    ``problems`` with earlier ones.
    """
    chain, folder = context.archive.chains[SNAPSHOTS], context.layout.folder(SNAPSHOTS)
    chain.refresh()
    day = shifted(context.archive.days.day_of(context.now - AFTER_MIDNIGHT), -1)
    problems: list[str] = []
    journal, _ = context.journal.newest()
    before = snapshots.newest(folder, problems.append, journal=journal)
    for half in folder.glob("*.new"):
        half.unlink()  # its writer was killed
    if not journal or f"{day}{snapshots.ENDING}" in chain.files():
        return {"day": day, "made": False, "problems": problems}
    upto = int(arguments["upto"])
    fold = Fold(context.now, context.books(context.archive.days.day_of))
    first = 1
    if before is not None:
        first = before.about.last + 1
        for word, change in before.changes():
            fold.take(word, change)
    for word, change in _since(context, first, upto):
        fold.take(word, change)
    states_last, fields, states = _states(context, str(arguments["redis"]), journal, before, problems)
    about = About(journal, day, context.now, max(first - 1, upto), states_last, fields)
    sealed = snapshots.write(folder, about, states, fold.changes())
    chain.append("day", day, context.now, files=[sealed])
    return {
        "day": day, "made": True, "last": about.last, "states_last": states_last, "rows": sealed.rows,
        "bytes": sealed.bytes, "problems": problems,
    }  # fmt: skip


def states(context: Context, arguments: Arguments) -> Result:
    """Write down the units' states as they are in live state, so that a start without one has an hour of reports to
    read and not a day. ``redis`` is its URL. Answers whether there was something to write, and ``problems``."""
    problems: list[str] = []
    missing: list[str] = []
    journal, _ = context.journal.newest()
    before = _hourly(context.layout, journal, problems.append)
    last, fields, packed = _states(context, str(arguments["redis"]), journal, before, missing)
    if not journal or missing:
        return {"made": False, "problems": problems + missing}
    path = context.layout.states
    about = About(journal, context.archive.days.day_of(context.now), context.now, 0, last, fields)
    sealed = snapshots.write(path.parent, about, packed, (), name=path.name)
    return {"made": True, "states_last": last, "rows": sealed.rows, "bytes": sealed.bytes, "problems": problems}


def _hourly(layout: Layout, journal: str, told: Callable[[str], Any]) -> Snapshot | None:
    """The states that :func:`states` wrote last, of this journal if one is named."""
    try:
        found = snapshots.read(layout.states)
    except FileNotFoundError:
        return None
    except snapshots.SnapshotDamaged as error:
        told(str(error))
        return None
    return found if journal in ("", found.about.journal) else None


def _since(context: Context, first: int, upto: int) -> Iterator[tuple[str, Change]]:
    words = {record.ENTITY: ENTITY, record.EVENT: EVENT}
    start = first
    while batches := context.journal.read(first, READ_RECORDS, last=upto, rare=True):
        for batch in batches:
            for number, each in enumerate(batch.records, batch.first):
                if start <= number <= upto and each[0] in words and not record.is_access(each):
                    yield words[each[0]], (each[2], each[3], each[4])
        first = batches[-1].last + 1
        context.tell({"read": first - 1, "of": upto})


def _states(
    context: Context, url: str, journal: str, before: Snapshot | None, problems: list[str]
) -> tuple[int, tuple[str, ...], Iterable[bytes]]:  # fmt: skip
    """The states to write, the names of their fields, and the last record that is in them."""
    kept = before.about.states_last if before is not None else 0
    try:
        name, last, packed = stored_states(url)
    except Unavailable as error:
        problems.append(f"live state does not answer ({type(error).__name__}): its states are those of record {kept}")
    else:
        # A store that is being written anew is behind what was kept; one that is ahead holds what was never promised.
        if name == f"{journal}:{STATE_FORMAT}" and kept <= last <= context.journal.newest()[1]:
            return last, STATE_FIELDS, packed
        problems.append(f"live state is not in step: its states are those of record {kept}")
    if before is None:
        return 0, STATE_FIELDS, ()
    return kept, before.about.fields, map(_packer.pack, before.states())


class Kept:
    """What the archive knows of the journal and of live state, for a start. ``told`` hears of snapshots that cannot be
    used. Raises :class:`~storage.archive.snapshots.SnapshotNewer`."""

    def __init__(self, layout: Layout, told: Callable[[str], Any]) -> None:
        self._layout = layout
        self._told = told
        found = [each.about for each in (self.newest(""), _hourly(layout, "", told)) if each is not None]
        numbers = [run.last for run in layout.runs()]
        if not numbers:
            # A number that closed days have seen must not come again: what came late under it would not count.
            numbers = [entry.upto for kind in CLASSES for entry in Chain(layout.chain(kind)).entries]
        numbers += [number for about in found for number in (about.last, about.states_last)]
        self.floor = (found[0].journal if found else "", max(numbers, default=0))
        """The journal's id, and the last of its records that was heard of."""

    def newest(self, journal: str) -> Snapshot | None:
        """The newest snapshot of this journal."""
        return snapshots.newest(self._layout.folder(SNAPSHOTS), self._told, journal=journal)

    def states(self, journal: str) -> tuple[int, list[UnitState]]:
        """The units' states as they were kept last, and up to which record; none up to record 0 without."""
        kept = [each for each in (self.newest(journal), _hourly(self._layout, journal, self._told)) if each is not None]
        if not kept:
            return 0, []
        found = max(kept, key=lambda each: each.about.states_last)
        return found.about.states_last, [UnitState.of(found.about.fields, row) for row in found.states()]
