"""The roster asks for what the demo promises, and a plan survives the pipe."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from simulator.city import make_city
from simulator.manner import Manner, Network
from simulator.plan import Issued, Plan, PlanError, demo_roster, plan_json, read_plan

PORTS = {"handheld": 6900, "jt808": 6808, "phones": 5055, "field": 8081}


def plan() -> Plan:
    roster = demo_roster(make_city())
    issued = [Issued(wish, wish.external_id or f"made-up-{i}", "secret") for i, wish in enumerate(roster.devices)]
    return read_plan(plan_json(25, issued, PORTS))


def test_the_demo_has_25_collectors_and_a_vehicle() -> None:
    roster = demo_roster(make_city())
    kinds = Counter((wish.protocol, wish.form) for wish in roster.devices)
    assert kinds == {
        ("handheld", "tcp"): 19,
        ("handheld", "websocket"): 4,
        ("traccar", "query"): 1,
        ("traccar", "json"): 1,
        ("jt808", "tcp"): 1,
    }
    assert sorted(wish.person for wish in roster.devices if wish.person is not None) == list(range(25))
    named = [wish.external_id for wish in roster.devices if wish.external_id is not None]
    assert len(set(named)) == len(named) == 24
    assert all((wish.external_id is None) == (wish.protocol == "traccar") for wish in roster.devices)


def test_a_plan_is_one_line_and_comes_back_as_it_was() -> None:
    roster = demo_roster(make_city())
    issued = [Issued(wish, wish.external_id or "x", None) for wish in roster.devices]
    line = plan_json(25, issued, PORTS, host="127.0.0.2", interval=2.5)
    assert line.count("\n") == 1
    read = read_plan(line)
    assert (read.seed, read.host, read.interval, dict(read.ports)) == (25, "127.0.0.2", 2.5, PORTS)
    assert [(c.protocol, c.form, c.external_id, c.person, c.grid) for c in read.clients] == [
        (i.wish.protocol, i.wish.form, i.external_id, i.wish.person, i.wish.grid) for i in issued
    ]


def test_a_form_may_be_left_out() -> None:
    client = {"protocol": "traccar", "external_id": "a", "token": None, "person": 3, "grid": "349921001001"}
    read = read_plan(json.dumps({"seed": 1, "ports": {}, "clients": [client]}))
    assert read.clients[0].form == "query"
    assert read.clients[0].person == 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"seed":1,"ports":{},"clients":[{}]}',
        '{"seed":1,"ports":{},"clients":[{"protocol":"smoke","external_id":"a","person":1}]}',
        '{"seed":1,"ports":{},"clients":[{"protocol":"traccar","form":"tcp","external_id":"a","person":1}]}',
        '{"seed":1,"ports":{},"clients":[{"protocol":"traccar","external_id":"a","person":"dog"}]}',
        '{"seed":1,"ports":{},"interval_s":0,"clients":[]}',
        '{"seed":1,"ports":{},"clients":[],"manner":{"speed":0}}',
        '{"seed":1,"ports":{},"clients":[],"manner":{"speed":"3"}}',
        '{"seed":1,"ports":{},"clients":[],"manner":{"mood":1}}',
        '{"seed":1,"ports":{},"clients":[],"manner":{"accept":0.9,"decline":0.2}}',
        '{"seed":1,"ports":{},"clients":[],"network":{"loss":0.5,"duplicates":0.5}}',
        '{"seed":1,"ports":{},"clients":[],"network":[1]}',
    ],
)
def test_what_is_no_plan_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(PlanError):
        read_plan(text)


def test_the_plan_of_the_demo_is_readable() -> None:
    assert len(plan().clients) == 26


def test_every_handheld_of_the_demo_shows_tasks_and_nothing_else_does() -> None:
    assert {(client.protocol, client.tasks) for client in plan().clients} == {
        ("handheld", True), ("traccar", False), ("jt808", False),
    }  # fmt: skip
    client = {"protocol": "handheld", "external_id": "a", "token": "t", "person": 3}
    assert not read_plan(json.dumps({"seed": 1, "ports": {}, "clients": [client]})).clients[0].tasks


def test_how_people_answer_and_how_bad_the_network_is() -> None:
    assert (plan().manner, plan().network) == (Manner(), Network())
    manner, network = Manner(accept=0.5, scene_s=5), Network(loss=0.2, duplicates=0.1, offline=0.3)
    read = read_plan(plan_json(25, [], PORTS, manner=manner, network=network))
    assert (read.manner, read.network) == (manner, network)
