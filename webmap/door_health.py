"""What is wrong with the listeners and their certificate, in words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from webmap.services import Services

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

Problem = Callable[[str, str, str], None]


def certificate_problems(services: Services, now: int, problem: Problem) -> None:
    """Tell what is wrong with the certificate."""
    certificates = services.listening.certificates
    if certificates is None:
        return
    renew, renew_zh = "Put a new one in its place", "请更换新证书"
    if certificates.private:
        renew, renew_zh = "Run ./run make-certificate", "请运行 ./run make-certificate"
    for trouble in certificates.troubles(now):
        day = datetime.fromtimestamp(trouble.at / 1000, UTC).strftime("%Y-%m-%d")
        days = (trouble.at - now) // DAY_MS
        if trouble.what == "refused":
            problem(
                "certificate",
                f"The new certificate is not used, the one before is: {trouble.reason}. It is looked at again every "
                "few seconds.",
                f"新证书未启用，仍使用原证书：{trouble.reason}。每隔数秒重新检查。",
            )
        elif trouble.what == "begins":
            problem(
                "certificate",
                f"The certificate is good from {day} on only: browsers and handhelds refuse it until then. Is this "
                "machine's clock right?",
                f"证书自 {day} 起才有效，在此之前浏览器和终端会拒绝连接。请检查本机时钟。",
            )
        elif days < 0:
            problem(
                "certificate",
                f"The certificate ended on {day}: browsers warn and handhelds stay away. {renew}; it is taken without "
                "a restart.",
                f"证书已于 {day} 到期，浏览器会警告，终端无法连接。{renew_zh}，无需重启。",
            )
        else:
            problem(
                "certificate",
                f"The certificate ends in {days} days, on {day}. {renew}; it is taken without a restart.",
                f"证书将在 {days} 天后（{day}）到期。{renew_zh}，无需重启。",
            )


def source_warnings(services: Services, now: int) -> list[dict[str, str]]:
    """Who was refused for the network that it came from, within the last day."""
    found = []
    for name, sources in services.listening.sources.items():
        if sources.refused and now - sources.last_at < DAY_MS:
            found.append({
                "what": "networks",
                "text": f"[{name}] refused {sources.refused} connection(s) from networks that it does not take, the "
                f"last from {sources.last}. If that is yours, name its network: networks = [...] in [{name}].",
                "zh": f"[{name}] 拒绝了 {sources.refused} 次来自未允许网段的连接，最近一次来自 {sources.last}。"
                f"如属本单位，请在 [{name}] 的 networks 中加入该网段。",
            })  # fmt: skip
    return found


def door_views(services: Services) -> list[dict[str, Any]]:
    """The listeners, as they are."""
    listening = services.listening
    return [
        {
            "name": name, "bind": door.bind, "port": listening.numbers[name],
            "transports": list(listening.transports[name]), "networks": door.sources,
            "refused": listening.sources[name].refused,
        }
        for name, door in listening.doors.items()
        if name in listening.numbers
    ]  # fmt: skip
