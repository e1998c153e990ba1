"""The panels of notices and surveys in a real browser, against the stand-in server and its real books."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser import Browser, Page
from tests.webmap.conftest import Console

pytestmark = pytest.mark.browser


def asked(console: Console) -> list[dict[str, Any]]:
    """What was sent."""
    found: list[dict[str, Any]] = console.switch("mend")["notices"]
    return found


def rows(page: Page, panel: str, state: str = "") -> list[str]:
    """Whom or what the list names, of all or of those of a state."""
    of = f"[data-state={state}]" if state else ""
    found: list[str] = page.run(
        f"[...document.querySelectorAll('#{panel} .roll-list li{of} button')]"
        ".map(row => row.dataset.unit ?? row.dataset.task)"
    )
    return found


def choose(page: Page, select: str, value: str) -> None:
    page.run(
        f"(one => {{ one.value = {json.dumps(value)}; for (const kind of ['input', 'change'])"
        f" one.dispatchEvent(new Event(kind, {{bubbles: true}})); }})(document.getElementById('{select}'))"
    )


def test_a_notice_goes_to_a_street_and_one_sees_who_reads_it(browser: Browser, console: Console) -> None:
    page = console.enter(browser.page())
    page.wait("!document.getElementById('notices-button').hidden")
    street = page.run("[...document.getElementById('street').options][1].value")
    page.key("z")
    page.wait("document.activeElement?.id === 'notice-text'")
    page.type("Strong wind today")
    choose(page, "notice-street", street)
    page.click("#notice-send")
    page.wait("document.querySelector('#notices .roll-list') !== null")
    assert asked(console) == [{"text": "Strong wind today", "street": street}]
    units = rows(page, "notices", "asked")
    assert units == page.run(f"[{','.join(map(json.dumps, units))}].filter(id => gridbeat.units.all.get(id).street"
                             f" === {json.dumps(street)})")  # fmt: skip
    # What comes in is seen without asking: who lacks it stands first, who has read it last.
    console.switch("notices", shown=units[:2], read=units[:1])
    page.wait("document.querySelector('#notices [data-state=confirmed]') !== null")
    assert rows(page, "notices", "confirmed") == units[:1]
    assert rows(page, "notices")[-2:] == [units[1], units[0]]
    assert f"1 of {len(units)}" in page.run("document.querySelector('#notices .roll-numbers').textContent")
    page.key("l")
    page.wait("document.querySelector('#notices .roll-numbers').textContent.includes('已读')")
    page.key("Escape")
    page.wait("document.getElementById('notices').hidden")
    assert page.problems == []


def test_a_survey_of_chosen_grids_and_how_it_comes_along(browser: Browser, console: Console) -> None:
    page = console.enter(browser.page())
    page.wait("gridbeat.grids.all.size > 25 && !document.getElementById('surveys-button').hidden")
    street = page.run("gridbeat.grids.grids[0].properties.street")
    grids = page.run(
        f"gridbeat.grids.grids.filter(one => one.properties.street === {json.dumps(street)}).map(x => x.id)"
    )
    page.key("x")
    page.wait("document.activeElement?.id === 'survey-text'")
    page.type("Count the lamps")
    choose(page, "survey-street", street)
    page.wait(f"document.querySelectorAll('.pane-grids input:checked').length === {len(grids)}")
    # A click on the map takes the grid there away again.
    page.wait("!gridbeat.map._animatingZoom")
    first = json.dumps(grids[0])
    middle = page.run(
        f"(box => {{ const at = gridbeat.map.latLngToContainerPoint(gridbeat.map.unproject("
        "[128 * (box[0] + box[2]), 128 * (box[1] + box[3])], 0));"
        " const map = gridbeat.map.getContainer().getBoundingClientRect();"
        f" return [map.left + at.x, map.top + at.y]; }})(gridbeat.grids.all.get({first}).box)"
    )
    page.click_at(*middle)
    page.wait(f"document.querySelectorAll('.pane-grids input:checked').length === {len(grids) - 1}")
    page.click("#survey-send")
    page.wait("document.querySelector('#surveys .roll-list') !== null")
    assert asked(console) == [{"grids": grids[1:], "text": "Count the lamps"}]
    assert len(rows(page, "surveys", "asked")) == len(grids) - 1
    console.switch("notices", done=grids[1:2])
    page.wait("document.querySelector('#surveys [data-state=confirmed]') !== null")
    (done,) = rows(page, "surveys", "confirmed")
    assert done.endswith(f":{grids[1]}")
    # It is found again, and its tasks are those of the desk.
    page.click("#surveys .roll-feet button")
    page.click("#surveys .roll-past")
    page.wait("document.querySelector('#surveys [data-state=confirmed]') !== null")
    page.run("document.querySelector('#surveys [data-state=confirmed] button').click()")
    page.wait(f"gridbeat.seat.desk.selected === {json.dumps(done)}")
    assert page.problems == []
