// Why somebody looks at another one's data. The server asks for it and puts it on record; here a person is asked once
// for each unit, and what was said holds for as long as the page is open.

import { element, pushButton } from "./dom.js";
import { t } from "./i18n.js";
import { plain } from "./labels.js";
import { me } from "./nav.js";
import "./reason_words.js";

const PRESETS = [1, 2, 3, 4, 5, 6];
const MOST = 500;
const LAST = 5; // reasons of one's own that are offered again
const KEY = "gridbeat-reasons";

const given = new Map(); // unit -> reason

/** The reason that was given for a unit; empty without. */
export function reasonOf(unit) {
  return given.get(unit) ?? "";
}

/** The reason for looking at a unit, asked for if there is none yet, or anew; null if the person would rather not. */
export async function askReason(unit, name, anew = false) {
  const own = (await me().catch(() => null))?.unit;
  if (own && own === unit) return "";
  if (given.has(unit) && !anew) return given.get(unit);
  const reason = await ask(name, given.get(unit) ?? lastOnes()[0] ?? "");
  if (reason === null) return null;
  given.set(unit, reason);
  keep(reason);
  return reason;
}

/** A line that tells the reason and lets one change it; nothing while there is none. */
export function reasonLine(unit, name, onChange) {
  const line = element("p", "why-given");
  line.hidden = !given.has(unit);
  line.append(element("span", "", t("why_given", { reason: plain(reasonOf(unit), 80) })));
  line.append(pushButton("why-change", t("why_change"), async () => {
    if ((await askReason(unit, name, true)) !== null) onChange();
  }));
  return line;
}

function ask(name, before) {
  return new Promise((resolve) => {
    const box = element("dialog", "why");
    box.setAttribute("aria-labelledby", "why-title");
    const title = element("h2", "", t("why_title", { name: plain(name, 40) }));
    title.id = "why-title";
    const form = element("form", "why-form");
    form.method = "dialog";
    const field = element("input");
    [field.id, field.type, field.maxLength, field.autocomplete, field.spellcheck] = ["why", "text", MOST, "off", false];
    field.setAttribute("aria-label", t("why_label"));
    field.value = before;
    const presets = element("div", "why-presets");
    presets.setAttribute("role", "group");
    presets.setAttribute("aria-label", t("why_presets"));
    const take = (words) => {
      field.value = words;
      ready();
      field.focus();
    };
    for (const number of PRESETS) {
      const words = t(`why_${number}`);
      const chip = pushButton("why-chip", "", () => take(words));
      chip.append(element("kbd", "", String(number)), element("span", "", words));
      presets.append(chip);
    }
    const words = new Set(PRESETS.map((number) => t(`why_${number}`)));
    for (const one of lastOnes().filter((last) => !words.has(last))) {
      const chip = pushButton("why-chip", "", () => take(one));
      chip.append(element("span", "", plain(one, 40)));
      presets.append(chip);
    }
    const go = element("button", "button strong", t("why_go"));
    go.type = "submit";
    const row = element("div", "why-row");
    row.append(pushButton("button", t("why_cancel"), () => box.close()), go);
    form.append(field, presets, row);
    box.append(title, element("p", "why-note", t("why_note")), form);

    let answer = null;
    const ready = () => (go.disabled = !field.value.trim());
    form.addEventListener("input", ready);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      answer = field.value.trim();
      if (answer) box.close();
    });
    // A number picks a reason as long as nothing has been typed: what is there is marked then, or empty.
    field.addEventListener("keydown", (event) => {
      const untouched = !field.value || (field.selectionStart === 0 && field.selectionEnd === field.value.length);
      const number = Number(event.key);
      if (!untouched || !PRESETS.includes(number) || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      take(t(`why_${number}`));
    });
    box.addEventListener("click", (event) => event.target === box && box.close());
    box.addEventListener("close", () => {
      box.remove();
      resolve(answer || null);
    });
    document.body.append(box);
    ready();
    box.showModal();
    field.focus();
    field.select();
  });
}

function lastOnes() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) || "[]");
    return Array.isArray(kept) ? kept.filter((one) => typeof one === "string").slice(0, LAST) : [];
  } catch {
    return []; // storage is off or spoiled
  }
}

function keep(reason) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify([reason, ...lastOnes().filter((one) => one !== reason)].slice(0, LAST)));
  } catch {
    // a forbidden storage forgets; the page goes on
  }
}
