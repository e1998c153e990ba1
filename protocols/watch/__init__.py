"""The protocol of GPS watches and wristbands, text in brackets over TCP. See docs/wire/trackers.md.

``framing`` cuts the stream, ``messages`` turns one message into a report, ``core`` is the conversation, and ``client``
makes what a watch sends.
"""

from protocols.watch.core import Watch

__all__ = ["Watch"]
