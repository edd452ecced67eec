// Alerts: what fires, what is muted, what was said; and what was set aside, to be sent again.

import { get, post } from "/admin/api.js";
import { CHANNELS, ago, empty, h, moment, named, title, toast } from "/admin/dom.js";

const SPANS = [
  ["60", "1 heure"],
  ["240", "4 heures"],
  ["1440", "1 jour"],
  ["10080", "7 jours"],
];

export async function alerts(place, live) {
  const firing = h("section", { class: "card", "aria-label": "Alertes en cours" });
  const recent = h("section", { class: "card", "aria-label": "Dernières alertes" });
  const letters = h("section", { class: "card", "aria-label": "Messages de côté" });
  const rule = h("select", { id: "rule", name: "rule" });
  const minutes = h("select", { id: "minutes", name: "minutes" }, SPANS.map(([value, name]) => h("option", { value }, name)));
  const mute = h(
    "form",
    { class: "card mute", submit: silence },
    h("h2", {}, "Mettre en silence"),
    h("div", { class: "fields" }, h("p", {}, h("label", { for: "rule" }, "Alerte"), rule), h("p", {}, h("label", { for: "minutes" }, "Pendant"), minutes), h("button", { type: "submit" }, "Silence")),
    h("div", { id: "muted" }),
  );
  place.replaceChildren(title("Alertes"), firing, mute, letters, recent);

  async function silence(event) {
    event.preventDefault();
    await quiet(rule.value, Number(minutes.value));
  }

  async function quiet(name, length) {
    try {
      await post("mutes", { rule: name, minutes: length });
      toast(length ? `${name} : en silence.` : `${name} : de nouveau annoncée.`);
      show(await get("live"));
    } catch (error) {
      toast(error.message, true);
    }
  }

  async function load() {
    const data = await get("letters");
    const lines = data.letters.map((one) =>
      h(
        "li",
        { class: "letter" },
        h("p", {}, h("strong", {}, one.source === "inbox" ? "Message sans réponse" : "Réponse non envoyée"), ` · ${named(CHANNELS, one.channel)} ${one.chat} · ${moment(one.at)}`),
        h("p", { class: "clip" }, one.excerpt || "(sans texte)"),
        h("p", { class: "note" }, one.error),
        h("button", { type: "button", click: () => replay(one) }, "Rejouer"),
      ),
    );
    letters.replaceChildren(h("h2", {}, `Messages de côté (${lines.length})`), lines.length ? h("ul", { class: "lines" }, lines) : empty("Rien n'est de côté."));
  }

  async function replay(one) {
    try {
      await post(`letters/${one.source}/${one.id}/replay`);
      toast("Remis dans la file.");
    } catch (error) {
      toast(error.message, true);
    }
    await load();
  }

  function show({ alerts: state, rules }) {
    firing.replaceChildren(h("h2", {}, "En cours"), state.firing.length ? h("ul", { class: "lines" }, state.firing.map((name) => h("li", { class: "fault" }, name))) : empty("Aucune alerte en cours."));
    if (!rule.options.length) rule.append(...rules.map((name) => h("option", { value: name }, name)));
    const muted = Object.entries(state.mutes).map(([name, until]) => h("li", {}, `${name} jusqu'au ${moment(until)} `, h("button", { type: "button", class: "quiet", click: () => quiet(name, 0) }, "Fin du silence")));
    mute.querySelector("#muted").replaceChildren(muted.length ? h("ul", { class: "lines" }, muted) : "");
    recent.replaceChildren(h("h2", {}, "Dernières alertes"), state.recent.length ? h("ul", { class: "lines" }, state.recent.map((one) => h("li", {}, h("span", { class: "text" }, one.text), h("small", {}, ago(one.at))))) : empty("Aucune alerte depuis le démarrage."));
  }

  if (live) show(live);
  await load();
  return { show };
}
