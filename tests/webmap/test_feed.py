"""The feed's core: whatever happens, a browser that does as it is told ends up with exactly what it looks at."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from webmap.changes import BAND, Brief
from webmap.feed import BEHIND_HEARTBEAT_MS, HEARTBEAT_MS, RECENT, Feed, Viewer

UNITS = [f"u{n}" for n in range(6)]
WORLD: list[float] = [-90, -180, 90, 180]
HAD = {"box": WORLD, "follow": None}


def values(unit: str, place: tuple[float | None, float | None], state: int) -> list[Any]:
    """A row: id, latitude, longitude, course, speed, state, time of the fix."""
    return [unit, *place, None, None, state, 1]


class City:
    """Units that are somewhere, in some state; what the feed asks for its rows."""

    def __init__(self, instance: str = "i") -> None:
        self.places: dict[str, tuple[float | None, float | None]] = {}
        self.states: dict[str, int] = {}
        self.roster = (1, "{}")
        self.feed = Feed(instance, self.row, lambda: self.roster, lambda now: {"city": {"name": "c"}})

    def row(self, unit: str) -> tuple[float | None, float | None, Brief, list[Any]]:
        """A state of 5 and more is one of those below it, of a unit that calls for help."""
        (latitude, longitude), state = self.places[unit], self.states[unit]
        return latitude, longitude, (state % 5, state // 5), values(unit, (latitude, longitude), state)

    def put(self, unit: str, latitude: float | None, longitude: float | None, state: int = 0) -> None:
        self.places[unit], self.states[unit] = (latitude, longitude), state
        self.feed.update([unit])


def inside(box: list[float] | None, latitude: float | None, longitude: float | None) -> bool:
    """What a box means, said a second time."""
    if box is None or latitude is None or longitude is None:
        return False
    south, west, north, east = box
    within = west <= longitude <= east if west <= east else longitude >= west or longitude <= east
    return within and south <= latitude <= north


class Browser:
    """A client as docs and page have it: it applies what comes, and after a break asks for what it missed."""

    def __init__(self) -> None:
        self.units: dict[str, list[Any]] = {}
        self.states: dict[str, int] = {}
        self.seq: int | None = None
        self.instance: str | None = None
        self.box: list[float] | None = None
        self.had: dict[str, Any] = {}
        self.frames: list[dict[str, Any]] = []
        self.heard: list[str] = []
        self.viewer = Viewer(self.receive)

    def receive(self, text: bytes) -> None:
        message = json.loads(text)
        self.heard.append(message["op"])
        if message["op"] == "hello":
            self.instance = message["instance"]
        if message["op"] not in ("full", "delta"):
            return
        self.frames.append(message)
        if message["op"] == "full":
            self.units = {}
            self.had = {"box": message["box"], "follow": message["follow"]}
        for row in message["units"]:
            self.units[row[0]] = row
            self.states[row[0]] = row[5]
        for unit, state, _, calls in message["states"]:
            self.states[unit] = state + 5 * calls
        for unit in message["gone"]:
            self.units.pop(unit, None)
        self.seq = message["seq"]

    def connect(self, city: City, now: int) -> None:
        self.viewer = Viewer(self.receive)
        city.feed.join(self.viewer, now)

    def watch(self, city: City, follow: str | None = None, *, resume: bool = False) -> None:
        message: dict[str, Any] = {"op": "watch", "box": self.box, "follow": follow}
        if resume:
            message |= {"since": self.seq, "instance": self.instance, "had": self.had}
        assert city.feed.watch(self.viewer, message)


boxes = st.none() | st.builds(
    lambda south, west, height, width: [south, west, south + height, west + width],
    st.integers(-3, 3), st.integers(-3, 3), st.integers(0, 4), st.integers(-4, 4),
)  # fmt: skip
"""Some of them cross the date line: west is more than east."""
places = st.tuples(st.integers(-4, 4), st.integers(-4, 4)) | st.just((None, None))


class Watching(RuleBasedStateMachine):
    """Units come, move, turn and lose their place; the browser looks elsewhere, stops reading, loses its link."""

    def __init__(self) -> None:
        super().__init__()
        self.city = City()
        self.browser = Browser()
        self.now = 1_000_000
        self.follow: str | None = None
        self.online = True
        self.fresh = False

    @initialize()
    def connect(self) -> None:
        self.browser.connect(self.city, self.now)
        self.browser.watch(self.city)

    @rule(changes=st.lists(st.tuples(st.sampled_from(UNITS), places, st.integers(0, 9)), min_size=1, max_size=5))
    def change(self, changes: list[tuple[str, tuple[Any, Any], int]]) -> None:
        for unit, (latitude, longitude), state in changes:
            self.city.put(unit, latitude, longitude, state)
        self.fresh = False

    @rule(times=st.integers(1, RECENT + 3), unit=st.sampled_from(UNITS), place=places)
    def move_on(self, times: int, unit: str, place: tuple[Any, Any]) -> None:
        for _ in range(times):
            self.city.put(unit, *place)
            self.flush()

    @rule(box=boxes, follow=st.none() | st.sampled_from(UNITS))
    @precondition(lambda self: self.online)
    def look_elsewhere(self, box: list[float] | None, follow: str | None) -> None:
        self.browser.box, self.follow = box, follow
        self.browser.watch(self.city, follow)
        self.fresh = False

    @rule()
    @precondition(lambda self: self.online)
    def answer(self) -> None:
        self.city.feed.answer(self.browser.viewer, self.now, 0)

    @rule(paused=st.booleans())
    def read_or_not(self, paused: bool) -> None:
        self.browser.viewer.paused = paused
        self.fresh = False

    @rule()
    @precondition(lambda self: self.online)
    def break_the_link(self) -> None:
        self.city.feed.leave(self.browser.viewer)
        self.online = False

    @rule(look=st.none() | st.tuples(boxes, st.none() | st.sampled_from(UNITS)))
    @precondition(lambda self: not self.online)
    def come_back(self, look: tuple[Any, str | None] | None) -> None:
        """Looking at the same as before, or at something else."""
        if look is not None:
            self.browser.box, self.follow = look
        self.browser.connect(self.city, self.now)
        self.browser.watch(self.city, self.follow, resume=True)
        self.online, self.fresh = True, False

    @rule(later=st.integers(0, 2 * HEARTBEAT_MS))
    def flush(self, later: int = 200) -> None:
        self.now += later
        self.city.feed.flush(self.now, 0)
        self.fresh = self.online and not self.browser.viewer.paused

    @invariant()
    def shows_what_is(self) -> None:
        if not self.fresh:
            return
        wanted = {
            unit: values(unit, place, self.city.states[unit])
            for unit, place in self.city.places.items()
            if unit == self.follow or inside(self.browser.box, *place)
        }
        assert self.browser.units == wanted
        assert self.browser.states == self.city.states
        assert self.browser.seq is None or self.browser.seq <= self.city.feed.seq


TestWatching = Watching.TestCase


class WatchingMany(Watching):
    """The same as if many units had changed: those are sought by latitude, and compared with a box all at once."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr("webmap.feed.FEW", 0)

    @rule(band=st.sampled_from((0, BAND)))
    def crowd(self, band: int) -> None:
        self.patch.setattr("webmap.changes.BAND", band)

    def teardown(self) -> None:
        self.patch.undo()


