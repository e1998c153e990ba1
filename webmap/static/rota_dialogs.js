// What is done in a box of its own: the shifts, planning many at once, grids of a shift, and deadlines in working time.

import { api } from "./api.js";
import { element, pushButton, text } from "./dom.js";
import { onLanguage, t } from "./i18n.js";
import { dayWord, weekdayWord } from "./rota_words.js";

const COLOURS = 10;
const $ = (id) => document.getElementById(id);

/** A box with a title, what `build(body)` puts into it, and the buttons `deeds`: [[words, action, strong]]. */
function open(title, build, deeds = []) {
  const dialog = $("dialog");
  text($("dialog-title"), title);
  trouble("");
  $("dialog-body").replaceChildren();
  build($("dialog-body"));
  $("dialog-deeds").replaceChildren(...deeds.map(([words, action, strong]) => {
    const button = pushButton(strong ? "button strong" : "button", words, () => attempt(action));
    if (strong) button.dataset.strong = "";
    return button;
  }));
  if (!dialog.open) dialog.showModal();
  // What is to be filled in, not the cross above it.
  $("dialog-body").querySelector("input, select, button")?.focus();
}

export const close = () => $("dialog").close();

function trouble(words) {
  $("dialog-trouble").hidden = !words;
  text($("dialog-trouble"), words);
}

/** Does it, and says in the box what went wrong. */
async function attempt(action) {
  try {
    trouble("");
    await action();
  } catch (error) {
    trouble(error.message);
  }
}

$("dialog-close").addEventListener("click", close);
$("dialog-form").addEventListener("submit", (event) => {
  event.preventDefault();
  $("dialog-deeds").querySelector("[data-strong]")?.click();
});
onLanguage(() => $("dialog").open && close());

function field(words, input, hint = "") {
  const label = element("label", "field");
  label.append(element("span", "", words), input);
  if (hint) label.append(element("small", "note", hint));
  return label;
}

function input(type, value, more = {}) {
  const node = element("input");
  Object.assign(node, { type, value, ...more });
  return node;
}

// -- shifts

export function openShifts(plan, mayChange, today) {
  const show = () => open(t("shifts_title"), (body) => {
    body.append(element("p", "note", t(mayChange ? "shift_hint" : "city_only")));
    for (const shift of plan.shifts) body.append(shiftRow(plan, shift, mayChange, today, show));
    if (mayChange) body.append(shiftRow(plan, null, true, today, show));
  });
  show();
}

function shiftRow(plan, shift, mayChange, today, show) {
  const row = element("fieldset", "shift-row");
  row.disabled = !mayChange;
  if (shift?.retired) row.dataset.retired = "";
  const name = input("text", shift?.name ?? "", { maxLength: 40, placeholder: t("shift_new") });
  const periods = input("text", shift?.periods.join(" ") ?? "", { maxLength: 120, placeholder: "08:00-12:00 14:00-18:00" });
  const from = input("date", today);
  name.setAttribute("aria-label", t("shift_name"));
  periods.setAttribute("aria-label", t("shift_periods"));
  from.setAttribute("aria-label", t("shift_from"));
  from.title = t("shift_from");
  let colour = shift?.colour ?? plan.shifts.length % COLOURS;
  const colours = element("div", "colours");
  colours.setAttribute("role", "radiogroup");
  colours.setAttribute("aria-label", t("shift_colour"));
  for (let n = 0; n < COLOURS; n += 1) {
    const one = pushButton(`colour colour-${n}`, "", () => {
      colour = n;
      paint();
    });
    one.setAttribute("role", "radio");
    one.setAttribute("aria-label", `${t("shift_colour")} ${n + 1}`);
    colours.append(one);
  }
  const paint = () => [...colours.children].forEach((one, n) => one.setAttribute("aria-checked", String(n === colour)));
  paint();
  const wanted = () => ({ name: name.value, periods: periods.value.split(/[\s,，、;；]+/).filter(Boolean), colour });
  const done = async () => {
    await plan.loadShifts();
    show();
  };
  const save = pushButton("button", t(shift ? "save" : "add"), () => attempt(async () => {
    const asked = wanted();
    if (shift && asked.periods.join() === shift.periods.join()) delete asked.periods;
    else if (shift) asked.from = from.value;
    await (shift ? api.changeShift(shift.id, shift.retired ? { ...asked, retired: false } : asked) : api.addShift(asked));
    await done();
  }));
  row.append(name, periods, colours);
  if (shift) row.append(from);
  row.append(save);
  if (shift && !shift.retired) {
    row.append(pushButton("button quiet", t("remove"), () => attempt(async () => {
      await api.removeShift(shift.id);
      await done();
    })));
  }
  if (shift?.retired) row.append(element("small", "note", t("shift_retired")));
  return row;
}

