"""``./run backup TARGET`` and ``./run restore BACKUP``: the words, the settings, and what is told to whoever asked."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

from storage import backup, config, restore
from storage.backup_files import About, BackupError, read_about, size
from storage.toml import ConfigError
from storage.upgrade import FolderError
from tracker.catalogue import PORTS

CALM = 19
"""The priority of a backup: whoever is on patrol comes first."""


def main(words: Sequence[str] | None = None) -> int:
    """The exit status: 0 when it is done, 1 when it is not, 2 for words that make no sense."""
    given = _parser().parse_args(words)
    os.umask(0o077)
    try:
        if given.command == "backup":
            os.nice(CALM)
            _back_up(given.target.absolute(), _config(given), given.prune)
        else:
            _restore(given.backup.absolute(), _config(given))
    except FolderError as error:
        return _failed(str(error))
    except ConfigError as error:
        return _failed(f"The settings cannot be used 设置有误:\n{error}")
    except PermissionError as error:
        return _failed(
            f"{error.filename or given.command}: {error.strerror}. Run it as the user that the server runs as.\n"
            "权限不足：请以运行服务器的用户执行。"
        )
    except OSError as error:
        return _failed(f"{error.filename or given.command}: {error.strerror}. Nothing counts that is not whole.\n"
                       f"{error.filename or given.command} 读写出错：未完成的内容不会生效。")  # fmt: skip
    except KeyboardInterrupt:
        return _failed(f"{given.command}: broken off 已中断")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./run", description="Backup and restore; docs/operations.md says more.")
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("backup", help="into a folder of its own in TARGET, while the server runs or not")
    make.add_argument("target", type=Path, metavar="TARGET", help="a folder, best on another disk")
    make.add_argument("--prune", action="store_true", help="then delete backups there that are past their limit")
    bring = commands.add_parser("restore", help="into the empty data folder that the settings name")
    bring.add_argument("backup", type=Path, metavar="BACKUP", help="a folder that ./run backup has made")
    for command in (make, bring):
        command.add_argument(
            "--config", type=Path, help="the city's settings (default: $GRIDBEAT_CONFIG, else the demo)"
        )
    return parser


def _config(given: argparse.Namespace) -> Path | None:
    named = given.config or os.environ.get("GRIDBEAT_CONFIG")
    return Path(named).absolute() if named else None


def _read(path: Path | None) -> config.Settings:
    return config.read(path, PORTS) if path else config.defaults(PORTS)


def _back_up(target: Path, path: Path | None, prune: bool) -> None:
    settings = _read(path)
    kept = settings.archive
    now = time.time_ns() // 1_000_000
    began = time.monotonic()
    made = backup.make(
        settings.data, target, settings=path, city=settings.city.name, zone=ZoneInfo(settings.city.zone),
        keep_days=min(kept.fixes_days, kept.events_days, kept.access_days, kept.photos_days), now=now, tell=_say,
    )  # fmt: skip
    for text in made.odd:
        _say(f"note 注意: {text}")
    about = made.about
    print(
        f"{made.path}\n{about.files} files, {size(about.size)} ({size(made.copied)} copied, {size(made.linked)} as in "
        f"the backup before), up to record {about.last}, in {time.monotonic() - began:.0f} s. It holds who was where "
        f"and the keys of the city: keep it locked up, and delete it after {about.delete_after:%Y-%m-%d}."
    )
    print(
        f"备份完成：{about.files} 个文件，{size(about.size)}，截至记录 {about.last}。其中含人员轨迹与密钥，"
        f"请妥善保管，并在 {about.delete_after:%Y-%m-%d} 之后删除。"
    )
    if target.stat().st_dev == settings.data.stat().st_dev:
        _say("note: this is the disk that the data is on, and fails with it 注意：备份与数据在同一磁盘上，会一同损坏")
    for basemap in settings.basemaps:
        if basemap.file != Path():
            _say(f"not in it 未包含: {basemap.file} (map tiles 地图瓦片)")
    for file, what in ((settings.dispatch.rules, "rules 规则"), (settings.dispatch.roads, "roads 路网")):
        if file is not None:
            _say(f"not in it 未包含: {file} ({what})")
    _past_limit(target, about, prune)


def _past_limit(target: Path, about: About, prune: bool) -> None:
    for path, old in backup.expired(target, about.journal, about.made):
        if prune:
            backup.remove(path)
            print(f"deleted 已删除: {path} ({old.delete_after:%Y-%m-%d})")
        else:
            print(f"past its limit; --prune deletes it 已过期，--prune 可删除: {path} ({old.delete_after:%Y-%m-%d})")


def _restore(source: Path, path: Path | None) -> None:
    about = read_about(source)
    began = time.monotonic()
    new = None
    if about.settings and path is None:
        raise BackupError(
            "Say where the settings are, or are to be: --config city.toml. If there is no such file it is made from "
            "the backup's.",
            "请指定设置文件：--config city.toml。若文件不存在，将使用备份中的设置文件。",
        )
    if path is not None and not path.exists():
        if not path.parent.is_dir():
            raise BackupError(
                f"There is no folder {path.parent} for the settings: make it first.",
                f"存放设置文件的目录 {path.parent} 不存在：请先创建。",
            )
        if not about.settings:
            raise BackupError(
                f"There is no settings file {path}, and none in the backup.", f"{path} 不存在，备份中也没有设置文件。"
            )
        # Under another name until the data is there; beside where it will be, for paths in it are relative to it.
        new = path.with_name(path.name + ".restoring")
        new.write_bytes((source / about.settings).read_bytes())
    elif path is not None and about.settings and path.read_bytes() != (source / about.settings).read_bytes():
        _say(f"{path} is not as in the backup and stays as it is 与备份中的设置不同，保留现有文件")
    try:
        settings = _read(new or path)
        restored = restore.restore(source, settings.data, _say)
    except BaseException:
        if new is not None:
            new.unlink(missing_ok=True)
        raise
    if new is not None and path is not None:
        new.rename(path)
        if os.geteuid() == 0:
            owner = settings.data.stat()
            os.chown(path, owner.st_uid, owner.st_gid)  # the server's user is to read it
    how = f"./run --config {path}" if path else "./run"
    print(
        f"{settings.data}: {restored.files} files, {size(restored.bytes)}, as of {about.made:%Y-%m-%d %H:%M:%S} "
        f"(record {about.last}), in {time.monotonic() - began:.0f} s. Start it: {how}\n"
        "Devices' tokens, the login and sessions are good as before; what is live is built anew at the start."
    )
    print(
        f"已恢复至 {about.made:%Y-%m-%d %H:%M:%S} 的状态。启动：{how}\n"
        "设备令牌、登录和会话仍然有效；实时状态在启动时重建。"
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _failed(text: str) -> int:
    _say(text)
    return 1


if __name__ == "__main__":
    sys.exit(main())
