"""Accounts for tests over a real server: made by its admin, each with a session and a connection that stays."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable
from typing import Any, Self

from tests.server import PATIENCE_S, Answer, Server


class Person:
    """Somebody who has signed in."""

    def __init__(self, server: Server, name: str, token: str, about: dict[str, Any]) -> None:
        self.name, self.token = name, token
        self.role: str = about["role"]
        self.unit: str = about.get("unit", "")
        self.streets: frozenset[str] = frozenset(about.get("streets", ()))
        self.teams: frozenset[str] = frozenset(about.get("teams", ()))
        self._link = http.client.HTTPConnection("127.0.0.1", server.ports["console"], timeout=PATIENCE_S)

    def __repr__(self) -> str:
        return self.name

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._link.close()

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """One request; a body that is not bytes is sent as JSON."""
        sent = {"authorization": f"Bearer {self.token}", **(headers or {})}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("content-type", "application/json")
        try:
            self._link.request(method, path, body, sent)
            response = self._link.getresponse()
        except http.client.RemoteDisconnected:  # it was idle for too long
            self._link.request(method, path, body, sent)
            response = self._link.getresponse()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())


def password_of(name: str) -> str:
    """The password that an account of these tests has."""
    return f"{name}: a sentence nobody else has"


def enter(server: Server, name: str, **about: Any) -> Person:
    """Make an account and sign in with it."""
    made = server.api("POST", "/api/v1/accounts", {"name": name, **about})
    assert made.status == 201, made
    login = server.ask("POST", "/api/v1/login", {"name": name, "password": made.json["password"]})
    assert login.status == 200, login
    change = {"old": made.json["password"], "new": password_of(name)}
    chosen = server.ask("POST", "/api/v1/me/password", change, {"authorization": f"Bearer {login.json['token']}"})
    assert chosen.status == 200, chosen
    return Person(server, name, str(chosen.json["token"]), about)


def admin_of(server: Server) -> Person:
    """The account of the first start."""
    return Person(server, server.login[0], server.session, {"role": "admin"})


def enter_all(server: Server, accounts: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, Person]:
    return {name: enter(server, name, **about) for name, about in accounts}
