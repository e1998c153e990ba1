"""The server's side: every pair of the table, every answer, and peers that break the rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import LocalProtocolError
from protocols.handheld import (
    TABLE,
    Batch,
    Bye,
    Conversation,
    Done,
    Duty,
    Event,
    Framer,
    Health,
    Hello,
    Ping,
    Refused,
    State,
    encode,
    frame,
)
from protocols.report import CoordinateSystem
from tests.protocols.handheld.helpers import HELLO, NOW, POSITION, fix, sent, unhurried, welcomed
from tests.protocols.handheld.test_messages import VALUES


def give(conversation: Conversation, message: object) -> list[Event]:
    return conversation.receive_message(encode(message))  # type: ignore[arg-type]


# Every (state, input) pair.


def in_state(state: State) -> Conversation:
    """A conversation brought there by what really leads there, with 5 as its highest number where it has one."""
    if state is State.CONNECTED:
        return Conversation()
    if state is State.GREETED:
        conversation = Conversation()
        give(conversation, HELLO)
    else:
        conversation = welcomed()
        give(conversation, fix(5))
        if state is State.BUSY:
            conversation.busy(1)
        if state is State.CLOSING:
            conversation.refuse("taken_over", "")
    conversation.messages_to_send()
    assert conversation.state is state
    return conversation


PEER: dict[str, object] = {
    "hello": HELLO,
    "fix": fix(6),
    "health": {"t": "health", "seq": 6},
    "duty": {"t": "duty", "seq": 6, "on": True, "at": NOW, "id": "e1"},
    "answer": {"t": "answer", "seq": 6, "task": "T-1", "attempt": 1, "what": "accept", "event": "e2", "at": NOW},
    "problem": {"t": "problem", "seq": 6, "event": "e3", "at": NOW, "lat": 1, "lon": 2, "text": "x"},
    "resend": fix(5),
    "ping": {"t": "ping", "now": NOW},
    "done": {"t": "done", "id": "c1", "ok": True},
    "unknown": {"t": "voice"},
    "bye": {"t": "bye"},
    "malformed": {"t": None},
}
VERBS: dict[str, Callable[[Conversation], None]] = {
    "welcome": lambda c: c.welcome(NOW, "n"),
    "acknowledge": lambda c: c.acknowledge(5),
    "pong": lambda c: c.pong(NOW),
    "command": lambda c: c.command("c1", "locate"),
    "tell": lambda c: c.revoke("T-1", 1, "recall"),
    "busy": lambda c: c.busy(5),
    "refuse": lambda c: c.refuse("bad_token", ""),
}


def test_the_table_has_no_input_that_is_not_tested() -> None:
    assert {name for row in TABLE.values() for name in row} == {*PEER, *VERBS, "busy_idle"}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", PEER)
def test_every_message_in_every_state(state: State, event: str) -> None:
    conversation = in_state(state)
    events = give(conversation, PEER[event])
    after = TABLE[state].get(event)
    faults = [e for e in events if isinstance(e, Refused) and e.reason != "unknown_message"]
    if after is None:
        assert [fault.reason for fault in faults] == ["out_of_order"]
        assert [m["code"] for m in sent(conversation)] == ["out_of_order"]
        assert conversation.closing
    else:
        assert conversation.state is after
        assert bool(faults) == (event == "malformed" and state is not State.CLOSING)
    if state is State.CLOSING:
        assert events == []


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_in_every_state(state: State, verb: str) -> None:
    conversation = in_state(state)
    after = TABLE[state].get(verb)
    if after is None:
        with pytest.raises(LocalProtocolError):
            VERBS[verb](conversation)
        assert conversation.state is state
    else:
        VERBS[verb](conversation)
        assert conversation.state is after
        if state is State.CLOSING:
            assert [m["t"] for m in sent(conversation)] == (["ack"] if verb == "acknowledge" else [])


# The hello.


def test_hello() -> None:
    conversation = Conversation()
    assert give(conversation, HELLO) == [Hello("H-7", "secret", "1.2.3", CoordinateSystem.WGS84, NOW)]
    conversation.welcome(NOW, "王芳", heartbeat=20, app_min="1.0.0", app_latest="1.3.0")
    assert sent(conversation) == [
        {
            "t": "welcome", "v": 1, "now": NOW, "app_min": "1.0.0", "app_latest": "1.3.0", "heartbeat": 20,
            "batch_max": 500, "name": "王芳",
        }
    ]  # fmt: skip


def test_the_token_is_not_shown() -> None:
    assert "secret" not in repr(Hello("H-7", "secret", "", CoordinateSystem.WGS84))


@pytest.mark.parametrize(
    ("declared", "crs"), [("wgs84", 0), ("cgcs2000", 0), ("gcj02", CoordinateSystem.GCJ02), ("bd09", 2)]
)
def test_the_declared_system_marks_every_report(declared: str, crs: int) -> None:
    conversation = Conversation()
    give(conversation, {**HELLO, "crs": declared})
    conversation.welcome(NOW, "n")
    [batch] = give(conversation, fix(1))
    assert isinstance(batch, Batch)
    assert [report.crs for report in batch.reports] == [crs]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"v": 2}, "version"),
        ({"v": True}, "version"),
        ({"v": 1.0}, "version"),
        ({"v": None}, "version"),
        ({"crs": None}, "crs_undeclared"),
        ({"crs": "WGS84"}, "crs_undeclared"),
        ({"crs": ["wgs84"]}, "crs_undeclared"),
        ({"device": ""}, "malformed"),
        ({"device": 7}, "malformed"),
        ({"device": "x" * 65}, "malformed"),
        ({"device": "a\nb"}, "malformed"),
        ({"token": None}, "malformed"),
        ({"token": "x" * 257}, "malformed"),
        ({"app": 12}, "malformed"),
    ],
)
def test_a_hello_that_is_refused(fields: dict[str, object], code: str) -> None:
    conversation = Conversation()
    [refused] = give(conversation, {**HELLO, **fields})
    assert isinstance(refused, Refused)
    assert refused.reason == code
    [error] = sent(conversation)
    assert (error["t"], error["code"]) == ("error", code)
    assert conversation.closing


# Acknowledgement, busy, window.


def test_acknowledgements_of_one_read_are_one() -> None:
    conversation = welcomed()
    for seq in (1, 2, 3):
        give(conversation, fix(seq))
        conversation.acknowledge(seq)
    assert sent(conversation) == [{"t": "ack", "seq": 3}]
    assert sent(conversation) == []


def test_golden_acknowledgement() -> None:
    conversation = welcomed()
    give(conversation, fix(300))
    conversation.acknowledge(300)
    assert conversation.messages_to_send() == [bytes.fromhex("82a174a361636ba3736571cd012c")]


def test_acknowledging_the_last_covers_those_before() -> None:
    conversation = welcomed()
    for seq in (1, 2, 3):
        give(conversation, fix(seq))
    conversation.acknowledge(3)
    conversation.acknowledge(2)  # is covered already
    assert sent(conversation) == [{"t": "ack", "seq": 3}]


def test_a_number_that_does_not_increase_is_processed() -> None:
    conversation = welcomed()
    for seq in (7, 7, 3):
        [batch] = give(conversation, fix(seq))
        assert isinstance(batch, Batch)
        assert (batch.seq, len(batch.reports)) == (seq, 1)
        conversation.acknowledge(seq)
    assert sent(conversation) == [{"t": "ack", "seq": 7}]


def test_refused_positions_are_counted_and_do_not_block() -> None:
    conversation = welcomed()
    [batch] = give(conversation, fix(1, "bad", POSITION, [NOW, 10**9, 0]))
    assert isinstance(batch, Batch)
    assert (len(batch.reports), batch.refused) == (1, 2)
    conversation.acknowledge(1)
    assert sent(conversation) == [{"t": "ack", "seq": 1}]


def test_busy_never_lets_a_later_acknowledgement_cover_what_was_not_taken() -> None:
    conversation = welcomed()
    for seq in (5, 6):
        give(conversation, fix(seq))
    conversation.busy(10)  # 5 could not be stored
    conversation.acknowledge(6)  # but 6, committed in another group, could
    assert give(conversation, fix(7)) == []  # was under way
    assert sent(conversation) == [{"t": "busy", "retry": 10}]
    for seq in (5, 6, 7):
        assert len(give(conversation, fix(seq))) == 1
        conversation.acknowledge(seq)
    assert sent(conversation) == [{"t": "ack", "seq": 7}]


def test_busy_after_the_hello_asks_for_another() -> None:
    conversation = Conversation()
    give(conversation, HELLO)
    conversation.busy(3)
    assert sent(conversation) == [{"t": "busy", "retry": 3}]
    assert len(give(conversation, HELLO)) == 1


def test_busy_with_nothing_waiting_takes_the_next_message() -> None:
    conversation = welcomed()
    conversation.busy(3)
    assert conversation.state is TABLE[State.WELCOMED]["busy_idle"]
    assert len(give(conversation, fix(1))) == 1


def test_what_is_on_disk_is_said_before_busy_and_before_an_error() -> None:
    for last in (lambda c: c.busy(3), lambda c: c.refuse("taken_over", ""), lambda c: give(c, {"t": None})):
        conversation = welcomed()
        for seq in (1, 2):
            give(conversation, fix(seq))
        conversation.acknowledge(1)
        last(conversation)
        assert sent(conversation)[0] == {"t": "ack", "seq": 1}


def test_beyond_the_window_the_device_is_told_to_wait() -> None:
    conversation = welcomed(window=3, window_retry=4)
    taken = [len(give(conversation, fix(seq))) for seq in range(1, 7)]
    assert taken == [1, 1, 1, 0, 0, 0]
    assert sent(conversation) == [{"t": "busy", "retry": 4}]


# The rest.


def test_small_messages() -> None:
    conversation = welcomed()
    assert give(conversation, {"t": "ping", "now": NOW}) == [Ping(NOW)]
    conversation.pong(NOW + 1)
    conversation.command("c1", "locate")
    assert sent(conversation) == [{"t": "pong", "now": NOW + 1}, {"t": "command", "id": "c1", "kind": "locate"}]
    assert give(conversation, {"t": "done", "id": "c1", "ok": False, "text": "没有\n信号"}) == [
        Done("c1", False, "没有 信号")
    ]
    assert give(conversation, {"t": "done", "id": "c2", "ok": True, "text": 7}) == [Done("c2", True, "")]
    [health] = give(conversation, {"t": "health", "seq": 9, "battery": 50, "net": 5})
    assert isinstance(health, Health)
    assert (health.seq, health.report.items, health.refused) == (9, {"battery": 50}, 1)
    assert give(conversation, {"t": "voice", "x": 1}) == [Refused("unknown_message", "voice")]
    assert not conversation.closing
    assert give(conversation, {"t": "bye"}) == [Bye()]
    assert conversation.closing


@pytest.mark.parametrize("seq", [None, True, 1.0, -1, 2**53, "1"])
def test_without_a_number_nothing_can_be_acknowledged(seq: object) -> None:
    conversation = welcomed()
    assert [type(event) for event in give(conversation, {**fix(1), "seq": seq})] == [Refused]
    assert conversation.closing


@pytest.mark.parametrize("done", [{"id": "c"}, {"id": "", "ok": True}, {"id": 1, "ok": True}, {"id": "c", "ok": 1}])
def test_a_bad_answer(done: dict[str, object]) -> None:
    conversation = welcomed()
    assert [type(event) for event in give(conversation, {"t": "done", **done})] == [Refused]


def test_the_same_conversation_over_tcp_and_as_messages() -> None:
    script: list[dict[str, Any]] = [HELLO, fix(1), {"t": "ping", "now": NOW}, fix(2, "bad"), {"t": "bye"}]
    payloads = [encode(message) for message in script]

    def run(inputs: list[bytes]) -> tuple[list[str], list[dict[str, Any]]]:
        conversation, names, said = Conversation(), [], []
        for payload in inputs:
            for event in conversation.receive_message(payload):
                names.append(repr(event))
                if isinstance(event, Hello):
                    conversation.welcome(NOW, "n")
                if isinstance(event, Batch):
                    conversation.acknowledge(event.seq)
            said += sent(conversation)
        return names, said

    stream = b"".join(map(frame, payloads))
    framer = Framer()
    assert run([m for byte in stream for m in framer.receive_data(bytes([byte]))]) == run(payloads)
    assert run(Framer().receive_data(stream + b"\x00")) == run(payloads)


NAMES = [
    "seq", "now", "live", "p", "id", "ok", "text", "v", "device", "token", "app", "crs", "battery", "tasks", "task",
    "attempt", "what", "event", "at", "photos", "lat", "lon",
]  # fmt: skip
FIELDS = st.dictionaries(
    st.sampled_from(NAMES),
    VALUES | st.integers(0, 9) | st.sampled_from(["wgs84", 1]),
    max_size=8,
)
KINDS = st.sampled_from([*(k for k in PEER if k not in ("resend", "malformed")), "\ud7ff", ""])
MESSAGES = st.builds(lambda kind, fields: encode({"t": kind, **fields}), KINDS, FIELDS) | st.sampled_from(
    [encode(message) for message in PEER.values() if isinstance(message, dict)]
)
VERB = st.sampled_from(list(VERBS))


@unhurried
@given(st.lists(MESSAGES | st.binary(max_size=40) | VERB, max_size=20))
def test_no_peer_makes_it_raise(steps: list[bytes | str]) -> None:
    conversation = Conversation()
    for step in steps:
        if isinstance(step, str):
            if step in TABLE[conversation.state]:
                VERBS[step](conversation)
            continue
        was_closing = conversation.closing
        events = conversation.receive_message(step)
        if was_closing:
            assert events == []
        elif conversation.closing and not isinstance(events[0], Bye):
            assert isinstance(events[0], Refused)
            assert sent(conversation)[-1]["code"] == events[0].reason


def test_a_duty_event_says_on_or_off_and_when() -> None:
    conversation = welcomed()
    assert give(conversation, {"t": "duty", "seq": 3, "on": False, "at": NOW, "id": "e1"}) == [
        Duty(3, False, NOW, "e1")
    ]


@pytest.mark.parametrize(
    "wrong", [{"on": 1}, {"on": None}, {"at": None}, {"at": 1.5}, {"at": 5}, {"id": ""}, {"id": 7}, {"id": "x" * 65}]
)
def test_a_duty_event_that_cannot_be_read_is_acknowledged_all_the_same(wrong: dict[str, object]) -> None:
    conversation = welcomed()
    [event] = give(conversation, {"t": "duty", "seq": 3, "on": True, "at": NOW, "id": "e1", **wrong})
    assert (event.seq, event.at) == (3, None)
    conversation.acknowledge(3)
    assert sent(conversation) == [{"t": "ack", "seq": 3}]
