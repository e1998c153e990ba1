"""GT06: the binary protocol of the commonest cheap trackers, over TCP. See docs/wire/trackers.md.

``framing`` cuts the stream, ``messages`` turns one message's content into a report, ``core`` is the conversation, and
``client`` makes what a tracker sends.
"""

from protocols.gt06.core import Gt06

__all__ = ["Gt06"]
