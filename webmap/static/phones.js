// The page of phones: who carries one, which app is on it, its code, and whether it has come through.

import { api } from "./api.js";
import { element, pushButton } from "./dom.js";
import { language, onLanguage, setLanguage, t } from "./i18n.js";
import { listenToKeys } from "./keyboard.js";
import { showNav } from "./nav.js";
import { plain } from "./labels.js";
import "./phone_words.js";
import { Address } from "./phone_address.js";
import { Person } from "./phone_person.js";
import { Setup } from "./phone_setup.js";
import { Preferences } from "./prefs.js";
import { Theme } from "./theme.js";
import { ageOf, clockFormat } from "./time.js";

const REFRESH_MS = 5000;
const ROWS = 60;
// In the order in which we recommend them.
const APPS = { android: ["traccar", "owntracks", "gpslogger"], iphone: ["traccar", "owntracks", "overland"] };

const $ = (id) => document.getElementById(id);
const prefs = new Preferences();
const theme = new Theme(prefs);
// A finger's keyboard would hide half of the page before it is read.
const mouse = !matchMedia("(pointer: coarse)").matches;
let apps = new Map(); // protocol -> {title, secret}
let phones = [];
let now = Date.now(); // the server's clock at the last answer

const address = new Address(prefs);
const person = new Person({ prefs, nameOfGrid: (grid) => (language() === "en" && grid.name_en) || grid.name });
const setup = new Setup({
  address,
  appTitle: (protocol) => apps.get(protocol)?.title ?? protocol,
  onClose: () => (location.hash = ""),
  onFixed: (phone) => {
    $("speak").textContent = t("watch_spoken", { name: phone.name });
    refresh();
  },
  onRenew: (device) => askForToken(device),
});

function trouble(words) {
  $("trouble").hidden = !words;
  $("trouble-text").textContent = words;
}

/** The door, the apps and the phones; every few seconds. */
async function refresh() {
  try {
    const told = await api.phones();
    now = told.now;
    setup.clock = clockFormat(told.zone);
    setup.strangers = told.unknown;
    apps = new Map(told.apps.map((app) => [app.protocol, app]));
    phones = told.phones;
    address.learn(told.door);
    paintApps();
    paintPhones();
    trouble("");
    follow();
  } catch (error) {
    trouble(t("retrying", { text: error.message }));
  }
}

async function loadPeople() {
  try {
    const [{ units }, grids] = await Promise.all([api.units(), api.grids()]);
    const levels = (grids.features ?? []).map((feature) => ({ id: String(feature.id), ...feature.properties })).filter((grid) => grid.level === "grid");
    person.learn(units, levels);
  } catch (error) {
    trouble(t("retrying", { text: error.message }));
    setTimeout(loadPeople, REFRESH_MS);
  }
}

// -- the app

const system = () => document.querySelector("input[name=system]:checked").value;

function paintApps() {
  const offered = APPS[system()].filter((app) => apps.has(app));
  const key = `${offered}/${language()}`;
  if ($("apps").dataset.key === key) return;
  $("apps").dataset.key = key;
  const before = document.querySelector("input[name=app]:checked")?.value ?? prefs.get("phoneApp");
  const chosen = offered.includes(before) ? before : offered[0];
  $("apps").replaceChildren(...offered.map((app, index) => {
    const label = element("label", "app");
    const input = document.createElement("input");
    Object.assign(input, { type: "radio", name: "app", value: app, checked: app === chosen });
    const words = element("span", "app-words");
    const title = element("b", "", apps.get(app).title);
    if (index === 0) title.append(element("em", "", t("recommended")));
    words.append(title, element("span", "", t(`app_${app}`)), element("small", "", t("app_from", { name: apps.get(app).title })));
    label.append(input, words);
    return label;
  }));
}

// -- making

function makeError(words) {
  $("make-error").hidden = !words;
  $("make-error").textContent = words;
}

async function make(event) {
  event.preventDefault();
  const wanted = person.value();
  if (!wanted) {
    makeError(t("name_missing"));
    $("name").focus();
    return;
  }
  if (address.value === null) {
    address.complain();
    return;
  }
  const app = document.querySelector("input[name=app]:checked")?.value;
  if (!app) return;
  makeError("");
  busy(true);
  try {
    const made = await api.addDevice({ protocol: app, base: address.value, ...wanted });
    prefs.set("phoneApp", app);
    phones.push({ device: made.id, protocol: app, unit: made.unit, name: $("name").value.trim(), team: wanted.team ?? "", state: "OFFLINE", last_message: null });
    show(phones.at(-1), made.setup);
    person.clear();
    refresh();
    loadPeople();
  } catch (error) {
    makeError(error.message);
  }
  busy(false);
}

function busy(on) {
  $("make-button").disabled = on;
  $("make-button").textContent = t(on ? "making" : "make");
}

// -- one phone or the form: the address of the page says which

/** A phone with what its app needs, which the server has just told. */
function show(phone, told) {
  setup.open(phone, told);
  location.hash = phone.device;
  follow();
}

