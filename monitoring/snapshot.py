"""All figures of one moment. Every reader (`/stats`, HTTP, alerts, the admin page) shows this same object."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Figures at `at` (seconds since the epoch). Sizes in bytes, ages and lags in seconds."""

    at: float
    uptime: float = 0.0
    # sessions
    active_sessions: int = 0
    total_sessions: int = 0
    expired_sessions: int = 0
    average_session_seconds: float = 0.0
    # turns, since the database was made
    total_turns: int = 0
    running_turns: int = 0
    parked_turns: int = 0  # since start
    # queues
    inbox_depth: int = 0
    inbox_oldest: float = 0.0
    outbox_depth: int = 0
    outbox_oldest: float = 0.0
    in_doubt: int = 0
    dead_letters: int = 0
    # sends since start; alerts look at the difference between two checks
    sends_ok: int = 0
    sends_failed: int = 0
    # answer cache
    cache_hits: int = 0
    cache_misses: int = 0
    cache_entries: int = 0
    # model
    model_enabled: bool = False
    breaker_open: bool = False
    model_calls: int = 0
    model_failures: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_today: float | None = None  # None: prices are not set
    cost_per_turn: float | None = None
    grounding_blocks: int = 0
    # machine
    memory_bytes: int = 0
    memory_limit: int = 0
    memory_percent: float = 0.0
    disk_free: int = 0
    loop_lag: float = 0.0
    database_bytes: int = 0
    database_writable: bool = True
    # knowledge
    knowledge_version: str = ""
    knowledge_broken: bool = False
    # people
    handoffs: int = 0
    useful: int = 0
    not_useful: int = 0

    @property
    def cache_lookups(self) -> int:
        """Look-ups since start."""
        return self.cache_hits + self.cache_misses

    @property
    def cache_hit_rate(self) -> float:
        """Share of look-ups that found an answer, 0.0 without any."""
        return self.cache_hits / self.cache_lookups if self.cache_lookups else 0.0

    @property
    def memory_usage_mb(self) -> float:
        """Resident memory in MiB."""
        return round(self.memory_bytes / 2**20, 1)

    @property
    def average_session_minutes(self) -> float:
        """Average length of ended sessions in minutes."""
        return round(self.average_session_seconds / 60, 1)
