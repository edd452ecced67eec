"""The judge of the crash runs must find what it is there to find."""

from __future__ import annotations

from collections.abc import Sequence

from tests.acceptance.history import Row, Verdict, judge

TRUTH = [("a",), ("b", "c"), ("d",)]
APOLOGY = "sorry"


def _rows(states: Sequence[str] = ("sent",) * 4) -> list[Row]:
    return [
        Row(turn, text, state)
        for (turn, text), state in zip([(1, "a"), (2, "b"), (2, "c"), (3, "d")], states, strict=True)
    ]


def _judge(rows: Sequence[Row], received: str, asked: int = 3) -> Verdict:
    return judge(TRUTH, {"1": asked}, {"1": rows}, {"1": received.split()}, {APOLOGY})


def test_a_perfect_run() -> None:
    verdict = _judge(_rows(), "a b c d")
    assert verdict.good
    assert (verdict.acknowledged, verdict.received, verdict.duplicates) == (3, 4, 0)


def test_one_resend_is_a_duplicate_and_allowed() -> None:
    verdict = _judge(_rows(), "a b b c d d")
    assert verdict.good
    assert (verdict.duplicates, verdict.most_copies) == (2, 2)


def test_three_copies_are_too_many() -> None:
    assert not _judge(_rows(), "a a a b c d").good


def test_an_unanswered_message_is_lost() -> None:
    assert _judge(_rows()[:3], "a b c").lost == 1
    assert _judge([], "").lost == 3


def test_a_reply_that_never_arrived_is_lost_unless_it_stands_parked() -> None:
    assert _judge(_rows(("sent", "sent", "pending", "sent")), "a b d").lost
    verdict = _judge(_rows(("sent", "sent", "dead", "sent")), "a b d")
    assert verdict.good
    assert verdict.parked == 1


def test_a_notice_is_no_turn() -> None:
    rows = {"1": [*_rows(), Row(None, "a word", "sent")]}
    received = {"1": ["a", "b", "c", "d", "a word"]}
    assert judge(TRUTH, {"1": 3}, rows, received, {APOLOGY}, {"a word"}).good
    assert judge(TRUTH, {"1": 3}, rows, received, {APOLOGY}).doubled_turns == 1


def test_order_is_judged() -> None:
    assert _judge(_rows(), "a c b d").disorder > 0
    assert _judge(_rows(), "a b a c d").disorder > 0


def test_a_turn_that_ran_twice_is_found() -> None:
    twice = [*_rows()[:1], Row(9, "a", "sent"), *_rows()[1:]]
    assert _judge(twice, "a a b c d").doubled_turns == 1


def test_another_answer_than_in_the_run_without_faults_is_found() -> None:
    forgot = [*_rows()[:3], Row(3, "something else", "sent")]
    assert not _judge(forgot, "a b c something").good


def test_a_parked_turn_is_visible_not_lost() -> None:
    parked = [*_rows()[:1], Row(None, APOLOGY, "sent"), Row(3, "d", "sent")]
    verdict = _judge(parked, "a sorry d")
    assert verdict.good
    assert verdict.parked == 1


def test_equal_texts_of_parked_and_delivered_replies_are_told_apart() -> None:
    rows = [Row(1, "a", "sent"), Row(None, "sorry", "dead"), Row(None, "sorry", "sent"), Row(3, "d", "sent")]
    verdict = _judge(rows, "a sorry d")
    assert (verdict.lost, verdict.disorder) == (0, 0)
