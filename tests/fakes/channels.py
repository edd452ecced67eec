"""Channels that live in the test: what they receive is kept, what they answer is scripted."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from channels.base import Pacing, Receipt, Split
from domain.errors import BotError
from domain.messages import ChatKey, InboundMessage, Reply
from memory.records import OutboxPart

# One step of a script: raise it before anything arrived, or, for a tuple, let the text arrive and then raise.
Step = BotError | tuple[BotError] | float | None
FAST = Pacing(global_rate=100_000.0, global_burst=100_000.0, chat_rate=100_000.0, chat_burst=100_000.0)


@dataclass(frozen=True, slots=True)
class Sent:
    """One message as the subscriber's phone got it."""

    chat: str
    text: str
    at: float
    plain: bool
    part_id: int


@dataclass
class ScriptedChannel:
    """Follows `script` (one step per send, then always fine), or the chat's own script where there is one.

    A float is a delay before success. `default` answers once the scripts are used up.
    """

    name: str = "telegram"
    account: str = "42"
    pacing: Pacing = FAST
    script: deque[Step] = field(default_factory=deque)
    scripts: dict[str, deque[Step]] = field(default_factory=lambda: defaultdict(deque))
    default: Callable[[], Step] = lambda: None
    got: list[Sent] = field(default_factory=list)
    attempts: list[Sent] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0

    def split(self, reply: Reply) -> Split:
        return Split((reply,))

    async def send(self, part: OutboxPart) -> Receipt:
        now = asyncio.get_running_loop().time()
        sent = Sent(part.key.chat, part.reply.text, now, part.plain, part.id)
        self.attempts.append(sent)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await self._follow(self._next(part.key.chat), sent)
        finally:
            self.in_flight -= 1
        self.got.append(sent)
        return Receipt(str(len(self.got)))

    async def show_typing(self, key: ChatKey, message: InboundMessage) -> None:
        return None

    def texts(self, chat: str | None = None) -> list[str]:
        """What arrived, in order."""
        return [sent.text for sent in self.got if chat in (None, sent.chat)]

    def _next(self, chat: str) -> Step:
        for script in (self.scripts.get(chat), self.script):
            if script:
                return script.popleft()
        return self.default()

    async def _follow(self, step: Step, sent: Sent) -> None:
        if isinstance(step, float):
            await asyncio.sleep(step)
        elif isinstance(step, tuple):
            self.got.append(sent)
            raise step[0]
        elif step is not None:
            raise step


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for something to become true; fails the test when it does not."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # conditions are about many things, none of which signals
            await asyncio.sleep(0.005)
