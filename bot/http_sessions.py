"""Sessions of the admin page: a signed cookie that proves a sign-in, without anything stored."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable

SESSION_SECONDS = 8 * 3600.0
COOKIE = "admin"
COOKIE_PATH = "/admin"
_NONCE_BYTES = 12
_MAX_LENGTH = 200


class OperatorSessions:
    """Issues session cookies and reads them back; another token makes every older session void.

    A session that is ended early is remembered until it would have ended by itself.
    """

    def __init__(self, token: bytes, *, clock: Callable[[], float] = time.time) -> None:
        self._key = hmac.digest(token, b"admin-session", "sha256")
        self._clock = clock
        self._ended: dict[str, float] = {}

    def issue(self) -> str:
        """A cookie for a new session."""
        until = int(self._clock() + SESSION_SECONDS)
        body = f"{until}.{secrets.token_hex(_NONCE_BYTES)}"
        return f"{body}.{self._sign(body)}"

    def valid(self, cookie: str) -> bool:
        """Whether we issued it, and it has neither ended nor run out."""
        until = self._until(cookie)
        return until > self._clock() and cookie not in self._ended

    def end(self, cookie: str) -> None:
        """From now on this session is void."""
        now = self._clock()
        self._ended = {ended: until for ended, until in self._ended.items() if until > now}
        if (until := self._until(cookie)) > now:
            self._ended[cookie] = until

    def _until(self, cookie: str) -> float:
        """When the cookie runs out; 0.0 when it is not ours."""
        if not cookie.isascii() or len(cookie) > _MAX_LENGTH:
            return 0.0
        body, _, signature = cookie.rpartition(".")
        if not hmac.compare_digest(signature, self._sign(body)):
            return 0.0
        return float(body.partition(".")[0])

    def _sign(self, body: str) -> str:
        return hmac.new(self._key, body.encode(), "sha256").hexdigest()
