"""What tests of the collector's page share: the stand-in server as a process, a phone before it, what it is told."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from typing import Any

from tests.browser import Browser, Page
from tests.webmap.conftest import ROOT
from tests.webmap.field_double import DEVICE, NAME, TOKEN

HERE = (30.6602, 117.4902)
ONLINE = "window.gridbeatWork?.link?.status === 'online'"
PHOTO = """(async () => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [2400, 1800];
  const ctx = canvas.getContext("2d");
  ctx.fillStyle = "#468";
  ctx.fillRect(0, 0, 2400, 1800);
  const spots = crypto.getRandomValues(new Uint16Array(3000));
  for (let n = 0; n + 2 < spots.length; n += 3) {
    ctx.fillStyle = `hsl(${spots[n] % 360} 60% 50%)`;
    ctx.fillRect(spots[n + 1] % 2400, spots[n + 2] % 1800, 90, 70);
  }
  const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
  const files = new DataTransfer();
  files.items.add(new File([blob], "photo.png", { type: "image/png" }));
  const input = document.querySelector("#screen-SCREEN .take input");
  input.files = files.files;
  input.dispatchEvent(new Event("change"));
})()"""

WORDS: dict[str, Any] = {
    "t": "words", "version": "1", "photo_limit": 8_000_000,
    "kinds": {"verify": {"zh": "核实", "en": "Verify", "photos": 1, "results": {
        "exist": {"zh": "属实", "en": "Exists", "photos": 1, "text": False},
        "unable": {"zh": "无法核实", "en": "Cannot be told", "photos": 0, "text": True},
    }}},
    "declines": {"busy": {"zh": "手头有任务", "en": "Busy"}, "too_far": {"zh": "距离太远", "en": "Too far away"}},
    "classes": {"0101": {"zh": "暴露垃圾", "en": "Litter"}},
}  # fmt: skip


def now_ms() -> int:
    return int(time.time() * 1000)


def task(id: str = "T-1", attempt: int = 1, **fields: Any) -> dict[str, Any]:
    """A ``task`` as the server tells it: an offer of half an hour unless told otherwise."""
    return {
        "t": "task", "task": id, "attempt": attempt, "what": "offer", "state": "offered", "kind": "verify",
        "klass": "0101", "lat": 306_631_000, "lon": 1_174_945_000, "address": f"128 Qingshi Road, {id}",
        "text": "Building waste on the pavement", "due": now_ms() + 1_800_000, "until": now_ms() + 60_000,
        "reason": "", "photos": [], "more": 0, **fields,
    }  # fmt: skip


class Field:
    """The stand-in server as a process of its own; ``field("verb", ...)`` breaks things and answers what was noted."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.webmap.field_double"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.base = f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    def __call__(self, verb: str = "look", **given: Any) -> dict[str, Any]:
        request = urllib.request.Request(f"{self.base}/double/{verb}", json.dumps(given).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=20) as answer:
            noted: dict[str, Any] = json.load(answer)
        return noted

    def said(self, kind: str = "answer") -> list[dict[str, Any]]:
        """What the phone has said so far and the server has on its disk, in its order."""
        return [message for message in self()["said"] if message["t"] == kind and "lost" not in message]

    def close(self) -> None:
        self._process.communicate(timeout=20)


class Phone:
    """A phone with the page, of a person who is known to the server; on duty unless told otherwise."""

    def __init__(self, browser: Browser, field: Field, *, language: str = "en", duty: bool = True,
                 place: tuple[float, float] | None = HERE, size: tuple[int, int] = (390, 844)) -> None:  # fmt: skip
        self.field = field
        self.page: Page = browser.page(*size, phone=True)
        if place:
            browser.send(
                "Browser.grantPermissions",
                origin=field.base,
                browserContextId=self.page.context,
                permissions=["geolocation"],
            )
        self.page.goto(f"{field.base}/blank/")
        kept = {"gridbeat": {"language": language}, "gridbeat-work": {"device": DEVICE, "token": TOKEN, "name": NAME}}
        for key, value in kept.items():
            self.page.run(f"localStorage.setItem({json.dumps(key)}, {json.dumps(json.dumps(value))})")
        self.open()
        self.page.wait(ONLINE)
        if duty:
            self.tap(".empty .good")
            self.wait("gridbeatWork.duty.on")
            if place:
                self.stand(*place)
                self.wait("gridbeatWork.position.fresh")

    def stand(self, latitude: float, longitude: float) -> None:
        """The phone is there from now on."""
        self.page.send("Emulation.setGeolocationOverride", latitude=latitude, longitude=longitude, accuracy=8)

    def open(self) -> None:
        self.page.goto(f"{self.field.base}/work")

    def wait(self, condition: str) -> Any:
        return self.page.wait(f"!!({condition})")

    def tap(self, selector: str) -> None:
        """Taps what may lie below the edge of the sheet."""
        quoted = json.dumps(selector)
        self.wait(f"document.querySelector({quoted})")
        self.page.run(f"document.querySelector({quoted}).scrollIntoView({{block: 'center'}})")
        self.page.click(selector)

    def go(self, hash: str) -> None:
        self.page.run(f"void (location.hash = '{hash}')")
        self.wait(f"document.body.dataset.screen === '{hash.partition('/')[0]}'")

    def take_photo(self, screen: str) -> None:
        before = self.page.run("document.querySelectorAll('.shot').length")
        self.page.run(PHOTO.replace("SCREEN", screen))
        self.wait(f"document.querySelectorAll('.shot').length > {before}")

    def text(self, selector: str = "body") -> str:
        words: str = self.page.run(f"document.querySelector({json.dumps(selector)}).innerText")
        return words

    def network(self, on: bool) -> None:
        """The browser's own: pages, sockets and uploads alike."""
        self.page.send(
            "Network.emulateNetworkConditions", offline=not on, latency=0, downloadThroughput=-1, uploadThroughput=-1
        )
