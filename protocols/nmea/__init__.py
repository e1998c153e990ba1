"""NMEA 0183 over TCP and UDP, docs/wire/nmea.md.

``sentences`` reads one sentence with pynmea2 and ``fast`` the usual ones without, ``epochs`` makes those of one moment
a report, ``names`` finds out who speaks, ``core`` is the server's side, ``encoder`` writes for tests and load.
"""

from __future__ import annotations

from protocols.nmea.core import HOLD_MS, NmeaCore
from protocols.nmea.encoder import encode_epoch, encode_identity, sentence
from protocols.nmea.names import IDS
from protocols.nmea.sentences import LINE_LIMIT

__all__ = ["HOLD_MS", "IDS", "LINE_LIMIT", "NmeaCore", "encode_epoch", "encode_identity", "sentence"]
