"""What fuzzing has found once stays found: the corpus is replayed always, and searched further in the long run."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from importlib.util import find_spec

import pytest

from protocols.handheld import Framer as HandheldFramer
from protocols.jt808.framing import BadFrame, Framer
from protocols.watch.framing import Framer as WatchFramer
from protocols.watch.framing import Message
from tests.fuzz.corpus import FOLDER, needed, read
from tests.fuzz.mending import MENDING
from tests.fuzz.targets import TARGETS
from tests.tree import ROOT

SECONDS = 60


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus(name: str) -> None:
    target = TARGETS[name]
    inputs = read(name)
    assert len(inputs) > 20, f"no corpus yet: python -m tests.fuzz {name} --keep"
    for data in [b"", *inputs]:
        with contextlib.suppress(target.allowed):
            target.run(data)


def test_seeds_are_good_messages() -> None:
    """A fuzzer that begins with what is refused at once does not come far."""
    for target in TARGETS.values():
        for seed in target.seeds():
            target.run(seed)


def test_no_corpus_is_left_over() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(TARGETS)


@pytest.mark.parametrize("name", MENDING)
def test_mending_leaves_alone_what_is_right(name: str) -> None:
    for seed in TARGETS[name].seeds():
        assert MENDING[name](seed[1:]) == seed[1:]


def test_mending_puts_right_what_was_changed() -> None:
    """A byte more in the middle: without it nothing behind the frame would be reached."""
    frame = TARGETS["jt808"].seeds()[0].split(b"\x7e")[1]
    longer = b"\x7e" + frame[:14] + b"x" + frame[14:] + b"\x7e"
    assert isinstance(Framer().receive_data(longer)[0], BadFrame)
    assert Framer().receive_data(MENDING["jt808"](longer))[0][12:15] == frame[12:14] + b"x"  # type: ignore[index]
    (found,) = WatchFramer().receive(MENDING["watch"](b"[3G*1234567890*0001*LK,1]"))
    assert found == Message("3G", "1234567890", b"LK,1")
    assert HandheldFramer().receive_data(MENDING["handheld"](b"\0\0\0\x09ab")) == [b"ab"]


def test_of_inputs_that_do_the_same_the_shortest_is_kept() -> None:
    target = TARGETS["jt808_bodies"]
    locate, text = b"\x82\x01\0", b"\x83\0\0\x08text"
    assert needed(target, [locate, locate + b"more", text, b""]) == [locate, text]


@pytest.mark.long
@pytest.mark.parametrize("name", TARGETS)
def test_fuzzing(name: str) -> None:
    if find_spec("atheris") is None:
        pytest.skip("atheris is not to be had for this Python or machine: decoders were not fuzzed")
    command = [sys.executable, "-m", "tests.fuzz", name, "--seconds", str(SECONDS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
