// The page of the access log: who looked at whom, when and why, the newest first; for a person, who looked at me.

import "./access_words.js";
import { api } from "./api.js";
import { element, icon, pushButton, text } from "./dom.js";
import { knows, language, onLanguage, setLanguage, t } from "./i18n.js";
import { listenToKeys } from "./keyboard.js";
import { plain } from "./labels.js";
import { me, showNav } from "./nav.js";
import { Preferences } from "./prefs.js";
import { count } from "./sizes.js";
import { Theme } from "./theme.js";

const DAYS = 7; // that are asked for at first
const PAGE = 100;
const TYPING_MS = 250;
const MANY = 3; // entries of the same that are one row
const AT_ONCE_MS = 60_000; // between two of them at most
const KINDS = ["track", "nearby", "follow", "trail", "photo", "voice_note", "original", "decision", "export", "export_file", "removal", "roll_call", "command", "attendance", "grant", "change", "login", "login_refused", "account_change"];
const SORTS = { track: "history", nearby: "history", photo: "history", voice_note: "history", original: "copy", export: "copy", export_file: "copy", removal: "copy", login_refused: "refused" };

const $ = (id) => document.getElementById(id);
const prefs = new Preferences();
const theme = new Theme(prefs);
const known = new Map(); // unit -> name
let who = null;
let zone;
let view = "all"; // all | me | mine
let entries = [];
let next = null;
let round = 0;
let typing = 0;

// -- what is asked for

/** A day of the city's calendar, as its fields name it. */
function dayOf(ms) {
  const options = { year: "numeric", month: "2-digit", day: "2-digit" };
  return new Intl.DateTimeFormat("sv-SE", zone ? { ...options, timeZone: zone } : options).format(new Date(ms));
}

function initial() {
  const now = Date.now();
  $("to").value = dayOf(now);
  $("from").value = dayOf(now - (DAYS - 1) * 86_400_000);
  for (const name of ["unit", "who", "what"]) $(name).value = "";
}

/** The id of whom the field names: an id, or a name that only one has; null if nobody is called so. */
function unitAsked() {
  const given = $("unit").value.trim();
  if (!given || known.has(given)) return given;
  const [, id] = /\((\S+)\)$/.exec(given) ?? [];
  if (id && known.has(id)) return id;
  const named = [...known].filter(([, name]) => name === given);
  if (named.length === 1) return named[0][0];
  return known.size ? null : given;
}

function question() {
  const unit = view === "me" ? who?.unit ?? "" : unitAsked();
  const asked = { unit, who: view === "mine" ? who?.name ?? "" : $("who").value.trim().toLowerCase(), what: $("what").value };
  // Without an offset these are the city's days, whole ones.
  return { ...asked, from: `${$("from").value}T00:00:00`, to: `${$("to").value}T23:59:59.999` };
}

async function ask() {
  clearTimeout(typing);
  const asked = question();
  const mine = (round += 1);
  const nobody = asked.unit === null;
  $("unit").setAttribute("aria-invalid", String(nobody));
  trouble(nobody ? t("unknown_unit", { name: plain($("unit").value.trim(), 40) }) : "");
  if (nobody || !$("from").value || !$("to").value) return;
  $("table").href = api.accessTable(asked);
  try {
    const told = await api.accessLog({ ...asked, limit: PAGE });
    if (mine !== round) return;
    [entries, next] = [told.entries, told.next];
    trouble(told.unreadable.length ? t("unreadable", { days: told.unreadable.join(t("comma")) }) : "");
  } catch (error) {
    if (mine !== round) return;
    trouble(t("retrying", { text: error.message }));
  }
  paint();
}

async function askMore() {
  if (next === null || $("more").disabled) return;
  const mine = round;
  $("more").disabled = true;
  try {
    const told = await api.accessLog({ ...question(), limit: PAGE, after: next });
    if (mine !== round) return;
    entries = [...entries, ...told.entries];
    next = told.next;
    paint();
    document.querySelector(`[data-entry~="${CSS.escape(told.entries[0]?.id ?? "")}"]`)?.focus();
  } catch (error) {
    if (mine === round) trouble(t("retrying", { text: error.message }));
  } finally {
    $("more").disabled = false;
  }
}

function soon() {
  clearTimeout(typing);
  typing = setTimeout(ask, TYPING_MS);
}

function trouble(words) {
  $("trouble").hidden = !words;
  text($("trouble"), words);
}

// -- what is shown

