// The chat page: shows what the server holds, sends in order, and catches up after every silence.
// Written for ES2018: phones that get no updates any more read this too.

const MAX = 4000;
const COUNT_FROM = 3600;
const SILENCE = 40000; // the server pings every 15 s; longer silence is a dead connection
const WAITING = "chat.waiting";
const RETRY = [2, 4, 8, 15, 30];
const CODE = /[*#][\d*#]+#/g;
const ICONS = {
  phone: "M6.5 3h3l1.5 5-2 1.5a12 12 0 0 0 5.5 5.5l1.5-2 5 1.5v3a2 2 0 0 1-2.2 2A17 17 0 0 1 4.500 5.200 2 2 0 0 1 6.500 3z",
  file: "M12 4v11M7 11l5 5 5-5M5 20h14",
};

const $ = (id) => document.getElementById(id);
const scroller = $("scroll");
const log = $("log");
const field = $("text");
const shown = { last: 0, day: "" };
const link = { source: null, heard: 0, timer: 0, tries: 0, down: 0 };
let outgoing = [];
let pumping = false;
let typingTimer = 0;
let pollTimer = 0;
let unread = 0;

// ---- the server ----

async function call(path, body) {
  const stop = "AbortController" in window ? new AbortController() : null;
  const timer = setTimeout(() => stop && stop.abort(), 20000);
  const options = { credentials: "same-origin", cache: "no-store", signal: stop ? stop.signal : undefined };
  if (body !== undefined) {
    options.method = "POST";
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  try {
    const answer = await fetch("/api/chat/" + path, options);
    const data = await answer.json().catch(() => ({}));
    return { status: answer.status, data, wait: Number(answer.headers.get("Retry-After")) || 0 };
  } catch (error) {
    return { status: 0, data: {}, wait: 0 };
  } finally {
    clearTimeout(timer);
  }
}

async function open() {
  let answer = await call("history");
  if (answer.status === 401) {
    answer = await call("start", {});
    if (answer.status === 201) answer = await call("history");
    if (answer.status === 401) return hint("Cette page a besoin d'un cookie pour retrouver votre conversation. Autorisez les cookies, puis rechargez.");
  }
  if (answer.status !== 200) return again(open, answer);
  fill(answer.data);
  listen();
  pump();
}

function again(task, answer) {
  offline(answer && answer.data.message);
  clearTimeout(link.timer);
  const seconds = (answer && answer.wait) || RETRY[Math.min(link.tries, RETRY.length - 1)];
  link.tries += 1;
  link.timer = setTimeout(task, seconds * 1000);
}

function listen() {
  if (link.source) link.source.close();
  clearTimeout(link.timer);
  link.heard = Date.now();
  const source = new EventSource("/api/chat/events?after=" + shown.last);
  link.source = source;
  source.onopen = online;
  source.onmessage = (event) => {
    online();
    receive(JSON.parse(event.data));
  };
  source.addEventListener("typing", () => {
    online();
    typing(true);
  });
  source.addEventListener("ping", online);
  source.onerror = () => {
    if (link.source !== source) return;
    if (!link.down) link.down = setTimeout(() => offline(), 3000);
    // A refusal ends the stream for good; a cut one comes back by itself.
    if (source.readyState === 2) again(resume);
  };
}

async function resume() {
  const answer = await call("history?after=" + shown.last);
  if (answer.status === 401) return open();
  if (answer.status !== 200) return again(resume, answer);
  answer.data.messages.forEach(receive);
  if (!link.source || link.source.readyState === 2 || Date.now() - link.heard > SILENCE) listen();
}

function online() {
  link.heard = Date.now();
  link.tries = 0;
  clearTimeout(link.down);
  link.down = 0;
  $("dot").classList.add("on");
  $("network").hidden = true;
}

function offline(message) {
  $("dot").classList.remove("on");
  const cut = navigator.onLine === false;
  $("network").textContent =
    message || (cut ? "Vous êtes hors connexion. Vos messages partiront dès le retour du réseau." : "Connexion perdue. Nouvel essai en cours.");
  $("network").hidden = false;
}

// ---- what is said ----

function fill(data) {
  // A page that is filled anew is not read out line by line.
  log.setAttribute("aria-live", "off");
  log.textContent = "";
  shown.day = "";
  const talk = data.messages;
  talk.forEach((line) => add(line, false));
  shown.last = data.last;
  const answered = talk.length ? talk[talk.length - 1].at : 0;
  outgoing = stored().filter((entry) => entry.state !== "sent" || entry.at > answered);
  outgoing.forEach(draw);
  welcome();
  bottom();
  setTimeout(() => log.setAttribute("aria-live", "polite"), 500);
  if (outgoing.some((entry) => entry.state === "sent")) expect();
}

function receive(line) {
  if (line.id <= shown.last) return;
  shown.last = line.id;
  typing(false);
  measure();
  clearTimeout(pollTimer);
  outgoing = outgoing.filter((entry) => entry.state !== "sent");
  store();
  const near = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 160;
  Array.from(log.querySelectorAll(".choices")).forEach((group) => group.classList.add("old"));
  const item = add(line, true);
  welcome();
  if (!near) $("down").hidden = false;
  // A long answer is read from its beginning.
  else if (item.offsetHeight > scroller.clientHeight * 0.8) scroller.scrollTop = item.offsetTop - 12;
  else bottom();
  if (document.hidden) {
    unread += 1;
    document.title = "(" + unread + ") Assistant Airtel Niger";
  }
}

function add(line, fresh) {
  const mine = line.from === "you";
  separate(line.at);
  const item = make("div", "msg " + (mine ? "you" : "bot") + (fresh ? " new" : ""));
  const bubble = make("div", "bubble", item);
  make("span", "sr", bubble).textContent = mine ? "Vous : " : "Assistant : ";
  if (line.text) write(make("span", "", bubble), line.text);
  if (line.file) attach(bubble, line.file);
  make("time", "meta", bubble).textContent = clock(line.at);
  if (line.choices) offer(item, line.choices);
  log.appendChild(item);
  return item;
}

function write(into, text) {
  let at = 0;
  text.replace(CODE, (code, place) => {
    into.appendChild(document.createTextNode(text.slice(at, place)));
    at = place + code.length;
    const chip = make("code", "code", into);
    chip.textContent = code;
    chip.tabIndex = 0;
    chip.setAttribute("role", "button");
    chip.setAttribute("aria-label", "Copier le code " + code);
    const dial = make("a", "dial", into);
    dial.href = "tel:" + encodeURIComponent(code).replace(/%2A/g, "*");
    dial.setAttribute("aria-label", "Composer " + code);
    dial.appendChild(icon("phone"));
    return code;
  });
  into.appendChild(document.createTextNode(text.slice(at)));
}

function attach(into, file) {
  const anchor = make("a", "file", into);
  anchor.href = file.url;
  anchor.setAttribute("download", file.name);
  anchor.appendChild(icon("file"));
  const words = make("span", "", anchor);
  make("strong", "", words).textContent = file.name;
  make("small", "", words).textContent = size(file.bytes);
}

function offer(item, choices) {
  const group = make("div", "choices", item);
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", "Réponses proposées");
  choices.forEach((choice, index) => {
    const button = make("button", "", group);
    button.type = "button";
    if (index < 9) make("kbd", "", button).textContent = index + 1;
    make("span", "", button).textContent = choice.label;
    button.onclick = () => {
      button.classList.add("taken");
      submit(choice.label, choice.id);
    };
  });
}

function separate(at) {
  const date = new Date(at * 1000);
  const day = date.toDateString();
  if (day === shown.day) return;
  shown.day = day;
  const age = Math.round((new Date().setHours(12, 0, 0, 0) - date.setHours(12, 0, 0, 0)) / 86400000);
  const words = date.toLocaleDateString("fr-FR", { weekday: "long", day: "numeric", month: "long" });
  const mark = make("p", "day", log);
  mark.textContent = age === 0 ? "Aujourd'hui" : age === 1 ? "Hier" : words;
}

// ---- what is sent ----

function submit(text, choice) {
  const entry = { id: newId(), text, choice, at: Date.now() / 1000, state: "waiting", tries: 0 };
  outgoing.push(entry);
  store();
  draw(entry, true);
  welcome();
  bottom();
  pump();
}

function draw(entry, fresh) {
  entry.item = add({ from: "you", text: entry.text, at: entry.at }, fresh);
  mark(entry);
}

function mark(entry, message) {
  const old = entry.item.querySelector(".state");
  if (old) old.remove();
  if (entry.state === "sent") return;
  const line = make("p", "state", entry.item);
  const words = entry.state === "failed" ? "Message non envoyé." : "Envoi…";
  make("span", "", line).textContent = message || words;
  if (entry.state === "waiting" && !message) return line.setAttribute("aria-hidden", "true");
  const button = make("button", "", line);
  button.type = "button";
  button.textContent = "Réessayer";
  button.onclick = () => retry(entry);
}

function retry(entry) {
  entry.state = "waiting";
  entry.tries = 0;
  entry.due = 0;
  mark(entry);
  field.focus();
  pump();
}

// One message after the other: they arrive in the order in which they were written.
async function pump() {
  if (pumping) return;
  pumping = true;
  for (;;) {
    const entry = outgoing.find((one) => one.state === "waiting");
    if (!entry) break;
    const pause = (entry.due || 0) - Date.now();
    if (pause > 0) {
      setTimeout(pump, pause);
      break;
    }
    await deliver(entry);
    store();
  }
  pumping = false;
}

async function deliver(entry) {
  const body = { id: entry.id, text: entry.text };
  if (entry.choice) body.choice = entry.choice;
  let answer = await call("messages", body);
  if (answer.status === 401 && (await call("start", {})).status === 201) {
    shown.last = 0;
    listen();
    answer = await call("messages", body);
  }
  // Without its time the page was left, or the line cut, in the middle of the answer: ask again, it counts once.
  if (answer.status === 202 && answer.data.at) {
    entry.state = "sent";
    entry.at = answer.data.at; // the server's clock: answers are compared with it after a reload
    mark(entry);
    if (Date.now() - link.heard > SILENCE) resume();
    return expect();
  }
  // Refused as too fast: surely not stored, and this number stays refused.
  if (answer.status === 429) entry.id = newId();
  const passing = [0, 202, 408, 429].includes(answer.status) || answer.status >= 500;
  entry.tries += 1;
  if (!passing || entry.tries > 8) {
    entry.state = "failed";
    return mark(entry, answer.data.message);
  }
  const seconds = Math.max(answer.wait, RETRY[Math.min(entry.tries - 1, RETRY.length - 1)]);
  entry.due = Date.now() + seconds * 1000;
  mark(entry, answer.data.message || "Pas de réseau, en attente.");
}

// The dots, and a look at the record in case some proxy on the way holds the events back.
function expect() {
  typing(true);
  clearTimeout(pollTimer);
  let pause = 6000;
  const look = async () => {
    await resume();
    if (!outgoing.some((entry) => entry.state === "sent")) return;
    pause = Math.min(pause * 1.6, 60000);
    pollTimer = setTimeout(look, pause);
  };
  pollTimer = setTimeout(look, pause);
}

function stored() {
  try {
    return JSON.parse(sessionStorage.getItem(WAITING)) || [];
  } catch (error) {
    return outgoing;
  }
}

function store() {
  const plain = outgoing.map((entry) => ({ id: entry.id, text: entry.text, choice: entry.choice, at: entry.at, state: entry.state, tries: 0 }));
  try {
    sessionStorage.setItem(WAITING, JSON.stringify(plain));
  } catch (error) {
    // Storage is off: what waits lives as long as the page.
  }
}

// ---- the page ----

function typing(on) {
  clearTimeout(typingTimer);
  $("typing").hidden = !on;
  if (!on) return;
  if (scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 160) bottom();
  typingTimer = setTimeout(() => {
    typing(false);
    hint("La réponse tarde. Elle s'affichera ici dès qu'elle sera prête.");
  }, 45000);
}

function welcome() {
  $("welcome").hidden = log.querySelector(".msg") !== null;
}

function bottom() {
  scroller.scrollTop = scroller.scrollHeight;
  $("down").hidden = true;
}

function hint(message) {
  $("hint").textContent = message || "";
  $("hint").hidden = !message;
}

function measure() {
  field.style.height = "auto";
  field.style.height = field.scrollHeight + "px";
  field.style.overflowY = field.scrollHeight > 156 ? "auto" : "hidden";
  const length = field.value.length < COUNT_FROM ? field.value.length : Array.from(field.value.trim()).length;
  const over = length > MAX;
  if (over) hint("Message trop long : " + number(length) + " caractères, " + number(MAX) + " au plus. Raccourcissez-le.");
  else hint(length >= COUNT_FROM ? "Encore " + number(MAX - length) + " caractères." : "");
  $("send").setAttribute("aria-disabled", String(over || !field.value.trim()));
  return !over;
}

function say() {
  const text = field.value.trim();
  if (!measure() || !text) return field.focus();
  field.value = "";
  measure();
  submit(text);
}

async function copy(chip) {
  const code = chip.textContent;
  try {
    await navigator.clipboard.writeText(code);
  } catch (error) {
    const range = document.createRange();
    range.selectNodeContents(chip);
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    if (!document.execCommand("copy")) return;
    selection.removeAllRanges();
  }
  chip.classList.add("done");
  setTimeout(() => chip.classList.remove("done"), 1800);
  $("said").textContent = "Code " + code + " copié.";
}

function ask(on) {
  $("confirm").hidden = !on;
  (on ? $("yes") : $("fresh")).focus();
}

async function renew() {
  ask(false);
  const answer = await call("start", {});
  if (answer.status !== 201) return hint(answer.data.message || "Pas de réseau : impossible de recommencer pour l'instant.");
  shown.last = 0;
  outgoing = [];
  store();
  typing(false);
  clearTimeout(pollTimer);
  hint("");
  fill({ messages: [], last: 0 });
  listen();
  field.focus();
  try {
    localStorage.setItem("chat.renewed", newId()); // other tabs of this browser share the cookie
  } catch (error) {
    // Storage is off: another tab finds out when it is reloaded.
  }
}

function make(tag, name, parent) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (parent) parent.appendChild(element);
  return element;
}

function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", ICONS[name]);
  svg.appendChild(path);
  return svg;
}

