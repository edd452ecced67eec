"""Replies that leave with their own commit: the transaction that ends a turn claims them as well.

A sender that waits for parts has room for some. A turn that commits meanwhile takes a place in it: its first
part is `sending` on disk from the start and goes to the sender without a transaction in between.
"""

from __future__ import annotations

from collections.abc import Collection

from memory.records import OutboxPart

Account = tuple[str, str]


class Handover:
    """The places of the sender that waits now, and the parts that wait for it; calls come from the loop."""

    def __init__(self) -> None:
        self._room = 0
        self._paused: Collection[Account] = ()
        self._reserved = 0
        self._parts: list[OutboxPart] = []

    def open(self, room: int, paused: Collection[Account]) -> None:
        """A sender waits, with room for so many parts; none of the accounts in `paused`."""
        self._room, self._paused = room, paused

    def close(self) -> None:
        """It waits no more. Places taken before stay taken."""
        self._room = 0

    @property
    def places(self) -> int:
        """Places that are taken, filled or not yet."""
        return self._reserved + len(self._parts)

    def reserve(self, account: Account) -> bool:
        """Take a place, which `give` fills or `give_up` leaves empty."""
        if self.places >= self._room or account in self._paused:
            return False
        self._reserved += 1
        return True

    def give(self, part: OutboxPart) -> None:
        """The part of a reserved place is claimed on disk."""
        self._reserved -= 1
        self._parts.append(part)

    def give_up(self) -> None:
        """Nothing was written for a reserved place."""
        self._reserved -= 1

    def take(self) -> list[OutboxPart]:
        """What was given."""
        parts, self._parts = self._parts, []
        return parts
