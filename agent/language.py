"""Which of four languages a message is in, from the small words that only one of them uses."""

from __future__ import annotations

from collections.abc import Mapping

from domain.messages import Language
from rag.normalise import tokenise

_SURE = 2  # a word that no other language here writes
_MARKS: Mapping[Language, tuple[str, str]] = {
    Language.FRENCH: (
        "je tu il elle nous vous ils les une des du est sont quoi comment combien quel quelle quels"
        " quelles pour avec dans mon ma mes votre vos notre que qui quand merci bonjour bonsoir salut"
        " svp forfait moins cher prix jour semaine mois heure nuit veux voudrais peux puis avez avoir"
        " faire acheter envoyer argent compte credit solde ouvrir appel appeler c'est qu'est jve jveu"
        " jpeu cmt cmb koi pk bjr slt slm vs bcp jai chui pr avc kel ya sa fo mwa stp pa tt ki ke oui"
        " non aussi toujours chez quelle illimite retrait",
        "le la de un et a en sur au aux ce ne pas ou si par se j l d n g c",
    ),
    Language.HAUSA: (
        "ina zan zai nawa yaya yadda wane wace wanne menene mene yaushe inda kudi kudin kudina kuma"
        " akwai babu shi cikin daga zuwa saya sayi aika tura duba wata mako sati kwana dare minti kira"
        " layi lamba lambar waya wayata dina nake kake yake ake kuke muke sannu barka nagode godiya"
        " don allah wannan wadanne yanzu gobe taimako taimake daya biyu uku hudu biyar shida bakwai"
        " takwas goma ashirin dari dubu jikka samu yake tana yana kana muna suna iya asusu bude caji"
        " kati ku ni mutum gaskiya ranar rana lafiya haka duk kyauta arha sai safe tare idan",
        "na ta da ne so son wa ba a ya in ga fa ko ce mai",
    ),
    Language.ZARMA: (
        "ay iri aran boro nooru noru jirbi habu handu ciini cini zaari fofo foofo mate ifo macin"
        " marge marje kulu samba sanba nda wala konte kredi feeri waranka waranza zangu hinka hinza"
        " iyye taaci iddu ahakku baani kani kala suuru boori gumo nango nangu hunkuna suba goyo kan"
        " cindi guna bana neera day se wor araŋ ngey sohon wodin haya cora arma wayma koyra kwaara"
        " laabu gaakasinay saabu zay daray salan",
        "ga ni no te go ma ka si ra wo ba din",
    ),
    Language.ENGLISH: (
        "the i is are am do does how much many what which where when why can could would my your you"
        " we it this that for with to and of on have has need want get give me please hello hi hey"
        " thanks thank money bundle bundles data call calls cheapest price cost night week month day"
        " send receive buy balance account fee fees number customer there any every who open close"
        " about from at by be not don isn offer offers week free service good morning evening bye"
        " goodbye top up hours network withdraw withdrawal bank banks pay",
        "a in so no us me",
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
# On a tie the language that is asked most often.
_ORDER = (Language.FRENCH, Language.HAUSA, Language.ZARMA, Language.ENGLISH)


def detect(text: str, *, default: Language | None) -> Language:
    """The language of a message; `default` (else French) when its words do not tell."""
    totals = dict.fromkeys(_ORDER, 0)
    for word in tokenise(text)[:80]:
        for language, weight in _BY_WORD.get(word, ()):
            totals[language] += weight
    fallback = default or Language.FRENCH
    best = max(totals.values())
    if best < _SURE or totals[fallback] == best:
        return fallback
    return next(language for language in _ORDER if totals[language] == best)
