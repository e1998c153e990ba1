"""H02: a text protocol with a binary short form, over TCP and UDP. See docs/wire/trackers.md.

``framing`` cuts the stream, ``messages`` turns one message into a report, ``core`` is the conversation, and ``client``
makes what a tracker sends.
"""

from protocols.h02.core import H02

__all__ = ["H02"]
