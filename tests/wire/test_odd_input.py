"""Bad input gets the reply a person would expect or is set aside; nothing blocks the chat behind it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.telegram import TOKEN, FakeTelegram
from tests.wire.house import bot

ODD: list[dict[str, Any]] = [
    {"text": ""},
    {"text": "é" * 100_000},
    {"text": "\x00\x00bonjour\x00"},
    {"text": "salut \ud83d"},
    {"text": "a\u0300" * 3000},
    {"text": "/inconnue"},
    {"text": "/aide@autre_bot"},
    {"sticker": {"file_id": "s", "file_unique_id": "u", "width": 1, "height": 1}},
    {"photo": [{"file_id": "p", "file_unique_id": "u", "width": 1, "height": 1}]},
    {"location": {"latitude": 13.5, "longitude": 2.1}},
    {"voice": {"file_id": "v", "file_unique_id": "u", "duration": 3}},
    {"dice": {"emoji": "x", "value": 3}},
]


@pytest.mark.parametrize("content", ODD, ids=lambda content: next(iter(content)) + str(len(str(content))))
async def test_an_odd_message_never_blocks_the_next(tmp_path: Path, content: dict[str, Any]) -> None:
    async with (
        FakeTelegram() as telegram,
        bot(
            tmp_path, telegram_bot_token=TOKEN, telegram_api_base_url=telegram.url, burst_window=0.0
        ) as house,
    ):
        update = json.dumps({"update_id": 900, "message": telegram.message(5, **content)})
        telegram.push_raw(update.encode(), 900, 5)
        telegram.push_message(5, text="combien coûte 1 Go par semaine ?")
        await telegram.until(lambda: any("*141*3#" in sent.text for sent in telegram.chats[5]))
        assert house.app.core.metrics.turns.labels(outcome="parked")._value.get() == 0


async def test_edits_and_groups_are_no_questions(tmp_path: Path) -> None:
    async with (
        FakeTelegram() as telegram,
        bot(tmp_path, telegram_bot_token=TOKEN, telegram_api_base_url=telegram.url),
    ):
        message = telegram.message(5, text="combien coûte 1 Go ?")
        telegram.push({"edited_message": {**message, "edit_date": message["date"]}})
        group = {**telegram.message(5, text="bonjour"), "chat": {"id": -100, "type": "group", "title": "g"}}
        telegram.push({"message": group})
        telegram.push({"something_new": {"x": 1}})
        telegram.push_text(9, "bonjour")
        await telegram.wait_sent(9)
        await telegram.wait_called("leaveChat")
        assert telegram.chats[5] == []
        assert [sent.text[:40] for sent in telegram.chats[-100]] == [
            "Je ne réponds qu'en message privé : écri"
        ]
