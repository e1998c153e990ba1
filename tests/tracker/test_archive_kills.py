"""Whatever happens to the archive's jobs, every point that was journalled is there, once.

The jobs are done in this process. A kill is an exception from any one of their steps on the file system, after which
no other step has any effect, cleaning up included, as when the process is gone.
"""

from __future__ import annotations

import gc
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.journal_files import JournalFiles
from tests.tracker.archive_city import EIGHT, NIGHT, City
from tests.tracker.archive_house import DAY, HOUR

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_STEPS = frozenset({"os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.truncate"})


class Killed(BaseException):
    """Nobody catches it who is not gone."""


class _Steps:
    """Counts the steps below a folder and dies at one of them."""

    def __init__(self) -> None:
        self.folder = ""
        self.count = 0
        self.last = 0

    def heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.folder:
            return
        if event in _STEPS or (event == "open" and (arguments[2] or 0) & _WRITING):
            path = arguments[0]
            if isinstance(path, str | os.PathLike) and not os.fspath(path).startswith(self.folder) and "/" in str(path):
                return
            self.step()

    def step(self) -> None:
        self.count += 1
        if self.last and self.count >= self.last:
            raise Killed


_steps = _Steps()
sys.addaudithook(_steps.heard)


@contextmanager
def killed_at(folder: Path, last: int) -> Iterator[_Steps]:
    """Die at the step of that number; 0 only counts them."""
    _steps.folder, _steps.count, _steps.last = str(folder), 0, last
    try:
        yield _steps
    except Killed:
        pass
    finally:
        _steps.folder = ""
        gc.collect()  # what the dead process had open


@pytest.fixture(autouse=True)
def synced(monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps that the interpreter does not tell of by itself."""

    def stepping(real: Any) -> Any:
        def step(*arguments: Any) -> Any:
            if _steps.folder:
                _steps.step()
            return real(*arguments)

        return step

    for name in ("fsync", "fdatasync", "pwrite"):
        monkeypatch.setattr(os, name, stepping(getattr(os, name)))


def week(city: City) -> Iterator[str]:
    """Two weeks of a city that has late points, and some of the future. Before each job it is told which."""
    for day in range(10):
        for hour in range(2):
            city.house.now = EIGHT + day * DAY + hour * 5 * HOUR
            city.put(0, 1000, *([7 * DAY, 8 * DAY] if day > 7 else ()), *([-40 * DAY] if hour else ()))
            city.house.now += HOUR
            if day < 7 and hour == 0:
                continue
            yield "seal"
            city.do("seal")
        for job in NIGHT:
            if day == 0 or day > 6:
                yield job
                city.do(job)


def test_killed_at_any_step_of_any_job(tmp_path: Path, long_run: bool) -> None:
    city = City(tmp_path / "city")
    kept, data = tmp_path / "kept", city.house.data / "archive"
    number = 0
    for job in week(city):
        shutil.copytree(data, kept)
        with killed_at(data, 0) as steps:
            city.do(job)
        for step in range(1, steps.count + 1):
            number += 1
            if not long_run and number % 23:
                continue
            shutil.rmtree(data)
            shutil.copytree(kept, data)
            with killed_at(data, step):
                city.do(job)
            city.check()
            now = city.house.now
            city.settle()
            city.house.now = now
        shutil.rmtree(data)
        shutil.move(kept, data)
    assert number > 100


_WALK = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.lists(st.sampled_from([0, HOUR, DAY, 8 * DAY, 30 * DAY, -3 * DAY, -400 * DAY]),
                                           min_size=1, max_size=5)),
        st.tuples(st.just("wait"), st.sampled_from([HOUR, 5 * HOUR, DAY, 9 * DAY, -2 * HOUR, -DAY])),
        st.tuples(st.sampled_from(NIGHT), st.sampled_from([0, 0, 0, 1, 2, 3, 5, 8, 13, 21, 34, 55])),
        st.tuples(st.sampled_from(["lose the runs", "drop journal days"]), st.just(0)),
    ),
    max_size=14 if os.environ.get("GRIDBEAT_LONG") != "1" else 40,
)  # fmt: skip


@settings(max_examples=settings.default.max_examples // 8, suppress_health_check=list(HealthCheck))
@given(walk=_WALK, zone=st.sampled_from(["Asia/Shanghai", "America/New_York", "Australia/Lord_Howe"]))
def test_whatever_happens_in_whatever_order(
    walk: list[tuple[str, Any]], zone: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    city = City(tmp_path_factory.mktemp("city"), zone)
    folder = city.house.data / "archive"
    for what, value in walk:
        if what == "put":
            city.put(*value)
        elif what == "wait":
            city.house.now += value
        elif what == "drop journal days":
            drop_journal_days(city)
        elif what == "lose the runs":
            lose_runs(city)
        else:
            with killed_at(folder, value):
                city.do(what)
        city.check()
    city.settle()


def drop_journal_days(city: City) -> None:
    """Those of which everything is sealed."""
    files = JournalFiles(city.house.data / "journal")
    for file in files.days()[:-1]:
        if file.last > city.house.archive.sealed:
            break
        files.delete(file.day)


def lose_runs(city: City) -> None:
    """As after an accident, if the journal has all that was in them."""
    first = next(iter(JournalFiles(city.house.data / "journal").days()), None)
    if first is None or first.first != 1:
        return
    last = city.house.archive.sealed
    shutil.rmtree(city.house.archive.layout.open)
    city.house.archive.layout.open.mkdir()
    city.house.do("seal", upto=last, before=city.house.now + 1000 * DAY)
