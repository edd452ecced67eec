"""Voice notes: transcribed where a transcription model is set, politely declined otherwise."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from config.texts import Texts
from domain.errors import BotError
from domain.messages import InboundMessage, Reply
from handlers.outcome import Handler, Outcome, TurnContext

MAX_SECONDS = 90
MAX_BYTES = 2 * 1024 * 1024

FetchMedia = Callable[[InboundMessage], Awaitable[bytes]]
Transcribe = Callable[[bytes], Awaitable[str]]
Hide = Callable[[str], tuple[str, tuple[str, ...]]]


class Voice:
    """Hears a voice note, echoes what it understood, and has the question answered.

    `fetch` gives the bytes of a message's media, by channel. Nothing is downloaded that is too long or too
    large; the bytes are never stored. `hide` takes secrets out of what was said and names their kinds.
    """

    def __init__(
        self,
        texts: Texts,
        chat: Handler,
        *,
        fetch: Mapping[str, FetchMedia],
        transcribe: Transcribe | None,
        hide: Hide,
    ) -> None:
        self._texts = texts
        self._chat = chat
        self._fetch = fetch
        self._transcribe = transcribe
        self._hide = hide

    async def handle(self, context: TurnContext) -> Outcome:
        """Answer the spoken question, or say why it cannot be heard."""
        fetch = self._fetch.get(context.key.channel)
        if self._transcribe is None or fetch is None:
            return self._say(context, "commands.voice_off")
        payload = context.last.payload
        if int(payload.get("duration") or 0) > MAX_SECONDS or int(payload.get("size") or 0) > MAX_BYTES:
            return self._say(context, "commands.voice_too_long", seconds=MAX_SECONDS)
        try:
            spoken = await self._transcribe(await fetch(context.last))
        except BotError:
            return self._say(context, "commands.voice_failed")
        heard, secrets = self._hide(spoken)
        if len(heard.strip()) < 2:
            return self._say(context, "commands.voice_failed")
        echo = Reply(self._texts.get("commands.voice_heard", context.language, text=heard))
        answer = await self._chat.handle(context.asking(heard, flags=secrets))
        return Outcome(replies=(echo,)).before(answer)

    def _say(self, context: TurnContext, key: str, **values: object) -> Outcome:
        return Outcome(replies=(Reply(self._texts.get(key, context.language, **values)),))
