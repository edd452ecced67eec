"""Health for orchestrators: `/healthz` says "alive and can store", `/readyz` "can store and answer"."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from channels.routing import Access, Route, json_answer

logger = logging.getLogger(__name__)

# "" when the part works, else a short reason without secrets.
Check = Callable[[], Awaitable[str]]

CHECK_SECONDS = 2.0
SCHEMA = {
    "type": "object",
    "required": ["ok", "parts"],
    "properties": {
        "ok": {"type": "boolean"},
        "parts": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}


def probe_routes(checks: Mapping[str, Check], draining: Callable[[], bool]) -> tuple[Route, ...]:
    """Both endpoints. Only the check named "store" decides the first."""
    alive = {name: check for name, check in checks.items() if name == "store"}

    async def healthz(request: web.Request) -> web.Response:
        return _answer(await _run(alive))

    async def readyz(request: web.Request) -> web.Response:
        parts = await _run(checks)
        if draining():
            parts["intake"] = "stopping"
        return _answer(parts)

    return (
        _route("/healthz", healthz, "Vivant, et peut enregistrer"),
        _route("/readyz", readyz, "Peut enregistrer et répondre"),
    )


def _route(path: str, handler: Callable[[web.Request], Awaitable[web.Response]], summary: str) -> Route:
    return Route(
        "GET",
        path,
        handler,
        summary,
        access=Access.PUBLIC,
        responses={200: "Every part works", 503: "A part does not"},
        schema=SCHEMA,
        same_schema=(503,),
    )


async def _run(checks: Mapping[str, Check]) -> dict[str, str]:
    results = await asyncio.gather(*(_check(name, check) for name, check in checks.items()))
    return dict(zip(checks, results, strict=True))


async def _check(name: str, check: Check) -> str:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check() or "ok"
    except TimeoutError:
        return "no answer"
    except Exception:  # a probe tells about trouble, it never is the trouble
        logger.exception("check failed", extra={"action": "probe", "part": name})
        return "failed"


def _answer(parts: Mapping[str, str]) -> web.Response:
    ok = all(state == "ok" for state in parts.values())
    headers = None if ok else {"Retry-After": "5"}
    return json_answer({"ok": ok, "parts": parts}, 200 if ok else 503, headers)
