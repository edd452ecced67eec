"""What a message wants that no knowledge answers: talk, refusals, a person."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from rag.lexicon import COURTESIES, Reading
from rag.retriever import Retrieval
from rag.slots import Slots


class Intent(StrEnum):
    """The ways a message is answered without retrieval."""

    PIN = "pin"
    INJECTION = "injection"
    COMPETITOR = "competitor"
    HANDOFF = "handoff"
    URGENT = "urgent"
    TROUBLE = "trouble"
    OFF_TOPIC = "off_topic"
    DEVICE = "device"
    IDENTITY = "identity"
    GREETING = "greeting"
    THANKS = "thanks"
    GOODBYE = "goodbye"
    UNKNOWN_CODE = "unknown_code"
    HOAX = "hoax"
    NOT_KNOWN = "not_known"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Senses that make a message ours, whatever else it talks about.
OURS = _words(
    "internet forfait solde recharger airtelmoney sim illimite credit bonus facture frais plafond"
    " serviceclient 4g sms moyenpaiement sanscompte go mo canal banque coderetrait"
)
_SMALLTALK = ("aurevoir", "merci", "salut", "accord")
# An "ok" before one of these leads to a question.
_GOES_ON = frozenset({"suite", "plusgrand", "combien", "comment", "heure", "activer", "ou"})
# What may stand beside a greeting without making it a question.
_POLITE = _words(
    "proche suite airtel comment quoi aujourdhui jour nuit rien services ou servir verifier taimako"
    " combien usage validite heure semaine lieu ville aumoins activer telephone numero plusgrand"
    " gratuit payer quand serviceclient sans oubien entre seulement"
)
_TOWARDS = _words(
    "vers ver a o au aux sur chez numero numeros num client clients abonne abonnes puce puces reseau"
    " ligne sim to wa zuwa ga se layin lambar lamba number numbers user users subscriber compte cpte"
    " account entre"
)
_FROM = _words("de depuis du d daga from gaa")
_ARTICLES = _words(
    "un une le la les des mon son sa l mes ses ce cet a an the du de wani wata fo lambar numero"
)
_LOSABLE = frozenset({"sim", "telephone", "appareil", "compte", "argent", "airtelmoney", "numero", "credit"})
# Intents that count only where nothing of ours is named.
_ALONE = {"demande": Intent.OFF_TOPIC, "insulte": Intent.HANDOFF, "menu": Intent.GREETING}
_SURE_TOPIC = 1.9  # an off-topic word beside a surely found topic is only colour


def decide(
    reading: Reading, found: Retrieval, *, flags: Sequence[str], tokens: Sequence[str], before: frozenset[str]
) -> Intent | None:
    """The intent of a message, or None when it is a question for the knowledge.

    `before` holds the senses of the question before, for a follow-up such as "to a Moov number?".
    """
    if set(flags) & {"pin", "otp", "voucher"}:
        return Intent.PIN
    if "injection" in reading.intents:
        return Intent.INJECTION
    if _is_about_competitor(reading, tokens, before):
        return Intent.COMPETITOR
    if "secret" in reading.intents:
        return Intent.PIN
    if _is_not_known(reading, found):
        return Intent.NOT_KNOWN
    return _person(reading, found) or _talk(reading, found)


def _is_not_known(reading: Reading, found: Retrieval) -> bool:
    """Airtel matters that the knowledge does not hold: rather say so than tell something near."""
    told = found.score >= _SURE_TOPIC or (found.imported and found.confident)
    if told and found.passages[0].kind == "topic":
        return False
    abroad = bool(reading.senses & {"appel", "sms"}) and "etranger" in reading.senses
    return "inconnu" in reading.intents or (abroad and not reading.senses & {"envoyer", "recevoir", "argent"})


def _person(reading: Reading, found: Retrieval) -> Intent | None:
    """Somebody in distress, or who asks for a person."""
    intents = reading.intents
    if not _asks_offer(found.slots) and _is_urgent(reading, found):
        return Intent.URGENT
    if "conseiller" in intents and not _asks_offer(found.slots) and not _asks_address(reading, found):
        return Intent.HANDOFF
    if "panne" in intents and not _asks_offer(found.slots) and _is_trouble(found):
        return Intent.TROUBLE
    return None


def _asks_address(reading: Reading, found: Retrieval) -> bool:
    """Whether it is where to write that is asked."""
    return found.confident and bool(reading.senses & {"ecrire", "email"})


def _is_urgent(reading: Reading, found: Retrieval) -> bool:
    """Money or a line lost, stolen or blocked; haste alone counts only when nothing answers it."""
    if "urgence" in reading.intents:
        return True
    if "perte" in reading.intents and reading.senses & _LOSABLE:
        return True
    return "presse" in reading.intents and not found.confident


def _is_trouble(found: Retrieval) -> bool:
    """Whether something of ours fails, instead of a way to do something being asked."""
    first = found.passages[0] if found.passages else None
    return first is None or first.kind == "offer" or found.score < 1.6 or first.id == "T-COUVERTURE"


def _asks_offer(slots: Slots) -> bool:
    return slots.has_figures and (bool(slots.services) or slots.offer_word or slots.unlimited or slots.night)


def _talk(reading: Reading, found: Retrieval) -> Intent | None:
    senses, intents = reading.senses, reading.intents
    # The name of an application is not yet a question about internet.
    ours = any(OURS & set(w.senses) and "usage" not in w.senses for w in reading.words)
    ours = ours or bool((senses & OURS) - {"internet"})
    if "appareil" in senses and not (ours and found.score >= _SURE_TOPIC):
        return Intent.DEVICE
    if "horssujet" in senses and not (ours and found.score >= _SURE_TOPIC - 0.4):
        return Intent.OFF_TOPIC
    if "identite" in intents and not (ours and found.score >= _SURE_TOPIC):
        return Intent.IDENTITY
    if (said := _smalltalk(reading)) is not None or ours:
        return said
    asked = next((i for name, i in _ALONE.items() if name in intents), None)
    return None if asked is Intent.GREETING and found.confident else asked


def _smalltalk(reading: Reading) -> Intent | None:
    if reading.codes or not reading.words:
        return None if reading.codes else Intent.GREETING
    said = next((sense for sense in _SMALLTALK if sense in reading.senses), None)
    rest = reading.senses - COURTESIES - _POLITE
    if said is None or rest or reading.numbers or len(reading.unknown) > 3:
        return None
    asks = reading.senses & {"services", "quand", "gratuit", "payer", "numero", "serviceclient", "servir"}
    # "merci au service client" thanks, "merci, et le service client ?" asks
    if asks and (said == "salut" or "suite" in reading.senses):
        return None
    if said == "accord" and reading.senses & _GOES_ON:
        return None
    return {"aurevoir": Intent.GOODBYE, "merci": Intent.THANKS, "salut": Intent.GREETING}.get(
        said, Intent.THANKS
    )


def _is_about_competitor(reading: Reading, tokens: Sequence[str], before: frozenset[str]) -> bool:
    """Whether another operator's offers are asked; sending to or receiving from its customers is ours."""
    intents = reading.intents
    if "comparer" in intents and ("concurrent" in intents or "airtel" in reading.senses):
        return True
    if "concurrent" not in intents:
        return "comparer" in intents and not reading.senses & {"forfait", "internet", "appel", "illimite"}
    if "comparer" in intents:
        return True
    if reading.senses & {"depuisetranger"} or (
        reading.senses & {"etranger", "partenaire"} and reading.senses & {"envoyer", "recevoir", "argent"}
    ):
        return False
    if "partenaire" in intents and not reading.senses & {"forfait", "internet", "appel"}:
        return False
    return not _serves_customer_of(reading.senses | before, tokens)


def _serves_customer_of(senses: frozenset[str], tokens: Sequence[str]) -> bool:
    """Whether money or a call goes to, or money comes from, a customer of the other operator."""
    names = {"moov", "zamani", "orange", "mtn", "niger", "sahelcom", "concurrent", "telecom", "telecoms"}
    for i, token in enumerate(tokens):
        if token not in names:
            continue
        before = [
            t for t in tokens[max(0, i - 3) : i] if t not in _ARTICLES or t in {"a", "numero", "lambar"}
        ]
        near = set(before[-2:])
        if near & _TOWARDS and senses & {"envoyer", "appel", "sanscompte", "tousreseaux", "coderetrait"}:
            return True
        if set(tokens[max(0, i - 2) : i]) & _FROM and senses & {"recevoir"}:
            return True
    return False
