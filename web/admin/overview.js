// The overview: the figures of this moment, and the charts of a day or a week.

import { get } from "/admin/api.js";
import { chart, clear, shares } from "/admin/charts.js";
import { CHANNELS, LANGUAGES, ORIGINS, bytes, h, milliseconds, named, number, percent, span, title } from "/admin/dom.js";

const STAGES = { queue: "attente", retrieval: "recherche", model: "modèle", turn: "réponse entière", send: "envoi" };
const CHARTS_SECONDS = 60;

export async function overview(place, live) {
  const figures = h("section", { class: "tiles", "aria-label": "Chiffres du moment" });
  const stages = h("section", { "aria-label": "Temps par étape" });
  const charts = h("section", { class: "charts", "aria-label": "Courbes" });
  let hours = 24;
  let drawnAt = 0;
  const periods = [24, 168].map((value) =>
    h("button", { type: "button", "aria-pressed": String(value === hours), click: () => choose(value) }, value === 24 ? "24 heures" : "7 jours"),
  );
  place.replaceChildren(title("Aperçu", h("div", { class: "switch", role: "group", "aria-label": "Période des courbes" }, periods)), figures, charts, stages);

  async function choose(value) {
    hours = value;
    periods.forEach((button, at) => button.setAttribute("aria-pressed", String([24, 168][at] === value)));
    await load();
  }

  async function load() {
    drawnAt = Date.now();
    const data = await get(`charts?hours=${hours}`);
    if (!place.contains(charts)) return;
    clear();
    const times = (values) => values.map((value) => (value ? value : null));
    charts.replaceChildren(
      chart(`Réponses (${number(data.turns.reduce((one, other) => one + other, 0))})`, data.slots, [{ label: "réponses", values: data.turns, colour: "--red", bars: true }]),
      chart(
        "Temps de réponse",
        data.slots,
        [
          { label: "médiane", values: times(data.median_ms), colour: "--red" },
          { label: "95 % sous", values: times(data.p95_ms), colour: "--blue" },
        ],
        milliseconds,
      ),
      shares("Questions les plus posées", Object.fromEntries(data.questions), undefined, true),
      shares("Sujets", data.topics),
      shares("Langues", data.languages),
      shares("Canaux", data.channels, (key) => named(CHANNELS, key)),
      shares(`Origine des réponses (${number(data.unanswered)} sans réponse trouvée)`, data.origins, (key) => named(ORIGINS, key)),
    );
  }

  function show(data) {
    figures.replaceChildren(...tiles(data));
    stages.replaceChildren(stageTable(data.performance.response_times));
    if (Date.now() - drawnAt > CHARTS_SECONDS * 1000) load().catch(() => {});
  }

  if (live) show(live);
  return { show };
}

function tile(name, value, note, state) {
  return h("div", { class: `card tile ${state || ""}` }, h("p", { class: "label" }, name), h("p", { class: "value" }, value), h("p", { class: "note" }, note));
}

function tiles({ sessions, performance, figures }) {
  const { cache_stats: cache, model, response_times: times } = performance;
  const waiting = figures.inbox_depth + figures.outbox_depth;
  const oldest = Math.max(figures.inbox_oldest, figures.outbox_oldest);
  const opinions = figures.useful + figures.not_useful;
  const modelState = !model.enabled ? "absent" : model.breaker_open ? "coupé" : "actif";
  return [
    tile("Sessions actives", number(sessions.active_sessions), `${number(sessions.total_sessions)} en tout, ${number(sessions.expired_sessions)} expirées, ${number(sessions.average_session_duration_minutes, 1)} min en moyenne`),
    tile("Réponses", number(figures.total_turns), `${number(figures.running_turns)} en cours, ${number(figures.parked_turns)} mises de côté depuis le démarrage`, figures.parked_turns ? "warn" : ""),
    times.turn.count ? tile("Temps de réponse", milliseconds(times.turn.p50_ms), `95 % sous ${milliseconds(times.turn.p95_ms)}`) : tile("Temps de réponse", "–", "aucune réponse depuis le démarrage"),
    tile("En attente", number(waiting), waiting ? `la plus ancienne depuis ${span(oldest)}` : "rien n'attend", oldest > 60 ? "bad" : oldest > 20 ? "warn" : ""),
    tile("Cache", cache.enabled ? percent(cache.hit_rate) : "éteint", `${number(cache.hits)} trouvées, ${number(cache.misses)} manquées, ${number(cache.entries)} gardées`),
    tile("Modèle", modelState, model.enabled ? `${number(model.calls)} appels, ${number(model.failures)} échecs, ${number(model.prompt_tokens + model.completion_tokens)} jetons${cost(model)}` : "réponses du catalogue", model.breaker_open ? "bad" : ""),
    tile("Mémoire", `${number(sessions.memory_usage_mb)} Mio`, `${number(figures.memory_percent)} % de la limite${figures.memory_limit ? ` de ${bytes(figures.memory_limit)}` : ""}`, figures.memory_percent > 90 ? "bad" : figures.memory_percent > 80 ? "warn" : ""),
    tile("Base de données", bytes(figures.database_bytes), figures.database_writable ? `${bytes(figures.disk_free)} libres` : "écriture impossible", figures.database_writable ? "" : "bad"),
    tile("Avis", opinions ? percent(figures.useful / opinions) : "aucun", `${number(figures.useful)} utiles, ${number(figures.not_useful)} non`),
    tile("Vers un conseiller", number(figures.handoffs), `${number(figures.grounding_blocks)} brouillons refusés, démarré depuis ${span(figures.uptime)}`),
  ];
}

/** What the model cost, where its prices are set. */
function cost({ cost_today: today, cost_per_turn: turn }) {
  if (today === undefined) return "";
  return `, coût ${number(today, 6)} aujourd'hui${turn === undefined ? "" : ` (${number(turn, 6)} par réponse)`}`;
}

function stageTable(times) {
  const rows = Object.entries(STAGES).map(([stage, name]) => {
    const one = times[stage];
    return h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, number(one.count)), h("td", { class: "wide" }, milliseconds(one.mean_ms)), h("td", {}, milliseconds(one.p50_ms)), h("td", {}, milliseconds(one.p95_ms)));
  });
  const head = ["Étape", "fois", "moyenne", "médiane", "95 % sous"].map((name) => h("th", { scope: "col", class: name === "moyenne" && "wide" }, name));
  return h("figure", { class: "card" }, h("figcaption", {}, "Temps par étape depuis le démarrage"), h("div", { class: "table" }, h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows))));
}