function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => ("0" + byte.toString(16)).slice(-2)).join("");
}

const number = (value) => value.toLocaleString("fr-FR");
const clock = (at) => new Date(at * 1000).toLocaleTimeString("fr-FR", { hour: "2-digit", minute: "2-digit" });
const size = (bytes) => (bytes < 1024 ? bytes + " octets" : number(Math.round(bytes / 1024)) + " Ko");

$("form").onsubmit = (event) => {
  event.preventDefault();
  say();
};
field.oninput = measure;
field.onkeydown = (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  say();
};
Array.from($("ideas").children).forEach((button) => {
  button.onclick = () => {
    submit(button.textContent);
    if (!matchMedia("(pointer: coarse)").matches) field.focus();
  };
});
log.onclick = (event) => {
  const chip = event.target.closest(".code");
  if (chip) copy(chip);
};
log.onkeydown = (event) => {
  if (!event.target.classList.contains("code") || (event.key !== "Enter" && event.key !== " ")) return;
  event.preventDefault();
  copy(event.target);
};
$("down").onclick = bottom;
scroller.onscroll = () => {
  if (scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 40) $("down").hidden = true;
};
$("fresh").onclick = () => (log.querySelector(".msg") ? ask(true) : field.focus());
$("no").onclick = () => ask(false);
$("yes").onclick = renew;
$("confirm").onkeydown = (event) => {
  if (event.key === "Escape") ask(false);
};
addEventListener("online", () => {
  outgoing.forEach((entry) => (entry.due = 0));
  pump();
  resume();
});
addEventListener("offline", () => offline());
addEventListener("storage", (event) => event.key === "chat.renewed" && location.reload());
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unread = 0;
  document.title = "Assistant Airtel Niger";
  if (shown.last || link.source) resume();
});
setInterval(() => {
  if (link.source && !document.hidden && Date.now() - link.heard > SILENCE) resume();
}, 10000);

document.documentElement.classList.add("ready");
measure();
if (matchMedia("(min-width: 700px)").matches) field.focus();
open();
