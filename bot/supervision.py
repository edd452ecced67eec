"""Owns the long-running tasks: none is forgotten, and the death of one ends the process visibly."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

logger = logging.getLogger(__name__)


class Supervisor:
    """Named tasks that run until cancelled. One that ends by itself is a bug: better restart than limp."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self._died = asyncio.Event()
        self.dead = ""

    def start(self, name: str, work: Coroutine[Any, Any, Any], *, may_end: bool = False) -> None:
        """Run `work` as a task; `may_end` for work that has an end, like registering commands."""
        task = asyncio.create_task(work, name=name)
        self._tasks[name] = task
        task.add_done_callback(lambda done: self._ended(name, done, may_end=may_end))

    async def wait_for_death(self) -> str:
        """Return the name of the first task that died."""
        await self._died.wait()
        return self.dead

    async def stop(self, *names: str) -> None:
        """Cancel these tasks and wait until they are gone."""
        chosen = [self._tasks.pop(name) for name in names if name in self._tasks]
        for task in chosen:
            task.cancel()
        await asyncio.gather(*chosen, return_exceptions=True)

    async def stop_all(self) -> None:
        """Cancel whatever still runs."""
        await self.stop(*self._tasks)

    def _ended(self, name: str, task: asyncio.Task[Any], *, may_end: bool) -> None:
        if task.cancelled() or self._tasks.get(name) is not task:
            return
        error = task.exception()
        if error is None and may_end:
            self._tasks.pop(name, None)
            return
        logger.critical("task died: %s", name, exc_info=error, extra={"action": "task_died"})
        self.dead = self.dead or name
        self._died.set()
