"""What is wrong with the disk or with history on it, in words that say what to do and by when."""

from __future__ import annotations

from collections.abc import Iterator

from storage.archive.budgets import RECENT, SOON, Level, Limit, alarming
from storage.archive.layout import ACCESS, EVENTS, FIXES, PHOTOS, SNAPSHOTS, shifted
from storage.space import MEGABYTE, Space
from tracker.off_duty import OffDutyRemovals
from tracker.removals import Removals
from tracker.steward import Stock
from webmap.services import Services

Problem = dict[str, str]

NAMES = {
    FIXES: ("Fixes", "定位"),
    EVENTS: ("Events", "事件"),
    ACCESS: ("Access log", "查看记录"),
    PHOTOS: ("Photos", "照片"),
    SNAPSHOTS: ("Snapshots", "快照"),
}
"""What people call the classes of history."""
NAMED = 5


def problem(what: str, text: str, zh: str) -> Problem:
    """A short stable word, and what it means and what to do in two languages."""
    return {"what": what, "text": text, "zh": zh}


def storage_problems(services: Services) -> list[Problem]:
    """The most urgent first."""
    steward, stock = services.steward, services.steward.stock
    found = [*_disk(services.space, stock, steward.exhausted)]
    for kind, limit in steward.limits.items():
        if stock is not None and alarming(stock.measured.classes[kind], limit):
            found.append(_budget(kind, limit, stock))
    return [*found, *_photos(services), *_archive(services), *removal_problems(services.removals, services.off_duty)]


def _disk(space: Space, stock: Stock | None, exhausted: bool) -> Iterator[Problem]:
    left = f"{space.free // MEGABYTE:,} MB"
    if space.level is Level.LOW:
        goes, zh = (
            "The oldest days of history are deleted until there is room.",
            "正从最早的日期起删除历史，直至有空间。",
        )
        if exhausted:
            goes = f"Everything that may go has gone; the last {RECENT} days stay."
            zh = f"可删的均已删除，最近 {RECENT} 天保留。"
        yield problem(
            "space",
            f"The disk of the data folder is filling up: {left} are left. Reports and the map go on; photos and "
            f"exports are refused. {goes} Make room, or move the data folder to a larger disk.",
            f"数据目录所在磁盘空间不足：剩余 {left}。上报与地图照常，不再保存照片，不能导出。{zh}"
            "请清理空间，或将数据目录迁至更大的磁盘。",
        )
    elif space.level is Level.CRITICAL:
        needed = f"{-(-space.regain // MEGABYTE):,} MB"
        why, zh = (f" ({space.failure})", f"（{space.failure}）") if space.failure else ("", "")
        yield problem(
            "reserve",
            f"The disk of the data folder is nearly full: {left} are left{why}, and no reserve. When that is gone no "
            f"report is acknowledged any more. Make room now: with {needed} free the reserve is made again by itself.",
            f"数据目录所在磁盘即将写满：剩余 {left}{zh}，预留空间已用完。写满后将不再确认任何上报。"
            f"请立即清理空间：剩余达到 {needed} 后自动恢复预留。",
        )
    elif stock is not None and stock.disk_full_in is not None and stock.disk_full_in <= SOON:
        days, when = stock.disk_full_in, shifted(stock.today, stock.disk_full_in)
        yield problem(
            "filling",
            f"At the rate of the last week the disk of the data folder is full in {days} days, on {when}: {left} are "
            "left. From then on the oldest history is deleted. Make room, set budgets in [archive], or move the data "
            "folder to a larger disk.",
            f"按最近一周的速度，数据目录所在磁盘将在 {days} 天后（{when}）写满：剩余 {left}。"
            "届时将从最早的历史开始删除。请清理空间、在 [archive] 中设置配额，或将数据目录迁至更大的磁盘。",
        )


