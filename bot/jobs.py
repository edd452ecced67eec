"""Periodic work on python-telegram-bot's JobQueue: cleanup, memory watch, alerts, retention, reloads.

The JobQueue runs from an Application without an updater, so a bot without Telegram has its jobs too. Runs
never overlap; a run missed because the loop was busy happens once, late, instead of being dropped (the
scheduler's own default grace is one second).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from telegram.ext import Application, ApplicationBuilder, ContextTypes, JobQueue

from domain.errors import BotError
from monitoring.metrics import Metrics

logger = logging.getLogger(__name__)

Job = Callable[[], Awaitable[object]]

# The Application needs some token; this one is never sent anywhere, since nothing of it but the queue runs.
_UNUSED_TOKEN = "0:jobs"  # noqa: S105
_NEVER_LATE = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}


class Jobs:
    """Owns the job queue. A job that fails is logged and runs again at its next time."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._application: Application = (  # type: ignore[type-arg]  # six parameters of no use here
            ApplicationBuilder().token(_UNUSED_TOKEN).updater(None).build()
        )

    @property
    def _queue(self) -> JobQueue[ContextTypes.DEFAULT_TYPE]:
        queue = self._application.job_queue
        assert queue is not None  # the job-queue extra is a dependency  # noqa: S101
        return queue

    def every(self, seconds: float, name: str, job: Job) -> None:
        """Run `job` every so many seconds, first after one interval."""

        async def run(_: ContextTypes.DEFAULT_TYPE) -> None:
            await self._run(name, job)

        self._queue.run_repeating(run, seconds, first=seconds, name=name, job_kwargs=_NEVER_LATE)

    async def _run(self, name: str, job: Job) -> None:
        try:
            await job()
        except BotError as error:
            self._metrics.errors.labels(where=f"job:{name}").inc()
            logger.warning("job failed: %s", error, extra={"action": "job_failed", "job": name})
        except Exception:  # one failing job must not stop the next run
            self._metrics.errors.labels(where=f"job:{name}").inc()
            logger.exception("job crashed", extra={"action": "job_crashed", "job": name})

    async def start(self) -> None:
        """Start the clock."""
        await self._queue.start()

    async def stop(self) -> None:
        """Stop the clock; a running job ends first. Harmless when it never started."""
        if self._queue.scheduler.running:
            await self._queue.stop(wait=True)
