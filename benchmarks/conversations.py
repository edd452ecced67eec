"""Support talks in French as the agent holds them, for the memory benchmarks. All texts are invented."""

from __future__ import annotations

import random
from collections.abc import Sequence

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

QUESTIONS = (
    "Bonjour, je voudrais savoir combien coûte le forfait internet d'une semaine svp",
    "slt g 500f kel forfé net je peu avoir",
    "Mon crédit a disparu cette nuit alors que je n'ai appelé personne, que s'est-il passé ?",
    "Comment envoyer de l'argent à ma sœur qui est à Zinder et qui n'a pas de compte Airtel Money ?",
    "La connexion est très lente depuis hier soir dans mon quartier à Niamey, il y a une panne ?",
    "Je veux un forfait illimité pour tout le mois, c'est combien ?",
    "ina son 3 giga na sati, nawa ne?",
    "J'ai acheté le pass de 1000 F mais je ne vois pas les mégas, aidez-moi",
    "Est-ce que les minutes de nuit marchent aussi vers les autres réseaux ?",
    "et pour une heure seulement ?",
    "Quels sont les frais de retrait dans un point de vente ?",
    "Je me suis trompé de numéro en envoyant 15 000 F, comment récupérer mon argent ?",
    "À quelle heure le service client est-il ouvert le dimanche ?",
    "Mon téléphone affiche « appels d'urgence uniquement », que dois-je faire ?",
    "Peut-on payer la facture d'électricité depuis le téléphone, et y a-t-il des frais ?",
    "J'ai perdu ma SIM au marché, comment garder mon numéro ?",
    "C'est quoi le bonus du mercredi exactement ?",
    "Je veux parler à quelqu'un, un vrai conseiller",
    "Comment voir combien de mégas il me reste ?",
    "Le plafond de mon compte est de combien par jour ?",
    "Mon fils a 16 ans, peut-il avoir sa propre ligne ?",
    "Merci beaucoup, bonne journée à vous",
)
PASSAGES = (
    "Forfait Internet semaine : 500 FCFA, 300 Mo, valable 7 jours, composer *141*3#. Catégorie internet.",
    "Forfait Internet semaine : 1000 FCFA, 1 Go, valable 7 jours, composer *141*3#. Bonus les jours impairs.",
    "Illimité mensuel : 20000 FCFA, appels illimités vers Airtel, 12 Go, 300 minutes tous réseaux, *141*2#.",
    "Retrait en espèces chez un distributeur : 2,5 % du montant. Un retrait par code est gratuit.",
    "Envoi à une personne sans compte : elle reçoit un code de retrait à présenter chez un distributeur.",
    "Service client : appeler le 121, gratuit, de 8 h à 20 h tous les jours ; support@airtel.ne.",
    "Consulter son solde : composer *121#. Le message indique le crédit, les minutes et les mégaoctets"
    " restants.",
    "Carte SIM : se présenter en boutique avec une pièce d'identité ; l'ancienne carte est désactivée"
    " aussitôt.",
    "Nuit : 1500 FCFA, 10 Go de minuit à 6 h, valable 30 jours, *141*3#.",
    "Une heure : 200 FCFA donnent 500 Mo, 350 FCFA donnent 1 Go, à utiliser dans l'heure, *141*3#.",
    "Factures d'eau et d'électricité : payables à toute heure depuis le porte-monnaie électronique.",
    "Plafonds : compte complet 2 000 000 FCFA par jour ; compte temporaire 200 000 FCFA par jour.",
)
ANSWERS = (
    "Pour une semaine d'internet, vous avez trois possibilités : 300 Mo à 500 F, 1 Go à 1000 F ou 3 Go à"
    " 2000 F."
    " Le plus avantageux est celui à 2000 F.\nPour l'activer, composez :\n*141*3#",
    "Avec 500 F vous pouvez prendre 300 Mo valables sept jours. Composez :\n*141*3#\npuis choisissez la"
    " semaine.",
    "Je comprends votre inquiétude. Une fois le forfait terminé, la connexion peut continuer à se servir"
    " dans le"
    " crédit principal. Vérifiez d'abord votre solde :\n*121#\nSi le compte n'est pas bon, appelez le 121.",
    "Votre sœur n'a pas besoin de compte. Vous envoyez la somme avec un code de retrait ; elle présente"
    " ce code et"
    " sa pièce d'identité chez n'importe quel distributeur. Le retrait par code est gratuit pour elle.",
    "Aucune panne n'est annoncée dans votre quartier pour le moment. Essayez d'éteindre puis de rallumer le"
    " téléphone ; si la lenteur continue, le 121 peut vérifier votre ligne (de 8 h à 20 h).",
    "L'illimité d'un mois coûte 20 000 F : appels illimités entre abonnés, 12 Go et 300 minutes tous"
    " réseaux.",
    "Giga uku na sati yana da farashin dala dari hudu (2000 F). Ku danna:\n*141*3#",
    "Il arrive que l'activation prenne quelques minutes. Consultez d'abord vos mégas restants avec :\n*121#\n"
    "Si rien n'apparaît après un quart d'heure, un conseiller regardera : appelez le 121, c'est gratuit.",
    "Les minutes de nuit ne valent qu'entre abonnés du même réseau, de minuit à six heures du matin.",
    "Pour une heure : 500 Mo à 200 F ou 1 Go à 350 F, à consommer dans l'heure qui suit.",
    "Un retrait en espèces coûte 2,5 % du montant : pour 10 000 F, cela fait 250 F. Le retrait par code"
    " est gratuit.",
    "Agissez vite : appelez tout de suite le 121 avec le numéro de la transaction. Si le destinataire n'a"
    " pas encore"
    " retiré la somme, un conseiller peut demander son retour. Ne donnez jamais votre code secret.",
    "Le service client répond tous les jours, dimanche compris, de 8 h à 20 h.",
    "Retirez puis remettez la carte SIM, et redémarrez. Si le message reste, la carte est peut-être abîmée :"
    " une boutique la remplace contre une pièce d'identité, et vous gardez votre numéro.",
    "Oui, les factures d'eau et d'électricité se paient à toute heure depuis votre compte.",
    "Passez en boutique avec votre pièce d'identité : on vous remet une nouvelle carte avec le même numéro.",
    "Le lundi, le mercredi et le vendredi, un forfait internet acheté est doublé : le bonus vaut 48"
    " heures pour"
    " une semaine et sept jours pour un mois.",
    "Je transmets votre demande à un conseiller. Il vous répondra ici même, d'ordinaire entre 8 h et 20 h.",
    "Composez :\n*121#\nLe message indique votre crédit, vos minutes et vos mégaoctets restants.",
    "Un compte complet permet 2 000 000 F par jour, un compte temporaire 200 000 F par jour et par mois.",
    "Une pièce d'identité est demandée à l'achat d'une carte ; un parent peut la prendre à son nom.",
    "Avec plaisir ! N'hésitez pas à revenir si vous avez une autre question. Bonne journée.",
)


