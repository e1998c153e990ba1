"""Whose a request to ``/`` is, and that the table of apps holds together."""

from __future__ import annotations

import pytest

from protocols.delivery import PhoneRequest
from protocols.phone_setup import APPS, setup
from tracker.catalogue import CATALOGUE
from tracker.phone_apps import BODY_LIMIT, OVERLAND, OWNTRACKS, PATHS, TRACCAR_JSON, TRACCAR_QUERY, PhoneApp, app_of

JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("query", "body", "headers", "app"),
    [
        (b"id=7&lat=1&lon=2", b"", {}, TRACCAR_QUERY),
        (b"", b"", {}, TRACCAR_QUERY),
        (b"", b"id=7", {"content-type": "application/x-www-form-urlencoded"}, TRACCAR_QUERY),
        (b"", b'{"location":{},"device_id":"7"}', JSON, TRACCAR_JSON),
        (b"", b'{"location":{}}', {}, TRACCAR_JSON),
        (b"", b'{"_type":"location"}', JSON, OWNTRACKS),
        (b"u=a", b'{"_type":"lwt"}', {"content-type": "application/x-www-form-urlencoded"}, OWNTRACKS),
        (b"", b'[{"_type":"location"}]', {}, OWNTRACKS),
        (b"", b"", {"x-limit-u": "jane"}, OWNTRACKS),
        (b"", b"{", {"x-limit-d": "phone"}, OWNTRACKS),
        (b"", b'{"locations":[]}', JSON, OVERLAND),
        # Not unmistakably anybody's.
        (b"", b'{"locations":{}}', JSON, TRACCAR_JSON),
        (b"", b'{"_type":7}', JSON, TRACCAR_JSON),
        (b"", b'{"location":{"extras":{"_type":"x","locations":[]}},"device_id":"7"}', JSON, TRACCAR_JSON),
        (b"", b'{"_type":', JSON, TRACCAR_JSON),
        (b"", b"[" * 100_000 + b'"_type"', JSON, TRACCAR_JSON),
        (b"id=7", b'"_type"', {"content-type": "text/plain"}, TRACCAR_QUERY),
    ],
)
def test_whose_request_to_the_root_it_is(query: bytes, body: bytes, headers: dict[str, str], app: PhoneApp) -> None:
    assert app_of(PhoneRequest(query, body, headers)) is app


def test_every_app_can_be_registered_and_set_up_for_its_path() -> None:
    for path, app in PATHS.items():
        assert CATALOGUE[app.protocol].issued
        assert CATALOGUE[app.protocol].secret
        assert app.body_limit <= BODY_LIMIT
        if app.protocol in APPS:
            steps = setup(app.protocol, "http://x", "d", "t").steps
            assert f"http://x/{path.decode()}" in {step.value for step in steps}
    assert set(APPS) == {app.protocol for app in PATHS.values()} - {"batch"} | {"traccar"}


def test_what_cannot_be_read() -> None:
    assert TRACCAR_QUERY.code_of("no_device") == TRACCAR_QUERY.code_of("malformed") == 400
    assert TRACCAR_JSON.code_of("no_device") == TRACCAR_JSON.code_of("malformed") == 404
    assert (OWNTRACKS.code_of("no_device"), OWNTRACKS.code_of("malformed")) == (404, 400)
