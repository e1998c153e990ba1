"""Numbers for Prometheus, read when asked for. Those of units are of the units within the asker's reach."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from tracker.model import Presence
from webmap.dispatch_health import dispatch_numbers
from webmap.health import suspected
from webmap.rights import Scope
from webmap.services import Services

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Collector:
    def __init__(self, services: Services, scope: Scope) -> None:
        self._services = services
        self._scope = scope

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
        yield GaugeMetricFamily("gridbeat_disk_level", "Room on it: 0 enough, 1 low, 2 critical", int(space.level))
        yield from self._history()
        yield GaugeMetricFamily("gridbeat_live_stored_record", "Newest record in live state", applier.stored)
        behind = applier.behind(services.wall()) / 1000
        yield GaugeMetricFamily("gridbeat_live_behind_seconds", "Age of the oldest record not in live state", behind)
        yield CounterMetricFamily("gridbeat_live_resyncs", "Times the store was brought in step", applier.resyncs)
        roads = services.rounds.roads
        if roads is not None:
            yield CounterMetricFamily("gridbeat_roads_asked", "Tasks for which rounds wanted ways", roads.asked)
            yield CounterMetricFamily("gridbeat_roads_late", "Those whose ways were not there in time", roads.late)
        yield CounterMetricFamily("gridbeat_duplicates", "Points that came again", applier.pipeline.duplicates)
        doubted = CounterMetricFamily("gridbeat_points_doubted", "Points by doubt, live", labels=["doubt"])
        for doubt, number in applier.pipeline.doubted.items():
            doubted.add_metric([(doubt.name or "").lower()], number)
        yield doubted
        units = GaugeMetricFamily("gridbeat_units", "Units by presence", labels=["presence"])
        states = [mirror.presence(unit.id) for unit in intake.roster.units.values() if self._scope.covers(unit)]
        for state in Presence:
            units.add_metric([state.name.lower()], states.count(state))
        yield units
        doubtful = len(suspected(services, self._scope))
        yield GaugeMetricFamily("gridbeat_coordinate_warnings", "Devices read in a doubtful system", doubtful)
        failed = services.access.failed
        yield CounterMetricFamily(
            "gridbeat_access_unrecorded", "Looks at people's data that the disk did not take", failed
        )
        yield GaugeMetricFamily("gridbeat_viewers", "Open live maps", services.feed.viewers)
        yield from dispatch_numbers(services, self._scope)

    def _history(self) -> Iterator[Any]:
        """What history takes; without what the disk has not been looked at for yet."""
        steward, archivist = self._services.steward, self._services.archivist
        ended = GaugeMetricFamily("gridbeat_archive_job_ended", "Unix time at which a job ended last", labels=["job"])
        took = GaugeMetricFamily("gridbeat_archive_job_seconds", "How long it took", labels=["job"])
        failed = GaugeMetricFamily("gridbeat_archive_job_failed", "1 if it failed", labels=["job"])
        for job, outcome in archivist.outcomes.items():
            ended.add_metric([job], outcome.at / 1000)
            took.add_metric([job], outcome.took / 1000)
            failed.add_metric([job], int(bool(outcome.failure)))
        yield from (ended, took, failed)
        stock = steward.stock
        if stock is None:
            return
        used = GaugeMetricFamily("gridbeat_history_bytes", "What history takes", labels=["class"])
        days = GaugeMetricFamily("gridbeat_history_days", "City days that are there", labels=["class"])
        budget = GaugeMetricFamily("gridbeat_history_budget_bytes", "What it may take", labels=["class"])
        until = GaugeMetricFamily("gridbeat_history_full_in_days", "Until it takes that", labels=["class"])
        for kind, usage in stock.measured.classes.items():
            used.add_metric([kind], usage.used)
            days.add_metric([kind], len({*usage.closed, *usage.open}))
            if steward.limits[kind].budget:
                budget.add_metric([kind], steward.limits[kind].budget)
            if kind in stock.full_in:
                until.add_metric([kind], stock.full_in[kind])
        yield from (used, days, budget, until)
        gone = CounterMetricFamily("gridbeat_history_deleted_days", "Days deleted, ever", labels=["class", "reason"])
        for (kind, reason), count in stock.daybook.deleted.items():
            gone.add_metric([kind, reason], count)
        yield gone
        if stock.disk_full_in is not None:
            yield GaugeMetricFamily("gridbeat_disk_full_in_days", "Until history is shed", stock.disk_full_in)
        yield GaugeMetricFamily("gridbeat_disk_size_bytes", "Size of that disk", stock.measured.total)
        journal = sum(stock.measured.journal.values())
        yield GaugeMetricFamily("gridbeat_journal_bytes", "What the journal takes", journal)
        yield GaugeMetricFamily("gridbeat_live_file_bytes", "What the embedded server takes", stock.measured.live)


def render(services: Services, scope: Scope) -> bytes:
    """The exposition text. Units and what is wrong with their devices are counted within the scope."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(services, scope))
    return generate_latest(registry)
