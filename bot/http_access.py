"""Who may call what: bearer tokens, loopback, and the headers every answer carries."""

from __future__ import annotations

import hmac
import ipaddress

from aiohttp import web

from config.settings import LOOPBACK

# The chat page needs nothing but its own files; "data:" is its empty favicon.
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "bot",
}
FORWARDING_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")


class OperatorAccess:
    """Lets operators in: by token when there is one, else from this machine only.

    Without a token a caller must be on loopback, name a loopback host (a web page elsewhere that rebinds its
    name to 127.0.0.1 does not) and come through no proxy: behind a proxy, set HTTP_TOKEN.
    """

    def __init__(self, token: str | None) -> None:
        self._token = token.encode() if token else None

    def allows(self, request: web.Request) -> bool:
        """Whether this request comes from an operator."""
        if self._token is None:
            return _from_this_machine(request)
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        right = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), self._token)
        return right and scheme.lower() == "bearer"


def _from_this_machine(request: web.Request) -> bool:
    if any(name in request.headers for name in FORWARDING_HEADERS):
        return False
    try:
        if not ipaddress.ip_address(request.remote or "").is_loopback:
            return False
    except ValueError:
        return False
    return (request.url.host or "") in LOOPBACK


async def add_security_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Signal handler: the headers of every answer; what sets no cache rule is not kept anywhere."""
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
