"""What fuzzing has found once stays found: the corpus is replayed always, and searched further in the long run."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests.fuzz.corpus import FOLDER, read
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


@pytest.mark.long
@pytest.mark.parametrize("name", TARGETS)
def test_fuzzing(name: str) -> None:
    if find_spec("atheris") is None:
        pytest.skip("atheris is not to be had for this Python or machine: decoders were not fuzzed")
    command = [sys.executable, "-m", "tests.fuzz", name, "--seconds", str(SECONDS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
