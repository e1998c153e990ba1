"""``./run import FILE...``: takes tables of people and devices and GeoJSON grids into a running city, by the API.

Every file is read and judged first; if anything is wrong in any of them nothing is sent. Grids go before people,
people before devices, whatever the order of the files. What is there already is left alone, so the same files may
come again after something went wrong. What has gone in is told as it goes in; tokens of new devices come as a CSV
table.
"""

from __future__ import annotations

import argparse
import csv
import getpass
import io
import json
import os
import shutil
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from storage import config
from storage.certificates import CertificateError
from storage.own_console import trust_of, url_of
from storage.toml import ConfigError
from tracker.areas import read_areas
from tracker.catalogue import PORTS
from webmap.tables import Layer, Table, TableError, Wishes, judge_devices, judge_people, read_file

FILE_LIMIT = 256 << 20
"""Bytes of a file: a city's 100,000 cells have 40 MB."""
AT_ONCE = {"grids": 4000, "units": 2000, "devices": 1000}
"""What one request holds: few enough to be one commit of the server, so a request is in as a whole or not at all."""
TIMEOUT_S = 120
PROBLEMS_SHOWN = 100
HEAD = ("device", "protocol", "external_id", "token", "unit", "name")


class Failed(Exception):
    """The import cannot go on; the text says why and what to do."""


class Api:
    """The server, asked over HTTP."""

    def __init__(self, url: str, trust: ssl.SSLContext | None = None) -> None:
        self.url = url.rstrip("/")
        self._session = ""
        # A proxy of the office's has no business between two programs of one machine.
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if trust is not None:
            handlers.append(urllib.request.HTTPSHandler(context=trust))
        self._opener = urllib.request.build_opener(*handlers)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The answer's JSON. Raises :class:`Failed`, and :class:`Refused` for an answer that is an error."""
        return self._open(method, path, body, json.load)

    def fetch(self, path: str, out: BinaryIO) -> None:
        """Write what is answered into a file. Raises as :meth:`ask`."""
        self._open("GET", path, None, lambda answer: shutil.copyfileobj(answer, out))

    def _open(self, method: str, path: str, body: Any, read: Callable[[Any], Any]) -> Any:
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        request = urllib.request.Request(self.url + path, data, method=method)
        request.add_header("content-type", "application/json")
        if self._session:
            request.add_header("authorization", f"Bearer {self._session}")
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                return read(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise _refused(error, self.url) from None
        except ValueError:
            raise Failed(f"what answers at {self.url} is not Gridbeat") from None
        except OSError as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, ConnectionRefusedError):
                raise Failed(
                    f"no server answers at {self.url}. Start it first (./run, or ./run --config city.toml), and give "
                    "the import the same settings"
                ) from None
            raise Failed(f"the server at {self.url} cannot be asked: {reason}") from None

    def log_in(self, name: str, password: str) -> bool:
        """False if the server does not take them. An account with two-step sign-in is asked for a code."""
        wanted = {"name": name, "password": password}
        try:
            try:
                self._session = self.ask("POST", "/api/v1/login", wanted)["token"]
            except Refused as refused:
                if refused.code != "code_needed" or not sys.stdin.isatty():
                    raise
                code = input(f"Code of {name} (authenticator app, or a recovery code): ")
                self._session = self.ask("POST", "/api/v1/login", {**wanted, "code": code})["token"]
        except Refused as refused:
            if refused.code == "code_needed":
                raise Failed(f"{name} has two-step sign-in: take an account without it where nobody types") from None
            if refused.status != 401:
                raise
            return False
        return True


