"""The answer cache."""

from __future__ import annotations

import json

from domain.answers import Answer, Origin
from domain.messages import Choice, Language
from monitoring.metrics import Metrics, total
from rag.cache import AnswerCache, CacheKey

ANSWER = Answer(
    text="400 Mo à 500 F\n*141*3#",
    language=Language.HAUSA,
    origin=Origin.MODEL,
    passage_ids=("NET-500-7J",),
    choices=(Choice("a", "Oui"),),
    model_calls=2,
    prompt_tokens=900,
    model_ms=1200.0,
    topic="internet",
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def key(
    words: str, version: str = "v1", *, language: Language = Language.FRENCH, model: bool = True
) -> CacheKey:
    return CacheKey(words, language, version, model)


def made(*, size: int = 3, clock: Clock | None = None) -> tuple[AnswerCache, Metrics]:
    metrics = Metrics()
    return AnswerCache(metrics, size=size, ttl=60, clock=clock or Clock()), metrics


def test_a_kept_answer_comes_back_without_its_costs() -> None:
    cache, metrics = made()
    assert cache.get(key("a")) is None
    cache.put(key("a"), ANSWER)
    got = cache.get(key("a"))
    assert got is not None
    assert (got.text, got.passage_ids, got.choices) == (ANSWER.text, ANSWER.passage_ids, ANSWER.choices)
    assert (got.origin, got.model_calls, got.prompt_tokens, got.model_ms) == (Origin.CACHE, 0, 0, 0.0)
    assert total(metrics.cache_lookups, result="hit") == 1
    assert total(metrics.cache_lookups, result="miss") == 1
    assert total(metrics.cache_entries) == 1


def test_language_model_and_words_make_the_key() -> None:
    cache, _ = made()
    cache.put(key("a"), ANSWER)
    assert cache.get(key("b")) is None
    assert cache.get(key("a", language=Language.HAUSA)) is None
    assert cache.get(key("a", model=False)) is None


def test_the_one_unused_for_longest_goes_first() -> None:
    cache, metrics = made(size=2)
    cache.put(key("a"), ANSWER)
    cache.put(key("b"), ANSWER)
    cache.get(key("a"))
    cache.put(key("c"), ANSWER)
    assert cache.get(key("b")) is None
    assert cache.get(key("a")) is not None
    assert len(cache) == total(metrics.cache_entries) == 2


def test_answers_grow_old_and_a_clock_set_back_ends_them_too() -> None:
    clock = Clock()
    cache, _ = made(clock=clock)
    cache.put(key("a"), ANSWER)
    clock.now += 59
    assert cache.get(key("a")) is not None
    clock.now += 2
    assert cache.get(key("a")) is None
    assert len(cache) == 0
    cache.put(key("a"), ANSWER)
    clock.now -= 7200
    assert cache.get(key("a")) is None


def test_another_version_empties_it() -> None:
    cache, metrics = made()
    cache.put(key("a"), ANSWER)
    assert cache.get(key("a", "v2")) is None
    assert len(cache) == total(metrics.cache_entries) == 0


def test_size_zero_keeps_nothing() -> None:
    cache, _ = made(size=0)
    cache.put(key("a"), ANSWER)
    assert len(cache) == 0


def test_an_export_survives_a_restart() -> None:
    clock = Clock()
    cache, _ = made(clock=clock)
    for words in "abc":
        cache.put(key(words), ANSWER)
    cache.get(key("a"))
    rows = json.loads(json.dumps(cache.export()))
    clock.now += 30
    again, _ = made(size=2, clock=clock)
    assert again.restore(rows) == 2
    assert again.get(key("b")) is None  # the least used of three
    got = again.get(key("a"))
    assert got is not None
    assert got.text == ANSWER.text
    clock.now += 31
    assert again.get(key("a")) is None  # its age came along


def test_an_export_of_other_knowledge_or_of_nonsense_is_left_out() -> None:
    cache, _ = made()
    cache.put(key("a"), ANSWER)
    rows = cache.export()
    (name,) = rows
    other = made()[0]
    other.restore(rows)
    assert other.get(key("a", "v2")) is None
    for field, value in (
        ("language", "xx"),
        ("text", None),
        ("stored_at", "hier"),
        ("choices", 3),
        ("place", {}),
    ):
        assert made()[0].restore({name: {**rows[name], field: value}}) == 0
    assert made()[0].restore({"x": 3, "y": None, "z": []}) == 0
