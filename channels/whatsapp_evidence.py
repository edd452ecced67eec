"""Our outbox id travels with each send and comes back in status webhooks: proof that a send arrived.

The stamp names the database whose ids these are. Statuses come back for days; without it those of a database
that was replaced would settle parts of the new one that were never sent.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from channels.whatsapp_clean import integer_of, items_of, mapping_of, text_of
from channels.whatsapp_errors import VERDICTS, Verdict
from domain.errors import BadInput
from memory.base import Notes
from memory.records import SendState

_ARRIVED = frozenset({"sent", "delivered", "read", "played"})


class Confirm(Protocol):
    """`Outbox.confirm`: settle a part by platform evidence."""

    def __call__(
        self, part_id: int, state: SendState, *, platform_id: str, error: str = ""
    ) -> Awaitable[bool]:
        """States only move forward; False when nothing changed."""
        ...


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one status says about one of our parts."""

    part_id: int
    state: SendState
    platform_id: str
    error: str = ""


async def database_stamp(notes: Notes) -> str:
    """The mark of this database, made at its first start."""
    stamp = await notes.get("whatsapp", "stamp")
    if not isinstance(stamp, str) or not stamp:
        stamp = secrets.token_hex(4)
        await notes.put("whatsapp", {"stamp": stamp})
    return stamp


def callback_data(part_id: int, stamp: str) -> str:
    """What goes out as `biz_opaque_callback_data`."""
    return f"{part_id}.{stamp}" if stamp else str(part_id)


def read_status(status: Mapping[str, Any], stamp: str) -> Evidence | None:
    """Read one status; None when it speaks of no part of ours. Raises BadInput when it cannot be read."""
    name = text_of(status.get("status"), 20)
    platform_id = text_of(status.get("id"), 512)
    if not name or not platform_id:
        raise BadInput("a status without name or id")
    number, _, mark = text_of(status.get("biz_opaque_callback_data"), 512).partition(".")
    part_id = integer_of(number)
    if part_id is None or mark != stamp:
        return None
    if name in _ARRIVED:
        return Evidence(part_id, SendState.SENT, platform_id)
    if name == "failed":
        return _failed(part_id, platform_id, items_of(status.get("errors")))
    return None


def _failed(part_id: int, platform_id: str, errors: list[Any]) -> Evidence:
    """A closed window parks the part for a person, like every failure that is not the subscriber's own."""
    error = mapping_of(errors[0]) if errors else {}
    code = integer_of(error.get("code"))
    verdict = VERDICTS.get(code) if code is not None else None
    told = text_of(error.get("title"), 200) or text_of(error.get("message"), 200)
    if verdict is Verdict.WINDOW:
        return Evidence(part_id, SendState.DEAD, platform_id, f"window: {code} {told}")
    state = SendState.FAILED if verdict in {Verdict.GONE, Verdict.REFUSED} else SendState.DEAD
    return Evidence(part_id, state, platform_id, f"{code} {told}")
