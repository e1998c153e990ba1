"""The process that fuzzes: libFuzzer ends it when it is done, so it does nothing else."""

from __future__ import annotations

import contextlib
import sys

import atheris

with atheris.instrument_imports(include=["protocols"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    target = TARGETS[sys.argv.pop(1)]

    def once(data: bytes) -> None:
        with contextlib.suppress(target.allowed):
            target.run(data)

    atheris.Setup(sys.argv, once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
