"""Numbers for Prometheus, read when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from tracker.model import Presence
from webmap.services import Services

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Collector:
    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterator[Any]:
        services = self._services
        intake, applier, mirror = services.intake, services.applier, services.mirror
        accepted = CounterMetricFamily("gridbeat_reports_accepted", "Reports journalled", labels=["protocol"])
        refused = CounterMetricFamily("gridbeat_reports_refused", "What was refused", labels=["protocol", "reason"])
        connections = GaugeMetricFamily("gridbeat_connections", "Open device links", labels=["protocol"])
        for protocol, view in intake.counters.view().items():
            accepted.add_metric([protocol], view["accepted"])  # type: ignore[arg-type]
            connections.add_metric([protocol], view["connections"])  # type: ignore[arg-type]
            for reason, number in view["refused"].items():  # type: ignore[attr-defined]
                refused.add_metric([protocol, reason], number)
        yield accepted
        yield refused
        yield connections
        yield CounterMetricFamily("gridbeat_journal_commits", "Commits of the journal", intake.journal.commits)
        yield GaugeMetricFamily("gridbeat_journal_last_record", "Newest record number", intake.journal.last)
        yield GaugeMetricFamily(
            "gridbeat_journal_waiting_records", "Records that wait for disk", intake.journal.waiting
        )
        space = services.space
        yield GaugeMetricFamily("gridbeat_disk_free_bytes", "Free on the data folder's disk", space.free)
        yield GaugeMetricFamily("gridbeat_disk_reserve_bytes", "Kept free", space.reserve if space.held else 0)
        yield CounterMetricFamily("gridbeat_disk_reserve_released", "Times the reserve was given up", space.released)
        yield GaugeMetricFamily("gridbeat_live_stored_record", "Newest record in live state", applier.stored)
        behind = applier.behind(services.wall()) / 1000
        yield GaugeMetricFamily("gridbeat_live_behind_seconds", "Age of the oldest record not in live state", behind)
        yield CounterMetricFamily("gridbeat_live_resyncs", "Times the store was brought in step", applier.resyncs)
        yield CounterMetricFamily("gridbeat_duplicates", "Points that came again", applier.pipeline.duplicates)
        doubted = CounterMetricFamily("gridbeat_points_doubted", "Points by doubt, live", labels=["doubt"])
        for doubt, number in applier.pipeline.doubted.items():
            doubted.add_metric([(doubt.name or "").lower()], number)
        yield doubted
        units = GaugeMetricFamily("gridbeat_units", "Units by presence", labels=["presence"])
        states = [mirror.presence(unit) for unit in intake.roster.units]
        for state in Presence:
            units.add_metric([state.name.lower()], states.count(state))
        yield units
        suspected = len(services.coordinates.all(intake.roster))
        yield GaugeMetricFamily("gridbeat_coordinate_warnings", "Devices read in a doubtful system", suspected)
        yield GaugeMetricFamily("gridbeat_viewers", "Open live maps", len(services.feed.viewers))


def render(services: Services) -> bytes:
    """The exposition text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(services))
    return generate_latest(registry)
