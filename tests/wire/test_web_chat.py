"""The chat page's endpoints: a real HTTP client against the real server and a database file."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.intake import IntakeLimits
from bot.server import Limits
from channels import web_events
from channels.web_limits import AddressLimit
from domain.messages import Attachment, Choice, Reply
from memory.records import SendState, Settlement
from tests.wire.web_house import House, listening, open_house, until

ID = "0123456789abcdef"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as house:
        yield house


async def test_asks_and_reads_the_answer(house: House) -> None:
    await house.start_chat()
    async with listening(house) as events:
        assert (await house.post({"id": ID, "text": " Mon solde ? "}))[0] == 202
        assert await house.answer(Reply("Composez *137#")) == "Mon solde ?"
        assert await events.texts(1) == ["Composez *137#"]


async def test_the_same_id_is_the_same_message(house: House) -> None:
    await house.start_chat()
    for text in ("Mon solde ?", "Mon solde ?", "autre chose"):
        status, said = await house.post({"id": ID, "text": text})
        assert (status, said["id"]) == (202, ID)
    await house.answer(Reply("Composez *137#"))
    assert not await house.store.inbox.claim(1, wait=0)


async def test_two_chats_may_make_the_same_id(house: House) -> None:
    for text in ("une", "deux"):
        await house.start_chat()
        await house.post({"id": ID, "text": text})
    assert {await house.answer(Reply("a")), await house.answer(Reply("b"))} == {"une", "deux"}


async def test_a_page_catches_up_in_order_after_any_part(house: House) -> None:
    key = await house.start_chat()
    await house.say(key, *(Reply(f"réponse {n}") for n in range(150)))
    expected = [f"réponse {n}" for n in range(150)]
    async with listening(house) as events:
        assert await events.texts(150) == expected
    shown = (await house.history())["messages"]
    assert [line["text"] for line in shown] == expected[-60:]
    after = shown[-4]["id"]
    async with listening(house, f"?after={after}") as events:
        assert await events.texts(3) == expected[-3:]
    async with listening(house, "?after=0", {"Last-Event-ID": str(after + 1)}) as events:
        assert await events.texts(2) == expected[-2:]
    caught_up = await house.history(f"?after={after}")
    assert [line["text"] for line in caught_up["messages"]] == expected[-3:]
    assert caught_up["last"] == shown[-1]["id"]


async def test_history_holds_questions_and_answers_in_order(house: House) -> None:
    await house.start_chat()
    await house.post({"id": ID, "text": "un"})
    await house.answer(Reply("réponse à un"), Reply("suite"))
    await house.post({"id": ID + "2", "text": "deux"})
    await house.answer(Reply("réponse à deux", choices=(Choice("fb:yes", "Utile"),)))
    lines = (await house.history())["messages"]
    assert [(line["from"], line["text"]) for line in lines] == [
        ("you", "un"),
        ("bot", "réponse à un"),
        ("bot", "suite"),
        ("you", "deux"),
        ("bot", "réponse à deux"),
    ]
    assert lines[-1]["choices"] == [{"id": "fb:yes", "label": "Utile"}]


async def test_a_chat_goes_on_after_a_restart(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        key = await house.start_chat()
        await house.say(key, Reply("avant"))
        token = next(cookie.value for cookie in house.client.cookie_jar if cookie.key == "chat")
    async with (
        open_house(tmp_path) as house,
        house.client.get(
            house.url + "/api/chat/history", headers={"Authorization": f"Bearer {token}"}
        ) as answer,
    ):
        assert [line["text"] for line in (await answer.json())["messages"]] == ["avant"]


async def test_a_choice_is_posted_by_its_id(house: House) -> None:
    await house.start_chat()
    await house.post({"id": ID, "text": "Mon solde", "choice": "menu:solde"})
    message = (await house.store.inbox.claim(1, wait=1))[0].messages[0].message
    assert (message.kind, message.payload["choice_id"], message.text) == ("choice", "menu:solde", "Mon solde")


async def test_shows_typing_and_pings(tmp_path: Path) -> None:
    async with open_house(tmp_path, heartbeat=0.05) as house:
        key = await house.start_chat()
        async with listening(house) as events:
            names = [(await events.next())[0] for _ in range(3)]
            assert names == ["retry", "ping", "ping"]
            await house.post({"id": ID, "text": "bonjour"})
            message = (await house.store.inbox.claim(1, wait=1))[0].messages[0].message
            await house.channel.show_typing(key, message)
            for _ in range(50):
                name, _data = await events.next()
                if name == "typing":
                    break
            assert name == "typing"


async def test_parts_that_were_never_sent_are_not_shown(house: House) -> None:
    key = await house.start_chat()
    await house.store.outbox.enqueue(key, [Reply("perdue"), Reply("arrivée")])
    part = (await house.store.outbox.claim(1, wait=1))[0]
    await house.store.outbox.settle(part, Settlement(SendState.DEAD, error="gone"))
    assert [line["text"] for line in (await house.history())["messages"]] == ["arrivée"]
    async with listening(house) as events:
        assert await events.texts(1) == ["arrivée"]


async def test_a_file_is_for_its_chat_only(house: House) -> None:
    key = await house.start_chat()
    data = Attachment("mes données.json", "application/json", b'{"a":1}')
    await house.say(key, Reply("Voici.", attachment=data))
    line = (await house.history())["messages"][0]
    assert line["file"]["bytes"] == 7
    async with house.client.get(house.url + line["file"]["url"]) as answer:
        assert await answer.read() == b'{"a":1}'
        assert answer.headers["Content-Disposition"].startswith("attachment;")
        assert "mes%20donn%C3%A9es.json" in answer.headers["Content-Disposition"]
    await house.start_chat()
    for path in (line["file"]["url"], "/api/chat/files/0", "/api/chat/files/99999999999999999999"):
        async with house.client.get(house.url + path) as answer:
            assert answer.status == 404


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"id": ID}, "empty"),
        ({"id": ID, "text": "   "}, "empty"),
        ({"id": ID, "text": "x" * 4001}, "too_long"),
        ({"id": ID, "text": 3}, "unreadable"),
        ({"id": ID, "text": {"a": 1}}, "unreadable"),
        ({"id": "court", "text": "a"}, "bad_id"),
        ({"id": "é" * 10, "text": "a"}, "bad_id"),
        ({"id": 12345678, "text": "a"}, "bad_id"),
        ({"text": "a"}, "bad_id"),
        ({"id": ID, "text": "a", "choice": ""}, "bad_choice"),
        ({"id": ID, "text": "a", "choice": "x" * 65}, "bad_choice"),
        ({"id": ID, "text": "a", "choice": 1}, "bad_choice"),
        ([], "unreadable"),
        ("texte", "unreadable"),
    ],
)
async def test_says_what_is_wrong_with_a_message(house: House, body: object, code: str) -> None:
    await house.start_chat()
    status, said = await house.post(body)
    assert (status, said["error"]) == (400, code)
    assert said["message"].endswith(".")


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b'{"id":"' + b"[" * 90_000, b"nul\x00l"])
async def test_refuses_what_is_no_json(house: House, body: bytes) -> None:
    await house.start_chat()
    headers = {"Content-Type": "application/json"}
    async with house.client.post(house.url + "/api/chat/messages", data=body, headers=headers) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"] == "unreadable"


async def test_takes_half_an_emoji_and_a_nul(house: House) -> None:
    await house.start_chat()
    body = b'{"id":"%s","text":"a\\ud83d \\u0000b"}' % ID.encode()
    headers = {"Content-Type": "application/json"}
    async with house.client.post(house.url + "/api/chat/messages", data=body, headers=headers) as answer:
        assert answer.status == 202
    assert await house.answer(Reply("ok")) == "a\ufffd b"


async def test_takes_a_message_as_long_as_is_allowed(house: House) -> None:
    await house.start_chat()
    assert (await house.post({"id": ID, "text": "€" * 4000}))[0] == 202
    assert await house.answer(Reply("ok")) == "€" * 4000


async def test_without_a_chat_nothing_is_told(house: House) -> None:
    token = house.tokens.issue()
    forged = token[:-2] + ("AA" if token[-2:] != "AA" else "BB")
    for given in ("", "Bearer", "Bearer x", f"Bearer {forged}", f"Bearer {token}x", f"Basic {token}"):
        headers = {"Authorization": given}
        for method, path in (
            ("GET", "history"),
            ("GET", "events"),
            ("GET", "files/1"),
            ("POST", "messages"),
        ):
            async with house.client.request(
                method, f"{house.url}/api/chat/{path}", headers=headers
            ) as answer:
                assert answer.status == 401, (given, path)
                assert (await answer.json())["error"] == "no_chat"


async def test_the_cookie_is_for_this_page_only(house: House) -> None:
    async with house.client.post(house.url + "/api/chat/start") as answer:
        cookie = answer.headers["Set-Cookie"]
    for part in ("HttpOnly", "SameSite=Strict", "Path=/api/chat", "Max-Age="):
        assert part in cookie
    async with house.client.get(house.url + "/api/chat/history") as answer:
        assert answer.headers["Set-Cookie"] == cookie  # the month begins anew


async def test_another_site_cannot_write(house: House) -> None:
    await house.start_chat()
    for site in ("cross-site", "same-site"):
        headers = {"Sec-Fetch-Site": site}
        assert (await house.post({"id": ID, "text": "a"}, headers=headers))[0] == 403
        async with house.client.post(house.url + "/api/chat/start", headers=headers) as answer:
            assert answer.status == 403
    body = json.dumps({"id": ID, "text": "a"})
    async with house.client.post(
        house.url + "/api/chat/messages", data=body, headers={"Content-Type": "text/plain"}
    ) as answer:
        assert answer.status == 403
    assert not await house.store.inbox.claim(1, wait=0)


async def test_who_writes_too_fast_is_told(tmp_path: Path) -> None:
    async with open_house(tmp_path, intake=IntakeLimits(chat_rate_per_minute=3)) as house:
        await house.start_chat()
        statuses = [(await house.post({"id": f"{ID}{n}", "text": "a"}))[0] for n in range(5)]
        assert statuses == [202, 202, 202, 429, 429]


async def test_who_starts_too_many_chats_is_told(tmp_path: Path) -> None:
    async with open_house(tmp_path, starts=AddressLimit(rate=0.1, burst=2)) as house:
        for expected in (201, 201, 429):
            async with house.client.post(house.url + "/api/chat/start") as answer:
                assert answer.status == expected
        assert int(answer.headers["Retry-After"]) >= 9


async def test_a_stopping_bot_takes_nothing_new(house: House) -> None:
    await house.start_chat()
    house.server.stop_intake()
    async with house.client.post(house.url + "/api/chat/messages", json={"id": ID, "text": "a"}) as answer:
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "5"
    assert (await house.history())["messages"] == []


async def test_stopping_ends_open_streams(house: House) -> None:
    await house.start_chat()
    async with listening(house) as events:
        assert (await events.next())[0] == "retry"
        async with asyncio.timeout(5):
            await house.server.stop()
        assert (await events.next())[0] == "end"


async def test_the_oldest_tab_makes_room_and_stays_away(house: House) -> None:
    await house.start_chat()
    async with listening(house) as first:
        assert await first.next() == ("retry", {"milliseconds": 3000})
        async with listening(house), listening(house), listening(house):
            assert await first.next() == ("retry", {"milliseconds": 60000})
            assert (await first.next())[0] == "end"
            assert len(house.channel.streams) == 3


async def test_a_closed_page_is_forgotten(tmp_path: Path) -> None:
    async with open_house(tmp_path, heartbeat=0.05) as house:
        await house.start_chat()
        async with listening(house) as events:
            assert (await events.next())[0] == "retry"
            assert len(house.channel.streams) == 1
        await until(lambda: len(house.channel.streams) == 0)


async def test_too_many_streams_in_all(house: House) -> None:
    await house.start_chat()
    house.channel.streams._total = 0
    async with house.client.get(house.url + "/api/chat/events") as answer:
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "10"


@pytest.mark.parametrize("after", ["-1", "x", "1" * 17, "1.5", "٣"])
async def test_a_part_number_is_a_number(house: House, after: str) -> None:
    await house.start_chat()
    for path in ("history", "events"):
        async with house.client.get(f"{house.url}/api/chat/{path}", params={"after": after}) as answer:
            assert answer.status == 400


async def test_who_does_not_read_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_events, "WRITE_SECONDS", 0.2)
    limits = Limits(idle_seconds=0.2, head_seconds=0.4)
    async with open_house(tmp_path, limits=limits) as house:
        key = await house.start_chat()
        await house.store.outbox.enqueue(key, [Reply("€" * 3400) for _ in range(1500)])
        token = next(cookie.value for cookie in house.client.cookie_jar if cookie.key == "chat")
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await asyncio.to_thread(client.connect, ("127.0.0.1", int(house.url.rpartition(":")[2])))
        request = f"GET /api/chat/events HTTP/1.1\r\nHost: localhost\r\nCookie: chat={token}\r\n\r\n"
        client.sendall(request.encode())
        await until(lambda: len(house.channel.streams) == 1)
        await until(lambda: len(house.channel.streams) == 0 and house.server.guard.closed_slow >= 1)
        client.close()
