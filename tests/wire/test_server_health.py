"""The server's health, its description of itself, and ports it cannot have."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot import probes
from bot.server import Server
from domain.errors import BadSettings
from tests.wire.test_server import PROVIDERS, ask, serving
from tests.wire.web_house import open_house, settings_of_a_test


async def test_the_description_names_every_route(tmp_path: Path) -> None:
    async with open_house(tmp_path, providers=PROVIDERS) as house:
        async with house.client.get(house.url + "/openapi.json") as answer:
            described = await answer.json()
        table = {(method.upper(), path) for path, item in described["paths"].items() for method in item}
        assert table == {(route.method, route.path) for route in house.server.routes}
        for item in described["paths"].values():
            for operation in item.values():
                assert operation["summary"]
                assert operation["responses"]


async def test_health_says_which_part_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "CHECK_SECONDS", 0.05)
    state = {"store": "", "model": ""}

    async def store() -> str:
        return state["store"]

    async def model() -> str:
        if state["model"] == "hangs":
            await asyncio.sleep(5)
        if state["model"] == "raises":
            raise RuntimeError("secret detail")
        return state["model"]

    async with serving(checks={"store": store, "model": model}) as (_, url):
        assert (await ask(url + "/readyz"))[:2] == (200, '{"ok":true,"parts":{"store":"ok","model":"ok"}}')
        for trouble, told in (("down", "down"), ("hangs", "no answer"), ("raises", "failed")):
            state["model"] = trouble
            status, text, _ = await ask(url + "/readyz")
            assert (status, f'"model":"{told}"' in text) == (503, True)
            assert (await ask(url + "/healthz"))[0] == 200
        state["store"] = "read-only"
        status, text, answer = await ask(url + "/healthz")
        assert (status, text) == (503, '{"ok":false,"parts":{"store":"read-only"}}')
        assert answer.headers["Retry-After"] == "5"


async def test_a_busy_port_is_one_clear_sentence() -> None:
    async with serving() as (_, url):
        port = int(url.rpartition(":")[2])
        with pytest.raises(BadSettings, match=f"HTTP_PORT={port} : ce port est déjà pris"):
            await Server(settings_of_a_test(http_port=port), ()).start()


async def test_an_address_that_is_not_ours_is_a_clear_fault() -> None:
    settings = settings_of_a_test(http_host="203.0.113.9")
    with pytest.raises(BadSettings, match=r"HTTP_HOST=203\.0\.113\.9"):
        await Server(settings, ()).start()
