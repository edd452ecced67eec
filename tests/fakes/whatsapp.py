"""A Graph API server for one WhatsApp number, scripted per message, that sends signed status webhooks.

In a test: `async with FakeGraph([error(131056), OK]) as graph:`; the last step repeats. `graph.callback` is
where webhooks go. As a process: `python -m tests.fakes.whatsapp --port N --callback URL`, steered by
`POST /control/push` (a body, or `{"from", "text"}`), `POST /control/callback`, `GET /control/sent`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import io
import time
from collections.abc import Iterable
from typing import Any, Self

import aiohttp
import orjson
from aiohttp import web

from tests.fakes.whatsapp_payloads import ACCOUNT, APP_SECRET, dumped, one, signature, status, text, wamid
from tests.fakes.whatsapp_rules import faults
from tests.fakes.whatsapp_steps import OK, Media, Sent, Step

TOKEN = "EAAG-token-of-the-tests"
VERSION = "v26.0"
_MEDIA_KINDS = {"text/plain", "application/pdf", "image/png", "image/jpeg", "audio/ogg"}


class FakeGraph:
    """The server. `sent` holds what reached subscribers, `asked` every message request, in order."""

    def __init__(
        self,
        script: Iterable[Step] = (),
        *,
        callback: str = "",
        statuses: Iterable[str] = (),
        status_first: bool = False,
        secret: str = APP_SECRET,
        delay: float = 0.0,
        patience: float = 2.0,
    ) -> None:
        self.script = list(script) or [OK]
        self.callback = callback
        self.statuses = tuple(statuses)
        self.status_first = status_first
        self.secret = secret
        self.delay = delay
        self.patience = patience  # longest pause before a status is delivered again
        self.sent: list[Sent] = []
        self.asked: list[dict[str, Any]] = []
        self.reads: list[dict[str, Any]] = []
        self.faults: list[str] = []
        self.media: dict[str, Media] = {}
        self.closed: set[str] = set()  # chats whose 24-hour window is over
        self.healthy = True
        self.port = 0
        self._runner: web.AppRunner | None = None
        self._client: aiohttp.ClientSession | None = None
        self._pushing: set[asyncio.Task[None]] = set()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/{VERSION}"

    def app(self) -> web.Application:
        app = web.Application(client_max_size=32 * 1024 * 1024)
        app.router.add_post(f"/{VERSION}/{ACCOUNT}/messages", self._messages)
        app.router.add_post(f"/{VERSION}/{ACCOUNT}/media", self._upload)
        app.router.add_get(f"/{VERSION}/{ACCOUNT}", self._number)
        app.router.add_get(f"/{VERSION}/{{media_id}}", self._look_up)
        app.router.add_get("/download/{media_id}", self._download)
        app.router.add_post("/control/push", self._control_push)
        app.router.add_post("/control/callback", self._control_callback)
        app.router.add_get("/control/sent", self._control_sent)
        return app

    async def start(self, port: int = 0) -> None:
        self._client = aiohttp.ClientSession()
        self._runner = web.AppRunner(self.app(), access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        for task in tuple(self._pushing):
            task.cancel()
        await asyncio.gather(*self._pushing, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()
        if self._client is not None:
            await self._client.close()
        self._runner = self._client = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def push(self, body: object) -> int:
        """Sign a webhook and deliver it once; the status it was answered with."""
        raw = body if isinstance(body, bytes) else dumped(body)
        headers = {"X-Hub-Signature-256": signature(raw, self.secret), "Content-Type": "application/json"}
        assert self._client is not None
        async with self._client.post(self.callback, data=io.BytesIO(raw), headers=headers) as response:
            await response.read()
            return response.status

    async def settled(self) -> None:
        """Wait until every status webhook was taken."""
        await asyncio.gather(*self._pushing)

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        body: dict[str, Any] = orjson.loads(await request.read())
        if not self._allowed(request):
            return _refusal(401, 190, "Invalid OAuth access token")
        if body.get("status") == "read":
            self.reads.append(body)
            return web.json_response({"success": True})
        self.asked.append(body)
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        await asyncio.sleep(step.delay or self.delay)
        return self._refused(body) or await self._answer(request, body, step)

    def _refused(self, body: dict[str, Any]) -> web.Response | None:
        if found := faults(body, self.media):
            self.faults += found
            return _refusal(400, 100, "; ".join(found))
        if str(body.get("to") or body.get("recipient")) in self.closed and body["type"] != "template":
            return _refusal(400, 131047, "Re-engagement message")
        return None

    async def _answer(self, request: web.Request, body: dict[str, Any], step: Step) -> web.StreamResponse:
        sent = await self._deliver(body) if step.delivers else None
        if step.hang:
            await asyncio.sleep(3600)
        if step.reset and request.transport is not None:
            request.transport.abort()
        if step.raw is not None:
            return web.Response(body=step.raw, status=step.status, content_type="text/html")
        if step.status != 200 or sent is None:
            return _refusal(step.status, step.code, "Scripted", step.transient, dict(step.headers))
        contacts = [{"input": sent.to, "wa_id": sent.to}]
        return web.json_response(
            {"messaging_product": "whatsapp", "contacts": contacts, "messages": [{"id": sent.id}]}
        )

    async def _deliver(self, body: dict[str, Any]) -> Sent:
        sent = Sent(wamid(), time.time(), body)
        self.sent.append(sent)
        if self.callback and self.statuses:
            bodies = [
                one(statuses=[status(name, sent.callback, platform_id=sent.id, recipient=sent.to)])
                for name in self.statuses
            ]
            if self.status_first:
                await self._insist(bodies)
            else:
                task = asyncio.create_task(self._insist(bodies))
                self._pushing.add(task)
                task.add_done_callback(self._pushing.discard)
        return sent

    async def _insist(self, bodies: Iterable[object]) -> None:
        """Deliver as Meta does: again and again until it is taken."""
        for body in bodies:
            pause = 0.1
            while True:
                with contextlib.suppress(aiohttp.ClientError, OSError):
                    if await self.push(body) == 200:
                        break
                await asyncio.sleep(pause)
                pause = min(self.patience, pause * 2)

    async def _upload(self, request: web.Request) -> web.Response:
        if not self._allowed(request):
            return _refusal(401, 190, "Invalid OAuth access token")
        form = await request.post()
        file = form.get("file")
        if not isinstance(file, web.FileField) or form.get("messaging_product") != "whatsapp":
            return _refusal(400, 100, "Invalid parameter")
        if file.content_type not in _MEDIA_KINDS:
            return _refusal(
                400, 100, f"Param file must be a file with one of the types, not {file.content_type}"
            )
        media_id = f"9{len(self.media):014d}"
        self.media[media_id] = Media(file.file.read(), file.content_type)
        return web.json_response({"id": media_id})

    async def _number(self, request: web.Request) -> web.Response:
        if not self._allowed(request) or not self.healthy:
            return _refusal(401, 190, "Error validating access token: session has expired")
        return web.json_response({"id": ACCOUNT, "display_phone_number": "+227 80 00 00 00"})

    async def _look_up(self, request: web.Request) -> web.Response:
        media = self.media.get(request.match_info["media_id"])
        if not self._allowed(request):
            return _refusal(401, 190, "Invalid OAuth access token")
        if media is None:
            return _refusal(400, 100, "Unsupported get request. Object does not exist")
        media.looked_up += 1
        url = media.url or f"http://127.0.0.1:{self.port}/download/{request.match_info['media_id']}"
        size = len(media.data) if media.size is None else media.size
        digest = media.sha256 or hashlib.sha256(media.data).hexdigest()
        return web.json_response(
            {"url": url, "mime_type": media.mime_type, "sha256": digest, "file_size": size}
        )

    async def _download(self, request: web.Request) -> web.Response:
        media = self.media[request.match_info["media_id"]]
        media.downloaded += 1
        if not self._allowed(request):
            return web.Response(status=401)
        if media.redirect:
            return web.Response(status=302, headers={"Location": media.redirect})
        if media.downloaded <= media.missing:
            return web.Response(status=404)
        return web.Response(body=media.data, content_type=media.mime_type)

    async def _control_push(self, request: web.Request) -> web.Response:
        asked = orjson.loads(await request.read())
        body = asked if "object" in asked else one(text(asked["text"], sender=asked["from"]))
        return web.json_response({"status": await self.push(body)})

    async def _control_callback(self, request: web.Request) -> web.Response:
        self.callback = orjson.loads(await request.read())["url"]
        return web.json_response({"ok": True})

    async def _control_sent(self, request: web.Request) -> web.Response:
        after = int(request.query.get("after", 0))
        lines = [
            {"id": s.id, "at": s.at, "to": s.to, "text": s.text, "callback": s.callback}
            for s in self.sent[after:]
        ]
        return web.json_response({"sent": lines, "faults": self.faults})

    def _allowed(self, request: web.Request) -> bool:
        return request.headers.get("Authorization") == f"Bearer {TOKEN}"


def _refusal(
    status: int, code: int | None, text: str, transient: bool = False, headers: dict[str, str] | None = None
) -> web.Response:
    told = {"message": text, "type": "OAuthException", "code": code, "is_transient": transient}
    body = {"error": {name: value for name, value in told.items() if value is not None}}
    return web.json_response(body, status=status, headers=headers)


async def _serve(port: int, callback: str, delay: float) -> None:
    graph = FakeGraph(callback=callback, statuses=("sent", "delivered"), delay=delay)
    await graph.start(port)
    print(graph.base_url, flush=True)  # noqa: T201 - how the starter learns the port
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="A WhatsApp Cloud API for benchmarks")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--callback", default="", help="address of the bot's webhook")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(options.port, options.callback, options.delay))


if __name__ == "__main__":
    main()
