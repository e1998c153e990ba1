"""A device's photos on their way to the field site: in pieces, and on from wherever the server says it is.

A core: :meth:`Uploads.request` is the request to make now, :meth:`Uploads.answered` takes its answer. Photos wait until
the server knows what they belong to (:meth:`Uploads.release`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

PIECE = 256 * 1024
"""Bytes in one request: half of what the server takes, and a few seconds on a poor network."""
KEPT = 50
"""Photos that wait: more than anybody takes in a shift. Then the oldest goes."""
AGAIN = frozenset({408, 409, 429})
"""Refusals that pass."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One PATCH: ``path`` behind the site's address, headers without who asks, and the body."""

    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(slots=True)
class _Photo:
    sha: str
    query: str
    data: bytes
    offset: int = 0
    wanted: bool = False


class Uploads:
    """Photos, oldest first, one request at a time. ``on_wanted`` is called when there is something to send."""

    def __init__(self) -> None:
        self._photos: dict[str, _Photo] = {}
        self._under_way: _Photo | None = None
        self.on_wanted: Callable[[], object] = lambda: None
        self.sent = 0

    def __len__(self) -> int:
        return len(self._photos)

    def add(self, token: tuple[str, int], data: bytes) -> str:
        """Keeps a photo for an answer to (task, attempt); its SHA-256."""
        sha = hashlib.sha256(data).hexdigest()
        query = urlencode({"task": token[0], "attempt": token[1]})
        self._photos[sha] = _Photo(sha, query, data)
        while len(self._photos) > KEPT:
            del self._photos[next(iter(self._photos))]
        return sha

    def release(self, photos: Sequence[str]) -> None:
        """The server knows what these belong to. Others are passed over."""
        known = [self._photos[sha] for sha in photos if sha in self._photos]
        for photo in known:
            photo.wanted = True
        if known:
            self.on_wanted()

    def request(self) -> Piece | None:
        """What to send now; None while one is under way or nothing waits. Next: :meth:`answered`."""
        photo = next((one for one in self._photos.values() if one.wanted), None)
        if photo is None or self._under_way is not None:
            return None
        self._under_way = photo
        headers = (
            ("Content-Type", "image/jpeg"),
            ("Upload-Offset", str(photo.offset)),
            ("Upload-Length", str(len(photo.data))),
        )
        body = photo.data[photo.offset : photo.offset + PIECE]
        return Piece(f"api/v1/uploads/{photo.sha}?{photo.query}", headers, body)

    def answered(self, status: int | None, offset: object = None) -> bool:
        """The status, or None if no answer came, and the ``offset`` of its body; whether to go on at once."""
        photo, self._under_way = self._under_way, None
        if photo is None:
            return False
        if status in (200, 409) and type(offset) is int and 0 <= offset < len(photo.data):
            before, photo.offset = photo.offset, offset
            return offset != before
        if status == 201:
            self.sent += 1
            self._photos.pop(photo.sha, None)
            return True
        if status is not None and 400 <= status < 500 and status not in AGAIN:
            self._photos.pop(photo.sha, None)  # it will never be taken
            return True
        return False