TestWatchingMany = WatchingMany.TestCase


# What is said, one thing at a time.


@pytest.fixture
def city() -> City:
    made = City()
    for number, unit in enumerate(UNITS):
        made.put(unit, 31.0 + number, 121.0)
    made.feed.flush(1000, 0)
    return made


def watching(city: City, box: list[float] | None, now: int = 1000) -> Browser:
    browser = Browser()
    browser.connect(city, now)
    browser.box = box
    browser.watch(city)
    city.feed.flush(now, 0)
    return browser


def test_hello_and_roster_come_first(city: City) -> None:
    browser = watching(city, [30.5, 120, 32.5, 122])
    assert browser.heard == ["hello", "roster", "full"]
    frame = browser.frames[0]
    assert (frame["now"], frame["behind"], frame["gone"]) == (1000, 0, [])
    assert sorted(row[0] for row in frame["units"]) == ["u0", "u1"]
    assert sorted(frame["states"]) == [[unit, 0, 1, 0] for unit in UNITS[2:]]
    city.roster = (2, '{"u9":{}}')
    city.feed.flush(1200, 0)
    assert browser.heard[3:] == ["roster"], "a new roster by itself is no frame"


def test_nothing_is_sent_before_a_viewer_says_what_it_looks_at(city: City) -> None:
    browser = Browser()
    browser.connect(city, 0)
    city.put("u0", 1.0, 1.0)
    city.feed.flush(1_000_000, 0)
    assert browser.frames == []


def test_a_frame_comes_every_few_seconds_even_if_nothing_happens(city: City) -> None:
    browser = watching(city, WORLD)
    for now in range(1200, 1000 + 3 * HEARTBEAT_MS + 1, 200):
        city.feed.flush(now, 0)
    beats = browser.frames[1:]
    assert [frame["now"] for frame in beats] == [1000 + HEARTBEAT_MS * n for n in (1, 2, 3)]
    assert all((frame["op"], frame["units"], frame["behind"]) == ("delta", [], 0) for frame in beats)


