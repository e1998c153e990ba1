"""A real Chromium, driven by hand: its DevTools protocol over a pipe, with nothing but the standard library.

Use as a context manager::

    with Browser() as browser:
        page = browser.page(1366, 768)
        page.goto("http://127.0.0.1:8080/")
        page.wait("document.querySelectorAll('.row').length > 20")
        page.key("/")
        page.type("hello")
        page.click("#language")
        page.screenshot(path)
        assert page.problems == []

Everything waits on conditions: :meth:`Page.wait` polls a JavaScript expression until it is true and raises
:class:`BrowserError` with what the page complained about if that never happens. ``Page.problems`` holds console
errors, uncaught exceptions and violations of the security policy, ``Page.requests`` every address asked for.
"""

from __future__ import annotations

import base64
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PATIENCE = 30.0
"""Seconds until a condition that does not come true is an error. Long: a busy machine is no failure."""

_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--disable-extensions",
    "--hide-scrollbars",
    "--mute-audio",
    # Chromium looks up its maker's hosts at every start; here nobody leaves the machine.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--remote-debugging-pipe",
)
_KEYS = {
    "Enter": 13,
    "Escape": 27,
    "ArrowUp": 38,
    "ArrowDown": 40,
    "Tab": 9,
    "Backspace": 8,
}


