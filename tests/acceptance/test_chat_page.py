"""What a newcomer does: start the bot, open the page, ask, stop it, start it again and go on."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.bot_process import Cold, environment
from tests.acceptance.processes import free_port
from tests.wire.browsing import PHONE, needs_chromium, open_page

pytestmark = needs_chromium

QUESTION = "j'ai 500 F, je veux internet pour la semaine"


async def test_the_conversation_goes_on_after_a_restart(tmp_path: Path) -> None:
    env = environment(tmp_path, http_port=free_port())
    async with Cold(tmp_path, env) as bots, open_page(**PHONE) as (page, faults):
        running = await bots.start()
        await page.goto(await running.ready())
        await page.get_by_label("Votre question").fill(QUESTION)
        await page.keyboard.press("Enter")
        answer = page.locator(".msg.bot .bubble").first
        await answer.wait_for()
        said = (await answer.inner_text()).replace("\u202f", " ").replace("\u00a0", " ")
        for fact in ("400 Mo", "7 jours", "500 F", "*141*3#"):
            assert fact in said

        running.terminate()
        assert await running.ended() == 0
        await page.get_by_text("Connexion perdue").wait_for()
        running = await bots.start()
        await running.ready()
        await page.locator(".dot.on").wait_for()
        await page.get_by_label("Votre question").fill("et pour un mois ?")
        await page.keyboard.press("Enter")
        await page.locator(".msg.bot").nth(1).wait_for()

        await page.reload()
        await page.locator(".msg.bot").nth(1).wait_for()
        asked = await page.locator(".msg.you .bubble > span:not(.sr)").all_inner_texts()
        assert asked == [QUESTION, "et pour un mois ?"]
        assert faults == []
