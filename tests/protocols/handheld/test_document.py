"""docs/wire/handheld.md is true: its table is the machine, its bytes are ours, its client works."""

from __future__ import annotations

import itertools
import json
import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from protocols.handheld import (
    TABLE,
    Answer,
    Batch,
    Client,
    Conversation,
    Done,
    Event,
    Framer,
    Health,
    Held,
    Hello,
    Ping,
    Revoked,
    Standing,
    TaskTold,
    Words,
    decode,
    encode,
    frame,
)
from protocols.handheld.messages import (
    BATCH_MAX,
    FIX_STATES,
    MAP_LIMIT,
    NETWORKS,
    STRING_LIMIT,
    TOLD_MAP_LIMIT,
)
from protocols.handheld.task_messages import PHOTO_LIMIT, TEXT_LIMIT, TOLD, TOLD_LIMIT, WHATS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "wire" / "handheld.md").read_text(encoding="utf-8")
OURS = ("welcome", "acknowledge", "pong", "command", "tell", "busy", "busy_idle", "refuse")
"""Inputs of the table that the server does itself; the others come from the device."""


def marked(name: str) -> str:
    return PAGE.partition(f"<!-- {name} -->\n")[2].partition(f"<!-- /{name} -->")[0]


def state_table() -> str:
    """The machine as the page shows it. After a change of the table, paste what this returns."""

    def cell(row: dict[str, Any], ours: bool) -> str:
        pairs = sorted(((after, event) for event, after in row.items() if (event in OURS) is ours), key=lambda p: p[0])
        return "; ".join(
            f"{', '.join(f'`{event}`' for _, event in group)} → {after.name}"
            for after, group in itertools.groupby(pairs, key=lambda p: p[0])
        )

    lines = ["| state | the device sends | the server does |", "|---|---|---|"]
    lines += [f"| {state.name} | {cell(row, False)} | {cell(row, True)} |" for state, row in TABLE.items()]
    return "\n".join(lines) + "\n"


def example() -> list[tuple[str, dict[str, Any], bytes]]:
    """Who, what, and the bytes of each message of the example."""
    found = re.findall(r"^([DS]) (\{.*\})\n((?:  [0-9a-f ]+\n)+)", marked("example"), re.M)
    return [(who, json.loads(what), bytes.fromhex(wire)) for who, what, wire in found]


def test_the_table_is_the_machine() -> None:
    assert marked("states") == state_table()


def test_the_bytes_are_the_messages() -> None:
    messages = example()
    assert {what["t"] for _, what, _ in messages} >= {"hello", "welcome", "fix", "ack", "health", "command", "done"}
    for _, what, wire in messages:
        assert frame(encode(what)) == wire


def test_the_server_answers_as_in_the_example() -> None:
    conversation, framer, said = Conversation(), Framer(), b""
    kinds: list[type[Event]] = []
    for who, what, wire in example():
        if who == "D":
            for payload in framer.receive_data(wire):
                for event in conversation.receive_message(payload):
                    kinds.append(type(event))
                    if type(event) in ANSWERS:
                        ANSWERS[type(event)](conversation, event)
            continue
        if what["t"] == "command":
            conversation.command(what["id"], what["kind"])
        said += b"".join(map(frame, conversation.messages_to_send()))
        assert said[: len(wire)] == wire
        said = said[len(wire) :]
    assert said == b""
    assert conversation.closing
    assert kinds[:2] == [Hello, Batch]
    assert {Health, Ping, Done} <= set(kinds)


ANSWERS: dict[type[Event], Callable[[Conversation, Any], None]] = {
    Hello: lambda c, _: c.welcome(1_700_000_000_250, "王芳", heartbeat=30, app_min="1.0.0", app_latest="1.3.0"),
    Batch: lambda c, event: c.acknowledge(event.seq),
    Health: lambda c, event: c.acknowledge(event.seq),
    Ping: lambda c, _: c.pong(1_700_000_009_300),
}


def spoken() -> list[tuple[str, dict[str, Any]]]:
    """Who and what of the example with a task."""
    return [(line[0], json.loads(line[2:])) for line in marked("tasks").splitlines() if line[:2] in ("D ", "S ")]


def test_a_task_goes_as_in_its_example() -> None:
    """The server's core says what stands there, the client's core says it too, and each understands the other."""
    client, server = Client("H-7", "secret", tasks=True, first_seq=4), Conversation()
    client.connected(0)
    server.receive_message(client.messages_to_send(0)[0])
    server.welcome(0, "王芳")
    client.receive_message(server.messages_to_send()[0], 0)
    told: set[str] = set()
    heard: set[type[object]] = set()
    for who, what in spoken():
        fields = {name: value for name, value in what.items() if name != "t"}
        if who == "S":
            told.add(what["t"])
            TELLS[what["t"]](server, fields)
            (payload,) = server.messages_to_send()
            heard |= {type(event) for event in client.receive_message(payload, 0)}
        elif what["t"] == "fix":
            client.add_position(*what["p"][0])
            (payload,) = client.messages_to_send(what["now"])
            server.receive_message(payload)
            what["p"][0] += [None, None, None, 0, 0]
        else:
            del fields["seq"]
            client.add_answer(**fields)
            (payload,) = client.messages_to_send(0)
            (event,) = server.receive_message(payload)
            assert isinstance(event, Answer)
            assert not event.bad
        assert decode(payload) == what
    assert {"words", "held", "task", "standing", "revoke"} <= told
    assert {Words, Held, TaskTold, Standing, Revoked} <= heard


