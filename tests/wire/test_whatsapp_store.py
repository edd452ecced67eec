"""WhatsApp with a real database: nothing lost, nothing doubled, and receipts that settle doubts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.intake import Intake
from bot.sender import Sender
from channels.whatsapp import WhatsAppChannel
from channels.whatsapp_compose import Words
from channels.whatsapp_evidence import database_stamp
from config.settings import ROOT
from config.texts import Texts
from domain.messages import ChatKey, Reply
from memory.opening import open_store
from memory.records import OutboxPart, SendState
from memory.sqlite import SqliteStore
from monitoring.metrics import Metrics
from tests.fakes import whatsapp_payloads as payloads
from tests.fakes import whatsapp_steps as fake
from tests.fakes.whatsapp import FakeGraph
from tests.fakes.whatsapp_payloads import ACCOUNT, PHONE, dumped, one, signature, text
from tests.fakes.whatsapp_steps import OK, error
from tests.wire.whatsapp_bot import FORGERIES, RawClient, graph_client, serve

TEXTS = Texts.load(ROOT / "data" / "texts")
KEY = ChatKey("whatsapp", ACCOUNT, PHONE)


@dataclass(frozen=True, slots=True)
class Bot:
    store: SqliteStore
    channel: WhatsAppChannel
    sender: Sender
    url: str

    async def parts(self) -> Sequence[OutboxPart]:
        return await self.store.outbox.after(KEY, 0, 100)

    async def until(self, done: Callable[[Sequence[OutboxPart]], bool]) -> Sequence[OutboxPart]:
        async with asyncio.timeout(10):
            while True:
                parts = await self.parts()
                if done(parts):
                    return parts
                await asyncio.sleep(0.02)

    async def settled(self) -> Sequence[OutboxPart]:
        final = {SendState.SENT, SendState.FAILED, SendState.DEAD}
        return await self.until(lambda parts: all(part.state in final for part in parts))


async def _long_ago(key: ChatKey) -> float:
    return 0.0


@asynccontextmanager
async def running(
    folder: Path, graph: FakeGraph, *, evidence_wait: float = 60.0, clock: Callable[[], float] = time.time
) -> AsyncIterator[Bot]:
    """Server, intake, database, channel and sender; turns are the test's."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(folder / "memory.db", clock=clock))
        metrics, stamp = Metrics(), await database_stamp(store.notes)
        intake = Intake(store, TEXTS, metrics, mask=lambda words: (words, ()))
        client = await stack.enter_async_context(graph_client(graph))

        async def last_inbound(key: ChatKey) -> float:
            profile = await store.long_term.profile(key)
            return profile.last_inbound_at if profile else 0.0

        channel = WhatsAppChannel(
            client, Words.of(TEXTS), last_inbound=last_inbound, stamp=stamp, evidence_wait=evidence_wait
        )
        house = serve(intake.accept, store.outbox.confirm, store.set_aside, stamp=stamp, metrics=metrics)
        url, _ = await stack.enter_async_context(house)
        graph.callback = url
        channels = {("whatsapp", ACCOUNT): channel}
        sender = Sender(store, channels, metrics, texts=TEXTS, report=lambda *_: None, clock=clock)
        task = asyncio.create_task(sender.run())
        try:
            yield Bot(store, channel, sender, url)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await intake.drain()


async def test_a_batch_gives_twelve_turns(tmp_path: Path) -> None:
    async with FakeGraph() as graph, running(tmp_path, graph) as bot:
        body = payloads.batch(2, 2, 3)
        assert [await graph.push(body) for _ in range(2)] == [200, 200]
        assert (await bot.store.health()).inbox_depth == 12
        texts: list[str] = []
        while len(texts) < 12:
            turns = await bot.store.inbox.claim(12, wait=5.0)
            assert turns
            texts += [stored.message.text for turn in turns for stored in turn.messages]
        assert sorted(texts) == sorted(f"message {n}" for n in range(12))


