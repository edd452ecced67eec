"""Turns of the agent against a model server that behaves."""

from __future__ import annotations

import asyncio
from datetime import date

import orjson
import pytest

from config.settings import ROOT
from domain.answers import Origin, Utterance
from domain.messages import Language
from rag.library import Library
from tests.fakes.openai import Step, answer, call, rag
from tests.wire.agent_rig import QUESTION, TRUE_DRAFT, agent_rig


async def test_the_model_answers_from_the_found_rows() -> None:
    async with agent_rig([answer(TRUE_DRAFT)]) as rig:
        got = await rig.ask()
        assert (got.origin, got.text, got.model_calls, got.blocked) == (Origin.MODEL, TRUE_DRAFT, 1, 0)
        assert got.passage_ids[0] == "NET-500-7J"
        assert got.answered
        assert got.topic == "internet"
        assert got.prompt_tokens > 0
        assert got.completion_tokens > 0
        assert got.model_ms > 0
        assert got.retrieval_ms > 0
        assert "400 Mo" in rig.last_user_message()  # the row stood in the prompt


async def test_the_model_searches_with_a_tool() -> None:
    async with agent_rig(rag) as rig:
        got = await rig.ask("quelles offres avez-vous ?")
        assert (got.origin, got.tool_calls, got.model_calls) == (Origin.MODEL, 1, 2)
        assert "*141*3#" in got.text
        assert "NET-500-7J" in got.passage_ids
        (found,) = rig.tool_results()
        assert found.startswith("<donnees>")
        assert "400 Mo" in found


async def test_knowledge_tool() -> None:
    script = [call("search_knowledge", {"query": "solde"}), answer("Pour votre solde, composez\n*121#")]
    async with agent_rig(script) as rig:
        got = await rig.ask("comment voir mon crédit restant")
        assert (got.origin, got.text) == (Origin.MODEL, "Pour votre solde, composez\n*121#")
        assert "*121#" in rig.tool_results()[0]


async def test_tools_that_ask_for_a_person_and_remember_a_language() -> None:
    script = [
        call("start_handoff", {"reason": "fâché"}),
        call("remember_preference", {"language": "ha"}),
        answer("To, za a kira ka."),
    ]
    async with agent_rig(script) as rig:
        got = await rig.ask("quel forfait est le mieux pour une boutique")
        assert got.handoff
        assert got.remember is Language.HAUSA
        assert got.language is Language.HAUSA
        assert got.tool_calls == 2


@pytest.mark.parametrize(
    ("step", "complaint"),
    [
        (call("search_offers", {"budget": "beaucoup"}), "budget"),
        (call("search_offers", {"budget": -5}), "budget"),
        (call("search_offers", {"budget": 500, "chat_id": "42"}), "chat_id"),
        (call("search_offers", '{"budget": 500'), "JSON"),
        (call("search_knowledge", {}), "query"),
        (call("search_knowledge", {"query": "x" * 5000}), "query"),
        (call("remember_preference", {"language": "klingon"}), "language"),
        (call("broadcast", {"text": "salut"}), "outil inconnu"),
    ],
)
async def test_wrong_arguments_are_answered_to_the_model(step: object, complaint: str) -> None:
    async with agent_rig([step, answer(TRUE_DRAFT)]) as rig:  # type: ignore[list-item]  # a Step
        got = await rig.ask()
        if rig.calls() == 2:
            assert rig.tool_results()[0].startswith("Erreur")
            assert complaint in rig.tool_results()[0]
            assert (got.origin, got.text) == (Origin.MODEL, TRUE_DRAFT)
        else:  # arguments too long to be repeated to the model
            assert got.origin is Origin.EMBEDDED


async def test_arguments_as_an_object_are_understood() -> None:
    script = [call("search_offers", {"budget": 500, "days": 7}, as_object=True), answer(TRUE_DRAFT)]
    async with agent_rig(script) as rig:
        got = await rig.ask("une offre ?")
        assert (got.origin, got.text) == (Origin.MODEL, TRUE_DRAFT)


