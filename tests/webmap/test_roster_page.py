"""The page of people and devices in a real browser, against the stand-in server; the table of people, a real one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from tests.browser import Browser, Page
from tests.server import Server
from tests.webmap.conftest import Console

READY = "document.querySelectorAll('.row').length > 20 && !document.getElementById('add').hidden"
OPEN = "!document.getElementById('one').hidden"
STATE = "document.querySelector('.state')?.dataset.state"

Open = Callable[..., Page]


@pytest.fixture
def roster(browser: Browser, console: Console) -> Open:
    """Opens the page, logged in."""

    def open_page(width: int = 1366, height: int = 768, language: str = "en", scheme: str = "light") -> Page:
        page = browser.page(width, height, phone=width < 720, prefers_color_scheme=scheme)
        page = console.enter(page, language)
        page.goto(f"{console.base}/roster")
        page.wait(READY)
        return page

    return open_page


def words(selector: str) -> str:
    return f"(document.querySelector({json.dumps(selector)})?.textContent ?? '')"


def tap(page: Page, selector: str) -> None:
    page.run(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block: 'center'}})")
    page.click(selector)


@pytest.mark.browser
@pytest.mark.parametrize(
    ("width", "height", "language", "scheme"), [(1366, 768, "zh", "light"), (390, 844, "en", "dark")]
)
def test_fits_and_gives_a_phone(
    roster: Open, console: Console, width: int, height: int, language: str, scheme: str
) -> None:
    page = roster(width, height, language, scheme)
    wide = "document.documentElement.scrollWidth <= innerWidth"
    assert page.run(wide)
    assert page.run("document.getElementById('pick').offsetParent !== null") is (width > 860), "what to do here"
    tap(page, ".row")
    page.wait(OPEN)
    before = page.run("document.querySelectorAll('.device').length")
    tap(page, ".one .button.strong:not([type=submit])")
    page.wait("document.querySelector('#sheet .acts .strong') !== null")
    page.click("#sheet .acts .strong")
    page.wait("document.querySelector('.qr svg') !== null")
    assert page.run(words(".digits")) == "482 913"
    ends, done = ("关闭（绑定码作废）", "完成") if language == "zh" else ("Close: the code ends", "Done")
    assert page.run(words("#sheet .acts button")) == ends, "closing takes the code back"
    assert page.run(wide)
    assert page.run("document.querySelector('#sheet').scrollWidth <= document.querySelector('#sheet').clientWidth")
    console.switch("guessed", offer="o1", wrong=20)
    page.wait("document.querySelector('.digits.dead') !== null")
    console.switch("joined", offer="o1")
    page.wait(f"{STATE} === 'used' && {words('#sheet .acts .strong')} === {json.dumps(done)}")
    page.click("#sheet .acts .strong")
    page.wait(f"document.querySelectorAll('.device').length === {before + 1}")
    page.click("#undo")
    page.wait(f"document.querySelectorAll('.device[data-device]').length >= {before}")
    assert page.problems == []
    page.close()


@pytest.mark.browser
def test_found_amended_and_undone_by_keyboard(roster: Open) -> None:
    page = roster()
    name = page.run(words(".row b"))
    page.key("/")
    page.type(name)
    page.wait(f"document.querySelectorAll('.row').length < 20 && {words('.row b')} === {json.dumps(name)}")
    page.key("Escape")
    page.key("j")
    page.key("Enter")
    page.wait(OPEN)
    page.run(
        "document.querySelectorAll('.fields input')[1].focus(), document.querySelectorAll('.fields input')[1].select()"
    )
    page.type("Outsourced Ltd")
    page.key("Enter")
    page.wait(f"/Outsourced Ltd/.test({words('.row span')})")
    page.click("#undo")
    page.wait(f"!/Outsourced Ltd/.test({words('.row span')})")
    page.close()


@pytest.mark.browser
def test_a_seat_tells_that_somebody_comes_and_goes(roster: Open) -> None:
    page = roster()
    page.click(".row")
    page.wait(OPEN)
    assert page.run("document.querySelector('.duty') === null"), "nothing is told of who is on duty always"
    page.run("document.querySelectorAll('.fields select')[1].value = 'events', 1")
    page.click(".one [type=submit]")
    page.wait(f"/Off duty/.test({words('.duty-now')})")
    page.click(".tell")
    page.wait(f"/On duty · since .* · told by a seat/.test({words('.duty-now')})")
    page.click("#undo")
    page.wait(f"/Off duty/.test({words('.duty-now')})")
    page.close()


@pytest.mark.browser
def test_devices_are_taken_back_shut_out_and_shown_a_token_once(roster: Open) -> None:
    page = roster()
    page.click(".row")
    page.wait("document.querySelector('.back-device') !== null")
    page.click(".renew")
    page.click("#sheet .strong")
    page.wait(f"/new-token-of-/.test({words('.secret')})")
    page.click("#sheet .strong")
    page.click(".revoke")
    page.click("#sheet .strong")
    page.wait("document.querySelector('.device[data-revoked=true]') !== null")
    page.click(".back-device")
    page.wait("document.querySelector('.back-device') === null")
    page.click("#undo")
    page.wait("document.querySelector('.back-device') !== null")
    page.close()


@pytest.mark.browser
def test_one_is_added_and_several_at_once(roster: Open, console: Console) -> None:
    page = roster()
    page.key("n")
    page.wait("document.getElementById('sheet').open")
    page.type("New One")
    page.key("Enter")
    page.wait(f"{OPEN} && {words('#one-name')} === 'New One' && !document.getElementById('sheet').open")
    page.key("i")
    page.wait("document.querySelector('textarea') !== null")
    page.type("team\nA")
    page.click("#sheet .acts .button:nth-of-type(2)")
    page.wait(f"/no column name/.test({words('#sheet .error')})")
    page.run("document.querySelector('textarea').value = 'name,team\\nFirst,A\\nSecond,B'")
    page.click("#sheet .acts .button:nth-of-type(2)")
    page.wait("!document.querySelector('#sheet .acts .strong').disabled")
    page.click("#sheet .acts .strong")
    page.wait("[...document.querySelectorAll('.row b')].some(node => node.textContent === 'Second')")
    console.switch("stranger", id="04771", times=3)
    page.wait("document.querySelector('#stranger-rows button') !== null")
    page.click("#stranger-rows button")
    page.wait("document.querySelectorAll('.device').length === 1")
    page.close()


# The route of tables.


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("roster")) as running:
        yield running


def test_a_table_is_judged_and_then_put_in(server: Server) -> None:
    table = "编号,姓名,类型,队伍\nzhao,赵敏,,一中队\n,京A1,车,外包公司\n"
    judged = server.api("POST", "/api/v1/units/table", {"table": table}).json
    assert judged == {"added": 2, "changed": 0, "unchanged": 0, "notes": [], "notes_zh": []}
    assert server.get("/api/v1/units")["units"] == []
    server.api("POST", "/api/v1/units/table", {"table": table, "put": True})
    assert {(unit["name"], unit["kind"], unit["team"]) for unit in server.get("/api/v1/units")["units"]} == {
        ("赵敏", "person", "一中队"), ("京A1", "vehicle", "外包公司")
    }  # fmt: skip
    again = server.api("POST", "/api/v1/units/table", {"table": table.replace("一", "二"), "put": True}).json
    assert (again["added"], again["changed"], again["unchanged"]) == (0, 1, 1)
    wrong = server.api("POST", "/api/v1/units/table", {"table": "name\n\nx,y\n" + "z" * 101})
    assert (wrong.status, wrong.code) == (422, "bad_table")
    assert "table:3" in wrong.json["error"]["text"]
    assert wrong.json["error"]["zh"] == "表格有误：\n第 3 行：有 2 个单元格，列名只有 1 个；含逗号的单元格请加引号"
    table = "编号,姓名,类型\na b,,船\nzhao,甲,\nzhao,乙,\n"
    wrong = server.api("POST", "/api/v1/units/table", {"table": table}).json["error"]
    assert wrong["zh"].splitlines()[1:] == [
        "第 2 行：没有姓名",
        "第 2 行：类型“船”须为人员（person）或车辆（vehicle）",
        "第 2 行：编号“a b”须为 1 至 64 个字母、数字、- 或 _",
        "第 4 行：编号“zhao”与第 3 行重复",
    ]
    noted = server.api("POST", "/api/v1/units/table", {"table": "name,grid,shoes\n甲,g9,42\n"}).json
    assert noted["notes"][1] == "table:2: there is no grid 'g9' yet; import the grids too"
    assert noted["notes_zh"] == ["第 1 行：不读取列“shoes”", "第 2 行：还没有网格“g9”，请一并导入网格"]
