"""The answer cache in front of model and catalogue."""

from __future__ import annotations

from dataclasses import replace

from domain.answers import Origin, Utterance
from monitoring.metrics import total
from rag.cache import CacheKey
from tests.fakes.openai import answer, call, fail
from tests.wire.agent_rig import QUESTION, TRUE_DRAFT, agent_rig, library


async def test_the_same_question_is_answered_once() -> None:
    async with agent_rig([answer(TRUE_DRAFT)], cached=True) as rig:
        first = await rig.ask(chat="1")
        again = await rig.ask("J'ai 500f je veux INTERNET pour la semaine svp !!", chat="2")
        assert (first.origin, again.origin) == (Origin.MODEL, Origin.CACHE)
        assert again.text == first.text
        assert again.passage_ids == first.passage_ids
        assert (again.model_calls, again.prompt_tokens) == (0, 0)
        assert rig.calls() == 1
        assert total(rig.metrics.cache_lookups, result="hit") == 1
        assert [m.type for m in await rig.state("2")] == ["human", "ai"]


async def test_embedded_answers_are_kept_too() -> None:
    async with agent_rig(cached=True, with_model=False) as rig:
        first, again = await rig.ask(chat="1"), await rig.ask(chat="2")
        assert (first.origin, again.origin) == (Origin.EMBEDDED, Origin.CACHE)
        assert first.text == again.text


async def test_each_language_has_its_own() -> None:
    async with agent_rig(cached=True, with_model=False) as rig:
        french = await rig.ask("internet 500 F 7 jours", language=None)
        hausa = await rig.ask("ina son internet na 500 F na mako", chat="2")
        assert hausa.origin is Origin.EMBEDDED
        assert french.text != hausa.text


async def test_personal_turns_are_not_kept() -> None:
    talk = (Utterance("user", QUESTION), Utterance("bot", TRUE_DRAFT))
    async with agent_rig([answer(TRUE_DRAFT)], cached=True) as rig:
        assert rig.cache is not None
        await rig.ask(known="S'appelle Moussa.", chat="1")
        await rig.ask(f"{QUESTION} pour le 90123456", chat="2")
        await rig.ask("et pour le mois ?", context=talk, chat="3")
        await rig.ask(chat="4")
        await rig.ask(
            "quel forfait internet pour une heure", chat="4"
        )  # a later answer may quote an earlier one
        assert len(rig.cache) == 1


async def test_a_failing_model_does_not_fill_the_cache() -> None:
    async with agent_rig([fail(400), answer(TRUE_DRAFT)], cached=True) as rig:
        assert (await rig.ask(chat="1")).origin is Origin.EMBEDDED
        assert (await rig.ask(chat="2")).origin is Origin.MODEL


async def test_an_answer_that_rests_on_the_models_own_search_is_kept_too() -> None:
    search = call("search_offers", {"budget": 500, "days": 7})
    asked = "Quels forfaits internet pour la nuit ?"
    async with agent_rig([search, answer(TRUE_DRAFT), fail(400)], cached=True) as rig:
        first, again = await rig.ask(asked, chat="1"), await rig.ask(asked, chat="2")
        assert (first.origin, again.origin) == (Origin.MODEL, Origin.CACHE)
        assert again.text == first.text == TRUE_DRAFT


async def test_a_kept_answer_that_no_longer_holds_is_dropped() -> None:
    async with agent_rig([answer(TRUE_DRAFT)], cached=True) as rig:
        assert rig.cache is not None
        await rig.ask(chat="1")
        exported = rig.cache.export()
        (name,) = exported
        exported[name]["text"] = "500 F : 9 Go, 7 jours\n*141*9#"
        rig.cache.purge()
        rig.cache.restore(exported)
        got = await rig.ask(chat="2")
        assert (got.origin, got.text) == (Origin.MODEL, TRUE_DRAFT)


async def test_a_reload_empties_it() -> None:
    async with agent_rig(cached=True, with_model=False) as rig:
        assert rig.cache is not None
        await rig.ask(chat="1")
        (name,) = rows = rig.cache.export()
        assert rows[name]["version"].startswith(library().version)
        key = CacheKey("x", replace(await rig.ask(chat="2")).language, "another version", False)
        assert rig.cache.get(key) is None
        assert len(rig.cache) == 0
