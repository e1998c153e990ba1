"""docs/commands.md says what the tables say."""

from __future__ import annotations

import re

from storage import blobs
from tests.tree import ROOT
from tracker import commands
from tracker.commands_arguments import FORBIDDEN, read
from tracker.commands_model import KINDS, TABLE, State
from tracker.roster import Refusal

PAGE = (ROOT / "docs" / "commands.md").read_text("utf-8")


def shown(state: State) -> State:
    return State.SENT if state is State.ACCEPTED else state


def test_the_states_are_those_of_the_table() -> None:
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]*) ?\|$", PAGE, re.MULTILINE)
    told = {State(state): {State(after) for after in re.findall(r"`(\w+)`", following)} for state, following in rows}
    wanted: dict[State, set[State]] = {}
    for state, row in TABLE.items():
        after = {shown(state) for state in row.values()} - {shown(state)}
        wanted[shown(state)] = wanted.get(shown(state), set()) | after
    assert told == wanted


def test_the_kinds_are_those_of_the_table() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| (\d+) s[^|]*\| ([^|]+) \|$", PAGE, re.MULTILINE)
    assert {kind: int(expiry) for kind, _, expiry, _ in rows} == {kind: about.expiry for kind, about in KINDS.items()}
    for kind, arguments, _, done in rows:
        assert KINDS[kind].content == (done != "the terminal has taken it")
        try:
            read(kind, {"nonsense": 1})
        except Refusal as refusal:
            known = str(refusal).partition("known are: ")[2]
            assert all(f"`{name}`" in arguments for name in known.split(", ") if name != "none"), kind


def test_the_numbers_are_those_of_the_code() -> None:
    assert f"within {commands.TIMEOUT // 1000} s is sent again" in PAGE
    assert commands.TRIES == 3
    assert "three times in a login" in PAGE
    assert commands.TRIES_IN_ALL == 12
    assert commands.AT_ONCE == 4
    assert "four unanswered at a time" in PAGE
    assert f"Up to {commands.PER_DEVICE} commands wait for a device and {commands.IN_ALL:,} in all" in PAGE
    assert f"The last {commands.KEPT:,} that have ended" in PAGE
    assert f"up to {blobs.LIMIT >> 30} GB or {blobs.MOST:,}" in PAGE
    assert FORBIDDEN
    assert "forbidden_command" in PAGE
