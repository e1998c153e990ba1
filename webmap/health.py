"""What is wrong, in words, for an operator who is not a programmer."""

from __future__ import annotations

from typing import Any

from storage.archive.head_sender import FILE
from tracker.clockwatch import server_ahead
from tracker.model import DeviceId
from webmap.dispatch_health import dispatch_problems
from webmap.door_health import certificate_problems, door_views, source_warnings
from webmap.reach import device_within
from webmap.rights import Scope
from webmap.services import Services
from webmap.storage_health import storage_problems

BEHIND_MS = 5000
DISK_STALL_RECORDS = 20_000
NAMED = 10
DAY_MS = 86_400_000


def health(services: Services, scope: Scope) -> dict[str, Any]:
    """``status`` is ``ok`` or ``degraded``; each problem says what it means and what to do. Units and devices are
    counted, and named, as far as the asker reaches."""
    problems: list[dict[str, str]] = []

    def problem(what: str, text: str, zh: str) -> None:
        problems.append({"what": what, "text": text, "zh": zh})

    journal, applier, roster = services.intake.journal, services.applier, services.intake.roster
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
    certificate_problems(services, now, problem)
    dispatch_problems(services, now, problem)
    problems += storage_problems(services)
    for trouble in services.heads.troubles(now):
        days = (now - trouble.since) // DAY_MS
        setting = "head_file" if trouble.way == FILE else "head_url"
        problem(
            "heads",
            f"For {days} days the heads of history could not go out by {setting}: {trouble.reason}. {trouble.waiting} "
            "wait and go by themselves when the way is open. Until then what was sealed since proves nothing against "
            "whoever can write to this server.",
            f"历史的链头已有 {days} 天无法通过 {setting} 送出：{trouble.reason}。{trouble.waiting} 个链头等待中，"
            "恢复后自动送出。在此之前，此后封存的内容对能写入本服务器的人不构成证明。",
        )
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
        "units": sum(map(scope.covers, roster.units.values())),
        "devices_connected": connected(services, scope),
        "journal": {"last": journal.last, "waiting": journal.waiting},
        "disk": {"free_bytes": space.free, "reserve_bytes": space.reserve if space.held else 0},
        "live": {"stored": applier.stored, "behind_ms": behind},
        "viewers": services.feed.viewers,
        "doors": door_views(services),
        "warnings": _warnings(services, scope) + source_warnings(services, now),
    }


def connected(services: Services, scope: Scope) -> int:
    """Devices within reach that have an open link."""
    if scope.everything:
        return len(services.links)
    roster, links = services.intake.roster, services.links
    return sum(links.connected(id) and device_within(roster, scope, id) is not None for id in roster.devices)


def suspected(services: Services, scope: Scope) -> list[DeviceId]:
    """Devices within reach that seem to be read in the wrong coordinate system."""
    roster = services.intake.roster
    found = services.coordinates.all(roster)
    return [device for device in found if device_within(roster, scope, device) is not None]


def _warnings(services: Services, scope: Scope) -> list[dict[str, str]]:
    """What a person should look into; the server is well all the same."""
    warnings = []
    devices = suspected(services, scope)
    if devices:
        named = ", ".join(devices[:NAMED]) + (" …" if len(devices) > NAMED else "")
        warnings.append(
            {
                "what": "coordinates",
                "text": f"{len(devices)} device(s) lie in their units' own grids only when read in another "
                f"coordinate system than registered: {named}. GET /api/v1/units/{{id}} says which.",
                "zh": f"{len(devices)} 台设备按另一坐标系解读才落在责任网格内，登记可能有误：{named}。"
                "详见 GET /api/v1/units/{id}。",
            }
        )
    year = services.working_time.calendar.missing(services.rota.days.day_of(services.wall()))
    if year is not None:
        text = f"The holidays of {year} are not known: its weekends are taken as they are, and deadlines may be wrong."
        zh = f"缺少 {year} 年的节假日安排：周末按常规计算，时限可能不准。"
        text += " Put them into the file of holidays (docs/operations.md)."
        warnings.append({"what": "holidays", "text": text, "zh": f"{zh}请写入节假日文件（见 docs/operations.md）。"})
    if not (services.heads.configured or services.city.demo):
        warnings.append(
            {
                "what": "heads",
                "text": "The heads of history do not leave this server, so it proves nothing against whoever can "
                "write to it. Set head_file or head_url in [archive]; docs/archive.md says what that is for.",
                "zh": "历史的链头没有送出本服务器，对能写入本服务器的人不构成证明。"
                "请在 [archive] 中设置 head_file 或 head_url，用途见 docs/archive.md。",
            }
        )
    return warnings
