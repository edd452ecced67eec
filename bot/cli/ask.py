"""`python -m bot ask`: questions in a terminal, or JSON lines, through the real pipeline.

Each question has a session of its own in a database that is thrown away at the end. A line in holds
`{"id", "text", "context": [{"role", "text"}]}`, a line out `{"id", "answer_text", "retrieved_ids", "lang"}`,
in the same order, flushed.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import orjson

from bot.answering import build_runner
from bot.app import build_intake
from bot.assembly import Core, open_core
from bot.collector import settle
from bot.intake import Intake
from bot.thinking import build_mind
from bot.turn import TurnRunner
from channels.base import Pacing, Receipt, Split
from config.logs import set_up_logs
from config.settings import Settings, secrets_of
from domain.errors import BadInput
from domain.messages import ChatKey, InboundMessage, MessageKind, Reply, Sender
from memory.records import OutboxPart

_CHANNEL, _ACCOUNT = "ask", "terminal"
_CLAIM_SECONDS = 10.0
_MAX_CONTEXT = 20


class TerminalChannel:
    """The terminal as a channel: a reply stays whole, and standing in the outbox is its delivery."""

    name = _CHANNEL
    account = _ACCOUNT
    pacing = Pacing(1000.0, 1000.0, 1000.0, 1000.0)

    def split(self, reply: Reply) -> Split:
        """One part."""
        return Split((reply,))

    async def send(self, part: OutboxPart) -> Receipt:
        """Nothing to do."""
        return Receipt(str(part.id))

    async def show_typing(self, key: ChatKey, message: InboundMessage) -> None:
        """Nothing to show."""


class Asker:
    """Asks one question after the other."""

    def __init__(self, core: Core) -> None:
        core.add_channel(TerminalChannel())
        self._core = core
        self._intake: Intake = build_intake(core, burst_window=0.0)
        self._runner: TurnRunner = build_runner(core, build_mind(core))

    async def ask(self, text: str, context: Sequence[Mapping[str, str]] = ()) -> dict[str, Any]:
        """The answer as a line out, without its id."""
        key = ChatKey(_CHANNEL, _ACCOUNT, uuid.uuid4().hex)
        now = self._core.clock()
        message = InboundMessage(
            key=key,
            external_id=key.chat,
            kind=MessageKind.TEXT,
            text=text,
            sender=Sender(key.chat),
            sent_at=now,
            received_at=now,
            payload={"context": list(context)} if context else {},
        )
        await self._intake.accept((message,))
        for _ in range(4):  # a turn that failed is due again
            for turn in await self._core.store.inbox.claim(1, wait=_CLAIM_SECONDS):
                await self._runner.run(turn)
            parts = await self._core.store.outbox.after(key, 0, 10)
            if parts:
                break
        exchanges = await self._core.store.long_term.history(key, 1)
        return {
            "answer_text": "\n\n".join(part.reply.text for part in parts),
            "retrieved_ids": list(exchanges[0].passage_ids) if exchanges else [],
            "lang": str(exchanges[0].language) if exchanges else "fr",
        }


async def execute(settings: Settings, options: argparse.Namespace) -> int:
    """Answer the question of the command line, or every line of standard input."""
    set_up_logs(level="WARNING", secrets=secrets_of(settings))
    with tempfile.TemporaryDirectory(prefix="airtel-bot-ask-") as folder:
        async with AsyncExitStack() as stack:
            core = await open_core(stack, settings, database=Path(folder) / "ask.db")
            asker = Asker(core)
            settle()
            if options.question:
                print((await asker.ask(" ".join(options.question)))["answer_text"])
                return 0
            return await _answer_lines(asker)


async def _answer_lines(asker: Asker) -> int:
    faults = 0
    while line := await asyncio.to_thread(sys.stdin.buffer.readline):
        if not line.strip():
            continue
        try:
            item = read_line(line)
        except BadInput as error:
            faults += 1
            _write({"id": None, "answer_text": "", "retrieved_ids": [], "lang": "fr", "error": str(error)})
            continue
        _write({"id": item["id"], **await asker.ask(item["text"], item["context"])})
    return 1 if faults else 0


def read_line(line: bytes) -> dict[str, Any]:
    """One question. Raises BadInput with a sentence for the terminal."""
    try:
        item = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise BadInput("cette ligne n'est pas du JSON") from None
    if not isinstance(item, dict) or not isinstance(item.get("text"), str):
        raise BadInput('une ligne doit avoir la forme {"id": …, "text": "…"}')
    context = item.get("context") or []
    if not isinstance(context, list):
        raise BadInput("« context » doit être une liste")
    lines = [
        {"role": "user" if said.get("role") == "user" else "bot", "text": str(said.get("text", ""))}
        for said in context[-_MAX_CONTEXT:]
        if isinstance(said, dict)
    ]
    return {"id": item.get("id"), "text": item["text"], "context": lines}


def _write(answer: dict[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
    sys.stdout.buffer.flush()
