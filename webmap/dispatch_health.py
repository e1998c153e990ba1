"""What is wrong with dispatch, in words, and its numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from dispatch.model import OPEN, TaskState
from dispatch.webhook_sender import Trouble
from webmap.rights import Scope
from webmap.services import Services

MINUTE_MS = 60_000
Problem = Callable[[str, str, str], None]


def dispatch_problems(services: Services, now: int, problem: Problem) -> None:
    """Tell what is wrong with webhooks, if they go anywhere."""
    trouble = None if services.webhooks is None else services.webhooks.trouble(now)
    if trouble is not None:
        webhook_problems(trouble, now, problem)


def webhook_problems(trouble: Trouble, now: int, problem: Problem) -> None:
    """Tell why the case system does not hear of everything."""
    host, waiting, reason = trouble.host, trouble.waiting, trouble.reason
    if trouble.since:
        minutes = (now - trouble.since) // MINUTE_MS
        problem(
            "webhook",
            f"For {minutes} min no webhook could go to {host}: {reason}. {waiting} wait and go by themselves, in their "
            "order, when it answers again. See whether that server runs, and [webhook] url.",
            f"已有 {minutes} 分钟无法向 {host} 推送：{reason}。{waiting} 条消息等待中，恢复后按顺序自动送出。"
            "请检查对方服务及 [webhook] url。",
        )
    if trouble.stuck:
        problem(
            "webhook",
            f"{host} refuses what it is told of {trouble.stuck} task(s) or report(s): {reason}. What comes after it of "
            "the same waits. The log of that server says why.",
            f"{host} 拒收 {trouble.stuck} 个任务或上报的消息：{reason}。其后续消息等待中，请查看对方日志。",
        )
    if trouble.missed:
        problem(
            "webhook",
            f"{host} has not taken webhooks for so long that {trouble.missed} were not kept. It is told how many when "
            "there is room; let it ask for the tasks then (GET /api/v1/tasks).",
            f"{host} 长时间未接收推送，有 {trouble.missed} 条未予保留。恢复后会告知其数量，"
            "请对方届时重新查询任务（GET /api/v1/tasks）。",
        )


def dispatch_numbers(services: Services, scope: Scope) -> Iterator[Any]:
    """For Prometheus. Tasks are counted within the scope."""
    desk, now = services.desk, services.wall()
    tasks = [task for task in desk.book.open() if scope.covers_street(task.street)]
    states = Counter(task.state for task in tasks)
    found = GaugeMetricFamily("gridbeat_tasks_open", "Open tasks by state", labels=["state"])
    for state in TaskState:
        if state in OPEN:
            found.add_metric([str(state)], states[state])
    yield found
    late = sum(task.state is not TaskState.SUSPENDED and task.result is None and task.due < now for task in tasks)
    yield GaugeMetricFamily("gridbeat_tasks_late", "Open tasks that are due and have no answer", late)
    levels = GaugeMetricFamily("gridbeat_tasks_level", "Tasks that nobody has accepted, by level", labels=["level"])
    waiting = Counter(task.level for task in tasks if task.state in (TaskState.QUEUED, TaskState.ASSIGNED))
    for level in sorted(waiting):
        levels.add_metric([str(level)], waiting[level])
    yield levels
    rounds = services.rounds
    yield CounterMetricFamily("gridbeat_dispatch_rounds", "Rounds of dispatch", rounds.rounds)
    yield CounterMetricFamily("gridbeat_dispatch_round_seconds", "CPU of all rounds", rounds.seconds)
    units = services.intake.roster.units
    ringing = sum(call.ringing and call.unit in units and scope.covers(units[call.unit])
                  for call in services.sos.book.all())  # fmt: skip
    yield GaugeMetricFamily("gridbeat_sos_ringing", "Calls for help that nobody has acknowledged", ringing)
    if services.webhooks is not None:
        outbox = services.webhooks.outbox
        yield GaugeMetricFamily("gridbeat_webhooks_waiting", "Webhooks that have not been taken yet", len(outbox))
        yield CounterMetricFamily("gridbeat_webhooks_delivered", "Webhooks that were taken", outbox.delivered)
        yield GaugeMetricFamily("gridbeat_webhooks_missed", "Webhooks that there was no room for", outbox.missed)
