"""What waits for a TLS link: in order, in pieces, and no more of it copied than the link takes."""

from __future__ import annotations

import random

from tracker.outbox import PIECE, Outbox


class Link:
    """Says that it is full after ``room`` bytes, as a transport does: in the middle of a write."""

    def __init__(self, room: int) -> None:
        self.room, self.waiting, self.got = room, 0, b""
        self.out = Outbox(self)
        self.most = 0

    def write(self, data: bytes) -> None:
        assert type(data) is bytes
        self.got += data
        self.waiting += len(data)
        self.most = max(self.most, self.waiting)
        if self.waiting > self.room:
            self.out.hold()

    def drain(self) -> None:
        self.waiting = 0
        self.out.go_on()


def test_a_link_that_takes_everything_gets_everything() -> None:
    link = Link(1 << 30)
    link.out.put(b"a" * (3 * PIECE + 7))
    link.out.put(b"b")
    assert link.got == b"a" * (3 * PIECE + 7) + b"b"
    assert not link.out


def test_no_more_is_copied_than_the_link_takes() -> None:
    link = Link(PIECE - 1)
    frame = random.Random(1).randbytes(10 * PIECE + 3)
    link.out.put(frame)
    link.out.put(b"ping")
    assert len(link.got) == PIECE
    assert link.out
    for _ in range(10):
        link.drain()
    assert link.got == frame + b"ping"
    assert link.most <= 2 * PIECE
    assert not link.out


def test_what_is_put_while_it_is_full_waits() -> None:
    link = Link(0)
    link.out.put(b"one")
    link.out.put(b"two")
    assert link.got == b"one"
    link.drain()
    assert link.got == b"onetwo"
