"""Photos go in pieces, and on from where the server says; nothing is sent that it does not know what to do with."""

from __future__ import annotations

import hashlib

from simulator.uploads import KEPT, PIECE, Uploads


def test_a_photo_goes_in_pieces() -> None:
    uploads, data = Uploads(), bytes(range(256)) * 2500
    wanted: list[int] = []
    uploads.on_wanted = lambda: wanted.append(1)
    sha = uploads.add(("T 1", 2), data)
    assert sha == hashlib.sha256(data).hexdigest()
    assert uploads.request() is None, "nobody knows what it belongs to"
    uploads.release([sha, "another"])
    assert wanted == [1]
    taken = b""
    while (piece := uploads.request()) is not None:
        assert uploads.request() is None, "one at a time"
        assert piece.path == f"api/v1/uploads/{sha}?task=T+1&attempt=2"
        assert dict(piece.headers) == {
            "Content-Type": "image/jpeg", "Upload-Offset": str(len(taken)), "Upload-Length": str(len(data)),
        }  # fmt: skip
        taken += piece.body
        assert len(piece.body) <= PIECE
        whole = len(taken) == len(data)
        assert uploads.answered(201 if whole else 200, None if whole else len(taken))
    assert taken == data
    assert (uploads.sent, len(uploads)) == (1, 0)


def test_it_goes_on_where_the_server_says() -> None:
    uploads = Uploads()
    uploads.release([uploads.add(("t", 1), bytes(1000))])
    uploads.request()
    assert uploads.answered(409, 700)
    piece = uploads.request()
    assert piece is not None
    assert (dict(piece.headers)["Upload-Offset"], len(piece.body)) == ("700", 300)
    for status, offset in ((None, None), (500, None), (429, None), (200, 700), (409, "x"), (409, 1001)):
        assert not uploads.answered(status, offset), "later"
        assert uploads.request() is not None


def test_what_is_refused_is_given_up() -> None:
    uploads = Uploads()
    uploads.release([uploads.add(("t", 1), b"one"), uploads.add(("t", 1), b"two")])
    uploads.request()
    assert uploads.answered(415)
    piece = uploads.request()
    assert piece is not None
    assert piece.body == b"two"
    assert (uploads.sent, len(uploads)) == (0, 1)


def test_there_is_room_for_so_many() -> None:
    uploads = Uploads()
    first = uploads.add(("t", 1), b"first")
    for n in range(KEPT):
        uploads.add(("t", 1), str(n).encode())
    uploads.release([first])
    assert len(uploads) == KEPT
    assert uploads.request() is None
    assert not uploads.answered(200, 1), "nothing was asked"
