"""Periodic work on python-telegram-bot's JobQueue: cleanup, memory watch, alerts, retention, reloads.

The JobQueue runs from an Application without an updater, so a bot without Telegram has its jobs too. Runs
never overlap; a run missed because the loop was busy happens once, late, instead of being dropped (the
scheduler's own default grace is one second).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from domain.errors import BotError
from monitoring.metrics import Metrics

if TYPE_CHECKING:
    from telegram.ext import Application

logger = logging.getLogger(__name__)

Job = Callable[[], Awaitable[object]]

# The Application needs some token; this one is never sent anywhere, since nothing of it but the queue runs.
_UNUSED_TOKEN = "0:jobs"  # noqa: S105
_NEVER_LATE = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}


class Jobs:
    """Owns the job queue. A job that fails is logged and runs again at its next time."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._jobs: list[tuple[float, str, Job]] = []
        self._application: Application[Any, Any, Any, Any, Any, Any] | None = None

    def every(self, seconds: float, name: str, job: Job) -> None:
        """Run `job` every so many seconds, first one interval after the start."""
        self._jobs.append((seconds, name, job))

    async def start(self) -> None:
        """Start the clock. The library takes long to import, so that a thread does it."""
        self._application = application = await asyncio.to_thread(_build_application)
        queue = application.job_queue
        assert queue is not None  # the job-queue extra is a dependency  # noqa: S101
        for seconds, name, job in self._jobs:
            queue.run_repeating(
                self._callback(name, job), seconds, first=seconds, name=name, job_kwargs=_NEVER_LATE
            )
        await queue.start()

    async def stop(self) -> None:
        """Stop the clock; a running job ends first. Harmless when it never started."""
        queue = self._application.job_queue if self._application is not None else None
        if queue is not None and queue.scheduler.running:
            await queue.stop(wait=True)

    def _callback(self, name: str, job: Job) -> Callable[[object], Coroutine[Any, Any, None]]:
        async def run(_: object) -> None:
            await self._run(name, job)

        return run

    async def _run(self, name: str, job: Job) -> None:
        try:
            await job()
        except BotError as error:
            self._metrics.errors.labels(where=f"job:{name}").inc()
            logger.warning("job failed: %s", error, extra={"action": "job_failed", "job": name})
        except Exception:  # one failing job must not stop the next run
            self._metrics.errors.labels(where=f"job:{name}").inc()
            logger.exception("job crashed", extra={"action": "job_crashed", "job": name})


def _build_application() -> Application[Any, Any, Any, Any, Any, Any]:
    from telegram.ext import ApplicationBuilder  # a bot that serves already waits for it

    return ApplicationBuilder().token(_UNUSED_TOKEN).updater(None).build()
