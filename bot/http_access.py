"""Who may call what: bearer tokens, loopback, and the headers every answer carries."""

from __future__ import annotations

import hmac
import ipaddress
import time
from collections.abc import Callable

from aiohttp import web

from bot.http_sessions import COOKIE, OperatorSessions
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
}
PAGE_HEADER = "X-Admin-Page"
_HARMLESS = frozenset({"GET", "HEAD"})
FORWARDING_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")


class OperatorAccess:
    """Lets operators in: by token or admin page session; without a token, from this machine only.

    Without a token a caller must be on loopback, name a loopback host (a web page elsewhere that rebinds its
    name to 127.0.0.1 does not) and come through no proxy: behind a proxy, set HTTP_TOKEN. What changes
    something must bear the token or come from our page: another site can make a browser send a cookie, or
    reach loopback, but not set a header of its own.
    """

    def __init__(self, token: str | None, *, clock: Callable[[], float] = time.time) -> None:
        self._token = token.encode() if token else None
        self.sessions = OperatorSessions(self._token, clock=clock) if self._token else None

    def allows(self, request: web.Request) -> bool:
        """Whether this request comes from an operator."""
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.knows(given.strip()):
            return True
        if request.method not in _HARMLESS and not from_our_page(request):
            return False
        if self.sessions is None:
            return _from_this_machine(request)
        return self.sessions.valid(request.cookies.get(COOKIE, ""))

    def knows(self, token: str) -> bool:
        """Whether this is the token; takes the same time whatever it is."""
        given = token.encode("utf-8", "surrogatepass")
        return self._token is not None and hmac.compare_digest(given, self._token)


def from_our_page(request: web.Request) -> bool:
    """Whether the admin page sent this, as far as browsers enforce it."""
    site = request.headers.get("Sec-Fetch-Site", "none")
    return PAGE_HEADER in request.headers and site in {"same-origin", "none"}


def _from_this_machine(request: web.Request) -> bool:
    if any(name in request.headers for name in FORWARDING_HEADERS):
        return False
    try:
        near = ipaddress.ip_address(request.remote or "").is_loopback
        return near and (request.url.host or "") in LOOPBACK
    except ValueError:  # no address, or a Host header that is none
        return False


async def add_security_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Signal handler: the headers of every answer; what sets no cache rule is not kept anywhere."""
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "bot"  # aiohttp has named itself and its version by now
    response.headers.setdefault("Cache-Control", "no-store")
