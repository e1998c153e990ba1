"""Names of the keys in Redis.

All carry one hash tag, so that a function call may touch several of them on a cluster too. The tag is the
shard's name; there is one shard.
"""

from __future__ import annotations

TAG = "{s0}"
HEAD = f"{TAG}head"
"""Hash: ``journal`` (the journal's id) and ``last`` (the last record number that is in)."""
LIVE = f"{TAG}live"
"""Hash: unit -> packed live state."""
GEO = f"{TAG}geo"
"""GEO set of the located units, WGS-84, for other programs."""
HOLES = f"{TAG}holes"
"""Hash: first -> last record number of ranges whose points are not in the hot tracks yet."""
SESSIONS = f"{TAG}sessions"
"""Hash: SHA-256 of a session's text -> who signed in, when and where; and a mark of the process that wrote it."""
CHANNEL = f"{TAG}fleet"
"""Channel of the published batches."""

ENTITY_TYPES = ("unit", "device", "duty", "area")
TRACKS = f"{TAG}track:*"
"""Pattern of all tracks."""


def entity(kind: str) -> str:
    """Hash of one type of entity: id -> packed fields."""
    return f"{TAG}{kind}"


def track(unit: str, hour: int) -> str:
    """String of packed records of one unit whose time falls into that hour since 1970, UTC."""
    return f"{TAG}track:{unit}:{hour}"


def tracks_of(unit: str) -> str:
    """Pattern of all tracks of one unit, whose id has no sign in it that means something in a pattern."""
    return f"{TAG}track:{unit}:*"