TELLS: dict[str, Callable[[Conversation, dict[str, Any]], None]] = {
    "words": lambda c, fields: c.words(fields),
    "held": lambda c, fields: c.held(fields["tasks"]),
    "task": lambda c, fields: c.task(fields),
    "revoke": lambda c, fields: c.revoke(**fields),
    "standing": lambda c, fields: c.standing(**fields),
    "ack": lambda c, fields: c.acknowledge(fields["seq"]),
}


def test_every_code_word_and_limit_is_on_the_page() -> None:
    source = (Path(__file__).resolve().parents[3] / "protocols" / "handheld").glob("*.py")
    codes = {code for path in source for code in re.findall(r'RemoteProtocolError\("(\w+)"', path.read_text("utf-8"))}
    assert codes >= {"malformed", "crs_undeclared", "version", "out_of_order", "too_long"}
    for code in codes - {"bad_ack"}:  # is said by the client's side, to its own shell
        assert f"| `{code}` |" in PAGE
    for word in NETWORKS | FIX_STATES | WHATS:
        assert f'`"{word}"`' in PAGE
    assert f"{BATCH_MAX} elements" in PAGE
    assert f"{MAP_LIMIT} keys" in PAGE
    assert f"{STRING_LIMIT:,} bytes" in PAGE
    assert f"{TOLD_MAP_LIMIT:,} keys" in PAGE
    assert f"up to {TEXT_LIMIT} characters" in PAGE
    assert f"up to {PHOTO_LIMIT} strings" in PAGE
    assert f"up to {TOLD_LIMIT:,} characters" in PAGE
    for kind in TOLD:
        assert f"**`{kind}`**" in PAGE


# The client of the page, against the server's core over a real pair of sockets.


def serve(link: socket.socket, conversation: Conversation, stored: list[int], *, lose: int = 0, busy: int = 0) -> None:
    """A server in a thread: closes after ``lose`` batches without acknowledging, is busy for ``busy`` of them."""
    framer = Framer()
    with link, suppress(ConnectionError):  # the client may go at any time
        while not conversation.closing and (data := link.recv(4096)):
            for payload in framer.receive_data(data):
                for event in conversation.receive_message(payload):
                    if isinstance(event, Hello):
                        conversation.welcome(0, "n")
                        conversation.command("c1", "locate")
                    if isinstance(event, Batch):
                        lose -= 1
                        if lose == 0:
                            return
                        busy -= 1
                        if busy >= 0:
                            conversation.busy(1)
                            continue
                        stored += [report.fix_time or 0 for report in event.reports]
                        conversation.acknowledge(event.seq)
            link.sendall(b"".join(map(frame, conversation.messages_to_send())))


@pytest.fixture
def client() -> dict[str, Any]:
    (source,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    assert sum(bool(line) for line in source.splitlines()) <= 50
    names: dict[str, Any] = {}
    exec(compile(source, "docs/wire/handheld.md", "exec"), names)
    return names


HELLO = {"t": "hello", "v": 1, "device": "H-7", "token": "s", "app": "1.0", "crs": "wgs84"}


def test_the_client_of_the_page_loses_nothing(client: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Three links: the first breaks before an acknowledgement, the second is busy, the third takes it all."""
    stored: list[int] = []
    slept: list[float] = []
    threads: list[threading.Thread] = []
    moods: list[dict[str, int]] = [{"lose": 2}, {"busy": 1}, {}]

    def connect(address: object, timeout: float) -> socket.socket:
        ours, theirs = socket.socketpair()
        thread = threading.Thread(target=serve, args=(ours, Conversation(), stored), kwargs=moods.pop(0))
        thread.start()
        threads.append(thread)
        theirs.settimeout(timeout)
        return theirs

    monkeypatch.setattr(socket, "create_connection", connect)
    monkeypatch.setattr(client["time"], "sleep", slept.append)
    queue = {seq: [[1_700_000_000_000 + seq, 311774276, 1215272106]] for seq in range(1, 6)}
    client["run"]("host", 1, HELLO, queue)
    for thread in threads:
        thread.join(10)
    assert queue == {}
    assert stored == [1_700_000_000_000 + seq for seq in range(1, 6)]
    assert slept == [5, 1]


def test_the_client_of_the_page_stops_at_an_error(client: dict[str, Any]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(frame(encode({"t": "error", "code": "bad_token", "text": "no"})))
        with pytest.raises(SystemExit, match="bad_token"):
            client["converse"](theirs, HELLO, {1: [[1_700_000_000_000, 1, 2]]})
