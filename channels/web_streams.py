"""The open event streams of the chat page: who is listening, and waking them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field

from domain.messages import ChatKey


@dataclass(eq=False, slots=True)
class Stream:
    """One listener. `typing` asks for a typing event, `closed` ends it, `crowded` because of newer ones."""

    key: ChatKey
    event: asyncio.Event = field(default_factory=asyncio.Event)
    typing: bool = False
    closed: bool = False
    crowded: bool = False

    def close(self) -> None:
        """End this stream at its next turn."""
        self.closed = True
        self.event.set()


class Streams:
    """All listeners, bounded per chat and in all."""

    def __init__(self, *, per_chat: int = 3, total: int = 2000) -> None:
        self._per_chat = per_chat
        self._total = total
        self._open: defaultdict[ChatKey, list[Stream]] = defaultdict(list)
        self._count = 0
        self._stopped = False

    def __len__(self) -> int:
        return self._count

    def open(self, key: ChatKey) -> Stream | None:
        """A new listener, or None when there are too many in all.

        A chat's oldest listener makes room for its newest: a phone that lost its network leaves dead ones.
        """
        if self._stopped or self._count >= self._total:
            return None
        if len(self._open[key]) >= self._per_chat:
            oldest = self._open[key][0]
            oldest.crowded = True
            oldest.close()
            self.leave(oldest)
        stream = Stream(key)
        self._open[key].append(stream)
        self._count += 1
        return stream

    def leave(self, stream: Stream) -> None:
        """Forget a listener; harmless when it is gone already."""
        listeners = self._open.get(stream.key, [])
        if stream in listeners:
            listeners.remove(stream)
            self._count -= 1
        if not listeners:
            self._open.pop(stream.key, None)

    def wake(self, key: ChatKey, *, typing: bool = False) -> None:
        """Make the chat's listeners look for new parts, or show that an answer is being written."""
        for stream in self._open.get(key, ()):
            stream.typing = stream.typing or typing
            stream.event.set()

    def close(self) -> None:
        """End every stream and refuse new ones: the server stops."""
        self._stopped = True
        for listeners in list(self._open.values()):
            for stream in list(listeners):
                stream.close()
