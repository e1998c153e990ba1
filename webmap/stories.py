"""Tasks of long ago, for those who ask: a few at a time, for each reads files of the archive in a thread."""

from __future__ import annotations

from twisted.internet.defer import DeferredSemaphore
from twisted.internet.threads import deferToThreadPool

from dispatch.model import TaskId
from dispatch.past import Story
from webmap.routes import ApiError
from webmap.services import Services

AT_ONCE, WAITING = 2, 20
"""The threads are there for others too; who asks when so many wait asks again."""
LONGEST = 200
"""Characters of an id; those of surveys have that of a grid in them."""
_NOTHING = Story()


class Stories:
    """One for all routes."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._turns = DeferredSemaphore(AT_ONCE)

    async def read(self, id: str) -> Story:
        """All that is known of a task. Raises :class:`~webmap.routes.ApiError`."""
        if len(id) > LONGEST:
            return _NOTHING  # no task was ever called so
        if len(self._turns.waiting) >= WAITING:
            text = "too many tasks of long ago are asked for now: try again"
            raise ApiError(503, "not_now", text, "当前查询历史任务的请求过多，请稍后再试", wait=5)
        services = self._services
        story: Story = await self._turns.run(
            deferToThreadPool, services.reactor, services.pool, services.past.read, TaskId(id)
        )
        return story
