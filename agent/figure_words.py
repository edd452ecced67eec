"""The words that make a number a claim: units, number words and spoken code signs of four languages.

Standard spellings only, folded. Drafts are written by a model, not by a thumb; what subscribers type is the
business of `rag.lexicon`.
"""

from __future__ import annotations

import re

from rag.numbers import NumberReader, NumberWord


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# kind -> factor -> words. Prices in FCFA, volumes in MB, validities in hours.
_UNITS: dict[str, dict[float, str]] = {
    "price": {
        1: "f fr frs fcfa cfa xof franc francs",
        5: "dala dela",
        1000: "jikka jaka",
    },
    "volume": {
        1e6: "to tb",
        1000: "go gb giga gigas gig gigs gigaoctet gigaoctets gigabyte gigabytes",
        1: "mo mb mega megas meg megs megaoctet megaoctets megabyte megabytes",
        0.001: "ko kb",
    },
    "validity": {
        1: "h hr hrs heure heures hour hours awa awowi guuru",
        24: "j jr jrs jour jours journee journees day days kwana kwanaki rana ranaku yini jirbi zaari",
        168: "semaine semaines week weeks sati mako makonni makwanni habu habo",
        360: "quinzaine quinzaines",
        720: "mois month months wata watanni handu",
        8760: "an ans annee annees year years shekara shekaru",
    },
    "minutes": {1: "min mins mn minute minutes minti mintuna mintoci miniti"},
    "sms": {1: "sms texto textos"},
    "percent": {1: "% percent pourcent"},
    "foreign": {1: "€ $ £ euro euros eur usd dollar dollars naira cedi cedis dirham dirhams"},
}
UNITS: dict[str, tuple[str, float]] = {
    word: (kind, factor)
    for kind, factors in _UNITS.items()
    for factor, words in factors.items()
    for word in words.split()
}
# Hausa and Zarma put the unit first ("kwana 7"); of the others only these may stand there ("F 500").
_FIRST_ALWAYS = (
    "awa awowi guuru kwana kwanaki rana ranaku yini jirbi zaari sati mako makonni makwanni habu habo wata "
    "watanni handu minti mintuna mintoci miniti dala dela jikka jaka"
)
FIRST_ALWAYS = _set(_FIRST_ALWAYS)
FIRST_SOMETIMES = _set("f fcfa cfa sms € $ £ mo mb go gb kwanan")

STARS = _set("etoile etoiles asterisque asterisques asterix star stars asterisk tauraro taurari")
HASHES = _set("diese dieses dieze hash hashtag pound croisillon croisillons square sharp")
DIALS = _set(
    "composez composer compose compo tapez taper tape appelez appeler appelle appel faites "
    "choisissez choisir choix option options numero dial call press choose select kira danna "
    "latsa rubuta zabi lamba naamu code codes lambar"
)
PRICE_WORDS = _set("prix coute coutent tarif price cost costs farashi farashin kudi kudin")
# "vos 700 F" is the subscriber's money anywhere; "avec 700 F" only where a sentence begins with it.
OWN_MONEY = _set("vos votre ton tes budget your kudinka kudinku")
BUDGET_WORDS = OWN_MONEY | _set(
    "avec vous moins de max maximum pour as with you have under below da kudin kana kake kina ni nda gonda"
)
NEGATIONS = _set(
    "pas aucun aucune jamais not no none cannot never ba babu bai si sii sinda inexistant introuvable"
)
MONTHS = {
    word: number
    for number, words in enumerate(
        (
            "janvier january janairu",
            "fevrier february",
            "mars march maris",
            "avril april afrilu",
            "mai may mayu",
            "juin june yuni",
            "juillet july yuli",
            "aout august agusta",
            "septembre september satumba",
            "octobre october oktoba",
            "novembre november nuwamba",
            "decembre december disamba",
        ),
        start=1,
    )
    for word in words.split()
}

_NUMBER_WORDS: dict[str, dict[str, str]] = {
    "fr": {
        "unit": (
            "zero:0? un:1? une:1? deux:2 trois:3 quatre:4 cinq:5 "
            "six:6 sept:7 huit:8 neuf:9? dix:10 onze:11 douze:12 "
            "treize:13 quatorze:14 quinze:15 seize:16 "
            "vingt:20 vingts:20 trente:30 quarante:40 cinquante:50 "
            "soixante:60 septante:70 nonante:90"
        ),
        "scale": "cent:100? cents:100? mille:1000? million:1000000 millions:1000000",
    },
    "en": {
        "unit": (
            "one:1? two:2 three:3 four:4 five:5 seven:7 "
            "eight:8 nine:9 ten:10 eleven:11 twelve:12 thirteen:13 "
            "fourteen:14 fifteen:15 sixteen:16 seventeen:17 "
            "eighteen:18 nineteen:19 twenty:20 thirty:30 forty:40 "
            "fifty:50 sixty:60 seventy:70 eighty:80 ninety:90"
        ),
        "scale": "hundred:100 thousand:1000",
    },
    "ha": {
        "unit": (
            "daya:1? guda:1? biyu:2 uku:3 hudu:4 biyar:5 "
            "shida:6 bakwai:7 takwas:8 tara:9? goma:10 ashirin:20 "
            "talatin:30 arbain:40 hamsin:50 sittin:60 sabain:70 tamanin:80 casain:90 tasain:90 metan:200"
        ),
        "scale": "dari:100 dubu:1000 miliyan:1000000",
    },
    "dje": {
        "unit": (
            "fo:1? afo:1? hinka:2 ihinka:2 hinza:3 ihinza:3 "
            "taaci:4 itaaci:4 gu:5? guu:5? igu:5 iddu:6 iyye:7 "
            "ahakku:8 yagga:9 way:10? iway:10 waranka:20 "
            "waranza:30 waytaaci:40 wayguu:50 waygu:50 wayiddu:60 "
            "wayiyye:70 wayhakku:80 wayyagga:90"
        ),
        "scale": "zangu:100 zambar:1000",
    },
}


def _words() -> dict[str, NumberWord]:
    words = {}
    for language, kinds in _NUMBER_WORDS.items():
        for kind, entries in kinds.items():
            for entry in entries.split():
                word, value = entry.split(":")
                company = value.endswith("?")
                words[word] = NumberWord(float(value.rstrip("?")), kind, language, company)
    return words


NUMBER_WORDS = _words()
READER = NumberReader(NUMBER_WORDS, frozenset(UNITS))
ONE_DIGIT = {word: str(int(entry.value)) for word, entry in NUMBER_WORDS.items() if entry.value < 10}

_BUNDLE = r"(?:forfaits?|pass|offres?|bundles?|plans?|tsari)"
_PERIODS = {
    "journaliers?|quotidiens?|daily": 24,
    "hebdomadaires?|weekly": 168,
    "mensuel(?:le)?s?|monthly": 720,
}
_NAMED_PERIODS = "|".join(
    rf"{_BUNDLE} (?:\w+ )?(?P<a{hours}>{words})\b|(?P<b{hours}>{words}) (?:\w+ )?{_BUNDLE}\b"
    for words, hours in _PERIODS.items()
)
PERIOD = re.compile(rf"\b(?=[bdfhjmopqtw])(?:{_NAMED_PERIODS})")
UNLIMITED = ("illimit", "unlimit", "ilimit")


def period_hours(match: re.Match[str]) -> float:
    """The validity that a match of PERIOD names."""
    return float((match.lastgroup or "a0")[1:])
