"""Coordinate systems and distances. Inside, everything is WGS-84.

GCJ-02 and BD-09 are the shifted systems of Chinese map services; reference values are in the tests. The
shift has no closed inverse: it is found by iteration, to far below a metre.
"""

from __future__ import annotations

from math import asin, atan2, cos, pi, radians, sin, sqrt

_A = 6378245.0
_EE = 0.00669342162296594323
_X_PI = pi * 3000.0 / 180.0
EARTH_RADIUS = 6371008.8
"""Mean radius, metres."""
_E7 = 1e-7 * pi / 180.0


def _inside_china(latitude: float, longitude: float) -> bool:
    return 72.004 <= longitude <= 137.8347 and 0.8293 <= latitude <= 55.8271


def _waves(x: float, y: float) -> float:
    return (20.0 * sin(6.0 * x * pi) + 20.0 * sin(2.0 * x * pi)) * 2.0 / 3.0 + y


def _shift(latitude: float, longitude: float) -> tuple[float, float]:
    x, y = longitude - 105.0, latitude - 35.0
    root = sqrt(abs(x))
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    north += _waves(x, 0.0)
    north += (20.0 * sin(y * pi) + 40.0 * sin(y / 3.0 * pi)) * 2.0 / 3.0
    north += (160.0 * sin(y / 12.0 * pi) + 320.0 * sin(y * pi / 30.0)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    east += _waves(x, 0.0)
    east += (20.0 * sin(x * pi) + 40.0 * sin(x / 3.0 * pi)) * 2.0 / 3.0
    east += (150.0 * sin(x / 12.0 * pi) + 300.0 * sin(x / 30.0 * pi)) * 2.0 / 3.0
    angle = radians(latitude)
    magic = 1.0 - _EE * sin(angle) ** 2
    return (
        north * 180.0 / ((_A * (1.0 - _EE)) / (magic * sqrt(magic)) * pi),
        east * 180.0 / (_A / sqrt(magic) * cos(angle) * pi),
    )


def wgs84_to_gcj02(latitude: float, longitude: float) -> tuple[float, float]:
    """Degrees to degrees; outside China's box nothing is shifted."""
    if not _inside_china(latitude, longitude):
        return latitude, longitude
    north, east = _shift(latitude, longitude)
    return latitude + north, longitude + east


def gcj02_to_wgs84(latitude: float, longitude: float) -> tuple[float, float]:
    """Degrees to degrees, exact to about a millimetre."""
    if not _inside_china(latitude, longitude):
        return latitude, longitude
    there_lat, there_lon = latitude, longitude
    for _ in range(6):
        back_lat, back_lon = wgs84_to_gcj02(there_lat, there_lon)
        there_lat += latitude - back_lat
        there_lon += longitude - back_lon
    return there_lat, there_lon


def gcj02_to_bd09(latitude: float, longitude: float) -> tuple[float, float]:
    """Degrees to degrees."""
    radius = sqrt(longitude * longitude + latitude * latitude) + 0.00002 * sin(latitude * _X_PI)
    angle = atan2(latitude, longitude) + 0.000003 * cos(longitude * _X_PI)
    return radius * sin(angle) + 0.006, radius * cos(angle) + 0.0065


def bd09_to_gcj02(latitude: float, longitude: float) -> tuple[float, float]:
    """Degrees to degrees, one step, as the map services do it (error below 2 m)."""
    y, x = latitude - 0.006, longitude - 0.0065
    radius = sqrt(x * x + y * y) - 0.00002 * sin(y * _X_PI)
    angle = atan2(y, x) - 0.000003 * cos(x * _X_PI)
    return radius * sin(angle), radius * cos(angle)


def distance(latitude_1: int, longitude_1: int, latitude_2: int, longitude_2: int) -> float:
    """Great-circle distance in metres between two points in 1e-7 degrees (haversine)."""
    a, b = latitude_1 * _E7, latitude_2 * _E7
    half_lat = sin((b - a) * 0.5)
    half_lon = sin((longitude_2 - longitude_1) * _E7 * 0.5)
    return 2.0 * EARTH_RADIUS * asin(min(1.0, sqrt(half_lat * half_lat + cos(a) * cos(b) * half_lon * half_lon)))