def find_chromium() -> str | None:
    """The path of the first browser found, or ``None``."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class BrowserError(AssertionError):
    """The browser did not do what the test waited for."""


class Browser:
    """One browser process with a fresh profile; ends with the ``with`` block."""

    def __init__(self, *flags: str) -> None:
        path = find_chromium()
        if path is None:
            raise BrowserError("no Chromium or Chrome on PATH")
        self._profile = tempfile.mkdtemp(prefix="browser-")
        their_in, self._out = os.pipe()
        self._in, their_out = os.pipe()
        # The browser reads commands on descriptor 3 and answers on 4; the shell puts the pipes there.
        script = f'exec "$0" "$@" 3<&{their_in} 4>&{their_out}'
        arguments = [*_FLAGS, f"--user-data-dir={self._profile}", *flags, "about:blank"]
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", script, path, *arguments],
            pass_fds=(their_in, their_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(their_in)
        os.close(their_out)
        self._last = 0
        self._answers: dict[int, queue.SimpleQueue[dict[str, Any]]] = {}
        self._listeners: dict[str, Callable[[str, dict[str, Any]], None]] = {}
        self._pages: dict[str, Page] = {}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the browser and removes its profile."""
        if self._process.poll() is None:
            try:
                self.send("Browser.close")
                self._process.wait(10)
            except (BrowserError, OSError, subprocess.TimeoutExpired):
                self._process.kill()
                self._process.wait()
        os.close(self._out)
        self._reader.join(5)
        os.close(self._in)
        shutil.rmtree(self._profile, ignore_errors=True)

    def send(self, method: str, session: str | None = None, /, **parameters: Any) -> dict[str, Any]:
        """Sends one command and waits for its answer. Not for use by two threads."""
        self._last += 1
        answer: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._answers[self._last] = answer
        message: dict[str, Any] = {"id": self._last, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._out, data) :]
        try:
            reply = answer.get(timeout=PATIENCE)
        except queue.Empty:
            raise BrowserError(f"no answer to {method}") from None
        if "error" in reply:
            raise BrowserError(f"{method}: {reply['error'].get('message')}")
        result: dict[str, Any] = reply.get("result", {})
        return result

    def page(self, width: int = 1366, height: int = 768, *, phone: bool = False, **media: str) -> Page:
        """A new page in a context of its own (no cookies, no storage). ``media``: ``prefers_color_scheme="dark"``."""
        context = self.send("Target.createBrowserContext")["browserContextId"]
        target = self.send("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self._pages[target] = Page(self, session, target, context)
        self._listeners[session] = page._event
        page._prepare(width, height, phone, media)
        return page

    def pages(self) -> set[Page]:
        """Those that are open."""
        return set(self._pages.values())

    def close_pages(self, but: Collection[Page] = ()) -> None:
        """Close whatever is still open: a map that nobody looks at goes on drawing, and all others wait for it."""
        for page in self.pages() - set(but):
            page.close()

    def forget(self, page: Page) -> None:
        """A page has been closed."""
        self._pages.pop(page.target, None)
        self._listeners.pop(page.session, None)

    def _read(self) -> None:
        buffer = b""
        while chunk := os.read(self._in, 1 << 16):
            *whole, buffer = (buffer + chunk).split(b"\0")
            for text in whole:
                message = json.loads(text)
                if "id" in message:
                    self._answers.pop(message["id"]).put(message)
                elif listener := self._listeners.get(message.get("sessionId", "")):
                    listener(message["method"], message["params"])


class Page:
    """One tab. Made by :meth:`Browser.page`."""

    def __init__(self, browser: Browser, session: str, target: str, context: str) -> None:
        self.browser = browser
        self.context = context
        self.session = session
        self.target = target
        self.problems: list[str] = []
        self.requests: list[str] = []
        self.dialogs: list[str] = []

    def _prepare(self, width: int, height: int, phone: bool, media: dict[str, str]) -> None:
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")
        self.size(width, height, phone)
        features = [{"name": name.replace("_", "-"), "value": value} for name, value in media.items()]
        self.send("Emulation.setEmulatedMedia", features=features)

    def send(self, method: str, /, **parameters: Any) -> dict[str, Any]:
        """A command of the DevTools protocol for this page."""
        return self.browser.send(method, self.session, **parameters)

    def size(self, width: int, height: int, phone: bool = False) -> None:
        """Sets the window's inner size in CSS pixels; a phone has touch and a density of 2."""
        ratio = 2 if phone else 1
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=ratio, mobile=phone
        )
        self.send("Emulation.setTouchEmulationEnabled", enabled=phone)

    def goto(self, url: str) -> None:
        """Opens an address and waits until the document is complete."""
        self.send("Page.navigate", url=url)
        self.wait(f"location.href !== 'about:blank' && document.readyState === 'complete' /* {url} */")

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression (promises are awaited)."""
        reply = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in reply:
            details = reply["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description") or details.get("text"))
        return reply["result"].get("value")

    def wait(self, condition: str, patience: float = PATIENCE) -> Any:
        """Polls until the expression is true and answers its value."""
        end = time.monotonic() + patience
        while True:
            failed: BrowserError | None = None
            value = None
            try:
                value = self.run(condition)
            except BrowserError as error:  # a page that is just being replaced has no context
                failed = error
            if value:
                return value
            if time.monotonic() > end:
                told = "; ".join(self.problems) or "the page did not complain"
                raise BrowserError(f"never true: {condition} ({failed or told})")
            time.sleep(0.03)

    def key(self, key: str) -> None:
        """Presses and releases one key: a character or one of Enter, Escape, ArrowUp, ArrowDown, Tab, Backspace."""
        if key in _KEYS:
            parts: dict[str, Any] = {"key": key, "code": key, "windowsVirtualKeyCode": _KEYS[key]}
            if key == "Enter":
                parts["text"] = "\r"
        else:
            parts = {"key": key, "text": key}
        self.send("Input.dispatchKeyEvent", type="keyDown", **parts)
        parts.pop("text", None)
        self.send("Input.dispatchKeyEvent", type="keyUp", **parts)

    def type(self, text: str) -> None:
        """Types into whatever has the focus."""
        self.send("Input.insertText", text=text)

    def place(self, selector: str) -> tuple[float, float]:
        """The middle of the first element that matches, once it is there, has a size and has come to rest."""
        quoted = json.dumps(selector)
        # Two frames apart at the same place: a sheet that slides in must not be clicked where it was.
        place = self.wait(
            "(async () => {"
            f" const look = () => {{ const b = document.querySelector({quoted})?.getBoundingClientRect();"
            "  return b && b.width && b.height ? [b.x + b.width / 2, b.y + b.height / 2] : null; };"
            " const frame = () => new Promise((done) => requestAnimationFrame(done));"
            " const first = look(); if (!first) return null;"
            " await frame(); await frame();"
            " const second = look();"
            " return second && first[0] === second[0] && first[1] === second[1] ? second : null; })()"
        )
        return place[0], place[1]

    def click(self, selector: str) -> None:
        """Clicks the middle of an element with a real pointer."""
        self.click_at(*self.place(selector))

    def click_at(self, x: float, y: float) -> None:
        """Clicks a point of the window."""
        self.move_to(x, y)
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def move_to(self, x: float, y: float) -> None:
        """Moves the pointer to a point of the window."""
        self.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def drag(self, start: tuple[float, float], end: tuple[float, float], steps: int = 8) -> None:
        """Presses at ``start``, moves to ``end`` in steps, and lets go."""
        self.move_to(*start)
        self.send("Input.dispatchMouseEvent", type="mousePressed", x=start[0], y=start[1], button="left", clickCount=1)
        for step in range(1, steps + 1):
            x = start[0] + (end[0] - start[0]) * step / steps
            y = start[1] + (end[1] - start[1]) * step / steps
            self.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y, button="left", buttons=1)
        self.send("Input.dispatchMouseEvent", type="mouseReleased", x=end[0], y=end[1], button="left", clickCount=1)

    def screenshot(self, path: Path | str) -> None:
        """Writes what the page shows as PNG."""
        data = self.send("Page.captureScreenshot", format="png")["data"]
        Path(path).write_bytes(base64.b64decode(data))

    def close(self) -> None:
        """Closes the tab, with all that it kept."""
        self.browser.forget(self)
        self.browser.send("Target.disposeBrowserContext", browserContextId=self.context)

    def _event(self, method: str, given: dict[str, Any]) -> None:
        """Runs in the reader's thread: only notes what happened."""
        if method == "Network.requestWillBeSent":
            self.requests.append(given["request"]["url"])
        elif method == "Network.webSocketCreated":
            self.requests.append(given["url"])
        elif method == "Runtime.exceptionThrown":
            details = given["exceptionDetails"]
            self.problems.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Runtime.consoleAPICalled" and given["type"] in ("error", "assert"):
            self.problems.append(" ".join(str(part.get("value", part)) for part in given["args"]))
        elif method == "Log.entryAdded" and given["entry"]["level"] in ("error", "warning"):
            entry = given["entry"]
            self.problems.append(f"{entry['text']} {entry.get('url', '')}".strip())
        elif method == "Page.javascriptDialogOpening":
            self.dialogs.append(given["message"])
