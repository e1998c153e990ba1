// The page of people and devices: who there is, what of theirs is known, and what they carry.

import { api } from "./api.js";
import { element, pushButton, text } from "./dom.js";
import { language, onLanguage, setLanguage, t } from "./i18n.js";
import { listenToKeys } from "./keyboard.js";
import { plain } from "./labels.js";
import { me, showNav } from "./nav.js";
import { Preferences } from "./prefs.js";
import { devicesView, strangerRow } from "./roster_devices.js";
import { dutyView } from "./roster_duty.js";
import { field, formSheet, importSheet, select, toast } from "./roster_sheets.js";
import "./roster_words.js";
import { Theme } from "./theme.js";

const REFRESH_MS = 5000;
const ROWS = 300;
const ON = ["ONLINE_FIX", "ONLINE_NO_FIX"];

const $ = (id) => document.getElementById(id);
const prefs = new Preferences();
const theme = new Theme(prefs);
let units = [];
let devices = [];
let strangers = [];
let grids = [];
let rights = {};
let chosen = decodeURIComponent(location.hash.slice(1)) || null;
let first = true;
let painted = ""; // what the open one showed last: nothing is replaced under a finger

async function refresh() {
  try {
    const [people, told] = await Promise.all([api.units(), api.devices()]);
    units = people.units;
    devices = told.devices;
    strangers = told.unknown;
    // Who has oneself alone in the list need not choose.
    if (first && units.length === 1) chosen ??= units[0].id;
    first = false;
    trouble("");
    paint();
  } catch (error) {
    trouble(t("retrying", { text: error.message }));
  }
}

function trouble(words) {
  $("trouble").hidden = !words;
  text($("trouble"), words);
}

// -- the list

function labels(name) {
  return [...new Set(units.map((unit) => unit[name]).filter(Boolean))].sort((a, b) => a.localeCompare(b, "zh"));
}

function fillFilter(id, first, values) {
  const node = $(id);
  const key = `${language()}\n${values.join("\n")}`;
  if (node.dataset.key === key) return;
  node.dataset.key = key;
  const before = node.value;
  node.replaceChildren(new Option(first, ""), ...values.map((value) => new Option(plain(value, 40), value)));
  node.value = values.includes(before) ? before : "";
}

function shown() {
  const words = $("search").value.trim().toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const [team, street, kind] = ["team", "street", "kind"].map((id) => $(id).value);
  return units.filter((unit) => {
    if ((team && unit.team !== team) || (street && unit.street !== street)) return false;
    if (kind === "with" || kind === "without" ? (unit.devices.length > 0) !== (kind === "with") : kind && unit.kind !== kind) return false;
    const line = `${unit.id}\n${unit.name}\n${unit.team}\n${unit.street}\n${unit.grid ?? ""}`.toLocaleLowerCase();
    return words.every((word) => line.includes(word));
  });
}

function paint() {
  fillFilter("team", t("all_teams"), labels("team"));
  fillFilter("street", t("all_streets"), labels("street"));
  if ($("kind").dataset.key !== language()) {
    const before = $("kind").value;
    $("kind").dataset.key = language();
    $("kind").replaceChildren(...[["", "roster_all_kinds"], ["person", "person"], ["vehicle", "vehicle"], ["with", "roster_with"], ["without", "roster_without"]].map(([value, word]) => new Option(t(word), value)));
    $("kind").value = before;
  }
  const found = shown();
  text($("sum"), t(found.length === units.length ? "roster_sum" : "roster_sum_of", { n: found.length, all: units.length }));
  const key = JSON.stringify([language(), chosen, found.slice(0, ROWS).map((unit) => [unit.id, unit.name, unit.team, unit.street, unit.state, unit.devices.length])]);
  if ($("rows").dataset.key !== key) {
    const focused = document.activeElement?.dataset?.unit;
    $("rows").dataset.key = key;
    $("rows").replaceChildren(...found.slice(0, ROWS).map(row));
    if (focused) document.querySelector(`[data-unit="${CSS.escape(focused)}"]`)?.focus();
  }
  $("more").hidden = found.length <= ROWS;
  text($("more"), t("roster_more", { n: found.length - ROWS }));
  paintStrangers();
  paintOne();
}