function paint() {
  $("main").dataset.state = "ready";
  const nodes = [];
  let day = "";
  for (const run of runs(entries)) {
    const its = dayOf(run[0].time);
    if (its !== day) nodes.push(element("li", "day-name", dayWords((day = its))));
    const row = element("li");
    row.append(run.length < MANY ? look(run[0]) : group(run));
    nodes.push(row, ...(run.length < MANY ? run.slice(1).map(alone) : []));
  }
  $("entries").replaceChildren(...nodes);
  text($("log-title"), t(view === "me" ? "access_own" : "access_city"));
  const number = t(entries.length === 1 ? "count_one" : "count", { n: count(entries.length) });
  text($("count"), next === null ? (entries.length ? number : "") : t("count_more", { n: count(entries.length) }));
  $("none").hidden = entries.length > 0;
  text($("none"), t(view === "me" ? "none_me" : narrowed() ? "none_found" : "none"));
  $("more").hidden = next === null;
  // Accounts that are seen here can be picked in the field.
  const accounts = [...new Set(entries.map((entry) => entry.who).filter(Boolean))].sort();
  $("accounts").replaceChildren(...accounts.map((name) => new Option("", name)));
}

/** Whether it is asked for a person, an account or a kind. */
function narrowed() {
  return ["unit", "who", "what"].some((name) => $(name).value.trim());
}

function dayWords(day) {
  if (day === dayOf(Date.now())) return `${t("today")} · ${day}`;
  if (day === dayOf(Date.now() - 86_400_000)) return `${t("yesterday")} · ${day}`;
  return day;
}

function clock(ms, long = false) {
  const options = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", ...(zone && { timeZone: zone }) };
  const time = new Intl.DateTimeFormat("sv-SE", options).format(new Date(ms));
  return long ? `${dayOf(ms)} ${time}` : time;
}

function whatWords(what) {
  return knows(`what_${what}`) ? t(`what_${what}`) : what;
}

/** What one account did to many at once, such as opening the rota, is one row that unfolds. */
function runs(all) {
  const found = [];
  let key = "";
  for (const entry of all) {
    const its = JSON.stringify([entry.who, entry.what, entry.reason, entry.about, dayOf(entry.time)]);
    const last = found.at(-1);
    if (last && entry.unit && its === key && last.at(-1).time - entry.time < AT_ONCE_MS && last.every((one) => one.unit !== entry.unit)) last.push(entry);
    else found.push([entry]);
    key = entry.unit ? its : "";
  }
  return found;
}

function alone(entry) {
  const row = element("li");
  row.append(look(entry));
  return row;
}

function group(run) {
  const box = element("details", "group");
  const row = line(run[0]);
  row.dataset.entry = run.map((entry) => entry.id).join(" ");
  const unit = element("span", "look-unit cut");
  unit.append(element("b", "", t("many_units", { n: run.length })), element("span", "", run.map((entry) => plain(entry.name || entry.unit, 20)).join(t("comma"))));
  row.querySelector(".look-unit").replaceWith(unit);
  if (!run[0].reason) row.querySelector(".look-reason").remove(); // its place is for names
  const list = element("ol");
  box.append(row, list);
  box.addEventListener("toggle", () => box.open && !list.children.length && list.append(...run.map(alone)));
  return box;
}

function look(entry) {
  const box = element("details");
  const row = line(entry);
  row.dataset.entry = entry.id;
  box.append(row);
  box.addEventListener("toggle", () => box.open && box.children.length === 1 && box.append(detail(entry)));
  return box;
}

function line(entry) {
  const row = element("summary", "look");
  const time = element("time", "", clock(entry.time));
  time.dateTime = new Date(entry.time).toISOString();
  const what = element("span", "what cut", whatWords(entry.what));
  what.dataset.sort = SORTS[entry.what] ?? "";
  const by = element("span", "look-who cut");
  if (entry.who) by.append(element("b", "", plain(entry.who, 64)), element("span", "", knows(`role_${entry.role}`) ? t(`role_${entry.role}`) : ""));
  else by.append(element("span", "faint", t("who_nobody")));
  const unit = element("span", "look-unit cut");
  if (entry.removed) unit.append(element("span", "faint", t("unit_removed")));
  else if (!entry.unit) unit.append(element("span", "faint", plain(String(entry.about.account ?? ""), 64) || t("unit_nobody")));
  else if (entry.name) unit.append(element("b", "", plain(entry.name, 60)), element("span", "", entry.unit));
  else unit.append(element("b", "", entry.unit));
  const reason = element("span", "look-reason cut", plain(entry.reason, 200));
  row.append(time, what, by, unit, reason, icon("down"));
  return row;
}

