"""The open questions as a file: by command and on the admin page, for admins only, naming nobody."""

from __future__ import annotations

import asyncio
import csv
import io
from pathlib import Path

from pydantic import SecretStr

from tests.fakes.telegram import TOKEN, FakeTelegram
from tests.fakes.whatsapp import TOKEN as GRAPH_TOKEN
from tests.fakes.whatsapp import FakeGraph
from tests.fakes.whatsapp_payloads import ACCOUNT, APP_SECRET, PHONE, VERIFY_TOKEN, one, text
from tests.wire.house import House, bot

ADMIN, OTHER = 1001, 2002
UNKNOWN = "où acheter le forfait lunaire, je suis le 96 12 34 56"
NASTY = "=1+1;@SUM(A1) où acheter le forfait lunaire"
KNOWN = "combien coûte 1 Go par semaine ?"


def rows(data: bytes) -> list[list[str]]:
    assert data.startswith(b"\xef\xbb\xbf")
    head, *found = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=";")
    assert head == ["Numéro", "Question", "Langue", "Raison", "Nombre de fois", "Dernière fois"]
    return found


async def of_the_page(house: House, **headers: str) -> tuple[int, bytes]:
    async with house.http.get(f"{house.url}/admin/api/questions.csv", headers=headers) as answer:
        if answer.status == 200:
            assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
            assert answer.headers["Content-Disposition"].startswith('attachment; filename="questions-20')
            assert answer.headers["Cache-Control"] == "no-store"
        return answer.status, await answer.read()


async def test_the_same_file_on_telegram_and_on_the_page(tmp_path: Path) -> None:
    async with (
        FakeTelegram() as telegram,
        bot(
            tmp_path,
            telegram_bot_token=TOKEN,
            telegram_api_base_url=telegram.url,
            admin_chat_ids=(str(ADMIN),),
            burst_window=0.0,
            http_token=SecretStr("jeton-du-service"),
        ) as house,
    ):
        telegram.push_text(ADMIN, "/questions fichier")
        assert "Aucune question" in (await telegram.wait_sent(ADMIN))[0].text
        telegram.push_text(OTHER + 1, UNKNOWN)
        for number, question in enumerate((UNKNOWN, NASTY, KNOWN), 1):
            telegram.push_text(OTHER, question)
            await telegram.wait_sent(OTHER, number)
        telegram.push_text(OTHER, "2")  # "not useful", written instead of tapped
        await telegram.wait_sent(OTHER, 4)

        telegram.push_text(ADMIN, "/questions fichier")
        sent = (await telegram.wait_sent(ADMIN, 2))[-1]
        assert sent.method == "sendDocument"
        assert sent.file is not None
        name, data = sent.file
        assert name.endswith(".csv")
        assert "3" in sent.text
        asked, rated, nasty = (row[1:5] for row in rows(data))
        assert asked == [
            "où acheter le forfait lunaire, je suis le [numéro]",
            "français",
            "sans réponse",
            "2",
        ]
        assert nasty == [f"'{NASTY}", "français", "sans réponse", "1"]
        assert rated == [KNOWN, "français", "jugée inutile", "1"]
        for secret in (b"96 12 34 56", b"96123456", str(OTHER).encode()):
            assert secret not in data

        token = {"Authorization": "Bearer jeton-du-service"}
        assert await of_the_page(house, **token) == (200, data)
        status, refused = await of_the_page(house)
        assert (status, b"lune" in refused) == (401, False)

        telegram.push_text(OTHER, "/questions fichier")
        refusal = (await telegram.wait_sent(OTHER, 5))[-1]
        assert (refusal.method, refusal.file) == ("sendMessage", None)
        commands = [entry["command"] for entry in (await house.app.core.store.notes.items("audit")).values()]
        assert commands.count("/questions fichier") == 2
        assert commands.count("exporter les questions") == 1


async def test_whatsapp_takes_it_as_plain_text(tmp_path: Path) -> None:
    async with (
        FakeGraph() as graph,
        bot(
            tmp_path,
            whatsapp_access_token=GRAPH_TOKEN,
            whatsapp_phone_number_id=ACCOUNT,
            whatsapp_app_secret=APP_SECRET,
            whatsapp_verify_token=VERIFY_TOKEN,
            whatsapp_graph_base_url=graph.base_url,
            admin_chat_ids=(f"whatsapp:{PHONE}",),
            burst_window=0.0,
        ) as house,
    ):
        graph.callback = f"{house.url}/whatsapp"
        await say(graph, UNKNOWN, "22796000009", 1)
        await say(graph, "/questions fichier", PHONE, 2)
        document = graph.sent[-1].body["document"]
        assert document["filename"].endswith(".csv.txt")
        (media,) = graph.media.values()
        assert [row[4] for row in rows(media.data)] == ["1"]
        assert graph.faults == []


async def say(graph: FakeGraph, words: str, sender: str, replies: int) -> None:
    assert await graph.push(one(text(words, sender=sender))) == 200
    async with asyncio.timeout(20):
        while len(graph.sent) < replies:  # noqa: ASYNC110  # the fake server is polled, it tells nobody
            await asyncio.sleep(0.02)
