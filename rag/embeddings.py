"""Optional vectors of topics: computed once, kept as notes in the Store, ranked by likeness.

Offers need none: their slots say more. The embeddings themselves come from a callable, so that this room
knows no provider.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from operator import mul
from typing import Any, Protocol

Vector = Sequence[float]
Embed = Callable[[Sequence[str]], Awaitable[Sequence[Vector]]]

_BATCH = 64
_LEAST_ALIKE = 0.3  # below this a vector tells nothing
# What the first, second and third nearest topic gain: ranks are comparable between models, likeness is not.
_GAINS = (0.7, 0.45, 0.25)


class Notes(Protocol):
    """Durable small values; the Store's notes are such."""

    async def put(
        self, namespace: str, values: Mapping[str, Any], *, expires_at: float | None = None
    ) -> None:
        """Write several values."""
        ...

    async def items(self, namespace: str) -> Mapping[str, Any]:
        """All values of a namespace."""
        ...

    async def delete(self, namespace: str, names: Sequence[str] | None = None) -> int:
        """Remove these names."""
        ...


class Vectors:
    """Unit vectors by topic id. Immutable."""

    def __init__(self, vectors: Mapping[str, Vector]) -> None:
        self._vectors = {name: unit for name, vector in vectors.items() if (unit := _unit(vector))}

    def __len__(self) -> int:
        return len(self._vectors)

    def gains(self, vector: Vector) -> dict[str, float]:
        """What the nearest topics gain in score, by rank."""
        asked = _unit(vector)
        alike = sorted(
            (
                (sum(map(mul, asked, unit)), name)
                for name, unit in self._vectors.items()
                if len(unit) == len(asked)
            ),
            reverse=True,
        )
        return {
            name: gain for (value, name), gain in zip(alike, _GAINS, strict=False) if value >= _LEAST_ALIKE
        }


async def load_vectors(texts: Mapping[str, str], notes: Notes, embed: Embed, *, model: str) -> Vectors:
    """The vectors of these texts by id; only what changed since the last time is computed.

    Vectors of texts that are gone are forgotten. Whatever `embed` raises reaches the caller.
    """
    namespace = f"embeddings:{model}"
    wanted = {name: _digest(text) for name, text in texts.items()}
    known = dict(await notes.items(namespace))
    missing = [name for name, digest in wanted.items() if digest not in known]
    for start in range(0, len(missing), _BATCH):
        batch = missing[start : start + _BATCH]
        fresh = await embed([texts[name] for name in batch])
        made = {wanted[name]: list(vector) for name, vector in zip(batch, fresh, strict=True)}
        await notes.put(namespace, made)
        known |= made
    if gone := sorted(known.keys() - set(wanted.values())):
        await notes.delete(namespace, gone)
    return Vectors({name: known[digest] for name, digest in wanted.items()})


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _unit(vector: Vector) -> tuple[float, ...]:
    length = math.sqrt(sum(map(mul, vector, vector)))
    return tuple(x / length for x in vector) if length else ()
