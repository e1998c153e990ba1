"""Which listener speaks TLS, and whom each takes in: by default, by the settings, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.config import ConfigError, defaults, read
from storage.doors import Door, doors
from storage.networks import PRIVATE

TRACKERS = {"nmea": 5005, "gt06": 5023}
SECURE = {"console", "field", "handheld", "phones"}
BARE = {"jt808", "nmea", "gt06"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "city.toml"


def parse(file: Path, text: str, certified: bool = False) -> dict[str, Door]:
    file.write_text(text)
    return doors(read(file, TRACKERS), certified)


def problems(file: Path, text: str, certified: bool = False) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(file, text, certified)
    return caught.value.problems


def test_on_this_machine_everything_goes_in_the_clear() -> None:
    found = doors(defaults(TRACKERS), False)
    assert set(found) == SECURE | BARE
    assert all(door.local and not door.tls and door.networks is None for door in found.values())


def test_with_a_certificate_whatever_can_speaks_tls() -> None:
    found = doors(defaults(TRACKERS), True)
    assert {name for name, door in found.items() if door.tls} == SECURE


def test_what_others_reach_needs_a_certificate(file: Path) -> None:
    wide = '\n[server]\nbind = "0.0.0.0"\n'
    (problem,) = problems(file, wide)
    assert problem.startswith("city.toml:3: [console], [field], [handheld], [phones] at 0.0.0.0: networks would reach")
    assert "./run make-certificate" in problem
    found = parse(file, wide, True)
    assert {name for name, door in found.items() if door.tls} == SECURE
    assert all(found[name].networks is None for name in SECURE)
    assert all(found[name].networks == PRIVATE for name in BARE)
    assert found["jt808"].sources is not None
    assert found["jt808"].sources[:2] == ["127.0.0.0/8", "10.0.0.0/8"]


def test_each_is_named_where_it_is_bound(file: Path) -> None:
    text = '[console]\nbind = "10.0.0.1"\n[phones]\nbind = "::"\n'
    assert [one.partition(" at ")[0] for one in problems(file, text)] == [
        "city.toml:2: [console]", "city.toml:4: [phones]",
    ]  # fmt: skip


def test_or_says_from_where_plain_text_may_come(file: Path) -> None:
    text = (
        '[phones]\nbind = "0.0.0.0"\nnetworks = ["10.8.0.0/16"]\n[nmea]\nbind = "0.0.0.0"\nnetworks = ["0.0.0.0/0"]\n'
    )
    found = parse(file, text)
    assert found["phones"].sources == ["10.8.0.0/16"]
    assert found["nmea"].sources == ["0.0.0.0/0"]
    assert found["console"].networks is None
    # That is for plain text as well as for TLS.
    assert parse(file, text, True)["phones"] == Door("phones", "0.0.0.0", 5055, True, found["phones"].networks)


def test_one_may_do_without_tls_though_there_is_a_certificate(file: Path) -> None:
    text = '[phones]\ntls = false\nbind = "0.0.0.0"\n'
    assert problems(file, text, True)[0].startswith("city.toml:3: [phones] at 0.0.0.0")
    found = parse(file, text + 'networks = ["10.0.0.0/8"]\n', True)
    assert not found["phones"].tls
    assert found["console"].tls
    assert not parse(file, "[console]\ntls = false\n", True)["console"].tls


def test_tls_without_a_certificate_is_a_mistake(file: Path) -> None:
    (problem,) = problems(file, "[field]\n\ntls = true\n")
    assert problem.startswith("city.toml:3: [field] tls is true, but there is no certificate")
    assert parse(file, "[field]\ntls = true\n", True)["field"].tls
