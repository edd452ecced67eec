"""What the model may do: search, ask for a person, remember a language. No tool takes a chat id.

Arguments are checked; wrong ones are answered to the model as text, so that it can try again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.prompting import fenced
from agent.wire import Completion, Message, tool
from agent.work import Work
from domain.messages import Language

MOST_CALLS = 4  # of one model message; the others are answered without being run


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class SearchOffers(_Arguments):
    """Cherche des forfaits par critères. Ne donne que les critères demandés par l'abonné."""

    budget: int | None = Field(default=None, ge=1, le=10_000_000, description="prix en FCFA")
    cheaper: bool = Field(default=False, description="vrai si le budget est un maximum")
    days: int | None = Field(default=None, ge=1, le=366, description="durée en jours")
    hours: int | None = Field(default=None, ge=1, le=48, description="durée en heures")
    megabytes: int | None = Field(
        default=None, ge=1, le=1_000_000, description="volume internet en Mo (1 Go = 1000)"
    )
    minutes: int | None = Field(default=None, ge=1, le=100_000, description="minutes d'appel")
    service: Literal["internet", "appel", "illimite", "nuit"] | None = None
    cheapest: bool = Field(default=False, description="vrai pour le moins cher")

    def words(self) -> str:
        """The criteria as a question."""
        kind = {None: "forfait", "illimite": "forfait appels illimités", "nuit": "forfait de nuit"}
        parts = [kind.get(self.service, f"forfait {self.service}")]
        if self.megabytes:
            parts.append(f"{self.megabytes} Mo")
        if self.minutes:
            parts.append(f"{self.minutes} minutes d'appel")
        if self.budget:
            parts.append(f"{'moins de' if self.cheaper else 'à'} {self.budget} F")
        if self.days or self.hours:
            parts.append(f"pour {self.days} jours" if self.days else f"pour {self.hours} heures")
        if self.cheapest:
            parts.append("le moins cher")
        return " ".join(parts)


class SearchKnowledge(_Arguments):
    """Cherche dans les informations du service client (Airtel Money, SIM, réseau, boutiques...)."""

    query: str = Field(min_length=2, max_length=400, description="quelques mots-clés en français")


class StartHandoff(_Arguments):
    """Prévient une personne du service client, quand l'abonné le demande ou en a besoin."""

    reason: str = Field(default="", max_length=200)


class RememberPreference(_Arguments):
    """Retient la langue dans laquelle l'abonné veut être servi."""

    language: Literal["fr", "ha", "dje", "en"]


def _search_offers(work: Work, arguments: SearchOffers) -> str:
    return _search(work, arguments.words())


def _search_knowledge(work: Work, arguments: SearchKnowledge) -> str:
    return _search(work, arguments.query)


def _search(work: Work, words: str) -> str:
    passages = work.retriever.find(words).passages
    work.found(passages)
    return fenced(passages, work.language)


def _start_handoff(work: Work, _: StartHandoff) -> str:
    work.handoff = True
    return "Une personne est prévenue. Dis à l'abonné qu'on va le rappeler dans cette discussion."


def _remember_preference(work: Work, arguments: RememberPreference) -> str:
    work.remember = work.language = Language(arguments.language)
    return "C'est retenu. Réponds dans cette langue."


_TOOLS: dict[str, tuple[type[_Arguments], Callable[[Work, Any], str]]] = {
    "search_offers": (SearchOffers, _search_offers),
    "search_knowledge": (SearchKnowledge, _search_knowledge),
    "start_handoff": (StartHandoff, _start_handoff),
    "remember_preference": (RememberPreference, _remember_preference),
}


def tool_schemas() -> tuple[Mapping[str, Any], ...]:
    """The tools as the model server wants them; the same bytes every time, for its prompt cache."""
    return tuple(
        {
            "type": "function",
            "function": {
                "name": name,
                "description": arguments.__doc__ or "",
                "parameters": _slim(arguments.model_json_schema()),
            },
        }
        for name, (arguments, _) in _TOOLS.items()
    )


def run_tools(work: Work, said: Completion) -> list[Message]:
    """One result for each call of the model, as the chat format demands."""
    results = [tool(_run(work, call.name, call.arguments, i), call.id) for i, call in enumerate(said.calls)]
    return results + [tool("Erreur : les arguments ne sont pas du JSON.", call.id) for call in said.broken]


def _run(work: Work, name: str, arguments: Mapping[str, Any], place: int) -> str:
    if place >= MOST_CALLS:
        return f"Erreur : au plus {MOST_CALLS} appels à la fois."
    if name not in _TOOLS:
        return f"Erreur : outil inconnu. Outils : {', '.join(_TOOLS)}."
    work.spent.tool_calls += 1
    model, function = _TOOLS[name]
    try:
        return function(work, model.model_validate(arguments))
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, e['loc'])) or 'arguments'} : {e['msg']}" for e in error.errors()[:5])
        return f"Erreur : {'; '.join(faults)}"


def _slim(schema: Any) -> Any:
    """A JSON schema without pydantic's titles and class comment, which cost tokens and say nothing."""
    if isinstance(schema, dict):
        slim = {k: _slim(v) for k, v in schema.items() if k not in {"title", "default"}}
        if "properties" in slim:
            slim.pop("description", None)
        options = slim.pop("anyOf", None)
        if options:
            slim |= next(o for o in options if o.get("type") != "null")
        return slim
    return [_slim(item) for item in schema] if isinstance(schema, list) else schema
