"""What the live map costs a browser without a GPU, and peers beside it, in turns.

    python -m bench.map [--rounds 3] [--seconds 10] [--realtime leaflet-realtime.js] [--profile NAME] [case ...]

A real Chromium at 1366 x 768, headless, drawing without a GPU, opens the whole page of bench/crowd.py. CPU is that of
the page's main thread as the kernel counts it (``schedstat``): feed, list, counts, drawing, layout, everything, for
each second, in which every unit has a new fix once: that is an update. Frames are those of ``requestAnimationFrame``
while a real pointer (DevTools) drags the map round and round and the units go on moving.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median

from tests.browser import Browser, Page

PROJECT = Path(__file__).resolve().parents[1]
WIDTH, HEIGHT = 1366, 768
ROUND_S, RADIUS = 2.0, 170
"""The pointer goes round once in so many seconds, so many pixels around the middle of the map."""
SETTLE_S = 4.0
ON_TIME_MS = 17.0
SHOWN = {
    "gridbeat": "window.gridbeat && gridbeat.grids.all.size > 25 && gridbeat.units.all.size",
    "markers": "window.bench && bench.shown()",
}
RECORD = (
    "void (window.ticks = [], window.recording = true, function tick(at) {"
    " if (!recording) return; ticks.push(at); requestAnimationFrame(tick); }(performance.now()))"
)


@dataclass(frozen=True, slots=True)
class Case:
    """A page with a number of units. ``zoom``: another than that in which all are in sight."""

    units: int
    pace: str = "burst"
    page: str = "gridbeat"
    zoom: float | None = None
    limit: float | None = None
    """Milliseconds an update, where somebody has said what is wanted."""


CASES = {
    "5000": Case(5000, limit=25.0),
    "5000-spread": Case(5000, "spread"),
    "5000-street": Case(5000, "spread", zoom=16),
    "10000": Case(10_000, limit=40.0),
    "10000-spread": Case(10_000, "spread"),
    "circles": Case(5000, page="circles"),
    "markers": Case(5000, page="markers"),
    "realtime": Case(5000, page="realtime"),
}


@dataclass(frozen=True, slots=True)
class Found:
    """``main``, ``whole``: ms of CPU an update of the page's main thread and of the whole browser; ``dragged`` the
    first while dragging; ``frames`` a second, and the share of them that came in time."""

    main: float
    whole: float
    dragged: float
    frames: float
    on_time: float
    worst: float


class Served:
    """The crowd's server as a process of its own."""

    def __init__(self, case: Case, realtime: str) -> None:
        words = [sys.executable, "-m", "bench.crowd", str(case.units), case.pace, *([realtime] if realtime else [])]
        self._process = subprocess.Popen(words, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.base = f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    def close(self) -> None:
        self._process.communicate(timeout=20)


def renderer_of(browser: Browser, page: Page) -> int:
    """The page's process, which is the busiest while the page has to count; its main thread has the process's id."""
    spent = []
    for work in ("", "(end => { while (performance.now() < end); })(performance.now() + 300)"):
        page.run(work or "0")
        processes = browser.send("SystemInfo.getProcessInfo")["processInfo"]
        spent.append({p["id"]: p["cpuTime"] for p in processes if p["type"] == "renderer"})
    return int(max(spent[1], key=lambda one: spent[1][one] - spent[0].get(one, 0)))


def cpu_ms(browser: Browser, renderer: int) -> tuple[float, float]:
    """What the page's main thread and all processes of the browser have used so far."""
    spent = int(Path(f"/proc/{renderer}/task/{renderer}/schedstat").read_text().split()[0]) / 1e6
    processes = browser.send("SystemInfo.getProcessInfo")["processInfo"]
    return spent, 1000 * sum(process["cpuTime"] for process in processes)


def drag(page: Page, seconds: float) -> None:
    """Sixty movements a second on a circle, with the button held."""
    box = page.run(
        "(b => [b.x, b.y, b.width, b.height])(document.querySelector('.leaflet-container').getBoundingClientRect())"
    )
    x, y = box[0] + box[2] / 2, box[1] + box[3] / 2
    page.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    page.send("Input.dispatchMouseEvent", type="mousePressed", x=x, y=y, button="left", clickCount=1)
    began = time.monotonic()
    while (spent := time.monotonic() - began) < seconds:
        angle = 2 * math.pi * spent / ROUND_S
        at = {"x": x + RADIUS * math.sin(angle), "y": y + RADIUS * (1 - math.cos(angle)) - RADIUS / 2}
        page.send("Input.dispatchMouseEvent", type="mouseMoved", **at, button="left", buttons=1)
        time.sleep(max(0.0, 1 / 60 - (time.monotonic() - began - spent)))
    page.send("Input.dispatchMouseEvent", type="mouseReleased", x=x, y=y, button="left", clickCount=1)


def measure(case: Case, seconds: float, realtime: str, profile: str) -> Found:
    served = Served(case, realtime)
    try:
        with Browser() as browser:
            page = browser.page(WIDTH, HEIGHT)
            page.goto(f"{served.base}/{'' if case.page == 'gridbeat' else f'peers/{case.page}'}")
            page.wait(f"({SHOWN.get(case.page, SHOWN['markers'])}) >= {case.units}")
            if case.zoom is not None:
                page.run(f"void gridbeat.map.setZoom({case.zoom}, {{animate: false}})")
            time.sleep(SETTLE_S)
            renderer = renderer_of(browser, page)
            began, (main, whole) = time.monotonic(), cpu_ms(browser, renderer)
            time.sleep(seconds)
            updates, (main_after, whole_after) = time.monotonic() - began, cpu_ms(browser, renderer)
            page.run(RECORD)
            started, dragged = time.monotonic(), cpu_ms(browser, renderer)[0]
            drag(page, seconds)
            dragged = (cpu_ms(browser, renderer)[0] - dragged) / (time.monotonic() - started)
            ticks = page.run("(recording = false, ticks)")
            if profile:  # not while the figures are taken: it has a price
                for name, act in (("rest", time.sleep), ("drag", partial(drag, page))):
                    time.sleep(SETTLE_S)
                    page.send("Profiler.enable")
                    page.send("Profiler.start")
                    act(seconds)
                    Path(f"{profile}.{name}.cpuprofile").write_text(json.dumps(page.send("Profiler.stop")["profile"]))
            if page.problems:
                raise RuntimeError(f"the page complains: {page.problems}")
    finally:
        served.close()
    gaps = [b - a for a, b in pairwise(ticks)][1:]
    return Found(
        (main_after - main) / updates,
        (whole_after - whole) / updates,
        dragged,
        1000 * len(gaps) / sum(gaps),
        100 * sum(gap <= ON_TIME_MS for gap in gaps) / len(gaps),
        max(gaps),
    )


def line(name: str, runs: list[Found], ours: float | None) -> str:
    """A row of the table: medians of the runs."""
    case, of = CASES[name], lambda field: median(getattr(run, field) for run in runs)
    wanted = "" if case.limit is None else f"{case.limit:.0f}"
    times = "" if ours is None or case.page == "gridbeat" else f"{of('main') / ours:.1f}"
    return (
        f"{name:<12} | {of('main'):7.1f} | {wanted:>6} | {times:>5} | {of('whole'):8.0f} | {of('dragged'):8.0f} "
        f"| {of('frames'):8.1f} | {of('on_time'):8.1f} % | {of('worst'):5.0f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--realtime", default="", metavar="FILE", help="the script of folium's plugin Realtime")
    parser.add_argument("--profile", default="", metavar="NAME", help="write NAME.rest.cpuprofile and .drag.")
    parser.add_argument("cases", nargs="*", metavar="|".join(CASES))
    given = parser.parse_args()
    names = given.cases or [name for name in CASES if name != "realtime" or given.realtime]
    found: dict[str, list[Found]] = {name: [] for name in names}
    realtime = str(Path(given.realtime).resolve()) if given.realtime else ""
    for number in range(given.rounds):
        for name in names:
            run = measure(CASES[name], given.seconds, realtime, given.profile)
            found[name].append(run)
            print(f"{number + 1} {name}: {run}, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    ours = median(run.main for run in found["5000"]) if found.get("5000") else None
    print("case         | main ms | wanted |     x | all ms   | dragging | frames/s | in time    | worst ms")
    print("-------------|---------|--------|-------|----------|----------|----------|------------|---------")
    for name, runs in found.items():
        print(line(name, runs, ours))


if __name__ == "__main__":
    main()
