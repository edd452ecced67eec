// The frame: sign-in, pages by the part of the address behind "#", and a look at the figures every 5 seconds.

import { alerts } from "/admin/alerts.js";
import { ask, get, onSignedOut } from "/admin/api.js";
import { clear } from "/admin/charts.js";
import { empty, toast } from "/admin/dom.js";
import { knowledge, questions } from "/admin/knowledge.js";
import { overview } from "/admin/overview.js";
import { talks } from "/admin/talks.js";

const LOOK_SECONDS = 5;
const PAGES = { apercu: overview, echanges: talks, questions, alertes: alerts, savoirs: knowledge };
const $ = (id) => document.getElementById(id);
const main = $("main");
let live = null;
let shown = { name: "", page: {} };
let visits = 0;

async function start() {
  try {
    const { signed_in: signedIn, sign_in: way } = await ask("GET", "access");
    $("leave").hidden = way === "local";
    if (signedIn) return enter();
    signedOut(way === "local" ? "Aucun jeton n'est défini (HTTP_TOKEN) : cette page ne s'ouvre que depuis la machine du service, sans intermédiaire." : "");
  } catch (error) {
    signedOut(error.message);
  }
}

function signedOut(message = "") {
  $("page").hidden = true;
  $("login").hidden = false;
  refuse(message);
  $("token").focus();
}

function refuse(message) {
  $("refused").textContent = message;
  $("refused").hidden = !message;
}

async function enter() {
  $("login").hidden = true;
  $("page").hidden = false;
  shown = { name: "", page: {} };
  await look();
  await visit();
}

async function look() {
  try {
    live = await get("live");
    $("fresh").textContent = `à jour à ${new Date(live.at * 1000).toLocaleTimeString("fr-FR")}`;
    const troubles = live.alerts.firing.length + live.figures.dead_letters;
    $("badge").textContent = troubles;
    $("badge").hidden = !troubles;
    if (shown.page.show) shown.page.show(live);
  } catch (error) {
    $("fresh").textContent = error.message;
  }
}

async function visit() {
  const [wanted, detail] = location.hash.slice(1).split("/");
  const name = PAGES[wanted] ? wanted : "apercu";
  for (const link of $("nav").children) link.toggleAttribute("aria-current", link.hash === `#${name}`);
  if (name === shown.name && shown.page.go) return shown.page.go(detail);
  visits += 1;
  const visiting = visits;
  clear();
  shown = { name, page: {} };
  const place = document.createElement("div");
  main.replaceChildren(place);
  try {
    const page = await PAGES[name](place, live, detail);
    if (visiting === visits) shown.page = page;
  } catch (error) {
    if (visiting === visits) place.append(empty(error.message));
  }
}

onSignedOut(() => signedOut());
$("enter").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await ask("POST", "login", { token: $("token").value });
    $("token").value = "";
    refuse("");
    await enter();
  } catch (error) {
    refuse(error.message);
  }
});
$("leave").addEventListener("click", async () => {
  try {
    await ask("POST", "logout", {});
    signedOut();
  } catch (error) {
    toast(error.message, true);
  }
});
addEventListener("hashchange", () => {
  visit();
  main.focus();
});
setInterval(() => {
  if (!document.hidden && !$("page").hidden) look();
}, LOOK_SECONDS * 1000);
start();
