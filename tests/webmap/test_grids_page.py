"""The pages of grids and of seats, in a real browser against the stand-in server and the real judge."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from simulator.city import make_city
from tests.browser import Browser, Page
from tests.webmap.conftest import Console

pytestmark = pytest.mark.browser

CITY = make_city()
Open = Callable[..., Page]


@pytest.fixture
def grids(browser: Browser, console: Console) -> Open:
    def open_page(width: int = 1366, height: int = 768, language: str = "en") -> Page:
        page = console.enter(browser.page(width, height, phone=width < 720), language)
        page.goto(f"{console.base}/grids")
        page.wait("document.querySelectorAll('#list .row').length === 25")
        return page

    return open_page


def bring(page: Page, document: Any, name: str = "grids.geojson") -> None:
    """A file is dropped on the page."""
    body = document if isinstance(document, str) else json.dumps(document, ensure_ascii=False)
    page.run(
        "(() => { const data = new DataTransfer();"
        f" data.items.add(new File([{json.dumps(body)}], {json.dumps(name)}));"
        " document.dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true})); })()"
    )


def broken() -> dict[str, Any]:
    """The town's grids with one that crosses itself, one without an id, one twice, one moved over its neighbour."""
    features = json.loads(json.dumps(CITY.grids["features"]))
    ring = features[0]["geometry"]["coordinates"][0]
    ring[10], ring[20] = ring[20], ring[10]
    del features[1]["id"]
    features[1]["properties"].pop("id", None)
    features[3] = features[2]
    features[7]["geometry"] = features[6]["geometry"]
    return {"type": "FeatureCollection", "features": features}


def far_off() -> dict[str, Any]:
    """The town's grids with one whose degrees are in the wrong order."""
    features = json.loads(json.dumps(CITY.grids["features"]))
    shape = features[0]["geometry"]
    shape["coordinates"] = [[[lat, lon] for lon, lat in ring] for ring in shape["coordinates"]]
    return {"type": "FeatureCollection", "features": features}


def text(page: Page, selector: str) -> str:
    found: str = page.run(f"document.querySelector({selector!r}).textContent")
    return found


def test_a_shape_at_the_other_end_of_the_world_does_not_take_the_map_there(grids: Open) -> None:
    page = grids()
    page.key("0")
    page.wait("gridbeat.map.getZoom() > 10")
    bring(page, far_off())
    page.wait("!document.getElementById('draft').hidden")
    assert "degrees" in text(page, "#findings .row")
    assert page.run("gridbeat.map.getZoom()") > 10
    page.close()


def test_what_is_wrong_is_told_in_the_list_and_on_the_map_and_nothing_is_written(grids: Open, console: Console) -> None:
    page = grids()
    bring(page, broken())
    page.wait("!document.getElementById('draft').hidden")
    assert text(page, "#verdict") == "3 problems: mend them before it can be put in"
    told = page.run("[...document.querySelectorAll('#findings .row')].map(row => row.textContent)")
    assert "its outline is not valid" in told[0]
    assert "id" in told[1]
    assert "is used twice" in told[2]
    assert any("overlaps" in one for one in told)
    assert page.run("document.getElementById('write').disabled")
    assert page.run("gridbeat.layer.marks.length") >= 4
    # By keyboard: to the next finding, which the map then shows.
    page.key("j")
    page.wait("gridbeat.layer.chosen !== null && document.activeElement.matches('[aria-current]')")
    # And by its mark on the map.
    page.key("0")
    mark = "gridbeat.layer.marks[0]"
    page.wait(
        f"gridbeat.map.getBounds().contains(gridbeat.map.unproject(L.point({mark}.x, {mark}.y).multiplyBy(256), 0))"
    )
    page.key("Escape")
    page.wait("document.getElementById('draft').hidden")
    assert console.switch("mend")["areas"] == 25 + 2500
    assert page.problems == []


def test_a_good_file_is_shown_written_and_taken_back(grids: Open, console: Console) -> None:
    page = grids(language="zh")
    features = json.loads(json.dumps(CITY.grids["features"]))
    features[0]["properties"]["name"] = "改名网格"
    features[1]["id"] = features[1]["properties"]["id"] = "349921999999"
    bring(page, {"type": "FeatureCollection", "features": features})
    page.wait("!document.getElementById('draft').hidden")
    sums = page.run(
        "[...document.querySelectorAll('#sums li')].map(row => row.dataset.kind + row.lastChild.textContent)"
    )
    assert sums == ["new1", "changed1", "same23", "missing1"]
    assert page.run("document.querySelector('.difference').textContent").endswith("变更：名称")
    page.run("document.getElementById('missing').click()")
    page.click("#write")
    page.wait("document.getElementById('draft').hidden && !document.getElementById('last').hidden")
    assert "改名网格" in text(page, "#list")
    assert console.switch("mend")["areas"] == 25 + 2500
    page.click("#undo")
    page.wait("document.getElementById('last').hidden")
    assert "改名网格" not in text(page, "#list")
    assert page.problems == []


def test_a_grid_is_found_amended_and_removed(grids: Open, console: Console) -> None:
    page = grids(390, 844, "zh")
    page.run("document.querySelector('#list .row').click()")
    page.wait("!document.getElementById('editor').hidden")
    page.run("document.getElementById('edit-owner').focus()")
    page.type("王<b>小</b>明")
    page.run("document.getElementById('editor').requestSubmit()")
    page.wait("document.getElementById('list').textContent.includes('王<b>小</b>明')")
    page.run("document.querySelector('#list .row').click()")
    page.click("#remove")
    page.wait("document.getElementById('ask').open")
    assert "100" in text(page, "#ask-text"), "it says how many cells go with it"
    page.key("Escape")
    page.wait("!document.getElementById('ask').open")
    page.run("document.getElementById('remove').click()")
    page.click("#ask-yes")
    page.wait("document.querySelectorAll('#list .row').length === 24")
    assert console.switch("mend")["areas"] == 24 + 2400
    bring(page, "no json", "x.geojson")
    page.wait("!document.getElementById('trouble').hidden")
    assert page.problems == []


def test_seats_are_listed_added_and_removed(browser: Browser, console: Console) -> None:
    console.switch("calls", absent=["城东街道"])
    page = console.enter(browser.page())
    page.goto(f"{console.base}/seats")
    page.wait("document.querySelectorAll('.seat').length === 4")
    assert page.run("document.querySelector('.seat').dataset.state") == "absent"
    assert text(page, "#sum") == "Seats: 4, absent: 1"
    page.wait("!document.getElementById('add').hidden")
    page.key("n")
    page.wait("document.getElementById('sheet').open")
    page.type("Night desk")
    page.run("document.getElementById('form').requestSubmit()")
    page.wait("!document.getElementById('error').hidden")
    assert "street or accounts" in text(page, "#error")
    page.run("document.getElementById('accounts').value = 'night, deputy'")
    page.run("document.getElementById('form').requestSubmit()")
    page.wait("document.querySelectorAll('.seat').length === 5")
    page.run("[...document.querySelectorAll('.card')].find(card => card.textContent.includes('Night desk')).click()")
    page.wait("document.getElementById('sheet').open")
    assert page.run("document.getElementById('accounts').value") == "night, deputy"
    page.click("#remove")
    page.click("#remove")
    page.wait("document.querySelectorAll('.seat').length === 4")
    assert all("422" in problem for problem in page.problems), page.problems
