// The page of rota and attendance: who has which shift on which day, and what came of it.

import { api } from "./api.js";
import { element, pushButton, text } from "./dom.js";
import { language, onLanguage, setLanguage, t } from "./i18n.js";
import { listenToKeys } from "./keyboard.js";
import { me, showNav } from "./nav.js";
import { Preferences } from "./prefs.js";
import { Attendance, marksOf, sharesOf } from "./rota_attendance.js";
import { openDeadline, openFill, openGrids, openShifts } from "./rota_dialogs.js";
import { List } from "./rota_list.js";
import { Matrix } from "./rota_matrix.js";
import { Plan } from "./rota_plan.js";
import { dayWord, holidayWord, lengthWord, periodWord, shifted, spanOf } from "./rota_words.js";
import { Theme } from "./theme.js";

const REFRESH_MS = 60_000; // attendance of today goes on
const $ = (id) => document.getElementById(id);
const small = window.matchMedia("(max-width: 719px)");
const prefs = new Preferences();
const theme = new Theme(prefs);

const state = { view: "week", day: "", street: "", team: "", search: "", person: null, brush: undefined, mayChange: false, city: false };
let people = [];
let ready = false;

const attendance = new Attendance({ note: $("reading"), onChange: repaint, onProblem: (error) => trouble(error.message) });
const plan = new Plan({ onChange: planned, onProblem: failed });
const matrix = new Matrix($("matrix"), {
  plan, attendance, onWish: (wanted) => plan.put(wanted), onMove: paintDetail, onLook: look,
});
const list = new List($("list"), {
  plan, attendance, onWish: (wanted) => plan.put(wanted), onLook: look,
  onPerson: (unit) => {
    state.person = unit?.id ?? null;
    show();
  },
});

function trouble(words) {
  $("trouble").hidden = !words;
  text($("trouble-text"), words);
}

async function failed(error) {
  await load();
  trouble(error.message);
}

/** The plan has changed: everywhere, or in these cells. */
function planned(cells) {
  if (cells) attendance.forget(cells);
  $("undo").disabled = !plan.canUndo;
  $("redo").disabled = !plan.canRedo;
  if (!ready) return;
  if (!cells) return show();
  matrix.recount();
  repaint();
}

function repaint() {
  if (small.matches) paintList();
  else matrix.paint();
  paintDetail();
}

function span() {
  return spanOf(state.view, state.day);
}

function look(units) {
  attendance.look(units, ...span(), plan.today);
}

async function load() {
  try {
    const asked = span();
    await plan.load(...asked);
    trouble("");
  } catch (error) {
    trouble(error.message);
  }
}

/** Goes to another day, week or month. */
async function go(day, view = state.view) {
  Object.assign(state, { day, view });
  history.replaceState(null, "", `#${view}/${day}`);
  await load();
}

// -- what is shown

function show() {
  const [first, last] = span();
  $("main").dataset.state = "ready";
  $("main").dataset.view = state.view;
  text($("period"), small.matches && !state.person ? dayWord(state.day) : periodWord(state.view, first, last));
  for (const button of $("views").children) button.setAttribute("aria-pressed", String(button.dataset.view === state.view));
  paintChoices("street", "all_streets");
  paintChoices("team", "all_teams");
  const sought = state.search.trim().toLowerCase();
  people = plan.people.filter((unit) => (!state.street || unit.street === state.street) && (!state.team || unit.team === state.team)
    && (!sought || `${unit.name} ${unit.id}`.toLowerCase().includes(sought)));
  people.sort((a, b) => by(a.street, b.street) || by(a.team, b.team) || by(a.name, b.name));
  const unknown = plan.days.find((day) => !day.known);
  $("calendar-note").hidden = !unknown;
  text($("calendar-note"), unknown ? t("unknown_year", { year: unknown.day.slice(0, 4) }) : "");
  $("nobody").hidden = people.length > 0;
  $("table").href = api.attendanceTable({ from: first, to: last < plan.today ? last : plan.today, street: state.street, team: state.team });
  $("table").hidden = !attendance.may || first > plan.today;
  $("matrix").hidden = small.matches || !people.length;
  $("list").hidden = !small.matches;
  paintPalette();
  if (small.matches) paintList();
  else matrix.show(people, state.view);
  paintDetail();
}

/** In the order of the alphabet or of pinyin; who has no label comes last. */
const by = (one, other) => Number(!one) - Number(!other) || one.localeCompare(other, "zh");

