"""A town of devices behind a bad network, in virtual time: the cores of both sides, the book, and nothing else.

A link carries whole sendings in order. One that is lost takes the link with it; one whose confirmation is lost arrives,
and takes the link with it all the same, so that it is sent again over the next. A link that is gone is noticed after
seconds; one whose device has lost its network by nobody until the device comes again.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random

from dispatch.book import TaskBook
from dispatch.draft import Send, Step
from dispatch.model import Attempt, AttemptInput, AttemptState, Result, Task, TaskId, TaskState
from protocols.handheld import Acknowledged, Answer, Client, Conversation, Hello, Ping, Welcome
from simulator.errands import Errands, Token
from simulator.manner import Manner, Network
from tests.dispatch.desk import NOON, rebuilt, same, task
from tracker.model import UnitId
from tracker.refusal import Change, Refusal

RESENT = (5_000, 15_000)
"""ms after an offer, when it is sent again."""
NOTICED = (500, 4_000)
"""ms until somebody notices that a link is gone."""
LATENCY = (30, 400)
WORDS = {
    "kinds": {"verify": {"zh": "核实", "en": "Verify", "results": {"exist": {"zh": "属实", "en": "Exists"}}}},
    "declines": {"busy": {"zh": "忙", "en": "Busy"}},
}
_TOLD = {
    "delivered": AttemptInput.DELIVER, "accept": AttemptInput.ACCEPT, "decline": AttemptInput.DECLINE,
    "start": AttemptInput.DEPART, "arrive": AttemptInput.ARRIVE,
}  # fmt: skip


class Clock:
    """What is to be done when, ms."""

    def __init__(self) -> None:
        self.now = NOON
        self._heap: list[tuple[int, int, Callable[[], object]]] = []
        self._order = count()

    def later(self, ms: int, do: Callable[[], object]) -> None:
        heapq.heappush(self._heap, (self.now + ms, next(self._order), do))

    def run(self, until: int) -> None:
        while self._heap and self._heap[0][0] <= until:
            self.now, _, do = heapq.heappop(self._heap)
            do()
        self.now = until


class Link:
    """One connection. ``up`` and ``down`` take what arrives at the server and at the device."""

    def __init__(self, world: World, down: Callable[[Sequence[bytes]], None], lost: Callable[[], None]) -> None:
        self._world = world
        self.up: Callable[[Sequence[bytes]], None] = lambda messages: None
        self._down, self._lost = down, lost
        self.alive = True
        self._last = {True: 0, False: 0}

    def send(self, messages: Sequence[bytes], up: bool) -> None:
        """One sending, if the link still stands; nobody is told if it does not."""
        world = self._world
        if not self.alive or not messages:
            return
        fate = world.network.fate(world.random)
        world.fates[fate] += 1
        if fate != "lost":
            # In the order in which they were sent.
            at = max(self._last[up], world.clock.now + world.random.randint(*LATENCY))
            self._last[up] = at
            world.clock.later(at - world.clock.now, lambda: (self.up if up else self._down)(messages))
        if fate != "arrives":
            self.alive = False
            world.clock.later(world.random.randint(*NOTICED), self._lost)


class Says:
    """The client, with everything written down that it is told to say."""

    def __init__(self, client: Client, said: list[tuple[str, Token, str]]) -> None:
        self._client, self._said = client, said

    def add_answer(
        self, task: str, attempt: int, what: str, event: str, at: int, *, reason: str = "", word: str = "",
        text: str = "", photos: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self._said.append((event, (task, attempt), what))
        self._client.add_answer(task, attempt, what, event, at, reason=reason, word=word, text=text, photos=photos)


class NoAlbum:
    def add(self, token: Token, data: bytes) -> str:
        raise AssertionError("no photo is asked for")

    def release(self, photos: Sequence[str]) -> None:
        """There are none."""


class Device:
    """A handheld and who carries it: on the way for two minutes, then there."""

    def __init__(self, world: World, unit: UnitId) -> None:
        self.world, self.unit = world, unit
        self.client = Client(unit, "secret", tasks=True)
        self.said: list[tuple[str, Token, str]] = []
        says = Says(self.client, self.said)
        self.errands = Errands(unit, world.manner, says, NoAlbum(), lambda _: b"", Random(f"{world.seed} {unit}"))
        self.link: Link | None = None
        self.online = True
        self._failures = 0
        self._on_the_way = False

    def start(self) -> None:
        self.world.clock.later(self.world.random.randint(0, 10_000), self._tick)
        self._connect()

    def _tick(self) -> None:
        """A position every ten seconds, and what is due."""
        now = self.world.clock.now
        self.world.clock.later(10_000, self._tick)
        self.client.add_position(now, 310_000_000, 1_210_000_000)
        self._attend()

    def _attend(self) -> None:
        now = self.world.clock.now
        due = self.client.get_timer()
        if due is not None and due <= now:
            self.client.handle_timer(now)
        self.errands.handle_timer(now)
        if self.errands.goal is not None and not self._on_the_way:
            self._on_the_way = True
            self.errands.set_out(now)
            self.world.clock.later(120_000, self._arrive)
        if self.link is not None:
            self.link.send(self.client.messages_to_send(now), up=True)
            if self.client.closing:
                self._lost(self.link)

    def _arrive(self) -> None:
        self._on_the_way = False
        self.errands.arrived(self.world.clock.now)

    # The link.

    def go_offline(self, ms: int) -> None:
        self.online = False
        if self.link is not None:
            self._gone(self.link)  # and the server notices nothing

        def back() -> None:
            self.online = True
            self._failures = 0
            self._connect()

        self.world.clock.later(ms, back)

    def _connect(self) -> None:
        if self.online and self.link is None:
            self.link = link = Link(
                self.world, lambda messages: self._receive(link, messages), lambda: self._lost(link)
            )
            self.world.server.accept(link, self)
            self.client.connected(self.world.clock.now)
            self._attend()

    def _lost(self, link: Link) -> None:
        self.world.server.lost(link, self.unit)
        self._gone(link)

    def _gone(self, link: Link) -> None:
        if self.link is link:
            link.alive, self.link = False, None
            self.client.disconnected()
            delay = self.client.reconnect_delay(self._failures)
            self._failures += 1
            self.world.clock.later(delay, self._connect)

    def _receive(self, link: Link, messages: Sequence[bytes]) -> None:
        if link is not self.link:
            return
        now = self.world.clock.now
        for message in messages:
            for event in self.client.receive_message(message, now):
                if isinstance(event, Welcome):
                    self._failures = 0
                elif not isinstance(event, Acknowledged):
                    self.errands.told(event, now)
        self._attend()


class Server:
    """The book with its journal, a round every second, a courier, and a conversation with each device."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.book = TaskBook()
        self.journal: list[Change] = []
        self.codes: Counter[str] = Counter()
        self._links: dict[UnitId, tuple[Link, Conversation]] = {}

    def start(self) -> None:
        self.world.clock.later(1000, self._second)

    def _second(self) -> None:
        now = self.world.clock.now
        self.world.clock.later(1000, self._second)
        for timer in self.book.due(now):
            self._do(self.book.plan_timer(timer, now))
        for one in self.book.open():
            if one.state is TaskState.QUEUED:
                self._offer(one)

    def _offer(self, one: Task) -> None:
        """To somebody who has little to do, if there is anybody who may be asked."""
        units = list(self.world.devices)
        self.world.random.shuffle(units)
        for unit in sorted(units, key=lambda unit: len(self.book.held(unit))):
            if len(self.book.held(unit)) < 3:
                try:
                    self._do(self.book.plan_offer(one.id, unit, 120, self.world.clock.now))
                except Refusal:
                    continue
                return

    def create(self, one: Task) -> None:
        self._do(self.book.plan_create(one, self.world.clock.now))

    def _do(self, step: Step) -> Step:
        self.journal += step.events
        self.book.take(step.events)
        for send in step.sends:
            if send.to == "unit":
                self._send(send)
                if send.what == "offer":
                    for ms in RESENT:
                        self.world.clock.later(ms, lambda send=send: self._again(send))  # type: ignore[misc]
        return step

    def _again(self, send: Send) -> None:
        one = self.book.get(send.task)
        attempt = None if one is None else one.find(send.attempt)
        if attempt is not None and attempt.state is AttemptState.OFFERED:
            self._send(send)

    def _send(self, send: Send) -> None:
        if send.unit in self._links:
            self._tell(self._links[send.unit][1], send)
            self._flush(send.unit)

    def _tell(self, conversation: Conversation, send: Send) -> None:
        one = self.book.get(send.task)
        attempt = None if one is None else one.find(send.attempt)
        if one is None or attempt is None:
            return
        if send.what == "revoke":
            conversation.revoke(send.task, send.attempt, send.reason)
        else:
            conversation.task(_fields(one, attempt, send.what))

    def _flush(self, unit: UnitId) -> None:
        link, conversation = self._links[unit]
        link.send(conversation.messages_to_send(), up=False)

    # Links.

    def accept(self, link: Link, device: Device) -> None:
        conversation = Conversation()
        link.up = lambda messages: self._receive(link, conversation, device.unit, messages)

    def lost(self, link: Link, unit: UnitId) -> None:
        if unit in self._links and self._links[unit][0] is link:
            del self._links[unit]

    def _receive(self, link: Link, conversation: Conversation, unit: UnitId, messages: Sequence[bytes]) -> None:
        now = self.world.clock.now
        for message in messages:
            for event in conversation.receive_message(message):
                if isinstance(event, Hello):
                    self._links[unit] = link, conversation
                    conversation.welcome(now, unit)
                    self._came(conversation, unit)
                elif isinstance(event, Ping):
                    conversation.pong(now)
                elif isinstance(event, Answer):
                    self._heard(unit)
                    self._answer(conversation, unit, event)
                else:
                    self._heard(unit)
                    conversation.acknowledge(event.seq)  # type: ignore[union-attr]
        link.send(conversation.messages_to_send(), up=False)

    def _heard(self, unit: UnitId) -> None:
        self._do(self.book.plan_heard(unit, self.world.clock.now))

    def _came(self, conversation: Conversation, unit: UnitId) -> None:
        self._heard(unit)
        have = [(one, one.attempt) for one in self.book.open() if one.attempt is not None and one.attempt.unit == unit]
        conversation.words(WORDS)
        conversation.held([(one.id, attempt.number) for one, attempt in have])
        for one, attempt in have:
            if attempt.state is not AttemptState.OFFERED:
                conversation.task(_fields(one, attempt, "hold"))
        for send in self.book.to_send(unit):
            self._tell(conversation, send)

    def _answer(self, conversation: Conversation, unit: UnitId, said: Answer) -> None:
        now, one = self.world.clock.now, self.world.tasks[said.task]
        if said.what == "report":
            result = Result(said.word, unit, said.attempt, now, said=said.at or now, closes=True)
            step = self.book.plan_report(one, said.event, result, now)
        elif said.what in _TOLD:
            step = self.book.plan_told(
                one, said.attempt, unit, _TOLD[said.what], now, event=said.event, reason=said.reason
            )
        else:
            step = self.book.plan_acknowledged(one, said.attempt, unit, now)
        answer = self._do(step).answer
        assert answer is not None
        self.codes[answer.code] += 1
        conversation.acknowledge(said.seq)
        conversation.standing(said.event, answer.code, answer.task, answer.attempt, answer.state)