function follow() {
  const id = decodeURIComponent(location.hash.slice(1));
  const phone = phones.find((one) => one.device === id);
  if (phone) {
    if (setup.device !== id) setup.open(phone);
    else if ($("make").hidden) return;
    $("make").hidden = true;
    scrollTo(0, 0);
  } else if (!id || phones.length) {
    const was = setup.device;
    setup.close();
    $("make").hidden = false;
    if (was && mouse) $("name").focus();
  }
  paintPhones();
}

// -- the list

function paintPhones() {
  const words = $("made-search").value.trim().toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const title = (phone) => apps.get(phone.protocol)?.title ?? phone.protocol;
  const found = phones.filter((phone) => {
    const line = `${phone.name}\n${phone.team}\n${phone.device}\n${title(phone)}`.toLocaleLowerCase();
    return words.every((word) => line.includes(word));
  }).reverse();
  $("made-count").textContent = String(phones.length);
  $("made-search").hidden = phones.length < 6;
  $("made-none").hidden = phones.length > 0;
  $("made-more").hidden = found.length <= ROWS;
  $("made-more").textContent = t("made_more", { n: found.length - ROWS });
  const kept = new Map([...$("made-list").children].map((row) => [row.dataset.device, row]));
  const rows = found.slice(0, ROWS).map((phone) => {
    const row = kept.get(phone.device) ?? newRow();
    fillRow(row, phone, title(phone));
    return row;
  });
  // Rows stay the elements that they are: a button under a finger must not be replaced.
  if (rows.length !== $("made-list").children.length || rows.some((row, index) => $("made-list").children[index] !== row)) $("made-list").replaceChildren(...rows);
}

function newRow() {
  const row = element("li", "phone");
  const words = element("div", "phone-words");
  words.append(element("b", ""), element("span", ""));
  row.append(element("i", "phone-dot"), words, pushButton("button quiet again", "", () => (location.hash = row.dataset.device)));
  return row;
}

function fillRow(row, phone, title) {
  row.dataset.device = phone.device;
  row.dataset.state = phone.state === "ONLINE_FIX" ? "green" : phone.state === "ONLINE_NO_FIX" ? "amber" : "grey";
  row.classList.toggle("is-open", phone.device === setup.device);
  const [name, about] = row.querySelectorAll("b, .phone-words span");
  name.textContent = plain(phone.name, 40);
  about.textContent = `${title} · ${ageOf(phone.last_message, now, "never_seen")}`;
  row.querySelector(".again").textContent = t("show_again");
  const renew = row.querySelector(".renew");
  if (!renew) {
    const button = pushButton("button quiet renew", "", () => askForToken(row.dataset.device));
    row.append(button);
  }
  if (row.querySelector(".renew")) row.querySelector(".renew").textContent = t("new_token");
}

function askForToken(device) {
  const phone = phones.find((one) => one.device === device);
  $("ask-title").textContent = t("new_token_ask", { name: plain(phone.name, 40) });
  $("ask-text").textContent = t("new_token_text");
  $("ask-yes").textContent = t("new_token");
  $("ask").returnValue = "";
  $("ask").showModal();
  $("ask").onclose = async () => {
    if ($("ask").returnValue !== "yes") return;
    if (address.value === null) {
      address.complain();
      return;
    }
    try {
      show(phone, (await api.renewToken(device, address.value)).setup);
    } catch (error) {
      trouble(error.message);
    }
  };
}

// -- the page

function translate() {
  document.title = `${t("phones")} · Gridbeat`;
  busy($("make-button").disabled);
  paintApps();
  paintPhones();
  person.show();
  address.show();
  setup.build();
}

const toMap = () => location.assign("/");
const actions = {
  language: () => prefs.set("language", language() === "zh" ? "en" : "zh"),
  theme: () => theme.toggle(),
  search: () => (setup.device ? (location.hash = "") : $("name").focus()),
  escape: () => (setup.device ? (location.hash = "") : document.activeElement.matches("input") ? document.activeElement.blur() : toMap()),
};
listenToKeys(actions);
$("language").addEventListener("click", actions.language);
$("theme").addEventListener("click", actions.theme);
$("make").addEventListener("submit", make);
$("name").addEventListener("input", () => makeError(""));
$("made-search").addEventListener("input", paintPhones);
for (const input of document.querySelectorAll("input[name=system]")) {
  input.checked = input.value === prefs.get("phoneSystem");
  input.addEventListener("change", () => {
    prefs.set("phoneSystem", system());
    paintApps();
  });
}
window.addEventListener("hashchange", follow);
prefs.onChange((name, value) => name === "language" && setLanguage(value));
const paintTheme = () => $("theme-icon").setAttribute("href", theme.dark ? "#i-sun" : "#i-moon");
theme.onChange(paintTheme);
onLanguage(() => {
  translate();
  loadPeople();
});

paintTheme();
showNav("phones");
setLanguage(prefs.get("language") ?? language());
refresh().then(() => mouse && location.hash === "" && $("name").focus({ preventScroll: true }));
setInterval(refresh, REFRESH_MS);
