"""What refusals ask for, and how limits slow us down."""

from __future__ import annotations

from typing import Any

import pytest

from channels.whatsapp_errors import GraphError, raised
from channels.whatsapp_limits import PairLimits, Throughput, pacing
from channels.whatsapp_outline import RAW_BYTES, outline, outline_bytes
from domain.errors import (
    BotError,
    ChannelBroken,
    ChatClosed,
    MarkupRefused,
    NotSent,
    RateLimited,
    SendInDoubt,
    SendRefused,
    WindowClosed,
)


def told(status: int, code: int | None = None, **extra: Any) -> BotError:
    body = {"error": {"message": "x", "code": code, **extra}} if code is not None else None
    return raised(GraphError.read(status, body, None), wait=6.0, plain=False)


@pytest.mark.parametrize(
    ("status", "code", "meaning"),
    [
        (500, None, SendInDoubt),
        (502, None, SendInDoubt),
        (408, None, SendInDoubt),
        (500, 131000, SendInDoubt),
        (400, 131016, SendInDoubt),
        (503, 2, SendInDoubt),
        (403, None, NotSent),
        (302, None, NotSent),
        (429, None, RateLimited),
        (400, 130429, RateLimited),
        (400, 80007, RateLimited),
        (400, 131056, RateLimited),
        (400, 131057, RateLimited),
        (400, 131047, WindowClosed),
        (404, 132001, WindowClosed),
        (400, 131026, ChatClosed),
        (400, 131030, ChatClosed),
        (400, 100, MarkupRefused),
        (400, 131009, MarkupRefused),
        (400, 131049, SendRefused),
        (400, 131053, SendRefused),
        (400, 999999, SendRefused),
        (401, 190, ChannelBroken),
        (403, 10, ChannelBroken),
        (400, 131042, ChannelBroken),
        (400, 368, ChannelBroken),
        (403, 200, ChannelBroken),
        (401, 777777, ChannelBroken),
    ],
)
def test_codes_decide_before_the_http_status(status: int, code: int | None, meaning: type[BotError]) -> None:
    assert type(told(status, code)) is meaning


def test_details_that_change_the_meaning() -> None:
    assert type(told(400, 555555, is_transient=True)) is SendInDoubt
    assert type(told(400, 100, error_subcode=33)) is ChannelBroken
    plain = raised(GraphError.read(400, {"error": {"code": 100}}, None), wait=0, plain=True)
    assert type(plain) is SendRefused


def test_everywhere_is_the_number_not_the_chat() -> None:
    limits = {code: told(400, code) for code in (130429, 131056)}
    assert [error.everywhere for error in limits.values() if isinstance(error, RateLimited)] == [True, False]


@pytest.mark.parametrize(
    ("header", "seconds"), [("30", 30.5), ("0", 6.0), ("soon", 6.0), ("99999", 6.0), (None, 6.0)]
)
def test_a_named_wait_is_kept(header: str | None, seconds: float) -> None:
    error = raised(GraphError.read(429, None, header), wait=6.0, plain=False)
    assert isinstance(error, RateLimited)
    assert error.seconds == seconds


def test_no_number_of_a_subscriber_stands_in_an_error() -> None:
    error = GraphError.read(
        400, {"error": {"code": 131030, "message": "22790000001 is not in the list"}}, None
    )
    assert str(error) == "HTTP 400, code 131030: <number> is not in the list"


@pytest.mark.parametrize("body", [None, [], "x", {"error": "x"}, {"error": {"code": "x", "error_data": 5}}])
def test_answers_of_any_shape_are_read(body: object) -> None:
    assert isinstance(raised(GraphError.read(500, body, None), wait=0, plain=False), SendInDoubt)


def test_pair_limits_grow_until_a_message_goes_through() -> None:
    pairs = PairLimits(max_chats=2)
    assert [pairs.refused("a") for _ in range(6)] == [6, 6, 16, 64, 256, 256]
    assert pairs.refused("b") == 6
    pairs.accepted("a")
    assert pairs.refused("a") == 6
    pairs.refused("c")
    assert pairs.refused("b") == 6  # forgotten: the longest unused makes room


def test_throughput_is_halved_and_given_back() -> None:
    now = [0.0]
    limit = Throughput(pacing(80.0), lambda: now[0])
    assert limit.refused() == 1
    assert limit.refused() == 1  # a send that was on its way already
    assert limit.pacing.global_rate == 40
    now[0] = 2.0
    assert limit.refused() == 2
    assert limit.pacing.global_rate == 20
    limit.accepted()
    assert limit.pacing.global_rate == 20
    rates = []
    for minute in (1, 2, 3):
        now[0] = 10.0 + 61.0 * minute
        limit.accepted()
        rates.append(limit.pacing.global_rate)
    assert rates == [40, 80, 80]
    assert limit.refused() == 1


def test_pauses_of_the_number_are_bounded() -> None:
    now = [0.0]
    limit = Throughput(pacing(20.0), lambda: now[0])
    waits = []
    for step in range(10):
        now[0] = step * 5.0
        waits.append(limit.refused())
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert limit.pacing.global_rate == 20 / 32
    assert limit.pacing.global_burst == 1


def test_outlines_hold_shapes_and_no_words() -> None:
    raw = {
        "type": "hologram",
        "from": "22790000001",
        "hologram": {"caption": "mon code pin est 1234", "size": 123456789012, "22790000001": 1, "ok": True},
        "errors": [{"code": 131051, "title": "Inconnu"}],
    }
    kept = outline(raw).decode()
    assert '"type":"hologram"' in kept
    assert '"code":131051' in kept
    for secret in ("1234", "22790000001", "mon code"):
        assert secret not in kept


def test_outlines_are_bounded_whatever_comes() -> None:
    deep: object = "x"
    for _ in range(5000):
        deep = [deep]
    assert b"<deeper>" in outline(deep)
    assert len(outline({str(n): ["x" * 99] * 99 for n in range(5000)})) <= RAW_BYTES
    assert outline({"a": "\ud800", "\ud800": 1 << 4000, "type": "\ud800"}).isascii()
    assert len(outline_bytes(b"9" * 10**6)) == RAW_BYTES
    assert outline_bytes(b"pin 1234") == b"pin 0000"