function row(unit) {
  const item = element("li", "");
  item.setAttribute("role", "presentation");
  const node = pushButton("row", "", () => choose(unit.id));
  node.dataset.unit = unit.id;
  node.setAttribute("role", "option");
  node.setAttribute("aria-selected", String(unit.id === chosen));
  const dot = element("i", "");
  dot.dataset.on = String(ON.includes(unit.state));
  const about = [unit.team, unit.street, unit.id].filter(Boolean).map((word) => plain(word, 40)).join(" · ");
  const count = t(["roster_no_device", "roster_device_one"][unit.devices.length] ?? "roster_devices", { n: unit.devices.length });
  node.append(dot, element("b", "", plain(unit.name, 60)), element("span", "", about), element("small", "", count));
  item.append(node);
  return item;
}

function paintStrangers() {
  const nobodys = devices.filter((device) => device.unit === null);
  const mine = rights.devices_change ? strangers : [];
  $("strangers").hidden = mine.length === 0;
  const key = JSON.stringify([language(), chosen, mine, nobodys.length]);
  if ($("stranger-rows").dataset.key === key) return;
  $("stranger-rows").dataset.key = key;
  const unit = units.find((one) => one.id === chosen);
  $("stranger-rows").replaceChildren(...mine.slice(0, 50).map((one) => strangerRow(one, unit, context)));
}

// -- one of them

function choose(id) {
  chosen = id;
  painted = "";
  history.replaceState(null, "", id === null ? location.pathname : `#${encodeURIComponent(id)}`);
  paint();
  if (id !== null && matchMedia("(max-width: 860px)").matches) scrollTo(0, 0);
}

function paintOne() {
  const unit = units.find((one) => one.id === chosen);
  $("one").hidden = !unit;
  $("pick").hidden = Boolean(unit) || units.length === 0;
  text($("pick"), t(rights.enrol ? "roster_pick" : "roster_pick_read"));
  document.querySelector("main").dataset.open = String(Boolean(unit));
  if (!unit) return;
  const carried = devices.filter((device) => device.unit === unit.id);
  const nobodys = devices.filter((device) => device.unit === null);
  const key = JSON.stringify([language(), rights, unit.id, unit.name, unit.kind, unit.team, unit.street, unit.grid, unit.duty, carried, nobodys, grids.length]);
  if (key === painted || ($("one").contains(document.activeElement) && document.activeElement.matches("input, select") && painted)) return;
  painted = key;
  const head = element("div", "acts");
  const name = element("h2", "", plain(unit.name, 60));
  name.id = "one-name";
  const onMap = element("a", "button quiet", t("roster_on_map"));
  onMap.href = `/#unit=${encodeURIComponent(unit.id)}`;
  head.append(name, element("i", ""), onMap, pushButton("button quiet", t("close"), () => choose(null)));
  $("one").replaceChildren(head, form(unit), ...dutyView(unit, context), ...devicesView(unit, carried, nobodys, context));
}

function fieldsOf(unit) {
  const duties = ["always", "rota", "events", ...(unit.kind === "vehicle" ? ["crew"] : [])];
  const own = grids.map((grid) => [grid.id, `${grid.id} ${(language() === "en" && grid.name_en) || grid.name || ""}`]);
  if (unit.grid && !grids.some((grid) => grid.id === unit.grid)) own.push([unit.grid, unit.grid]);
  return {
    name: field(t("roster_name"), unit.name, 100),
    team: field(t("roster_team"), unit.team, 100, labels("team")),
    street: field(t("street"), unit.street, 100, labels("street")),
    grid: select(t("roster_grid"), unit.grid ?? "", [["", t("roster_no_grid")], ...own]),
    duty: select(t("roster_duty"), dutyOf(unit), duties.map((duty) => [duty, t(`roster_duty_${duty}`)])),
  };
}

const dutyOf = (unit) => (typeof unit.duty === "string" ? unit.duty : unit.duty?.mode) ?? "always";

