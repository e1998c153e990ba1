"""Snapshot and tail come to what the whole journal comes to, whatever happened, in whatever order, cut anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.exceptions import ConnectionError as NoConnection

from storage.archive import snapshots
from storage.archive.layout import SNAPSHOTS
from storage.client import Client
from storage.journal import Journal
from tests.reactor import run
from tests.storage.helpers import DAY, Hands
from tests.tracker.archive_house import HOUR, ArchiveHouse
from tests.tracker.helpers import LAT, LON, NO_AREAS, NOON, record, square
from tracker import checkpoint
from tracker.checkpoint import Kept
from tracker.commands_model import KINDS, Command, Moment, Outcome, State
from tracker.device_plans import plan_token
from tracker.intake import Intake
from tracker.ledger import Ledger
from tracker.media import Photo
from tracker.model import DeviceId, UnitId
from tracker.pipeline import STATE_FIELDS, STATE_FORMAT, Pipeline, UnitState
from tracker.record import ENTITY, EVENT, REPORT
from tracker.roster import Change, Refusal, Roster
from tracker.store import RedisLiveStore, Update
from tracker.tokens import hashed

REDIS = "unix:///nowhere"


class Town:
    """A city that things happen in, each judged as the server judges it; what is journalled goes to the house."""

    def __init__(self, house: ArchiveHouse) -> None:
        self.house = house
        self.roster = Roster()
        self.open: list[Command] = []
        self.photos = 0
        self.number = 0
        self.at = house.now

    def change(self, changes: list[Change]) -> None:
        for change in changes:
            self.roster.apply(change)
        self.house.bench.write(*((ENTITY, self.house.now, *change) for change in changes), rare=True)

    def event(self, *events: Change) -> None:
        self.house.bench.write(*((EVENT, self.house.now, *event) for event in events), rare=True)

    def devices(self) -> list[str]:
        return [*self.roster.devices] or ["d0"]

    def do(self, what: str, number: int) -> None:
        self.number += 1
        with_number = getattr(self, what)
        with suppress(Refusal):  # then nothing is journalled, as it is with the server
            with_number(number)

    def register(self, number: int) -> None:
        units = [*self.roster.units]
        wish: dict[str, Any] = {"protocol": "handheld", "external_id": f"h{number}", "name": f"n{number}"}
        if units and number % 3 == 0:
            wish["unit"] = units[number % len(units)]
        self.change(self.roster.plan_device(wish)[1])

    def amend(self, number: int) -> None:
        device = DeviceId(self.devices()[number % len(self.devices())])
        if number % 2:
            self.change(plan_token(self.roster, device, hashed(str(number)))[1])
        else:
            self.change(self.roster.plan_amendment(device, {"lenient": bool(number % 4)})[1])

    def rename(self, number: int) -> None:
        units = [*self.roster.units] or ["p7"]
        self.change(self.roster.plan_units([{"id": units[number % len(units)], "name": f"renamed {self.number}"}]))

    def area(self, number: int) -> None:
        west = 117 + number / 100
        self.change(self.roster.plan_areas([square(f"g{number % 5}", "grid", west, 30, west + 0.01, 31)]))

    def no_area(self, number: int) -> None:
        self.change([("area", f"g{number % 5}", None)])

    def ask(self, number: int) -> None:
        device, kind = self.devices()[number % len(self.devices())], [*KINDS][number % len(KINDS)]
        arguments = {"count": 1 + number % 2, "channel": 1} if kind == "photo" else {"text": "去看看"}
        asked = [
            Command(f"c{self.number}.{n}", DeviceId(device), kind, arguments, self.at, self.at + DAY)
            for n in range(1 + number % 3)
        ]
        self.open += asked
        self.event(*(("command", command.id, command.created_fields()) for command in asked))

    def end(self, number: int) -> None:
        if self.open:
            command = self.open.pop(number % len(self.open))
            command.outcome = Outcome([State.DONE, State.EXPIRED, State.CANCELLED][number % 3], None, "t", "文")
            command.sent, command.tries, command.result = self.at, number, {"seen": number}
            self.event(("command", command.id, command.outcome_fields()))

    def photo(self, number: int) -> None:
        self.photos += 1
        asked = [command.id for command in self.open if command.kind == "photo"]
        command = asked[number % len(asked)] if asked and number % 4 else None
        device = DeviceId(self.devices()[number % len(self.devices())])
        photo = Photo(
            f"f{self.photos}", device, UnitId("p1"), command, number, 1, 0, None, self.at, 9, "image/jpeg",
            f"{number}.jpg",
        )  # fmt: skip
        self.event(("photo", photo.id, photo.fields()))

    def report(self, number: int) -> None:
        made = []
        for back in range(1 + number % 4):
            self.at += 1000
            late = 5000 if number % 7 == 0 else 0
            made.append(
                record(
                    self.at - late, LAT + number * 100 + back, LON, unit=f"p{number % 3}", device=f"d{number % 5}",
                    alarm=number % 2, server_time=self.at, device_time=self.at - number, marks=2 * (number % 2),
                )
            )  # fmt: skip
        if number % 5 == 0:
            made.append(made[0])
        self.house.put(*made)


HAPPENINGS = [
    name for name in vars(Town) if not name.startswith("_") and name not in ("change", "event", "do", "devices")
]
happenings = st.lists(st.tuples(st.sampled_from(HAPPENINGS), st.integers(0, 99)), max_size=25)


def started(house: ArchiveHouse, *, whole: bool) -> tuple[Intake, Ledger]:
    """A server's start over this folder, with the snapshots or as if there were none."""
    hands: Any = Hands()
    kept = Kept(house.archive.layout, pytest.fail)
    journal = Journal(house.data / "journal", hands, hands, lambda: house.now, floor=kept.floor)
    intake, ledger = Intake(journal, lambda: house.now), Ledger()
    at = Moment(house.now, 0)
    lost = intake.replay(lambda event: ledger.replay(event, at), None if whole else kept.newest(journal.id))
    assert not lost
    return intake, ledger


