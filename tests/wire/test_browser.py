"""The chat page in a real browser, against the real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Route

from domain.messages import Attachment, Choice, Reply
from tests.wire.browsing import DESKTOP, PHONE, needs_chromium, open_page, widest
from tests.wire.web_house import House, open_house

pytestmark = needs_chromium

ANSWER = "400 Mo, 7 jours, 500 F\n*141*3#\nComposez ce code."


@asynccontextmanager
async def echoing(folder: Path) -> AsyncIterator[House]:
    async with open_house(folder) as house:
        echo = asyncio.create_task(house.echo())
        yield house
        echo.cancel()
        await asyncio.gather(echo, return_exceptions=True)


async def test_asks_and_reads_on_a_phone(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, open_page(**PHONE) as (page, faults):
        await page.goto(house.url)
        await page.locator(".dot.on").wait_for()
        await page.get_by_label("Votre question").fill("j'ai 500 F, je veux internet pour la semaine")
        await page.get_by_role("button", name="Envoyer").click()
        choices = (Choice("fb:yes", "Utile"), Choice("fb:no", "Pas utile"))
        assert await house.answer(Reply(ANSWER, choices=choices)) == (
            "j'ai 500 F, je veux internet pour la semaine"
        )
        said = page.locator(".msg.bot .bubble > span:not(.sr)")
        assert await said.inner_text() == ANSWER
        await page.get_by_role("button", name="Copier le code *141*3#").click()
        await page.get_by_text("Code *141*3# copié.").wait_for(state="attached")
        assert await page.locator(".dial").get_attribute("href") == "tel:*141*3%23"
        assert await said.inner_text() == ANSWER

        await page.get_by_role("button", name="2 Pas utile").click()
        message = (await house.store.inbox.claim(1, wait=5))[0].messages[0].message
        assert (message.kind, message.payload["choice_id"]) == ("choice", "fb:no")

        await page.reload()
        await page.locator(".msg.bot").wait_for()
        assert "internet pour la semaine" in await page.locator(".msg.you").first.inner_text()
        assert await page.locator(".msg.you").count() == 2  # what was not answered yet stands there too
        assert await widest(page) == 360
        assert faults == []


async def test_a_receipt_cut_off_half_way_is_asked_for_again(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, open_page(**PHONE) as (page, faults):
        await page.goto(house.url)
        await page.locator(".dot.on").wait_for()

        async def cut(route: Route) -> None:
            await route.fetch()  # it arrives all the same
            await route.fulfill(status=202, body='{"id":')

        await page.route("**/api/chat/messages", cut, times=1)
        await page.get_by_label("Votre question").fill("un")
        await page.keyboard.press("Enter")
        await page.get_by_text("Envoi…").wait_for(state="detached")  # the second receipt was whole
        await page.reload()
        await page.locator(".msg.you").wait_for()
        assert await page.locator(".msg.you").count() == 1
        turns = await house.store.inbox.claim(5, wait=5)
        assert [stored.message.text for turn in turns for stored in turn.messages] == ["un"]
        assert faults == []


async def test_keeps_a_message_while_offline_and_sends_it_once(tmp_path: Path) -> None:
    async with echoing(tmp_path) as house, open_page(**PHONE) as (page, faults):
        await page.goto(house.url)
        await page.locator(".dot.on").wait_for()
        await page.context.set_offline(True)
        await page.get_by_label("Votre question").fill("un")
        await page.keyboard.press("Enter")
        await page.get_by_text("Vous êtes hors connexion").wait_for()
        await page.get_by_label("Votre question").fill("deux")
        await page.keyboard.press("Enter")
        await page.context.set_offline(False)
        await page.locator(".msg.bot").nth(1).wait_for()
        texts = await page.locator(".msg.bot .bubble > span:not(.sr)").all_inner_texts()
        assert texts == ["Vous : un", "Vous : deux"]
        assert not await page.locator("#network").is_visible()
        assert faults == []


async def test_catches_up_after_the_server_was_away(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, open_page(**DESKTOP) as (page, faults):
        await page.goto(house.url)
        await page.locator(".dot.on").wait_for()
        await page.get_by_label("Votre question").fill("bonjour")
        await page.keyboard.press("Enter")
        await house.answer(Reply("un"))
        await page.get_by_text("un", exact=True).wait_for()
        cookies = await page.context.cookies(house.url + "/api/chat")
        await page.context.set_offline(True)
        await house.say(house.key(cookies[0]["value"]), Reply("deux"), Reply("trois"))
        await page.context.set_offline(False)
        await page.get_by_text("trois", exact=True).wait_for()
        texts = await page.locator(".msg.bot .bubble > span:not(.sr)").all_inner_texts()
        assert texts == ["un", "deux", "trois"]
        assert faults == []


async def test_works_by_keyboard_on_a_desktop(tmp_path: Path) -> None:
    async with echoing(tmp_path) as house, open_page(**DESKTOP) as (page, faults):
        await page.goto(house.url)
        await page.locator(".dot.on").wait_for()
        await page.keyboard.type("première")
        await page.keyboard.press("Shift+Enter")
        await page.keyboard.type("ligne <b>*137#</b>")
        await page.keyboard.press("Enter")
        answer = page.locator(".msg.bot .bubble > span:not(.sr)")
        await answer.wait_for()
        assert await answer.inner_text() == "Vous : première\nligne <b>*137#</b>"
        await page.keyboard.press("Shift+Tab")
        assert await page.evaluate("document.activeElement.textContent") == "*137#"
        await page.keyboard.press("Enter")
        await page.get_by_text("Code *137# copié.").wait_for(state="attached")

        await page.get_by_label("Votre question").fill("x" * 4001)
        await page.get_by_text("Message trop long : 4 001 caractères, 4 000 au plus.").wait_for()
        await page.keyboard.press("Enter")
        assert await page.locator(".msg.you").count() == 1
        await page.get_by_label("Votre question").fill("")

        await page.get_by_role("button", name="Nouvelle conversation").click()
        await page.keyboard.press("Escape")
        assert await page.locator(".msg").count() == 2
        await page.get_by_role("button", name="Nouvelle conversation").click()
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="Bonjour, sannu, fofo").wait_for()
        assert await page.locator(".msg").count() == 0
        await page.get_by_role("button", name="Comment voir mon solde ?").click()
        await page.get_by_text("Vous : Comment voir mon solde ?").last.wait_for()
        assert faults == []


async def test_hands_over_a_file(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, open_page(**DESKTOP) as (page, faults):
        await page.goto(house.url)
        await page.locator(".dot.on").wait_for()
        await page.get_by_label("Votre question").fill("/mesdonnees")
        await page.keyboard.press("Enter")
        await house.answer(Reply("Voici.", attachment=Attachment("données.json", "application/json", b"{}")))
        async with page.expect_download() as download:
            await page.get_by_role("link", name="données.json").click()
        found = await download.value
        assert found.suggested_filename == "données.json"
        assert Path(await found.path()).read_bytes() == b"{}"
        assert faults == []
