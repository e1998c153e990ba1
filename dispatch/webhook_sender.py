"""Sends what waits in the outbox of webhooks to the one address that the operator has named, and journals what has been
taken there."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from dispatch.webhooks import Hook, Outbox, signed
from storage.archive.archive import write_whole
from storage.archive.head_post import NotDelivered, host_of, post
from storage.config import Settings
from storage.journal import JournalFull
from storage.toml import ConfigError
from tracker.intake import Intake

SECRET_FILE = "webhook-secret.txt"
PREFIX = "whsec_"
ITS_OWN = frozenset({400, 409, 413, 422})
"""Answers that are about the message. Every other one is about all of them: the address, the password, the server."""
PATIENCE_MS = 15 * 60_000
"""How long nothing may go, or one thing may be refused, before somebody should look."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Nothing has gone since ``since`` (ms, 0 if it does), ``waiting`` messages wait, ``missed`` were not kept,
    ``stuck`` things are refused."""

    since: int
    waiting: int
    missed: int
    stuck: int
    host: str
    reason: str


class WebhookSender:
    """Call :meth:`look` when something may have come into the outbox."""

    def __init__(
        self,
        outbox: Outbox,
        intake: Intake,
        url: str,
        secret: bytes,
        clock: Any,
        *,
        post: Callable[..., Deferred[None]] = post,
    ) -> None:
        self.outbox = outbox
        self._intake, self._url, self._secret, self._clock, self._post = intake, url, secret, clock, post
        self._running = False
        self._again: Any = None
        self._log = Logger(namespace="gridbeat.webhooks")

    def start(self) -> None:
        """Send what waits from before."""
        self._running = True
        self.look()

    def stop(self) -> None:
        """Begin nothing more; what waits is in the journal."""
        self._running = False
        if self._again is not None and self._again.active():
            self._again.cancel()

    def look(self) -> None:
        """Send what may go, and see when there will be more."""
        if not self._running:
            return
        now = self._intake.wall()
        for hook in self.outbox.to_send(now):
            Deferred.fromCoroutine(self._send(hook)).addErrback(self._broken, hook)
        if self._again is not None and self._again.active():
            self._again.cancel()
        due = self.outbox.get_timer()
        if due is not None and due > now:
            self._again = self._clock.callLater((due - now) / 1000, self.look)

    def trouble(self, now: int) -> Trouble | None:
        """What somebody should look at."""
        outbox = self.outbox
        since = outbox.failing_since if outbox.failing_since and now - outbox.failing_since > PATIENCE_MS else 0
        stuck = outbox.stuck(now, PATIENCE_MS)
        if not (since or stuck or outbox.missed):
            return None
        return Trouble(since, len(outbox), outbox.missed, stuck, host_of(self._url), outbox.reason)

    async def _send(self, hook: Hook) -> None:
        try:
            headers = signed(hook, self._secret, self._intake.wall())
            await self._post(self._url, hook.body, self._clock, more=headers)
        except NotDelivered as error:
            self._failed(hook, str(error), error.status not in ITS_OWN)
            return
        if self.outbox.failing_since:
            self._log.info("webhooks go out again")
        event = self.outbox.plan_sent(hook, self._intake.wall())

        def written(first: int | None) -> None:
            if first is None:
                self._failed(hook, "that it was taken cannot be put on disk", True)
                return
            self.outbox.replay(event)
            self.outbox.done(hook)
            self.look()

        try:
            self._intake.note([event], written)
        except JournalFull:
            written(None)

    def _failed(self, hook: Hook, reason: str, everything: bool) -> None:
        if everything and not self.outbox.failing_since:
            self._log.warn("no webhook goes out: {reason}", reason=reason)
        self.outbox.failed(hook, self._intake.wall(), reason, everything)
        self.look()

    def _broken(self, failure: Any, hook: Hook) -> None:
        self._log.failure("a webhook was not sent", failure=failure)
        self._failed(hook, "a fault of ours", False)  # or nothing about the same would ever go


def read_secret(settings: Settings) -> bytes:
    """What webhooks are signed with; made at the first start if the settings name no file. Raises ConfigError."""
    path = settings.webhook.secret_file
    if path is None:
        path = settings.data / SECRET_FILE
        if not path.exists():
            made = PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
            write_whole(path, made.encode() + b"\n")
    try:
        return parse_secret(path)
    except ValueError as error:
        place = settings.source.place("webhook", "secret_file")
        raise ConfigError([f"{place}: [webhook] secret_file {error}"]) from None


def parse_secret(path: Path) -> bytes:
    """The secret in a file. Raises ``ValueError`` with words that go on after the setting's name."""
    try:
        text = path.read_text("utf-8").strip().removeprefix(PREFIX)
        secret = base64.b64decode(text, validate=True)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {(error.strerror or 'error').lower()}") from None
    except (UnicodeDecodeError, binascii.Error):
        raise ValueError(f"{path} must hold whsec_ and base64") from None
    if not 24 <= len(secret) <= 64:
        raise ValueError(f"{path} must hold 24 to 64 bytes in base64, not {len(secret)}")
    return secret
