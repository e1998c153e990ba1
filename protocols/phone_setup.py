"""What a phone app must be told to report here: a link that fills it in, and the same as fields to type.

The link is shown as a QR code too. Each app has a form of its own: Traccar Client and Overland take a link of their
scheme with parameters, OwnTracks one with its whole configuration inside, GPSLogger the address of a profile that it
fetches (:func:`gpslogger_profile`). A link holds the device's secret: it is for that phone's owner only.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlencode

INTERVAL = 15
"""Seconds between two fixes on duty: a street away at a bicycle's speed, and a battery that lasts the day."""
DISTANCE = 20
"""Metres that a fix must be from the last one where an app asks for metres."""
GPSLOGGER_BODY = (
    "lat=%LAT&lon=%LON&timestamp=%TIMESTAMP&alt=%ALT&acc=%ACC&spd=%SPD&dir=%DIR&sat=%SAT&prov=%PROV&hdop=%HDOP"
    "&batt=%BATT&ischarging=%ISCHARGING"
)
"""What GPSLogger is to send: not %ALL, which names the phone's serial number too. In the body, so that no position
stands in an address, which a proxy on the way would log."""


@dataclass(frozen=True, slots=True)
class Step:
    """One field of the app: how it is called in English and Chinese, and what is typed there."""

    label: str
    zh: str
    value: str


@dataclass(frozen=True, slots=True)
class Setup:
    """``link`` opens the app and fills it in; ``steps`` are the same by hand, in the order of the app's pages."""

    app: str
    link: str
    steps: tuple[Step, ...]


def setup(app: str, base_url: str, device_id: str, token: str | None) -> Setup:
    """How a phone with this app is set up. ``base_url``: where it reaches the phones' door, such as
    ``https://city.example:5055``; ``token``: the device's secret, ``None`` for an app that has none.

    Raises :class:`KeyError` for an app that is not in :data:`APPS`.
    """
    link, steps = APPS[app](base_url.rstrip("/"), device_id, token or "")
    return Setup(app, link, tuple(steps))


def _traccar(base: str, device_id: str, token: str) -> tuple[str, list[Step]]:
    # Both the app's own scanner and the phone's camera take this form, since version 9.7.
    told = {
        "url": base, "id": device_id, "accuracy": "high", "interval": INTERVAL, "distance": 0,
        "stop_detection": "false", "buffer": "true",
    }  # fmt: skip
    return f"org.traccar.client://config?{urlencode(told)}", [
        Step("Device identifier", "设备标识符", device_id),
        Step("Server URL", "服务器网址", base),
        Step("Location accuracy", "定位精度", "high"),
        Step("Distance", "距离", "0"),
        Step("Interval", "间隔", str(INTERVAL)),
        Step("Stop detection", "停止检测", "off"),
    ]


def _owntracks(base: str, device_id: str, token: str) -> tuple[str, list[Step]]:
    url = f"{base}/owntracks"
    configuration = {
        "_type": "configuration",
        "mode": 3,  # HTTP
        "url": url,
        "auth": True,
        "username": device_id,
        "password": token,
        "deviceId": "phone",
        "tid": device_id[-2:],
        "monitoring": 2,  # move: fixes at an interval
        "locatorInterval": INTERVAL,
        "moveModeLocatorInterval": INTERVAL,  # Android's name for it
        "locatorDisplacement": DISTANCE,
        "ignoreInaccurateLocations": 0,
        "extendedData": True,  # speed, course and altitude
        "cmd": False,
    }
    inline = b64encode(json.dumps(configuration, separators=(",", ":")).encode()).decode()
    # Percent-encoded: a plus would arrive as a space on Android.
    return f"owntracks:///config?inline={quote(inline, safe='')}", [
        Step("Mode", "模式", "HTTP"),
        Step("URL", "网址", url),
        Step("Username", "用户名", device_id),
        Step("Password", "密码", token),
        Step("Device ID", "设备 ID", "phone"),
        Step("Tracker ID", "跟踪 ID", device_id[-2:]),
        Step("Monitoring", "监测模式", "Move"),
    ]


def _gpslogger(base: str, device_id: str, token: str) -> tuple[str, list[Step]]:
    # The app names the profile after the file, so the file has a name that says where it reports to.
    asked = urlencode({"id": device_id, "token": token, "url": base})
    return f"gpslogger://properties/{base}/gpslogger/gridbeat.properties?{asked}", [
        Step("Log to custom URL", "记录到自定义 URL", "on"),
        Step("URL", "网址", f"{base}/gpslogger"),
        Step("HTTP method", "HTTP 方法", "POST"),
        Step("HTTP body", "HTTP 正文", GPSLOGGER_BODY),
        Step("Basic authentication: username", "基本认证：用户名", device_id),
        Step("Basic authentication: password", "基本认证：密码", token),
        Step("Logging interval", "记录间隔", str(INTERVAL)),
    ]


def _overland(base: str, device_id: str, token: str) -> tuple[str, list[Step]]:
    url = f"{base}/overland"
    # The address names the device besides: points that the app queued before it was set up do not.
    told = {"url": f"{url}?{urlencode({'id': device_id})}", "token": token, "device_id": device_id}
    return f"overland://setup?{urlencode(told, quote_via=quote)}", [
        Step("Receiver endpoint: server URL", "接收地址：服务器网址", url),
        Step("Receiver endpoint: access token", "接收地址：访问令牌", token),
        Step("Device ID", "设备 ID", device_id),
        Step("Continuous tracking mode", "持续跟踪模式", "Standard"),
        Step("Logging mode", "记录模式", "All Data"),
    ]


APPS: dict[str, Callable[[str, str, str], tuple[str, list[Step]]]] = {
    "traccar": _traccar,
    "owntracks": _owntracks,
    "gpslogger": _gpslogger,
    "overland": _overland,
}
"""By the protocol's name, in the order in which they are offered."""


def gpslogger_profile(base_url: str, device_id: str, token: str) -> str:
    """The profile that GPSLogger's link leads to, a Java properties file: its keys are the app's own."""
    told = {
        "log_customurl_enabled": "true",
        "log_customurl_url": f"{base_url.rstrip('/')}/gpslogger",
        "log_customurl_method": "POST",
        "log_customurl_body": GPSLOGGER_BODY,
        "log_customurl_headers": "",
        "log_customurl_basicauth_username": device_id,
        "log_customurl_basicauth_password": token,
        "log_customurl_discard_offline_locations_enabled": "false",
        "time_before_logging": str(INTERVAL),
        "distance_before_logging": "0",
        "accuracy_before_logging": "100",
    }
    return "".join(f"{key}={_escaped(value)}\n" for key, value in told.items())


def _escaped(value: str) -> str:
    """As a properties file writes a value: no line may end in it, and what is not ASCII is named by its number."""
    plain = "".join(" " if ord(c) < 32 else c for c in value).replace("\\", "\\\\")
    units = plain.encode("utf-16-be", "replace")
    codes = (int.from_bytes(units[i : i + 2], "big") for i in range(0, len(units), 2))
    return "".join(chr(code) if code < 127 else f"\\u{code:04x}" for code in codes)
