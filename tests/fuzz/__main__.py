"""Fuzzes one decoder: ``python -m tests.fuzz jt808 --seconds 60 --keep``.

Coverage is watched in all of protocols/. The corpus is a text file for each decoder, one input in base64 a line;
``--keep`` adds what was found: the shortest inputs that reach all code that was reached. A fault ends the run with
the input that caused it, ready to be added to the tests.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.corpus import read, write
from tests.fuzz.targets import TARGETS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("target")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--keep", action="store_true", help="write what was found into the corpus")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for number, data in enumerate(read(asked.target)):
            (folder / f"seed{number}").write_bytes(data)
        child = [sys.executable, "-m", "tests.fuzz.child", asked.target]
        limits = [f"-max_total_time={asked.seconds}", f"-max_len={TARGETS[asked.target].limit}"]
        code = subprocess.call([*child, str(folder), *limits, *_OPTIONS], cwd=made_in())
        if code == 0 and asked.keep:
            write(asked.target, [path.read_bytes() for path in folder.iterdir()])
        for crash in sorted(Path(made_in()).glob("crash-*")):
            print(f"the input: {crash.read_bytes()!r}")
            crash.unlink()
        return code


_OPTIONS = ["-timeout=20", "-rss_limit_mb=2048", "-verbosity=1", "-print_final_stats=1"]


def made_in() -> str:
    """The project's folder: the child imports from it."""
    return str(Path(__file__).resolve().parents[2])


if __name__ == "__main__":
    sys.exit(main())
