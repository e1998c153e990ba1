"""What somebody does about tasks: delivered at once, answered when the device is out, done where it is to be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from protocols.handheld import Held, KindWords, Phrase, ResultWords, Revoked, SosTold, Standing, TaskTold, Words
from simulator.errands import Errands, Token
from simulator.manner import Manner, Network

NOW = 1_790_000_000_000
WORDS = Words(
    "1", {"verify": KindWords("核实", "Verify", 2, {"exist": ResultWords("属实", "Exists", 2, True)})},
    {"busy": Phrase("忙", "Busy")}, {}, 1_000_000,
)  # fmt: skip
OFFER = TaskTold("T-1", 1, "offer", "offered", "verify", "", 306_600_000, 1_174_900_000)


def told(task: str = "T-1", attempt: int = 1, what: str = "offer", state: str = "offered", **more: Any) -> TaskTold:
    return TaskTold(task, attempt, what, state, "verify", "", 306_600_000, 1_174_900_000, **more)


class Person:
    """Errands with what is said, and what is photographed, written down."""

    def __init__(self, manner: Manner) -> None:
        self.said: list[tuple[str, str, int, int]] = []
        self.reports: list[dict[str, Any]] = []
        self.events: list[str] = []
        self.released: list[str] = []
        self.errands = Errands("XQ1", manner, self, self, lambda random: b"picture", Random(1))
        self.errands.told(WORDS, NOW)

    def add_answer(
        self, task: str, attempt: int, what: str, event: str, at: int, *, reason: str = "", word: str = "",
        text: str = "", photos: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self.said.append((what, task, attempt, at - NOW))
        self.events.append(event)
        if what in ("report", "decline"):
            self.reports.append({"reason": reason, "word": word, "text": text, "photos": list(photos)})

    def add(self, token: Token, data: bytes) -> str:
        assert data == b"picture"
        return f"photo of {token[0]}"

    def release(self, photos: Sequence[str]) -> None:
        self.released += photos

    @property
    def whats(self) -> list[str]:
        return [what for what, *_ in self.said]

    def pass_time(self, until: int) -> None:
        while (due := self.errands.get_timer()) is not None and due <= NOW + until:
            self.errands.handle_timer(due)


@pytest.fixture
def willing() -> Person:
    return Person(Manner(accept=1, decline=0, answer_s=20, answer_spread=0, scene_s=60))


def test_a_task_from_the_offer_to_the_answer(willing: Person) -> None:
    errands = willing.errands
    errands.told(OFFER, NOW)
    assert willing.said == [("delivered", "T-1", 1, 0)]
    assert errands.goal is None
    willing.pass_time(19_999)
    assert willing.whats == ["delivered"]
    willing.pass_time(20_000)
    assert willing.whats == ["delivered", "accept"]
    assert errands.goal == (30.66, 117.49)
    errands.set_out(NOW + 21_000)
    errands.arrived(NOW + 100_000)
    assert willing.whats[2:] == ["start"]
    willing.pass_time(159_999)
    assert len(willing.said) == 3
    willing.pass_time(281_000)
    assert willing.whats[3:] == ["report"]
    assert willing.reports == [
        {"reason": "", "word": "exist", "text": "现场围挡，无法靠近", "photos": ["photo of T-1", "photo of T-1"]}
    ]
    assert errands.goal is None
    assert errands.get_timer() is None
    assert len(set(willing.events)) == len(willing.events), "each answer has an id of its own"


def test_the_photos_wait_until_the_server_knows_the_answer(willing: Person) -> None:
    willing.errands.told(told(what="hold", state="on_scene"), NOW)
    willing.errands.arrived(NOW)
    willing.pass_time(200_000)
    assert willing.released == []
    willing.errands.told(Standing(willing.events[-1], "ok", "T-1", 1, "reported", ""), NOW)
    assert willing.released == ["photo of T-1"] * 2
    willing.errands.told(told(what="evidence", state="reported", photos=("p",)), NOW)
    assert willing.released[2:] == ["p"], "and what is asked for later"


def test_somebody_declines_with_a_word_of_the_city() -> None:
    person = Person(Manner(accept=0, decline=1))
    person.errands.told(OFFER, NOW)
    person.pass_time(3_600_000)
    assert person.whats == ["delivered", "decline"]
    assert person.reports[0]["reason"] == "busy"
    assert len(person.errands) == 0


def test_somebody_does_not_answer() -> None:
    person = Person(Manner(accept=0, decline=0))
    person.errands.told(OFFER, NOW)
    assert person.errands.get_timer() is None
    assert person.whats == ["delivered"]


def test_an_offer_that_comes_twice_is_acknowledged_twice_and_answered_once(willing: Person) -> None:
    for _ in range(2):
        willing.errands.told(OFFER, NOW)
    willing.pass_time(60_000)
    assert willing.whats == ["delivered", "delivered", "accept"]


def test_tasks_are_done_in_the_order_in_which_they_were_accepted(willing: Person) -> None:
    errands = willing.errands
    for number, at in ((1, NOW), (2, NOW + 5_000)):
        errands.told(told(f"T-{number}"), at)
    willing.pass_time(60_000)
    errands.set_out(NOW + 60_000)
    errands.set_out(NOW + 61_000)
    assert willing.said[-1] == ("start", "T-1", 1, 60_000), "once"
    errands.arrived(NOW + 90_000)
    willing.pass_time(300_000)
    errands.set_out(NOW + 300_000)
    assert [(what, task) for what, task, *_ in willing.said[-2:]] == [("report", "T-1"), ("start", "T-2")]


def test_what_is_revoked_or_not_held_any_more_is_dropped(willing: Person) -> None:
    errands = willing.errands
    for task in ("T-1", "T-2", "T-3"):
        errands.told(told(task), NOW)
    errands.told(Revoked("T-1", 1, "recall"), NOW)
    errands.told(Revoked("T-9", 4, "recall"), NOW)
    errands.told(Held((("T-2", 1), ("T-7", 1))), NOW)
    assert willing.said[3:] == [("revoked", "T-1", 1, 0), ("revoked", "T-9", 4, 0)]
    assert len(errands) == 1
    errands.told(told("T-2", 3), NOW)
    errands.told(Revoked("T-2", 1, "recall"), NOW)
    assert len(errands) == 1, "an old revocation says nothing of a later attempt"


@pytest.mark.parametrize(
    ("code", "state", "left"),
    [("ok", "accepted", 1), ("stale", "accepted", 1), ("stale", "unanswered", 0), ("unknown", "", 0)],
)
def test_what_the_server_says_is_over_is_over(willing: Person, code: str, state: str, left: int) -> None:
    willing.errands.told(OFFER, NOW)
    willing.errands.told(Standing("e", code, "T-1", 1, state, ""), NOW)
    assert len(willing.errands) == left


def test_a_device_that_has_forgotten_everything_goes_on(willing: Person) -> None:
    willing.errands.told(told(what="hold", state="en_route"), NOW)
    assert willing.errands.goal is not None
    assert willing.said == []


def test_what_was_said_before_the_server_had_the_answer_does_not_begin_it_again(willing: Person) -> None:
    errands = willing.errands
    errands.told(told(what="hold", state="on_scene"), NOW)
    errands.arrived(NOW)
    willing.pass_time(200_000)
    for state in ("on_scene", "reported"):
        errands.told(told(what="hold", state=state), NOW)
    assert len(errands) == 0
    errands.told(told(what="return", state="accepted", reason="糊"), NOW)
    assert willing.whats[-1] == "informed"
    assert errands.goal is not None, "but a return does"


def test_without_words_the_answer_waits(willing: Person) -> None:
    errands = willing.errands
    errands.told(Words("", {}, {}, {}, 0), NOW)
    errands.told(told(what="hold", state="on_scene"), NOW)
    errands.arrived(NOW)
    willing.pass_time(300_000)
    assert willing.said == []
    errands.told(WORDS, NOW + 300_000)
    willing.pass_time(320_000)
    assert willing.whats == ["report"]


def test_what_must_be_explained_is_answered_now_and_then(willing: Person) -> None:
    results = {"unable": ResultWords("", "", 0, True), "exist": ResultWords("", ""), "not_exist": ResultWords("", "")}
    willing.errands.told(replace(WORDS, kinds={"verify": KindWords("", "", 1, results)}), NOW)
    for number in range(200):
        willing.errands.told(told(f"T-{number}", what="hold", state="on_scene"), NOW)
        willing.errands.arrived(NOW)
        willing.pass_time(200_000)
    words = [report["word"] for report in willing.reports]
    assert len(words) == 200
    assert 2 <= words.count("unable") <= 30
    assert min(words.count("exist"), words.count("not_exist")) > 60


def test_a_clock_that_is_off_shows_in_what_is_said(willing: Person) -> None:
    willing.errands.ahead = 7000
    willing.errands.told(OFFER, NOW)
    willing.errands.told(SosTold("colleague", "s", "", None, None, 0, 0), NOW)
    assert willing.said == [("delivered", "T-1", 1, 7000)]


def test_people_answer_as_they_are_known_to() -> None:
    manner, random = Manner(), Random(5)
    wills = [manner.will(random) for _ in range(4000)]
    assert 0.90 < wills.count("accept") / 4000 < 0.94
    assert 0.03 < wills.count("decline") / 4000 < 0.05
    times = sorted(manner.answers_in(random) for _ in range(4000))
    assert 19_500 < times[2000] < 22_500, "half of them within 21 s"
    assert times[0] >= 1000
    assert all(60_000 <= manner.stays(random) <= 180_000 for _ in range(100))


def test_the_network_is_as_bad_as_it_is_said() -> None:
    network, random = Network(loss=0.2, duplicates=0.1), Random(5)
    fates = [network.fate(random) for _ in range(4000)]
    assert 0.18 < fates.count("lost") / 4000 < 0.22
    assert 0.08 < fates.count("unconfirmed") / 4000 < 0.12
    assert Network().good
    assert not network.good
