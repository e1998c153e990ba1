"""What a GPS watch sends, for tests and load. Times in ms since 1970, positions in 1e-7 degrees."""

from __future__ import annotations

from datetime import UTC, datetime

from protocols.watch.framing import frame

SOS = 0x00010000
"""The state in which help is called for."""


def link(ident: str, battery: int = 80, steps: int = 0, maker: str = "3G") -> bytes:
    """LK."""
    return frame(maker, ident, f"LK,{steps},0,{battery}".encode())


def position(
    ident: str,
    at: int,
    latitude: int,
    longitude: int,
    *,
    kind: str = "UD",
    fixed: bool = True,
    speed: float = 0.0,
    state: int = 0,
    tail: str = ",0,0",
    maker: str = "3G",
    index: str | None = None,
) -> bytes:
    """UD or another type of the same form, with battery 80. ``speed`` in km/h; ``tail``: the surroundings."""
    told = datetime.fromtimestamp(at // 1000, UTC).strftime("%d%m%y,%H%M%S")
    north, east = "S" if latitude < 0 else "N", "W" if longitude < 0 else "E"
    where = f"{'A' if fixed else 'V'},{abs(latitude) / 1e7:.7f},{north},{abs(longitude) / 1e7:.7f},{east}"
    content = f"{kind},{told},{where},{speed:.2f},90.0,12,7,60,80,0,0,{state:08X}{tail}"
    return frame(maker, ident, content.encode(), index)