def _fields(one: Task, attempt: Attempt, what: str) -> dict[str, object]:
    return {
        "task": one.id, "attempt": attempt.number, "what": what, "state": str(attempt.state), "kind": one.kind,
        "klass": one.klass, "lat": one.spot.latitude, "lon": one.spot.longitude,
    }  # fmt: skip


@dataclass
class World:
    """A town. ``network`` and ``manner`` may be exchanged while it goes on."""

    seed: int
    units: int
    network: Network
    manner: Manner
    clock: Clock = field(default_factory=Clock)
    fates: Counter[str] = field(default_factory=Counter)
    offline_ms: int = 0
    tasks: dict[str, TaskId] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = Random(f"network {self.seed}")
        self.server = Server(self)
        self.devices = {UnitId(f"u{n:02d}"): Device(self, UnitId(f"u{n:02d}")) for n in range(self.units)}
        self.server.start()
        for device in self.devices.values():
            device.start()

    def slot(self) -> None:
        """Ten minutes in which a share of the devices loses its network at some time."""
        for device in self.random.sample(list(self.devices.values()), round(self.network.offline * self.units)):
            lasts = self.random.randint(10_000, int(1000 * self.network.offline_s))
            self.offline_ms += lasts
            self.clock.later(self.random.randint(0, 600_000), lambda d=device, ms=lasts: d.go_offline(ms))  # type: ignore[misc]

    def ask(self, number: int) -> None:
        now = self.clock.now
        one = task(f"t{number}", created=now, warn=now + 900_000, critical=now + 1_440_000, due=now + 1_800_000)
        self.tasks[one.id] = one.id
        self.server.create(one)

    @property
    def said(self) -> list[tuple[str, Token, str]]:
        return [said for device in self.devices.values() for said in device.said]

    def replays(self) -> bool:
        """Whether the journal makes the same book."""
        return same(rebuilt(self.server.journal), self.server.book)
