"""Addresses by which another process drives the fake: push updates, read what was sent, plan faults.

POST /control/push    {"updates": [{"chat": 7, "text": "Bonjour"}, {"raw": {"message": {...}}}]}
                      -> {"ids": [...]}
GET  /control/sent    ?after=SEQ&wait=SECONDS&limit=N
                      -> {"last": SEQ, "sent": [[seq, at, chat, method, text], ...]}
GET  /control/stats   counters
POST /control/faults  {"method", "kind", "chat"?, "times"?, "chance"?, "clear"?}; kinds are those of `KINDS`
POST /control/reset   forget what was sent
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from tests.fakes.telegram_faults import KINDS

if TYPE_CHECKING:
    from tests.fakes.telegram import FakeTelegram


def control_routes(fake: FakeTelegram) -> list[web.RouteDef]:
    """The control addresses of one fake."""

    async def push(request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        return _json({"ids": [_push(fake, item) for item in body["updates"]]})

    async def sent(request: web.Request) -> web.Response:
        query = request.query
        after, limit = int(query.get("after", 0)), int(query.get("limit", 1000))
        wait = float(query.get("wait", 0))
        if wait:
            with contextlib.suppress(TimeoutError):
                await fake.until(lambda: len(fake.sent) > after, wait)
        rows = fake.sent[after : after + limit]
        lines = [(row.seq, row.at, row.chat, row.method, row.text) for row in rows]
        return _json({"last": rows[-1].seq if rows else after, "sent": lines})

    async def stats(_: web.Request) -> web.Response:
        return _json(figures(fake))

    async def faults(request: web.Request) -> web.Response:
        _plan(fake, orjson.loads(await request.read()))
        return _json({})

    async def reset(_: web.Request) -> web.Response:
        fake.methods.clear()
        return _json({})

    return [
        web.post("/control/push", push),
        web.get("/control/sent", sent),
        web.get("/control/stats", stats),
        web.post("/control/faults", faults),
        web.post("/control/reset", reset),
    ]


def figures(fake: FakeTelegram) -> dict[str, Any]:
    return {
        "pushed": fake.pushed,
        "confirmed": fake.confirmed,
        "pending": len(fake.pending),
        "sent": len(fake.sent),
        "conflicts": fake.conflicts,
        "calls": dict(fake.calls),
        "webhook": {
            "url": fake.webhook.url,
            "delivered": fake.webhook.delivered,
            "attempts": len(fake.webhook.attempts),
            "queued": len(fake.webhook),
        },
    }


def _push(fake: FakeTelegram, item: dict[str, Any]) -> int:
    if "raw" in item:
        return fake.push(item["raw"])
    if "tap" in item:
        return fake.push_tap(item["chat"], item["tap"])
    return fake.push_text(item.pop("chat"), item.pop("text"), **item)


def _plan(fake: FakeTelegram, body: dict[str, Any]) -> None:
    if body.get("clear"):
        fake.faults.clear()
        return
    fault, chat = KINDS[body["kind"]], body.get("chat")
    if "chance" in body:
        fake.faults.always(body["method"], fault, chat=chat, chance=body["chance"])
    else:
        fake.faults.plan(body["method"], fault, chat=chat, times=body.get("times", 1))


def _json(value: object) -> web.Response:
    return web.Response(body=orjson.dumps(value), content_type="application/json")
