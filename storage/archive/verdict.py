"""What came of verifying, in words: Chinese and English, for a terminal and for a page. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from storage.archive.chain import FAULTS
from storage.archive.verify import Finding, Proof, Report

SHOWN = 100
"""Findings and changes of each sort that a page or a terminal is given; the rest is counted."""
FINDINGS = {
    "garbled": (FAULTS["garbled"], "不是有效的记录"),
    "edited": (FAULTS["edited"], "记录被更改：摘要不符"),
    "order": (FAULTS["order"], "序号与前一条不连续：有记录被删除、插入或调换"),
    "link": (FAULTS["link"], "与前一条记录的摘要不衔接"),
    "changed": ("it was changed after it was sealed", "封存后内容被更改"),
    "swapped": ("it holds what was sealed as {other}", "内容是封存的 {other}，被调换"),
    "missing": ("it is missing, and no entry says that it was deleted", "文件缺失，且没有删除记录"),
    "renamed": ("it is missing; {other} holds what was sealed under this name", "文件缺失；其内容现为 {other}，被改名"),
    "unsealed": ("it lies there although nobody sealed it", "未经封存而被加入"),
    "copied": ("it is a copy of {other} that nobody sealed", "{other} 的副本，未经封存而被加入"),
    "interrupted": (
        "somebody's removal was cut short: what counts lies beside it as {other}; the server finishes it when it runs",
        "移除未完成：应有的内容在 {other}，服务器下次运行时完成",
    ),
    "unreadable": ("it cannot be read ({other})", "无法读取（{other}）"),
    "rewritten": (
        "entry {number} is not the one whose digest went out on {at}: the chain was written anew",
        "第 {number} 条记录与 {at} 送出的链头不符：链被重写",
    ),
    "tail": (
        "entry {number} went out as the head on {at} and is no longer there: the end was cut off",
        "{at} 送出的链头第 {number} 条记录已不存在：链尾被截断",
    ),
}
"""Each finding, by its word. What is told of a file follows on its name."""
REASONS = {
    "retention": ("older than it is kept", "超过保存期限"),
    "budget": ("beyond the room of its class", "超出该类配额"),
    "disk": ("the disk was full", "磁盘已满"),
}
"""Why days are deleted. Any other reason is told as it stands."""


def finding(one: Finding, zone: ZoneInfo) -> tuple[str, str]:
    """English and Chinese, without the name."""
    told = {"other": one.other, "number": one.number, "at": moment(one.at, zone)}
    english, chinese = FINDINGS[one.what]
    return english.format(**told), chinese.format(**told)


def moment(ms: int, zone: ZoneInfo) -> str:
    """A time as people of the city read it."""
    return datetime.fromtimestamp(ms / 1000, zone).strftime("%Y-%m-%d %H:%M")


def proof(one: Proof, zone: ZoneInfo) -> tuple[str, str]:
    """What heads prove of a class."""
    since, at = moment(one.since, zone), moment(one.at, zone)
    if not one.number:
        return (
            f"{one.kind}: nothing was sealed yet at the newest head, of {at}; {one.open} entries are newer.",
            f"{one.kind}：最新链头（{at}）送出时尚无封存内容；{one.open} 条记录晚于它。",
        )
    upto, zh = (f" (closed days up to {one.day})", f"（已关闭的日期至 {one.day}）") if one.day else ("", "")
    english = (
        f"{one.kind}: entries 1 to {one.number}{upto} are those of the head of {at}. The first head is of {since} and "
        f"covers {one.covered}: what was done before that cannot be seen. {one.open} entries are newer than any head."
    )
    chinese = (
        f"{one.kind}：第 1 至 {one.number} 条记录{zh}与 {at} 送出的链头一致。最早的链头为 {since}，"
        f"覆盖 {one.covered} 条，此前的改动无从查证；{one.open} 条记录晚于最新链头。"
    )
    return english, chinese


def verdict(report: Report) -> tuple[str, str]:
    """The last word."""
    count = _count(report)
    read = f"{report.files:,} files, {report.bytes:,} bytes, {report.entries:,} entries"
    zh = f"{report.files:,} 个文件、{report.bytes:,} 字节、{report.entries:,} 条记录"
    if count:
        return f"NOT as it was sealed: {count:,} finding(s) in {read}.", f"与封存时不符：{zh}中发现 {count:,} 处问题。"
    if not report.entries:
        return "Nothing is sealed yet: there is nothing to verify.", "尚无封存内容，无可核验。"
    if report.proofs:
        return f"As it was sealed: {read}, and as the heads say.", f"与封存时一致：{zh}，且与送出的链头相符。"
    english = (
        f"As it was sealed: {read}. Without heads that went out (--head FILE) this proves nothing against whoever can "
        "write to this folder: he can seal it all anew."
    )
    chinese = f"与封存时一致：{zh}。未提供送出的链头（--head FILE），对能写入该目录的人不构成证明：他可以全部重新封存。"
    return english, chinese


def lines(report: Report, zone: ZoneInfo) -> Iterator[str]:
    """For a terminal: findings, what was deleted and removed, what heads prove, and the verdict."""
    for one in report.findings[:SHOWN]:
        english, chinese = finding(one, zone)
        yield f"{one.name}: {english}"
        yield f"    {chinese}"
    more = _count(report) - min(len(report.findings), SHOWN)
    if more:
        yield f"… and {more:,} more 另有 {more:,} 处"
    told = [*changes(report, zone)]
    if report.waiting:
        waiting = f"{report.waiting:,}"
        told.append((f"{waiting} photos are not sealed yet; nothing is said of them.", f"{waiting} 张照片尚未封存。"))
    for english, chinese in (*told, *(proof(one, zone) for one in report.proofs), verdict(report)):
        yield english
        yield f"    {chinese}"


def _count(report: Report) -> int:
    return sum(count for what, count in report.counts.items() if what in FINDINGS)


def changes(report: Report, zone: ZoneInfo) -> Iterator[tuple[str, str]]:
    """What the chains tell of deletions and removals: no findings, but whoever reads a verdict should know of them."""
    for (kind, why), one in sorted(report.deletions.items()):
        english, chinese = REASONS.get(why, (why, why))
        yield (
            f"{kind}: deleted by {one.entries:,} entries: {one.files:,} files of {one.first} to {one.last} ({english})",
            f"{kind}：{one.entries:,} 条记录删除了 {one.first} 至 {one.last} 的 {one.files:,} 个文件（{chinese}）",
        )
    for removal in report.removals[-SHOWN:]:
        at, day, files = moment(removal.made, zone), removal.day, removal.files
        why = f" ({removal.reason})" if removal.reason else ""
        yield (
            f"{removal.kind}: removal, entry {removal.number} of {at}: {files} file(s) of {day} were written anew{why}",
            f"{removal.kind}：{at} 第 {removal.number} 条记录为依法移除，重写了 {day} 的 {files} 个文件{why}",
        )
    if report.counts["removal"] > SHOWN:
        yield f"{report.counts['removal']:,} removals in all", f"共 {report.counts['removal']:,} 次移除"


def result(report: Report, zone: ZoneInfo) -> dict[str, Any]:
    """For a page: plain values."""
    english, chinese = verdict(report)
    findings = []
    for one in report.findings[:SHOWN]:
        text, zh = finding(one, zone)
        findings.append({"name": one.name, "what": one.what, "text": text, "zh": zh})
    return {
        "sound": report.sound,
        "text": english,
        "zh": chinese,
        "files": report.files,
        "bytes": report.bytes,
        "entries": report.entries,
        "waiting": report.waiting,
        "counts": dict(report.counts),
        "findings": findings,
        "changes": [{"text": text, "zh": zh} for text, zh in changes(report, zone)],
    }
