"""The archivist: jobs at their time, one at a time, and what their processes say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from storage.archive.archive import Archive
from storage.archive.chain import SealedFile
from storage.archive.layout import SNAPSHOTS
from storage.archive.snapshots import ENDING
from tests.tracker.archive_house import HOUR, ZONE
from tracker.archivist import HURRY_S, LINE_LIMIT, Archivist, JobFailed

EIGHT = 1_795_392_000_000


class Processes(Clock):
    """A reactor whose processes are the test's to move."""

    def __init__(self) -> None:
        super().__init__()
        self.children: list[Any] = []
        self.requests: list[Any] = []
        self.signals: list[str] = []
        self.exhausted = False

    def spawnProcess(self, child: Any, *_: object, **__: object) -> None:
        if self.exhausted:
            raise OSError(11, "Resource temporarily unavailable")
        self.children.append(child)
        child.transport = self
        child.connectionMade()

    def write(self, data: bytes) -> None:
        self.requests.append(json.loads(data))

    def closeStdin(self) -> None:
        pass

    def signalProcess(self, signal: str) -> None:
        self.signals.append(signal)

    def say(self, **message: object) -> None:
        self.children[-1].outReceived(json.dumps(message).encode() + b"\n")

    def end(self, code: int = 0) -> None:
        reason = ProcessDone(None) if code == 0 else ProcessTerminated(code)
        self.children[-1].processEnded(Failure(reason))

    @property
    def jobs(self) -> list[str]:
        return [request["job"] for request in self.requests]


class Desk:
    """An archivist over an empty archive at a moment."""

    def __init__(self, data: Path) -> None:
        self.now = EIGHT
        self.room = True
        self.nights = 0
        self.processes = Processes()
        self.archive = Archive(data / "archive", ZONE)

        def ended() -> None:
            self.nights += 1

        self.archivist = Archivist(
            data, self.archive, ZONE, lambda: self.now, self.processes, {"seal": lambda: {"upto": 7}},
            hourly=("seal",), nightly=("seal", "close", "snapshot"), may_write=lambda: self.room, after_night=ended,
        )  # fmt: skip

    def snapshot_of(self, day: str) -> None:
        self.archive.chains[SNAPSHOTS].append(
            "day", day, self.now, files=[SealedFile(f"{day}{ENDING}", 0, 0, "0" * 64)]
        )


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_the_first_night_is_made_up_for_as_soon_as_it_runs(desk: Desk) -> None:
    desk.archivist.tick()
    assert desk.processes.jobs == ["seal"]
    assert desk.processes.requests[0]["arguments"] == {"upto": 7}
    assert desk.processes.requests[0]["now"] == EIGHT
    for _ in range(3):
        assert desk.nights == 0
        desk.processes.say(done={})
        desk.processes.end()
    assert desk.processes.jobs == ["seal", "close", "snapshot"]
    assert desk.nights == 1
    desk.archivist.tick()
    assert len(desk.processes.jobs) == 3


def test_an_hour_is_sealed_when_it_is_over_and_a_night_once_a_day(desk: Desk) -> None:
    desk.snapshot_of("2026-11-22")
    desk.now = EIGHT + 60_000
    desk.archivist.tick()
    desk.processes.say(done={})
    desk.processes.end()
    desk.now = EIGHT + HOUR + 59_999
    desk.archivist.tick()
    assert desk.processes.jobs == ["seal"]
    desk.now += 1
    desk.archivist.tick()
    desk.archivist.tick()
    assert desk.processes.jobs == ["seal", "seal"]
    desk.processes.say(done={})
    desk.processes.end()
    # Midnight in the city is 16 hours later; the day counts from half past.
    desk.now = EIGHT + 16 * HOUR + 60_000
    desk.archivist.tick()
    desk.processes.say(done={})
    desk.processes.end()
    assert desk.processes.jobs == ["seal"] * 3
    desk.now += HOUR
    desk.archivist.tick()
    desk.processes.say(done={})
    desk.processes.end()
    assert desk.processes.jobs == ["seal"] * 4 + ["close"]


