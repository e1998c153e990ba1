"""The device's side: nothing acknowledged is sent again, nothing else is lost before the limit says so."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.handheld import (
    CLIENT_TABLE,
    Acknowledged,
    Batch,
    Busy,
    Client,
    ClientState,
    Command,
    Conversation,
    Done,
    Health,
    Hello,
    Pong,
    Rejected,
    Welcome,
    decode,
    encode,
)
from tests.protocols.handheld.helpers import HELLO, NOW, unhurried

WELCOME = {
    "t": "welcome", "v": 1, "now": NOW, "app_min": "1.0", "app_latest": "2.0", "heartbeat": 30, "batch_max": 500,
    "name": "王芳",
}  # fmt: skip


def give(client: Client, message: dict[str, Any], now: int = NOW) -> list[object]:
    return list(client.receive_message(encode(message), now))


def sent(client: Client, now: int = NOW) -> list[dict[str, Any]]:
    return [decode(payload) for payload in client.messages_to_send(now)]


def online(**settings: Any) -> Client:
    client = Client("H-7", "secret", **settings)
    client.connected(NOW)
    give(client, WELCOME)
    client.messages_to_send(NOW)
    return client


def positions(client: Client, count: int, start: int = NOW) -> None:
    for index in range(count):
        client.add_position(start + index, 311774276, 1215272106)


def shape(messages: list[dict[str, Any]]) -> list[tuple[int, int]]:
    return [(message["seq"], len(message["p"])) for message in messages]


def test_hello() -> None:
    client = Client("H-7", "secret", app="1.2.3")
    assert sent(client) == []
    client.connected(NOW)
    assert sent(client) == [HELLO]
    assert give(client, WELCOME) == [Welcome("王芳", NOW, 30, "1.0", "2.0")]
    assert client.state is ClientState.ONLINE


def test_nothing_but_hello_before_the_welcome() -> None:
    client = Client("H-7", "secret")
    positions(client, 3)
    client.connected(NOW)
    client.ping(NOW)
    client.done("c", True)
    assert [message["t"] for message in sent(client)] == ["hello"]


def test_positions_become_batches() -> None:
    client = online(batch_max=4)
    positions(client, 10)
    messages = sent(client)
    assert shape(messages) == [(1, 4), (2, 4), (3, 2)]
    assert [message["live"] for message in messages] == [False, False, True]
    assert messages[2]["p"][-1] == [NOW + 9, 311774276, 1215272106, None, None, None, None, 0, 0]
    assert sent(client) == []


def test_a_batch_is_never_larger_than_the_server_takes() -> None:
    client = Client("H-7", "secret")
    client.connected(NOW)
    give(client, {**WELCOME, "batch_max": 3})
    client.messages_to_send(NOW)
    positions(client, 5)
    assert shape(sent(client)) == [(1, 3), (2, 2)]
    assert len(sent(online())) == 0
    default = online()
    positions(default, 501)
    assert shape(sent(default)) == [(1, 1), (2, 500)]


def test_an_old_position_is_not_live() -> None:
    client = online(live_age=1000)
    client.add_position(NOW - 1001, 1, 2)
    assert [message["live"] for message in sent(client)] == [False]
    client.add_position(NOW - 1000, 1, 2)
    client.add_health(NOW, battery=5)
    assert [message.get("live") for message in sent(client)] == [None, True]


def test_what_was_not_acknowledged_is_sent_again() -> None:
    client = online(batch_max=2)
    positions(client, 6)
    client.add_health(NOW, battery=80, charging=True, net="4g", fix="3d", screen=True, uptime=9)
    first = sent(client)
    assert give(client, {"t": "ack", "seq": first[1]["seq"]}) == [Acknowledged(2)]
    client.disconnected()
    positions(client, 1, NOW + 60)
    client.connected(NOW + 100)
    assert [message["t"] for message in sent(client, NOW + 100)] == ["hello"]
    give(client, WELCOME)
    again = sent(client, NOW + 100)
    expected = [{**message, "now": NOW + 100, "live": False} if "p" in message else message for message in first[2:]]
    assert again[: len(expected)] == expected
    assert [message["seq"] for message in again] == [3, 4, 5]
    assert again[-1]["live"] is True  # is new
    give(client, {"t": "ack", "seq": 5})
    assert (client.unacknowledged, client.dropped) == (0, 0)


def test_beyond_the_limit_the_oldest_goes_and_is_counted() -> None:
    client = Client("H-7", "secret", limit=5)
    positions(client, 8)
    assert (client.unacknowledged, client.dropped) == (5, 3)
    client.connected(NOW)
    give(client, WELCOME)
    [_, message] = sent(client)
    assert [position[0] for position in message["p"]] == [NOW + n for n in range(3, 8)]
    positions(client, 1, NOW + 8)  # numbered already: the whole message goes
    assert (client.unacknowledged, client.dropped) == (1, 8)
    assert shape(sent(client)) == [(2, 1)]
    give(client, {"t": "ack", "seq": 2})
    assert client.unacknowledged == 0


def test_where_it_is_comes_before_where_it_was() -> None:
    client = online(batch_max=100, live_age=60_000)
    positions(client, 720, NOW - 720)
    assert [(m["live"], len(m["p"]), m["p"][0][0]) for m in sent(client)] == [
        (True, 1, NOW - 1),
        (False, 100, NOW - 720),
    ]
    assert sent(client) == [], "of the backlog one message is under way"
    positions(client, 1, NOW + 5)
    assert [(m["live"], len(m["p"])) for m in sent(client)] == [(True, 1)], "and what is newer comes in between"
    give(client, {"t": "ack", "seq": 1})
    assert sent(client) == []
    order, seq = [], 2
    while client.unacknowledged:
        give(client, {"t": "ack", "seq": seq})
        for message in sent(client):
            order += [position[0] for position in message["p"]]
            seq = message["seq"]
            assert not message["live"]
    assert order == list(range(NOW - 620, NOW - 1)), "oldest first, each once"


def test_a_link_that_breaks_in_the_backlog_repeats_only_what_was_under_way() -> None:
    client = online(batch_max=100)
    positions(client, 300, NOW - 300)
    first = sent(client)
    client.disconnected()
    positions(client, 1, NOW + 60)
    client.connected(NOW + 100)
    give(client, WELCOME)
    again = sent(client, NOW + 100)[1:]
    assert [(m["seq"], m["p"]) for m in again[:2]] == [(m["seq"], m["p"]) for m in first]
    assert [m["live"] for m in again] == [False, False, True]
    assert again[2]["p"][0][0] == NOW + 60


def test_of_a_backlog_the_oldest_goes_first_when_there_is_no_room() -> None:
    client = online(limit=50, batch_max=25)
    positions(client, 50, NOW - 50)
    assert [len(message["p"]) for message in sent(client)] == [1, 25]
    positions(client, 3, NOW)
    assert (client.unacknowledged, client.dropped) == (50, 3), "not the newest, which is under way"
    give(client, {"t": "ack", "seq": 2})
    left = sent(client)
    assert [position[0] for position in left[1]["p"]] == [*range(NOW - 22, NOW - 1), NOW, NOW + 1]


def test_the_pause_before_the_next_link() -> None:
    client = Client("H-7", "secret")
    assert [client.reconnect_delay(n) for n in (0, 1, 2, 6, 99)] == [1000, 2000, 4000, 60_000, 60_000]
    client.connected(NOW)
    assert give(client, {**WELCOME, "reconnect": 700}) == [Welcome("王芳", NOW, 30, "1.0", "2.0", 700)]
    client.disconnected()
    assert [client.reconnect_delay(n) for n in (0, 1)] == [1700, 2700]
    client.connected(NOW)
    give(client, {**WELCOME, "reconnect": 10**12})
    assert client.reconnect_delay(0) == 601_000, "one wrong number does not silence a device"
    for nothing in (None, -1, "5", True):
        client.disconnected()
        client.connected(NOW)
        give(client, {**WELCOME, "reconnect": nothing})
        assert client.reconnect_delay(0) == 1000


def test_only_a_window_is_under_way() -> None:
    client = online(batch_max=1, window=2)
    positions(client, 4)
    assert shape(sent(client)) == [(1, 1), (2, 1)]
    assert sent(client) == []
    give(client, {"t": "ack", "seq": 1})
    assert shape(sent(client)) == [(3, 1), (4, 1)][:1]
    give(client, {"t": "ack", "seq": 3})
    assert shape(sent(client)) == [(4, 1)]


def test_busy_waits_and_begins_again() -> None:
    client = online(batch_max=1)
    positions(client, 2)
    assert shape(sent(client)) == [(1, 1), (2, 1)]
    assert give(client, {"t": "busy", "retry": 5}) == [Busy(5)]
    positions(client, 1)
    assert sent(client) == []
    assert client.get_timer() == NOW + 5000
    client.handle_timer(NOW + 4999)
    assert sent(client, NOW + 4999) == []
    client.handle_timer(NOW + 5000)
    assert shape(sent(client, NOW + 5000)) == [(1, 1), (2, 1), (3, 1)]


def test_busy_before_the_welcome_says_hello_again() -> None:
    client = Client("H-7", "secret")
    client.connected(NOW)
    sent(client)
    give(client, {"t": "busy", "retry": 10**9})
    assert client.get_timer() == NOW + 3_600_000  # one wrong number does not silence a shift
    client.handle_timer(NOW + 3_600_000)
    assert [message["t"] for message in sent(client)] == ["hello"]


def test_small_messages() -> None:
    client = online()
    assert give(client, {"t": "command", "id": "c1", "kind": "locate"}) == [Command("c1", "locate")]
    client.done("c1", True, "ok")
    assert sent(client) == [{"t": "done", "id": "c1", "ok": True, "text": "ok"}]
    assert give(client, {"t": "pong", "now": NOW}) == [Pong(NOW)]
    assert give(client, {"t": "later", "x": 1}) == []
    client.bye()
    assert sent(client) == [{"t": "bye"}]
    assert client.closing
    client.disconnected()
    client.bye()
    assert sent(client) == []
    assert give(client, {"t": "pong"}) == []


def test_an_error_closes() -> None:
    client = online()
    assert give(client, {"t": "error", "code": "bad_token", "text": "no"}) == [Rejected("bad_token", "no")]
    assert client.closing
    assert give(client, {"t": "command", "id": "c", "kind": "locate"}) == []


def test_heartbeat_and_silence() -> None:
    client = online(silence=60_000)
    assert client.get_timer() == NOW + 30_000
    client.handle_timer(NOW + 29_999)
    assert sent(client, NOW + 29_999) == []
    client.handle_timer(NOW + 30_000)
    assert sent(client, NOW + 30_000) == [{"t": "ping", "now": NOW + 30_000}]
    positions(client, 1)
    sent(client, NOW + 50_000)
    for step in (80_000, 109_999):
        client.handle_timer(NOW + step)
        sent(client, NOW + step)
        assert not client.closing
    client.handle_timer(NOW + 110_000)
    assert client.closing


def test_a_server_that_does_not_answer_the_hello_is_left() -> None:
    client = Client("H-7", "secret", silence=1000)
    client.connected(NOW)
    assert client.get_timer() == NOW + 1000
    client.handle_timer(NOW + 1000)
    assert client.closing
    assert client.get_timer() is None


@pytest.mark.parametrize(
    "message",
    [
        {"t": "ack", "seq": 1}, {"t": "ack", "seq": -1}, {"t": "ack"}, {"t": "pong", "now": "x"}, WELCOME,
        {"t": "busy", "retry": True}, {"t": "busy", "retry": -1}, {"t": 5},
    ],
)  # fmt: skip
def test_a_server_that_breaks_the_rules(message: dict[str, Any]) -> None:
    client = online()
    with pytest.raises(RemoteProtocolError):
        give(client, message)
    assert client.closing


SERVER: dict[str, dict[str, Any]] = {
    "welcome": WELCOME,
    "ack": {"t": "ack", "seq": 0},
    "pong": {"t": "pong", "now": NOW},
    "command": {"t": "command", "id": "c", "kind": "locate"},
    "told": {"t": "revoke", "task": "T-1", "attempt": 1, "reason": "recall"},
    "busy": {"t": "busy", "retry": 1},
    "error": {"t": "error", "code": "x", "text": ""},
}


def in_state(state: ClientState) -> Client:
    client = Client("H-7", "secret")
    if state is not ClientState.OFFLINE:
        client.connected(NOW)
    if state in (ClientState.ONLINE, ClientState.PAUSED, ClientState.CLOSING):
        give(client, WELCOME)
    if state in (ClientState.WAITING, ClientState.PAUSED):
        give(client, SERVER["busy"])
    if state is ClientState.CLOSING:
        client.bye()
    assert client.state is state
    return client


@pytest.mark.parametrize("state", ClientState)
@pytest.mark.parametrize("kind", SERVER)
def test_every_message_in_every_state(state: ClientState, kind: str) -> None:
    client = in_state(state)
    after = CLIENT_TABLE[state].get(kind)
    if state is ClientState.OFFLINE:
        assert give(client, SERVER[kind]) == []
    elif after is None:
        with pytest.raises(RemoteProtocolError):
            give(client, SERVER[kind])
        assert client.closing
    else:
        give(client, SERVER[kind])
        assert client.state is after


@pytest.mark.parametrize("state", ClientState)
@pytest.mark.parametrize("call", ["connected", "disconnected", "bye"])
def test_every_call_in_every_state(state: ClientState, call: str) -> None:
    client = in_state(state)
    after = CLIENT_TABLE[state].get(call)

    def do() -> None:
        client.connected(NOW) if call == "connected" else getattr(client, call)()

    if after is None:
        with pytest.raises(LocalProtocolError):
            do()
    else:
        do()
        assert client.state is after


# Both sides together, over a link that breaks.

STEP = st.sampled_from(["fix", "health", "cut", "commit", "fail", "deliver", "time"])


@unhurried
@given(st.lists(STEP, max_size=60))
def test_what_the_client_forgot_the_server_has(steps: list[str]) -> None:
    """Whatever happens to the link and the store: a position that left the queue is on the server's disk."""
    client, server, now = Client("H-7", "secret", batch_max=2, window=3), Conversation(window=4), NOW
    made: list[int] = []
    disk: set[int] = set()
    pending: list[Batch | Health] = []

    def exchange() -> None:
        for payload in client.messages_to_send(now):
            for event in server.receive_message(payload):
                if isinstance(event, Hello):
                    server.welcome(now, "n")
                elif isinstance(event, Batch | Health):
                    pending.append(event)
        for payload in server.messages_to_send():
            client.receive_message(payload, now)

    def cut() -> None:
        nonlocal server
        client.disconnected()
        client.connected(now)
        server = Conversation(window=4)
        pending.clear()

    def commit() -> None:
        event = pending.pop(0)
        if isinstance(event, Batch):
            disk.update(report.fix_time for report in event.reports if report.fix_time is not None)
        server.acknowledge(event.seq)

    client.connected(now)
    for step in [*steps, "cut", *["deliver", "commit", "time"] * 200]:
        if step == "fix":
            made.append(NOW + len(made))
            client.add_position(made[-1], 1, 2)
        elif step == "health":
            client.add_health(now)
        elif step == "cut" or client.closing or server.closing:
            cut()
        elif step == "commit" and pending:
            commit()
        elif step == "fail" and pending:
            pending.pop(0)
            server.busy(3)
        elif step == "time":
            now += 2000
            client.handle_timer(now)
        else:
            exchange()
        assert len(disk) + client.unacknowledged >= len(made)
    assert disk == set(made)
    assert (client.unacknowledged, client.dropped) == (0, 0)


