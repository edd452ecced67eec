"""Builds what admins use: their commands, broadcasts and incidents, and the pages of `/admin`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from bot.additions import Additions
from bot.admin_http import Desk, KnowledgeState
from bot.admin_routes import admin_routes
from bot.assembly import Core
from bot.broadcasts import Broadcasts
from bot.figures import Figures
from bot.http_access import OperatorAccess
from bot.jobs import Job
from bot.reports import performance_report
from bot.upkeep import reload_knowledge
from channels.routing import Route
from handlers.admin import admin_commands
from handlers.broadcast import Broadcast
from handlers.incident import Incidents
from handlers.outcome import Handler
from handlers.statistics import Stats
from rag.normalise import fold

BROADCAST_SECONDS = 2.0
BACKLOG_SECONDS = 1.0
# Waiting messages above which Telegram is not asked for more; it keeps them for 24 hours.
BACKLOG_DEPTH = 5000


class Backlog:
    """Remembers how many messages wait, so that receivers can ask without touching the database."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._depth = 0

    async def look(self) -> None:
        """The job: read the depth."""
        self._depth = (await self._core.store.health()).inbox_depth

    def is_deep(self) -> bool:
        """Whether receivers should wait."""
        return self._depth > BACKLOG_DEPTH


@dataclass(frozen=True, slots=True)
class Administration:
    """What the app wires: commands by name, jobs as (seconds, job) by name, and endpoints."""

    commands: Mapping[str, Handler]
    incident: Callable[[str], Awaitable[str | None]]
    backlog: Backlog
    tasks: Mapping[str, tuple[float, Job]]
    routes: tuple[Route, ...]


def build_admin(core: Core, figures: Figures, operators: OperatorAccess) -> Administration:
    """Everything of the admins."""
    texts, store, book = core.texts, core.store, core.alerting.book

    signs = frozenset(texts.get("admin.incident_signs").split())
    incidents = Incidents(texts, store.notes, fold=fold, signs=signs)
    broadcasts = Broadcasts(store, store.audience, texts, clock=core.clock)
    backlog = Backlog(core)
    more: Mapping[str, Handler] = {
        "stats": Stats(texts, figures.collect, store.statistics),
        "incident": incidents,
        "diffuser": Broadcast(texts, broadcasts),
    }
    reload = _reloader(core)
    desk = Desk(
        store=store,
        texts=texts,
        book=book,
        collect=figures.collect,
        performance=lambda shown: performance_report(shown, core.metrics, core.settings, core.preloading),
        recent_alerts=lambda: core.alerting.recent,
        knowledge=lambda: KnowledgeState(core.library.version, core.library.broken, core.library.sizes),
        reload=reload,
        add_knowledge=Additions(
            core.settings.knowledge_path, reload=reload, fault=lambda: core.library.broken
        ).add,
        clock=core.clock,
    )
    return Administration(
        routes=admin_routes(desk, operators),
        commands=admin_commands(
            texts,
            store,
            book=book,
            recent_alerts=lambda: core.alerting.recent,
            reload=reload,
            more=more,
        ),
        incident=incidents.about,
        backlog=backlog,
        tasks={
            "broadcast": (BROADCAST_SECONDS, broadcasts.step),
            "backlog": (BACKLOG_SECONDS, backlog.look),
        },
    )


def _reloader(core: Core) -> Callable[[], Awaitable[str]]:
    async def reload() -> str:
        return await reload_knowledge(core)

    return reload
