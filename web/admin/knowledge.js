// Questions without a good answer, and the knowledge itself: add, reload.

import { get, post } from "/admin/api.js";
import { LANGUAGES, ago, empty, h, named, number, title, toast } from "/admin/dom.js";

const REASONS = { unanswered: "sans réponse", bad_rating: "jugée inutile" };
const SIZES = { offers: "offres", topics: "sujets", words: "mots du lexique", codes: "codes USSD" };
let forms = 0;

export async function questions(place) {
  const list = h("div", { class: "cards" });
  const file = h("a", { class: "button", href: "/admin/api/questions.csv", download: "" }, "Télécharger le tableau");
  place.replaceChildren(title("Questions", file), h("p", { class: "lead" }, "Ce que l'assistant n'a pas su répondre, ou mal. Une réponse ajoutée ici compte dès la question suivante."), list);

  async function load() {
    const data = await get("questions");
    file.hidden = !data.questions.length;
    list.replaceChildren(...(data.questions.length ? data.questions.map((one) => card(one, load)) : [empty("Aucune question sans réponse. Bravo !")]));
  }
  await load();
  return {};
}

function card(one, reload) {
  const place = h("div", {});
  const open = h("button", { class: "strong", type: "button", "aria-expanded": "false", click: toggle }, "Ajouter une réponse");
  const close = h("button", { class: "quiet", type: "button", click: drop }, "Retirer");
  const item = h(
    "article",
    { class: "card question" },
    h("p", { class: "asked" }, one.text),
    h("p", { class: "note" }, `${number(one.count)} fois · ${named(REASONS, one.reason)} · ${named(LANGUAGES, one.language)} · ${ago(one.last_at)}`),
    h("div", { class: "actions" }, open, close),
    place,
  );

  function toggle() {
    const opening = !place.hasChildNodes();
    open.setAttribute("aria-expanded", String(opening));
    place.replaceChildren(...(opening ? [addition(one.text, one.id, reload)] : []));
    if (opening) place.querySelector("textarea").focus();
  }

  async function drop() {
    try {
      await post(`questions/${one.id}/close`);
      toast("Question retirée.");
      await reload();
    } catch (error) {
      toast(error.message, true);
    }
  }
  return item;
}

/** The form that adds an answer; `done` is called once it counts. */
function addition(question, questionId, done) {
  forms += 1;
  const id = (name) => `${name}-${forms}`;
  const area = (name, label, rows, required) => [
    h("label", { for: id(name) }, label),
    h("textarea", { id: id(name), name, rows, maxlength: "3000", required, lang: name === "answer" ? "fr" : name }),
  ];
  const codes = h("p", { class: "note", role: "status" });
  const send = h("button", { class: "strong", type: "submit" }, "Enregistrer");
  const form = h(
    "form",
    { class: "addition", submit, input: look },
    h("label", { for: id("question") }, "Question, comme on la pose"),
    h("input", { id: id("question"), name: "question", value: question, maxlength: "300", required: true, autocomplete: "off" }),
    ...area("answer", "Réponse en français", "4", true),
    codes,
    h("details", {}, h("summary", {}, "Autres langues et date de fin"), ...area("ha", "Hausa", "2"), ...area("dje", "Zarma", "2"), ...area("en", "Anglais", "2"), h("label", { for: id("valid_to") }, "Valable jusqu'au (facultatif)"), h("input", { id: id("valid_to"), name: "valid_to", type: "date" })),
    h("div", { class: "actions" }, send),
  );

  function look() {
    const found = form.elements.answer.value.match(/[*#][\d*#]+#/g) || [];
    codes.textContent = found.length ? `Codes reconnus : ${found.join(", ")}. Vérifiez-les : ils seront donnés tels quels.` : "";
  }

  async function submit(event) {
    event.preventDefault();
    send.disabled = true;
    const data = Object.fromEntries(new FormData(form));
    if (questionId) data.question_id = questionId;
    try {
      const added = await post("knowledge", data);
      toast(`Ajouté : ${added.id}.`);
      await done();
    } catch (error) {
      toast(error.message, true);
    } finally {
      send.disabled = false;
    }
  }
  return form;
}

export async function knowledge(place, live) {
  const facts = h("section", { class: "card", "aria-label": "Connaissances en service" });
  const reload = h("button", { type: "button", click: again }, "Relire les fichiers");
  const room = h("section", { class: "card" });
  place.replaceChildren(title("Savoirs", reload), facts, room);
  form();

  function form() {
    room.replaceChildren(h("h2", {}, "Ajouter une réponse"), addition("", null, async () => form()));
  }

  async function again() {
    reload.disabled = true;
    try {
      const data = await post("knowledge/reload");
      toast(`Connaissances relues : version ${data.version.slice(0, 12)}.`);
    } catch (error) {
      toast(error.message, true);
    } finally {
      reload.disabled = false;
    }
  }

  function show({ knowledge: state }) {
    facts.replaceChildren(
      h("p", { class: "label" }, "Version en service"),
      h("p", { class: "version" }, state.version),
      h("p", { class: "note" }, Object.entries(state.sizes).map(([name, count]) => `${number(count)} ${named(SIZES, name)}`).join(" · ")),
      state.broken ? h("p", { class: "fault" }, `Des fichiers plus récents ne peuvent pas être utilisés : ${state.broken}`) : "",
    );
  }
  if (live) show(live);
  return { show };
}
