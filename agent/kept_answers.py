"""Answers that were given before: which may be kept, and under which key they are found again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import date

from agent.work import Work
from domain.answers import Answer, Origin
from rag.cache import AnswerCache, CacheKey
from rag.normalise import tokenise

_OWN_WORD = 4  # letters of the shortest word that may be about the subscriber
_ASIDE = "horssujet"  # the sense of words that are about anything but us


class KeptAnswers:
    """The answer cache as a turn uses it. Without a cache nothing is found and nothing kept."""

    def __init__(self, cache: AnswerCache | None, today: Callable[[], date], *, with_model: bool) -> None:
        self._cache = cache
        self._today = today
        self._with_model = with_model

    def find(self, work: Work) -> Answer | None:
        """What was answered to the same question; notes under which key this turn's answer may be kept."""
        found, question = work.retrieval, work.question
        with_model = self._with_model and question.allow_model
        personal = bool(question.flags) or work.text != question.text or (with_model and bool(question.known))
        if self._cache is None or found is None or found.inherited or personal or not found.normalised:
            return None
        version = f"{work.version}:{self._today()}"  # an offer may end at midnight
        # The cache goes to disk: words nobody knows, such as names, must not go with it.
        asked = hashlib.blake2b(found.normalised.encode("utf-8", "replace"), digest_size=16).hexdigest()
        work.cache_key = CacheKey(asked, work.language, version, with_model)
        return self._cache.get(work.cache_key)

    def drop(self, work: Work) -> None:
        """Forget an answer that no longer holds."""
        if self._cache is not None and work.cache_key is not None:
            self._cache.drop(work.cache_key)

    def keep(self, work: Work, answer: Answer) -> None:
        """Keep an answer that anybody else may get, unless it was kept already."""
        asks = work.handoff or work.remember or answer.handoff or answer.remember
        if self._cache is None or work.cache_key is None or asks or not answer.answered:
            return
        if work.from_cache or not self._is_best(work, answer):
            return
        if not _repeats(work, answer.text):
            self._cache.put(work.cache_key, answer)

    def _is_best(self, work: Work, answer: Answer) -> bool:
        if answer.origin is Origin.MODEL:
            return work.first_exchange  # later ones may quote what this subscriber said before
        return not (self._with_model and work.question.allow_model)  # else a model could give a better one


def _repeats(work: Work, text: str) -> bool:
    """Whether a text says again what only this subscriber said: words that no record has."""
    words = work.retrieval.reading.words if work.retrieval is not None else ()
    about_us = " ".join(
        w.text for w in words if w.number is not None or (w.senses and _ASIDE not in w.senses)
    )
    own = {word for word in tokenise(work.question.text) if len(word) >= _OWN_WORD}.difference(
        about_us.split()
    )
    repeated = own.intersection(tokenise(text))
    if not repeated:
        return False
    told = " ".join(f"{p.title} {p.text} {p.wording(work.language)}" for p in work.told())
    return not repeated <= set(tokenise(told))
