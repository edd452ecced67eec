"""Embeddings of an OpenAI-compatible server: of the knowledge once, of questions whose words found little."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import aiohttp
import orjson

from domain.errors import ModelFailed

logger = logging.getLogger(__name__)

QUESTION_SECONDS = 3.0  # beyond that the search by words is the better answer
KNOWLEDGE_SECONDS = 60.0
MAX_CHARS = 4000


class Embedder:
    """Asks one server for vectors."""

    def __init__(self, http: aiohttp.ClientSession, *, base_url: str, key: str | None, model: str) -> None:
        self.model = model
        self._http = http
        self._url = base_url.rstrip("/") + "/embeddings"
        self._headers = {"Content-Type": "application/json"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"

    async def of_texts(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """One vector for each text, in order. Raises ModelFailed."""
        return await self._ask(texts, KNOWLEDGE_SECONDS)

    async def of_question(self, text: str) -> Sequence[float] | None:
        """The vector of a question; None when the server has none in time."""
        try:
            return (await self._ask([text], QUESTION_SECONDS))[0]
        except ModelFailed as error:
            logger.warning("no vector: %s", error, extra={"action": "embedding"})
            return None

    async def _ask(self, texts: Sequence[str], seconds: float) -> list[list[float]]:
        body = orjson.dumps({"model": self.model, "input": [text[:MAX_CHARS] for text in texts]})
        try:
            async with self._http.post(
                self._url, data=body, headers=self._headers, timeout=aiohttp.ClientTimeout(total=seconds)
            ) as response:
                answer = await response.read()
                if response.status != 200:
                    raise ModelFailed(f"embeddings answered {response.status}")
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise ModelFailed(f"no embeddings: {type(error).__name__}") from error
        return _read(answer, len(texts))


def _read(answer: bytes, count: int) -> list[list[float]]:
    try:
        rows = orjson.loads(answer)["data"]
        found = {int(row["index"]): [float(value) for value in row["embedding"]] for row in rows}
        return [found[place] for place in range(count)]
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise ModelFailed("embeddings in an unknown shape") from error
