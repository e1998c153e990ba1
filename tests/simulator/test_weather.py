"""Troubles come after a calm beginning, the same for a seed, and every kind of them comes."""

from __future__ import annotations

from random import Random

from simulator.manner import Network
from simulator.weather import FAIR, Backoff, Conditions, Weather

START = 1_790_000_000_000
MINUTE = 60_000


def day(weather: Weather, clients: int, minutes: int) -> dict[tuple[int, int], Conditions]:
    return {(c, m): weather.at(c, START + m * MINUTE) for m in range(minutes) for c in range(clients)}


def test_the_beginning_is_calm() -> None:
    weather = Weather(1, 25, START, calm=120_000)
    assert all(weather.at(c, START + s * 1000) == FAIR for c in range(25) for s in range(-10, 120))


def test_the_same_seed_has_the_same_weather_in_any_order() -> None:
    first, second = Weather(3, 25, START), Weather(3, 25, START)
    forwards = day(first, 25, 90)
    backwards = {key: second.at(key[0], START + key[1] * MINUTE) for key in reversed(list(forwards))}
    assert forwards == backwards
    assert forwards != day(Weather(4, 25, START), 25, 90)


def test_within_an_hour_every_trouble_comes_and_most_people_are_well() -> None:
    seen = day(Weather(25, 25, START), 25, 60)
    assert any(c.indoors for c in seen.values())
    assert any(not c.network for c in seen.values())
    assert any(not c.powered for c in seen.values())
    assert {abs(c.clock) > 2 * MINUTE for c in seen.values()} == {False, True}
    for minute in range(60):
        assert sum(seen[c, minute] == FAIR for c in range(25)) >= 15


def test_an_empty_battery_lasts_long_enough_to_be_seen_as_offline() -> None:
    weather = Weather(25, 25, START)
    for client in range(25):
        dark = [s for s in range(0, 3600, 5) if not weather.at(client, START + s * 1000).powered]
        if dark:
            assert dark[-1] - dark[0] >= 1200


def test_a_city_of_one_has_weather_too() -> None:
    seen = day(Weather(2, 1, START), 1, 60)
    assert any(c.indoors for c in seen.values())


def test_pauses_grow_to_the_limit_and_begin_anew() -> None:
    backoff = Backoff(Random(1), first=1.0, limit=30.0)
    waits = [backoff.next() for _ in range(40)]
    for attempt, wait in enumerate(waits):
        whole = min(30.0, 2.0**attempt)
        assert whole / 2 <= wait <= whole
    assert len(set(waits[10:])) == 30, "never the same pause: chance spreads the clients"
    backoff.reset()
    assert backoff.next() <= 1.0


def test_a_plan_may_take_the_network_from_a_share_of_the_clients() -> None:
    seen = day(Weather(25, 40, START, network=Network(offline=0.3, offline_s=600)), 40, 60)
    usual = day(Weather(25, 40, START), 40, 60)
    hit = [{c for c in range(40) if any(not seen[c, m].network for m in range(t, t + 10))} for t in range(2, 52, 10)]
    assert all(10 <= len(clients) <= 30 for clients in hit)
    assert sum(not c.network for c in seen.values()) > 4 * sum(not c.network for c in usual.values())
