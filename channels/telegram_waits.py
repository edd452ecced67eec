"""How long a receiver waits for Telegram before it asks again."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Waits:
    """All times in seconds; tests shorten them."""

    poll: int = 50  # Telegram caps it there
    first: float = 1.0
    cap: float = 30.0
    conflict: float = 5.0
    refused: float = 60.0  # a token that Telegram does not know rarely becomes good by itself
    busy: float = 0.2

    def after(self, failures: int) -> float:
        """The pause after so many failures in a row: doubled each time, with jitter, so that bots part."""
        doublings = min(max(failures - 1, 0), 16)
        return min(self.cap, self.first * (1 << doublings)) * random.uniform(1.0, 1.25)