class Refused(Failed):
    """The server answered with an error. ``entry`` is the place in the list that was sent, from 1, or 0."""

    def __init__(self, status: int, text: str, entry: int = 0, code: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.entry = entry
        self.code = code


def _refused(error: urllib.error.HTTPError, url: str) -> Failed:
    try:
        told = json.loads(error.read())["error"]
        return Refused(error.code, str(told["text"]), int(told.get("entry", 0)), str(told["code"]))
    except (ValueError, KeyError, TypeError):
        return Failed(f"what answers at {url} is not Gridbeat ({error.code} {error.reason})")


class Import:
    """One run. ``tell`` takes words for whoever watches; ``tokens`` the table of new devices."""

    def __init__(self, api: Api, files: Sequence[Table | Layer], tell: TextIO, tokens: Tokens) -> None:
        self._api = api
        self._layers = [file for file in files if isinstance(file, Layer)]
        self._people = [file for file in files if isinstance(file, Table) and file.kind == "people"]
        self._devices = [file for file in files if isinstance(file, Table) and file.kind == "devices"]
        self._tell = tell
        self._tokens = tokens

    def run(self) -> bool:
        """True when everything is in. Raises :class:`~webmap.tables.TableError` before anything is sent, and
        :class:`Failed` with what went wrong after that."""
        present = {area.id: area for area in read_areas(self._api.ask("GET", "/api/v1/grids"))}
        units = self._units()
        areas = [*present.values(), *(area for layer in self._layers for area in layer.areas)]
        grids = {area.name: area.id for area in areas if area.level == "grid"}
        self._grids = grids | {area.id: area.id for area in areas if area.level == "grid"}
        self._check(units)
        self._tokens.open()
        for layer in self._layers:
            changed = [area for area in layer.areas if present.get(area.id) != area]
            present |= {area.id: area for area in changed}
            self._send_layer(layer, changed)
        for table in self._people:
            self._send_people(table)
        complete = [self._send_devices(table) for table in self._devices]
        return all(complete)

    def _units(self) -> list[dict[str, Any]]:
        units: list[dict[str, Any]] = self._api.ask("GET", "/api/v1/units")["units"]
        return units

    def _held(self) -> list[dict[str, Any]]:
        devices: list[dict[str, Any]] = self._api.ask("GET", "/api/v1/devices")["devices"]
        return devices

    def _check(self, units: list[dict[str, Any]]) -> None:
        """Judge all tables as if those before were in; raises TableError with what is wrong in any of them."""
        problems: list[str] = []
        after = {unit["id"]: unit for unit in units}
        for table in self._people:
            try:
                wishes = judge_people(table, after.values(), self._grids)
            except TableError as error:
                problems += error.problems
                continue
            for line, fields in (*wishes.new, *wishes.amended):
                identity = fields.get("id") or f"{table.name}:{line}"
                after[identity] = {"team": "", "street": "", "grid": ""} | fields | {"id": identity}
        if not problems:
            held = self._held() if self._devices else []
            for table in self._devices:
                try:
                    judge_devices(table, after.values(), held)
                except TableError as error:
                    problems += error.problems
        if problems:
            raise TableError(problems)

    # -- sending

    def _send_layer(self, layer: Layer, changed: Sequence[Any]) -> None:
        done = 0
        # Grids first and by themselves: a request with grids must hold the grid of each of its cells.
        for level in ("grid", "cell"):
            features = [_feature(area) for area in changed if area.level == level]
            for part in _parts(features, AT_ONCE["grids"]):
                try:
                    self._api.ask("POST", "/api/v1/grids", {"type": "FeatureCollection", "features": part})
                except Failed as failed:
                    raise self._stopped(failed, layer.name, done, len(changed), "grids and cells") from None
                done += len(part)
        unchanged = len(layer.areas) - len(changed)
        self.say(f"{layer.name}: {done} grids and cells are in, {unchanged} were there as they are")

    def _send_people(self, table: Table) -> None:
        wishes = judge_people(table, self._units(), self._grids)
        self._note(wishes)
        wanted, done = [*wishes.new, *wishes.amended], 0
        for part in _parts(wanted, AT_ONCE["units"]):
            try:
                self._api.ask("POST", "/api/v1/units", [fields for _, fields in part])
            except Failed as failed:
                raise self._stopped(_placed(failed, table, part), table.name, done, len(wanted), "units") from None
            done += len(part)
        counts = f"{len(wishes.new)} new units, {len(wishes.amended)} amended"
        self.say(f"{table.name}: {counts}, {wishes.unchanged} were there as they are")

    def _send_devices(self, table: Table) -> bool:
        units = self._units()
        wishes = judge_devices(table, units, self._held())
        self._note(wishes)
        names = {unit["id"]: unit["name"] for unit in units}
        done, refused = 0, 0
        for part in _parts(wishes.new, AT_ONCE["devices"]):
            try:
                answers = self._api.ask("POST", "/api/v1/devices", [fields for _, fields in part])["devices"]
            except Failed as failed:
                raise self._stopped(
                    _placed(failed, table, part), table.name, done, len(wishes.new), "devices"
                ) from None
            for (line, _), made in zip(part, answers, strict=True):
                if "error" in made:
                    refused += 1
                    self.say(f"{table.name}:{line}: not registered: {made['error']['text']}")
            registered = [made for made in answers if "error" not in made]
            self._tokens.write(made | {"name": names.get(made["unit"], made["external_id"])} for made in registered)
            done += len(registered)
        told = f"{table.name}: {done} devices registered, {wishes.unchanged} were there already"
        self.say(told + (f", {refused} refused" if refused else ""))
        return not refused

    def _stopped(self, failed: Failed, name: str, done: int, wanted: int, what: str) -> Failed:
        text = f"{failed}\n{name}: {done} of {wanted} {what} are in"
        if not isinstance(failed, Refused):
            # The request may have arrived although its answer did not.
            text += ", perhaps some more"
        return Failed(f"{text}; what is told above is in too. Import the same files again: nothing comes twice")

    def _note(self, wishes: Wishes) -> None:
        for note in wishes.notes:
            self.say(note)

    def say(self, text: str) -> None:
        print(text, file=self._tell, flush=True)


class Tokens:
    """The table of new devices: to ``path``, readable by its owner alone, or to the terminal."""

    def __init__(self, path: Path | None, terminal: TextIO) -> None:
        self._path = path
        self._terminal = terminal
        self._file: TextIO | None = None
        self.count = 0

    def open(self) -> None:
        """Before anything is sent: tokens that cannot be written are worse than none. An older table is added to."""
        if self._path is None:
            return
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.fchmod(handle, 0o600)
        except OSError as error:
            raise Failed(f"{self._path}: {error.strerror}; nothing was imported") from None
        self._file = os.fdopen(handle, "w", encoding="utf-8", newline="")

    def write(self, devices: Iterable[dict[str, Any]]) -> None:
        """A line a device."""
        file = self._file or self._terminal
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        for device in devices:
            if not self.count and (self._file is None or os.fstat(self._file.fileno()).st_size == 0):
                table.writerow(HEAD)
            device = device | {"device": device["id"], "token": device["token"] or ""}
            table.writerow([device[name] for name in HEAD])
            self.count += 1
        file.write(text.getvalue())
        file.flush()

    def close(self) -> str:
        """Where the tokens are, in words; empty if there are none."""
        if self._file is None or self._path is None:
            return ""
        empty = os.fstat(self._file.fileno()).st_size == 0
        self._file.close()
        if empty:
            self._path.unlink()
        return f"{self.count} tokens: {self._path} (only you can read it)" if self.count else ""


def _parts(wanted: Sequence[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(wanted), size):
        yield list(wanted[start : start + size])


def _placed(failed: Failed, table: Table, part: Sequence[tuple[int, Any]]) -> Failed:
    """A refusal with the line that it is about."""
    if isinstance(failed, Refused) and 0 < failed.entry <= len(part):
        return Refused(failed.status, f"{table.name}:{part[failed.entry - 1][0]}: {failed}")
    return failed


def _feature(area: Any) -> dict[str, Any]:
    own = {key: getattr(area, key) for key in ("id", "name", "level", "parent", "street", "owner")}
    return {"type": "Feature", "geometry": area.geometry, "properties": area.properties | own}


# The command.


def main(words: Sequence[str] | None = None) -> int:
    """The exit status: 0 when everything is in, 1 when something is not, 2 for words that make no sense."""
    given = _parser().parse_args(words)
    tokens = Tokens(given.out, sys.stdout)
    try:
        files = _read(given.files)
        settings = settings_of(given.config)
        api = console_of(settings, given.url)
        log_in(api, given, settings)
        complete = Import(api, files, sys.stderr, tokens).run()
    except TableError as error:
        shown = error.problems[:PROBLEMS_SHOWN]
        more = [f"and {len(error.problems) - len(shown)} more"] if len(error.problems) > len(shown) else []
        print("\n".join([*shown, *more, "Nothing was imported."]), file=sys.stderr)
        return 1
    except Failed as failed:
        print(f"import: {failed}.", file=sys.stderr)
        return 1
    finally:
        if told := tokens.close():
            print(told, file=sys.stderr)
    return 0 if complete else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./run import",
        description="Takes people.csv, devices.csv and GeoJSON grids into a running city. What is in a file is seen "
        "from its column heads; docs/operations.md lists them.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--config", type=Path, help="the city's settings (default: $GRIDBEAT_CONFIG, else the demo)")
    parser.add_argument("--url", help="where the console is (default: as the settings say, on this machine)")
    parser.add_argument("--out", type=Path, help="write tokens here, readable by you alone, not to the terminal")
    parser.add_argument("--user", help="default: $GRIDBEAT_USER, else the account of the first start")
    parser.add_argument(
        "--password-file", type=Path, help="default: $GRIDBEAT_PASSWORD, else first-login.txt, else asked for"
    )
    return parser


def _read(paths: Sequence[Path]) -> list[Table | Layer]:
    files, problems = [], list[str]()
    for path in paths:
        try:
            with path.open("rb") as file:
                data = file.read(FILE_LIMIT + 1)
            if len(data) > FILE_LIMIT:
                raise TableError([f"{path.name}: larger than {FILE_LIMIT >> 20} MB"])
            files.append(read_file(path.name, data))
        except OSError as error:
            problems.append(f"{path}: {(error.strerror or 'cannot be read').lower()}")
        except TableError as error:
            problems += error.problems
    if problems:
        raise TableError(problems)
    return files


def settings_of(path: Path | None) -> config.Settings:
    """The settings that the command line or the environment names. Raises :class:`Failed`."""
    named = path or os.environ.get("GRIDBEAT_CONFIG")
    try:
        return config.read(Path(named), PORTS) if named else config.defaults(PORTS)
    except ConfigError as error:
        raise Failed(f"the settings cannot be used:\n{error}") from None


def console_of(settings: config.Settings, url: str | None) -> Api:
    """The console at ``url``, or that of the settings on this machine. Raises :class:`Failed`."""
    url = url or url_of(settings)
    try:
        return Api(url, trust_of(settings, url))
    except CertificateError as error:
        raise Failed(str(error)) from None


def log_in(api: Api, given: argparse.Namespace, settings: config.Settings) -> None:
    """With what was given; else with the note of the first start; else with what somebody types."""
    note = settings.data / "first-login.txt"
    try:
        noted = note.read_text().split()
    except OSError:
        noted = []
    name = given.user or os.environ.get("GRIDBEAT_USER") or (noted[0] if noted else "admin")
    password = os.environ.get("GRIDBEAT_PASSWORD")
    if given.password_file:
        try:
            password = given.password_file.read_text().strip()
        except OSError as error:
            raise Failed(f"{given.password_file}: {error.strerror}") from None
    if password is not None:
        if not api.log_in(name, password):
            raise Failed(f"the server does not take the password of {name}")
        return
    if len(noted) == 2 and api.log_in(name, noted[1]):
        return
    if not sys.stdin.isatty():
        raise Failed(f"no password: give --password-file or GRIDBEAT_PASSWORD ({note} is not there or no longer true)")
    if not api.log_in(name, getpass.getpass(f"Password of {name} at {api.url}: ")):
        raise Failed(f"the server does not take the password of {name}")


if __name__ == "__main__":
    sys.exit(main())
