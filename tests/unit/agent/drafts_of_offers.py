"""Model drafts about offers, true or with one invented figure, in three languages and many spellings."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from rag.catalogue import Offer

Spell = Callable[[random.Random, int], str]

FULL_WIDTH = str.maketrans("0123456789*#", "０１２３４５６７８９＊＃")
_SPOKEN = {"fr": ("étoile", "dièse"), "en": ("star", "hash"), "ha": ("tauraro", "hash")}
_WORDS = {
    "fr": {5: "cinq", 7: "sept", 24: "vingt-quatre", 48: "quarante-huit", 30: "trente", 75: "soixante-quinze"}
    | {50: "cinquante", 100: "cent", 200: "deux cents", 300: "trois cents", 500: "cinq cents", 1000: "mille"}
    | {1500: "mille cinq cents", 2000: "deux mille", 3000: "trois mille", 5000: "cinq mille", 15: "quinze"}
    | {
        10000: "dix mille",
        20000: "vingt mille",
        400: "quatre cents",
        600: "six cents",
        250: "deux cent cinquante",
    }
    | {40: "quarante", 120: "cent vingt", 800: "huit cents", 32: "trente-deux", 1: "un"},
    "en": {7: "seven", 24: "twenty-four", 48: "forty-eight", 30: "thirty", 75: "seventy-five", 50: "fifty"}
    | {500: "five hundred", 1000: "one thousand", 1500: "one thousand five hundred", 2000: "two thousand"}
    | {
        3000: "three thousand",
        5000: "five thousand",
        10000: "ten thousand",
        200: "two hundred",
        15: "fifteen",
    }
    | {20000: "twenty thousand", 600: "six hundred", 400: "four hundred"},
    "ha": {7: "bakwai", 24: "ashirin da hudu", 30: "talatin", 500: "dari biyar", 1000: "dubu daya"}
    | {2000: "dubu biyu", 3000: "dubu uku", 5000: "dubu biyar", 1500: "dubu daya da dari biyar"},
}


@dataclass(frozen=True, slots=True)
class Claim:
    """What a draft says of one offer; an invented one differs from the offer in one field."""

    price: int
    code: str
    hours: int
    data_mb: int = 0
    minutes: int = 0
    percent: int = 0
    phone: str = ""


def true_claim(offer: Offer, rng: random.Random) -> Claim:
    return Claim(
        price=offer.price,
        code=rng.choice(offer.codes),
        hours=offer.validity_hours,
        data_mb=offer.data_mb,
        minutes=rng.choice(sorted(offer.minutes)) if offer.minutes else 0,
        percent=offer.bonus.percent if offer.bonus and rng.random() < 0.5 else 0,
    )


def written(claim: Claim, language: str, rng: random.Random) -> str:
    parts = [_price(claim.price, language, rng), *_content(claim, language, rng)]
    rng.shuffle(parts)
    body = rng.choice((", ", " ; ", " - ")).join([*parts, _validity(claim.hours, language, rng)])
    if claim.percent:
        body += rng.choice((f" (bonus {claim.percent} %)", f", +{claim.percent}% bonus"))
    if claim.phone:
        body += {"fr": ". Appelez le ", "en": ". Call ", "ha": ". Kira "}[language] + claim.phone
    opening = {
        "fr": ("Voici l'offre : ", "Je vous conseille le forfait suivant :\n- ", "**Forfait** : ", "Oui. "),
        "en": ("Here is the bundle: ", "You can take this one:\n- ", "**Bundle**: ", "Yes. "),
        "ha": ("Ga tsarin: ", "Akwai wannan:\n- ", "**Tsari**: ", "I. "),
    }[language]
    dial = {"fr": "Composez", "en": "Dial", "ha": "Danna"}[language]
    code = _code(claim.code, language, rng)
    return f"{rng.choice(opening)}{body}.\n{dial}{rng.choice((' ', ' :', ''))}\n{code}"


def _content(claim: Claim, language: str, rng: random.Random) -> list[str]:
    parts = []
    if claim.data_mb:
        parts.append(_volume(claim.data_mb, language, rng))
    if claim.minutes:
        minutes = _number(claim.minutes, language, rng)
        parts.append(
            f"minti {minutes}" if language == "ha" else f"{minutes} {rng.choice(('min', 'minutes'))}"
        )
    return parts


def _number(value: int, language: str, rng: random.Random) -> str:
    kind = rng.randrange(6)
    if kind == 0 and value in _WORDS[language]:
        return _WORDS[language][value]
    if kind == 1:
        return str(value).translate(FULL_WIDTH)
    if value >= 1000 and kind < 5:
        return f"{value:,}".replace(",", rng.choice((" ", "\u202f", "\u00a0", "\u2009", ".")))
    return str(value)


def _price(value: int, language: str, rng: random.Random) -> str:
    number = _number(value, language, rng)
    if language == "ha" and rng.random() < 0.3 and value % 5 == 0:
        return f"dala {value // 5}"
    return number + rng.choice((" F", " FCFA", " francs", " F CFA", "F" if number[-1].isdigit() else " F"))


def _volume(megabytes: int, language: str, rng: random.Random) -> str:
    if megabytes >= 1000:
        figure = f"{megabytes / 1000:g}".replace(".", rng.choice((",", ".")))
        return figure + rng.choice((" Go", "Go", " GB", " giga", " gigas", "\u202fGo"))
    return _number(megabytes, language, rng) + rng.choice((" Mo", " MB", " mégas"))


def _validity(hours: int, language: str, rng: random.Random) -> str:
    if hours == 5:
        return {"fr": "de 00h à 5h", "en": "from midnight to 5 am", "ha": "daga 00h zuwa 5h"}[language]
    days = hours // 24 if hours % 24 == 0 and (hours > 48 or rng.random() < 0.3) else 0
    if days == 7 and rng.random() < 0.3:
        return {"fr": "pendant une semaine", "en": "for one week", "ha": "mako guda daya"}[language]
    if days == 30 and rng.random() < 0.3:
        return {"fr": "pendant un mois", "en": "for one month", "ha": "wata 1"}[language]
    number = _number(days or hours, language, rng)
    units = {"fr": ("jours", "heures"), "en": ("days", "hours"), "ha": ("kwana", "awa")}[language]
    unit = units[0] if days else units[1]
    lead = {"fr": "valable ", "en": "valid ", "ha": "na "}[language]
    return f"{lead}{unit} {number}" if language == "ha" else f"{lead}{number} {unit}"


def _code(code: str, language: str, rng: random.Random) -> str:
    kind = rng.randrange(6)
    if kind == 0:
        return code.translate(FULL_WIDTH)
    if kind == 1:
        return " ".join(code)
    if kind == 2:
        return code.replace("*", " * ").replace("#", " #").strip()
    if kind == 3:
        star, pound = _SPOKEN[language]
        return code.replace("*", f" {star} ").replace("#", f" {pound}").strip()
    return code


CODES = ("*141*9#", "*144#", "*123*4#", "*555#", "#150*2#", "*141*3*1#", "*100*500#", "*141*7*7#")
PRICES = (75, 450, 700, 850, 1250, 2500, 4000, 7500, 12500)
VOLUMES = (30, 90, 350, 700, 900, 1500, 2500, 4500, 7000, 25000, 50000)
HOURS = (2, 12, 36, 72, 96, 240, 336, 1440)
MINUTES = (3, 21, 45, 61, 90, 180, 600, 2000)
PERCENTS = (10, 20, 25, 30, 75, 150, 200)
PHONES = ("90 12 34 56", "+227 96 00 00 01", "98765432", "0022790111213", "611", "444", "1 5 5 5")


INVENTED: dict[str, tuple[int | str, ...]] = {
    "price": PRICES,
    "code": CODES,
    "hours": HOURS,
    "data_mb": VOLUMES,
    "minutes": MINUTES,
    "percent": PERCENTS,
    "phone": PHONES,
}
FIELDS = tuple(INVENTED)


def invented(claim: Claim, field: str, rng: random.Random) -> Claim:
    """The claim with one figure that stands nowhere."""
    changed: dict[str, Any] = {field: rng.choice(INVENTED[field])}
    return replace(claim, **changed)
