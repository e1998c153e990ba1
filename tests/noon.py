"""A zone in which it is noon: no day begins or ends while a test looks, at whatever hour it runs."""

from __future__ import annotations

from datetime import UTC, datetime

_AHEAD = 12 - datetime.now(UTC).hour
NOON = f"Etc/GMT{-_AHEAD:+d}" if _AHEAD else "Etc/GMT"
"""Its name. In these names the sign is the other way round."""
