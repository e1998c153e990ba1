"""Which module may import what: the rules of the house as tables, and a checker of source text.

:func:`faults` answers one line for each arrow that points the wrong way; tests/test_layering.py runs it over
every module of ours, and over small bad sources to see that it can fail.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

MAY_IMPORT: dict[str, frozenset[str]] = {
    "protocols": frozenset(),
    "storage": frozenset(),
    "simulator": frozenset({"protocols"}),
    "tracker": frozenset({"protocols", "storage"}),
    "dispatch": frozenset({"protocols", "storage", "tracker"}),
    "webmap": frozenset({"protocols", "storage", "tracker", "dispatch"}),
}
"""Each package with those of ours that it may import besides itself."""

ABOVE_ALL = frozenset({"twistd", "demo", "demo_tasks", "tests", "bench"})
"""Nobody imports these: the composition root with its demo, and what looks at the house from outside."""

OUTSIDE_WORLD = frozenset({"twisted", "asyncio", "redis", "os", "time"})
"""What only shells, stores, services and storage/ touch."""

SHELLS = frozenset({"tcp", "udp", "websocket", "http", "store", "service", "__main__"})
"""Their file names (without .py), the same in every package but protocols."""

MORE_SHELLS: dict[str, frozenset[str]] = {
    "simulator": frozenset({"keeper", "uploader"}),
    "dispatch": frozenset(
        {
            "assembly",
            "answers",
            "archiving",
            "copies",
            "copying",
            "courier",
            "desk",
            "evidence",
            "minder",
            "notifier",
            "road_desk",
            "roads_tool",
            "rounds",
            "sos_watch",
            "steps",
            "webhook_sender",
        }
    ),
    "tracker": frozenset(
        {
            "intake",
            "links",
            "applier",
            "mirror",
            "tracks",
            "site",
            "archiving",
            "assembly",
            "archivist",
            "backups",
            "certifying",
            "listening",
            "duty_clerk",
            "exporting",
            "off_duty",
            "removals",
            "steward",
            "telling",
            "tls",
            "verifying",
        }
    ),
    "webmap": frozenset(
        {
            "access",
            "access_api",
            "api",
            "attendance_days",
            "authority_site",
            "desk_api",
            "stories",
            "task_api",
            "account_api",
            "assembly",
            "login_api",
            "me_api",
            "password_tool",
            "safe",
            "sign_in",
            "storage_api",
            "track_api",
            "grid_api",
            "importer",
            "join_site",
            "work_site",
            "person_api",
            "person_tool",
            "rota_api",
            "routes",
            "sessions",
            "services",
            "tiles",
        }
    ),
}
"""Those that one package has besides: what waits for others, and so has a loop, a Deferred or a clock of its own."""

FREE_PACKAGES = frozenset({"storage"})

NEVER_IN_PROTOCOLS = OUTSIDE_WORLD | {
    "autobahn",
    "importlib",
    "multiprocessing",
    "random",
    "secrets",
    "select",
    "selectors",
    "shutil",
    "signal",
    "socket",
    "sqlite3",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "urllib.request",
    "uuid",
}
"""Bytes and meaning need no machine: the same bytes give the same values anywhere."""

_CLOCKS = frozenset({"now", "utcnow", "today"})


def faults(path: str, source: str) -> list[str]:
    """What is wrong in the module at ``path`` (relative to the project, with slashes), in words."""
    *folders, file = path.removesuffix(".py").split("/")
    package = folders[0]
    tree = ast.parse(source, path)
    free = (
        package in FREE_PACKAGES or file in MORE_SHELLS.get(package, ()) or (file in SHELLS and package != "protocols")
    )
    found = [(line, _fault_of_import(package, module, free)) for line, module in _imports(tree, folders)]
    if not free:
        found += [(line, f"asks the clock ({what}); time is an argument") for line, what in _clocks(tree)]
    return list(dict.fromkeys(f"{path}:{line}: {told}" for line, told in found if told))


def _fault_of_import(package: str, module: str, free: bool) -> str | None:
    top = module.partition(".")[0]
    if top in ABOVE_ALL:
        return f"nothing imports {top}"
    if top in MAY_IMPORT and top != package and top not in MAY_IMPORT[package]:
        return f"{package} does not know {top}"
    if package == "protocols" and (top in NEVER_IN_PROTOCOLS or module in NEVER_IN_PROTOCOLS):
        return f"protocols has no use for {module}"
    if top in OUTSIDE_WORLD and not free:
        return f"only shells, stores, services and storage import {top}"
    return None


def _imports(tree: ast.AST, folders: list[str]) -> Iterator[tuple[int, str]]:
    """Line and full name of every module that is imported anywhere in the tree, for typing only or not."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = folders[: len(folders) + 1 - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            # "from urllib import request" imports urllib.request; a name that is no module does no harm here.
            yield from ((node.lineno, f"{module}.{alias.name}".lstrip(".")) for alias in node.names)
            if module:
                yield node.lineno, module


def _clocks(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value)
            kind = owner.rpartition(".")[2]
            if (node.attr in _CLOCKS and kind in ("datetime", "date")) or (kind == "time" and node.attr == "time"):
                yield node.lineno, f"{owner}.{node.attr}"