def turn(rng: random.Random, number: int, *, chat: str = "1", share: slice = slice(None)) -> list[AnyMessage]:
    """One turn with a tool call, carrying the provider metadata that ChatOpenAI leaves on its messages.

    `share` takes a part of the texts, so that what trains a dictionary is not what measures it.
    """
    question = rng.choice(QUESTIONS[share])
    passages = "\n".join(rng.sample(PASSAGES[share], 3))
    call_id = f"call_{rng.getrandbits(96):024x}"
    call = {"name": "search_offers", "args": {"words": question[:60]}, "id": call_id}
    detail = rng.choice(
        (
            "",
            f" (environ {rng.randrange(50, 20000, 50)} F)",
            f" Merci d'avoir attendu {rng.randrange(2, 59)} min.",
        )
    )
    return [
        HumanMessage(question, id=f"telegram:bot:{chat}:{number}"),
        _answer(rng, "", [call]),
        ToolMessage(
            passages, tool_call_id=call_id, name="search_offers", id=f"tool-{rng.getrandbits(64):016x}"
        ),
        _answer(rng, rng.choice(ANSWERS[share]) + detail, []),
    ]


def conversation(seed: int, turns: int, *, share: slice = slice(None)) -> list[AnyMessage]:
    """A whole talk."""
    rng = random.Random(seed)
    return [message for number in range(turns) for message in turn(rng, number, chat=str(seed), share=share)]


def _answer(rng: random.Random, text: str, calls: Sequence[object]) -> AIMessage:
    sent, received = rng.randrange(400, 3000), rng.randrange(20, 200)
    finish = "tool_calls" if calls else "stop"
    metadata = {
        "token_usage": {
            "completion_tokens": received,
            "prompt_tokens": sent,
            "total_tokens": sent + received,
            "completion_tokens_details": {
                "accepted_prediction_tokens": 0,
                "audio_tokens": 0,
                "reasoning_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
            "prompt_tokens_details": {"audio_tokens": 0, "cached_tokens": 0},
        },
        "model_provider": "openai",
        "model_name": "gpt-4o-mini-2024-07-18",
        "system_fingerprint": f"fp_{rng.getrandbits(40):010x}",
        "id": f"chatcmpl-{rng.getrandbits(116):029x}",
        "service_tier": "default",
        "finish_reason": finish,
        "logprobs": None,
    }
    usage = {"input_tokens": sent, "output_tokens": received, "total_tokens": sent + received}
    run_id = f"lc_run--{rng.getrandbits(128):032x}-0"
    return AIMessage.model_validate(
        {
            "content": text,
            "tool_calls": list(calls),
            "response_metadata": metadata,
            "usage_metadata": usage,
            "id": run_id,
        }
    )
