"""The whole bot in this process, on real files and loopback servers, looked at from outside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bot.app import App, open_app
from config.settings import Settings


@dataclass
class House:
    """A running bot and a browser of sorts. Of a bot in another process there is no `app`."""

    own: App | None
    url: str
    http: aiohttp.ClientSession
    token: str = ""
    last: int = 0

    @property
    def app(self) -> App:
        assert self.own is not None
        return self.own

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def open_chat(self) -> str:
        async with self.http.post(f"{self.url}/api/chat/start") as response:
            assert response.status == 201
            self.token = (await response.json())["token"]
        return self.token

    async def say(self, text: str, message_id: str) -> None:
        body = {"id": message_id, "text": text}
        async with self.http.post(
            f"{self.url}/api/chat/messages", json=body, headers=self.headers
        ) as response:
            assert response.status == 202, await response.text()

    async def read(self, count: int = 1, seconds: float = 10.0) -> list[dict[str, Any]]:
        """The next `count` replies of the open chat."""
        async with asyncio.timeout(seconds):
            while True:
                url = f"{self.url}/api/chat/history?after={self.last}"
                async with self.http.get(url, headers=self.headers) as response:
                    lines = [line for line in (await response.json())["messages"] if line["from"] == "bot"]
                if len(lines) >= count:
                    self.last = lines[count - 1]["id"]
                    return lines[:count]
                await asyncio.sleep(0.02)

    async def ask(self, text: str, message_id: str) -> str:
        await self.say(text, message_id)
        return str((await self.read())[0]["text"])

    async def get(self, path: str, **headers: str) -> Any:
        async with self.http.get(f"{self.url}{path}", headers=headers) as response:
            assert response.status == 200, f"{path}: {response.status}"
            return await response.json()


@asynccontextmanager
async def bot(folder: Path, **values: Any) -> AsyncIterator[House]:
    """Start a bot whose database lies in `folder`; leaving the block drains and stops it."""
    defaults: dict[str, Any] = {
        "memory_db_path": folder / "memory.db",
        "http_port": 0,
        "burst_window": 0.05,
        "drain_seconds": 5.0,
    }
    settings = Settings(_env_file=None, **{**defaults, **values})  # type: ignore[call-arg]
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http, open_app(settings) as app:
        host, port = await app.start()
        yield House(app, f"http://{host}:{port}", http)
