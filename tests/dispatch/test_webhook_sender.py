"""Webhooks on their way: over a real socket, signed, sent again, and never forgotten."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.web.resource import Resource
from twisted.web.server import Site

from dispatch.webhook_sender import PATIENCE_MS, PREFIX, SECRET_FILE, WebhookSender, parse_secret, read_secret
from dispatch.webhooks import Outbox, hooks_of
from storage.archive.head_post import NotDelivered, post
from storage.config import Settings, Webhook, defaults
from storage.journal import JournalFull
from storage.toml import ConfigError
from tests.dispatch.desk import NOON, task
from tests.reactor import reactor, run_deferred
from tests.storage.archive.test_head_post import Names
from tracker.catalogue import PORTS
from tracker.intake import Intake
from tracker.refusal import Change

SECRET = b"k" * 32


class Notes:
    """An intake that writes at once, or not at all, or is full."""

    def __init__(self, clock: Clock) -> None:
        self.events: list[Change] = []
        self.disk, self.full = True, False
        self._clock = clock

    def wall(self) -> int:
        return NOON + round(1000 * self._clock.seconds())

    def note(self, events: list[Change], done: Callable[[int | None], None]) -> None:
        if self.full:
            raise JournalFull("full")
        if self.disk:
            self.events += events
        done(1 if self.disk else None)


class Bench:
    def __init__(self) -> None:
        self.clock = Clock()
        self.notes = Notes(self.clock)
        self.outbox = Outbox(lambda id: None)
        self.asked: list[tuple[bytes, dict[bytes, bytes], Deferred[None]]] = []

        def post(url: str, body: bytes, clock: Any, *, more: dict[bytes, bytes]) -> Deferred[None]:
            made: Deferred[None] = Deferred()
            self.asked.append((body, more, made))
            return made

        self.sender = WebhookSender(
            self.outbox, cast(Intake, self.notes), "https://case.example/secret", SECRET, self.clock, post=post
        )

    def put(self, *ids: str) -> None:
        for id in ids:
            head = {"what": "task", "at": NOON, "kind": "verify", "source": "s", "text": id}
            for event in hooks_of([("task", id, head)], lambda id: None):
                self.outbox.replay(event)
        self.sender.look()

    def answer(self, error: Exception | None = None, which: int = -1) -> None:
        made = self.asked[which][2]
        made.callback(None) if error is None else made.errback(error)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    made.sender.start()
    yield made
    made.sender.stop()
    assert made.clock.getDelayedCalls() == []


def test_what_has_been_taken_is_on_disk_and_goes_no_more(bench: Bench) -> None:
    bench.put("t1")
    bench.answer()
    ((kind, id, fields),) = bench.notes.events
    assert (kind, id.encode(), fields and fields["what"]) == ("hook", bench.asked[0][1][b"webhook-id"], "delivered")
    assert (len(bench.outbox), len(bench.asked)) == (0, 1)


def test_it_is_tried_again_signed_anew(bench: Bench) -> None:
    bench.put("t1")
    bench.answer(NotDelivered("it answered 503", 503))
    bench.clock.advance(0.9)
    assert len(bench.asked) == 1
    bench.clock.advance(0.2)
    assert len(bench.asked) == 2
    (first, before, _), (second, after, _) = bench.asked
    assert first == second
    assert before[b"webhook-id"] == after[b"webhook-id"]
    assert before[b"webhook-signature"] != after[b"webhook-signature"]
    bench.answer()
    assert len(bench.outbox) == 0


def test_a_fault_of_ours_holds_up_nothing_for_ever(bench: Bench) -> None:
    bench.put("t1")
    with capturedLogs():
        bench.answer(ValueError("a fault of ours"))
    bench.clock.advance(5)
    bench.answer()
    assert len(bench.outbox) == 0


def test_one_that_is_refused_does_not_hold_up_the_others(bench: Bench) -> None:
    bench.put("t1", "t2")
    bench.answer(NotDelivered("it answered 422", 422), 0)
    bench.put("t3")
    assert len(bench.asked) == 3
    assert bench.outbox.failing_since == 0


@pytest.mark.parametrize("status", [0, 401, 404, 429, 500])
def test_what_is_no_fault_of_the_message_holds_up_all(bench: Bench, status: int) -> None:
    bench.put("t1")
    bench.answer(NotDelivered("no", status))
    bench.put("t2")
    assert len(bench.asked) == 1
    bench.clock.advance(1)
    assert len(bench.asked) == 2


@pytest.mark.parametrize("how", ["disk", "full"])
def test_what_the_disk_does_not_take_goes_again(bench: Bench, how: str) -> None:
    bench.notes.disk, bench.notes.full = how != "disk", how == "full"
    bench.put("t1")
    bench.answer()
    assert len(bench.outbox) == 1
    bench.notes.disk, bench.notes.full = True, False
    bench.clock.advance(1)
    bench.answer()
    assert len(bench.outbox) == 0
    assert len(bench.asked) == 2


def test_trouble_is_told_after_a_while(bench: Bench) -> None:
    bench.put("t1")
    bench.answer(NotDelivered("case.example did not answer in time"))
    assert bench.sender.trouble(bench.notes.wall()) is None
    trouble = bench.sender.trouble(bench.notes.wall() + PATIENCE_MS + 1)
    assert trouble is not None
    assert (trouble.since, trouble.waiting, trouble.host) == (NOON, 1, "case.example")
    bench.outbox.replay(("hook", "gap", {"what": "gap", "at": NOON, "count": 2}))
    missed = bench.sender.trouble(bench.notes.wall())
    assert missed is not None
    assert missed.missed == 2


def test_nothing_goes_before_the_start_or_after_the_stop(bench: Bench) -> None:
    bench.sender.stop()
    bench.put("t1")
    assert bench.asked == []


class Taker(Resource):
    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[tuple[bytes, dict[str, str]]] = []

    def render_POST(self, request: Any) -> bytes:
        names = ("webhook-id", "webhook-timestamp", "webhook-signature", "content-type")
        self.taken.append((request.content.read(), {name: request.getHeader(name) for name in names}))
        return b""


def test_the_other_side_can_check_who_sent_it() -> None:
    taker, clock, outbox = Taker(), Clock(), Outbox(lambda id: None)
    before = reactor().installNameResolver(Names())
    port = reactor().listenTCP(0, Site(taker), interface="127.0.0.1")
    url = f"http://127.0.0.1:{port.getHost().port}/hooks"
    done: Deferred[None] = Deferred()

    def sent(url: str, body: bytes, clock: Any, **more: Any) -> Deferred[None]:
        return post(url, body, reactor(), **more).chainDeferred(done) or done

    sender = WebhookSender(outbox, cast(Intake, Notes(clock)), url, SECRET, clock, post=sent)
    head = {"what": "task", "at": NOON, "kind": "verify", "source": "s", "text": "井盖"}
    outbox.replay(hooks_of([("task", task().id, head)], lambda id: None)[0])
    sender.start()
    run_deferred(done)
    run_deferred(port.stopListening())
    reactor().installNameResolver(before)
    ((body, headers),) = taker.taken
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mark = base64.b64encode(hmac.new(SECRET, content, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{mark}"
    assert headers["content-type"] == "application/json"
    assert "井盖".encode() in body


# The secret.


def settings_with(folder: Path, secret_file: Path | None = None) -> Settings:
    return dataclasses.replace(defaults(PORTS), data=folder, webhook=Webhook("https://x.example", secret_file))


def test_a_secret_is_made_once(tmp_path: Path) -> None:
    made = read_secret(settings_with(tmp_path))
    assert len(made) == 32
    assert read_secret(settings_with(tmp_path)) == made
    assert (tmp_path / SECRET_FILE).read_text().startswith(PREFIX)


def test_a_secret_of_the_operators(tmp_path: Path) -> None:
    path = tmp_path / "s"
    for prefix in ("", PREFIX):
        path.write_text(prefix + base64.b64encode(SECRET).decode() + "\n")
        assert parse_secret(path) == SECRET


@pytest.mark.parametrize("content", [b"", b"whsec_", b"no base64!", b"\xff", base64.b64encode(b"short")])
def test_a_secret_that_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "s"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"\[webhook\] secret_file .*must hold"):
        read_secret(settings_with(tmp_path, path))
    with pytest.raises(ConfigError, match="cannot be read: no such file"):
        read_secret(settings_with(tmp_path, tmp_path / "none"))
