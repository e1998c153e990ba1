// The page of the certificate: how phones and computers come to trust it, and until when it is good.

import { api } from "./api.js";
import "./certificate_words.js";
import { copyText, element, text } from "./dom.js";
import { language, onLanguage, setLanguage, t } from "./i18n.js";
import { listenToKeys } from "./keyboard.js";
import { showNav } from "./nav.js";
import { Preferences } from "./prefs.js";
import { Theme } from "./theme.js";

const $ = (id) => document.getElementById(id);
const prefs = new Preferences();
const theme = new Theme(prefs);
let told = null;

async function load() {
  try {
    told = await api.certificate(location.hostname);
    $("trouble").hidden = true;
    paint();
  } catch (error) {
    $("trouble").hidden = false;
    text($("trouble"), t("retrying", { text: error.message }));
    setTimeout(load, 5000);
  }
}

function paint() {
  if (told === null) return;
  $("main").dataset.state = "ready";
  $("install").hidden = !told.link;
  if (told.link) {
    $("link").href = told.link;
    text($("link"), told.link);
    const picture = new DOMParser().parseFromString(told.qr, "image/svg+xml").documentElement;
    picture.setAttribute("role", "img");
    picture.setAttribute("aria-label", t("cert_scan"));
    $("qr").replaceChildren(document.importNode(picture, true));
    text($("print"), told.fingerprint.join("\n"));
    text($("print-name"), t("cert_name", { name: told.name }));
  }
  $("state").hidden = false;
  const words = !told.tls ? "cert_none" : told.private ? "cert_private" : "cert_public";
  text($("state-text"), t(words) + (told.private && !told.link ? ` ${t("cert_here_only")}` : ""));
  const facts = told.tls ? [["cert_names", told.names.join(t("comma"))], ["cert_ends", day(told.ends)]] : [];
  $("facts").replaceChildren(...facts.flatMap(([name, value]) => [element("dt", "", t(name)), element("dd", "", value)]));
}

function day(at) {
  return new Date(at).toLocaleDateString(language() === "zh" ? "zh-CN" : "en-GB", { dateStyle: "long" });
}

$("copy").addEventListener("click", async () => {
  if (await copyText(told.link)) text($("speak"), t("cert_copied"));
});

function translate() {
  document.title = `${t("certificate")} · Gridbeat`;
  paint();
}

const actions = {
  language: () => prefs.set("language", language() === "zh" ? "en" : "zh"),
  theme: () => theme.toggle(),
  escape: () => location.assign("/"),
};
listenToKeys(actions);
$("language").addEventListener("click", actions.language);
$("theme").addEventListener("click", actions.theme);
prefs.onChange((name, value) => name === "language" && setLanguage(value));
const paintTheme = () => $("theme-icon").setAttribute("href", theme.dark ? "#i-sun" : "#i-moon");
theme.onChange(paintTheme);
onLanguage(translate);

paintTheme();
showNav("certificate");
setLanguage(prefs.get("language") ?? language());
load();
