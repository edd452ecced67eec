"""Alert rules: pure functions over a snapshot, and the book that decides what is worth a message.

A rule fires above its threshold and recovers only below a lower one (hysteresis), repeats at most once per
cool-down, and can be muted. Whatever happens, no more than `MAX_PER_WINDOW` messages leave in `WINDOW`
seconds: the rest is counted in the next one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from monitoring.snapshot import Snapshot

COOL_DOWN = 3600.0
WINDOW = 600.0
MAX_PER_WINDOW = 5
MIN_CACHE_SAMPLE = 100
MIN_SENDS_SAMPLE = 10
BACKLOG_SECONDS = 60.0
DISK_LOW_BYTES = 500 * 2**20
STALL_SECONDS = 1.0


class RuleName(StrEnum):
    """Every alert there is; the names admins mute by."""

    HIGH_MEMORY_USAGE = "HIGH_MEMORY_USAGE"
    CRITICAL_MEMORY_USAGE = "CRITICAL_MEMORY_USAGE"
    HIGH_SESSION_COUNT = "HIGH_SESSION_COUNT"
    LOW_CACHE_HIT_RATE = "LOW_CACHE_HIT_RATE"
    MODEL_DOWN = "MODEL_DOWN"
    BACKLOG_OLD = "BACKLOG_OLD"
    SEND_FAILING = "SEND_FAILING"
    DISK_LOW = "DISK_LOW"
    KNOWLEDGE_BROKEN = "KNOWLEDGE_BROKEN"
    TURN_PARKED = "TURN_PARKED"
    LOOP_STALL = "LOOP_STALL"
    HANDOFF = "HANDOFF"
    TROUBLE = "TROUBLE"  # anything the rooms report that no other rule names


@dataclass(frozen=True, slots=True)
class Rule:
    """`fires` and `recovered` never hold both; between them the state stays as it was."""

    name: RuleName
    fires: Callable[[Snapshot], bool]
    recovered: Callable[[Snapshot], bool]
    value: Callable[[Snapshot], str]


@dataclass(frozen=True, slots=True)
class Alert:
    """One message for the admins. `event` is "fired", "recovered" or "reported"."""

    rule: RuleName
    event: str
    value: str
    suppressed: int = 0  # how many alerts were swallowed before this one


def rules(
    *, high_memory: float, critical_memory: float, session_count: int, cache_hit_rate: float
) -> tuple[Rule, ...]:
    """The rules over a snapshot, with the operator's thresholds."""
    return (
        Rule(
            RuleName.CRITICAL_MEMORY_USAGE,
            lambda s: s.memory_percent > critical_memory,
            lambda s: s.memory_percent < critical_memory - 3,
            _memory,
        ),
        Rule(
            RuleName.HIGH_MEMORY_USAGE,
            lambda s: s.memory_percent > high_memory,
            lambda s: s.memory_percent < high_memory - 5,
            _memory,
        ),
        Rule(
            RuleName.HIGH_SESSION_COUNT,
            lambda s: s.active_sessions > session_count,
            lambda s: s.active_sessions < session_count * 0.9,
            lambda s: str(s.active_sessions),
        ),
        Rule(
            RuleName.LOW_CACHE_HIT_RATE,
            lambda s: s.cache_lookups >= MIN_CACHE_SAMPLE and s.cache_hit_rate < cache_hit_rate,
            lambda s: s.cache_hit_rate > cache_hit_rate + 0.05,
            lambda s: f"{s.cache_hit_rate:.0%}",
        ),
        Rule(
            RuleName.MODEL_DOWN,
            lambda s: s.model_enabled and s.breaker_open,
            lambda s: not s.breaker_open,
            lambda s: f"{s.model_failures}/{s.model_calls}",
        ),
        Rule(
            RuleName.BACKLOG_OLD,
            lambda s: max(s.inbox_oldest, s.outbox_oldest) > BACKLOG_SECONDS,
            lambda s: max(s.inbox_oldest, s.outbox_oldest) < BACKLOG_SECONDS / 2,
            lambda s: f"{s.inbox_depth} + {s.outbox_depth}, {max(s.inbox_oldest, s.outbox_oldest):.0f} s",
        ),
        Rule(
            RuleName.SEND_FAILING,
            lambda s: s.sends_failed >= MIN_SENDS_SAMPLE and s.sends_failed > s.sends_ok,
            lambda s: s.sends_ok > s.sends_failed,
            lambda s: f"{s.sends_failed}/{s.sends_failed + s.sends_ok}",
        ),
        Rule(
            RuleName.DISK_LOW,
            lambda s: s.disk_free < DISK_LOW_BYTES or not s.database_writable,
            lambda s: s.disk_free > DISK_LOW_BYTES * 1.5 and s.database_writable,
            lambda s: f"{s.disk_free // 2**20} Mio",
        ),
        Rule(
            RuleName.KNOWLEDGE_BROKEN,
            lambda s: s.knowledge_broken,
            lambda s: not s.knowledge_broken,
            lambda s: s.knowledge_version,
        ),
    )


def _memory(snapshot: Snapshot) -> str:
    limit = f" de {snapshot.memory_limit // 2**20} Mio" if snapshot.memory_limit else ""
    return f"{snapshot.memory_percent:.0f} %{limit}"


@dataclass(slots=True)
class _State:
    firing: bool = False
    told: bool = False  # whether the admins know that it fires: only then is a recovery news
    last_sent: float = -COOL_DOWN
    swallowed: int = 0


@dataclass(slots=True)
class AlertBook:
    """Remembers what fired, what was said and what is muted; pure but for that memory.

    `mutes` maps a rule's name to the time its mute ends.
    """

    rules: Sequence[Rule]
    mutes: dict[str, float] = field(default_factory=dict)
    _states: dict[RuleName, _State] = field(default_factory=dict)
    _sent: deque[float] = field(default_factory=deque)

    def check(self, snapshot: Snapshot) -> list[Alert]:
        """What to say about this snapshot."""
        alerts: list[Alert] = []
        for rule in self.rules:
            state = self._states.setdefault(rule.name, _State())
            state.firing = rule.fires(snapshot) or (state.firing and not rule.recovered(snapshot))
            if state.firing == state.told:
                continue
            event = "fired" if state.firing else "recovered"
            said = self._say(rule.name, event, rule.value(snapshot), snapshot.at)
            state.told = state.firing if said else state.told
            alerts += said
        return alerts

    def report(self, rule: RuleName, value: str, now: float) -> list[Alert]:
        """An event somebody saw (a parked turn, a stall): said once per cool-down, counted in between."""
        return self._say(rule, "reported", value, now)

    def firing(self) -> tuple[RuleName, ...]:
        """Which rules fire now."""
        return tuple(name for name, state in self._states.items() if state.firing)

    def _say(self, name: RuleName, event: str, value: str, now: float) -> list[Alert]:
        state = self._states.setdefault(name, _State())
        cooling = event != "recovered" and now - state.last_sent < COOL_DOWN
        if self.mutes.get(name, 0.0) > now or cooling or self._over_budget(now):
            state.swallowed += 1
            return []
        if event != "recovered":
            state.last_sent = now
        self._sent.append(now)
        swallowed, state.swallowed = state.swallowed, 0
        return [Alert(name, event, value, swallowed)]

    def _over_budget(self, now: float) -> bool:
        while self._sent and self._sent[0] <= now - WINDOW:
            self._sent.popleft()
        return len(self._sent) >= MAX_PER_WINDOW
