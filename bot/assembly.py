"""Builds what every part rests on, from the settings alone: store, knowledge, HTTP pool, alerts.

Nothing here imports LangGraph: the bot serves before it has loaded what thinks (`bot/thinking.py`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

import aiohttp

from agent.budget import Budget
from agent.embedding import Embedder
from agent.transcription import Transcriber
from bot.admins import Admins
from bot.alerting import Alerting
from channels.base import Channel
from config.settings import OPENAI_URL, ROOT, Settings
from config.texts import Texts
from memory.opening import open_store
from memory.sqlite import SqliteStore
from monitoring.alerts import AlertBook, rules
from monitoring.metrics import Metrics
from rag.cache import AnswerCache
from rag.library import Library

logger = logging.getLogger(__name__)

Clock = Callable[[], float]
_KEEP_ALIVE = 15.0  # a connection a platform has closed meanwhile turns a send into a doubt
_OTHER_CALLS = 100  # connections for sends, typing, polls and media


@dataclass(frozen=True, slots=True)
class Core:
    """What all parts share, on whatever channels there are. `channels` is filled by whoever opens them."""

    settings: Settings
    texts: Texts
    metrics: Metrics
    http: aiohttp.ClientSession
    store: SqliteStore
    library: Library
    cache: AnswerCache | None
    budget: Budget
    admins: Admins
    alerting: Alerting
    transcriber: Transcriber | None
    embedder: Embedder | None
    clock: Clock
    preloading: dict[str, object] = field(default_factory=dict)
    channels: dict[tuple[str, str], Channel] = field(default_factory=dict)
    alert_channels: dict[str, Channel] = field(default_factory=dict)

    def add_channel(self, channel: Channel) -> None:
        """From now on turns and alerts go out on it."""
        self.channels[channel.name, channel.account] = channel
        self.alert_channels[channel.name] = channel


def texts_folder(knowledge: Path) -> Path:
    """The operator's own texts beside their knowledge, else those that ship."""
    own = knowledge / "texts"
    return own if own.is_dir() else ROOT / "data" / "texts"


async def open_core(
    stack: AsyncExitStack, settings: Settings, *, database: Path | None = None, clock: Clock = time.time
) -> Core:
    """Open the store and load the knowledge; `stack` closes it all. Raises BotError."""
    started = time.perf_counter()
    texts = Texts.load(texts_folder(settings.knowledge_path))
    metrics = Metrics()
    alert_channels: dict[str, Channel] = {}
    admins, alerting = _alerting(settings, texts, metrics, alert_channels, clock)
    http = await stack.enter_async_context(_http(settings.max_concurrent_turns))
    library, seconds = await _load(settings)
    store = await stack.enter_async_context(
        open_store(
            database or settings.memory_db_path,
            on_trouble=lambda text: alerting.report("TROUBLE", text),
            clock=clock,
        )
    )
    budget = Budget(
        store.notes,
        daily=settings.llm_daily_token_budget,
        per_chat=settings.llm_chat_token_budget,
        on_alert=alerting.report,
        clock=clock,
    )
    await budget.load()
    preloading = {
        "seconds": round(time.perf_counter() - started, 3),
        "knowledge_seconds": round(seconds, 3),
        "items": dict(library.sizes),
        "version": library.version,
    }
    for part, count in library.sizes.items():
        metrics.preload_items.labels(part=part).set(count)
    metrics.preload_seconds.labels(part="knowledge").set(seconds)
    logger.info(
        "knowledge loaded", extra={"action": "preload", **library.sizes, "seconds": round(seconds, 3)}
    )
    return Core(
        settings=settings,
        texts=texts,
        metrics=metrics,
        http=http,
        store=store,
        library=library,
        cache=_cache(settings, metrics),
        budget=budget,
        admins=admins,
        alerting=alerting,
        transcriber=_transcriber(settings, http),
        embedder=_embedder(settings, http),
        clock=clock,
        preloading=preloading,
        alert_channels=alert_channels,
    )


def _http(turns: int) -> aiohttp.ClientSession:
    """One pool for all; every turn may wait for the model at the same time."""
    most = turns + _OTHER_CALLS
    connector = aiohttp.TCPConnector(limit=most, limit_per_host=most, keepalive_timeout=_KEEP_ALIVE)
    return aiohttp.ClientSession(connector=connector)


async def _load(settings: Settings) -> tuple[Library, float]:
    started = time.perf_counter()
    library = await asyncio.to_thread(
        Library.load, settings.knowledge_path, max_age_days=settings.offer_max_age_days
    )
    return library, time.perf_counter() - started


def _alerting(
    settings: Settings, texts: Texts, metrics: Metrics, channels: dict[str, Channel], clock: Clock
) -> tuple[Admins, Alerting]:
    accounts = {}
    if settings.telegram_bot_token:
        accounts["telegram"] = settings.telegram_bot_token.get_secret_value().partition(":")[0]
    if settings.whatsapp_phone_number_id:
        accounts["whatsapp"] = settings.whatsapp_phone_number_id
    admins = Admins(settings.admin_chat_ids, accounts)
    book = AlertBook(
        rules(
            high_memory=settings.memory_high_percent,
            critical_memory=settings.memory_critical_percent,
            session_count=settings.high_session_count,
            cache_hit_rate=settings.low_cache_hit_rate,
        )
    )
    return admins, Alerting(book, texts, metrics, channels=channels, admins=admins.chats(), clock=clock)


def _cache(settings: Settings, metrics: Metrics) -> AnswerCache | None:
    if not settings.rag_cache_enabled or not settings.rag_cache_size:
        return None
    return AnswerCache(metrics, size=settings.rag_cache_size, ttl=settings.rag_cache_ttl)


def _embedder(settings: Settings, http: aiohttp.ClientSession) -> Embedder | None:
    if not settings.model_enabled or not settings.openai_embeddings_model:
        return None
    return Embedder(http, **_model_server(settings), model=settings.openai_embeddings_model)


def _transcriber(settings: Settings, http: aiohttp.ClientSession) -> Transcriber | None:
    if not settings.model_enabled or not settings.openai_transcription_model:
        return None
    return Transcriber(http, **_model_server(settings), model=settings.openai_transcription_model)


class _ModelServer(TypedDict):
    base_url: str
    key: str | None


def _model_server(settings: Settings) -> _ModelServer:
    """Where embeddings and transcriptions are asked for, and with which key."""
    key = settings.openai_api_key
    return {
        "base_url": settings.openai_base_url or OPENAI_URL,
        "key": key.get_secret_value() if key else None,
    }
