"""Notices on the collector's page: shown at once, over every screen until they are read, also without a network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser import Browser
from tests.server import until
from tests.webmap.phone_page import WORDS, Field, Phone, now_ms

pytestmark = pytest.mark.browser
HOUR = 3_600_000


@pytest.fixture
def field() -> Iterator[Field]:
    field = Field()
    field("tell", keep=True, **WORDS)
    yield field
    field.close()


def notice(id: str, text: str) -> dict[str, Any]:
    return {"t": "notice", "id": id, "text": text, "by": "seat-1", "at": now_ms(), "until": now_ms() + HOUR}


def said(field: Field) -> list[tuple[str, str]]:
    return [(one["task"], one["what"]) for one in field.said()]


def test_a_notice_lies_over_every_screen_until_it_is_read(browser: Browser, field: Field) -> None:
    phone = Phone(browser, field, place=None)
    first, second = notice("n:1", "Strong wind today: stay away from signs"), notice("n:2", "Count the lamps")
    field("tell", keep=True, **first)
    phone.wait("document.querySelector('.bulletin')?.innerText.includes('Strong wind')")
    assert phone.page.run("gridbeatWork.alarm.rung") == 1
    until("it is known to be shown", lambda: said(field) == [("n:1", "shown")])
    phone.go("me")
    assert phone.page.run("document.querySelector('.bulletin').getClientRects().length") == 1
    field("tell", keep=True, **second)
    phone.wait("document.querySelector('.bulletin').innerText.includes('1 more')")
    until("so is the other", lambda: said(field)[1:] == [("n:2", "shown")])
    # Read where there is no network, and the page opened anew: it goes out once, and nothing is shown again.
    field("cut")
    phone.wait("gridbeatWork.link.status !== 'online'")
    phone.tap(".bulletin .strong")
    phone.wait("document.querySelector('.bulletin').innerText.includes('Count the lamps')")
    phone.open()
    phone.wait("document.querySelector('.bulletin')?.innerText.includes('Count the lamps')")
    assert "Strong wind" in phone.text("#screen-tasks")
    field("mend")
    phone.page.run("gridbeatWork.link.now()")
    until("it is known to be read", lambda: ("n:1", "read") in said(field))
    phone.tap(".bulletin .strong")
    phone.wait("document.querySelector('.bulletin') === null")
    until("both are", lambda: ("n:2", "read") in said(field))
    assert sorted(said(field)) == [("n:1", "read"), ("n:1", "shown"), ("n:2", "read"), ("n:2", "shown")]
    assert [text for text in phone.page.problems if "WebSocket" not in text] == []