def known(intake: Intake, ledger: Ledger) -> dict[str, Any]:
    """All that there is to see of it, in its order."""
    roster, book, photos = intake.roster, ledger.commands, ledger.photos
    devices = [*roster.devices, DeviceId("d0")]
    return {
        "roster": {name: value for name, value in vars(roster).items() if name not in UNSEEN},
        "carriers": {device: roster.carrier(device) for device in roster.devices},
        "carried": [[device.id for device in roster.devices_of(unit)] for unit in roster.units],
        "commands": [plain(command) for device in devices for command in book.of(device, 1000)],
        "ended": [plain(command) for command in book._ended.values()],
        "open": [*book._open],
        "held": book._held,
        "decided": [*book._decided],
        "timer": book.get_timer(),
        "photos": [*photos.all()],
        "photos of": [photos.of(device, 1000) for device in devices],
    }  # fmt: skip


UNSEEN = ("version", "labels_version", "areas_version", "duty_version", "_carriers")


def plain(command: Command) -> dict[str, Any]:
    return {name: getattr(command, name) for name in Command.__slots__ if name != "coming"}


def judged(journal: Journal, line: Pipeline, first: int, last: int) -> dict[str, bytes]:
    for batch in journal.read(1, 1 << 30):
        for number, each in enumerate(batch.records, batch.first):
            if each[0] == REPORT:
                if first <= number <= last:
                    line.take(each)
                elif number < first:
                    line.remember(each)
    return {unit: state.pack() for unit, state in line.states.items()}


def in_store(house: ArchiveHouse, monkeypatch: pytest.MonkeyPatch, last: int) -> None:
    """What live state holds: the states after ``last`` records."""
    states = judged(house.bench.journal, Pipeline(lambda: NO_AREAS), 1, last)
    name = f"{house.bench.journal.id}:{STATE_FORMAT}"
    monkeypatch.setattr(checkpoint, "stored_states", lambda url: (name, last, [*states.values()]))


@settings(max_examples=60)
@given(stretches=st.lists(st.tuples(happenings, st.integers(0, 30), st.integers(0, 4)), min_size=1, max_size=4))
def test_snapshot_and_tail_come_to_what_the_whole_journal_comes_to(stretches: list[tuple[Any, int, int]]) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as monkeypatch:
        house = ArchiveHouse(Path(folder), NOON)
        town = Town(house)
        for happened, behind, early in stretches:
            for what, number in happened:
                town.do(what, number)
            house.now += DAY
            upto = house.bench.journal.last
            in_store(house, monkeypatch, max(0, upto - behind))  # live state may be behind the journal
            house.do("snapshot", upto=max(0, upto - early), redis=REDIS)  # and a commit may be cut in two
        for what, number in stretches[0][0]:
            town.do(what, number + 1)
        assert known(*started(house, whole=False)) == known(*started(house, whole=True))
        journal = house.bench.journal
        last, states = Kept(house.archive.layout, pytest.fail).states(journal.id)
        line = Pipeline(lambda: NO_AREAS)
        line.begin(states)
        assert judged(journal, line, last + 1, journal.last) == judged(
            journal, Pipeline(lambda: NO_AREAS), 1, journal.last
        )
        house.bench.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[ArchiveHouse]:
    made = ArchiveHouse(tmp_path / "data", NOON)
    yield made
    made.bench.close()


