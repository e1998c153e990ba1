"""Makes the pictures of the README from a running demo: ``python -m tests.e2e.make_picture [address] [login file]``.

Start the demo, let its people walk for ten minutes so that their trails are whole, then run this. It opens the
console in a real browser, looks at the map as a dispatcher does and writes ``docs/map.png``
and ``docs/map-phone.png``.
"""

from __future__ import annotations

import base64
import json
import struct
import sys
import urllib.request
import zlib
from pathlib import Path

from tests.browser import Browser, Page

ROOT = Path(__file__).resolve().parents[2]
LIVE = (
    "window.gridbeat && gridbeat.feed.live && gridbeat.grids.all.size > 25 && gridbeat.basemap.shapes.length > 0"
    " && gridbeat.unitsLayer.seen.length > 10"
)
SETTLED = (
    "!gridbeat.map._animatingZoom && gridbeat.unitsLayer.seen.filter(i => i.unit.trail.length < 9).length < 5"
    " && document.getElementById('notice').hidden"
)
MIDDLE = "gridbeat.map.getCenter()"
WALKER = (
    "(c => [...gridbeat.units.all.values()].filter(u => u.state === 0 && u.speed > 1 && u.grid && u.grid === u.gridNow)"
    " .sort((a, b) => Math.hypot(a.lat - c.lat, a.lon - c.lng) - Math.hypot(b.lat - c.lat, b.lon - c.lng))[0].id)"
    f"({MIDDLE})"
)
"""Somebody on the move in a grid of their own, nearest to the middle of the town."""


def session_of(base: str, login: Path) -> str:
    """Logs in with the name and the password of the first start."""
    name, password = login.read_text().split()
    request = urllib.request.Request(
        f"{base}/api/v1/login",
        json.dumps({"name": name, "password": password}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return str(json.load(answer)["token"])


def open_console(page: Page, base: str, session: str, **choices: object) -> None:
    page.send("Network.setCookie", name="session", value=session, url=base)
    page.goto(f"{base}/login")
    page.run(f"localStorage.setItem('gridbeat', {json.dumps(json.dumps(choices))})")
    page.goto(f"{base}/")
    page.wait(LIVE)


def look(page: Page, zoom: float, east: float) -> None:
    """Selects a walker and brings them ``east`` degrees west of the middle, where the card hides nothing."""
    page.run(f"gridbeat.view.select({WALKER})")
    page.run(
        f"(u => void gridbeat.map.setView([u.lat, u.lon + {east}], {zoom}, {{animate: false}}))(gridbeat.view.unit)"
    )
    page.wait(SETTLED)
    # the list as it stands, not scrolled to a row
    page.run("void (document.getElementById('list').scrollTop = 0)")


INDEXED = """(async data => {
  const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes], {type: 'image/png'}));
  const ctx = new OffscreenCanvas(image.width, image.height).getContext('2d', {willReadFrequently: true});
  ctx.drawImage(image, 0, 0);
  const pixels = new Uint32Array(ctx.getImageData(0, 0, image.width, image.height).data.buffer);
  const counts = new Map();
  for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
  const often = [...counts].sort((a, b) => b[1] - a[1]).map(([pixel]) => pixel);
  const apart = (a, b) => ((a & 255) - (b & 255)) ** 2 + ((a >> 8 & 255) - (b >> 8 & 255)) ** 2
    + ((a >> 16 & 255) - (b >> 16 & 255)) ** 2;
  const colors = [];
  for (const pixel of often) {
    if (colors.length < 256 && !colors.some(other => apart(pixel, other) < 16)) colors.push(pixel);
  }
  const index = new Map(often.map(pixel => {
    let best = 0;
    for (let i = 1; i < colors.length; i += 1) if (apart(pixel, colors[i]) < apart(pixel, colors[best])) best = i;
    return [pixel, best];
  }));
  let text = '';
  for (const pixel of pixels) text += String.fromCharCode(index.get(pixel));
  return {width: image.width, height: image.height, colors: colors.map(c => [c & 255, c >> 8 & 255, c >> 16 & 255]),
    pixels: btoa(text)};
})"""
"""A picture with the 256 colours that it needs most: a third of the bytes, and nobody sees it."""


def shrink(page: Page, path: Path) -> None:
    """Writes the picture anew with a palette. ``page``: any page, for its canvas."""
    found = page.run(f"{INDEXED}({json.dumps(base64.b64encode(path.read_bytes()).decode())})")
    width, height, pixels = found["width"], found["height"], base64.b64decode(found["pixels"])
    rows = b"".join(b"\0" + pixels[y * width : (y + 1) * width] for y in range(height))
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", bytes(part for color in found["colors"] for part in color)),
        (b"IDAT", zlib.compress(rows, 9)),
        (b"IEND", b""),
    )
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in parts)
    )


def main(base: str, login: Path) -> None:
    session = session_of(base, login)
    with Browser() as browser:
        desk = browser.page(1366, 768, prefers_color_scheme="light")
        open_console(desk, base, session, language="en", trails="all")
        look(desk, 14.75, 0.0045)
        desk.screenshot(ROOT / "docs" / "map.png")
        hand = browser.page(390, 844, phone=True, prefers_color_scheme="dark")
        open_console(hand, base, session, language="zh", trails="all")
        hand.wait(SETTLED)
        hand.screenshot(ROOT / "docs" / "map-phone.png")
        for name in ("map.png", "map-phone.png"):
            shrink(desk, ROOT / "docs" / name)


if __name__ == "__main__":
    address = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080"
    main(address.rstrip("/"), Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "data" / "demo" / "first-login.txt")
