// The page of seats: which there are, who is at them, and when somebody should be.

import { api } from "./api.js";
import { element, pushButton, text } from "./dom.js";
import { language, onLanguage, setLanguage, t } from "./i18n.js";
import { listenToKeys } from "./keyboard.js";
import { plain } from "./labels.js";
import { me, showNav } from "./nav.js";
import { Preferences } from "./prefs.js";
import "./seats_words.js";
import { Theme } from "./theme.js";
import { span } from "./time.js";

const REFRESH_MS = 5000;
const HOURS = ["08:00-12:00", "14:00-18:00"];

const $ = (id) => document.getElementById(id);
const prefs = new Preferences();
const theme = new Theme(prefs);
let told = null;
let may = false;
let edited = null; // the seat whose sheet is open, or null for a new one
let sure = false;

async function refresh() {
  try {
    told = await api.seats();
    $("trouble").hidden = true;
    paint();
  } catch (error) {
    $("trouble").hidden = false;
    text($("trouble"), t("retry_later", { text: error.message }));
  }
}

function paint() {
  if (told === null) return;
  text($("sum"), t("seats_sum", { n: told.seats.length, absent: told.absent.length }));
  $("none").hidden = told.seats.length > 0;
  text($("none"), t(may ? "seats_none" : "seats_none_read"));
  const key = JSON.stringify([language(), may, told.seats.map((seat) => [seat, since(seat)])]);
  if ($("seats").dataset.key === key) return;
  const focused = document.activeElement?.dataset?.id;
  $("seats").dataset.key = key;
  $("seats").replaceChildren(...told.seats.map(row));
  if (focused) document.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus();
}

function since(seat) {
  const state = t(`seat_${seat.state}`);
  return seat.since === null ? state : t("seats_for", { state, span: span(told.now - seat.since) });
}

function days(seat) {
  if (seat.weekdays === null) return t("seats_workdays");
  if (seat.weekdays.length === 7) return t("seats_daily");
  const names = t("seats_weekdays").split(" ");
  return seat.weekdays.map((day) => names[day - 1]).join(" ");
}

function row(seat) {
  const node = element("li", "seat");
  node.dataset.state = seat.state;
  const card = may ? pushButton("card", "", () => open(seat)) : element("div", "card");
  card.dataset.id = seat.id;
  const facts = [seat.street === seat.name ? "" : plain(seat.street, 40), seat.periods.join(t("comma")), days(seat)];
  const names = (seat.present.length ? seat.present : seat.accounts).map((name) => plain(name, 40)).join(t("comma"));
  const who = seat.present.length ? names : seat.accounts.length ? t("seats_of", { names }) : t("seats_of_street");
  card.append(element("i", "dot"), element("bdi", "seat-name", plain(seat.name, 60)), element("span", "seat-state", since(seat)), element("span", "seat-facts", facts.filter(Boolean).join(" · ")), element("span", "seat-who", who));
  node.append(card);
  return node;
}

// -- the sheet of one

function open(seat) {
  edited = seat;
  sure = false;
  text($("sheet-title"), seat ? plain(seat.name, 60) : t("seats_new"));
  $("name").value = seat?.name ?? "";
  $("street").value = seat?.street ?? "";
  $("accounts").value = (seat?.accounts ?? []).join(", ");
  $("periods").value = (seat?.periods ?? HOURS).join(", ");
  $("streets").replaceChildren(...[...new Set((told?.seats ?? []).map((one) => one.street))].filter(Boolean).map((street) => new Option("", street)));
  paintDays(seat?.weekdays ?? null);
  $("remove").hidden = !seat;
  text($("remove"), t("seats_remove"));
  $("error").hidden = true;
  $("sheet").showModal();
  $("name").focus();
}

function paintDays(weekdays) {
  const make = (value, words, checked) => {
    const label = element("label", "day");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.value = value;
    box.checked = checked;
    label.append(box, element("span", "", words));
    return label;
  };
  const each = t("seats_weekdays").split(" ").map((name, index) => make(String(index + 1), name, weekdays?.includes(index + 1) ?? false));
  const work = make("", t("seats_workdays"), weekdays === null);
  $("days").replaceChildren(work, ...each);
  $("days").onchange = (event) => {
    // Either the city's workdays, or days of the week.
    const boxes = [...$("days").querySelectorAll("input")];
    if (event.target.value === "") for (const box of boxes.slice(1)) box.checked = false;
    boxes[0].checked = !boxes.slice(1).some((box) => box.checked);
  };
}

function split(words) {
  return words.split(/[,，、;；\s]+/).filter(Boolean);
}

async function save() {
  const picked = [...$("days").querySelectorAll("input:checked")].map((box) => box.value).filter(Boolean).map(Number);
  const wanted = {
    name: $("name").value, street: $("street").value, accounts: split($("accounts").value), weekdays: picked.length ? picked : null,
    periods: $("periods").value.split(/[,，、;；]+/).map((one) => one.trim()).filter(Boolean),
  };
  await attempt(() => (edited ? api.amendSeat(edited.id, wanted) : api.addSeat(wanted)));
}

async function attempt(work) {
  try {
    await work();
    $("sheet").close();
    await refresh();
  } catch (error) {
    $("error").hidden = false;
    text($("error"), error.message);
  }
}

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  save();
});
$("cancel").addEventListener("click", () => $("sheet").close());
$("remove").addEventListener("click", () => {
  if (!sure) {
    sure = true;
    text($("remove"), t("seats_remove_sure"));
    return;
  }
  attempt(() => api.removeSeat(edited.id));
});
$("sheet").addEventListener("close", () => document.querySelector(`[data-id="${CSS.escape(edited?.id ?? "")}"]`)?.focus());

// -- the page

function step(by) {
  const cards = [...$("seats").querySelectorAll("button.card")];
  cards[Math.max(0, Math.min(cards.length - 1, cards.indexOf(document.activeElement) + by))]?.focus();
}

const actions = {
  add: () => may && open(null),
  down: () => step(1),
  up: () => step(-1),
  language: () => prefs.set("language", language() === "zh" ? "en" : "zh"),
  theme: () => theme.toggle(),
  escape: () => location.assign("/"),
};
listenToKeys(actions);
$("add").addEventListener("click", actions.add);
$("language").addEventListener("click", actions.language);
$("theme").addEventListener("click", actions.theme);
prefs.onChange((name, value) => name === "language" && setLanguage(value));
const paintTheme = () => $("theme-icon").setAttribute("href", theme.dark ? "#i-sun" : "#i-moon");
theme.onChange(paintTheme);
onLanguage(() => {
  document.title = `${t("seats_title")} · Gridbeat`;
  paint();
});
showNav("seats");
paintTheme();
setLanguage(prefs.get("language") ?? language());
me().then((who) => {
  may = Boolean(who.rights.seats_change);
  $("add").hidden = !may;
  paint();
}, () => {});
refresh();
setInterval(refresh, REFRESH_MS);