function paintChoices(name, all) {
  const select = $(name);
  const known = [...new Set(plan.people.map((unit) => unit[name]).filter(Boolean))].sort((a, b) => a.localeCompare(b, "zh"));
  select.hidden = known.length < 2;
  if (!known.includes(state[name])) state[name] = "";
  const key = JSON.stringify([language(), known]);
  if (select.dataset.key !== key) {
    select.dataset.key = key;
    select.replaceChildren(new Option(t(all), ""), ...known.map((one) => new Option(one, one)));
  }
  select.value = state[name];
}

function paintPalette() {
  const palette = $("palette");
  palette.hidden = small.matches || !state.mayChange;
  if (palette.hidden) return;
  const brushes = [["", t("select_only"), undefined, "Esc"], ...plan.given.map((shift) => [`colour-${shift.colour}`, shift.name, shift.id, shift.key, shift.periods.join("  ")]),
    ["block-off", t("off_long"), "off", "0"], ["", t("clear"), null, "Del"]];
  palette.replaceChildren(...brushes.map(([colour, name, value, key, hours]) => {
    const button = pushButton(`brush ${colour}`, "", () => {
      state.brush = state.brush === value ? undefined : value;
      paintPalette();
      $("matrix").focus({ preventScroll: true });
    });
    button.setAttribute("aria-pressed", String(state.brush === value));
    button.append(element("b", "", name), element("small", "", hours ?? ""), element("kbd", "", key));
    return button;
  }));
  if (!plan.given.length) palette.append(element("span", "note", t("no_shifts")));
  matrix.brush = state.brush;
}

function paintList() {
  const person = state.person ? plan.people.find((unit) => unit.id === state.person) ?? null : plan.people.length === 1 ? plan.people[0] : null;
  list.show(people, state.day, person);
}

// -- the selected cell in words

function paintDetail() {
  const node = $("detail");
  node.hidden = small.matches || !people.length;
  if (node.hidden || !ready) return;
  const unit = people[matrix.cursor.row];
  const day = plan.days[matrix.cursor.column];
  if (!unit || !day) return node.replaceChildren();
  const cells = matrix.selection.flat().length;
  const given = plan.at(unit.id, day.day);
  const shift = given ? plan.shift(given.shift) : null;
  const row = attendance.of(unit.id, day.day);
  const head = element("p", "detail-head");
  const shiftWord = !given ? t("nothing_planned") : given.shift === "off" ? t("off_long") : `${shift?.name ?? given.shift} ${shift?.periods.join(" ") ?? ""}`;
  head.append(element("b", "", unit.name), element("span", "", [dayWord(day.day), holidayWord(day)].filter(Boolean).join(" · ")), element("span", "", shiftWord));
  if (given && given.shift !== "off") {
    const own = given.grids.length ? given.grids : unit.grid ? [unit.grid] : [];
    head.append(element("span", "", own.length ? t("own_grids", { list: own.join(", ") }) : t("no_grid")));
    if (state.mayChange && cells === 1) {
      head.append(pushButton("button quiet", t("change_grids"), () => openGrids(given, (grids) => plan.put([{ unit: unit.id, day: day.day, shift: given.shift, grids }]))));
    }
  }
  if (cells > 1) head.append(element("em", "", t("selected_cells", { n: cells })));
  const facts = element("p", "detail-facts");
  facts.append(...factsOf(row).map(([kind, words]) => element("span", kind, words)));
  if (!facts.childElementCount) facts.append(element("span", "note", t(state.mayChange ? "keys_hint" : "rota_read")));
  node.replaceChildren(head, facts);
}

let zone = "Asia/Shanghai";
const clock = (ms) => new Date(ms).toLocaleTimeString("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit" });

function factsOf(row) {
  if (!row || row.state === "free" || row.state === "ahead") return [];
  const facts = marksOf(row).map((mark) => [`mark mark-${mark.kind}`, mark.words]);
  if (!facts.length) facts.push(["mark mark-fine", t("present")]);
  facts.push(["", t("on_duty_of", { a: hours(row.on_duty_ms), b: hours(row.planned_ms) })]);
  facts.push(...sharesOf(row).map((words) => ["", words]));
  if (row.first_fix !== null) facts.push(["", t("first_last", { a: clock(row.first_fix), b: clock(row.last_fix) })]);
  for (const [start, end] of row.stretches.slice(0, 3)) facts.push(["mark mark-off_post", `${clock(start)} – ${clock(end)} ${lengthWord(end - start)}`]);
  if (row.state === "unknown") facts.push(["note", t("unknown_why")]);
  if (row.state === "present") facts.push(["note", t(row.told ? "told" : "seen")]);
  return facts;
}