function form(unit) {
  const node = element("form", "");
  node.noValidate = true;
  const fields = fieldsOf(unit);
  const box = element("div", "fields");
  box.append(...Object.values(fields).map((one) => one.node));
  const error = element("p", "error");
  error.hidden = true;
  const acts = element("div", "acts");
  const save = element("button", "button strong", t("roster_save"));
  save.type = "submit";
  acts.append(element("i", ""), save);
  node.append(box, error, acts);
  if (!rights.people_change) {
    acts.hidden = true;
    for (const one of Object.values(fields)) one.input.disabled = true;
  }
  node.addEventListener("submit", async (event) => {
    event.preventDefault();
    const before = { id: unit.id, kind: unit.kind, name: unit.name, team: unit.team, street: unit.street, grid: unit.grid ?? "", duty: dutyOf(unit) };
    const after = { ...before, ...Object.fromEntries(Object.entries(fields).map(([key, one]) => [key, one.input.value])) };
    try {
      await api.putUnits([after]);
      painted = "";
      save.focus();
      toast(t("roster_saved", { name: plain(after.name, 40) }), () => context.undo(() => api.putUnits([before])));
      await refresh();
    } catch (problem) {
      error.hidden = false;
      text(error, problem.message);
    }
  });
  return node;
}

const context = {
  units: () => units,
  rights: () => rights,
  refresh: () => {
    painted = "";
    return refresh();
  },
  trouble,
  undo: async (work) => {
    try {
      await work();
      toast(t("roster_undone"));
      await context.refresh();
    } catch (error) {
      trouble(error.message);
    }
  },
};

// -- new ones

function add() {
  if (!rights.people_change) return;
  const kind = select(t("roster_kind"), "person", [["person", t("person")], ["vehicle", t("vehicle")]]);
  const fields = { kind, ...fieldsOf({ kind: "person", name: "", team: $("team").value, street: $("street").value, grid: "", duty: "always" }) };
  formSheet(t("roster_new"), fields, async (values) => {
    const made = await api.putUnits([values]);
    toast(t("roster_saved", { name: plain(values.name, 40) }));
    await refresh();
    choose(made.units[0].id);
  });
}

// -- the page

function step(by) {
  const rows = [...$("rows").querySelectorAll(".row")];
  rows[Math.max(0, Math.min(rows.length - 1, rows.indexOf(document.activeElement) + by))]?.focus();
}

const actions = {
  search: () => $("search").focus(),
  down: () => step(1),
  up: () => step(-1),
  add,
  import: () => rights.people_change && importSheet(context.refresh),
  language: () => prefs.set("language", language() === "zh" ? "en" : "zh"),
  theme: () => theme.toggle(),
  escape: () => {
    if (document.activeElement.matches("input, select")) document.activeElement.blur();
    else if (chosen !== null) choose(null);
    else location.assign("/");
  },
};
listenToKeys(actions);
for (const id of ["search", "team", "street", "kind"]) $(id).addEventListener("input", paint);
$("add").addEventListener("click", add);
$("import").addEventListener("click", actions.import);
$("language").addEventListener("click", actions.language);
$("theme").addEventListener("click", actions.theme);
window.addEventListener("hashchange", () => choose(decodeURIComponent(location.hash.slice(1)) || null));
prefs.onChange((name, value) => name === "language" && setLanguage(value));
const paintTheme = () => $("theme-icon").setAttribute("href", theme.dark ? "#i-sun" : "#i-moon");
theme.onChange(paintTheme);
onLanguage(() => {
  document.title = `${t("nav_roster")} · Gridbeat`;
  painted = "";
  paint();
});
paintTheme();
showNav("roster");
setLanguage(prefs.get("language") ?? language());
me().then((who) => {
  rights = who.rights;
  $("add").hidden = $("import").hidden = !rights.people_change;
  painted = "";
  paint();
}, () => {});
api.grids().then((told) => {
  grids = (told.features ?? []).map((feature) => ({ id: String(feature.id), ...feature.properties })).filter((grid) => grid.level === "grid");
  painted = "";
  paint();
}, () => {});
refresh();
setInterval(refresh, REFRESH_MS);
