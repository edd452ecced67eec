"""The admin page in a real browser, against the real server."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from playwright.async_api import Page

from tests.wire.admin_house import AdminHouse, live_some_days, open_admin
from tests.wire.browsing import DESKTOP, PHONE, needs_chromium, open_page, widest

pytestmark = needs_chromium

TOKEN = "jeton-du-service"


async def sign_in(page: Page, admin: AdminHouse) -> None:
    await page.goto(admin.house.url + "/admin")
    await page.get_by_label("Jeton").fill(TOKEN)
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="Aperçu").wait_for()


async def test_an_operator_works_on_a_phone(tmp_path: Path) -> None:
    async with open_admin(tmp_path, token=TOKEN) as admin, open_page(**PHONE) as (page, faults):
        await live_some_days(admin.store, turns=6)
        await page.goto(admin.house.url + "/admin")
        await page.get_by_label("Jeton").fill("faux")
        await page.get_by_role("button", name="Se connecter").click()
        await page.get_by_text("Ce jeton n'est pas le bon.").wait_for()
        await sign_in(page, admin)
        await page.locator(".plot canvas").first.wait_for()
        snapshot = await admin.figures.collect()
        tile = page.locator(".tile", has_text="Sessions actives")
        assert await tile.locator(".value").inner_text() == str(snapshot.active_sessions)
        assert await widest(page) == 360

        await page.get_by_role("link", name="Questions").click()
        await page.get_by_text("est-ce que la 5G arrive à Zinder ?").wait_for()
        async with page.expect_download() as downloading:
            await page.get_by_role("link", name="Télécharger le tableau").click()
        file = await downloading.value
        assert file.suggested_filename.endswith(".csv")
        assert "est-ce que la 5G arrive à Zinder ?" in Path(await file.path()).read_text(encoding="utf-8-sig")
        assert await widest(page) == 360
        await page.get_by_role("button", name="Ajouter une réponse").click()
        await page.get_by_label("Réponse en français").fill("Pas encore. Composez *121# pour suivre.")
        await page.get_by_text("Codes reconnus : *121#.").wait_for()
        assert await widest(page) == 360
        await page.get_by_role("button", name="Enregistrer").click()
        await page.get_by_text("Aucune question sans réponse. Bravo !").wait_for()
        (added,) = (admin.knowledge / "knowledge" / "ajouts").iterdir()
        assert "Pas encore." in added.read_text(encoding="utf-8")

        await page.get_by_role("link", name="Échanges").click()
        await page.locator(".row").first.click()
        await page.locator(".said.bot").first.wait_for()
        assert "2279012" not in await page.locator("#main").inner_text()
        assert await widest(page) == 360
        await page.get_by_role("link", name="Toutes les conversations").click()
        await page.locator(".row").first.wait_for()
        assert faults == []


async def test_an_operator_works_on_a_desktop(tmp_path: Path) -> None:
    async with open_admin(tmp_path, token=TOKEN) as admin, open_page(**DESKTOP) as (page, faults):
        await live_some_days(admin.store, turns=6)
        admin.book.check(replace(await admin.figures.collect(), memory_percent=85))
        await sign_in(page, admin)
        await page.get_by_role("button", name="7 jours").click()
        await page.get_by_text("Réponses (6)").wait_for()
        await page.get_by_text("Voir les chiffres").first.click()
        assert await page.locator(".charts table").first.locator("tbody tr").count() == 7

        await page.get_by_role("link", name="Alertes").click()
        await page.locator("li.fault", has_text="HIGH_MEMORY_USAGE").wait_for()
        await page.get_by_label("Alerte", exact=True).select_option("DISK_LOW")
        await page.get_by_role("button", name="Silence", exact=True).click()
        await page.get_by_text("DISK_LOW jusqu'au").wait_for()
        assert admin.book.mutes["DISK_LOW"] > 0
        await page.get_by_role("button", name="Fin du silence").click()
        await page.get_by_text("DISK_LOW jusqu'au").wait_for(state="detached")
        for left in (1, 0):
            await page.get_by_role("button", name="Rejouer").first.click()
            await page.get_by_text(f"Messages de côté ({left})").wait_for()

        await page.get_by_role("link", name="Échanges").click()
        await page.get_by_role("searchbox").fill("Zinder")
        await page.get_by_role("button", name="Chercher").click()
        await page.locator(".row", has_text="la 5G arrive").click()
        await page.locator(".said.unanswered").wait_for()

        await page.get_by_role("link", name="Savoirs").click()
        await page.get_by_text(admin.library.version).wait_for()
        await page.get_by_role("button", name="Relire les fichiers").click()
        await page.get_by_text("Connaissances relues").wait_for()
        assert await widest(page) == 1280

        await page.get_by_role("button", name="Quitter").click()
        await page.get_by_label("Jeton").wait_for()
        await page.reload()
        await page.get_by_label("Jeton").wait_for()
        assert faults == []


async def test_without_a_token_it_opens_on_this_machine(tmp_path: Path) -> None:
    async with open_admin(tmp_path) as admin, open_page(**DESKTOP) as (page, faults):
        await page.goto(admin.house.url + "/admin#savoirs")
        await page.get_by_role("heading", name="Savoirs").wait_for()
        assert not await page.get_by_role("button", name="Quitter").is_visible()
        assert faults == []