async def test_ten_thousand_forged_and_replayed_webhooks_leave_no_row(tmp_path: Path) -> None:
    async with FakeGraph() as graph, running(tmp_path, graph) as bot:
        genuine = [dumped(one(text(f"question n° {n}", sender=f"2279000{n:04d}"))) for n in range(20)]
        forged = [dumped(one(text(f"faux n° {n}"))) for n in range(20)]
        answers: dict[int, int] = {}
        kinds = list(FORGERIES.values())
        host, port = bot.url.removeprefix("http://").removesuffix("/whatsapp").split(":")
        async with RawClient(host, int(port)) as client:
            for number in range(10_000):
                if number % 10 == 0:
                    raw = genuine[number // 10 % len(genuine)]
                    header: str | None = signature(raw)
                else:
                    raw = (genuine + forged)[number % 40]
                    header = kinds[number % len(kinds)](raw)
                status = await client.post(raw, header)
                answers[status] = answers.get(status, 0) + 1
        assert answers == {200: 1000, 401: 9000}
        assert (await bot.store.health()).inbox_depth == 20


async def test_a_receipt_settles_what_was_in_doubt_without_a_second_copy(tmp_path: Path) -> None:
    graph = FakeGraph([fake.PROCESSED_THEN_RESET, OK], statuses=("sent", "delivered"))
    async with graph, running(tmp_path, graph) as bot:
        await bot.store.outbox.enqueue(KEY, [Reply("un"), Reply("deux")])
        parts = await bot.settled()
        assert [part.state for part in parts] == [SendState.SENT] * 2
        assert [sent.text for sent in graph.sent] == ["un", "deux"]
        assert [part.platform_id for part in parts] == [sent.id for sent in graph.sent]


async def test_a_receipt_may_come_before_the_answer(tmp_path: Path) -> None:
    graph = FakeGraph(statuses=("sent",), status_first=True)
    async with graph, running(tmp_path, graph) as bot:
        await bot.store.outbox.enqueue(KEY, [Reply("un"), Reply("deux")])
        assert [part.state for part in await bot.settled()] == [SendState.SENT] * 2
        assert [sent.text for sent in graph.sent] == ["un", "deux"]


@pytest.mark.parametrize("arrived", [True, False])
async def test_a_kill_during_a_send_is_settled_by_the_receipt_or_by_one_resend(
    tmp_path: Path, arrived: bool
) -> None:
    now = [time.time()]
    async with FakeGraph() as graph, open_store(tmp_path / "memory.db", clock=lambda: now[0]) as store:
        await store.outbox.enqueue(KEY, [Reply("un"), Reply("deux")])
        (part,) = await store.outbox.claim(1, wait=1.0)
        if arrived:
            async with graph_client(graph) as client:
                stamp = await database_stamp(store.notes)
                channel = WhatsAppChannel(client, Words.of(TEXTS), last_inbound=_long_ago, stamp=stamp)
                await channel.send(part)
    async with graph, running(tmp_path, graph, clock=lambda: now[0]) as bot:
        assert (await bot.parts())[0].state is SendState.IN_DOUBT
        if arrived:
            told = payloads.status("sent", graph.sent[0].callback, platform_id=graph.sent[0].id)
            assert await graph.push(one(statuses=[told])) == 200
        else:
            now[0] += 61.0
        assert [part.state for part in await bot.settled()] == [SendState.SENT] * 2
        assert [sent.text for sent in graph.sent] == ["un", "deux"]


@pytest.mark.parametrize("first", [fake.LOST, fake.PROCESSED_THEN_500], ids=["never arrived", "arrived"])
async def test_without_a_receipt_there_is_one_resend(tmp_path: Path, first: fake.Step) -> None:
    graph = FakeGraph([first, OK])
    async with graph, running(tmp_path, graph, evidence_wait=0.1) as bot:
        await bot.store.outbox.enqueue(KEY, [Reply("un"), Reply("deux")])
        assert [part.state for part in await bot.settled()] == [SendState.SENT] * 2
        assert [body["text"]["body"] for body in graph.asked] == ["un", "un", "deux"]
        assert len(graph.sent) == 2 + first.delivers


async def test_never_more_than_two_copies(tmp_path: Path) -> None:
    graph = FakeGraph([fake.PROCESSED_THEN_500, fake.PROCESSED_THEN_500, OK])
    async with graph, running(tmp_path, graph, evidence_wait=0.1) as bot:
        await bot.store.outbox.enqueue(KEY, [Reply("un"), Reply("deux")])
        parts = await bot.until(lambda parts: len(parts) == 3 and parts[-1].state is SendState.SENT)
        assert [part.state for part in parts] == [SendState.DEAD, SendState.SENT, SendState.SENT]
        # What may never have arrived is followed by a word about it.
        apology = parts[-1].reply.text
        assert [sent.text for sent in graph.sent] == ["un", "un", "deux", apology]


async def test_a_late_refusal_moves_a_sent_part_on(tmp_path: Path) -> None:
    graph = FakeGraph()
    async with graph, running(tmp_path, graph) as bot:
        await bot.store.outbox.enqueue(KEY, [Reply("un")])
        sent = await bot.settled()
        callback = graph.sent[0].callback
        failed = payloads.status("failed", callback, platform_id=graph.sent[0].id, code=131026)
        late = payloads.status("delivered", callback, platform_id=graph.sent[0].id)
        assert await graph.push(one(statuses=[failed, late])) == 200
        parts = await bot.until(lambda parts: parts[0].state is SendState.FAILED)
        assert parts[0].id == sent[0].id
        assert "131026" in parts[0].error


async def test_receipts_of_a_replaced_database_settle_nothing(tmp_path: Path) -> None:
    graph = FakeGraph([error(131056)])
    async with graph, running(tmp_path, graph) as bot:
        await bot.store.outbox.enqueue(KEY, [Reply("un")])
        await bot.until(lambda parts: bool(parts[0].error))
        statuses = [payloads.status("delivered", name) for name in ("1", "1.", "1.deadbeef")]
        assert await graph.push(one(statuses=statuses)) == 200
        assert (await bot.parts())[0].state is SendState.PENDING
        stamp = await database_stamp(bot.store.notes)
        assert await graph.push(one(statuses=[payloads.status("delivered", f"1.{stamp}")])) == 200
        assert (await bot.parts())[0].state is SendState.SENT


async def test_what_nobody_can_read_is_kept_in_the_database(tmp_path: Path) -> None:
    async with FakeGraph() as graph, running(tmp_path, graph) as bot:
        assert await graph.push(b"{") == 200
        assert await graph.push(one(payloads.message("hologram", {"x": 1}))) == 200
        assert (await bot.store.health()).inbox_depth == 1


async def test_the_stamp_of_a_database_stays(tmp_path: Path) -> None:
    stamps = []
    for _ in range(2):
        async with open_store(tmp_path / "memory.db") as store:
            stamps.append(await database_stamp(store.notes))
    async with open_store(tmp_path / "other.db") as store:
        stamps.append(await database_stamp(store.notes))
    assert stamps[0] == stamps[1] != stamps[2]
