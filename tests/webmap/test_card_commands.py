"""Commands and warnings on the card of a unit, in a real browser against the stand-in server."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.browser import Browser, Page
from tests.webmap.conftest import Console

pytestmark = pytest.mark.browser

VEHICLE, COLLECTOR, PHONE = "u0025", "u0000", "u0001"

Open = Callable[..., Page]


@pytest.fixture
def card(browser: Browser, console: Console) -> Open:
    """Opens the console with the card of a unit."""

    def open_card(unit: str = VEHICLE, width: int = 1366, height: int = 768, language: str = "en") -> Page:
        page = console.enter(browser.page(width, height, phone=width < 720), language)
        page.run(f"gridbeat.view.select('{unit}')")
        page.wait("!document.getElementById('card').hidden")
        return page

    return open_card


def tap(page: Page, selector: str) -> None:
    """Clicks what may lie below the edge of the card."""
    there = f"document.querySelector({json.dumps(selector)})"
    page.wait(f"{there} !== null && !{there}.disabled")
    page.run(f"{there}.scrollIntoView({{block: 'center'}})")
    page.click(selector)


def write(page: Page, words: str, field: str = ".pane textarea") -> None:
    page.run(
        f"(f => {{ f.value = {json.dumps(words)}; f.dispatchEvent(new Event('input')); }})"
        f"(document.querySelector({json.dumps(field)}))"
    )


def order(page: Page, kind: str, state: str) -> None:
    page.wait(f"document.querySelector('.order[data-kind={kind}][data-state={state}]') !== null")


def commands(console: Console) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = console.switch("mend")["commands"]
    return sent


def device_of(console: Console, unit: str) -> str:
    found: str = next(one["id"] for one in console.switch("mend")["devices"] if one["unit"] == unit)
    return found


def buttons(page: Page) -> list[str]:
    found: list[str] = page.run(
        "[...document.querySelectorAll('.card-commands [data-action]')].map(node => node.dataset.action)"
    )
    return found


def test_a_unit_has_the_buttons_that_its_device_can_do(card: Open) -> None:
    page = card()
    page.wait("document.querySelectorAll('.card-commands [data-action]').length === 6")
    assert buttons(page) == ["locate", "text", "photo", "often", "parameters", "areas"]
    # calm: what is not needed every day lies behind one word
    assert page.run("document.querySelector('.card-more').open") is False
    page.run(f"gridbeat.view.select('{COLLECTOR}')")
    page.wait("document.querySelectorAll('.card-commands [data-action]').length === 1")
    assert buttons(page) == ["locate"]
    assert page.run("document.querySelector('.card-more') === null")
    page.run(f"gridbeat.view.select('{PHONE}')")
    page.wait("document.querySelector('.card-commands').hidden")
    page.close()


def test_a_message_is_counted_in_the_terminal_s_bytes_and_sent(card: Open, console: Console) -> None:
    page = card()
    tap(page, "[data-action=text]")
    page.wait("document.activeElement.matches('.pane textarea')")
    assert page.run("document.querySelector('.pane .strong').disabled")
    page.type("请到 A1")  # two bytes for each Chinese character, one for the rest
    page.wait("document.querySelector('.pane-count').textContent === '7 / 1024 bytes'")
    write(page, "字" * 513)
    page.wait("document.querySelector('.pane-count').classList.contains('is-over')")
    assert page.run("document.querySelector('.pane .strong').disabled")
    write(page, "  请回话  ")
    tap(page, ".pane-tick input")
    tap(page, ".pane .strong")
    page.wait("document.querySelector('.pane').hidden && document.activeElement.dataset.action === 'text'")
    order(page, "text", "done")
    [sent] = commands(console)
    assert sent["arguments"] == {"text": "请回话", "urgent": True, "speak": True}
    assert sent["device"] == device_of(console, VEHICLE)
    assert "请回话" in page.run("document.querySelector('.order').textContent")
    page.close()


def test_what_is_being_written_stays_while_the_card_lives(card: Open) -> None:
    page = card()
    tap(page, "[data-action=text]")
    write(page, "half a sen")
    seen = page.run("gridbeat.feed.seq")
    page.wait(f"gridbeat.feed.seq > {seen} + 1")
    page.run(f"gridbeat.view.select('{VEHICLE}', {{again: true}})")  # its row was clicked once more
    page.run("document.querySelector('.pane textarea').focus()")
    page.key("f")  # a letter in a field is no command
    assert page.run("document.querySelector('.pane textarea').value").startswith("half a sen")
    page.key("Escape")  # the form, then the card
    page.wait("document.querySelector('.pane').hidden && !document.getElementById('card').hidden")
    page.key("Escape")
    page.wait("document.getElementById('card').hidden")
    page.close()


def test_what_waits_for_its_device_says_so_and_is_called_back(card: Open, console: Console) -> None:
    console.switch("device", id=device_of(console, VEHICLE), connected=False)
    page = card()
    tap(page, "[data-action=text]")
    write(page, "later")
    tap(page, ".pane .strong")
    order(page, "text", "queued")
    page.wait(
        "/Waits for the device; expires \\d\\d-\\d\\d \\d\\d:\\d\\d/.test(document.querySelector('.order').textContent)"
    )
    tap(page, ".order .tool")
    order(page, "text", "cancelled")
    assert commands(console)[0]["state"] == "cancelled"
    assert page.run("document.querySelector('.order .tool') === null")
    page.close()


def test_photos_come_one_by_one_and_open_large(card: Open, console: Console) -> None:
    page = card()
    tap(page, ".card-more summary")
    tap(page, "[data-action=photo]")
    page.run("document.querySelectorAll('.pane select')[0].value = '2'")
    page.run("document.querySelectorAll('.pane select')[1].value = '3'")
    tap(page, ".pane .strong")
    page.wait("document.querySelectorAll('.order-photo').length > 0")
    order(page, "photo", "done")
    assert commands(console)[0]["arguments"] == {"channel": 2, "count": 3}
    page.wait("[...document.querySelectorAll('.order-photo img')].filter(one => one.naturalWidth > 0).length === 3")
    tap(page, ".order-photo:nth-child(2)")
    page.wait("document.querySelector('dialog.picture[open] img')?.naturalWidth > 0")
    assert page.run("document.querySelector('dialog.picture img').src.endsWith('/photo/2')")
    page.key("Escape")
    page.wait("document.querySelector('dialog.picture') === null && !document.getElementById('card').hidden")
    page.close()


def test_settings_are_read_as_a_table_and_some_are_written(card: Open, console: Console) -> None:
    page = card()
    tap(page, ".card-more summary")
    tap(page, "[data-action=parameters]")
    tap(page, ".pane .strong")
    page.wait("document.querySelector('.pane-error').textContent === 'Fill in at least one'")
    tap(page, ".pane .button:not(.strong)")
    order(page, "query_parameters", "done")
    tap(page, ".order-table summary")
    table = page.run("[...document.querySelectorAll('.order-table tr')].map(row => row.innerText)")
    assert "Heartbeat (s)\t60" in table
    assert "main_server\t10.1.2.3" in table
    write(page, "30", "[data-parameter=report_s]")
    write(page, "60", "[data-parameter=speed_limit_kmh]")
    tap(page, ".pane .strong")
    order(page, "parameters", "done")
    assert commands(console)[-1]["arguments"] == {"values": {"report_s": 30, "speed_limit_kmh": 60}}
    page.close()


def test_reports_often_for_a_while_and_stops(card: Open, console: Console) -> None:
    page = card()
    tap(page, ".card-more summary")
    for button, wanted in (
        (".strong", {"interval": 10, "duration": 900}),
        (":not(.strong)", {"interval": 0, "duration": 0}),
    ):
        tap(page, "[data-action=often]")
        tap(page, f".pane .button{button}")
        page.wait("document.querySelector('.pane').hidden")
        assert commands(console)[-1]["arguments"] == wanted
    page.close()


def test_the_own_grid_is_sent_as_an_area_and_taken_away(card: Open, console: Console) -> None:
    device = device_of(console, COLLECTOR)
    console.switch("device", id=device, commands=["areas_set", "areas_delete"])
    page = card(COLLECTOR)
    tap(page, ".card-more summary")
    tap(page, "[data-action=areas]")
    tap(page, ".pane .strong")
    order(page, "areas_set", "done")
    [area] = commands(console)[0]["arguments"]["areas"]
    assert (area["id"], area["alarm_on_exit"]) == (1, True)
    grid = page.run(
        "fetch('/api/v1/grids').then(answer => answer.json()).then(all => all.features.find("
        f"one => (one.id ?? one.properties.id) === gridbeat.units.all.get('{COLLECTOR}').grid).geometry)"
    )
    ring = grid["coordinates"][0] if grid["type"] == "Polygon" else grid["coordinates"][0][0]
    assert [[round(lon, 5), round(lat, 5)] for lon, lat in ring[:-1]] == [
        [round(point["lon"], 5), round(point["lat"], 5)] for point in area["points"]
    ]
    tap(page, "[data-action=areas]")
    tap(page, ".pane .button:not(.strong)")
    order(page, "areas_delete", "done")
    assert commands(console)[-1]["arguments"] == {"shape": "polygon", "ids": []}
    page.close()


def test_a_refusal_is_shown_in_the_server_s_words(card: Open, console: Console) -> None:
    page = card(language="zh")
    page.wait("document.querySelectorAll('.card-commands [data-action]').length === 6")
    console.switch("device", id=device_of(console, VEHICLE), commands=[])
    tap(page, "[data-action=locate]")
    page.wait("document.querySelector('.pane-error').textContent === '该设备不支持此指令'")
    page.close()


def test_coordinates_that_look_shifted_are_mended_and_unmended(card: Open, console: Console) -> None:
    device = device_of(console, VEHICLE)
    words = {"text": "they look like GCJ-02", "zh": "像是 GCJ-02"}
    warning = {"code": "coordinates", "device": device, "coordinates": "gcj02", **words}
    console.switch("warn", unit=VEHICLE, warnings=[warning])
    page = card()

    def system() -> str:
        found: str = next(one["coordinates"] for one in console.switch("mend")["devices"] if one["id"] == device)
        return found

    page.wait("document.querySelector('.warning[data-code=coordinates]')?.textContent.includes('look like GCJ-02')")
    tap(page, ".warning button")
    page.wait("document.querySelector('.warning.is-done')?.textContent.includes('read as GCJ-02')")
    assert system() == "gcj02"
    tap(page, ".warning button")
    page.wait("document.querySelector('.warning[data-code=coordinates]') !== null")
    assert system() == "wgs84"
    # another unit has no such line
    page.run(f"gridbeat.view.select('{COLLECTOR}')")
    page.wait("document.querySelector('.warnings').hidden")
    page.close()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_sheet_of_a_phone_holds_it_all(card: Open, language: str) -> None:
    page = card(width=390, height=844, language=language)
    tap(page, ".card-more summary")
    for pane in ("text", "photo", "often", "parameters", "areas"):
        tap(page, f"[data-action={pane}]")
        page.wait(f"document.querySelector('.pane').dataset.pane === '{pane}'")
        assert page.run("document.documentElement.scrollWidth <= innerWidth"), pane
        assert page.run("(c => c.scrollWidth <= c.clientWidth)(document.getElementById('card'))"), pane
        sizes = page.run("[...document.querySelectorAll('.pane .button')].map(one => one.offsetHeight)")
        assert min(sizes) >= 40, pane  # a thumb's width
    assert page.problems == []
    page.close()
