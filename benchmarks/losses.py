"""What gets lost: killed processes, sends that fail, broken model answers; and what a burst costs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Sequence

from benchmarks.questions import question
from benchmarks.rig import OURS, Rig, open_rig
from config.settings import ROOT
from config.texts import Texts
from domain.messages import Language

Row = dict[str, float]
# Told to wait, failed, cut off before Telegram took it; the last is cut off after that, so that the bot
# cannot know and a second copy is the price of losing nothing.
SEND_FAULTS = ("flood", "server_error", "reset", "reset_processed")
APOLOGIES = ("pipeline.perhaps_lost", "pipeline.stale_apology")  # what our bot says about lost replies
_FIRST = 7000
_AT_A_TIME = 3  # cases of one bot


async def kill(bot: str, *, messages: int = 60) -> Row:
    """kill -9 in the middle of the work, start again: whose message was never answered."""
    async with open_rig(delay=0.25) as rig:
        child = await rig.start(bot)
        await rig.push(*_questions(messages))
        await rig.quiet(messages // 3)
        await child.kill()
        before = len(await rig.sent())
        async with rig.bot(bot):
            await _until_done(rig, bot, messages)
            return {"answered_before": before, **await _counted(rig, messages)}


async def failing_sends(bot: str, kind: str, *, messages: int = 100, chance: float = 0.1) -> Row:
    """One send in ten fails in one way."""
    async with open_rig() as rig, rig.bot(bot):
        await rig.fail_sends(kind, chance)
        await rig.push(*_questions(messages))
        await _until_done(rig, bot, messages)
        return await _counted(rig, messages)


async def bad_answers(bot: str, *, messages: int = 200, chance: float = 0.1) -> Row:
    """One answer of the model in ten is empty or broken."""
    async with open_rig() as rig, rig.bot(bot):
        await rig.fail_answers(chance)
        await rig.push(*_questions(messages))
        await _until_done(rig, bot, messages)
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
        await _until_done(rig, bot, messages)
        return {"calls": (await rig.model_stats())["calls"], "replies": len(await rig.sent())}


async def all_of(bot: str, kills: int, *, share: float = 1.0) -> dict[str, Row]:
    """Every case, a few at a time: most of what they take is waiting. Counts are sums."""
    room = asyncio.Semaphore(_AT_A_TIME)

    def of(count: int) -> int:
        return max(10, round(count * share))

    async def in_turn(case: Awaitable[Row]) -> Row:
        async with room:
            return await case

    *rows, answers, thought = await asyncio.gather(
        *(in_turn(kill(bot, messages=of(60))) for _ in range(kills)),
        *(in_turn(failing_sends(bot, kind, messages=of(100))) for kind in SEND_FAULTS),
        in_turn(bad_answers(bot, messages=of(200))),
        in_turn(burst(bot)),
    )
    killed, (*untaken, taken) = rows[:kills], rows[kills:]
    found = {"kill": _sum(killed), "sends": _sum(untaken), "cut_after": taken}
    return {**found, "answers": answers, "burst": thought}


def _sum(rows: Sequence[Row]) -> Row:
    return {name: sum(row[name] for row in rows) for name in rows[0]}


def _questions(count: int) -> Sequence[tuple[int, str]]:
    return [(_FIRST + i, question(i)) for i in range(count)]


async def _until_done(rig: Rig, bot: str, messages: int) -> None:
    """Ours keeps on disk what it still owes; of the textbook bot one can only see that it fell silent."""
    if bot == OURS:
        await rig.settled(messages)
    else:
        await rig.quiet(messages)


async def _counted(rig: Rig, messages: int) -> Row:
    """Each chat asked once; an answer that came twice is counted as doubled.

    An apology is no answer: who got only that one has lost a reply, but was told.
    """
    excuses = _apologies()
    texts = Counter((chat, text) for chat, text in await rig.sent() if text.strip())
    answered = {chat for chat, text in texts if text not in excuses}
    told = {chat for chat, text in texts if text in excuses}
    return {
        "asked": messages,
        "lost": messages - len(answered),
        "told": len(told - answered),
        "doubled": sum(count - 1 for (_, text), count in texts.items() if text not in excuses),
    }


def _apologies() -> frozenset[str]:
    texts = Texts.load(ROOT / "data" / "texts")
    return frozenset(texts.get(key, language) for key in APOLOGIES for language in Language)
