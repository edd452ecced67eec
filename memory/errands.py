"""Tasks of the store that outlive the call that started them: kept, and finished before it closes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from domain.errors import BotError

T = TypeVar("T")

logger = logging.getLogger(__name__)


class Errands:
    """Owns its tasks. `close()` waits for them; long ones look at `closing` and leave the rest undone."""

    def __init__(self) -> None:
        self.closing = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run `work` on its own; its failure is logged."""
        self._keep(asyncio.create_task(self._guarded(work)))

    async def finish(self, work: Coroutine[Any, Any, T], *, undo: Callable[[T], Awaitable[None]]) -> T:
        """Await `work`; when the caller is cancelled meanwhile, finish it all the same and undo it."""
        task = asyncio.create_task(work)
        self._keep(task)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.cancelled():
                self.start(_undone(task, undo))
            raise

    async def close(self) -> None:
        """Wait until nothing runs."""
        self.closing.set()
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Coroutine[Any, Any, Any]) -> None:
        try:
            await work
        except BotError as error:
            logger.warning("left undone: %s", error, extra={"action": "store.errand"})
        except Exception:  # a background task has nobody to raise to
            logger.exception("a task of the store failed", extra={"action": "store.errand"})


async def _undone(task: asyncio.Task[T], undo: Callable[[T], Awaitable[None]]) -> None:
    await undo(await task)