async def test_a_talk_goes_on_and_is_kept_as_question_and_answer() -> None:
    async with agent_rig(rag) as rig:
        await rig.ask("bonjour")
        await rig.ask()
        await rig.ask("et pour le mois ?")
        kinds = [(m.type, m.id) for m in await rig.state()]
        assert kinds == [
            ("human", "web:1"),
            ("ai", "web:1:answer"),
            ("human", "web:2"),
            ("ai", "web:2:answer"),
            ("human", "web:3"),
            ("ai", "web:3:answer"),
        ]
        roles = [m["role"] for m in rig.server.bodies[-1]["messages"]]
        assert roles == ["system", *["user", "assistant"] * 3, "tool"]
        assert "[1] 2000 F, 2 Go, validité 30 jours" in rig.server.bodies[-2]["messages"][-1]["content"]


async def test_a_turn_run_again_is_not_doubled() -> None:
    async with agent_rig([answer(TRUE_DRAFT)]) as rig:
        await rig.ask("bonjour")
        await rig.ask(message_id="web:x")
        once = await rig.state()
        await rig.ask(message_id="web:x")
        assert [m.id for m in await rig.state()] == [m.id for m in once]
        assert rig.server.bodies[0]["messages"] == rig.server.bodies[1]["messages"]


async def test_context_seeds_an_empty_session_only() -> None:
    context = (Utterance("user", QUESTION), Utterance("bot", TRUE_DRAFT))
    async with agent_rig([answer("2 Go à 2000 F, 30 jours\n*141*3#")]) as rig:
        got = await rig.ask("et pour le mois ?", context=context)
        assert got.passage_ids[0] == "NET-2000-30J"
        assert [m.text for m in await rig.state()][:2] == [QUESTION, TRUE_DRAFT]
        assert [m["content"] for m in rig.server.bodies[0]["messages"][1:3]] == [QUESTION, TRUE_DRAFT]
        await rig.ask("merci", context=context)
        assert len(await rig.state()) == 6


async def test_a_cancelled_turn_leaves_nothing_half_done() -> None:
    async with agent_rig([call("search_offers", {"budget": 500}), answer(TRUE_DRAFT, delay=30)]) as rig:
        turn = asyncio.create_task(rig.ask(message_id="web:x"))
        await rig.until_called(2)
        turn.cancel()
        with pytest.raises(asyncio.CancelledError):
            await turn
        assert all(m.type == "human" for m in await rig.state())
    async with agent_rig([answer(TRUE_DRAFT)], saver=rig.saver) as again:
        await again.ask(message_id="web:x")
        assert [m.type for m in await again.state()] == ["human", "ai"]


async def test_a_turn_cancelled_in_its_repair_leaves_nothing_to_the_next() -> None:
    async with agent_rig([answer("Composez *999#."), answer(TRUE_DRAFT, delay=30)]) as rig:
        turn = asyncio.create_task(rig.ask(message_id="web:x"))
        await rig.until_called(2)
        turn.cancel()
        with pytest.raises(asyncio.CancelledError):
            await turn
    async with agent_rig([answer(TRUE_DRAFT)], saver=rig.saver) as again:
        got = await again.ask(message_id="web:y")
        assert (got.origin, got.model_calls, got.blocked) == (Origin.MODEL, 1, 0)
        assert [m.id for m in await again.state()] == ["web:x", "web:y", "web:y:answer"]


async def test_what_the_model_is_told_about_the_turn() -> None:
    async with agent_rig([answer("Ban samu ba.")]) as rig:
        await rig.ask("ina son data ta mako na 500 F", known="Préfère le haoussa.")
        asked = rig.last_user_message()
        assert "haoussa" in asked.splitlines()[0]
        assert "Préfère le haoussa." in asked
        assert asked.index("<donnees>") < asked.index("</donnees>") < asked.index("<question>")


async def test_the_prompt_begins_the_same_every_turn() -> None:
    async with agent_rig([answer("Je ne sais pas.")]) as rig:
        for i, text in enumerate((QUESTION, "solde ?", "ina son data", "airtel money")):
            await rig.ask(text, chat=str(i))
        first = {str(body["messages"][0]) for body in rig.server.bodies}
        tools = {str(body["tools"]) for body in rig.server.bodies}
        assert len(first) == len(tools) == 1
        assert "chat_id" not in tools.pop()


