"""The sign that an answer is being written, shown while a turn takes long enough for it to help."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from channels.base import Channel
from domain.messages import MessageKind
from handlers.outcome import TurnContext

TYPING_AFTER = 0.4  # an answer of the catalogue is there before dots would be
TYPING_EVERY = 4.0  # Telegram shows them for about five seconds


@asynccontextmanager
async def typing_shown(channel: Channel, context: TurnContext) -> AsyncIterator[None]:
    """Show that an answer is being written, for as long as it takes."""
    if not context.is_talk:
        yield
        return

    async def keep_typing() -> None:
        while True:
            await channel.show_typing(context.key, context.last)
            await asyncio.sleep(TYPING_EVERY)

    tasks: list[asyncio.Task[None]] = []

    def start() -> None:
        tasks.append(asyncio.create_task(keep_typing(), name="typing"))

    tapped = context.kind is MessageKind.CHOICE
    if tapped:
        start()
    # Else a timer first: most answers are there before a task would have anything to do.
    timer = None if tapped else asyncio.get_running_loop().call_later(TYPING_AFTER, start)
    try:
        yield
    finally:
        if tapped:  # so that the channel can begin to take the spinner off the button
            await asyncio.sleep(0)
        if timer is not None:
            timer.cancel()
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