@pytest.fixture
def town(house: ArchiveHouse) -> Town:
    made = Town(house)
    for what, number in [("register", 1), ("register", 2), ("report", 1), ("report", 2), ("ask", 0), ("photo", 1)]:
        made.do(what, number)
    return made


def away(url: str) -> Any:
    raise NoConnection


def test_a_snapshot_is_made_once_a_day_and_stands_in_the_chain(
    house: ArchiveHouse, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = house.bench.journal.last
    in_store(house, monkeypatch, last)
    done = house.do("snapshot", upto=last, redis=REDIS)
    assert done == {"day": "2026-11-22", "made": True, "last": last, "states_last": last, "rows": done["rows"],
                    "bytes": done["bytes"], "problems": []}  # fmt: skip
    (entry,) = house.archive.chains[SNAPSHOTS].entries
    assert (entry.kind, entry.day, entry.made, entry.upto) == ("day", "2026-11-22", house.now, 0)
    assert [(file.name, file.bytes, file.rows) for file in entry.files] == [
        ("2026-11-22.snapshot", done["bytes"], done["rows"])
    ]
    assert house.do("snapshot", upto=last, redis=REDIS) == {"day": "2026-11-22", "made": False, "problems": []}
    house.now += DAY
    assert house.do("snapshot", upto=last, redis=REDIS)["made"]
    assert [entry.day for entry in house.archive.chains[SNAPSHOTS].entries] == ["2026-11-22", "2026-11-23"]


def test_the_day_is_the_citys_and_begins_when_the_last_has_been_heard_of(
    house: ArchiveHouse, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_store(house, monkeypatch, 1)
    house.now = NOON + 4 * HOUR + checkpoint.AFTER_MIDNIGHT - 1  # midnight in Shanghai, and nearly half an hour
    assert house.do("snapshot", upto=1, redis=REDIS)["day"] == "2026-11-22"
    house.now += 1
    assert house.do("snapshot", upto=1, redis=REDIS)["day"] == "2026-11-23"


def test_without_a_journal_there_is_nothing_to_write(house: ArchiveHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "stored_states", away)
    assert not house.do("snapshot", upto=0, redis=REDIS)["made"]
    assert Kept(house.archive.layout, pytest.fail).floor == ("", 0)


def test_what_was_not_promised_yet_is_not_in(house: ArchiveHouse, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may see records of a commit whose sync failed, and that is undone."""
    upto = house.bench.journal.last
    town.do("register", 3)
    in_store(house, monkeypatch, upto)
    assert house.do("snapshot", upto=upto, redis=REDIS)["last"] == upto
    found = Kept(house.archive.layout, pytest.fail).newest(house.bench.journal.id)
    assert found is not None
    assert "d3" not in {identity for _, (_, identity, _) in found.changes()}


@pytest.mark.parametrize("how", ["away", "another journal", "another version", "ahead", "behind"])
def test_states_that_cannot_be_had_are_those_of_the_day_before(
    house: ArchiveHouse, town: Town, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    last = house.bench.journal.last
    in_store(house, monkeypatch, last)
    house.do("snapshot", upto=last, redis=REDIS)
    before = {
        state.unit: state.pack() for state in Kept(house.archive.layout, pytest.fail).states(house.bench.journal.id)[1]
    }
    assert before
    town.do("report", 1)
    house.now += DAY
    name = f"{house.bench.journal.id}:{STATE_FORMAT}"
    answers: dict[str, Any] = {
        "another journal": (f"k:{STATE_FORMAT}", last, [b"?"]),
        "another version": (f"{house.bench.journal.id}:0", last, [b"?"]),
        "ahead": (name, last + 1000, [b"?"]),
        "behind": (name, last - 1, [b"?"]),
    }  # fmt: skip
    monkeypatch.setattr(checkpoint, "stored_states", away if how == "away" else lambda url: answers[how])
    done = house.do("snapshot", upto=house.bench.journal.last, redis=REDIS)
    assert (done["last"], done["states_last"]) == (house.bench.journal.last, last)
    (problem,) = done["problems"]
    assert ("does not answer" in problem) == (how == "away")
    kept = Kept(house.archive.layout, pytest.fail).states(house.bench.journal.id)
    assert kept[0] == last
    assert {state.unit: state.pack() for state in kept[1]} == before


def test_the_first_one_may_be_without_states(house: ArchiveHouse, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "stored_states", away)
    assert house.do("snapshot", upto=5, redis=REDIS)["states_last"] == 0
    assert Kept(house.archive.layout, pytest.fail).states(house.bench.journal.id) == (0, [])


def test_states_of_real_live_state(house: ArchiveHouse, town: Town, url: str) -> None:
    """And of one that is empty."""
    last = house.bench.journal.last
    done = house.do("snapshot", upto=last, redis=url)
    assert done["states_last"] == 0
    assert "not in step" in done["problems"][0]
    states = judged(house.bench.journal, Pipeline(lambda: NO_AREAS), 1, last)

    async def fed() -> None:
        client = Client(url)
        await RedisLiveStore(client).apply(f"{house.bench.journal.id}:{STATE_FORMAT}", Update(1, last, live=states))
        await client.close()

    run(fed())
    house.now += DAY
    assert house.do("snapshot", upto=last, redis=url)["problems"] == []
    kept = Kept(house.archive.layout, pytest.fail).states(house.bench.journal.id)
    assert (kept[0], {state.unit: state.pack() for state in kept[1]}) == (last, states)


def test_a_damaged_snapshot_is_passed_over_and_told_of(
    house: ArchiveHouse, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_store(house, monkeypatch, 3)
    for _ in range(2):
        house.do("snapshot", upto=house.bench.journal.last, redis=REDIS)
        town.do("register", 7)
        house.now += DAY
    (house.archive.layout.folder(SNAPSHOTS) / "2026-11-23.snapshot").write_bytes(b"")
    told: list[str] = []
    kept = Kept(house.archive.layout, told.append)
    found = kept.newest(house.bench.journal.id)
    assert found is not None
    assert found.about.day == "2026-11-22"
    assert told == ["2026-11-23.snapshot is empty"] * 2
    done = house.do("snapshot", upto=house.bench.journal.last, redis=REDIS)
    assert done["made"]
    assert done["problems"] == ["2026-11-23.snapshot is empty"]
    whole = known(*started(house, whole=True))
    assert known(*started(house, whole=False)) == whole


def test_one_that_was_written_and_not_noted_is_written_again(
    house: ArchiveHouse, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_store(house, monkeypatch, 3)
    folder = house.archive.layout.folder(SNAPSHOTS)
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(house.archive.chains[SNAPSHOTS].__class__, "append", away)
        with pytest.raises(TypeError):
            house.do("snapshot", upto=3, redis=REDIS)
    (folder / "2026-11-21.snapshot.new").touch()
    assert house.do("snapshot", upto=4, redis=REDIS)["made"]
    assert sorted(path.name for path in folder.iterdir()) == ["2026-11-22.snapshot", "chain.jsonl"]
    assert snapshots.read(folder / "2026-11-22.snapshot").about.last == 4


def test_states_of_an_older_layout_are_read_by_the_names_of_their_fields(
    house: ArchiveHouse, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_store(house, monkeypatch, house.bench.journal.last)
    fields = ("since_removed", *reversed([name for name in STATE_FIELDS if name != "network"]))
    state = UnitState(UnitId("p9"))
    state.latitude, state.network = LAT, "4g"
    about = snapshots.About(house.bench.journal.id, "2026-11-22", house.now, 4, 3, fields)
    row = checkpoint._packer.pack([getattr(state, name, "?") for name in fields])
    snapshots.write(house.archive.layout.folder(SNAPSHOTS), about, [row], [])
    kept = Kept(house.archive.layout, pytest.fail)
    last, (found,) = kept.states(house.bench.journal.id)
    assert last == 3
    state.network = None
    assert found.pack() == state.pack()
    # And carried over as they are, while there are no others.
    monkeypatch.setattr(checkpoint, "stored_states", away)
    house.now += DAY
    house.do("snapshot", upto=5, redis=REDIS)
    assert (snapshots.read(house.archive.layout.folder(SNAPSHOTS) / "2026-11-23.snapshot").about.fields) == fields
    assert kept.states(house.bench.journal.id)[1][0].pack() == state.pack()


def test_a_commit_that_is_cut_in_two(house: ArchiveHouse, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is taken in twice, nor is anything left out."""
    town.do("ask", 2)
    town.do("ask", 5)
    assert len(town.open) == 7
    for early in (5, 4, 2, 1):
        in_store(house, monkeypatch, house.bench.journal.last)
        house.do("snapshot", upto=house.bench.journal.last - early, redis=REDIS)
        found = Kept(house.archive.layout, pytest.fail).newest(house.bench.journal.id)
        assert found is not None
        asked = [identity for _, (kind, identity, _) in found.changes() if kind == "command"]
        assert asked == [command.id for command in town.open[: 7 - early]]
        assert known(*started(house, whole=False)) == known(*started(house, whole=True))
        house.now += DAY


def kept_hourly(house: ArchiveHouse) -> tuple[int, dict[str, bytes]]:
    last, states = Kept(house.archive.layout, pytest.fail).states(house.bench.journal.id)
    return last, {state.unit: state.pack() for state in states}


def test_states_are_kept_each_hour_too(house: ArchiveHouse, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = house.bench.journal
    in_store(house, monkeypatch, journal.last - 1)
    house.do("snapshot", upto=3, redis=REDIS)
    first = kept_hourly(house)
    assert first[0] == journal.last - 1
    town.do("report", 2)
    in_store(house, monkeypatch, journal.last)
    done = house.do("states", redis=REDIS)
    assert (done["made"], done["states_last"], done["problems"]) == (True, journal.last, [])
    assert kept_hourly(house) == (journal.last, judged(journal, Pipeline(lambda: NO_AREAS), 1, journal.last))
    assert kept_hourly(house) != first
    # Who is who is the day's, and what the journal goes on after is the hour's.
    assert Kept(house.archive.layout, pytest.fail).floor == (journal.id, journal.last)
    found = Kept(house.archive.layout, pytest.fail).newest(journal.id)
    assert found is not None
    assert found.about.last == 3


@pytest.mark.parametrize("how", ["away", "behind"])
def test_what_was_kept_an_hour_ago_stays_while_there_is_nothing_better(
    house: ArchiveHouse, town: Town, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    assert house.do("states", redis=REDIS)["made"] is False
    in_store(house, monkeypatch, house.bench.journal.last)
    assert house.do("states", redis=REDIS)["made"]
    before = kept_hourly(house)
    if how == "away":
        monkeypatch.setattr(checkpoint, "stored_states", away)
    else:
        in_store(house, monkeypatch, 2)
    done = house.do("states", redis=REDIS)
    assert (done["made"], len(done["problems"])) == (False, 1)
    assert kept_hourly(house) == before


def test_damaged_states_of_an_hour_are_told_of_and_written_again(
    house: ArchiveHouse, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_store(house, monkeypatch, house.bench.journal.last)
    house.archive.layout.states.write_bytes(b"?")
    told: list[str] = []
    assert Kept(house.archive.layout, told.append).states(house.bench.journal.id) == (0, [])
    assert len(told) == 2
    done = house.do("states", redis=REDIS)
    assert (done["made"], len(done["problems"])) == (True, 1)
    assert kept_hourly(house)[0] == house.bench.journal.last
    in_store(house, monkeypatch, 1)
    other = snapshots.About("k" * 32, "d", 1, 0, 99, STATE_FIELDS)
    snapshots.write(house.archive.layout.root, other, (), (), name=house.archive.layout.states.name)
    assert kept_hourly(house) == (0, {})
    assert house.do("states", redis=REDIS)["made"]
    assert kept_hourly(house)[0] == 1


def test_the_journal_goes_on_after_all_that_was_heard_of_it(
    house: ArchiveHouse, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = house.bench.journal
    in_store(house, monkeypatch, journal.last)
    upto = journal.last - 1
    house.do("snapshot", upto=upto, redis=REDIS)
    assert Kept(house.archive.layout, pytest.fail).floor == (journal.id, journal.last)
    house.seal()
    town.do("report", 3)
    house.seal()
    assert Kept(house.archive.layout, pytest.fail).floor == (journal.id, journal.last)
    house.bench.close()
    for path in (house.data / "journal").iterdir():
        path.unlink()
    kept, hands = Kept(house.archive.layout, pytest.fail), Hands()
    pool: Any = hands
    again = Journal(house.data / "journal", hands, pool, lambda: house.now, floor=kept.floor)
    assert (again.id, again.last) == (journal.id, journal.last)
    intake = Intake(again, lambda: house.now)
    assert intake.replay(snapshot=kept.newest(again.id)) == journal.last - upto
    assert [*intake.roster.devices] == [*town.roster.devices]
    told: list[int | None] = []
    again.append([("new",)], told.append)
    hands.settle()
    assert told == [journal.last + 1]
    again.close()
    hands.settle()
    house.bench = type(house.bench)(house.data / "journal")
    assert (house.bench.journal.id, house.bench.journal.last) == (journal.id, journal.last + 1)