def test_a_command_goes_there_and_back() -> None:
    server, client = Conversation(), Client("H-7", "secret")
    client.connected(NOW)
    server.receive_message(client.messages_to_send(NOW)[0])
    server.welcome(NOW, "n")
    server.command("c1", "locate")
    for payload in server.messages_to_send():
        for event in client.receive_message(payload, NOW):
            if isinstance(event, Command):
                client.done(event.id, True)
    assert [server.receive_message(payload) for payload in client.messages_to_send(NOW)] == [[Done("c1", True, "")]]


@unhurried
@given(st.lists(st.binary(max_size=30) | st.sampled_from(list(SERVER)), max_size=12))
def test_only_the_remote_error_leaves(steps: list[bytes | str]) -> None:
    client = Client("H-7", "secret")
    client.connected(NOW)
    for step in steps:
        try:
            client.receive_message(encode(SERVER[step]) if isinstance(step, str) else step, NOW)
        except RemoteProtocolError:
            assert client.closing


def test_a_duty_event_goes_out_before_the_positions_that_come_after_it_and_again_on_the_next_link() -> None:
    client = Client("d", "t")
    client.add_duty(True, NOW, "e1")
    client.add_position(NOW + 1, 1, 2)
    assert client.unacknowledged == 1
    for _ in range(2):
        client.connected(NOW)
        client.messages_to_send(NOW)
        client.receive_message(encode(WELCOME), NOW)
        duty, fix = (decode(message) for message in client.messages_to_send(NOW + 2))
        assert duty == {"t": "duty", "seq": 1, "on": True, "at": NOW, "id": "e1"}
        assert fix["seq"] == 2
        client.disconnected()


def test_a_full_queue_throws_positions_away_and_no_duty_event() -> None:
    client = Client("d", "t", limit=2)
    client.add_duty(True, NOW, "e1")
    for n in range(3):
        client.add_health(NOW + n)
        client.add_duty(n % 2 == 0, NOW + n, f"f{n}")
    assert (client.dropped, client.unacknowledged) == (1, 2)
    client.connected(NOW)
    client.messages_to_send(NOW)
    client.receive_message(encode(WELCOME), NOW)
    sent = [decode(message) for message in client.messages_to_send(NOW + 2)]
    assert [message["t"] for message in sent] == ["duty", "duty", "health", "duty", "health", "duty"]
