"""A morning's work of the stand-in town: tasks in every state, so that every sign of the page can be seen at once."""

from __future__ import annotations

from typing import Any

from dispatch.model import AttemptInput, Result, Task, TaskId, Timer
from tests.webmap.double_tasks import Tasks
from tracker.model import UnitId

MINUTE = 60_000
PLACES = (
    ("鼓楼街 18 号", "0501", "早餐摊占用盲道，行人绕行", 0.0011, 0.0022),
    ("迎宾大道与学宫路路口", "0203", "路面塌陷约半米，已有人放置树枝", 0.0034, -0.0051),
    ("丹桂路 203 号门前", "0101", "井盖松动，车过有响声", -0.0042, 0.0063),
    ("青枫小学东门", "0502", "共享单车堆放，堵住出口", -0.0061, -0.0032),
    ("站前广场公交站", "0301", "广告牌遮挡候车亭", 0.0073, 0.0041),
    ("望江路 77 号", "0401", "积水没过脚踝，地下车库进水", -0.0012, -0.0074),
    ("石梁桥南", "0202", "渣土车撒漏约一百米", 0.0012, -0.0124),
    ("体育公园西侧", "0201", "垃圾箱满溢", -0.0083, 0.0012),
    ("东渡路菜场后门", "0201", "烂菜叶堆积，气味大", 0.0052, 0.0134),
    ("北仓路 9 号", "0103", "路灯不亮三盏", 0.0101, -0.0022),
    ("凤鸣路 41 号", "0302", "工地未洒水，扬尘", 0.0063, -0.0091),
    ("南屏路 5 号", "0402", "供水管道破裂喷水", -0.0102, 0.0071),
)


class _Story:
    """What happens to one task, told in minutes before now."""

    def __init__(self, tasks: Tasks, now: int, number: int, ago: float, **given: Any) -> None:
        self.tasks, self.book, self.now = tasks, tasks.book, now
        address, klass, text, north, east = PLACES[number]
        latitude, longitude = tasks.town.city.centre
        wanted = {"kind": "verify", "klass": klass, "address": address, "text": text, "lat": latitude + north,
                  "lon": longitude + east, **given}  # fmt: skip
        self.id = TaskId(f"2611230{number + 1:02}")
        self.task: Task = tasks.make(self.id, wanted, self.at(ago))

    def at(self, ago: float) -> int:
        return self.now - round(ago * MINUTE)

    def offer(self, ago: float, unit: int, eta: int = 360) -> _Story:
        step = self.book.plan_offer(self.id, UnitId(f"u{unit:04}"), eta, self.at(ago))
        self.task = self.tasks.do(self.id, step, self.at(ago))
        return self

    def told(self, ago: float, *what: str, reason: str = "") -> _Story:
        for each in what:
            held = self.task.attempts[-1]
            step = self.book.plan_told(self.id, held.number, held.unit, AttemptInput(each), self.at(ago), reason=reason)
            self.task = self.tasks.do(self.id, step, self.at(ago))
        return self

    def report(
        self, ago: float, word: str, text: str = "", photos: tuple[str, ...] = ("b" * 64,), **more: Any
    ) -> _Story:
        held = self.task.attempts[-1]
        result = Result(word, held.unit, held.number, self.at(ago), text, self.at(ago), photos=photos, **more)
        step = self.book.plan_report(self.id, f"e{ago}", result, self.at(ago))
        self.task = self.tasks.do(self.id, step, self.at(ago))
        return self

    def timer(self, ago: float, what: str) -> _Story:
        """Whatever of this kind is due has fired."""
        due: list[Timer] = [one for one in self.book.timers.of(self.id) if one.what == what]
        for one in due:
            step = self.book.plan_timer(one, max(one.due, self.at(ago)))
            self.task = self.tasks.do(self.id, step, self.at(ago))
        return self


def morning(tasks: Tasks, now: int) -> None:
    def story(number: int, ago: float, **given: Any) -> _Story:
        return _Story(tasks, now, number, ago, **given)

    story(0, 0.6)
    story(1, 11).offer(10.9, 4, 420).told(10.6, "deliver", "accept").told(9.8, "depart")
    story(2, 21).offer(20.9, 6).told(20.7, "deliver", "accept").told(19.9, "depart").told(13, "arrive")
    story(3, 26).offer(25.9, 7).told(25.7, "deliver").told(24.9, "decline", reason="busy").offer(24.8, 9, 540).told(
        24.6, "deliver", "accept"
    )
    pinned = story(4, 4)
    tasks.do(pinned.id, tasks.book.plan_assign(pinned.id, UnitId("u0010"), "demo", 300, now - 90_000), now - 90_000)
    pinned.told(1.4, "deliver")
    flood = story(5, 19)
    for unit in (11, 12):
        flood.offer(18.9, unit).told(18.8, "deliver").timer(17, "answer")
    for what in ("level", "level", "critical", "overdue"):
        flood.timer(2, what)
    story(6, 18).offer(17.9, 13).told(17.7, "deliver", "accept").told(17, "depart").told(12, "arrive").report(
        9, "exist", "已联系施工单位清扫", ("b" * 64, "c" * 64), required=2, arrived=("b" * 64, "c" * 64),
        marks=("not_on_scene",),
    )  # fmt: skip
    late = story(7, 27).offer(26.9, 15).told(26.7, "deliver", "accept").told(26, "depart").told(20, "arrive")
    late.report(14, "unable", "公园正在维修，进不去", ("d" * 64,), required=2, arrived=("d" * 64,))
    aside = story(8, 50).offer(49.9, 16).told(49.7, "deliver", "accept")
    tasks.do(aside.id, tasks.book.plan_suspend(aside.id, "demo", "等待部门协调", now - 40 * MINUTE), now - 40 * MINUTE)
    done = story(9, 44).offer(43.9, 17).told(43.6, "deliver", "accept").told(43, "depart").told(39, "arrive")
    done.report(33, "exist", "", ("e" * 64,), required=1, arrived=("e" * 64,), closes=True)
    gone = story(10, 38)
    tasks.do(gone.id, tasks.book.plan_cancel(gone.id, "demo", "重复登记", now - 36 * MINUTE), now - 36 * MINUTE)
    # Two reports of one leak, and an answer that came after somebody else had been asked.
    leak = story(11, 9).offer(8.9, 18).told(8.7, "deliver", "accept").told(8, "depart")
    tasks.do(leak.id, tasks.book.plan_recall(leak.id, "demo", "位置不对", now - 6 * MINUTE), now - 6 * MINUTE)
    first = leak.task.attempts[0]
    at, photo = now - 3 * MINUTE, ("f" * 64,)
    answer = Result("exist", first.unit, first.number, at, "已到，正在喷水", at, photos=photo, arrived=photo)
    leak.offer(5, 20).told(4.8, "deliver")
    tasks.do(leak.id, tasks.book.plan_report(leak.id, "late", answer, at), at)
    spot = leak.task.spot
    again = {"kind": "verify", "klass": "0402", "address": "南屏路 7 号", "text": "自来水喷出"}
    where = {"lat": spot.latitude / 1e7 + 2e-4, "lon": spot.longitude / 1e7}
    tasks.make("261123013", {**again, **where}, now - 2 * MINUTE)
