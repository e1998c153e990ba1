"""What may be sent from the street as a photo or a voice note: told by its first bytes, whatever it calls itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

HEAD = 64
"""Bytes by which a type is told."""


class Sort(StrEnum):
    """What it is for."""

    PHOTO = "photo"
    VOICE = "voice"


LIMITS = {Sort.PHOTO: 10 << 20, Sort.VOICE: 2 << 20}
"""Bytes of one: the best that a phone's camera makes, and ten minutes of speech."""
MOST = max(LIMITS.values())


@dataclass(frozen=True, slots=True)
class Medium:
    """A type of file, and how the name of one ends."""

    type: str
    ending: str
    sort: Sort


JPEG = Medium("image/jpeg", "jpg", Sort.PHOTO)
PNG = Medium("image/png", "png", Sort.PHOTO)
WEBP = Medium("image/webp", "webp", Sort.PHOTO)
HEIC = Medium("image/heic", "heic", Sort.PHOTO)
WEBM = Medium("audio/webm", "webm", Sort.VOICE)
OGG = Medium("audio/ogg", "ogg", Sort.VOICE)
M4A = Medium("audio/mp4", "m4a", Sort.VOICE)

_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1"})
_MP4_BRANDS = frozenset({b"M4A ", b"M4B ", b"mp41", b"mp42", b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"dash"})


def sort_of(content_type: str) -> Sort | None:
    """What a type says that it is, without being believed: it decides only how long it may become."""
    family = content_type.partition("/")[0].strip().lower()
    # A recorder of a browser calls sound in a container "video" now and then.
    return {"image": Sort.PHOTO, "audio": Sort.VOICE, "video": Sort.VOICE}.get(family)


def medium_of(head: bytes) -> Medium | None:
    """What begins like this; ``None`` for anything that is not kept, such as a page or a drawing with a script."""
    if head[:3] == b"\xff\xd8\xff":
        return JPEG
    if head[:8] == b"\x89PNG\r\n\x1a\n":
        return PNG
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    if head[:4] == b"OggS":
        return OGG
    if head[:4] == b"\x1aE\xdf\xa3" and b"webm" in head[:HEAD]:
        return WEBM
    if head[4:8] == b"ftyp":
        return _of_brands({head[8:12], *(head[at : at + 4] for at in range(16, _box(head), 4))})
    return None


def _box(head: bytes) -> int:
    return min(int.from_bytes(head[:4]), HEAD, len(head)) - 3


def _of_brands(brands: set[bytes]) -> Medium | None:
    if b"heic" in brands or brands <= _HEIC_BRANDS:
        return HEIC
    return M4A if brands & _MP4_BRANDS else None