const hours = (ms) => (ms / 3_600_000).toFixed(1).replace(/\.0$/, "");

// -- deeds

const step = (by) => {
  if (small.matches && !state.person && people.length > 1) return go(shifted(state.day, by));
  const [first, last] = span();
  return go(by > 0 ? shifted(last, 1) : shifted(first, -1));
};

async function repeat() {
  const [first, last] = span();
  try {
    const n = await plan.fill({ units: people.map((unit) => unit.id), from: first, to: last, repeat: 7 }, first, last);
    text($("detail"), t("repeat_done", { n }));
  } catch (error) {
    trouble(error.message);
  }
}

function translate() {
  document.title = `${t("rota")} · Gridbeat`;
  $("matrix").setAttribute("aria-label", t(state.mayChange ? "rota_of" : "rota_read"));
  if (ready) show();
}

const actions = {
  language: () => prefs.set("language", language() === "zh" ? "en" : "zh"),
  theme: () => theme.toggle(),
  search: () => $("search").focus(),
  escape: () => {
    state.brush = undefined;
    paintPalette();
  },
};
document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.target.matches?.("input, textarea") || $("dialog").open) return;
  const key = event.key.toLowerCase();
  if (key === "y" || (key === "z" && event.shiftKey)) plan.redo();
  else if (key === "z") plan.undo();
  else return;
  event.preventDefault();
});
listenToKeys(actions);
showNav("rota");
$("language").addEventListener("click", actions.language);
$("theme").addEventListener("click", actions.theme);
$("before").addEventListener("click", () => step(-1));
$("after").addEventListener("click", () => step(1));
$("today").addEventListener("click", () => go(plan.today));
$("views").addEventListener("click", (event) => event.target.dataset.view && go(state.day, event.target.dataset.view));
for (const name of ["street", "team", "search"]) {
  $(name).addEventListener("input", () => {
    state[name] = $(name).value;
    show();
  });
}
$("undo").addEventListener("click", () => plan.undo());
$("redo").addEventListener("click", () => plan.redo());
$("repeat").addEventListener("click", repeat);
$("fill").addEventListener("click", () => openFill(plan, people.map((unit) => unit.id), ...span(), (wanted) => plan.fill(wanted, ...span())));
$("shifts").addEventListener("click", () => openShifts(plan, state.city, plan.today));
$("deadline").addEventListener("click", () => openDeadline(plan.now, zone));
small.addEventListener("change", () => ready && show());
prefs.onChange((name, value) => name === "language" && setLanguage(value));
const paintTheme = () => $("theme-icon").setAttribute("href", theme.dark ? "#i-sun" : "#i-moon");
theme.onChange(paintTheme);
onLanguage(translate);

/** Today's attendance goes on while one looks, and what others have planned comes when one comes back. */
setInterval(() => {
  if (document.hidden || !ready) return;
  attendance.forget(plan.people.map((unit) => ({ unit: unit.id, day: plan.today })));
  repaint();
}, REFRESH_MS);
window.addEventListener("focus", () => ready && load());

async function begin() {
  const [view, day] = location.hash.slice(1).split("/");
  if (view === "month" && !small.matches) state.view = "month";
  try {
    const who = await me();
    state.mayChange = Boolean(who.rights.rota_change);
    state.city = who.rights.rota_change === "city";
    attendance.may = Boolean(who.rights.attendance);
    matrix.mayChange = list.mayChange = state.mayChange;
    for (const name of ["undo", "redo", "repeat", "fill"]) $(name).hidden = !state.mayChange;
    await plan.loadShifts();
    const now = await api.calendar();
    zone = now.zone;
    await go(/^\d{4}-\d\d-\d\d$/.test(day) ? day : now.today);
    if (!plan.days.length) throw new Error($("trouble-text").textContent);
    ready = true;
    translate();
  } catch (error) {
    trouble(error.message);
    setTimeout(begin, 5000);
  }
}

paintTheme();
setLanguage(prefs.get("language") ?? language());
begin();
