"""What gets lost: killed processes, sends that fail, broken model answers; and what a burst costs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from benchmarks.questions import question
from benchmarks.rig import OURS, Rig, open_rig

Row = dict[str, float]
SEND_FAULTS = ("flood", "server_error", "reset")
_FIRST = 7000


async def kill(bot: str, *, messages: int = 60) -> Row:
    """kill -9 in the middle of the work, start again: whose message was never answered."""
    async with open_rig(delay=0.25) as rig:
        child = await rig.start(bot)
        await rig.push(*_questions(messages))
        await rig.quiet(messages // 3)
        await child.kill()
        before = len(await rig.sent())
        async with rig.bot(bot):
            await rig.quiet(messages)
            return {"answered_before": before, **await _counted(rig, messages)}


async def failing_sends(bot: str, *, messages: int = 100, chance: float = 0.1) -> Row:
    """One send in ten fails: told to wait, server error, connection reset."""
    total: Counter[str] = Counter()
    for kind in SEND_FAULTS:
        async with open_rig() as rig, rig.bot(bot):
            await rig.fail_sends(kind, chance)
            await rig.push(*_questions(messages))
            await rig.quiet(messages)
            total.update(await _counted(rig, messages))
    return dict(total)


async def bad_answers(bot: str, *, messages: int = 200, chance: float = 0.1) -> Row:
    """One answer of the model in ten is empty or broken."""
    async with open_rig() as rig, rig.bot(bot):
        await rig.fail_answers(chance)
        await rig.push(*_questions(messages))
        await rig.quiet(messages)
        return await _counted(rig, messages)


async def burst(bot: str, *, messages: int = 5) -> Row:
    """Model calls and replies for one thought written as five messages, with the settings as they ship."""
    settings = {"BURST_WINDOW": "1.2"} if bot == OURS else {}
    async with open_rig(delay=0.2, settings=settings) as rig, rig.bot(bot):
        for part in ("Bonjour", "je veux un forfait", "internet", "pour une semaine", "avec 500 F")[
            :messages
        ]:
            await rig.push((_FIRST, part))
            await asyncio.sleep(0.2)
        await rig.quiet(messages)
        return {"calls": (await rig.model_stats())["calls"], "replies": len(await rig.sent())}


def _questions(count: int) -> Sequence[tuple[int, str]]:
    return [(_FIRST + i, question(i)) for i in range(count)]


async def _counted(rig: Rig, messages: int) -> Row:
    """Each chat asked once; an answer it got twice is counted as doubled."""
    replies = Counter(chat for chat, text in await rig.sent() if text.strip())
    return {
        "asked": messages,
        "lost": messages - len(replies),
        "doubled": sum(count - 1 for count in replies.values()),
    }
