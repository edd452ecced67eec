"""`/stats [jour|semaine]`: the figures in a few lines, and a picture of them."""

from __future__ import annotations

import asyncio
import statistics as maths
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence

from config.texts import Texts
from domain.errors import BadInput
from domain.messages import Attachment, Reply
from domain.niger import local, start_of
from handlers.outcome import Outcome, TurnContext
from memory.base import Statistics
from memory.records import TurnFacts
from monitoring.charts import ChartData, draw
from monitoring.snapshot import Snapshot

LANGUAGES = {"fr": "français", "ha": "hausa", "dje": "zarma", "en": "anglais"}
_TOP = 6

TakeSnapshot = Callable[[], Awaitable[Snapshot]]


class Stats:
    """Answers `/stats`."""

    def __init__(self, texts: Texts, snapshot: TakeSnapshot, statistics: Statistics) -> None:
        self._texts = texts
        self._snapshot = snapshot
        self._statistics = statistics

    async def handle(self, context: TurnContext) -> Outcome:
        """One message: the short form as caption of the picture."""
        span = (context.text.split()[1:2] or ["jour"])[0].lower()
        if span not in {"jour", "semaine"}:
            raise BadInput(self._texts.get("admin.stats_use"))
        hours = 24 if span == "jour" else 168
        since = context.now - hours * 3600
        snapshot = await self._snapshot()
        facts = await self._statistics.facts(since)
        top = await self._statistics.top_questions(since, _TOP)
        data = chart_data(
            facts, top, now=context.now, hours=hours, title=self._texts.get(f"admin.stats_{span}")
        )
        picture = await asyncio.to_thread(draw, data)
        text = self._texts.get("admin.stats", **figures(snapshot, facts)) + self._cost(snapshot)
        return Outcome(replies=(Reply(text, attachment=Attachment("stats.png", "image/png", picture)),))

    def _cost(self, snapshot: Snapshot) -> str:
        """A line of its own, only where prices are set."""
        if snapshot.cost_today is None:
            return ""
        said = self._texts.get("admin.stats_cost", today=amount(snapshot.cost_today))
        if snapshot.cost_per_turn is not None:
            said += self._texts.get("admin.stats_cost_per_turn", cost=amount(snapshot.cost_per_turn))
        return f"\n{said}"


def figures(snapshot: Snapshot, facts: Sequence[TurnFacts]) -> Mapping[str, object]:
    """The values of the short form."""
    times = [fact.total_ms for fact in facts]
    return {
        "active": snapshot.active_sessions,
        "total": snapshot.total_sessions,
        "expired": snapshot.expired_sessions,
        "minutes": f"{snapshot.average_session_minutes:g}".replace(".", ","),
        "turns": snapshot.total_turns,
        "recent": len(facts),
        "median": f"{maths.median(times) if times else 0:.0f}",
        "unanswered": sum(not fact.answered for fact in facts),
        "hit_rate": f"{snapshot.cache_hit_rate:.0%}".replace("%", " %"),
        "memory": f"{snapshot.memory_usage_mb:.0f}",
        "memory_percent": f"{snapshot.memory_percent:.0f}",
        "memory_limit": f"{snapshot.memory_limit / 2**20:.0f}",
        "inbox": snapshot.inbox_depth,
        "outbox": snapshot.outbox_depth,
        "dead": snapshot.dead_letters,
        "useful": snapshot.useful,
        "not_useful": snapshot.not_useful,
        "tokens": snapshot.prompt_tokens + snapshot.completion_tokens,
        "knowledge": snapshot.knowledge_version[:12],
    }


def amount(value: float) -> str:
    """A sum as French writes it: cents for a large one, six places for what a single answer costs."""
    shown = f"{value:.2f}" if value >= 1 else f"{value:.6f}".rstrip("0").rstrip(".")
    return shown.replace(".", ",")


def chart_data(
    facts: Sequence[TurnFacts], top: Sequence[tuple[str, int]], *, now: float, hours: int, title: str
) -> ChartData:
    """Facts by hour for a day, by day for a week, in the time of Niamey."""
    step = 3600.0 if hours <= 24 else 86_400.0
    count = round(hours * 3600 / step)
    last = start_of(step, now)
    starts = [last - step * (count - 1 - index) for index in range(count)]
    by_slot: defaultdict[float, list[float]] = defaultdict(list)
    for fact in facts:
        by_slot[start_of(step, fact.at)].append(fact.total_ms)
    languages = Counter(LANGUAGES.get(fact.language, fact.language) for fact in facts)
    return ChartData(
        title=title,
        slots=[_label(start, step) for start in starts],
        turns=[len(by_slot[start]) for start in starts],
        median_ms=[maths.median(by_slot[start]) if by_slot[start] else 0.0 for start in starts],
        p95_ms=[_p95(by_slot[start]) for start in starts],
        languages=languages,
        questions=top,
    )


def _label(start: float, step: float) -> str:
    shown = local(start)
    return shown.strftime("%Hh") if step < 86_400 else shown.strftime("%d/%m")


def _p95(times: Sequence[float]) -> float:
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))] if ordered else 0.0
