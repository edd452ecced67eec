"""The composition root: builds every part, starts them in order, stops them in reverse.

Start: store and knowledge, sender, HTTP server, receivers; then, while messages are committed already, the
agent is loaded and the dispatcher begins, with what an earlier run left. Stop: no new messages, running turns
end, replies go out, what is left stays on disk.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from prometheus_client import generate_latest

from agent.shield import mask
from bot.administration import build_admin
from bot.answering import Answering, build_runner
from bot.assembly import Clock, Core, open_core
from bot.collector import settle
from bot.connections import Connections, connect
from bot.dispatcher import Dispatcher
from bot.figures import Figures
from bot.http_access import OperatorAccess
from bot.intake import Intake, IntakeLimits
from bot.jobs import Jobs
from bot.reports import performance_report, sessions_report
from bot.sender import Sender
from bot.server import Providers, Server
from bot.spending import Prices
from bot.supervision import Supervisor
from bot.upkeep import Upkeep, load_vectors_into
from bot.watch import Marks, Measures, MemoryWatch
from config.settings import Settings
from domain.errors import BotError
from memory.clock import SteadyClock
from monitoring.process import LoopProbe, MemoryProbe

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The parts a message passes through, in order."""

    intake: Intake
    answering: Answering
    dispatcher: Dispatcher
    sender: Sender
    connections: Connections


class App:
    """The running bot."""

    def __init__(self, core: Core, pipeline: Pipeline, server: Server, upkeep: Upkeep, jobs: Jobs) -> None:
        self.core = core
        self.pipeline = pipeline
        self.server = server
        self._upkeep = upkeep
        self._jobs = jobs
        self._tasks = Supervisor()
        self._started = time.perf_counter()

    async def start(self) -> tuple[str, int]:
        """Serve; returns where the HTTP server listens. Answers begin a moment later. Raises BotError."""
        await self._upkeep.restore()
        tasks, pipeline = self._tasks, self.pipeline
        tasks.start("alerts", self.core.alerting.run())
        tasks.start("sender", pipeline.sender.run())
        tasks.start("loop-probe", LoopProbe(self.core.metrics, on_stall=self._stalled).run())
        address = await self.server.start()
        for name, receive in pipeline.connections.receivers.items():
            tasks.start(name, receive())
        for name, introduce in pipeline.connections.introductions.items():
            tasks.start(name, introduce(), may_end=True)
        tasks.start("awakening", self._awaken(), may_end=True)
        logger.info(
            "ready",
            extra={"action": "ready", "seconds": round(time.perf_counter() - self._started, 2)},
        )
        return address

    async def _awaken(self) -> None:
        """All that is not needed to serve: it loads while the loop answers HTTP."""
        await self.pipeline.answering.load()
        self._tasks.start("dispatcher", self.pipeline.dispatcher.run())
        self._tasks.start("vectors", load_vectors_into(self.core), may_end=True)
        self._upkeep.schedule(self._jobs)
        await self._jobs.start()
        settle()

    async def run_until(self, stop: asyncio.Event) -> str:
        """Wait for the signal to stop, or for a part to die; returns the dead part's name, else ""."""
        died = asyncio.create_task(self._tasks.wait_for_death())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({died, stopped}, return_when=asyncio.FIRST_COMPLETED)
        died.cancel()
        stopped.cancel()
        await asyncio.gather(died, stopped, return_exceptions=True)
        return self._tasks.dead

    async def stop(self) -> None:
        """Drain and end: intake, turns, sends, in at most `drain_seconds` and a little."""
        logger.info("draining", extra={"action": "drain"})
        pipeline, seconds = self.pipeline, self.core.settings.drain_seconds
        self.server.stop_intake()
        await self._tasks.stop(*pipeline.connections.receivers, "awakening")
        deadline = time.monotonic() + seconds
        await pipeline.dispatcher.drain(seconds * 0.6)
        await pipeline.intake.drain()
        await pipeline.sender.drain(max(0.5, deadline - time.monotonic()))
        await self._jobs.stop()
        try:
            await self._upkeep.save()
        except BotError as error:  # what it keeps is a convenience; the rest of the stop is not
            logger.warning("caches not saved: %s", error, extra={"action": "drain"})
        await self.server.stop()
        await self._tasks.stop_all()
        logger.info("stopped", extra={"action": "stopped"})

    def _stalled(self, seconds: float) -> None:
        self.core.alerting.report("LOOP_STALL", f"{seconds:.1f} s")


