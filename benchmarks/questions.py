"""What the load asks: subscribers' questions, each made unlike all others when no cache must help."""

from __future__ import annotations

import random

QUESTIONS = (
    "Quel forfait internet je peux avoir avec 500 F ?",
    "Je veux 1 Go pour une semaine, c'est combien ?",
    "Forfait illimité pour 24 heures svp",
    "Quels sont les forfaits internet de la nuit ?",
    "Combien coûte le forfait internet du mois ?",
    "Quel est le forfait le moins cher pour appeler ?",
    "Je veux 3 Go pour 7 jours",
    "Que puis-je avoir avec 1000 F pour une semaine ?",
    "Quel forfait appel pour 30 jours ?",
    "Donnez-moi un forfait internet de 2000 F",
)
_START = "bdfgklmnprstvz"
_VOWELS = "aeiou"


def question(number: int, *, unique: bool = True) -> str:
    """The question of that number. A unique one ends in the name of an invented quarter."""
    text = QUESTIONS[number % len(QUESTIONS)]
    return f"{text} Je suis au quartier {_name(number)}." if unique else text


def _name(number: int) -> str:
    """A word that stands for the number, and for no other."""
    syllables = [_START[number % 7] + _VOWELS[number % 5]]
    while number:
        number, rest = divmod(number, len(_START) * len(_VOWELS))
        syllables.append(_START[rest % len(_START)] + _VOWELS[rest // len(_START)])
    return "".join(syllables).capitalize()


def mixed(count: int, *, first: int = 0, unique: bool = True) -> list[str]:
    """So many questions in an order that is the same in every run."""
    texts = [question(first + i, unique=unique) for i in range(count)]
    random.Random(first + count).shuffle(texts)
    return texts
