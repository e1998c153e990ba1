"""The roads beside the rounds: a thread searches, and nobody waits for it longer than 50 ms.

A round asks for the ways to its tasks (:meth:`RoadDesk.ways`) and takes what is there in time; for the rest the
straight line holds, and the decision record says so of each candidate. How often that was is counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from queue import SimpleQueue
from threading import Event, Thread

from twisted.logger import Logger

from dispatch.model import Task
from dispatch.ranking import Crew, Ways
from dispatch.roads import Roads
from dispatch.roads_survey import Reaches, Survey

PATIENCE_S = 0.05
BREATH_S = 0.0002


class _Errand:
    """A survey on its way to the thread and back."""

    def __init__(self, survey: Survey) -> None:
        self.survey = survey
        self.done, self.over = Event(), Event()


class RoadDesk:
    """What is known of a city's roads. Start it before it is asked, and stop it at the end."""

    def __init__(self, roads: Roads, patience: float = PATIENCE_S) -> None:
        self._roads, self._patience = roads, patience
        self._reaches = Reaches()
        self._errands: SimpleQueue[_Errand | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name="roads", daemon=True)
        self._log = Logger(namespace="gridbeat.dispatch")
        self.asked = 0
        """Tasks for which a round has asked."""
        self.late = 0
        """Of these, those to which not all ways were there in time."""
        self.searches = 0
        self.failures = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """The search that is being made is the last one."""
        self._errands.put(None)

    def ways(self, tasks: Iterable[Task], crew: Crew) -> Ways:
        """To these tasks from where this crew sets out, as far as they are there within 50 ms; give them to
        :func:`dispatch.matching.match` and to :func:`dispatch.decision.record` both. Waits, so it is for a round's
        thread, not for the reactor's."""
        errand = _Errand(Survey(tasks, crew, self._roads, self._reaches))
        self._errands.put(errand)
        errand.done.wait(self._patience)
        errand.over.set()
        self.asked += len(errand.survey)
        self.late += len(errand.survey.missing)
        return errand.survey.ways()

    def known(self, tasks: Iterable[Task], crew: Crew) -> Ways:
        """As :meth:`ways`, of what was searched before: at once, on any thread."""
        survey = Survey(tasks, crew, self._roads, self._reaches)
        for _ in survey.run(searching=False):
            pass
        return survey.ways()

    def _work(self) -> None:
        while (errand := self._errands.get()) is not None:
            try:
                for search in errand.survey.run():
                    # A search holds the interpreter for a millisecond or two: between two of them others go first.
                    if errand.over.wait(BREATH_S) if search else errand.over.is_set():
                        break
                    self.searches += search
            except Exception:
                self.failures += 1
                self._log.failure("a search over the roads failed; straight lines are used instead")
            errand.done.set()
