"""Who may use a way of OpenStreetMap, by its tags: on foot, by e-bike, by vehicle, and in which direction.

Only what decides between streets is looked at. A gate, a turn that is forbidden or a time of day is not: a collector is
sent by who is near, not led round corners.
"""

from __future__ import annotations

from collections.abc import Mapping

NO, BOTH, FORWARD, BACKWARD = range(4)

_LINKED = ("trunk", "primary", "secondary", "tertiary")
_STREETS = frozenset(
    {*_LINKED, *(f"{name}_link" for name in _LINKED), "unclassified", "residential", "living_street", "service", "road"}
)
HIGHWAYS: Mapping[str, frozenset[str]] = {
    "vehicle": _STREETS | {"motorway", "motorway_link"},
    "ebike": _STREETS | {"cycleway", "track", "path", "pedestrian"},
    "walk": _STREETS
    | {"footway", "steps", "pedestrian", "path", "track", "cycleway", "bridleway", "corridor", "platform"},
}
"""What each mode uses. No ferries: whoever needs one is not there in minutes. No stairs and no pavements by e-bike."""
_PERMITS: Mapping[str, tuple[str, ...]] = {
    "vehicle": ("motorcar", "motor_vehicle", "vehicle", "access"),
    "ebike": ("bicycle", "vehicle", "access"),
    "walk": ("foot", "access"),
}
"""Tags that say who may, the most particular first."""
_FORBIDDEN: Mapping[str, frozenset[str]] = {
    "vehicle": frozenset({"no", "private", "agricultural", "forestry"}),
    # Whoever looks after a city's streets goes into its compounds too, but not with a vehicle.
    "ebike": frozenset({"no"}),
    "walk": frozenset({"no", "use_sidepath"}),
}
_GRANTED = frozenset({"yes", "designated", "permissive"})
_ONE_WAY = {"yes": FORWARD, "true": FORWARD, "1": FORWARD, "-1": BACKWARD, "reverse": BACKWARD}


def uses(tags: Mapping[str, str]) -> dict[str, int]:
    """For each mode that may use the way one of :data:`BOTH`, :data:`FORWARD` and :data:`BACKWARD`, as its nodes are
    listed. Only vehicles keep to one-way streets: one who looks after a street rides or pushes along it both ways."""
    found = {}
    for mode in HIGHWAYS:
        if _may(mode, tags):
            found[mode] = _direction(tags) if mode == "vehicle" else BOTH
    return found


def hidden(tags: Mapping[str, str]) -> bool:
    """Whether the way runs where no receiver sees the sky: whoever seems to stand on it stands above it."""
    return (
        tags.get("tunnel") == "yes"
        or tags.get("indoor") == "yes"
        or tags.get("location") == "underground"
        or tags.get("highway") == "corridor"
    )


def _may(mode: str, tags: Mapping[str, str]) -> bool:
    highway = tags.get("highway", "")
    said = next((tags[key] for key in _PERMITS[mode] if key in tags), "")
    if tags.get("area") == "yes" and mode == "vehicle":
        return False
    if highway not in HIGHWAYS[mode]:
        # A pavement with a sign that bicycles may use it.
        return mode == "ebike" and highway == "footway" and tags.get("bicycle") in _GRANTED
    if tags.get("motorroad") == "yes" and mode != "vehicle":
        return False
    return said not in _FORBIDDEN[mode]


def _direction(tags: Mapping[str, str]) -> int:
    one_way = tags.get("oneway", "")
    if one_way:
        return _ONE_WAY.get(one_way, BOTH)
    round = tags.get("junction") in ("roundabout", "circular")
    return FORWARD if round or tags.get("highway") == "motorway" else BOTH