function detail(entry) {
  const node = element("div", "detail");
  const list = element("dl");
  const say = (name, words) => words && list.append(element("dt", "", t(name)), element("dd", "", words));
  const { start, end, ...rest } = entry.about;
  if (entry.reason) say("detail_reason", plain(entry.reason, 500));
  if (start !== undefined && end !== undefined) say("detail_span", t("span_of", { from: clock(start, true), to: clock(end, true) }));
  say("detail_account", entry.who ? [plain(entry.who, 64), knows(`role_${entry.role}`) ? t(`role_${entry.role}`) : ""].filter(Boolean).join(" · ") : "");
  say("detail_address", entry.address ?? "");
  say("detail_about", Object.entries(rest).map(([name, value]) => `${name}: ${plain(String(value), 200)}`).join(t("comma")));
  say("detail_entry", entry.id);
  node.append(list);
  const acts = element("div", "detail-acts");
  if (view === "all" && entry.who) acts.append(pushButton("button quiet", t("only_who"), () => only("who", entry.who)));
  if (view === "all" && entry.unit) acts.append(pushButton("button quiet", t("only_unit"), () => only("unit", entry.unit)));
  if (acts.children.length) node.append(acts);
  return node;
}

function only(field, value) {
  $(field).value = field === "unit" ? unitWords(value) : value;
  $(field).focus();
  ask();
}

function unitWords(id) {
  return known.has(id) ? `${known.get(id)} (${id})` : id;
}

// -- the page

function rows() {
  return [...document.querySelectorAll(".look")].filter((row) => row.checkVisibility());
}

function move(by) {
  const all = rows();
  const at = all.indexOf(document.activeElement?.closest("details")?.querySelector(".look"));
  const to = at < 0 ? (by > 0 ? 0 : all.length - 1) : at + by;
  if (to >= all.length && next !== null) askMore();
  else all[Math.max(0, Math.min(to, all.length - 1))]?.focus();
}

function setView(name) {
  view = name;
  $("field-unit").hidden = view === "me" || !broad();
  $("field-who").hidden = view === "mine" || !broad();
  views();
  ask();
}

/** Whether this account reads of others than itself. */
function broad() {
  return who !== null && who.rights.access_log !== "own";
}

function views() {
  const names = [...(broad() ? ["all"] : []), ...(who?.unit ? ["me"] : []), "mine"];
  $("views").hidden = who === null || names.length < 2;
  $("views").replaceChildren(...names.map((name) => {
    const button = pushButton("", t(`view_${name}`), () => setView(name));
    button.dataset.view = name;
    button.setAttribute("aria-pressed", String(name === view));
    return button;
  }));
}

function kinds() {
  const chosen = $("what").value;
  $("what").replaceChildren(new Option(t("all_kinds"), ""), ...KINDS.map((kind) => new Option(whatWords(kind), kind)));
  $("what").value = chosen;
}

function translate() {
  document.title = `${t("access_log")} · Gridbeat`;
  text($("title"), t("access_log"));
  kinds();
  views();
  if ($("main").dataset.state === "ready") paint();
}

/** A question that a link brought along: #unit=p17, #who=wang. */
function fromLink() {
  const asked = new URLSearchParams(location.hash.slice(1));
  if (asked.get("unit")) $("unit").value = unitWords(asked.get("unit"));
  if (asked.get("who")) $("who").value = asked.get("who");
  return asked.has("unit") || asked.has("who");
}

async function begin() {
  try {
    who = await me();
    zone = (await api.accessLog({ limit: 1 })).zone; // the days of the fields are the city's
  } catch (error) {
    trouble(t("retrying", { text: error.message }));
    return;
  }
  initial();
  if (broad()) {
    const told = await api.units().catch(() => ({ units: [] }));
    for (const unit of told.units) known.set(unit.id, unit.name);
    $("units").replaceChildren(...[...known].map(([id, name]) => new Option("", `${name} (${id})`)));
  }
  const linked = fromLink();
  setView(broad() ? "all" : linked || !who.unit ? "mine" : "me");
}

const actions = {
  language: () => prefs.set("language", language() === "zh" ? "en" : "zh"),
  theme: () => theme.toggle(),
  search: () => ($("field-unit").hidden ? $("what") : $("unit")).focus(),
  down: () => move(1),
  up: () => move(-1),
  escape: () => (document.activeElement?.matches("input, select") ? document.activeElement.blur() : location.assign("/")),
};
listenToKeys(actions);
document.addEventListener("keydown", (event) => {
  const plainKey = !event.ctrlKey && !event.altKey && !event.metaKey && !event.target.matches("input, select");
  if (plainKey && event.key.toLowerCase() === "n") askMore();
});
$("language").addEventListener("click", actions.language);
$("theme").addEventListener("click", actions.theme);
$("filters").addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
for (const name of ["unit", "who"]) $(name).addEventListener("input", soon);
for (const name of ["what", "from", "to"]) $(name).addEventListener("change", ask);
$("clear").addEventListener("click", () => {
  initial();
  ask();
});
$("more").addEventListener("click", askMore);
prefs.onChange((name, value) => name === "language" && setLanguage(value));
const paintTheme = () => $("theme-icon").setAttribute("href", theme.dark ? "#i-sun" : "#i-moon");
theme.onChange(paintTheme);
onLanguage(translate);

paintTheme();
showNav("access");
setLanguage(prefs.get("language") ?? language());
begin();
