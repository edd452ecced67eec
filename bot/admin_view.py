"""What the admin page shows of records. Chats appear under a name of this run, never under their id."""

from __future__ import annotations

import hmac
import secrets
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from domain.messages import ChatKey
from handlers.admin import masked
from handlers.statistics import chart_data
from memory.records import DeadLetter, Exchange, OpenQuestion, Profile, SessionRecord, TurnFacts
from monitoring.snapshot import Snapshot

MAX_NAMES = 5000
TOP_TOPICS = 8


class ChatNames:
    """Names chats for the page: the same name while this process runs, telling nothing about the chat."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._known: OrderedDict[str, ChatKey] = OrderedDict()

    def name(self, key: ChatKey) -> str:
        """The chat's name; it can be found again while it is among the newest 5000."""
        name = hmac.new(self._key, str(key).encode(), "sha256").hexdigest()[:20]
        self._known[name] = key
        self._known.move_to_end(name)
        if len(self._known) > MAX_NAMES:
            self._known.popitem(last=False)
        return name

    def find(self, name: str) -> ChatKey | None:
        """The chat of a name we gave, or None."""
        return self._known.get(name)

    def view(self, key: ChatKey) -> dict[str, str]:
        """How a chat is shown."""
        return {"ref": self.name(key), "channel": key.channel, "chat": masked(key.chat)}


def snapshot_view(snapshot: Snapshot) -> dict[str, Any]:
    """Every figure of the snapshot, and those computed from them."""
    return asdict(snapshot) | {
        "cache_hit_rate": snapshot.cache_hit_rate,
        "memory_usage_mb": snapshot.memory_usage_mb,
        "average_session_minutes": snapshot.average_session_minutes,
    }


def charts_view(
    facts: Sequence[TurnFacts], top: Sequence[tuple[str, int]], *, now: float, hours: int
) -> dict[str, Any]:
    """The series of the charts: the same as the picture of `/stats`. Some 100 ms for 100 000 facts."""
    data = chart_data(facts, top, now=now, hours=hours, title="")
    return {
        "hours": hours,
        "slots": data.slots,
        "turns": data.turns,
        "median_ms": data.median_ms,
        "p95_ms": data.p95_ms,
        "languages": data.languages,
        "channels": Counter(fact.channel for fact in facts),
        "origins": Counter(fact.origin for fact in facts),
        "topics": dict(Counter(fact.topic for fact in facts if fact.topic).most_common(TOP_TOPICS)),
        "unanswered": sum(not fact.answered for fact in facts),
        "questions": [[text, count] for text, count in data.questions],
    }


def session_view(session: SessionRecord, names: ChatNames) -> dict[str, Any]:
    """A line of the list of sessions."""
    return names.view(session.key) | {
        "created_at": session.created_at,
        "last_activity": session.last_activity,
        "messages": session.messages,
        "language": session.language or "fr",
    }


def profile_view(profile: Profile | None) -> dict[str, Any]:
    """What is known about a subscriber, without anything that names them."""
    if profile is None:
        return {}
    return {
        "language": profile.language,
        "first_seen": profile.first_seen,
        "last_inbound_at": profile.last_inbound_at,
        "reachable": profile.reachable,
        "blocked": profile.blocked,
        "sealed": profile.sealed,
        "handoff_until": profile.handoff_until,
    }


def exchange_view(exchange: Exchange) -> dict[str, Any]:
    """A question and its answer."""
    return {
        "at": exchange.at,
        "question": exchange.question,
        "answer": exchange.answer,
        "language": exchange.language,
        "origin": exchange.origin,
        "answered": exchange.answered,
        "rating": exchange.rating,
        "passages": list(exchange.passage_ids),
    }


def question_view(question: OpenQuestion) -> dict[str, Any]:
    """A question for the editors."""
    return asdict(question)


def letter_view(letter: DeadLetter, names: ChatNames) -> dict[str, Any]:
    """What could not be answered or sent."""
    return names.view(letter.key) | {
        "source": letter.source,
        "id": letter.id,
        "at": letter.at,
        "error": letter.error,
        "excerpt": letter.excerpt,
    }


def alerts_view(
    firing: Sequence[str], mutes: Mapping[str, float], recent: Sequence[tuple[float, str]], now: float
) -> dict[str, Any]:
    """What fires, what is muted until when, and what was said last, newest first."""
    return {
        "firing": list(firing),
        "mutes": {rule: until for rule, until in sorted(mutes.items()) if until > now},
        "recent": [{"at": at, "text": text} for at, text in reversed(recent)],
    }
