"""The channel against a fake Graph API: what goes out, what each answer means, and what must not be told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import SecretStr

from channels.chunking import PartWords
from channels.whatsapp import WINDOW_SECONDS, WhatsAppChannel
from channels.whatsapp_compose import Template, Words
from channels.whatsapp_graph import GraphEndpoint
from domain.errors import (
    BadSettings,
    ChannelBroken,
    ChatClosed,
    MarkupRefused,
    NotSent,
    RateLimited,
    SendInDoubt,
    SendRefused,
    StoreUnavailable,
    WindowClosed,
)
from domain.messages import Attachment, ChatKey, Choice, InboundMessage, MessageKind, Reply, Sender
from memory.records import OutboxPart, SendState
from tests.fakes import whatsapp_steps as fake
from tests.fakes.whatsapp import TOKEN, FakeGraph
from tests.fakes.whatsapp_payloads import ACCOUNT, PHONE, USER
from tests.fakes.whatsapp_steps import OK, Step, error
from tests.wire.whatsapp_bot import graph_client

WORDS = Words(PartWords(more="Tapez SUITE.", empty="Vide."), choose="Choisir", choices="Choisissez :")
NOW = 1_800_000_000.0


def part(
    reply: Reply | str = "Bonjour", *, chat: str = PHONE, plain: bool = False, number: int = 7
) -> OutboxPart:
    return OutboxPart(
        id=number,
        key=ChatKey("whatsapp", ACCOUNT, chat),
        reply=Reply(reply) if isinstance(reply, str) else reply,
        state=SendState.SENDING,
        created_at=NOW,
        due_at=NOW,
        plain=plain,
    )


def inbound(message_id: str = "wamid.in") -> InboundMessage:
    key = ChatKey("whatsapp", ACCOUNT, PHONE)
    return InboundMessage(key, message_id, MessageKind.TEXT, "x", Sender(PHONE), NOW, NOW)


@asynccontextmanager
async def opened(
    graph: FakeGraph, *, token: str = TOKEN, last: float | Exception = NOW - 60, **options: Any
) -> AsyncIterator[WhatsAppChannel]:
    async def last_inbound(key: ChatKey) -> float:
        if isinstance(last, Exception):
            raise last
        return last

    options = {"stamp": "db", "clock": lambda: NOW, "evidence_wait": 33.0, **options}
    async with graph_client(graph, token=token) as client:
        yield WhatsAppChannel(client, WORDS, last_inbound=last_inbound, **options)


async def test_a_text_goes_out_with_our_part_id() -> None:
    async with FakeGraph() as graph, opened(graph) as channel:
        receipt = await channel.send(part("Composez *141*3# pour 400 Mo"))
        assert receipt.platform_id == graph.sent[0].id
        assert graph.sent[0].body == {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": PHONE,
            "biz_opaque_callback_data": "7.db",
            "type": "text",
            "text": {"body": "Composez\n```*141*3#```\npour 400 Mo", "preview_url": False},
        }


async def test_who_is_known_by_user_id_only_is_a_recipient() -> None:
    async with FakeGraph() as graph, opened(graph) as channel:
        await channel.send(part(chat=USER))
        assert graph.sent[0].body["recipient"] == USER
        assert "to" not in graph.sent[0].body


@pytest.mark.parametrize("count", [1, 3, 4, 10, 11])
async def test_choices_pass_the_platform_s_limits(count: int) -> None:
    labels = tuple(Choice(f"c:{n}", f"Un choix bien trop long pour un bouton, le {n}") for n in range(count))
    async with FakeGraph() as graph, opened(graph) as channel:
        await channel.send(part(Reply("Que voulez-vous ?", choices=labels)))
        await channel.send(part(Reply("Que voulez-vous ?", choices=labels), plain=True))
        assert not graph.faults
        assert graph.sent[1].body["type"] == "text"


@pytest.mark.parametrize("size", [10, 3 * 1024 * 1024])
async def test_a_file_is_uploaded_then_sent(size: int) -> None:
    file = Attachment("courbe.png", "image/png", b"\x89" * size)
    async with FakeGraph() as graph, opened(graph) as channel:
        await channel.send(part(Reply("La semaine", attachment=file)))
        sent = graph.sent[0].body
        assert sent["image"]["caption"] == "La semaine"
        assert graph.media[sent["image"]["id"]].data == file.data


async def test_an_export_travels_as_plain_text() -> None:
    file = Attachment("donnees.json", "application/json", b"{}")
    async with FakeGraph() as graph, opened(graph) as channel:
        await channel.send(part(Reply("", attachment=file)))
        assert graph.sent[0].body["document"]["filename"] == "donnees.json.txt"
        assert next(iter(graph.media.values())).mime_type == "text/plain"


async def test_a_file_the_platform_refuses_is_refused_before_anything_is_sent() -> None:
    file = Attachment("a.exe", "application/x-msdownload", b"x")
    async with FakeGraph() as graph, opened(graph) as channel:
        with pytest.raises(MarkupRefused):
            await channel.send(part(Reply("x", attachment=file)))
        with pytest.raises(SendRefused):
            await channel.send(part(Reply("x", attachment=file), plain=True))
        assert not graph.asked


@pytest.mark.parametrize(
    ("step", "meaning", "arrived"),
    [
        (fake.PROCESSED_THEN_RESET, SendInDoubt, 1),
        (fake.LOST, SendInDoubt, 0),
        (fake.PROCESSED_THEN_500, SendInDoubt, 1),
        (fake.YES_WITHOUT_SENSE, SendInDoubt, 1),
        (Step(status=200, raw=b"[]"), SendInDoubt, 1),
        (Step(status=200, raw=b'{"messages":[{}]}'), SendInDoubt, 1),
        (error(131016, 500), SendInDoubt, 0),
        (error(555, 400, transient=True), SendInDoubt, 0),
        (fake.PROXY_PAGE, NotSent, 0),
        (Step(status=302, raw=b"", delivers=False), NotSent, 0),
        (error(130429, 429), RateLimited, 0),
        (error(80007), RateLimited, 0),
        (error(131056), RateLimited, 0),
        (error(131047), WindowClosed, 0),
        (error(131026), ChatClosed, 0),
        (error(131009), MarkupRefused, 0),
        (error(131049), SendRefused, 0),
        (error(190, 401), ChannelBroken, 0),
        (error(131042), ChannelBroken, 0),
    ],
)
async def test_what_an_answer_means(step: Step, meaning: type[Exception], arrived: int) -> None:
    async with FakeGraph([step]) as graph, opened(graph) as channel:
        with pytest.raises(meaning) as caught:
            await channel.send(part())
        assert type(caught.value) is meaning
        assert len(graph.sent) == arrived
        if isinstance(caught.value, SendInDoubt):
            assert caught.value.seconds == 33.0


async def test_no_answer_in_time_is_in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels.whatsapp.SEND_SECONDS", 0.2)
    async with FakeGraph([fake.PROCESSED_THEN_HANG]) as graph, opened(graph) as channel:
        with pytest.raises(SendInDoubt):
            await channel.send(part())
        assert len(graph.sent) == 1


async def test_nobody_there_is_surely_not_sent() -> None:
    graph = FakeGraph()
    await graph.start()
    async with opened(graph) as channel:
        await graph.stop()
        with pytest.raises(NotSent):
            await channel.send(part())
        with pytest.raises(NotSent):
            await channel.send(part(Reply("x", attachment=Attachment("a.png", "image/png", b"x"))))
        assert (await channel.probe()).startswith("not reachable")


async def test_an_upload_of_unknown_outcome_costs_no_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels.whatsapp.UPLOAD_SECONDS", 0.0001)
    async with FakeGraph() as graph, opened(graph) as channel:
        with pytest.raises(NotSent):
            await channel.send(part(Reply("x", attachment=Attachment("a.png", "image/png", b"x"))))
        assert not graph.asked


async def test_pair_limit_waits_longer_each_time_and_for_that_chat_only() -> None:
    async with FakeGraph([error(131056)] * 4 + [OK, error(131056)]) as graph, opened(graph) as channel:
        waits = []
        for _ in range(4):
            with pytest.raises(RateLimited) as caught:
                await channel.send(part())
            assert not caught.value.everywhere
            waits.append(caught.value.seconds)
        assert waits == [6, 6, 16, 64]
        await channel.send(part())
        with pytest.raises(RateLimited) as caught:
            await channel.send(part())
        assert caught.value.seconds == 6


async def test_throughput_limit_halves_the_pace_of_the_number_for_a_while() -> None:
    now = [0.0]
    async with (
        FakeGraph([error(130429, 429, retry_after=3), error(80007), OK]) as graph,
        opened(graph, rate=80.0, ticks=lambda: now[0]) as channel,
    ):
        for expected, rate in ((3.5, 40.0), (2.0, 20.0)):
            with pytest.raises(RateLimited) as caught:
                await channel.send(part())
            assert caught.value.everywhere
            assert caught.value.seconds == expected
            assert channel.pacing.global_rate == rate
            now[0] += 5
        for minutes, rate in ((0, 20.0), (2, 40.0), (4, 80.0), (6, 80.0)):
            now[0] = 10 + 60.0 * minutes
            await channel.send(part())
            assert channel.pacing.global_rate == rate


@pytest.mark.parametrize(
    ("last", "goes"),
    [
        (NOW - WINDOW_SECONDS + 1, True),
        (NOW - WINDOW_SECONDS, False),
        (0.0, True),
        (NOW + 3600, True),
        (StoreUnavailable("busy"), True),
    ],
    ids=["just open", "just closed", "never known", "clock went back", "not readable"],
)
async def test_the_window_is_kept_before_anything_is_sent(last: float | Exception, goes: bool) -> None:
    async with FakeGraph() as graph, opened(graph, last=last) as channel:
        if goes:
            await channel.send(part())
        else:
            with pytest.raises(WindowClosed):
                await channel.send(part())
        assert len(graph.asked) == goes


async def test_a_late_answer_becomes_a_template() -> None:
    template = Template("late_answer", "fr")
    async with FakeGraph() as graph, opened(graph, last=NOW - 90_000, template=template) as channel:
        await channel.send(part(Reply("Voici :\n\n*121#", choices=(Choice("a", "Oui"),))))
        assert not graph.faults
        assert graph.sent[0].body["template"]["name"] == "late_answer"
        assert graph.sent[0].text == "Voici : ```*121#``` 1 Oui"
        assert graph.sent[0].callback == "7.db"
        with pytest.raises(WindowClosed):
            await channel.send(part(Reply("x", attachment=Attachment("a.png", "image/png", b"x"))))


async def test_the_platform_s_own_window_decides_last() -> None:
    async with FakeGraph() as graph, opened(graph, template=Template("late_answer", "fr")) as channel:
        graph.closed.add(PHONE)
        await channel.send(part())
        assert [body["type"] for body in graph.asked] == ["text", "template"]
        assert len(graph.sent) == 1
    async with (
        FakeGraph([error(132001, 404)]) as graph,
        opened(graph, last=1.0, template=Template("x", "fr")) as channel,
    ):
        with pytest.raises(WindowClosed):
            await channel.send(part())


async def test_typing_marks_as_read_once_in_a_while_and_never_raises() -> None:
    now = [0.0]
    async with FakeGraph() as graph, opened(graph, ticks=lambda: now[0]) as channel:
        key = inbound().key
        for moment in (0.0, 4.0, 19.0, 20.0):
            now[0] = moment
            await channel.show_typing(key, inbound())
        await channel.show_typing(key, inbound("wamid.other"))
        assert [read["message_id"] for read in graph.reads] == ["wamid.in", "wamid.in", "wamid.other"]
        assert graph.reads[0]["typing_indicator"] == {"type": "text"}
    await channel.show_typing(key, inbound("wamid.late"))


async def test_readiness_asks_rarely_and_tells_why() -> None:
    now = [0.0]
    async with FakeGraph() as graph, opened(graph, ticks=lambda: now[0]) as channel:
        assert await channel.probe() == ""
        graph.healthy = False
        now[0] = 30.0
        assert await channel.probe() == ""
        now[0] = 61.0
        assert "190" in await channel.probe()
        graph.healthy = True
        assert "190" in await channel.probe()
        now[0] = 67.0
        assert await channel.probe() == ""
        graph.script = [error(131042), OK]
        with pytest.raises(ChannelBroken):
            await channel.send(part())
        assert "131042" in await channel.probe()
        await channel.send(part())
        assert await channel.probe() == ""


@pytest.mark.parametrize(
    ("base", "token", "number", "named"),
    [
        ("https://graph.facebook.com/v26.0", "", ACCOUNT, "WHATSAPP_ACCESS_TOKEN"),
        ("https://graph.facebook.com/v26.0", "a\nb", ACCOUNT, "WHATSAPP_ACCESS_TOKEN"),
        ("https://graph.facebook.com/v26.0", "abc", "+227 80 00", "WHATSAPP_PHONE_NUMBER_ID"),
        ("http://graph.facebook.com/v26.0", "abc", ACCOUNT, "WHATSAPP_GRAPH_BASE_URL"),
        ("graph.facebook.com", "abc", ACCOUNT, "WHATSAPP_GRAPH_BASE_URL"),
    ],
)
def test_settings_that_cannot_work_are_named(base: str, token: str, number: str, named: str) -> None:
    with pytest.raises(BadSettings, match=named):
        GraphEndpoint(base, SecretStr(token), number)


async def test_neither_token_nor_number_nor_words_are_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    steps = [error(190, 401), error(131030), fake.PROCESSED_THEN_RESET, error(100)]
    async with FakeGraph(steps) as graph, opened(graph) as channel:
        for _ in steps:
            with pytest.raises(Exception) as caught:  # noqa: PT011
                await channel.send(part("mon secret"))
            told.append(f"{caught.value!r} {caught.value}")
        told += [repr(channel), repr(vars(channel)), await channel.probe()]
    spoken = "\n".join([*told, caplog.text.replace(f"/{ACCOUNT}/", "")])
    for secret in (TOKEN, PHONE, "mon secret"):
        assert secret not in spoken


async def test_sends_of_many_chats_run_at_once() -> None:
    async with FakeGraph(delay=0.05) as graph, opened(graph) as channel:
        sends = [channel.send(part(chat=f"2279{n:07d}", number=n)) for n in range(40)]
        receipts = await asyncio.gather(*sends)
        assert len({receipt.platform_id for receipt in receipts}) == 40
