// Conversations: the sessions active last, a search, and a view to read one. Nobody is named.

import { get } from "/admin/api.js";
import { CHANNELS, LANGUAGES, ORIGINS, ago, empty, h, moment, named, number, title, toast } from "/admin/dom.js";

export async function talks(place, live, ref) {
  const list = h("div", { class: "list" });
  const reader = h("section", { class: "reader", "aria-label": "Conversation", tabindex: "0" });
  const field = h("input", { type: "search", id: "words", placeholder: "Chercher un mot", minlength: "2", maxlength: "200", autocomplete: "off" });
  const form = h("form", { class: "find", role: "search", submit: find }, h("label", { class: "sr", for: "words" }, "Chercher dans les conversations"), field, h("button", { type: "submit" }, "Chercher"));
  const panes = h("div", { class: "panes" }, h("div", {}, form, list), reader);
  place.replaceChildren(title("Échanges"), panes);

  async function find(event) {
    event.preventDefault();
    if (!field.value.trim()) return sessions();
    try {
      const { found } = await get(`search?text=${encodeURIComponent(field.value.trim())}`);
      list.replaceChildren(...(found.length ? found.map(hit) : [empty("Aucun échange ne contient ces mots.")]));
    } catch (error) {
      toast(error.message, true);
    }
  }

  async function sessions() {
    const data = await get("sessions");
    list.replaceChildren(...(data.sessions.length ? data.sessions.map(session) : [empty("Aucune session active.")]));
  }

  async function open(name) {
    panes.classList.toggle("reading", Boolean(name));
    list.querySelectorAll("a").forEach((line) => line.toggleAttribute("aria-current", line.hash === `#echanges/${name}`));
    if (!name) return reader.replaceChildren(empty("Choisissez une conversation pour la lire."));
    try {
      reader.replaceChildren(...talk(await get(`talks/${name}`)));
      reader.focus();
      reader.scrollTop = reader.scrollHeight;
    } catch (error) {
      reader.replaceChildren(back(), empty(error.message));
    }
  }

  await sessions();
  await open(ref);
  return { go: open };
}

const who = (one) => `${named(CHANNELS, one.channel)} ${one.chat}`;
const back = () => h("a", { class: "back", href: "#echanges" }, "← Toutes les conversations");

function session(one) {
  return h("a", { class: "row", href: `#echanges/${one.ref}` }, h("strong", {}, who(one)), h("span", {}, `${number(one.messages)} messages, ${named(LANGUAGES, one.language)}`), h("small", {}, ago(one.last_activity)));
}

function hit(one) {
  return h("a", { class: "row", href: `#echanges/${one.ref}` }, h("strong", {}, who(one)), h("span", { class: "clip" }, one.question), h("small", {}, moment(one.at)));
}

function talk(data) {
  const { profile, session: current, exchanges } = data;
  const facts = [
    profile.language && `langue : ${named(LANGUAGES, profile.language)}`,
    profile.first_seen && `connu depuis le ${new Date(profile.first_seen * 1000).toLocaleDateString("fr-FR")}`,
    current && `session ouverte ${ago(current.created_at)}`,
    profile.blocked && "bloqué",
    profile.reachable === false && "injoignable",
    profile.handoff_until > Date.now() / 1000 && "avec un conseiller",
    profile.sealed && "mémoire scellée après un changement d'identité",
  ].filter(Boolean);
  return [
    back(),
    h("header", {}, h("h2", {}, who(data)), h("p", {}, facts.join(" · ") || "profil inconnu")),
    ...(exchanges.length ? exchanges.flatMap(exchange) : [empty("Aucun échange à lire.")]),
  ];
}

function exchange(one) {
  const notes = [named(ORIGINS, one.origin), one.passages.join(", "), !one.answered && "sans réponse trouvée", one.rating === true && "jugé utile", one.rating === false && "jugé inutile"];
  return [
    h("p", { class: "day" }, moment(one.at)),
    h("p", { class: "said" }, h("span", { class: "sr" }, "Abonné : "), one.question),
    h("p", { class: `said bot ${one.answered ? "" : "unanswered"}` }, h("span", { class: "sr" }, "Assistant : "), one.answer, h("small", {}, notes.filter(Boolean).join(" · "))),
  ];
}