// -- many at once

export function openFill(plan, units, first, last, onFill) {
  const pattern = [];
  let steps;
  const rotate = input("number", "0", { min: 0, max: 61, step: 1 });
  const workdays = input("checkbox", "", { checked: true });
  const paint = () => steps.replaceChildren(...(pattern.length ? pattern.map((shift, n) => chip(plan, shift, () => {
    pattern.splice(n, 1);
    paint();
  })) : [element("span", "note", t("fill_none"))]));
  open(t("fill_title"), (body) => {
    body.append(element("p", "", t("fill_text", { n: units.length, a: dayWord(first), b: dayWord(last) })));
    const chips = element("div", "chips");
    for (const shift of [...plan.given.map((one) => one.id), "off"]) {
      chips.append(chip(plan, shift, () => {
        pattern.push(shift);
        paint();
      }));
    }
    steps = element("div", "chips steps");
    steps.setAttribute("aria-live", "polite");
    const check = element("label", "check");
    check.append(workdays, element("span", "", t("fill_workdays")));
    body.append(element("p", "note", t("fill_pattern")), chips, steps, field(t("fill_rotate"), rotate), check);
    paint();
  }, [[t("cancel"), close, false], [t("apply"), async () => {
    await onFill({ units, from: first, to: last, pattern, rotate: Number(rotate.value), workdays: workdays.checked });
    close();
  }, true]]);
}

function chip(plan, id, action) {
  const shift = plan.shift(id);
  return pushButton(`chip ${id === "off" ? "block-off" : `colour-${shift?.colour ?? 0}`}`, id === "off" ? t("off_long") : shift?.name ?? id, action);
}

// -- grids of a shift

export function openGrids(given, onGrids) {
  const grids = input("text", given.grids.join(", "), { maxLength: 400 });
  open(t("grids_title"), (body) => body.append(field(t("grids_hint"), grids)), [[t("cancel"), close, false], [t("save"), () => {
    onGrids(grids.value.split(/[\s,，、]+/).filter(Boolean));
    close();
  }, true]]);
}

// -- deadlines

export function openDeadline(now, zone) {
  const start = input("datetime-local", new Date(now).toLocaleString("sv-SE", { timeZone: zone }).slice(0, 16).replace(" ", "T"));
  const limit = input("number", "8", { min: 0, max: 8784, step: 0.5 });
  const found = element("p", "found");
  found.setAttribute("role", "status");
  const ask = () => attempt(async () => {
    if (!start.value || limit.value === "") return;
    const told = await api.deadline(start.value, Math.round(Number(limit.value) * 3600));
    const when = new Date(told.deadline).toLocaleString("sv-SE", { timeZone: zone }).slice(0, 16);
    text(found, t("deadline_told", { text: `${when} ${weekdayWord(told.day.day)}` }));
    if (!told.known) found.append(element("small", "note", t("unknown_year", { year: told.day.day.slice(0, 4) })));
  });
  start.addEventListener("input", ask);
  limit.addEventListener("input", ask);
  open(t("deadline_title"), (body) => body.append(field(t("deadline_start"), start), field(t("deadline_limit"), limit), found));
  ask();
}
