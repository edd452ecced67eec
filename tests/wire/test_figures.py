"""One source of figures: whatever shows them shows the same ones at the same moment."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.fakes.telegram import TOKEN, FakeTelegram
from tests.wire.house import House, bot

ADMIN = 1001


async def metrics_of(house: House) -> dict[str, float]:
    async with house.http.get(f"{house.url}/metrics") as response:
        text = await response.text()
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


def numbers(text: str, pattern: str) -> list[int]:
    match = re.search(pattern, text)
    assert match is not None, f"{pattern} is not in: {text}"
    return [int(group) for group in match.groups()]


async def test_every_reader_shows_the_same_figures(tmp_path: Path) -> None:
    async with (
        FakeTelegram() as telegram,
        bot(
            tmp_path,
            telegram_bot_token=TOKEN,
            telegram_api_base_url=telegram.url,
            admin_chat_ids=(str(ADMIN),),
            burst_window=0.0,
        ) as house,
    ):
        for person in range(10, 16):
            telegram.push_text(person, "combien coûte 1 Go par semaine ?")
            await telegram.wait_sent(person)
        telegram.push_text(10, "/nouveau")
        await telegram.wait_sent(10, 2)
        telegram.push_text(ADMIN, "/stats")
        said = (await telegram.wait_sent(ADMIN))[0].text

        sessions: dict[str, Any] = await house.get("/sessions")
        performance: dict[str, Any] = await house.get("/performance")
        metrics = await metrics_of(house)

        assert sessions["active_sessions"] == metrics["bot_sessions{state=active}"] == 6
        assert sessions["total_sessions"] == metrics["bot_sessions{state=total}"]
        assert sessions["expired_sessions"] == metrics["bot_sessions{state=expired}"]
        cache = performance["cache_stats"]
        assert cache["hits"] == metrics["bot_cache_lookups_total{result=hit}"] == 5
        assert cache["misses"] == metrics["bot_cache_lookups_total{result=miss}"] == 1
        assert cache["entries"] == metrics["bot_cache_entries{}"]
        assert (
            performance["response_times"]["turn"]["count"] == metrics["bot_stage_seconds_count{stage=turn}"]
        )
        assert performance["knowledge"]["version"] == house.app.core.library.version

        # /stats was drawn up inside its own turn: that one session and turn came after.
        active, total = numbers(said, r"Sessions : (\d+) actives, (\d+) en tout")
        assert (active, total) == (sessions["active_sessions"] - 1, sessions["total_sessions"] - 1)
        (turns,) = numbers(said, r"\((\d+) depuis le début\)")
        assert turns == metrics["bot_stored_turns{}"] - 1
        for name in metrics:
            assert str(ADMIN) not in name


async def test_totals_survive_a_restart(tmp_path: Path) -> None:
    async with bot(tmp_path) as house:
        await house.open_chat()
        await house.ask("combien coûte 1 Go par semaine ?", "message-1")
        before = await metrics_of(house)
    async with bot(tmp_path) as house:
        after = await metrics_of(house)
        assert after["bot_sessions{state=total}"] == before["bot_sessions{state=total}"] == 1
        assert after["bot_stored_turns{}"] == before["bot_stored_turns{}"] == 1
        # The answer of the first run is still in the cache of the second.
        assert after["bot_cache_entries{}"] == 1
