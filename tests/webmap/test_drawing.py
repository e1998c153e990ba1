"""How the map's canvases are painted and how often: pixels laid by hand are those that the canvas would have made."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser import Browser, Page
from tests.webmap.conftest import Console

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    console = Console()
    yield console.enter(browser.page())
    console.close()


def test_stamps_are_what_the_canvas_draws(page: Page) -> None:
    """Signs over and beside one another and over the edges, with and without beaks, against ``drawImage``."""
    worst = page.run(
        "(async () => {"
        " const { Picture, stampOf } = await import('/static/stamps.js');"
        " const { sprites } = gridbeat.unitsLayer, [wide, high] = [180, 120];"
        " const canvas = new OffscreenCanvas(wide, high), ctx = canvas.getContext('2d', { willReadFrequently: true });"
        " const picture = new Picture();"
        " const laid = new OffscreenCanvas(wide, high).getContext('2d', { willReadFrequently: true });"
        " for (let round = 0; round < 2; round += 1) {"  # the second time over what is there from the first
        "  picture.begin(wide, high); ctx.clearRect(0, 0, wide, high);"
        "  for (let n = 0; n < 90; n += 1) {"
        "   const state = n % 5, kind = n % 3 ? 'person' : 'vehicle', dot = n % 4 === 0, alpha = n % 2 ? 1 : 0.7;"
        "   const { image } = sprites.get(state, kind, dot ? 1 + n % 2 : 0, false);"
        "   const [x, y] = [(n * 37) % (wide + 20) - 10, (n * 23) % (high + 20) - 10];"
        "   ctx.globalAlpha = alpha;"
        "   ctx.drawImage(image, Math.round(x - image.width / 2), Math.round(y - image.height / 2));"
        "   picture.lay(stampOf(image, alpha), x, y);"
        "  }"
        "  picture.put(laid);"
        " }"
        " const [a, b] = [ctx, laid].map((one) => one.getImageData(0, 0, wide, high).data);"
        " let worst = 0, ink = 0;"
        " for (let i = 0; i < a.length; i += 4) {"
        "  ink += b[i + 3] > 0; worst = Math.max(worst, Math.abs(a[i + 3] - b[i + 3]));"
        "  for (let j = i; j < i + 3; j += 1)"
        "   worst = Math.max(worst, Math.abs(a[j] * a[i + 3] - b[j] * b[i + 3]) / 255);"
        " }"
        " return { worst, ink }; })()"
    )
    assert worst["ink"] > 3000
    assert worst["worst"] <= 6, "more than rounding"


def test_a_beak_turns_with_the_course(page: Page) -> None:
    """The stamp of an eastern course has its beak in the east; without one it has none."""
    reach = page.run(
        "(() => { const { sprites } = gridbeat.unitsLayer;"
        " const reach = (course) => {"
        "  const s = sprites.stamp(0, 'person', 0, false, course, 1), m = Math.floor(s.height / 2);"
        "  const solid = (x, y) => s.pixels[y * s.width + x] >>> 24 === 255;"
        "  const steps = (dx, dy) => { let n = 0; while (solid(m + n * dx, m + n * dy)) n += 1; return n; };"
        "  return [steps(0, -1), steps(1, 0), steps(0, 1), steps(-1, 0)]; };"
        " return [null, 0, 90, 180, 270, 359].map(reach); })()"
    )
    plain, *turned = reach
    assert max(plain) - min(plain) <= 1
    assert [max(range(4), key=sides.__getitem__) for sides in turned] == [0, 1, 2, 3, 0]
    assert all(max(sides) >= max(plain) + 4 for sides in turned)


def test_the_feed_waits_its_turn_and_a_person_does_not(page: Page) -> None:
    told = page.run(
        "(async () => { const { Pace } = await import('/static/pace.js');"
        " const frame = () => new Promise((done) => requestAnimationFrame(done));"
        " const frames = async (n) => { for (; n > 0; n -= 1) await frame(); };"
        " let runs = 0; const found = [], began = performance.now();"
        " const work = () => { runs += 1; const end = performance.now() + 60; while (performance.now() < end); };"
        " const pace = new Pace(work, () => false);"
        " for (let n = 0; n < 20; n += 1) pace.later();"
        " await frames(4); found.push(runs);"  # any number of wishes are one drawing
        " for (let n = 0; n < 5; n += 1) { pace.later(); await frame(); }"
        " found.push(performance.now() - began < 900 ? runs : 1);"  # too dear to come again within a second
        " const before = runs; pace.soon(); pace.soon(); await frames(3);"
        " found.push(runs - before);"  # whoever asks as a person is not kept waiting
        " pace.later(); while (runs === before + 1) await frame();"  # and what has waited comes at last
        " return found; })()"
    )
    assert told == [1, 1, 1]


def test_an_empty_canvas_is_out_of_the_picture(page: Page) -> None:
    hidden = "gridbeat.map.getPane('gb-halo').firstChild.hidden"
    page.run("gridbeat.view.select(null)")
    page.wait(hidden)
    page.run("gridbeat.view.select('u0001')")
    page.wait(f"!{hidden}")
    page.run("gridbeat.view.select(null)")
    page.wait(hidden)


def test_the_list_is_sorted_by_urgency_and_name(page: Page) -> None:
    """As a comparison of each with each would sort it, after states and names have changed too."""
    found = page.run(
        "(async () => { const { Units } = await import('/static/state.js'), { View } = await import('/static/view.js');"
        " const units = new Units(), view = new View(units), found = [];"
        " const look = () => found.push(view.list().map((unit) => unit.id).join(''));"
        " const names = { a: '张三', b: '李四', c: '王五 10', d: '王五 9' };"
        " const entries = () => Object.entries(names).map(([id, name]) => [id, { name }]);"
        " const roster = () => units.roster(Object.fromEntries(entries()));"
        " roster(); look();"
        " units.frame({ op: 'delta', units: [], states: [['a', 2], ['d', 1], ['c', 0]] }, 0); look();"
        " units.frame({ op: 'delta', units: [['b', 30, 117, 0, 0, 0, 1, 1, 5, 1, 80, null, null, 0]] }, 0); look();"
        " names.c = '阿一'; names.e = '白二'; roster(); look();"
        " view.filter({ query: '王五' }); look();"
        " names.d = '王六'; roster(); look();"
        " return found; })()"
    )
    assert found == ["bdca", "adcb", "badc", "badce", "d", ""]
