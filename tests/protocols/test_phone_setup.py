"""What phones are told: each link holds what its app reads, and the fields by hand say the same."""

from __future__ import annotations

import json
from base64 import b64decode
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.phone_setup import APPS, GPSLOGGER_BODY, gpslogger_profile, setup

BASE = "https://city.example:5055"
TOKEN = "kq3mz7wtfa5y2hdn4xrb6cpsve"


def told(app: str, base: str = BASE, device_id: str = "7f3a9c", token: str | None = TOKEN) -> dict[str, str]:
    parts = urlsplit(setup(app, base, device_id, token).link)
    return {name: values[0] for name, values in parse_qs(parts.query, strict_parsing=True).items()}


def test_traccar_client() -> None:
    made = setup("traccar", BASE, "7f3a9c", None)
    assert made.link.startswith("org.traccar.client://config?")
    fields = told("traccar", token=None)
    assert (fields["url"], fields["id"], fields["interval"], fields["stop_detection"]) == (
        BASE,
        "7f3a9c",
        "15",
        "false",
    )
    assert {step.value for step in made.steps} >= {BASE, "7f3a9c"}


@pytest.mark.parametrize("device_id", ["7f3a9c", "a", "张伟~?>", "k" * 64])
def test_owntracks_has_its_whole_configuration_inside(device_id: str) -> None:
    link = setup("owntracks", BASE, device_id, TOKEN).link
    assert link.startswith("owntracks:///config?inline=")
    # Neither a plus nor a slash stands in it bare.
    assert not set(link.partition("inline=")[2]) & set("+/= ")
    configuration = json.loads(b64decode(told("owntracks", device_id=device_id)["inline"], validate=True))
    assert configuration["_type"] == "configuration"
    assert configuration["mode"] == 3
    assert configuration["url"] == f"{BASE}/owntracks"
    assert (configuration["username"], configuration["password"], configuration["auth"]) == (device_id, TOKEN, True)
    assert len(configuration["tid"]) <= 2


def test_overland() -> None:
    assert setup("overland", BASE, "7f3a9c", TOKEN).link.startswith(
        "overland://setup?url=https%3A%2F%2Fcity.example%3A"
    )
    fields = told("overland")
    assert fields == {"url": f"{BASE}/overland?id=7f3a9c", "token": TOKEN, "device_id": "7f3a9c"}


def test_gpslogger_fetches_a_profile() -> None:
    link = setup("gpslogger", BASE, "7f3a9c", TOKEN).link
    scheme, _, address = link.partition("gpslogger://properties/")
    assert scheme == ""
    # The app names the profile after the last part of the path.
    assert urlsplit(address).path == "/gpslogger/gridbeat.properties"
    assert parse_qs(urlsplit(address).query) == {"id": ["7f3a9c"], "token": [TOKEN], "url": [BASE]}
    lines = dict(line.split("=", 1) for line in gpslogger_profile(BASE + "/", "7f3a9c", TOKEN).splitlines())
    assert lines["log_customurl_url"] == f"{BASE}/gpslogger"
    assert lines["log_customurl_body"] == GPSLOGGER_BODY
    assert (lines["log_customurl_basicauth_username"], lines["log_customurl_basicauth_password"]) == ("7f3a9c", TOKEN)


def unescaped(value: str) -> str:
    """As Java reads a properties file's value."""
    return value.replace("\\\\", "\0").encode("latin-1").decode("unicode_escape").replace("\0", "\\")


@given(st.text(max_size=64).filter(lambda text: text.isprintable()))
def test_a_profile_says_any_id(device_id: str) -> None:
    profile = gpslogger_profile(BASE, device_id, TOKEN)
    (line,) = (line for line in profile.split("\n") if line.startswith("log_customurl_basicauth_username="))
    value = unescaped(line.partition("=")[2])
    assert value.encode("utf-16-be", "surrogatepass").decode("utf-16-be") == device_id


@pytest.mark.parametrize("app", list(APPS))
def test_every_app_is_told_where_who_and_the_secret(app: str) -> None:
    made = setup(app, BASE + "/", "7f3a9c", TOKEN)
    assert made.app == app
    values = " ".join(step.value for step in made.steps)
    for part in (made.link, values):
        assert "city.example" in unquote(part) or app == "owntracks"
        assert "7f3a9c" in part or app == "owntracks"
    assert (TOKEN in values) == (app != "traccar")
    assert all(step.label and step.zh and step.value for step in made.steps)
    assert f"{BASE}//" not in unquote(made.link)


def test_another_app_is_none() -> None:
    with pytest.raises(KeyError):
        setup("handheld", BASE, "7f3a9c", TOKEN)
