"""What the load asks: subscribers' questions, each with an amount of its own when no cache must help."""

from __future__ import annotations

import random

# "{n}" is the amount. Spelt as people spell.
QUESTIONS = (
    "Quel forfait internet je peux avoir avec {n} F ?",
    "jai {n} f je ve un forfé internet dune semaine",
    "Forfait illimité pour 24 heures a {n} francs svp",
    "Bonjour, quels sont les forfaits internet de la nuit avec {n} F ?",
    "Combien de mégas pour le mois si je paie {n} FCFA ?",
    "g {n}f kel forfait appel",
    "Je veux 3 Go pour 7 jours, {n} F ça suffit ?",
    "Que puis-je avoir avec {n} F pour une semaine ?",
    "Ina da {n} F, wane internet zan samu na sati?",
    "Donnez-moi un forfait internet de {n} F pour un jour",
)
_LEAST, _STEP = 100, 5


def question(number: int, *, unique: bool = True) -> str:
    """The question of that number; without `unique` there are only ten of them."""
    amount = _LEAST + _STEP * (number // len(QUESTIONS)) if unique else 1000
    return QUESTIONS[number % len(QUESTIONS)].format(n=amount)


def mixed(count: int, *, first: int = 0, unique: bool = True) -> list[str]:
    """So many questions in an order that is the same in every run."""
    texts = [question(first + i, unique=unique) for i in range(count)]
    random.Random(first + count).shuffle(texts)
    return texts