def test_who_sees_old_places_is_told_more_often_how_old(city: City) -> None:
    browser = watching(city, WORLD)
    for now in range(1200, 1000 + 3 * BEHIND_HEARTBEAT_MS + 1, 200):
        city.feed.flush(now, now)
    beats = browser.frames[1:]
    assert [frame["behind"] for frame in beats] == [1000 + BEHIND_HEARTBEAT_MS * n for n in (1, 2, 3)]


def test_what_happens_out_of_sight_is_told_as_presence_only(city: City) -> None:
    browser = watching(city, [30.5, 120, 31.5, 122])
    city.put("u4", 35.0, 122.0)
    city.feed.flush(1200, 0)
    assert len(browser.frames) == 1, "it moved where nobody looks"
    city.put("u4", 35.0, 122.0, 3)
    city.feed.flush(1400, 0)
    assert (browser.frames[-1]["units"], browser.frames[-1]["states"]) == ([], [["u4", 3, 1, 0]])
    city.put("u4", 35.0, 122.0, 3 + 5)
    city.feed.flush(1600, 0)
    assert (browser.frames[-1]["units"], browser.frames[-1]["states"]) == ([], [["u4", 3, 1, 1]]), "it calls for help"


def test_who_looks_elsewhere_pays_for_what_is_there(city: City) -> None:
    """Of those out of sight, who has been told of them is told nothing anew but what has changed."""
    browser = watching(city, [30.5, 120, 31.5, 122])
    city.put("u4", 35.0, 122.0, 3)
    browser.box = [31.5, 120, 32.5, 122]
    browser.watch(city)
    city.feed.flush(1200, 0)
    frame = browser.frames[-1]
    assert (frame["op"], [row[0] for row in frame["units"]]) == ("full", ["u1"])
    assert frame["states"] == [["u4", 3, 1, 0]]
    assert browser.states == city.states


def test_who_leaves_the_box_is_gone(city: City) -> None:
    browser = watching(city, [30.5, 120, 31.5, 122])
    city.put("u0", 40.0, 121.0)
    city.feed.flush(1200, 0)
    assert (browser.frames[-1]["units"], browser.frames[-1]["gone"]) == ([], ["u0"])
    city.put("u0", 41.0, 121.0)
    city.feed.flush(1400, 0)
    assert len(browser.frames) == 2


def test_who_moves_the_map_is_answered_at_once(city: City) -> None:
    browser = watching(city, [30.5, 120, 31.5, 122])
    city.put("u1", 32.0, 121.5)
    city.feed.answer(browser.viewer, 1100, 0)
    assert len(browser.frames) == 1, "it has not asked for anything"
    browser.box = [31.5, 120, 33.5, 122]
    browser.watch(city)
    city.feed.answer(browser.viewer, 1100, 0)
    assert (browser.frames[-1]["op"], sorted(browser.units)) == ("full", ["u1", "u2"])
    assert browser.units["u1"][2] == 121.0, "as of the last flush"
    city.feed.flush(1200, 0)
    assert (browser.frames[-1]["op"], browser.units["u1"][2]) == ("delta", 121.5)


def test_a_new_viewer_waits_for_the_flush_in_which_rows_are_made() -> None:
    city = City()
    city.put("u0", 31.0, 121.0)
    browser = Browser()
    browser.connect(city, 0)
    browser.box = WORLD
    browser.watch(city)
    city.feed.answer(browser.viewer, 0, 0)
    assert browser.frames == []
    city.feed.flush(200, 0)
    assert list(browser.units) == ["u0"]


def test_a_unit_without_a_place_is_shown_to_who_follows_it(city: City) -> None:
    browser = watching(city, None)
    city.put("u5", None, None)
    browser.watch(city, "u5")
    city.feed.flush(1200, 0)
    assert browser.frames[-1]["units"] == [values("u5", (None, None), 0)]


def test_after_a_break_only_what_was_missed_comes(city: City) -> None:
    browser = watching(city, WORLD)
    city.feed.leave(browser.viewer)
    city.put("u3", 1.0, 1.0)
    city.feed.flush(1200, 0)
    browser.connect(city, 5000)
    browser.watch(city, resume=True)
    city.feed.flush(5000, 0)
    frame = browser.frames[-1]
    assert (frame["op"], [row[0] for row in frame["units"]]) == ("delta", ["u3"])


@pytest.mark.parametrize(
    "message",
    [
        {"since": 1, "instance": "another", "had": HAD},
        {"since": 1, "instance": "i", "had": {"box": None, "follow": None}},
        {"since": 1, "instance": "i", "had": {"box": WORLD, "follow": "u1"}},
        {"since": 1, "instance": "i", "had": None},
        {"since": 1, "instance": "i"},
        {"since": None, "instance": "i", "had": HAD},
        {"since": -1, "instance": "i", "had": HAD},
        {"since": 99, "instance": "i", "had": HAD},
        {"since": True, "instance": "i", "had": HAD},
        {"since": 1.0, "instance": "i", "had": HAD},
    ],
)
def test_in_doubt_everything_comes(city: City, message: dict[str, Any]) -> None:
    browser = Browser()
    browser.connect(city, 0)
    assert city.feed.watch(browser.viewer, {"op": "watch", "box": WORLD, **message})
    city.feed.flush(1200, 0)
    assert browser.frames[-1]["op"] == "full"
    assert len(browser.units) == len(UNITS)


