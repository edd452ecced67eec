"""What the pipeline may rely on, whatever the channel."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from channels.chunking import ussd_codes
from domain.errors import (
    BotError,
    ChannelBroken,
    ChatClosed,
    MarkupRefused,
    NotSent,
    RateLimited,
    SendInDoubt,
    SendRefused,
)
from domain.messages import Attachment, Choice, Purpose, Reply
from tests.contract.channel_benches import BENCHES, Bench

CODES = "*141*3# *121# #100# *555*90123456*100# *444#"
TEXTS = {
    "short": "Votre solde s'affiche avec *121#",
    "code at an end": "Composez *141*3#. Puis (*444#), ou « *222# » !",
    "codes only": CODES,
    "markup": "<b>*gras*</b> & _soulignée_ `*141*3#` [lien](https://www.airtel.ne) ~x~ 5 < 6",
    "many codes": "\n".join(f"{n} Forfait {n} : 1 000 F, valable 7 jours. *141*{n}#" for n in range(1, 120)),
    "no border": "x" * 9000 + "*141*3#",
    "dense": (CODES + " ") * 300,
    "pictures": "👍🏽 *141*3# " * 900,
    "surrogate": "cassé \ud83d *141*3#",
    "empty": "",
    "blank": " \n\t ",
}
CHOICES = (
    Choice("menu:solde", "Mon solde"),
    Choice("menu:internet", "Forfaits Internet"),
    Choice("c", "Conseiller"),
)
FILE = Attachment("mes-donnees.txt", "text/plain", b"donn\xc3\xa9es")


@pytest.fixture(params=sorted(BENCHES))
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    """Every channel."""
    async with BENCHES[request.param](tmp_path) as opened:
        yield opened


@pytest.fixture(params=["telegram", "whatsapp"])
async def platform(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    """Channels with a platform that can fail; the page's platform is our own database."""
    async with BENCHES[request.param](tmp_path) as opened:
        yield opened


async def test_names_and_pace(bench: Bench) -> None:
    channel = bench.channel
    assert channel.name
    assert ":" not in channel.name + channel.account
    pacing = channel.pacing
    assert min(pacing.global_rate, pacing.global_burst, pacing.chat_rate, pacing.chat_burst) > 0


@pytest.mark.parametrize("name", TEXTS)
async def test_a_split_has_at_most_three_parts_and_loses_nothing(bench: Bench, name: str) -> None:
    reply = Reply(TEXTS[name], choices=CHOICES, purpose=Purpose.NOTICE)
    split = bench.channel.split(reply)
    assert 1 <= len(split.parts) <= 3
    assert all(part.text.strip() for part in split.parts)
    assert [part.choices for part in split.parts][:-1] == [()] * (len(split.parts) - 1)
    assert split.parts[-1].choices == CHOICES
    assert {part.purpose for part in split.parts} == {Purpose.NOTICE}
    assert bench.channel.split(reply) == split
    whole = "".join([*(part.text for part in split.parts), split.rest])
    assert all(word in whole for word in TEXTS[name].split() if len(word) < 100)


@pytest.mark.parametrize("name", TEXTS)
async def test_reading_on_ends(bench: Bench, name: str) -> None:
    rest, rounds = TEXTS[name], 0
    while rest := bench.channel.split(Reply(rest)).rest:
        rounds += 1
        assert rounds < 20


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("plain", [False, True], ids=["marked up", "plain"])
async def test_codes_arrive_byte_for_byte(bench: Bench, name: str, plain: bool) -> None:
    reply = Reply(TEXTS[name])
    split = bench.channel.split(reply)
    for number, part in enumerate(split.parts, 1):
        receipt = await bench.channel.send(bench.part(part, number=number, plain=plain))
        assert receipt.platform_id
    arrived = "\n".join([*bench.arrived(), split.rest])
    for code in {reply.text[start:end] for start, end in ussd_codes(reply.text)}:
        assert arrived.count(code) >= reply.text.count(code)


async def test_every_send_has_a_receipt_of_its_own(bench: Bench) -> None:
    receipts = [await bench.channel.send(bench.part("Bonjour", number=number)) for number in range(1, 4)]
    assert len({receipt.platform_id for receipt in receipts}) == 3
    assert list(bench.arrived()) == ["Bonjour"] * 3


async def test_choices_can_be_tapped(bench: Bench) -> None:
    await bench.say(Reply("Que voulez-vous ?", choices=CHOICES))
    assert list(bench.taps()) == [choice.id for choice in CHOICES]


async def test_choices_of_a_plain_resend_can_be_typed(platform: Bench) -> None:
    await platform.say(Reply("Que voulez-vous ?", choices=CHOICES), plain=True)
    assert not platform.taps()
    shown = platform.arrived()[0]
    assert all(f"{number}" in shown and choice.label in shown for number, choice in enumerate(CHOICES, 1))


@pytest.mark.parametrize("text", ["", "Vos données", "mot " * 2000], ids=["no text", "short", "long"])
async def test_a_file_arrives_once_with_its_text(bench: Bench, text: str) -> None:
    await bench.say(Reply(text, attachment=FILE))
    assert list(bench.files()) == [FILE.data]
    assert text.strip()[:5] in "".join(bench.arrived())


MEANINGS: dict[str, tuple[type[BotError], int]] = {
    "lost answer": (SendInDoubt, 1),
    "server error": (SendInDoubt, 1),
    "told to wait": (RateLimited, 0),
    "chat gone": (ChatClosed, 0),
    "markup refused": (MarkupRefused, 0),
    "refused": (SendRefused, 0),
    "credentials refused": (ChannelBroken, 0),
}


@pytest.mark.parametrize("fault", MEANINGS)
async def test_what_a_failure_means(platform: Bench, fault: str) -> None:
    meaning, arrived = MEANINGS[fault]
    platform.fail(fault)
    with pytest.raises(BotError) as caught:
        await platform.channel.send(platform.part("Bonjour"))
    assert type(caught.value) is meaning
    assert len(platform.arrived()) == arrived
    if isinstance(caught.value, RateLimited | SendInDoubt):
        assert caught.value.seconds >= 1
    await platform.channel.send(platform.part("Bonjour"))
    assert len(platform.arrived()) == arrived + 1


async def test_nobody_there_is_surely_not_sent(platform: Bench) -> None:
    async with platform.stop():
        with pytest.raises(NotSent):
            await platform.channel.send(platform.part("Bonjour"))


async def test_typing_never_raises(bench: Bench) -> None:
    await bench.channel.show_typing(bench.key, bench.inbound())
    async with bench.stop():
        await bench.channel.show_typing(bench.key, bench.inbound())
