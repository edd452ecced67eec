"""`/diffuser`: one message to every reachable subscriber, previewed, confirmed, paced, stoppable."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Protocol

from config.texts import Texts
from domain.errors import BadInput
from domain.messages import Reply
from handlers.admin import say
from handlers.outcome import Outcome, TurnContext

MAX_CHARS = 600
CONFIRM_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a broadcast is. `skipped`: WhatsApp chats outside their window, who must not be written to."""

    state: str  # "running" | "stopped" | "done"
    queued: int
    skipped: int
    audience: int


class Campaigns(Protocol):
    """The broadcast engine: one broadcast at a time, resumed after a restart."""

    async def audience(self) -> int:
        """How many subscribers can be written to now."""
        ...

    async def start(self, text: str, admin: str) -> None:
        """Begin. Raises BadInput while another one runs."""
        ...

    async def stop(self) -> bool:
        """Queue nothing more; what is queued still goes out. False when none runs."""
        ...

    async def progress(self) -> Progress | None:
        """The last broadcast, or None when there never was one."""
        ...


class Broadcast:
    """Answers `/diffuser TEXTE`, `/diffuser oui CODE`, `/diffuser stop`, `/diffuser état`."""

    def __init__(self, texts: Texts, campaigns: Campaigns) -> None:
        self._texts = texts
        self._campaigns = campaigns
        self._waiting: dict[str, tuple[str, str, float]] = {}  # admin -> code, text, until

    async def handle(self, context: TurnContext) -> Outcome:
        """Preview, start, stop or report."""
        words = context.text.split(maxsplit=1)
        rest = words[1].strip() if len(words) > 1 else ""
        verb = rest.split()[0].lower() if rest else ""
        if verb in {"état", "etat"} or not rest:
            return await self._report()
        if verb == "stop":
            return say(
                self._texts.get(
                    "admin.broadcast_stopped" if await self._campaigns.stop() else "admin.broadcast_none"
                )
            )
        if verb == "oui":
            return await self._confirm(context, rest.split()[1:])
        return await self._preview(context, rest)

    async def _preview(self, context: TurnContext, text: str) -> Outcome:
        if len(text) > MAX_CHARS:
            raise BadInput(self._texts.get("admin.broadcast_long", limit=MAX_CHARS))
        code = f"{secrets.randbelow(9000) + 1000}"
        self._waiting[str(context.key)] = (code, text, context.now + CONFIRM_SECONDS)
        count = await self._campaigns.audience()
        question = self._texts.get("admin.broadcast_preview", count=count, code=code)
        return Outcome(replies=(Reply(text), Reply(question)))

    async def _confirm(self, context: TurnContext, words: list[str]) -> Outcome:
        code, text, until = self._waiting.get(str(context.key), ("", "", 0.0))
        if not words or not secrets.compare_digest(words[0].encode(), code.encode()) or context.now > until:
            raise BadInput(self._texts.get("admin.broadcast_wrong_code"))
        await self._campaigns.start(text, str(context.key))
        self._waiting.pop(str(context.key))
        return say(self._texts.get("admin.broadcast_started"))

    async def _report(self) -> Outcome:
        progress = await self._campaigns.progress()
        if progress is None:
            return say(self._texts.get("admin.broadcast_use"))
        state = self._texts.get(f"admin.broadcast_{progress.state}")
        return say(
            self._texts.get(
                "admin.broadcast_progress",
                state=state,
                queued=progress.queued,
                skipped=progress.skipped,
                audience=progress.audience,
            )
        )