def test_a_clock_that_was_ahead_for_a_moment_stops_nothing(desk: Desk) -> None:
    desk.snapshot_of("2026-11-22")
    desk.snapshot_of("2030-01-01")  # made at that moment
    desk.now += 1000 * 24 * HOUR
    desk.archivist.tick()
    for _ in range(3):
        desk.processes.say(done={})
        desk.processes.end()
    desk.now = EIGHT
    desk.archivist.tick()
    assert desk.processes.jobs == ["seal", "close", "snapshot", "seal"]
    desk.processes.say(done={})
    desk.processes.end()
    desk.now += 24 * HOUR
    desk.archivist.tick()
    for _ in range(3):
        desk.processes.say(done={})
        desk.processes.end()
    assert desk.processes.jobs[4:] == ["seal", "close", "snapshot"]


def test_what_failed_at_night_is_tried_again_with_the_next_hour(desk: Desk) -> None:
    desk.archivist.tick()
    desk.processes.say(done={})
    desk.processes.end()
    desk.processes.end(1)
    desk.processes.say(done={})
    desk.processes.end()
    desk.snapshot_of("2026-11-22")
    assert [job for job, _ in desk.archivist.problems] == ["close"]
    desk.now += HOUR + 60_000
    desk.archivist.tick()
    for _ in range(2):
        desk.processes.say(done={})
        desk.processes.end()
    assert desk.processes.jobs == ["seal", "close", "snapshot", "seal", "close"]
    assert desk.archivist.problems == []


def test_a_process_that_cannot_be_started_is_a_job_that_failed(desk: Desk) -> None:
    failures: list[Any] = []
    desk.processes.exhausted = True
    desk.archivist.ask("close").addErrback(failures.append)
    assert failures[0].check(JobFailed)
    assert desk.archivist.running is None
    assert desk.archivist.problems == [
        ("close", "no process can be started: [Errno 11] Resource temporarily unavailable")
    ]
    desk.processes.exhausted = False
    desk.archivist.ask("close")
    assert desk.processes.jobs == ["close"]


def test_nothing_is_written_to_a_disk_without_room(desk: Desk) -> None:
    desk.room = False
    desk.archivist.tick()
    assert desk.processes.jobs == []
    desk.room = True
    desk.archivist.tick()
    assert desk.processes.jobs == ["seal"]


def test_progress_and_result_are_told(desk: Desk) -> None:
    results: list[object] = []
    desk.archivist.ask("close", {"a": 1}).addCallback(results.append)
    assert desk.archivist.running is not None
    assert desk.archivist.running.job == "close"
    whole = json.dumps({"progress": {"units": 3}}).encode() + b"\n"
    desk.processes.children[0].outReceived(whole[:9])
    desk.processes.children[0].outReceived(whole[9:] + b"not json\n")
    assert desk.archivist.running.progress == {"units": 3}
    desk.now += 1500
    desk.processes.say(done={"closed": ["x"]})
    desk.processes.end()
    assert results == [{"closed": ["x"]}]
    assert desk.archivist.running is None
    outcome = desk.archivist.outcomes["close"]
    assert (outcome.at, outcome.took, outcome.result, outcome.failure) == (desk.now, 1500, {"closed": ["x"]}, "")
    assert desk.archivist.problems == []


def test_a_failure_is_told_until_the_job_succeeds_and_stops_no_other(desk: Desk) -> None:
    failures: list[Any] = []
    desk.archivist.ask("close").addErrback(failures.append)
    second = desk.archivist.ask("seal")
    desk.processes.say(failed="OSError: no room")
    desk.processes.end(1)
    assert failures[0].check(JobFailed)
    assert desk.archivist.problems == [("close", "OSError: no room")]
    assert desk.processes.jobs == ["close", "seal"]
    desk.processes.say(done={})
    desk.processes.end()
    assert second.called
    desk.archivist.ask("close")
    desk.processes.say(done={})
    desk.processes.end()
    assert desk.archivist.problems == []


