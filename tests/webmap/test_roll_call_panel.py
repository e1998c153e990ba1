"""The panel of roll calls and the badge of empty seats, in a real browser against the stand-in server."""

from __future__ import annotations

import pytest

from tests.browser import Browser, Page
from tests.webmap.conftest import Console

pytestmark = pytest.mark.browser

ROLL = "document.getElementById('roll')"


def begin(page: Page) -> None:
    """By keyboard alone: R and Enter."""
    page.wait("!document.getElementById('roll-button').hidden")
    page.key("r")
    page.wait("document.activeElement?.id === 'roll-start'")
    page.key("Enter")
    page.wait(f"{ROLL}.querySelector('.roll-list') !== null")


def rows(page: Page) -> list[str]:
    found: list[str] = page.run(f"[...{ROLL}.querySelectorAll('.roll-list li')].map(row => row.dataset.state)")
    return found


def test_those_listed_are_called_and_the_silent_stand_on_top(browser: Browser, console: Console) -> None:
    page = console.enter(browser.page())
    street = page.run("[...document.getElementById('street').options][1].value")
    page.run(f"gridbeat.view.filter({{street: {street!r}}})")
    begin(page)
    assert console.switch("mend")["calls"] == [{"street": street, "seconds": 120}]
    assert set(rows(page)) <= {"asked", "offline", "no_device", "position", "confirmed"}
    page.wait(f"{ROLL}.querySelector('[data-state=confirmed]') !== null")
    console.switch("calls", over=True)
    page.wait(f"{ROLL}.dataset.over === 'true'")
    states = rows(page)
    silent = states.count("silent")
    assert silent
    assert states[:silent] == ["silent"] * silent
    assert str(silent) in page.run("document.getElementById('speak').textContent")
    # A row shows its unit on the map; the silent are asked once more.
    page.run(f"{ROLL}.querySelector('.roll-row').click()")
    page.wait("gridbeat.view.selected !== null")
    page.click("#roll-again")
    page.wait(f"{ROLL}.dataset.over === 'false'")
    assert len(console.switch("mend")["calls"][1]["units"]) == silent
    assert page.run("fetch(document.getElementById('roll-table').href).then(answer => answer.status)") == 200
    page.key("Escape")
    page.wait(f"{ROLL}.hidden")
    assert page.problems == []


def test_seats_that_nobody_is_at_are_named_at_the_head(browser: Browser, console: Console) -> None:
    console.switch("calls", absent=["城东街道", "城北街道"])
    page = console.enter(browser.page(), "zh")
    page.wait("!document.getElementById('absent').hidden")
    assert page.run("document.getElementById('absent').textContent") == "缺岗2"
    title = page.run("document.getElementById('absent').title")
    assert title == "无人值守：城东街道、城北街道"
    assert page.run("getComputedStyle(document.getElementById('absent')).display") != "none"
    assert page.problems == []


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (390, 844)])
def test_a_long_notice_covers_neither_card_nor_buttons(
    browser: Browser, console: Console, width: int, height: int
) -> None:
    page = console.enter(browser.page(width, height, phone=width < 720), "zh")
    page.run("gridbeat.view.select([...gridbeat.units.all.keys()][0])")
    page.wait("!document.getElementById('card').hidden")
    covered = page.run(
        "(() => { const notice = document.getElementById('notice'); notice.hidden = false;"
        " notice.textContent = '北岭街道综合行政执法服务站、'.repeat(7);"
        " const over = notice.getBoundingClientRect();"
        " return ['card', 'controls'].filter((id) => { const one = document.getElementById(id).getBoundingClientRect();"
        "  return one.width && one.left < over.right && one.right > over.left && one.top < over.bottom"
        "   && one.bottom > over.top; }).concat(over.left < 0 || over.right > innerWidth ? ['edge'] : []); })()"
    )
    assert covered == []
