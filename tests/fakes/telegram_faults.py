"""What can go wrong between a bot and Telegram, planned per request."""

from __future__ import annotations

import random
from collections import defaultdict, deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """`processed`: the call is carried out first, then the answer is spoilt.

    `status` answers an error, `cut` resets the connection, `half` resets it in the middle of the answer,
    `delay` answers late. A fault with a delay only is a slow, right answer.
    """

    status: int = 0
    description: str = ""
    retry_after: int | None = None
    migrate_to: int | None = None
    delay: float = 0.0
    cut: bool = False
    half: bool = False
    processed: bool = False
    body: bytes | None = None

    @property
    def spoils(self) -> bool:
        return bool(self.status or self.cut or self.half or self.body is not None)


def flood(seconds: int) -> Fault:
    return Fault(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)


def server_error(status: int = 500, *, processed: bool = False) -> Fault:
    return Fault(status, "Internal Server Error", processed=processed)


def slow(seconds: float) -> Fault:
    return Fault(delay=seconds)


def reset(*, processed: bool = False) -> Fault:
    return Fault(cut=True, processed=processed)


def half_answer() -> Fault:
    return Fault(half=True, processed=True)


def blocked() -> Fault:
    return Fault(403, "Forbidden: bot was blocked by the user")


def unauthorized() -> Fault:
    return Fault(401, "Unauthorized")


def not_found() -> Fault:
    return Fault(404, "Not Found")


def bad_request(words: str) -> Fault:
    return Fault(400, f"Bad Request: {words}")


def migrated(chat: int) -> Fault:
    return Fault(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to=chat)


def page(html: bytes = b"<html>Bad gateway</html>", status: int = 200) -> Fault:
    """What a proxy in between answers."""
    return Fault(status, body=html)


class Faults:
    """Planned faults, taken one per matching request; `method` "*" matches every method."""

    def __init__(self, seed: int = 1) -> None:
        self._once: defaultdict[tuple[str, int | None], deque[Fault]] = defaultdict(deque)
        self._always: dict[tuple[str, int | None], tuple[Fault, float]] = {}
        self._random = random.Random(seed)

    def plan(self, method: str, *faults: Fault, chat: int | None = None, times: int = 1) -> None:
        self._once[method.lower(), chat].extend(faults * times)

    def always(
        self, method: str, fault: Fault | None, *, chat: int | None = None, chance: float = 1.0
    ) -> None:
        """The same fault for every request, or for a random share; None ends it."""
        if fault is None:
            self._always.pop((method.lower(), chat), None)
        else:
            self._always[method.lower(), chat] = (fault, chance)

    def clear(self) -> None:
        self._once.clear()
        self._always.clear()

    def take(self, method: str, chat: int | None) -> Fault | None:
        if not self._once and not self._always:
            return None
        for place in ((method, chat), (method, None), ("*", chat), ("*", None)):
            if waiting := self._once.get(place):
                return waiting.popleft()
            if place in self._always:
                fault, chance = self._always[place]
                if self._random.random() < chance:
                    return fault
        return None


KINDS = {
    "flood": flood(1),
    "server_error": server_error(),
    "server_error_processed": server_error(processed=True),
    "slow": slow(1.0),
    "reset": reset(),
    "reset_processed": reset(processed=True),
    "half_answer": half_answer(),
    "blocked": blocked(),
    "unauthorized": unauthorized(),
    "not_found": not_found(),
}
