"""A phone is set up on the page of phones and comes through: the real server, a real browser, the app's own request."""

from __future__ import annotations

import time
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import Request, urlopen

import pytest

from tests.e2e.conftest import Demo, Enter

pytestmark = pytest.mark.browser


def test_a_phone_is_on_the_map_by_what_its_link_says(enter: Enter, demo: Demo) -> None:
    page = enter()
    page.key("p")
    page.wait("document.querySelectorAll('.app').length === 3 && document.activeElement.id === 'name'")
    # the demo listens on this machine only, and the page says so
    page.wait('/\\[phones\\] bind = "0\\.0\\.0\\.0"/.test(document.getElementById("address-note").textContent)')
    assert page.run("document.getElementById('address').value") == f"http://127.0.0.1:{demo.ports['phones']}"
    page.type("Zhao Min")
    page.key("Enter")
    page.key("Enter")
    page.wait("document.querySelector('.qr svg') !== null")
    device = page.run("location.hash.slice(1)")
    state = "document.querySelector('.watch').dataset.state"
    assert page.run(state) == "waiting"

    # The link as the code holds it, and the Traccar Client that was set up by it.
    told = page.run(
        f"fetch('/api/v1/devices/{device}/token', {{ method: 'POST', "
        "headers: { 'Content-Type': 'application/json' }, "
        "body: JSON.stringify({ base: document.getElementById('address').value }) })"
        ".then(answer => answer.json())"
    )["setup"]
    link = {name: values[0] for name, values in parse_qs(urlsplit(told["link"]).query).items()}
    shown = page.run("[...document.querySelectorAll('.steps code')].map(node => node.textContent)")
    assert link["url"] in shown
    report = {"id": link["id"], "lat": 30.66, "lon": 117.49, "timestamp": int(time.time()), "accuracy": 8, "batt": 70}
    with urlopen(Request(f"{link['url']}/?{urlencode(report)}", method="POST"), timeout=20) as answer:
        assert answer.status == 200
    page.wait(f"{state} === 'fixed'")
    page.wait("/First fix \\d\\d:\\d\\d:\\d\\d, accuracy 8 m/.test(document.querySelector('.watch').textContent)")
    page.wait(f"document.querySelector('.phone[data-device={device}]').dataset.state === 'green'")

    page.run("document.querySelector('.setup-foot a').click()")
    page.wait("window.gridbeat && gridbeat.view.unit?.name === 'Zhao Min' && gridbeat.view.unit.state === 0")
    # A phone app only reports, so its card has no commands.
    page.wait("gridbeat.view.unit.lat !== null && document.querySelector('.card-commands').hidden")
