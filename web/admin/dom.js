// Small tools of the page: elements, figures and times in French.

/** An element: attributes by name, handlers as functions, children as nodes or text (never as HTML). */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child != null && child !== false));
  return element;
}

export const number = (value, digits = 0) =>
  Number(value).toLocaleString("fr-FR", { maximumFractionDigits: digits });

export const percent = (share) => `${number(share * 100)} %`;

export function bytes(size) {
  const units = ["octets", "Kio", "Mio", "Gio"];
  let step = 0;
  while (size >= 1024 && step < 3) {
    size /= 1024;
    step += 1;
  }
  return `${number(size, step > 1 ? 1 : 0)} ${units[step]}`;
}

export function span(seconds) {
  if (seconds < 90) return `${number(seconds)} s`;
  if (seconds < 5400) return `${number(seconds / 60)} min`;
  if (seconds < 129600) return `${number(seconds / 3600)} h`;
  return `${number(seconds / 86400)} j`;
}

export const milliseconds = (value) =>
  value >= 1000 ? `${number(value / 1000, 1)} s` : value >= 10 || value === 0 ? `${number(value)} ms` : `${number(value, 1)} ms`;

export const ago = (at) => (at ? `il y a ${span(Math.max(0, Date.now() / 1000 - at))}` : "jamais");

export const moment = (at) =>
  new Date(at * 1000).toLocaleString("fr-FR", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

export const LANGUAGES = { fr: "français", ha: "hausa", dje: "zarma", en: "anglais" };
export const ORIGINS = { canned: "réponse prête", embedded: "catalogue", cache: "cache", model: "modèle" };
export const CHANNELS = { web: "page web", telegram: "Telegram", whatsapp: "WhatsApp" };

export const named = (table, key) => table[key] || key || "?";

let hiding = 0;

/** A short word at the bottom, read out by screen readers. */
export function toast(text, isFault = false) {
  const place = document.getElementById("toast");
  place.textContent = text;
  place.classList.toggle("bad", isFault);
  place.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => (place.hidden = true), isFault ? 9000 : 4500);
}

export function title(text, ...more) {
  return h("div", { class: "title" }, h("h1", {}, text), ...more);
}

export const empty = (text) => h("p", { class: "empty" }, text);
