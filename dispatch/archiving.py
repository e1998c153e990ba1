"""The archivist's child (tracker/archiving.py) with what dispatch knows: ``python -P -m dispatch.archiving``."""

from __future__ import annotations

import os
import sys

from dispatch.books import Books
from tracker.archiving import main

if __name__ == "__main__":
    os.nice(19)
    sys.exit(main(lambda day_of: Books(day_of).by_type()))
