"""``./run new-password [name]``: another password for an account whose own is lost, for whoever runs the server.

It leaves a request in the data folder (:mod:`webmap.lost_password`), so it needs neither the old password nor a server
that runs.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from webmap.importer import Failed, settings_of
from webmap.lost_password import REFUSED, REQUEST
from webmap.passwords import FirstAdmin, hashed, random_password
from webmap.safe import write_private

PATIENCE_S = 10.0
"""A server that runs takes the request up within two seconds."""


def main(words: Sequence[str] | None = None) -> int:
    """The exit status: 0 when it is done or left for the next start, 1 when not, 2 for words that make no sense."""
    given = _parser().parse_args(words)
    try:
        data = settings_of(given.config).data
        if not (data / "journal").is_dir():
            raise Failed(f"{data} holds no data: are these the right settings (--config city.toml)? 该目录没有数据")
        password = random_password()
        _ask(data, given.name, password)
        taken = _answer(data)
    except (Failed, OSError) as failed:
        print(f"new-password: {failed}.", file=sys.stderr)
        return 1
    print(f"{given.name} / {password}")
    if taken:
        print(
            "It is in force now; another one must be chosen at the first sign-in. Two-step sign-in is off.\n"
            "已生效；首次登录须设置新密码，两步验证已关闭。"
        )
    else:
        print(
            "No server took it up: it will be in force as soon as one runs over this data folder.\n"
            "服务器未在运行：下次启动后生效。"
        )
    return 0


def _ask(data: Path, name: str, password: str) -> None:
    (data / REFUSED).unlink(missing_ok=True)
    request = data / REQUEST
    write_private(request, json.dumps({"name": name, "argon2id": hashed(password)}).encode())
    if os.geteuid() == 0:
        # The server runs as another user, who is to read and remove it.
        owner = data.stat()
        os.chown(request, owner.st_uid, owner.st_gid)


def _answer(data: Path) -> bool:
    """Whether a server has taken the request up."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if not (data / REQUEST).exists():
            if (data / REFUSED).exists():
                told = json.loads((data / REFUSED).read_bytes())
                (data / REFUSED).unlink(missing_ok=True)
                raise Failed(f"{told['text']} {told['zh']}")
            return True
        time.sleep(0.1)
    return False


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./run new-password", description="Makes another password for an account whose own is lost."
    )
    parser.add_argument(
        "name", nargs="?", default=FirstAdmin.name, help="the account (default: that of the first start)"
    )
    parser.add_argument("--config", type=Path, help="the city's settings (default: $GRIDBEAT_CONFIG, else the demo)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
