"""The archivist's child: does one job and ends. ``python -P -m tracker.archiving`` with the job as JSON on its standard
input; what it prints is one JSON object a line, the last of which holds ``done`` or ``failed``. The server runs another
module that hands over the books which are not known here.

It works at the lowest priority and under the archive's lock, so there is one job at a time whoever started it.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from storage.archive.archive import Archive
from storage.journal_files import JournalFiles
from tracker.archive_context import Books, Context, Job, Result, no_books
from tracker.archive_export import export_person
from tracker.archive_off_duty import remove_off_duty
from tracker.archive_removal import remove_person
from tracker.archive_tidy import close_photos, tidy
from tracker.checkpoint import snapshot, states
from tracker.closing import close
from tracker.sealing import merge, seal
from tracker.verifying import verify

JOBS: Mapping[str, Job] = {
    "seal": seal,
    "merge": merge,
    "close": close,
    "snapshot": snapshot,
    "states": states,
    "close_photos": close_photos,
    "tidy": tidy,
    "export_person": export_person,
    "remove_person": remove_person,
    "remove_off_duty": remove_off_duty,
    "verify": verify,
}


def do(request: Mapping[str, Any], tell: Any, books: Books = no_books) -> Result:
    """One job: ``job``, ``data`` (folder), ``zone``, ``now`` (ms), ``arguments``."""
    data = Path(request["data"])
    archive = Archive(data / "archive", request["zone"])
    with locked(archive.layout.lock, lambda: tell({"waiting": "lock"})):
        context = Context(data, archive, JournalFiles(data / "journal"), int(request["now"]), tell, books)
        return JOBS[request["job"]](context, request.get("arguments") or {})


@contextmanager
def locked(path: Path, waiting: Any) -> Iterator[None]:
    """Hold a lock file; ``waiting`` is called if somebody else has it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def main(books: Books = no_books) -> int:
    def say(message: Result) -> None:
        print(json.dumps(message, ensure_ascii=False), flush=True)

    try:
        result = do(json.load(sys.stdin), lambda progress: say({"progress": progress}), books)
    except Exception as error:
        traceback.print_exc()
        say({"failed": f"{type(error).__name__}: {error}"})
        return 1
    say({"done": result})
    return 0


if __name__ == "__main__":
    os.nice(19)
    sys.exit(main())
