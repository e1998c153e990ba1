// The page on which a phone becomes somebody's: by the link that was scanned, or by six digits.
//
// The link's secret is in the fragment, which no server is told of; it is taken out of the address at once, so that it
// stays in no history. What the phone is already is kept in this browser: which device, and what proves it.

import { copyText, element, pushButton } from "./dom.js";
import { language, onLanguage, setLanguage, t } from "./i18n.js";
import "./join_words.js";
import { identity, keepIdentity } from "./work_identity.js";

const KEY = "gridbeat-phone";
const $ = (id) => document.getElementById(id);
const secret = decodeURIComponent(location.hash.slice(1));
let told = null;
let problem = null; // what to say in the language that is chosen

if (secret) history.replaceState(null, "", location.pathname);
// A code that is scanned while the page is open leads to the same page: it begins anew with it.
window.addEventListener("hashchange", () => location.reload());

function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEY) || "null");
  } catch {
    return null; // storage is off or spoiled: the phone is a new device then
  }
}

function keep(value) {
  try {
    localStorage.setItem(KEY, JSON.stringify(value));
  } catch {
    // the phone will be a new device next time
  }
}

async function join() {
  const code = $("code").value.replace(/\D/g, "");
  if (!secret && code.length !== 6) {
    fail(() => t("join_missing"));
    $("code").focus();
    return;
  }
  busy(true);
  const own = $("own").checked ? kept() : null;
  try {
    const response = await fetch("/api/v1/join", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ ...(secret ? { secret } : { code }), base: location.origin, own }),
    });
    const value = await response.json();
    if (response.ok) {
      told = value;
      if (!value.again) keep({ device: value.device, secret: value.secret });
      settle(value);
      problem = null;
    } else fail(() => (language() === "zh" ? value.error.zh : value.error.text));
  } catch {
    fail(() => t("join_offline"));
  }
  busy(false);
  paint();
}

/** The collector's page of this browser is told at once whose it is: its link may be opened later from the home screen. */
function settle({ app, name, config, again }) {
  if (app !== "handheld") return;
  const before = identity();
  if (config) {
    const { device, token } = JSON.parse(config);
    keepIdentity({ device, token, name });
  } else if (again && before) keepIdentity({ ...before, name });
}

function fail(words) {
  problem = words;
  paint();
}

function busy(on) {
  $("go").disabled = on;
  $("go").textContent = t(on ? "join_busy" : "join_go");
}

function paint() {
  document.title = `${t("join_title")} · Gridbeat`;
  $("about").textContent = told ? "" : t(secret ? "join_scanned" : "join_about");
  $("code-box").hidden = Boolean(secret);
  $("own-box").hidden = kept() === null;
  $("mine").hidden = told !== null || Boolean(secret) || identity() === null;
  $("error").hidden = problem === null;
  $("error").textContent = problem === null ? "" : problem();
  $("form").hidden = told !== null;
  $("done").hidden = told === null;
  if (told) paintTold();
}

function paintTold() {
  $("whose").textContent = [t("join_whose", { name: told.name }), told.shift ? t("join_shift") : ""].join(language() === "zh" ? "。" : ". ");
  $("once").hidden = told.again;
  const { setup, config } = told;
  const parts = [];
  if (told.again) parts.push(element("p", "", t("join_again")));
  if (setup) {
    const open = element("a", "open", t("join_open", { app: told.title }));
    open.href = setup.link;
    const hand = element("details", "");
    const list = element("ol", "");
    for (const step of setup.steps) {
      const row = element("li", "");
      row.append(element("span", "", language() === "zh" ? step.zh : step.label), element("code", "", step.value), copier(step.value));
      list.append(row);
    }
    hand.append(element("summary", "", t("join_by_hand")), list);
    parts.push(open, element("p", "note", t("join_install", { app: told.title })), hand);
  }
  if (told.app === "handheld" && identity()) {
    const open = element("a", "open", t("join_browser"));
    open.href = "/work";
    parts.push(open, element("p", "note", t("join_browser_about")));
  }
  if (config) {
    const other = element("details", "");
    other.append(element("summary", "", t("join_config")), element("pre", "", config), copier(config));
    parts.push(other);
  }
  $("told").replaceChildren(...parts);
}

function copier(value) {
  const button = pushButton("", t("copy_value"), async () => {
    if (await copyText(value)) button.textContent = t("value_copied");
  });
  return button;
}

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  join();
});
$("code").addEventListener("input", () => problem && fail(null));
$("language").addEventListener("click", () => setLanguage(language() === "zh" ? "en" : "zh"));
onLanguage(paint);
setLanguage(language());
if (!secret) $("code").focus();
