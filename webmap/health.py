"""What is wrong, in words, for an operator who is not a programmer."""

from __future__ import annotations

from typing import Any

from tracker.clockwatch import server_ahead
from webmap.services import Services
from webmap.storage_health import storage_problems

BEHIND_MS = 5000
DISK_STALL_RECORDS = 20_000
NAMED = 10


def health(services: Services) -> dict[str, Any]:
    """``status`` is ``ok`` or ``degraded``; each problem says what it means and what to do."""
    problems: list[dict[str, str]] = []

    def problem(what: str, text: str, zh: str) -> None:
        problems.append({"what": what, "text": text, "zh": zh})

    journal, applier = services.intake.journal, services.applier
    now = services.wall()
    if journal.failing_since is not None:
        seconds = (now - journal.failing_since) // 1000
        problem(
            "journal",
            f"The journal cannot write for {seconds} s ({journal.failure}). No report is acknowledged, the devices "
            "keep theirs. Check the disk of the data folder: free space and whether it answers.",
            f"日志已有 {seconds} 秒无法写入（{journal.failure}）。上报未被确认，由终端保留。"
            "请检查数据目录所在磁盘的剩余空间与状态。",
        )
    elif journal.waiting > DISK_STALL_RECORDS:
        problem(
            "disk",
            f"The disk is slow: {journal.waiting} records wait for it.",
            f"磁盘缓慢：有 {journal.waiting} 条记录等待写入。",
        )
    problems += storage_problems(services)
    if applier.problem:
        problem(
            "live",
            f"Live state is not written: {applier.problem}. Reports are stored all the same; the map shows old "
            "positions. The embedded server is started again by itself; with redis.url set, check that server.",
            f"实时状态未写入：{applier.problem}。上报照常保存，地图显示的是旧位置。"
            "内置服务会自动重启；如设置了 redis.url，请检查该服务。",
        )
    space, behind = services.space, applier.behind(now)
    if behind > BEHIND_MS:
        seconds = behind // 1000
        problem("behind", f"The map is {seconds} s behind what the devices sent.", f"地图比终端上报滞后 {seconds} 秒。")
    if not services.mirror.linked:
        problem(
            "mirror",
            "The live map's link to live state is broken; it is being made again.",
            "实时地图与状态存储的连接中断，正在重连。",
        )
    ahead = server_ahead((clock for state in services.mirror.units.values() for clock in state.clocks.values()), now)
    if ahead is not None:
        seconds = abs(ahead) // 1000
        behind_or_ahead, zh = ("ahead of", "快") if ahead > 0 else ("behind", "慢")
        problem(
            "clock",
            f"This server's clock is {seconds} s {behind_or_ahead} those of the devices. Good positions are taken for "
            "those of another time. Set the clock of this machine, best by NTP.",
            f"本服务器时钟比终端普遍{zh} {seconds} 秒，正常定位会被当作其他时刻的数据。请校准本机时钟，建议启用 NTP。",
        )
    return {
        "status": "degraded" if problems else "ok",
        "problems": problems,
        "version": services.version,
        "time": now,
        "units": len(services.intake.roster.units),
        "devices_connected": len(services.links),
        "journal": {"last": journal.last, "waiting": journal.waiting},
        "disk": {"free_bytes": space.free, "reserve_bytes": space.reserve if space.held else 0},
        "live": {"stored": applier.stored, "behind_ms": behind},
        "viewers": len(services.feed.viewers),
        "warnings": _warnings(services),
    }


def _warnings(services: Services) -> list[dict[str, str]]:
    """What a person should look into; the server is well all the same."""
    suspected = services.coordinates.all(services.intake.roster)
    if not suspected:
        return []
    named = ", ".join(suspected[:NAMED]) + (" …" if len(suspected) > NAMED else "")
    return [
        {
            "what": "coordinates",
            "text": f"{len(suspected)} device(s) lie in their units' own grids only when read in another coordinate "
            f"system than registered: {named}. GET /api/v1/units/{{id}} says which.",
            "zh": f"{len(suspected)} 台设备按另一坐标系解读才落在责任网格内，登记可能有误：{named}。"
            "详见 GET /api/v1/units/{id}。",
        }
    ]