def test_a_child_that_is_killed_or_says_nothing_has_failed(desk: Desk) -> None:
    failures: list[Any] = []
    desk.archivist.ask("close").addErrback(failures.append)
    desk.processes.children[0].errReceived(b"Traceback\nMemoryError: too much\n")
    desk.processes.end(9)
    desk.archivist.ask("close").addErrback(failures.append)
    desk.processes.end()
    assert str(failures[0].value) == "MemoryError: too much"
    assert len(failures) == 2


def test_a_child_that_prints_without_end_is_ended(desk: Desk) -> None:
    desk.archivist.ask("close").addErrback(lambda failure: None)
    desk.processes.children[0].outReceived(b"x" * (LINE_LIMIT + 1))
    assert desk.processes.signals == ["TERM"]


def test_what_is_urgent_is_next_and_ends_what_only_reads(desk: Desk) -> None:
    ended: list[Any] = []
    desk.archivist.ask("verify").addErrback(ended.append)
    desk.archivist.ask("seal")
    assert desk.processes.signals == []
    desk.archivist.ask("tidy", urgent=True)
    assert desk.processes.signals == ["TERM"]
    desk.processes.end(15)
    assert ended[0].check(JobFailed)
    assert desk.processes.jobs == ["verify", "tidy"]
    desk.archivist.ask("tidy", urgent=True)
    assert desk.processes.signals == ["TERM"]


def test_what_is_urgent_waits_for_nothing_for_long_and_the_night_goes_on_behind_it(desk: Desk) -> None:
    desk.archivist.tick()
    processes = desk.processes
    processes.say(done={})
    processes.end()
    done: list[Any] = []
    desk.archivist.ask("remove_off_duty", {"upto": 5}, urgent=True).addCallback(done.append)
    processes.advance(HURRY_S - 1)
    assert (processes.jobs, processes.signals) == (["seal", "close"], []), "a job that ends soon is left to"
    processes.advance(1)
    assert processes.signals == ["TERM"]
    processes.end(15)
    processes.say(done={"counts": {}})
    processes.end()
    assert done == [{"counts": {}}]
    for _ in range(2):
        processes.say(done={})
        processes.end()
    assert processes.jobs == ["seal", "close", "remove_off_duty", "close", "snapshot"]
    assert (desk.archivist.problems, desk.nights) == ([], 1)


def test_a_job_that_ends_in_time_is_not_ended_and_neither_is_the_urgent_one(desk: Desk) -> None:
    desk.archivist.ask("close")
    desk.archivist.ask("remove_off_duty", {"upto": 5}, urgent=True)
    desk.processes.say(done={})
    desk.processes.end()
    desk.processes.advance(HURRY_S)
    assert (desk.processes.jobs, desk.processes.signals) == (["close", "remove_off_duty"], [])


def test_heads_go_out_after_a_night_whose_last_job_failed(desk: Desk) -> None:
    desk.archivist.tick()
    for _ in range(3):
        desk.processes.say(failed="no")
        desk.processes.end(1)
    assert desk.nights == 1


def test_stopping_ends_what_runs_and_takes_nothing_more(desk: Desk) -> None:
    failures: list[Any] = []
    desk.archivist.start()
    desk.archivist.ask("close").addErrback(failures.append)
    desk.archivist.ask("verify").addErrback(failures.append)
    stopped = desk.archivist.stop()
    assert desk.processes.signals == ["TERM"]
    assert not stopped.called
    desk.processes.end(15)
    assert stopped.called
    desk.archivist.ask("seal").addErrback(failures.append)
    assert desk.processes.jobs == ["close"]
    assert [failure.type for failure in failures] == [JobFailed] * 3
