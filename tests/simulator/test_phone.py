"""The phone against the server's decoder of its two forms, in memory."""

from __future__ import annotations

from random import Random
from typing import Literal

import pytest

from protocols.traccar import Delivery, decode
from simulator.bearer import Bearer
from simulator.city import City, make_city
from simulator.phone import Phone, Request
from simulator.walker import ON_FOOT, Walker, beat_in_grid
from simulator.weather import Conditions, Weather

START = 1_790_000_000_000
FORMS: list[Literal["query", "json"]] = ["query", "json"]


@pytest.fixture(scope="module")
def city() -> City:
    return make_city()


class Forecast(Weather):
    """Weather that says what the test wants."""

    def __init__(self) -> None:
        super().__init__(0, 1, START)
        self.now = Conditions()

    def at(self, client: int, now: int) -> Conditions:
        return self.now


def phone(city: City, form: Literal["query", "json"], weather: Weather | None = None, limit: int = 100) -> Phone:
    walker = Walker(beat_in_grid(city.streets, 7, city.projection), ON_FOOT, Random(1), START)
    return Phone("random-id-7", form, Bearer(walker, weather), limit=limit)


def read(request: Request | None) -> Delivery:
    assert request is not None
    return decode(request.query, request.body, request.content_type or "")


@pytest.mark.parametrize("form", FORMS)
def test_each_position_is_one_request_until_it_is_taken(city: City, form: Literal["query", "json"]) -> None:
    client = phone(city, form)
    assert client.request() is None
    client.tick(START + 5000)
    client.tick(START + 10_000)
    first = client.request()
    delivery = read(first)
    assert (delivery.device_id, delivery.form) == ("random-id-7", form)
    assert delivery.report.fix_time == START + 5000
    assert delivery.report.latitude is not None
    assert client.request() is None, "one at a time"
    assert not client.answered(503)
    assert client.request() == first, "the same again"
    assert not client.answered(None)
    client.request()
    assert client.answered(200)
    assert read(client.request()).report.fix_time == START + 10_000
    assert client.answered(204)
    assert client.request() is None
    assert client.waiting == 0


@pytest.mark.parametrize("form", FORMS)
def test_indoors_it_sends_a_heartbeat_without_coordinates(city: City, form: Literal["query", "json"]) -> None:
    weather = Forecast()
    client = phone(city, form, weather)
    weather.now = Conditions(indoors=True)
    client.tick(START + 5000)
    report = read(client.request()).report
    assert (report.latitude, report.longitude) == (None, None)
    assert report.items is not None
    assert report.items["battery"] > 50  # type: ignore[operator]


def test_without_network_it_collects_and_then_delivers_in_order(city: City) -> None:
    weather = Forecast()
    client = phone(city, "json", weather)
    weather.now = Conditions(network=False)
    for i in range(1, 31):
        client.tick(START + i * 5000)
    assert client.request() is None
    assert client.waiting == 30
    weather.now = Conditions()
    client.tick(START + 31 * 5000)
    times = []
    while (request := client.request()) is not None:
        times.append(read(request).report.fix_time)
        client.answered(200)
    assert times == [START + i * 5000 for i in range(1, 32)]


def test_the_queue_is_bounded_and_loses_the_oldest(city: City) -> None:
    client = phone(city, "query", limit=10)
    client.tick(START)
    client.request()
    for i in range(1, 26):
        client.tick(START + i * 5000)
    assert (client.waiting, client.dropped) == (10, 16)
    assert client.answered(200), "the one under way had left the queue: nothing else is forgotten for it"
    assert client.waiting == 10


def test_the_id_stays_out_of_the_log_name(city: City) -> None:
    assert "random-id-7" not in phone(city, "query").name
