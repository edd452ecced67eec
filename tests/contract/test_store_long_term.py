"""Long-term memory, editors, statistics and notes."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

from domain.messages import Language, Reply
from memory.base import Store
from memory.records import Profile, TurnCommit, TurnFacts
from tests.contract.stores import AMINA, BOUBE, House, exchange, message, session, turn_of


async def remember(store: Store, *exchanges: tuple[str, str], at: float, answered: bool = True) -> None:
    for question, answer in exchanges:
        kept = replace(exchange(question=question, answer=answer, at=at), answered=answered)
        await store.commit(await turn_of(store), TurnCommit(exchange=kept))


async def test_history_is_newest_first_and_of_one_chat(house: House, store: Store) -> None:
    await remember(store, ("q1", "a1"), ("q2", "a2"), ("q3", "a3"), at=house.clock())
    store = await house.reopened()
    assert [one.question for one in await store.long_term.history(AMINA, 2)] == ["q3", "q2"]
    assert await store.long_term.history(BOUBE, 10) == []


async def test_search_finds_words_without_accents_and_beginnings(house: House, store: Store) -> None:
    await remember(store, ("Forfait étudiant", "500 F"), ("réseau lent", "redémarrez"), at=house.clock())
    for text in ("etudiant", "FORFAIT étud", "500", "forf"):
        assert [one.answer for one in await store.long_term.search(text, key=None, limit=10)] == ["500 F"]
    assert await store.long_term.search("forfait lent", key=None, limit=10) == []
    assert await store.long_term.search("forfait", key=BOUBE, limit=10) == []
    assert len(await store.long_term.search("forfait", key=AMINA, limit=10)) == 1


async def test_search_takes_any_text_for_words(store: Store) -> None:
    await remember(store, ('"AND" OR NOT near(', "a*b^c:d-e'f"), at=1.0)
    for text in (
        '"',
        "*",
        "AND",
        "NEAR(",
        "a* OR b",
        "question:x",
        "'; DROP TABLE exchanges;--",
        "",
        " _ ",
        "\x00",
    ):
        await store.long_term.search(text, key=None, limit=10)
    assert len(await store.long_term.search("near AND", key=None, limit=10)) == 1
    assert len(await store.long_term.history(AMINA, 10)) == 1


async def test_search_knows_what_was_said_just_now_and_after_a_reopen(house: House, store: Store) -> None:
    await remember(store, ("q1", "alpha"), at=house.clock())
    assert len(await store.long_term.search("alpha", key=None, limit=10)) == 1
    await remember(store, ("q2", "alpha beta"), at=house.clock())
    store = await house.reopened()
    assert len(await store.long_term.search("alpha", key=None, limit=10)) == 2


async def test_a_sealed_profile_hides_what_was_said(house: House, store: Store) -> None:
    await remember(store, ("mon secret", "réponse"), at=house.clock())
    await store.long_term.save_profile(Profile(AMINA, sealed=True))
    assert await store.long_term.history(AMINA, 10) == []
    assert await store.long_term.search("secret", key=AMINA, limit=10) == []
    assert "secret" not in json.dumps(await store.long_term.export(AMINA))
    await store.long_term.save_profile(Profile(AMINA))
    assert len(await store.long_term.history(AMINA, 10)) == 1


async def test_a_profile_comes_back_whole(house: House, store: Store) -> None:
    assert await store.long_term.profile(AMINA) is None
    profile = Profile(
        AMINA, Language.ENGLISH, "22790", 1.5, 2.5, False, True, True, 9.5, {"a": [1, {"b": None}]}
    )
    await store.long_term.save_profile(replace(profile, extra=None))
    await store.long_term.save_profile(profile)
    assert await (await house.reopened()).long_term.profile(AMINA) == profile


async def test_the_export_holds_everything_about_one_chat(house: House, store: Store) -> None:
    now = house.clock()
    done = TurnCommit(
        replies=(Reply("réponse envoyée"),),
        session=session(created=now),
        profile=Profile(AMINA, Language.FRENCH, "22790123456", now, now),
        exchange=exchange(question="ma question", at=now),
    )
    await store.commit(await turn_of(store), done)
    await store.commit(await turn_of(store, BOUBE), TurnCommit(exchange=exchange(BOUBE, "la sienne", at=now)))
    await store.inbox.accept([message(text="en attente")], backlog_limit=50)
    exported = json.dumps(await store.long_term.export(AMINA), ensure_ascii=False)
    for told in ("ma question", "réponse envoyée", "22790123456", "en attente", str(AMINA)):
        assert told in exported
    assert "la sienne" not in exported


async def test_exchanges_go_with_their_retention(house: House, store: Store) -> None:
    await remember(store, ("vieux", "a"), at=house.clock() - 31 * 86_400)
    await remember(store, ("récent", "b"), at=house.clock() - 29 * 86_400)
    assert await store.purge(house.clock(), retention_days=30) == 1
    assert [one.question for one in await store.long_term.history(AMINA, 10)] == ["récent"]
    assert await store.long_term.search("vieux", key=None, limit=10) == []


async def test_questions_are_counted_by_their_words(house: House, store: Store) -> None:
    now = house.clock()
    await remember(store, ("eSIM ?", "?"), ("esim ? ", "?"), ("autre", "?"), at=now, answered=False)
    await remember(store, ("bien", "oui"), at=now)
    found = await store.editors.questions(10)
    assert [(one.count, one.reason) for one in found] == [(2, "unanswered"), (1, "unanswered")]
    await store.editors.close_question(found[0].id)
    assert [one.text for one in await (await house.reopened()).editors.questions(10)] == ["autre"]


async def test_facts_come_back_oldest_first(house: House, store: Store) -> None:
    now = house.clock()
    kept = [TurnFacts(now + at, "web", "ha", "model", "data", False, 2, 1, 2, 3, 4, 5, 6) for at in (0, 1, 2)]
    for one in kept:
        await store.commit(await turn_of(store), TurnCommit(facts=one))
    store = await house.reopened()
    assert await store.statistics.facts(now + 1) == kept[1:]
    assert await store.statistics.total_turns() == 3


async def test_the_commonest_questions(house: House, store: Store) -> None:
    now = house.clock()
    await remember(store, ("prix", "a"), ("Prix", "a"), ("réseau", "b"), at=now)
    await remember(store, ("ancien", "a"), at=now - 1000)
    counted = [(text.lower(), count) for text, count in await store.statistics.top_questions(now - 10, 5)]
    assert counted == [("prix", 2), ("réseau", 1)]


async def test_notes_are_kept_until_they_expire(house: House, store: Store) -> None:
    now = house.clock()
    await store.notes.put("mutes", {"a": {"x": [1, None]}, "b": 2.5})
    await store.notes.put("mutes", {"c": "bientôt"}, expires_at=now + 10)
    await store.notes.put("other", {"a": False})
    store = await house.reopened()
    assert await store.notes.items("mutes") == {"a": {"x": [1, None]}, "b": 2.5, "c": "bientôt"}
    house.clock.advance(11)
    assert await store.notes.get("mutes", "c") is None
    assert await store.notes.get("mutes", "b") == 2.5
    assert await store.notes.items("mutes") == {"a": {"x": [1, None]}, "b": 2.5}
    assert await store.purge(house.clock(), retention_days=30) == 1
    assert await store.notes.delete("mutes", ["a", "zzz"]) == 1
    assert await store.notes.delete("mutes") == 1
    assert await store.notes.get("other", "a") is False


async def test_tokens_come_back_with_time(house: House, store: Store) -> None:
    assert [await store.take("telegram", rate=2.0, burst=2.0) for _ in range(3)] == [0.0, 0.0, 0.5]
    assert await store.take("whatsapp", rate=2.0, burst=2.0) == 0.0
    house.clock.advance(0.5)
    assert await store.take("telegram", rate=2.0, burst=2.0) == 0.0
    house.clock.advance(-100)
    assert await store.take("telegram", rate=2.0, burst=2.0) > 0.0


async def test_concurrent_writers_all_succeed(store: Store) -> None:
    await asyncio.gather(*(store.notes.put("many", {str(number): number}) for number in range(500)))
    assert len(await store.notes.items("many")) == 500
