"""``./run person export ID`` and ``./run person remove ID``: a person's data, by the API of the running city."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from webmap.importer import Api, Failed, console_of, log_in, settings_of

PAUSE_S = 0.5
WENT = {
    "records": "records of the journal", "rows": "rows of history", "photos": "photos",
    "uploads": "photos on their way", "exports": "exports",
}  # fmt: skip


def main(words: Sequence[str] | None = None) -> int:
    """The exit status: 0 when it is done, 1 when not, 2 for words that make no sense."""
    given = _parser().parse_args(words)
    try:
        settings = settings_of(given.config)
        api = console_of(settings, given.url)
        log_in(api, given, settings)
        path = f"/api/v1/units/{quote(given.id, safe='')}"
        if given.what == "export":
            return _export(api, path, given)
        return _remove(api, path, given, ZoneInfo(settings.city.zone))
    except (Failed, OSError) as failed:
        print(f"person: {failed}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("person: stopped watching; the server goes on.", file=sys.stderr)
        return 1


def _export(api: Api, path: str, given: argparse.Namespace) -> int:
    out: Path = given.out or Path(f"{given.id}.zip")
    if out.exists():
        raise Failed(f"{out} is there already")
    why = {"reason": given.reason or _asked("Why (this goes on record) 原因（将记录在案）: ")}
    api.ask("POST", f"{path}/export", why)
    found = _watched(api, f"{path}/export", ("waiting", "running"), _export_step)
    if found["state"] != "ready":
        raise Failed(f"the export was not made: {found['problem'] or found['state']}")
    half = out.with_name(out.name + ".part")
    try:
        with half.open("xb") as file:
            half.chmod(0o600)
            api.fetch(f"{path}/export/file?{urlencode(why)}", file)
        half.rename(out)
    finally:
        half.unlink(missing_ok=True)
    print(
        f"{out}: {out.stat().st_size:,} bytes. It holds somebody's movements: keep it accordingly.\n"
        "导出完成。其中含个人轨迹，请妥善保管。"
    )
    return 0


def _export_step(found: Any) -> str:
    progress = found["progress"]
    return f"{progress['day']}  {progress['done']} of {progress['of']} days" if progress.get("day") else found["state"]


def _remove(api: Api, path: str, given: argparse.Namespace, zone: ZoneInfo) -> int:
    found = api.ask("GET", f"{path}/removal")
    if found["state"] == "none":
        unit, holds = api.ask("GET", path), found["holds"]
        print(
            f"{unit['name']} ({given.id}) and all that is kept of it will be removed: {holds['devices']} device(s), "
            f"every position and command, {holds['photos']} photo(s), {holds['exports']} export(s). Its devices are "
            "strangers from then on.\nThis cannot be undone. Make an export first if somebody is to have a copy.\n"
            f"将删除{unit['name']}（{given.id}）的全部数据：{holds['devices']} 台设备、全部位置与指令、"
            f"{holds['photos']} 张照片、{holds['exports']} 个导出。无法撤销；如需留存，请先导出。"
        )
        reason = given.reason or _asked(
            "Why (this is kept; it must not name the person) 原因（会保留，不得出现姓名、编号）: "
        )
        confirm = given.confirm or _asked(f"Type {given.id} to remove it for good 输入 {given.id} 以确认永久删除: ")
        found = api.ask("POST", f"{path}/removal", {"confirm": confirm, "reason": reason})
    found = _watched(api, f"{path}/removal", ("running",), lambda now: f"{now['step']} {now['day'] or ''}")
    if found["state"] != "done":
        raise Failed(f"it is not done: {found['problem']}")
    went = ", ".join(f"{count:,} {WENT.get(name, name)}" for name, count in found["counts"].items() if count)
    at = datetime.fromtimestamp(found["done"] / 1000, zone).strftime("%Y-%m-%d %H:%M")
    print(
        f"Removed (ticket {found['ticket']}): {went}.\nBackups made before {at} may still hold the data.\n"
        f"已删除（凭据号 {found['ticket']}）。{at} 之前的备份可能仍含有这些数据。"
    )
    return 0


def _asked(question: str) -> str:
    if not sys.stdin.isatty():
        raise Failed("give --reason and --confirm where nobody can be asked")
    return input(question)


def _watched(api: Api, path: str, while_in: Sequence[str], step: Any) -> Any:
    """Ask until the state is another; tell of each step once."""
    told = ""
    while (found := api.ask("GET", path))["state"] in while_in:
        now = str(found.get("problem") or step(found)).strip()
        if now != told:
            print(f"  {now}", file=sys.stderr)
            told = now
        time.sleep(PAUSE_S)
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./run person", description="Exports a person's or vehicle's data, or removes it for good."
    )
    parser.add_argument("what", choices=("export", "remove"))
    parser.add_argument("id", help="the unit's id")
    parser.add_argument("--out", type=Path, help="the ZIP (default: ID.zip)")
    parser.add_argument("--reason", help="why it is exported or removed, instead of being asked for it")
    parser.add_argument("--confirm", help="the unit's id once more, instead of being asked for it")
    parser.add_argument("--config", type=Path, help="the city's settings (default: $GRIDBEAT_CONFIG, else the demo)")
    parser.add_argument("--url", help="where the console is (default: as the settings say, on this machine)")
    parser.add_argument("--user", help="default: $GRIDBEAT_USER, else the account of the first start")
    parser.add_argument(
        "--password-file", type=Path, help="default: $GRIDBEAT_PASSWORD, else first-login.txt, else asked for"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
