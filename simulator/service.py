"""Brings a plan to life: the city, its walkers, their devices, and the keepers that drive them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any, Literal, Protocol, cast

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.ssl import Certificate, optionsForClientTLS, platformTrust
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, HTTPConnectionPool

from simulator import tcp, websocket
from simulator.bearer import Bearer
from simulator.city import City, make_city
from simulator.handheld import FramedHandheld, Handheld
from simulator.http import PhoneKeeper
from simulator.keeper import Device, Keeper
from simulator.phone import Phone
from simulator.plan import Plan, PlanError, PlannedClient
from simulator.routes import Routes
from simulator.uploader import Uploader
from simulator.vehicle import VehicleTerminal
from simulator.walker import DRIVING, ON_FOOT, Beat, Walker, beat_in_grid, beat_of_vehicle
from simulator.weather import Backoff, Weather

START_WITHIN = 3.0
"""Seconds in which all devices are switched on."""


class Running(Protocol):
    """What drives one client."""

    def start(self, delay: float) -> None: ...

    def stop(self) -> None: ...


class Simulation:
    """All clients of a plan. ``reactor`` is the running one; ``now`` gives the wall clock in ms."""

    def __init__(self, reactor: Any, plan: Plan, now: Callable[[], int], city: City | None = None) -> None:
        self._reactor = reactor
        self._plan = plan
        self._now = now
        self._city = make_city(plan.seed, plan.rows, plan.columns) if city is None else city
        self._random = Random(f"simulation {plan.seed}")
        self._beat = cache(self._make_beat)
        people = sum(client.person is not None for client in plan.clients)
        self._weather = Weather(plan.seed, people, now(), network=plan.network) if people else None
        tasks = any(client.tasks for client in plan.clients)
        self._routes = Routes(self._city.streets, self._city.projection) if tasks else None
        pool = HTTPConnectionPool(reactor)  # type: ignore[no-untyped-call]
        trust = Certificate.loadPEM(plan.trust.encode()) if plan.trust else platformTrust()  # type: ignore[no-untyped-call]
        self._options = optionsForClientTLS(plan.host, trustRoot=trust)
        policy = BrowserLikePolicyForHTTPS(trust)  # type: ignore[no-untyped-call]
        self._agent = Agent(reactor, policy, connectTimeout=10, pool=pool)  # type: ignore[no-untyped-call]
        self._walking = self._on_foot = 0
        self._uploaders: list[Uploader] = []
        self.clients: list[Running] = [self._client(client) for client in plan.clients]

    def start(self) -> None:
        """Switches all devices on, within three seconds or an interval if that is shorter."""
        within = min(START_WITHIN, self._plan.interval)
        for index, client in enumerate(self.clients):
            client.start(within * index / len(self.clients))

    def stop(self) -> None:
        for client in self.clients:
            client.stop()
        for uploader in self._uploaders:
            uploader.stop()

    def _client(self, client: PlannedClient) -> Running:
        bearer, backoff = self._bearer(client), Backoff(Random(self._random.random()))
        interval, now, reactor = self._plan.interval, self._now, self._reactor
        if client.protocol == "traccar":
            form = cast(Literal["query", "json"], client.form)
            phone, url = Phone(client.external_id, form, bearer), self._url("http", "phones")
            return PhoneKeeper(reactor, phone, self._agent, url.encode(), interval=interval, backoff=backoff, now=now)
        device, connect = self._linked(client, bearer)
        random = Random(self._random.random())
        return Keeper(
            reactor, device, connect, interval=interval, backoff=backoff, now=now, network=self._plan.network,
            random=random,
        )  # fmt: skip

    def _linked(self, client: PlannedClient, bearer: Bearer) -> tuple[Device, Callable[[Keeper], Deferred[Any]]]:
        token = client.token
        if client.protocol == "jt808":
            terminal = VehicleTerminal(client.external_id, token, self._city.vehicle.plate, bearer)
            return terminal, tcp.connector(self._endpoint("jt808"))
        form = Handheld if client.form == "websocket" else FramedHandheld
        manner = self._plan.manner if client.tasks else None
        handheld = form(client.external_id, token or "", bearer, self._now(), manner)
        if client.tasks:
            self._uploader(client, handheld)
        if client.form == "websocket":
            endpoint = self._endpoint("field")
            return handheld, websocket.connector(self._reactor, endpoint, self._url("ws", "field"))
        return handheld, tcp.connector(self._endpoint("handheld"))

    def _uploader(self, client: PlannedClient, handheld: Handheld) -> None:
        self._uploaders.append(
            Uploader(
                self._reactor, client.external_id, client.token or "", handheld.uploads, self._agent,
                self._url("http", "field"), reachable=lambda: handheld.reachable,
                backoff=Backoff(Random(self._random.random())),
            )
        )  # fmt: skip

    def _bearer(self, client: PlannedClient) -> Bearer:
        self._walking += 1
        random = Random(f"walker {self._plan.seed} {self._walking}")
        if client.person is None:
            return Bearer(Walker(self._beat(None), DRIVING, random, self._now()))
        if not 0 <= client.person < len(self._city.people):
            raise PlanError(f"the city has no person {client.person}")
        grid = client.grid or self._city.people[client.person].grid
        if grid not in self._city.grid_ids:
            raise PlanError(f"the city has no grid {grid!r}")
        walker = Walker(self._beat(self._city.grid_ids.index(grid)), ON_FOOT, random, self._now())
        self._on_foot += 1
        return Bearer(walker, self._weather, self._on_foot - 1, self._routes if client.tasks else None)

    def _make_beat(self, grid: int | None) -> Beat:
        streets, projection = self._city.streets, self._city.projection
        return beat_of_vehicle(streets, projection) if grid is None else beat_in_grid(streets, grid, projection)

    def _port(self, name: str) -> int:
        try:
            return self._plan.ports[name]
        except KeyError:
            raise PlanError(f"the plan names no port for {name}") from None

    def _url(self, scheme: str, port: str) -> str:
        return f"{scheme}{'s' if port in self._plan.tls else ''}://{self._plan.host}:{self._port(port)}/"

    def _endpoint(self, port: str) -> IStreamClientEndpoint:
        endpoint = HostnameEndpoint(self._reactor, self._plan.host, self._port(port), timeout=10)
        if port not in self._plan.tls:
            return endpoint
        return wrapClientTLS(self._options, endpoint)
