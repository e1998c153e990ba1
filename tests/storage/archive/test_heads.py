"""Heads on their way out: what waits, what is tried again, what a restart remembers, and what a file of them holds."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, succeed

from storage.archive import head_sender as module
from storage.archive.chain import START, Chain
from storage.archive.head_post import NotDelivered
from storage.archive.head_sender import (
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    MOST_WAITING,
    PATIENCE_MS,
    HeadSender,
    Trouble,
)
from storage.archive.heads import Head, HeadsUnreadable, body_of, line_of, parse, read_heads
from tests.storage.helpers import NOON, Hands

DAY = 86_400_000
DAY_S = 86_400.0
URL = "https://watch.example/hook?key=secret"


class Street:
    """A sender with a chain of two classes, and the way to an address, which may be closed."""

    def __init__(self, folder: Path, *, file: Path | None = None, url: str | None = None) -> None:
        self.folder = folder
        self.hands = Hands()
        self.start = NOON
        self.chains = {kind: Chain(folder / f"{kind}.jsonl") for kind in ("fixes", "events")}
        self.open = True
        self.posted: list[Any] = []
        self.held: list[Deferred[None]] = []
        self.hold = False
        self.sender = self.new(file, url)

    def new(self, file: Path | None = None, url: str | None = None) -> HeadSender:
        hands: Any = self.hands
        self.sender = HeadSender(
            self.folder / "heads.json", self.chains, "江城", hands, hands, self.now, file=file, url=url, post=self.post
        )
        return self.sender

    def now(self) -> int:
        return self.start + int(self.hands.clock.seconds() * 1000)

    def post(self, url: str, body: bytes, reactor: object) -> Deferred[None]:
        assert url == URL
        self.posted.append(json.loads(body))
        if self.hold:
            self.held.append(Deferred())
            return self.held[-1]
        return succeed(None) if self.open else fail(NotDelivered("it answered 503"))

    def send(self) -> list[bool]:
        """The answer, when there is one."""
        answers: list[bool] = []
        self.sender.send(self.now()).addCallback(answers.append)
        self.settle()
        return answers

    def settle(self) -> None:
        while self.hands.jobs:
            self.hands.work()

    def wait(self, seconds: float) -> None:
        self.hands.clock.advance(seconds)
        self.settle()

    def state(self) -> Any:
        return json.loads((self.folder / "heads.json").read_bytes())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "usb").mkdir()
    return tmp_path / "usb" / "heads.jsonl"


def test_without_a_way_nothing_is_done(tmp_path: Path) -> None:
    street = Street(tmp_path)
    assert not street.sender.configured
    assert street.send() == [True]
    street.sender.start()
    street.sender.stop()
    assert not (tmp_path / "heads.json").exists()
    assert street.sender.troubles(NOON + 9 * DAY) == []


def test_a_head_says_what_each_chain_has_come_to(tmp_path: Path, file: Path) -> None:
    street = Street(tmp_path, file=file, url=URL)
    # By another process: the archivist's child.
    entry = Chain(tmp_path / "fixes.jsonl").append("day", "2026-11-15", NOON, upto=5)
    assert street.sender.configured
    assert street.sender.delivered() == 0
    assert street.send() == [True]
    wanted = {
        "city": "江城",
        "at": NOON,
        "heads": {"fixes": {"number": 1, "digest": entry.digest}, "events": {"number": 0, "digest": START}},
    }
    assert street.posted == [wanted]
    assert json.loads(file.read_text("utf-8")) == wanted
    assert street.sender.delivered() == street.now()
    assert read_heads(file) == ([parse(wanted)], [])
    assert [one["waiting"] for one in street.state().values()] == [[], []]


def test_each_day_is_a_line_of_the_file(tmp_path: Path, file: Path) -> None:
    street = Street(tmp_path, file=file)
    for _ in range(3):
        assert street.send() == [True]
        street.wait(DAY_S)
    heads, bad = read_heads(file)
    assert [head.at for head in heads] == [NOON, NOON + DAY, NOON + 2 * DAY]
    assert bad == []


def test_a_head_that_says_nothing_new_goes_once_a_day(tmp_path: Path, file: Path) -> None:
    street = Street(tmp_path, file=file)
    for _ in range(30):
        street.send()
        street.wait(3600.0)
    assert [head.at for head in read_heads(file)[0]] == [NOON, NOON + DAY // 24 * 20]
    Chain(tmp_path / "fixes.jsonl").append("day", "2026-11-15", NOON)
    street.send()
    assert len(read_heads(file)[0]) == 3


def test_what_could_not_go_is_tried_again_at_longer_and_longer_intervals(tmp_path: Path) -> None:
    street = Street(tmp_path, url=URL)
    street.sender.start()
    street.open = False
    assert street.send() == [False]
    tried = [street.now()]
    for _ in range(40_000):
        before = len(street.posted)
        street.wait(1.0)
        if len(street.posted) > before:
            tried.append(street.now())
        if len(tried) == 10:
            break
    pauses = [(after - before) / 1000 for before, after in pairwise(tried)]
    assert pauses == [min(FIRST_PAUSE_S * 2**number, LONGEST_PAUSE_S) for number in range(9)]
    street.open = True
    street.wait(LONGEST_PAUSE_S)
    assert street.state()["url"]["waiting"] == []
    assert len(street.posted) == 11
    street.wait(10 * LONGEST_PAUSE_S)
    assert len(street.posted) == 11
    street.open = False
    street.wait(DAY_S)
    street.send()
    street.wait(FIRST_PAUSE_S)
    assert len(street.posted) == 13


def test_all_that_wait_go_in_their_order(tmp_path: Path) -> None:
    street = Street(tmp_path, url=URL)
    street.open = False
    for _ in range(3):
        assert street.send() == [False]
        street.wait(DAY_S)
    assert [body["at"] for body in street.posted] == [NOON] * 3
    street.open, street.posted = True, []
    assert street.send() == [True]
    assert [body["at"] for body in street.posted] == [NOON + day * DAY for day in range(4)]


def test_a_restart_remembers_what_waits_and_since_when(tmp_path: Path) -> None:
    street = Street(tmp_path, url=URL)
    street.sender.start()
    street.open = False
    street.send()
    street.sender.stop()
    street.wait(3 * DAY_S)
    assert len(street.posted) == 1
    street.new(url=URL)
    assert street.sender.troubles(street.now()) == [Trouble("url", NOON, 1, "it answered 503")]
    street.open = True
    street.sender.start()
    street.wait(0.0)
    assert [body["at"] for body in street.posted] == [NOON, NOON]
    assert street.sender.troubles(street.now()) == []
    assert street.sender.delivered() == street.now()


def test_it_is_a_problem_after_two_days(tmp_path: Path) -> None:
    street = Street(tmp_path, url=URL)
    street.open = False
    street.send()
    assert street.sender.troubles(NOON + PATIENCE_MS) == []
    assert street.sender.troubles(NOON + PATIENCE_MS + 1) == [Trouble("url", NOON, 1, "it answered 503")]


def test_one_way_does_not_wait_for_the_other(tmp_path: Path, file: Path) -> None:
    street = Street(tmp_path, file=file, url=URL)
    street.hold = True
    assert street.send() == []
    assert len(read_heads(file)[0]) == 1
    street.wait(DAY_S)
    assert street.send() == []
    assert len(read_heads(file)[0]) == 2
    assert len(street.posted) == 1  # one at a time
    street.hold = False
    street.held[0].callback(None)
    street.settle()
    assert [body["at"] for body in street.posted] == [NOON, NOON + DAY]


def test_more_than_a_year_of_heads_does_not_wait(tmp_path: Path) -> None:
    street = Street(tmp_path, url=URL)
    street.open = False
    for _ in range(MOST_WAITING + 2):
        street.send()
        street.wait(DAY_S)
    waiting = street.state()["url"]["waiting"]
    assert (len(waiting), waiting[0]["at"]) == (MOST_WAITING, NOON + 2 * DAY)


def test_a_head_that_is_let_go_while_it_is_on_its_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 2)
    street = Street(tmp_path, url=URL)
    street.hold = True
    for _ in range(4):
        street.send()
        street.wait(DAY_S)
    street.hold = False
    street.held[0].callback(None)
    street.settle()
    assert [body["at"] for body in street.posted] == [NOON, NOON + 2 * DAY, NOON + 3 * DAY]


# -- the file


def test_a_disk_that_is_away_is_waited_for(tmp_path: Path, file: Path) -> None:
    street = Street(tmp_path, file=file)
    street.sender.start()
    file.parent.rmdir()
    assert street.send() == [False]
    assert street.sender.troubles(NOON + 3 * DAY)[0].reason == f"No such file or directory: {file}"
    file.parent.mkdir()
    street.wait(FIRST_PAUSE_S)
    assert len(read_heads(file)[0]) == 1


def test_the_folder_that_a_disk_was_mounted_on_is_not_that_disk(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted = True
    real: Callable[..., os.stat_result] = Path.stat

    def stat(path: Path, **more: Any) -> os.stat_result:
        found = real(path, **more)
        if path != file.parent or not mounted:
            return found
        return os.stat_result((*found[:2], found.st_dev + 1, *found[3:]))

    monkeypatch.setattr(Path, "stat", stat)
    street = Street(tmp_path, file=file)
    assert street.send() == [True]
    mounted = False
    file.unlink()
    street.new(file=file)
    assert street.send() == [False]
    assert not file.exists()
    assert street.sender.troubles(NOON + 3 * DAY)[0].reason == f"the disk of {file} is not mounted"
    mounted = True
    street.wait(DAY_S)
    assert street.send() == [True]
    assert len(read_heads(file)[0]) == 2


def test_a_line_that_was_cut_off_does_not_spoil_the_next(tmp_path: Path, file: Path) -> None:
    street = Street(tmp_path, file=file)
    street.send()
    whole = file.read_bytes()
    file.write_bytes(whole + whole[:30])
    assert read_heads(file)[1] == []
    street.wait(DAY_S)
    street.send()
    heads, bad = read_heads(file)
    assert file.read_bytes() == whole + whole[:30] + b"\n" + line_of(heads[1])
    assert (heads[0], heads[1].at, bad) == (parse(json.loads(whole)), NOON + DAY, [2])


def test_a_disk_that_takes_half_a_line_has_taken_none(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    street = Street(tmp_path, file=file)
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(module.os, "write", lambda handle, data: write(handle, data[:20]))  # type: ignore[attr-defined]
        assert street.send() == [False]
    street.wait(DAY_S)
    assert street.send() == [True]
    heads, bad = read_heads(file)
    assert (len(heads), bad) == (2, [1])


def test_a_state_that_is_damaged_or_cannot_be_written_stops_nothing(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for damaged in (b"{", b"[]", b'{"file": 5}', b'{"file": {"waiting": [{}]}}'):
        (tmp_path / "heads.json").write_bytes(damaged)
        assert Street(tmp_path, file=file).send() == [True]

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_whole", full)
    assert Street(tmp_path, file=file).send() == [True]
    assert len(read_heads(file)[0]) == 5


# -- reading them


HEADS = st.builds(
    Head,
    st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
    st.integers(0, 2**53),
    st.dictionaries(
        st.sampled_from(["fixes", "events", "photos"]),
        st.tuples(st.integers(0, 2**40), st.text("0123456789abcdef", min_size=64, max_size=64)),
    ),
)


@given(HEADS)
def test_a_head_comes_back(head: Head) -> None:
    assert parse(json.loads(line_of(head))) == head
    assert parse(body_of(head)) == head
    assert line_of(head).count(b"\n") == 1


@pytest.mark.parametrize(
    "value",
    [
        None, 5, [], "x", {}, {"city": "a", "at": 5}, {"city": 1, "at": 5, "heads": {}},
        {"city": "a", "at": "5", "heads": {}}, {"city": "a", "at": 5, "heads": []},
        {"city": "a", "at": 5, "heads": {"fixes": {"number": -1, "digest": START}}},
        {"city": "a", "at": 5, "heads": {"fixes": {"number": 1, "digest": "abc"}}},
        {"city": "a", "at": 5, "heads": {"fixes": {"number": 1}}},
    ],
)  # fmt: skip
def test_what_is_no_head_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="not a head"):
        parse(value)


def test_a_file_that_is_far_too_long_is_not_read_to_its_end(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.archive.heads.MOST", 3)
    line = line_of(Head("a", 1, {}))
    file.write_bytes(line * 3)
    assert len(read_heads(file)[0]) == 3
    file.write_bytes(line * 4)
    with pytest.raises(HeadsUnreadable, match="more than 3 lines"):
        read_heads(file)
    file.write_bytes(b"x" * 1_000_000)
    with pytest.raises(HeadsUnreadable):
        read_heads(file)