@asynccontextmanager
async def open_app(settings: Settings, *, clock: Clock | None = None) -> AsyncIterator[App]:
    """Build the bot; leaving the block stops it."""
    async with AsyncExitStack() as stack:
        core = await open_core(stack, settings, clock=clock or SteadyClock())
        app = await _build(core)
        stack.push_async_callback(app.stop)
        yield app


async def _build(core: Core) -> App:
    settings, metrics = core.settings, core.metrics
    intake = build_intake(core)
    figures = Figures(
        core.store,
        metrics,
        database=settings.memory_db_path,
        model_enabled=settings.model_enabled,
        knowledge=lambda: (core.library.version, bool(core.library.broken)),
        session_cache=lambda: answering.cached_bytes,
        prices=Prices(settings.llm_price_input, settings.llm_price_output),
        clock=core.clock,
    )
    token = settings.http_token.get_secret_value() if settings.http_token else None
    operators = OperatorAccess(token, clock=core.clock)
    admin = build_admin(core, figures, operators)
    connections = await connect(core, intake, admin.backlog.is_deep)
    build = partial(
        build_runner,
        core,
        commands=admin.commands,
        incident=admin.incident,
        fetch_media=connections.media,
        notice_on=("telegram", "whatsapp"),
    )
    answering = Answering(core, build)
    dispatcher = Dispatcher(
        core.store,
        answering.run,
        metrics,
        max_concurrent=settings.max_concurrent_turns,
        report=core.alerting.report,
    )
    sender = Sender(
        core.store,
        core.channels,
        metrics,
        texts=core.texts,
        report=core.alerting.report,
        clock=core.clock,
    )
    pipeline = Pipeline(intake, answering, dispatcher, sender, connections)
    tasks = {**admin.tasks, "sessions": (settings.cleanup_interval, answering.clean_up)}
    upkeep = Upkeep(core, figures, _memory_watch(core, pipeline), tasks)
    server = Server(
        settings,
        (*connections.routes, *admin.routes),
        providers=_providers(core, figures),
        checks={
            "store": upkeep.store_check,
            "knowledge": upkeep.knowledge_check,
            "answering": answering.check,
            "send": sender.check,
        },
        on_stop=connections.on_stop,
        operators=operators,
    )
    return App(core, pipeline, server, upkeep, Jobs(metrics))


def build_intake(core: Core, *, burst_window: float | None = None) -> Intake:
    """Intake with the limits of the settings."""
    settings = core.settings
    limits = IntakeLimits(
        max_text_chars=settings.max_text_chars,
        burst_window=settings.burst_window if burst_window is None else burst_window,
        chat_rate_per_minute=settings.chat_rate_per_minute,
        chat_backlog=settings.chat_backlog,
    )
    return Intake(core.store, core.texts, core.metrics, mask=mask, limits=limits, clock=core.clock)


def _memory_watch(core: Core, pipeline: Pipeline) -> MemoryWatch:
    settings = core.settings

    def empty_caches() -> None:
        pipeline.answering.shrink()
        if core.cache is not None:
            core.cache.purge()

    def shed(refuse: bool) -> None:
        pipeline.intake.shedding = refuse

    def limit_turns(count: int | None) -> None:
        pipeline.dispatcher.limit(count or settings.max_concurrent_turns)

    return MemoryWatch(
        MemoryProbe().read,
        Measures(empty_caches=empty_caches, limit_turns=limit_turns, shed=shed),
        core.metrics,
        marks=Marks(settings.memory_high_percent, settings.memory_critical_percent),
        max_turns=settings.max_concurrent_turns,
    )


def _providers(core: Core, figures: Figures) -> Providers:
    async def sessions() -> dict[str, object]:
        return sessions_report(await figures.collect())

    async def performance() -> dict[str, object]:
        return performance_report(await figures.collect(), core.metrics, core.settings, core.preloading)

    async def metrics() -> bytes:
        await figures.collect()
        return bytes(generate_latest(core.metrics.registry))

    return Providers(sessions=sessions, performance=performance, metrics=metrics)
