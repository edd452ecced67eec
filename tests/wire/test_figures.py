"""One source of figures: whatever shows them shows the same ones at the same moment."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from handlers.statistics import amount
from tests.fakes.openai import FakeOpenAI, rag
from tests.fakes.telegram import TOKEN, FakeTelegram
from tests.wire.house import House, bot

ADMIN = 1001
PEOPLE = range(10, 12)


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


# The page's name of a figure, and the sample of `/metrics` that shows it.
SAMPLES = {
    "active_sessions": "bot_sessions{state=active}",
    "total_sessions": "bot_sessions{state=total}",
    "expired_sessions": "bot_sessions{state=expired}",
    "average_session_seconds": "bot_session_average_seconds{}",
    "total_turns": "bot_stored_turns{}",
    "running_turns": "bot_running_turns{}",
    "inbox_depth": "bot_queue_depth{queue=inbox}",
    "outbox_depth": "bot_queue_depth{queue=outbox}",
    "in_doubt": "bot_queue_depth{queue=in_doubt}",
    "dead_letters": "bot_queue_depth{queue=dead}",
    "sends_ok": "bot_sends_total{channel=telegram,outcome=sent}",
    "cache_hits": "bot_cache_lookups_total{result=hit}",
    "cache_misses": "bot_cache_lookups_total{result=miss}",
    "cache_entries": "bot_cache_entries{}",
    "model_calls": "bot_model_calls_total{outcome=ok}",
    "breaker_open": "bot_breaker_open{}",
    "prompt_tokens": "bot_tokens_total{direction=prompt}",
    "completion_tokens": "bot_tokens_total{direction=completion}",
    "cost_today": "bot_model_cost{span=today}",
    "cost_per_turn": "bot_model_cost{span=turn}",
    "grounding_blocks": "bot_grounding_blocks_total{}",
    "memory_bytes": "bot_memory_bytes{}",
    "memory_limit": "bot_memory_limit_bytes{}",
    "memory_percent": "bot_memory_percent{}",
    "database_bytes": "bot_database_bytes{}",
    "handoffs": "bot_handoffs_total{}",
    "useful": "bot_feedback_total{useful=true}",
}


async def test_every_reader_shows_the_same_figures(tmp_path: Path) -> None:
    async with (
        FakeTelegram() as telegram,
        FakeOpenAI(rag) as model,
        bot(
            tmp_path,
            telegram_bot_token=TOKEN,
            telegram_api_base_url=telegram.url,
            openai_base_url=model.url,
            llm_price_input=150.0,
            llm_price_output=600.0,
            admin_chat_ids=(str(ADMIN),),
            burst_window=0.0,
        ) as house,
    ):
        await live_a_little(telegram)
        before = await metrics_of(house)
        sessions: dict[str, Any] = await house.get("/sessions")
        performance: dict[str, Any] = await house.get("/performance")
        page: dict[str, Any] = await house.get("/admin/api/live")
        after = await metrics_of(house)
        telegram.push_text(ADMIN, "/stats")
        said = (await telegram.wait_sent(ADMIN, 2))[-1].text

        figures = page["figures"]
        for name, sample in SAMPLES.items():  # memory may be read anew between two scrapes
            assert figures[name] in {before[sample], after[sample]}, name
        assert page["sessions"] | {"memory_usage_mb": 0} == sessions | {"memory_usage_mb": 0}
        # One began anew, the admin came.
        assert sessions["active_sessions"] == figures["active_sessions"] == len(PEOPLE)
        assert sessions["expired_sessions"] == figures["expired_sessions"]
        for part in ("cache_stats", "model", "timeouts", "knowledge", "preloading"):
            assert page["performance"][part] == performance[part], part
        cache, spoken = performance["cache_stats"], performance["model"]
        assert (cache["hits"], cache["misses"]) == (figures["cache_hits"], figures["cache_misses"])
        assert (spoken["calls"], spoken["prompt_tokens"]) == (
            figures["model_calls"],
            figures["prompt_tokens"],
        )
        assert spoken["cost_today"] == figures["cost_today"] > spoken["cost_per_turn"] > 0
        turns = performance["response_times"]["turn"]["count"]
        assert turns == before["bot_stage_seconds_count{stage=turn}"] == figures["total_turns"]
        version = house.app.core.library.version
        assert figures["knowledge_version"] == performance["knowledge"]["version"] == version
        assert before[f"bot_knowledge_info{{version={version}}}"] == 1
        assert before["bot_session_cache_bytes{}"] > 0
        assert figures["memory_limit"] > figures["memory_bytes"] > 0
        assert (figures["useful"], figures["not_useful"]) == (1, 0)
        assert figures["cache_hits"] > 0

        expected = {
            r"Sessions : (\d+) actives, (\d+) en tout, (\d+) expirées": [
                figures[name] for name in ("active_sessions", "total_sessions", "expired_sessions")
            ],
            r"\((\d+) depuis le début\)": [figures["total_turns"]],
            r"Cache : (\d+) %": [round(100 * cache["hit_rate"])],
            r"% de (\d+) Mio": [round(figures["memory_limit"] / 2**20)],
            # The one that waits is this very command.
            r"Files : (\d+) entrée, (\d+) sortie, (\d+) de côté": [1, 0, 0],
            r"Avis : (\d+) utiles, (\d+) non": [figures["useful"], figures["not_useful"]],
            r"Jetons du modèle : (\d+)": [spoken["prompt_tokens"] + spoken["completion_tokens"]],
        }
        for pattern, values in expected.items():
            assert numbers(said, pattern) == values, pattern
        today, per_turn = amount(spoken["cost_today"]), amount(spoken["cost_per_turn"])
        assert f"Coût du modèle : {today} aujourd'hui, {per_turn} par réponse" in said
        for name in after:
            assert str(ADMIN) not in name


async def live_a_little(telegram: FakeTelegram) -> None:
    """Answers of the model and of the cache, a rating, a session begun anew."""

    async def say(person: int, text: str) -> None:
        replies = len(telegram.chats[person])
        telegram.push_text(person, text)
        await telegram.wait_sent(person, replies + 1, seconds=20)

    for person in PEOPLE:
        await say(person, "combien coûte 1 Go par semaine ?")
    await say(PEOPLE[1], "/nouveau")
    for text in ("combien coûte 1 Go par semaine ?", "forfait appel à 500 F", "1"):
        await say(PEOPLE[0], text)
    await say(ADMIN, "bonjour")


async def test_without_prices_no_reader_speaks_of_a_cost(tmp_path: Path) -> None:
    async with FakeOpenAI(rag) as model, bot(tmp_path, openai_base_url=model.url) as house:
        await house.open_chat()
        await house.ask("combien coûte 1 Go par semaine ?", "message-1")
        performance = await house.get("/performance")
        assert performance["model"]["prompt_tokens"] > 0
        assert not [name for name in performance["model"] if "cost" in name]
        assert not [name for name in await metrics_of(house) if "cost" in name]
        assert (await house.get("/admin/api/live"))["figures"]["cost_today"] is None


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