def test_a_break_right_after_looking_elsewhere(city: City) -> None:
    """The new box was asked for and never shown: what is shown belongs to the old one."""
    browser = watching(city, [30.5, 120, 31.5, 122])
    browser.box = [31.5, 120, 32.5, 122]
    browser.watch(city)
    city.feed.leave(browser.viewer)
    browser.connect(city, 5000)
    browser.watch(city, resume=True)
    city.feed.flush(5000, 0)
    assert (browser.frames[-1]["op"], list(browser.units)) == ("full", ["u1"])


@pytest.mark.parametrize(
    "message",
    [
        None, [], "watch", {}, {"op": "look"}, {"op": "watch", "box": [1, 2, 3]}, {"op": "watch", "box": "all"},
        {"op": "watch", "box": [1, 2, 3, "4"]}, {"op": "watch", "box": [1, 2, 3, None]},
        {"op": "watch", "box": [True, 2, 3, 4]}, {"op": "watch", "follow": 7}, {"op": "watch", "follow": ["u0"]},
        {"op": "watch", "box": [1, 2, 3, 10**400]}, {"op": "watch", "box": [1, 2, 3, float("nan")]},
        {"op": "watch", "follow": "\ud800"},
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(city: City, message: Any) -> None:
    browser = Browser()
    browser.connect(city, 0)
    assert not city.feed.watch(browser.viewer, message)
    assert not browser.viewer.watching


def test_a_row_is_encoded_once_whoever_sees_it() -> None:
    city = City()
    asked: list[str] = []
    row = city.row

    def asking(unit: str) -> tuple[float | None, float | None, Brief, list[Any]]:
        asked.append(unit)
        return row(unit)

    city.feed = Feed("i", asking, lambda: (1, "{}"), lambda now: {})
    for _ in range(50):
        city.feed.join(viewer := Viewer(lambda text: None), 0)
        city.feed.watch(viewer, {"op": "watch", "box": WORLD})
    for _ in range(20):
        city.put("u0", 1.0, 1.0)
    city.feed.flush(1000, 0)
    assert asked == ["u0"], "twenty changes between two frames are one"


def test_who_sees_all_that_has_changed_is_sent_the_very_same_bytes() -> None:
    city = City()
    town, world, corner = ([0, 0, 2, 2], WORLD, [0, 0, 1.5, 1.5])
    sent: list[list[bytes]] = [[], [], [], []]
    for frames, box in zip(sent, (town, world, world, corner), strict=True):
        city.feed.join(viewer := Viewer(frames.append), 0)
        city.feed.watch(viewer, {"op": "watch", "box": box})
    city.feed.flush(0, 0)
    for n in range(30):
        city.put(f"u{n}", 1 + n / 30, 1.0)
    city.feed.flush(1000, 0)
    first, second, third, cut = (frames[-1] for frames in sent)
    assert first is second is third, "copies would be made and framed for each"
    assert len(cut) < len(first)
    assert len(json.loads(cut)["units"]) == 16


def test_a_viewer_that_does_not_read_costs_no_memory() -> None:
    city = City()
    units = [f"unit-{n}" for n in range(300)]
    for unit in units:
        city.put(unit, 1.0, 1.0)
    stuck = watching(city, WORLD)
    reading = watching(city, WORLD)
    stuck.viewer.paused = True

    def held() -> int:
        return sum(sys.getsizeof(getattr(stuck.viewer, name)) for name in Viewer.__slots__ if name != "send")

    before = held()
    for turn in range(1000):
        for unit in units[turn % 3 :: 3]:
            city.put(unit, 1.0 + turn / 100, 1.0)
        city.feed.flush(2000 + turn * 200, 0)
    assert held() == before
    assert len(stuck.frames) == 1
    assert len(reading.frames) == 1001
    stuck.viewer.paused = False
    city.feed.flush(1_000_000, 0)
    assert len(stuck.frames) == 2, "what was missed is one frame"
    assert stuck.units == reading.units


def test_viewers_that_left_are_forgotten(city: City) -> None:
    browser = watching(city, WORLD)
    city.feed.leave(browser.viewer)
    city.feed.leave(browser.viewer)
    city.put("u0", 1.0, 1.0)
    city.feed.flush(9000, 0)
    assert len(browser.frames) == 1
    assert city.feed.viewers == set()
