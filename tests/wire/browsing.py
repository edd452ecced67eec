"""Headless Chromium for tests: skipped, with the reason, where it is not installed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
DESKTOP = {"viewport": {"width": 1280, "height": 800}}

needs_chromium = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM.exists(), reason=f"no {CHROMIUM} here: install the Debian package chromium"
    ),
]


@asynccontextmanager
async def open_page(**context: Any) -> AsyncIterator[tuple[Page, list[str]]]:
    """A page of a fresh browser, and what went wrong in it (script errors, blocked content)."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        try:
            page = await (await browser.new_context(locale="fr-FR", **context)).new_page()
            page.set_default_timeout(15_000)
            faults: list[str] = []
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.on("console", lambda line: faults.append(line.text) if "Policy" in line.text else None)
            yield page, faults
        finally:
            await browser.close()


async def widest(page: Page) -> int:
    """How wide the page is laid out: more than the window means sideways scrolling."""
    return int(await page.evaluate("document.documentElement.scrollWidth"))
