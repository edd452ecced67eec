"""One chat that writes too fast: `python -m tests.acceptance.flooder URL RATE SECONDS` posts to a webhook.

A process of its own on bare sockets: what it costs must not slow down those whose waiting is measured. The
last line it prints is JSON: how many were posted, the answers by status, and the latencies' quantiles.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import orjson

from tests.acceptance.subscribers import HEADERS

CHAT = 666
CONNECTIONS = 40  # what Telegram is told it may open
FIRST_UPDATE = 5_000_000
_STATUS = re.compile(rb"HTTP/1\.1 (\d+)")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@dataclass
class Flood:
    """One flood; each of its connections takes the next message when its time has come."""

    host: str
    port: int
    rate: float
    seconds: float
    sent: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)

    async def run(self) -> None:
        started = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(self._connection(started))

    async def _connection(self, started: float) -> None:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
        while self.sent < self.rate * self.seconds:
            self.sent += 1
            due = started + self.sent / self.rate
            body = _body(self.sent)
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            begun = time.perf_counter()
            writer.write(
                b"POST /telegram HTTP/1.1\r\nHost: bot\r\n%sContent-Length: %d\r\n\r\n%s"
                % (head.encode(), len(body), body)
            )
            answer = await reader.readuntil(b"\r\n\r\n")
            if length := _LENGTH.search(answer):
                await reader.readexactly(int(length[1]))
            self.waits.append(time.perf_counter() - begun)
            self.statuses[int(_STATUS.findall(answer)[0])] += 1
        writer.close()

    def report(self) -> dict[str, object]:
        ordered = sorted(self.waits)
        return {
            "sent": len(ordered),
            "statuses": {str(status): count for status, count in self.statuses.items()},
            "p50": ordered[len(ordered) // 2],
            "p99": ordered[int(len(ordered) * 0.99)],
        }


def _body(number: int) -> bytes:
    person = {"id": CHAT, "is_bot": False, "first_name": "Awa", "language_code": "fr"}
    message = {
        "message_id": number,
        "date": int(time.time()),
        "chat": {"id": CHAT, "type": "private", "first_name": "Awa"},
        "from": person,
        "text": f"vite {number}",
    }
    return orjson.dumps({"update_id": FIRST_UPDATE + number, "message": message})


def main() -> None:
    url, rate, seconds = sys.argv[1:]
    parts = urlsplit(url)
    flood = Flood(parts.hostname or "", parts.port or 0, float(rate), float(seconds))
    asyncio.run(flood.run())
    print(orjson.dumps(flood.report()).decode())  # noqa: T201  # its purpose


if __name__ == "__main__":
    main()
