"""What an H02 tracker sends, for tests and load. Times in ms since 1970, positions in 1e-7 degrees."""

from __future__ import annotations

from datetime import UTC, datetime

from protocols.h02.messages import ALL_QUIET

SOS = ALL_QUIET & ~2
"""The state while help is called for."""


def _clock(at: int) -> tuple[str, str]:
    told = datetime.fromtimestamp(at // 1000, UTC)
    return told.strftime("%H%M%S"), told.strftime("%d%m%y")


def _angle(value: int, digits: int) -> str:
    tenths = round(abs(value) * 60 / 1000)  # 1/10,000 minutes
    return f"{tenths // 600_000:0{digits}}{tenths % 600_000 / 10_000:07.4f}"


def position(
    ident: str,
    at: int,
    latitude: int,
    longitude: int,
    *,
    kind: str = "V1",
    fixed: bool = True,
    knots: float = 0.0,
    state: int = ALL_QUIET,
    tail: str = "",
) -> bytes:
    """V1, or another type of the same form."""
    clock, date = _clock(at)
    north, east = "S" if latitude < 0 else "N", "W" if longitude < 0 else "E"
    where = f"{'A' if fixed else 'V'},{_angle(latitude, 2)},{north},{_angle(longitude, 3)},{east}"
    return f"*HQ,{ident},{kind},{clock},{where},{knots:.2f},90,{date},{state:08X}{tail}#".encode()


def heartbeat(ident: str, battery: int | None = None) -> bytes:
    """HTBT, with the battery in % if there is one."""
    return f"*HQ,{ident},HTBT{'' if battery is None else f',{battery}'}#".encode()


def binary(ident: str, at: int, latitude: int, longitude: int, *, size: int = 32, state: int = ALL_QUIET) -> bytes:
    """The binary form of 32 or 45 bytes, with battery level 6; ``ident`` has 10 digits."""
    clock, date = _clock(at)
    flags = 2 | (0 if latitude < 0 else 4) | (0 if longitude < 0 else 8)
    north, east = (_angle(value, digits).replace(".", "") for value, digits in ((latitude, 2), (longitude, 3)))
    text = f"24{ident}{clock}{date}{north}06{east}{flags:x}005090{state:08x}"
    return bytes.fromhex(text).ljust(size, b"\0")
