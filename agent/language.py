"""Which of four languages a message is in, from the small words that only one of them uses."""

from __future__ import annotations

import re
from collections.abc import Mapping

from domain.messages import Language
from rag.normalise import tokenise

_SURE = 2  # a word that no other language here writes
_MARKS: Mapping[Language, tuple[str, str]] = {
    Language.FRENCH: (
        "je tu il elle nous vous ils les une des du est sont quoi comment combien quel quelle quels"
        " quelles pour avec dans mon ma mes votre vos notre que qui quand merci bonjour bonsoir salut svp"
        " forfait moins cher prix jour semaine mois heure nuit veux voudrais peux puis avez avoir faire"
        " acheter envoyer argent compte credit solde ouvrir appel appeler c'est qu'est jve jveu jpeu cmt"
        " cmb koi pk bjr slt slm vs bcp jai chui pr avc kel ya sa mwa stp pa tt ki ke oui non aussi"
        " toujours chez illimite retrait peut pourquoi quelqu cette leur moi lui sans vers ete frais frai"
        " paye payer marche accepte inscrire expliquez numero kon kels ac avk mn m refuse urgen bonne"
        " soir soiree",
        "le la de un et a en sur au aux ce ne pas ou si par se j l d n g c on me kan fo ds e max possible"
        " service client minutes maximum min",
    ),
    Language.HAUSA: (
        "ina zan zai nawa yaya yadda wane wace wanne menene mene yaushe inda kudi kudin kudina kuma akwai"
        " babu shi cikin daga zuwa saya sayi aika tura duba wata mako sati kwana dare minti kira layi"
        " lamba lambar waya wayata dina nake kake yake ake kuke muke sannu barka nagode godiya don allah"
        " wannan wadanne yanzu gobe taimako taimake daya biyu uku hudu biyar shida bakwai takwas goma"
        " ashirin dari dubu jikka samu tana yana kana muna suna iya asusu bude caji kati ku ni mutum"
        " gaskiya ranar rana lafiya haka duk kyauta arha sai tare idan kuna kina ana biya biyan amintacce"
        " shin amma gode sosai ban sannunku farashi farashin neman bani gaya nuna mini rubuta lambobin"
        " sauran jiya waye wanene ci wasan dokokinka umarnin umarni"
        " sirri sirrina sirrin kullum assalamu alaikum karbar iyakar kwastomomi",
        "na ta da ne so son wa ba a ya in ga fa ko ce mai to ka ki din manta cewa yi sa min safe fi sauri"
        " wuta data",
    ),
    Language.ZARMA: (
        "ay iri aran boro nooru noru jirbi habu handu ciini cini zaari fofo foofo mate ifo macin marge"
        " marje kulu samba sanba nda wala konte kredi feeri waranka waranza zangu hinka hinza iyye taaci"
        " iddu ahakku baani kani kala suuru boori gumo nango nangu hunkuna suba goyo cindi guna bana"
        " neera day se wor araŋ ngey sohon wodin haya cora arma wayma koyra kwaara laabu gaakasinay saabu"
        " zay daray salan way zambar wayiddu waytaaci waygu wayhakku wayyegga ngoyya ceyan dinya",
        "ga ni no te go ma ka si ra wo ba din kan fo gu ce han i dala",
    ),
    Language.ENGLISH: (
        "the i is are am do does how much many what which where when why can could would my your you we"
        " it this that for with to and of have has need want get give please hello hi hey thanks thank"
        " money bundle bundles call calls cheapest price cost night week month day send receive buy"
        " balance account fee fees number customer there any every who open close about from at by be not"
        " don isn offer offers free good morning evening bye goodbye top up hours network withdraw"
        " withdrawal bank banks pay weekly monthly daily got ive or anything over only networks all great"
        " cheers explain renew whats act as tell write script one two three four five thousand hundred"
        " taken percentage withdrawals midnight",
        "a in so no us me on data service minutes code maximum max possible yes safe",
    ),
}


def _scores() -> dict[str, tuple[tuple[Language, int], ...]]:
    out: dict[str, dict[Language, int]] = {}
    for language, (sure, shared) in _MARKS.items():
        for weight, words in ((_SURE, sure), (1, shared)):
            for word in tokenise(words):
                out.setdefault(word, {}).setdefault(language, weight)
    return {word: tuple(weights.items()) for word, weights in out.items()}


_BY_WORD = _scores()
# Its English words say nothing about who writes them.
_BRAND = re.compile(r"(?:airt?e?l|mobile|orange|moov|free)\s*(?:money|moni|mony)", re.IGNORECASE)
# On a tie the language that is asked most often.
_ORDER = (Language.FRENCH, Language.HAUSA, Language.ZARMA, Language.ENGLISH)


def detect(text: str, *, default: Language | None) -> Language:
    """The language of a message; `default` (else French) when its words do not tell."""
    totals = dict.fromkeys(_ORDER, 0)
    if "mon" in text.lower():  # as in all of them
        text = _BRAND.sub(" ", text)
    for word in tokenise(text)[:80]:
        for language, weight in _BY_WORD.get(word, ()):
            totals[language] += weight
    fallback = default or Language.FRENCH
    best = max(totals.values())
    if best < _SURE or totals[fallback] == best:
        return fallback
    return next(language for language in _ORDER if totals[language] == best)
