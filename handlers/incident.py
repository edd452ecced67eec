"""Network incidents: an admin announces one, and those who ask about the network are told first.

`/incident Niamey coupure de fibre 3h` announces it for three hours, `/incident fin Niamey` ends it, and
`/incident` lists.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from config.texts import Texts
from domain.errors import BadInput
from handlers.admin import duration, read_duration, say
from handlers.outcome import Outcome, TurnContext
from memory.base import Notes

INCIDENTS = "incidents"
_MAX_TEXT = 300
EVERYWHERE = "partout"
# What every turn asks is remembered so long, and read anew at once after a change of ours.
KEPT_SECONDS = 5.0

Fold = Callable[[str], str]


class Incidents:
    """Running incidents, kept in the Store until their time is over.

    `fold` makes texts comparable; `signs` are folded words that make a question one about the network.
    """

    def __init__(
        self,
        texts: Texts,
        notes: Notes,
        *,
        fold: Fold,
        signs: frozenset[str],
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._texts = texts
        self._notes = notes
        self._fold = fold
        self._signs = signs
        self._ticks = ticks
        self._running: Mapping[str, Any] = {}
        self._running_until = 0.0

    async def about(self, question: str) -> str | None:
        """What to say first: the incident of a zone named in the question, or of any zone to who asks about
        the network. None when there is nothing to say.
        """
        if self._ticks() >= self._running_until:
            self._running = await self._notes.items(INCIDENTS)
            self._running_until = self._ticks() + KEPT_SECONDS
        running = self._running
        if not running:
            return None
        folded = self._fold(question)
        named = [entry for entry in running.values() if self._fold(str(entry["zone"])) in folded]
        asks = any(sign in folded.split() for sign in self._signs)
        chosen = named or (list(running.values()) if asks else [])
        return "\n".join(self._line(entry) for entry in chosen) or None

    async def handle(self, context: TurnContext) -> Outcome:
        """Announce, end or list."""
        words = context.text.split()[1:]
        if not words:
            return await self._list(context.now)
        if words[0].lower() == "fin":
            return await self._end(" ".join(words[1:]))
        if len(words) < 3:
            raise BadInput(self._texts.get("admin.incident_use"))
        zone, text, lasting = words[0], " ".join(words[1:-1])[:_MAX_TEXT], words[-1]
        seconds = read_duration(lasting, self._texts)
        entry = {"zone": zone, "text": text, "until": context.now + seconds}
        await self._notes.put(INCIDENTS, {self._fold(zone): entry}, expires_at=context.now + seconds)
        self._running_until = 0.0
        preview = self._line(entry)
        return say(self._texts.get("admin.incident_set", preview=preview, duration=duration(seconds)))

    async def _end(self, zone: str) -> Outcome:
        gone = await self._notes.delete(INCIDENTS, [self._fold(zone)])
        self._running_until = 0.0
        return say(self._texts.get("admin.incident_ended" if gone else "admin.incident_unknown", zone=zone))

    async def _list(self, now: float) -> Outcome:
        running = await self._notes.items(INCIDENTS)
        if not running:
            return say(self._texts.get("admin.incident_none"))
        lines = [
            f"- {entry['zone']} ({duration(float(entry['until']) - now)}) : {entry['text']}"
            for entry in running.values()
        ]
        return say("\n".join([self._texts.get("admin.incident_title"), *lines]))

    def _line(self, entry: Mapping[str, object]) -> str:
        if self._fold(str(entry["zone"])) == EVERYWHERE:
            return self._texts.get("admin.incident_everywhere", text=entry["text"])
        return self._texts.get("admin.incident_told", zone=entry["zone"], text=entry["text"])
