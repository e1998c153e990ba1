"""A server of dispatch in memory, with a real journal, that can be killed; and handhelds that speak to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from twisted.internet.defer import Deferred

from dispatch.answers import Answers
from dispatch.books import Books
from dispatch.courier import Courier
from dispatch.deadlines import Deadlines
from dispatch.deeds import TASK_EVENT
from dispatch.desk import Desk
from dispatch.desk_model import NewTask
from dispatch.exhibits import EVIDENCE
from dispatch.field import Field
from dispatch.geofence import Geofence
from dispatch.minder import Minder
from dispatch.model import Spot, Task, TaskId
from dispatch.notifier import Notifier
from dispatch.problems import PROBLEM
from dispatch.reporting import Reporting
from dispatch.rounds import Rounds
from dispatch.rules_file import CITIES, read_rules
from dispatch.sos_watch import SosWatch
from dispatch.steps import Steps
from dispatch.travel import TRIP
from protocols.handheld import Client, Held, NoticeTold, Revoked, SosTold, Standing, TaskTold, Words
from storage.archive.layout import Days
from storage.hours import Period
from tests.tracker.helpers import LAT, LON, House, square
from tracker.handheld_session import AppVersions, HandheldSession
from tracker.intake import Intake
from tracker.mirror import Mirror
from tracker.model import Device, UnitId
from tracker.pipeline import Pipeline
from tracker.presence import PresenceLimits
from tracker.rota import Rota
from tracker.workdays import read_calendar
from tracker.working_time import WorkingTime

ZONE = ZoneInfo("Asia/Shanghai")
RULES = read_rules(CITIES / "round-the-clock.toml")
METRE = 90
"""1e-7 degrees of latitude."""
HOURS: tuple[Period, ...] = ((480, 720), (840, 1080))


def spot(north: float = 0, east: float = 0) -> Spot:
    """So many metres from the middle of the grid, roughly."""
    return Spot(LAT + round(north * METRE), LON + round(east * METRE * 1.16))


class City:
    """``house`` has the journal, the clock and the roster: one grid, whose owner is whoever is put there."""

    def __init__(self, house: House) -> None:
        self.house = house
        area = square("g1", "grid", LON / 1e7 - 0.02, LAT / 1e7 - 0.02, LON / 1e7 + 0.02, LAT / 1e7 + 0.02)
        self._apply(
            ("area", "g1", {"id": "g1", "level": "grid", "name": "g1", "street": "东街", "geometry": area.geometry})
        )
        self.handhelds: list[Handheld] = []
        self._begin()

    def _apply(self, change: Any) -> None:
        self.house.roster.apply(change)

    def _begin(self) -> None:
        house, books = self.house, Books(Days(str(ZONE)).day_of)
        self.books, intake = books, house.intake
        self.links = house.make_links()
        clock: Any = house.hands

        held = books.by_type()

        def happened(event: Any) -> None:
            self.links.replay(event)
            book = held.get(event[0])
            if book is not None:
                book.replay(event)

        intake.replay(happened)
        self.pipeline = Pipeline(intake.areas)
        self._seen = 0
        store: Any = None
        self.mirror = Mirror(store, lambda: house.now, house.roster.on_duty, PresenceLimits(120_000, 900_000))
        self.mirror.units = self.pipeline.states  # type: ignore[assignment]
        intake.heard = lambda carrier: self.mirror.heard(carrier.unit.id)
        self.steps = steps = Steps(intake)
        by_type = books.by_type()
        for kind in (TASK_EVENT, TRIP, EVIDENCE):
            steps.attach(kind, by_type[kind].replay)
        calendar = read_calendar("cn", (1, 2, 3, 4, 5), None)
        deadlines = Deadlines(WorkingTime(calendar, HOURS, ZONE), RULES.shares)
        ids = iter(f"t{n}" for n in range(1, 100_000))
        self.desk = desk = Desk(intake, books.tasks, steps, RULES, deadlines, clock, ids.__next__)
        self.courier = Courier(intake, self.links, desk, clock, ZONE, 1 << 20)
        self.geofence = Geofence(intake, desk, steps)
        self.minder = Minder(intake, self.mirror, desk, clock)
        field = Field(intake, self.mirror, Rota(house.roster, ZONE), books.tasks, self.courier.reaches,
                      self.geofence.mode, 300.0, books.sos.needs_help)  # fmt: skip
        self.rounds = Rounds(intake, desk, steps, field, books.detours, clock, clock)
        self.sos = SosWatch(intake, self.links, self.mirror, desk, steps, books.sos, self.minder.called)
        self.notifier = Notifier(
            intake, self.links, desk, steps, books.notices, iter(map(str, range(100_000))).__next__
        )
        self.reporting = Reporting(intake, desk, steps, books.problems, books.exhibits)
        Answers(intake, self.links, desk, self.geofence.marks, lambda unit, sha: False, self.reporting.problem,
                self.notifier.said)  # fmt: skip
        assert PROBLEM in books.by_type()
        self.links.came.append(lambda device: self.rounds.poke())
        intake.stored.append(lambda carrier, records: desk.heard(carrier.unit.id))
        self.links.start()
        for part in (desk, self.rounds, self.minder):
            part.start()

    def kill(self) -> None:
        """The server is killed, and begins again over the same journal; whoever had a link comes again."""
        for handheld in self.handhelds:
            handheld.cut()
        self.links.stop()
        for part in (self.desk, self.rounds, self.minder):
            part.stop()
        changes = list(self.house.roster.changes())
        self.house.intake = Intake(self.house.journal, lambda: self.house.now)
        self.house.roster = self.house.intake.roster
        for change in changes:  # this house has put them in without a journal
            self._apply(change)
        self._begin()
        self.move()

    def move(self) -> None:
        """Live state takes in what is on disk."""
        moved: dict[UnitId, None] = {}
        for batch in self.house.journal.read(self._seen + 1, 1 << 20):
            for number, record in enumerate(batch.records, batch.first):
                if number > self._seen and record[0] == 1:
                    self.pipeline.take(record)
                    moved[record[2]] = None
            self._seen = batch.last
        self.mirror._tell(moved)

    def later(self, seconds: float, step: float = 1.0) -> None:
        """Time goes by, on both clocks."""
        left = seconds
        while left > 0:
            part = min(step, left)
            self.house.now += round(part * 1000)
            self.house.hands.clock.advance(part)
            self.house.settle()
            self.move()
            for handheld in self.handhelds:
                handheld.talk()
            self.house.settle()
            left -= part

    def done(self, work: Any) -> Any:
        """What comes of something that is written down."""
        d = Deferred.fromCoroutine(work)
        found: list[Any] = []
        d.addBoth(found.append)
        for _ in range(5):
            self.house.settle()
        (result,) = found
        if hasattr(result, "raiseException"):
            result.raiseException()
        return result

    def unit(self, id: str, kind: str, **fields: Any) -> None:
        for change in self.house.roster.plan_units([{"id": id, "kind": kind, "name": id, **fields}]):
            self._apply(change)

    def person(self, id: str, at: Spot | None = None, **fields: Any) -> Handheld:
        self.unit(id, "person", **fields)
        device = self.house.register("handheld", f"h-{id}", unit=id)
        handheld = Handheld(self, device)
        self.handhelds.append(handheld)
        handheld.connect()
        if at is not None:
            handheld.at(at)
        return handheld

    def task(self, north: float = 0, east: float = 0, **fields: Any) -> Task:
        new = NewTask(**{"kind": "verify", "spot": spot(north, east), **fields})
        task, _ = self.done(self.desk.create(new, "seat"))
        return task  # type: ignore[no-any-return]

    def see(self, id: str = "t1") -> Task:
        found = self.desk.book.get(TaskId(id))
        assert found is not None
        return found

    def states(self, id: str = "t1") -> list[str]:
        """Of the task, then who has tried it and how far that came."""
        task = self.see(id)
        return [str(task.state), *(f"{one.unit}:{one.state}" for one in task.attempts)]


class Handheld:
    """A device with its screen."""

    def __init__(self, city: City, device: Device) -> None:
        self.city, self.device, self.unit = city, device, UnitId(device.unit)
        self.client = Client(device.external_id, city.house.token(device), tasks=True)
        self.screen: dict[str, TaskTold] = {}
        self.told: list[str] = []
        self.standings: list[Standing] = []
        self.help: list[SosTold] = []
        self.notices: list[NoticeTold] = []
        self.words: Words | None = None
        self.session: HandheldSession | None = None
        self.spot: Spot | None = None
        self._count = 0
        self.answers: Callable[[TaskTold], None] = lambda told: None

    def connect(self) -> None:
        city = self.city
        self.session = HandheldSession(
            city.house.intake, city.links, "192.0.2.1", self._receive, lambda: None, AppVersions()
        )
        self.client.connected(city.house.now)
        self.talk()
        city.house.settle()
        self.talk()

    def cut(self) -> None:
        if self.session is not None:
            self.session.ended()
            self.session = None
            self.client.disconnected()

    def _receive(self, messages: Sequence[bytes]) -> None:
        for message in messages:
            for event in self.client.receive_message(message, self.city.house.now):
                match event:
                    case TaskTold():
                        self.told.append(f"{event.what} {event.task}.{event.attempt}")
                        self.screen[event.task] = event
                        if event.what == "offer":
                            self.say(event.task, event.attempt, "delivered")
                        self.answers(event)
                    case Revoked():
                        self.told.append(f"revoke {event.task}.{event.attempt} {event.reason}")
                        self.screen.pop(event.task, None)
                        self.say(event.task, event.attempt, "revoked")
                    case Held():
                        held = {task for task, _ in event.tasks}
                        self.screen = {id: one for id, one in self.screen.items() if id in held}
                    case Words():
                        self.words = event
                    case Standing():
                        self.standings.append(event)
                    case NoticeTold():
                        self.notices.append(event)
                        self.client.add_answer(event.id, 1, "shown", f"shown {event.id}", self.city.house.now)
                    case SosTold():
                        self.help.append(event)

    def talk(self) -> None:
        timer = self.client.get_timer()
        if timer is not None and timer <= self.city.house.now:
            self.client.handle_timer(self.city.house.now)
        for _ in range(4):
            out = self.client.messages_to_send(self.city.house.now)
            if not out or self.session is None:
                return
            self.session.receive(out)

    def say(self, task: str, attempt: int, what: str, **fields: Any) -> None:
        self._count += 1
        self.client.add_answer(task, attempt, what, f"{self.unit}-{self._count}", self.city.house.now, **fields)

    def does(self, what: str, task: str = "t1", **fields: Any) -> None:
        """Say it to the attempt that is on the screen, and wait until it is on disk."""
        self.say(task, self.screen[task].attempt, what, **fields)
        self.city.later(1)

    def at(self, there: Spot, alarm: int = 0) -> None:
        self.spot = there
        self.client.add_position(self.city.house.now, there.latitude, there.longitude, 50, alarm=alarm)
        self.talk()
        self.city.house.settle()
        self.city.move()

    def goes(self, to: Spot, seconds: int, every: int = 5) -> None:
        """In a straight line, with a position each few seconds."""
        start = self.spot or to
        for n in range(every, seconds + 1, every):
            part = n / seconds
            self.at(Spot(round(start.latitude + (to.latitude - start.latitude) * part),
                         round(start.longitude + (to.longitude - start.longitude) * part)))  # fmt: skip
            self.city.later(every, every)

    def stays(self, seconds: int, every: int = 5) -> None:
        self.goes(self.spot or spot(), seconds, every)
