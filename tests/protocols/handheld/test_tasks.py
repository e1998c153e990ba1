"""Tasks over the handheld protocol: no answer is lost, none blocks the queue, and both sides understand each other."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.handheld import (
    Answer,
    Client,
    Conversation,
    Framer,
    Held,
    Hello,
    KindWords,
    NoticeTold,
    Phrase,
    Problem,
    ResultWords,
    Revoked,
    SosTold,
    Standing,
    TaskTold,
    Words,
    decode,
    encode,
    frame,
)
from protocols.handheld.messages import TOLD_MAP_LIMIT
from protocols.handheld.task_messages import PHOTO_LIMIT, TEXT_LIMIT, TOLD, TOLD_LIMIT, WHATS, read_answer, read_problem
from protocols.report import CoordinateSystem
from tests.protocols.handheld.helpers import HELLO, NOW, fix, sent, unhurried, welcomed
from tests.protocols.handheld.test_client import WELCOME
from tests.protocols.handheld.test_messages import VALUES

SHA = "ab" * 32
ANSWER: dict[str, Any] = {
    "t": "answer", "seq": 3, "task": "T-1", "attempt": 2, "what": "report", "event": "e-9", "at": NOW,
    "word": "exist", "text": "井盖破损", "photos": [SHA],
}  # fmt: skip
PROBLEM: dict[str, Any] = {
    "t": "problem", "seq": 4, "event": "e-10", "at": NOW, "lat": 311774276, "lon": 1215272106, "accuracy": 50,
    "klass": "0203", "text": "路面塌陷", "photos": [SHA], "voice": "cd" * 32,
}  # fmt: skip
READ = Answer(3, "T-1", 2, "report", "e-9", NOW, "", "exist", "井盖破损", (SHA,))
TASK: dict[str, Any] = {
    "task": "T-1", "attempt": 2, "what": "offer", "state": "offered", "kind": "verify", "klass": "0203",
    "lat": 311774276, "lon": 1215272106, "address": "人民路 1 号", "text": "井盖破损", "due": NOW + 1800_000,
    "until": NOW + 60_000, "reason": "", "photos": [], "more": 1,
}  # fmt: skip
TASK_TOLD = TaskTold(
    "T-1", 2, "offer", "offered", "verify", "0203", 311774276, 1215272106, "人民路 1 号", "井盖破损", NOW + 1800_000,
    NOW + 60_000, "", (), 1,
)  # fmt: skip
WORDS: dict[str, Any] = {
    "version": "city 1",
    "kinds": {
        "verify": {
            "zh": "核实", "en": "Verify", "photos": 1,
            "results": {"exist": {"zh": "属实", "en": "Exists", "photos": 1, "text": False}},
        }
    },
    "declines": {"busy": {"zh": "手头有任务", "en": "Busy"}},
    "classes": {"0203": {"zh": "井盖", "en": "Manhole cover"}},
    "photo_limit": 8_000_000,
}  # fmt: skip


def shows_tasks(**more: Any) -> Conversation:
    conversation = Conversation()
    conversation.receive_message(encode({**HELLO, "tasks": True, **more}))
    conversation.welcome(NOW, "王芳")
    conversation.messages_to_send()
    return conversation


def online(**settings: Any) -> Client:
    client = Client("H-7", "secret", tasks=True, **settings)
    client.connected(NOW)
    client.messages_to_send(NOW)
    client.receive_message(encode(WELCOME), NOW)
    return client


def out(client: Client, now: int = NOW) -> list[dict[str, Any]]:
    return [decode(payload) for payload in client.messages_to_send(now)]


# What a device says.


@pytest.mark.parametrize(("said", "tasks"), [(True, True), (False, False), (1, False), (None, False)])
def test_a_device_says_that_it_shows_tasks(said: object, tasks: bool) -> None:
    conversation = Conversation()
    [hello] = conversation.receive_message(encode({**HELLO, "tasks": said}))
    assert isinstance(hello, Hello)
    assert (hello.tasks, conversation.tasks) == (tasks, tasks)


def test_the_client_says_it_only_if_it_does() -> None:
    for tasks in (True, False):
        client = Client("H-7", "secret", tasks=tasks)
        client.connected(NOW)
        assert out(client)[0].get("tasks", False) is tasks


def test_an_answer_and_a_problem() -> None:
    conversation = shows_tasks(crs="gcj02")
    assert conversation.receive_message(encode(ANSWER)) == [READ]
    assert conversation.receive_message(encode(PROBLEM)) == [
        Problem(
            4, "e-10", NOW, 311774276, 1215272106, 50, "0203", "路面塌陷", (SHA,), "cd" * 32, CoordinateSystem.GCJ02
        )
    ]
    conversation.acknowledge(4)
    assert sent(conversation) == [{"t": "ack", "seq": 4}]


GOLDEN_ANSWER = (
    "87a174a6616e73776572a373657103a47461736ba3542d31a7617474656d707402a477686174a6616363657074a56576656e74a3652d31"
    "a26174cf0000018bcfe56800"
)


def test_golden_answer() -> None:
    """Made by hand: map of 7, short strings, small integers, a time of 64 bits."""
    [answer] = shows_tasks().receive_message(bytes.fromhex(GOLDEN_ANSWER))
    assert answer == Answer(3, "T-1", 2, "accept", "e-1", NOW)
    client = online(first_seq=3)
    client.add_answer("T-1", 2, "accept", "e-1", NOW)
    [payload] = client.messages_to_send(NOW)
    assert decode(payload) == decode(bytes.fromhex(GOLDEN_ANSWER))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("task", [None, "", 7, "x" * 65, "a\nb", ["T-1"], b"T-1"]),
        ("attempt", [None, 0, -1, True, 1.0, "1", 1 << 40]),
        ("what", [None, "", "ACCEPT", "offer", 7, []]),
        ("event", [None, "", 7, "x" * 65, "a\tb"]),
        ("word", [None, "", 7, "x" * 65]),
    ],
)
def test_an_answer_that_cannot_be_understood_is_acknowledged_all_the_same(name: str, values: list[object]) -> None:
    for value in values:
        conversation = shows_tasks()
        [answer] = conversation.receive_message(encode({**ANSWER, name: value}))
        assert isinstance(answer, Answer)
        assert (answer.seq, answer.bad) == (3, f"bad_{name}")
        assert answer.photos == READ.photos, "what can be read is there"
        conversation.acknowledge(3)
        assert sent(conversation) == [{"t": "ack", "seq": 3}]


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("at", 5, None),
        ("at", 1.5, None),
        ("at", True, None),
        ("reason", 7, ""),
        ("text", ["x"], ""),
        ("text", "x" * (TEXT_LIMIT + 1), "x" * TEXT_LIMIT),
        ("photos", "x", ()),
        ("photos", [SHA, "x", SHA.upper(), 7], (SHA,)),
        ("photos", [f"{n:064x}" for n in range(PHOTO_LIMIT + 1)], tuple(f"{n:064x}" for n in range(PHOTO_LIMIT))),
    ],
)
def test_what_is_wrong_in_an_answer_is_left_out_and_counted(name: str, value: object, kept: object) -> None:
    [answer] = shows_tasks().receive_message(encode({**ANSWER, name: value}))
    assert isinstance(answer, Answer)
    assert getattr(answer, name) == kept
    assert answer.refused > 0
    assert replace(answer, refused=0, **{name: getattr(READ, name)}) == READ


def test_what_is_left_out_of_an_answer_is_not_counted() -> None:
    least = {name: ANSWER[name] for name in ("t", "seq", "task", "attempt", "event")}
    for what in sorted(WHATS - {"report"}):
        [answer] = shows_tasks().receive_message(encode({**least, "what": what}))
        assert answer == Answer(3, "T-1", 2, what, "e-9", None)


def test_line_breaks_become_spaces_and_the_same_photo_twice_is_one() -> None:
    [answer] = shows_tasks().receive_message(encode({**ANSWER, "text": "一\n二", "photos": [SHA, SHA]}))
    assert isinstance(answer, Answer)
    assert (answer.text, answer.photos, answer.refused) == ("一 二", (SHA,), 0)


@pytest.mark.parametrize(
    ("fields", "latitude", "refused"),
    [
        ({"lat": None, "lon": None}, None, 0),
        ({"lat": None}, None, 1),
        ({"lat": 10**9}, None, 2),
        ({"accuracy": -1}, 311774276, 1),
        ({"klass": 7}, 311774276, 1),
        ({"voice": "x"}, 311774276, 1),
        ({"voice": ""}, 311774276, 0),
        ({"at": 0}, 311774276, 1),
    ],
)
def test_a_problem_is_taken_without_what_is_wrong_in_it(
    fields: dict[str, object], latitude: object, refused: int
) -> None:
    [problem] = shows_tasks().receive_message(encode({**PROBLEM, **fields}))
    assert isinstance(problem, Problem)
    assert (problem.latitude, problem.longitude is None, problem.refused) == (latitude, latitude is None, refused)
    assert (problem.bad, problem.text) == ("", "路面塌陷")


def test_a_problem_without_an_id_is_bad() -> None:
    conversation = shows_tasks()
    [problem] = conversation.receive_message(encode({**PROBLEM, "event": None}))
    assert isinstance(problem, Problem)
    assert (problem.seq, problem.bad) == (4, "bad_event")


FUZZED = st.dictionaries(
    st.sampled_from([*ANSWER, *PROBLEM]), VALUES | st.sampled_from([SHA, NOW, "report", [SHA]]), max_size=12
)


@unhurried
@given(FUZZED)
def test_every_answer_is_read_or_bad(message: dict[str, Any]) -> None:
    answer = read_answer({**ANSWER, **message}, 1)
    assert bool(answer.bad) is not (answer.what in WHATS and bool(answer.task and answer.event and answer.attempt)
                                    and (answer.what != "report" or bool(answer.word)))  # fmt: skip
    problem = read_problem({**PROBLEM, **message}, 1, CoordinateSystem.WGS84)
    assert bool(problem.bad) is not bool(problem.event)
    for text in (answer.text, answer.reason, problem.text):
        assert len(text) <= TEXT_LIMIT
        assert text.isprintable()
    assert len(answer.photos) <= PHOTO_LIMIT
    assert (problem.latitude is None) == (problem.longitude is None)


# What a device is told.


def tell_everything(conversation: Conversation) -> None:
    conversation.words(WORDS)
    conversation.held([("T-1", 2), ("T-2", 1)])
    conversation.task(TASK)
    conversation.revoke("T-0", 1, "recall")
    conversation.standing("e-9", "ok", "T-1", 2, "reported", "好")
    conversation.sos({"what": "colleague", "id": "s1", "unit": "李强", "lat": 1, "lon": 2, "at": NOW, "metres": 340})
    conversation.notice({"id": "n:1", "text": "今日有大风", "by": "王芳", "at": NOW, "until": NOW + 1})


EVERYTHING = [
    Words(
        "city 1", {"verify": KindWords("核实", "Verify", 1, {"exist": ResultWords("属实", "Exists", 1, False)})},
        {"busy": Phrase("手头有任务", "Busy")}, {"0203": Phrase("井盖", "Manhole cover")}, 8_000_000,
    ),
    Held((("T-1", 2), ("T-2", 1))),
    TASK_TOLD,
    Revoked("T-0", 1, "recall"),
    Standing("e-9", "ok", "T-1", 2, "reported", "好"),
    SosTold("colleague", "s1", "李强", 1, 2, NOW, 340),
    NoticeTold("n:1", "今日有大风", "王芳", NOW, NOW + 1),
]  # fmt: skip


def test_what_the_server_tells_the_client_understands() -> None:
    conversation, client = shows_tasks(), online()
    tell_everything(conversation)
    payloads = conversation.messages_to_send()
    assert [decode(payload)["t"] for payload in payloads] == list(TOLD)
    assert [event for payload in payloads for event in client.receive_message(payload, NOW)] == EVERYTHING


def test_byte_by_byte_and_with_a_tail() -> None:
    conversation = shows_tasks()
    tell_everything(conversation)
    stream = b"".join(map(frame, conversation.messages_to_send()))
    framer, client = Framer(), online()
    single = [m for byte in stream for m in framer.receive_data(bytes([byte]))]
    assert [event for m in single for event in client.receive_message(m, NOW)] == EVERYTHING
    assert Framer().receive_data(stream + b"\x00\x00") == single


def test_a_device_that_shows_no_tasks_is_told_nothing() -> None:
    conversation = welcomed()
    tell_everything(conversation)
    assert sent(conversation) == []


def test_nothing_is_told_before_the_welcome() -> None:
    conversation = Conversation()
    with pytest.raises(LocalProtocolError):
        conversation.held([])


def test_long_texts_are_cut_so_that_a_device_can_read_them() -> None:
    conversation, client = shows_tasks(), online()
    conversation.task({**TASK, "text": "𠀀" * 3000, "address": "路" * 3000})
    [told] = client.receive_message(conversation.messages_to_send()[0], NOW)
    assert isinstance(told, TaskTold)
    assert (told.text, told.address) == ("𠀀" * TOLD_LIMIT, "路" * TOLD_LIMIT)


def test_a_city_may_have_many_classes_but_a_device_may_not_send_large_maps() -> None:
    classes = {f"{n:04d}": {"zh": "类", "en": "class"} for n in range(TOLD_MAP_LIMIT)}
    payload = encode({"t": "words", **WORDS, "classes": classes})
    [words] = online().receive_message(payload, NOW)
    assert isinstance(words, Words)
    assert len(words.classes) == TOLD_MAP_LIMIT
    conversation = shows_tasks()
    conversation.receive_message(payload)
    assert conversation.closing


@pytest.mark.parametrize(
    "message",
    [
        {"t": "task", **TASK, "task": ""}, {"t": "task", **TASK, "attempt": 0}, {"t": "task", **TASK, "lat": None},
        {"t": "revoke", "attempt": 1}, {"t": "held"}, {"t": "standing", "code": "ok"}, {"t": "standing", "event": "e"},
        {"t": "sos", "what": "over"}, {"t": "notice", "text": "大风"},
    ],
)  # fmt: skip
def test_a_server_that_does_not_say_what_it_is_about(message: dict[str, Any]) -> None:
    client = online()
    with pytest.raises(RemoteProtocolError):
        client.receive_message(encode(message), NOW)
    assert client.closing


def test_what_else_cannot_be_read_is_as_if_it_was_not_there() -> None:
    told = {name: TASK[name] for name in ("task", "attempt", "lat", "lon")}
    wrong = {name: [1] for name in TASK if name not in told}
    for message in (told, {**told, **wrong}):
        [task] = online().receive_message(encode({"t": "task", **message}), NOW)
        assert task == TaskTold("T-1", 2, "", "", "", "", 311774276, 1215272106)
    assert online().receive_message(encode({"t": "words"}), NOW) == [Words("", {}, {}, {}, 0)]
    assert online().receive_message(encode({"t": "held", "tasks": [["T-1", 1], 7, ["T-2"], [1, 2]]}), NOW) == [
        Held((("T-1", 1),))
    ]


NAMES = sorted(
    {*TASK, *WORDS, *(field.name for kind in (NoticeTold, SosTold, Standing, Revoked) for field in fields(kind))}
)


@unhurried
@given(st.sampled_from(TOLD), st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8))
def test_only_the_remote_error_leaves(kind: str, message: dict[str, Any]) -> None:
    client = online()
    try:
        [event] = client.receive_message(encode({**TASK, **message, "t": kind}), NOW)
    except RemoteProtocolError:
        assert client.closing
    else:
        assert type(event) in {type(one) for one in EVERYTHING}


# The device's queue.


def test_answers_go_out_in_order_and_again_on_the_next_link() -> None:
    client = Client("d", "t", tasks=True)
    client.add_answer("T-1", 1, "accept", "e1", NOW)
    client.add_position(NOW + 1, 1, 2)
    client.add_answer("T-1", 1, "report", "e2", NOW + 2, word="exist", photos=[SHA])
    client.add_problem("e3", NOW + 3, None, None, text="x")
    for _ in range(2):
        client.connected(NOW)
        client.messages_to_send(NOW)
        client.receive_message(encode(WELCOME), NOW)
        messages = out(client, NOW + 5)
        assert [(m["t"], m["seq"]) for m in messages] == [("answer", 1), ("fix", 2), ("answer", 3), ("problem", 4)]
        assert messages[2]["photos"] == [SHA]
        assert "photos" not in messages[0]
        client.disconnected()


def test_a_yes_does_not_wait_for_the_backlog_and_a_report_comes_behind_it() -> None:
    client = online()
    for n in range(250):
        client.add_position(NOW - 1250 + n, 1, 2)
    client.add_answer("T-1", 1, "delivered", "e1", NOW)
    first = out(client)
    assert [(m["t"], len(m.get("p", ()))) for m in first] == [("answer", 0), ("fix", 1), ("fix", 249)]
    client.add_position(NOW, 1, 2)
    client.add_answer("T-1", 1, "report", "e2", NOW, word="exist")
    assert [(m["t"], m.get("live")) for m in out(client)] == [("fix", True), ("answer", None)]


def test_of_a_backlog_before_a_report_one_message_is_under_way() -> None:
    client = Client("d", "t", tasks=True)
    for n in range(250):
        client.add_position(NOW + n, 1, 2)
    client.add_answer("T-1", 1, "report", "e2", NOW + 250, word="exist")
    client.connected(NOW)
    client.messages_to_send(NOW)
    client.receive_message(encode(WELCOME), NOW)
    shapes: list[tuple[str, int, bool]] = []
    while client.unacknowledged:
        messages = out(client, NOW + 300)
        shapes += [(m["t"], len(m.get("p", ())), m.get("live", False)) for m in messages]
        assert sum(m["t"] == "fix" and len(m["p"]) > 20 for m in messages) == 1
        client.receive_message(encode({"t": "ack", "seq": messages[-1]["seq"]}), NOW)
    assert shapes == [("fix", 100, False), ("fix", 100, False), ("fix", 50, True), ("answer", 0, False)]


def test_what_was_new_when_a_report_was_made_is_not_live_an_hour_later() -> None:
    client = Client("d", "t", tasks=True)
    client.add_position(NOW, 1, 2)
    client.add_answer("T-1", 1, "report", "e", NOW, word="exist")
    client.connected(NOW + 3_600_000)
    client.messages_to_send(NOW)
    client.receive_message(encode(WELCOME), NOW)
    assert out(client, NOW + 3_600_000)[0]["live"] is False


def test_a_full_queue_throws_positions_away_and_no_answer() -> None:
    client = Client("d", "t", tasks=True, limit=3)
    for n in range(5):
        client.add_answer("T-1", 1, "report", f"e{n}", NOW + n, word="exist")
        client.add_position(NOW + n, 1, 2)
    assert (client.unacknowledged, client.dropped) == (3, 2)
    client.connected(NOW)
    client.messages_to_send(NOW)
    client.receive_message(encode(WELCOME), NOW)
    assert [m["event"] for m in out(client, NOW + 9) if m["t"] == "answer"] == [f"e{n}" for n in range(5)]


def test_what_somebody_writes_is_cut_to_what_the_server_takes() -> None:
    client = online()
    client.add_answer("T-1", 1, "decline", "e", NOW, reason="𠀀" * 3000)
    [answer] = shows_tasks().receive_message(client.messages_to_send(NOW)[0])
    assert isinstance(answer, Answer)
    assert (answer.reason, answer.refused) == ("𠀀" * TEXT_LIMIT, 0)


def test_a_busy_server_is_sent_the_answers_again() -> None:
    conversation = shows_tasks()
    conversation.receive_message(encode(fix(1)))
    conversation.busy(1)
    assert conversation.receive_message(encode(ANSWER)) == []
    assert len(conversation.receive_message(encode(fix(1)))) == 1
    assert conversation.receive_message(encode(ANSWER)) == [READ]