def _budget(kind: str, limit: Limit, stock: Stock) -> Problem:
    used, days = stock.measured.classes[kind].used, stock.full_in.get(kind)
    part = f"{100 * used // limit.budget} %"
    megabytes = f"{used // MEGABYTE:,}", f"{limit.budget // MEGABYTE:,} MB"
    if days is None:
        by = "At the rate of the last week they will not fill it: as much is deleted for its age as comes."
        zh = "按最近一周的速度不会写满：到期删除的与新增的相当。"
    elif days <= 1:
        by, zh = "Their oldest days are deleted at night.", "每晚删除其最早的日期。"
    else:
        when = shifted(stock.today, days)
        by = f"At the rate of the last week it is full in {days} days, on {when}; then their oldest days go at night."
        zh = f"按最近一周的速度将在 {days} 天后（{when}）写满，此后每晚删除其最早的日期。"
    return problem(
        "budget",
        f"{NAMES[kind][0]} take {part} of the room that they may ({megabytes[0]} of {megabytes[1]}). {by} To keep "
        f"more, raise {kind}_mb in [archive]; to keep less, lower the days.",
        f"{NAMES[kind][1]}已用配额的 {part}（{megabytes[0]} / {megabytes[1]}）。{zh}"
        f"需要多留请调大 [archive] 的 {kind}_mb，否则调小保存天数。",
    )


def _photos(services: Services) -> Iterator[Problem]:
    blobs = services.links.photos.blobs
    blobs.recount()
    if blobs.at_limit:
        kept = f"{blobs.count:,}", f"{blobs.used // MEGABYTE:,} MB"
        yield problem(
            "media",
            f"The store of photos is full: {kept[0]} files, {kept[1]}. New photos are refused, the terminals keep "
            f"theirs while they can. At night the oldest days go, but for the last {RECENT}. Raise photos_mb in "
            "[archive], or have fewer photos taken.",
            f"照片存储已满：{kept[0]} 个文件，{kept[1]}。不再接收新照片，由终端尽量保留。"
            f"每晚删除最早日期的照片，但最近 {RECENT} 天除外。请调大 [archive] 的 photos_mb，或减少拍照。",
        )


def _archive(services: Services) -> Iterator[Problem]:
    for job, failure in services.archivist.problems:
        yield problem(
            "archive",
            f"The archive's job {job} failed: {failure}. Nothing is lost: it is tried again within the hour, and the "
            "journal keeps what is not sealed. If it goes on, look at the log and at the disk.",
            f"归档任务 {job} 失败：{failure}。数据没有丢失：一小时内重试，未封存的内容仍在日志中。"
            "如持续出现，请查看运行日志和磁盘。",
        )
    damaged = services.tracks.archive.reader.damaged
    if damaged:
        named = "; ".join(f"{path.name} ({reason})" for path, reason in sorted(damaged.items())[:NAMED])
        yield problem(
            "unreadable",
            f"{len(damaged)} file(s) of history cannot be read: {named}. Tracks come without what is in them and say "
            "so. Check the disk, and take the files from a backup.",
            f"{len(damaged)} 个历史文件无法读取：{named}。轨迹中缺少其内容并会注明。"
            "请检查磁盘，并从备份中恢复这些文件。",
        )
    verified = services.archivist.outcomes.get("verify")
    broken = any(chain.broken for chain in services.archive.chains.values())
    if broken or (verified is not None and verified.result.get("sound") is False):
        yield problem(
            "chain",
            "History is not what was sealed: something has changed it. The page of storage says which files; "
            "./run verify says more. Leave the folder as it is, and compare with a backup.",
            "历史与封存时不符：内容已被更改。涉及的文件见存储页面，或运行 ./run verify。请保持目录现状，并与备份比对。",
        )


def removal_problems(removals: Removals, off_duty: OffDutyRemovals) -> Iterator[Problem]:
    """What was promised to go and waits."""
    for removal in removals.waiting:
        yield problem(
            "removal",
            f"The removal {removal.ticket} of a person's data waits: {removal.problem}. It is tried again each minute.",
            f"个人数据删除 {removal.ticket} 暂停：{removal.problem}。每分钟重试一次。",
        )
    if off_duty.problem:
        number, why = len(off_duty), off_duty.problem
        yield problem(
            "off_duty",
            f"What turned out to be off duty waits to be removed ({number}): {why}. It is tried again every 10 s. "
            "If it goes on, look at the log and at the disk.",
            f"事后判明为不在岗的数据等待删除（{number} 段）：{why}。每 10 秒重试一次；"
            "如持续出现，请查看运行日志和磁盘。",
        )
