"""What the bot does again and again: clean-up, memory, alerts, retention, reloads, saved caches."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from bot.assembly import Core
from bot.figures import Figures
from bot.jobs import Job, Jobs
from bot.watch import MemoryWatch
from domain.errors import BotError
from rag.embeddings import load_vectors

logger = logging.getLogger(__name__)

MEMORY_SECONDS = 5.0
KNOWLEDGE_SECONDS = 5.0
SAVE_SECONDS = 60.0
PURGE_SECONDS = 3600.0
CACHE_NOTES = "rag_cache"
MUTE_NOTES = "mutes"


class Upkeep:
    """The jobs, and the checks of health on the same parts. `more` are jobs of other rooms, by name."""

    def __init__(
        self, core: Core, figures: Figures, memory: MemoryWatch, more: Mapping[str, tuple[float, Job]]
    ) -> None:
        self._core = core
        self._figures = figures
        self._memory = memory
        self._more = more

    def schedule(self, jobs: Jobs) -> None:
        """Hand every job to the queue."""
        settings = self._core.settings
        jobs.every(MEMORY_SECONDS, "memory", self._memory.check)
        jobs.every(settings.alert_interval, "alerts", self.check_alerts)
        jobs.every(PURGE_SECONDS, "retention", self.purge)
        jobs.every(KNOWLEDGE_SECONDS, "knowledge", self.watch_knowledge)
        jobs.every(SAVE_SECONDS, "save", self.save)
        for name, (seconds, job) in self._more.items():
            jobs.every(seconds, name, job)

    async def restore(self) -> None:
        """Take up what an earlier run saved: cached answers and mutes. A loss of either is no trouble."""
        core = self._core
        await self._memory.check()
        try:
            if core.cache is not None:
                saved = await core.store.notes.items(CACHE_NOTES)
                core.cache.restore(saved)
            mutes = await core.store.notes.items(MUTE_NOTES)
            core.alerting.book.mutes.update({rule: float(until) for rule, until in mutes.items()})
        except BotError as error:
            logger.warning("saved state not restored: %s", error, extra={"action": "restore"})

    async def save(self) -> None:
        """Keep cached answers and token counts for the next start."""
        core = self._core
        await core.budget.save()
        if core.cache is not None:
            await _replace(core, CACHE_NOTES, core.cache.export())

    async def check_alerts(self) -> None:
        """Look at the figures of now and tell the admins what is worth telling."""
        self._core.alerting.check(await self._figures.collect())

    async def purge(self) -> None:
        """Drop what retention says must go."""
        core = self._core
        gone = await core.store.purge(core.clock(), retention_days=core.settings.retention_days)
        logger.info("retention applied", extra={"action": "purge", "rows": gone})

    async def watch_knowledge(self) -> None:
        """Load knowledge files that changed on disk."""
        if self._core.library.changed_on_disk():
            await reload_knowledge(self._core)

    async def store_check(self) -> str:
        """Whether messages can be stored, for `/healthz`."""
        health = await self._core.store.health()
        return "" if health.writable else "read-only or full"

    async def knowledge_check(self) -> str:
        """Whether there is something to answer from, for `/readyz`."""
        return "" if self._core.library.sizes else "no knowledge"


async def _replace(core: Core, namespace: str, values: Mapping[str, Any]) -> None:
    await core.store.notes.delete(namespace)
    if values:
        await core.store.notes.put(namespace, values)


async def reload_knowledge(core: Core) -> str:
    """Load the knowledge again; returns the version in use, or why the new files cannot be used."""
    changed = await core.library.reload()
    if changed:
        if core.cache is not None:
            core.cache.purge()
        core.preloading.update(items=dict(core.library.sizes), version=core.library.version)
        await load_vectors_into(core)
        logger.info("knowledge reloaded", extra={"action": "reload", "version": core.library.version})
    return core.library.broken or core.library.version


async def load_vectors_into(core: Core) -> None:
    """Give the retriever the vectors of its topics; without them the search by words goes on alone."""
    if core.embedder is None:
        return
    retriever = core.library.retriever
    try:
        vectors = await load_vectors(
            retriever.texts(), core.store.notes, core.embedder.of_texts, model=core.embedder.model
        )
    except BotError as error:
        logger.warning("no vectors: %s", error, extra={"action": "vectors"})
        return
    retriever.vectors = vectors
    core.preloading["vectors"] = len(vectors)
    logger.info("vectors loaded", extra={"action": "vectors", "topics": len(vectors)})