async def test_prompt_tokens_stay_flat_after_the_trim_limit() -> None:
    async with agent_rig([answer("Je ne sais pas. " * 12)], max_history_tokens=800) as rig:
        sizes = []
        for i in range(26):
            got = await rig.ask(
                f"je voudrais comprendre encore une fois mon forfait internet numéro {i} " * 3
            )
            sizes.append(got.prompt_tokens)
        assert max(sizes[18:]) <= max(sizes[10:18]) * 1.05
        assert max(sizes[10:]) < sizes[0] + 1300


async def test_phone_numbers_never_reach_the_model_or_the_state() -> None:
    async with agent_rig([answer("C'est noté pour <tel_1>.")]) as rig:
        got = await rig.ask("le solde du 90 12 34 56 est faux, appelez le +22790123456")
        assert got.text == "C'est noté pour ce numéro."
        await rig.ask("et le 90123456 ?")
        assert "90123456" not in str(rig.server.bodies).replace(" ", "")
        assert "90123456" not in str(await rig.state()).replace(" ", "")


async def test_talks_of_prefix_related_chats_stay_apart() -> None:
    async with agent_rig([answer("Bien reçu.")]) as rig:
        for chat in ("1", "12", "1:2", "123"):
            await rig.ask(f"mon secret est CANARI-{chat.replace(':', '-')}-FIN", chat=chat)
        for chat in ("12", "1:2", "123", "1"):
            await rig.ask("que vous ai-je dit ?", chat=chat)
            own = f"CANARI-{chat.replace(':', '-')}-FIN"
            body = str(rig.server.bodies[-1])
            assert own in body
            assert body.count("CANARI-") == body.count(own)


async def test_canned_replies_need_no_model_and_enter_the_talk() -> None:
    async with agent_rig([answer("non")]) as rig:
        got = await rig.ask("bonjour")
        assert got.origin is Origin.CANNED
        assert rig.calls() == 0
        assert [m.type for m in await rig.state()] == ["human", "ai"]


async def test_without_a_model_the_catalogue_answers() -> None:
    async with agent_rig(with_model=False) as rig:
        got = await rig.ask()
        assert got.origin is Origin.EMBEDDED
        assert all(part in got.text for part in ("400 Mo", "7 jours", "500 F", "*141*3#"))
        got = await rig.ask("et pour le mois ?")
        assert got.passage_ids[0] == "NET-2000-30J"


async def test_a_tariff_checked_too_long_ago_is_told_with_its_date() -> None:
    later = Library.load(ROOT / "data", today=lambda: date(2028, 6, 1))
    async with agent_rig([answer(TRUE_DRAFT)], knowledge=later) as rig:
        got = await rig.ask()
        assert (got.origin, rig.calls()) == (Origin.EMBEDDED, 0)
        assert "22/11/2026" in got.text


async def test_a_question_that_forbids_the_model() -> None:
    async with agent_rig([answer(TRUE_DRAFT)]) as rig:
        got = await rig.ask(allow_model=False)
        assert got.origin is Origin.EMBEDDED
        assert rig.calls() == 0


async def test_concurrent_chats_do_not_mix() -> None:
    def echo(body: dict[str, object]) -> object:
        return answer("Bien.")

    async with agent_rig(echo) as rig:  # type: ignore[arg-type]  # a script
        await asyncio.gather(*(rig.ask(f"code CANARI{i}X", chat=str(i)) for i in range(30)))
        for i in range(30):
            (human, _) = await rig.state(str(i))
            assert f"CANARI{i}X" in human.text


async def test_a_model_server_that_speaks_content_blocks() -> None:
    document = {"choices": [{"message": {"content": [{"type": "text", "text": TRUE_DRAFT}]}}]}
    async with agent_rig([Step(raw=orjson.dumps(document))]) as rig:
        got = await rig.ask()
        assert got.text == TRUE_DRAFT
        assert got.prompt_tokens > 100  # estimated: the server did not say
