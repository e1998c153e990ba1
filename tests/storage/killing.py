"""kill -9 at a line of one's choice, so that a test can have it at every line of what it tests."""

from __future__ import annotations

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Collection
from types import FrameType, ModuleType
from typing import Any


def killed_at(number: int, modules: Collection[ModuleType], work: Callable[[], object]) -> bool:
    """Do the work in a child that is killed before the line of these modules that comes after ``number`` others;
    whether it ended before."""
    files = {module.__file__ for module in modules}
    with warnings.catch_warnings():
        # Threads that other tests left: they hold nothing that the child needs.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        left = number

        def trace(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal left
            if frame.f_code.co_filename not in files:
                return None
            if event == "line":
                if not left:
                    os.kill(os.getpid(), signal.SIGKILL)
                left -= 1
            return trace

        status = 3
        try:
            sys.settrace(trace)
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    assert status in (0, signal.SIGKILL), "the child failed; its error is above"
    return status == 0
