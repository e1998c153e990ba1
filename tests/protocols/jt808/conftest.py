"""No clock in these tests: a slow machine is no failure, so hypothesis gets no deadline."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
