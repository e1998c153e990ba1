// Tasks in words. What a city calls its kinds, results, reasons and classes comes from its rules with the desk; a word
// that neither they nor this page know is shown as it is.

import { leftOf, OPEN } from "./desk.js";
import { knows, language, t } from "./i18n.js";
import { plain } from "./labels.js";
import "./task_words.js";
import { ago } from "./time.js";

const PHONE = "phone:"; // and who has noted it

const two = (n) => String(n).padStart(2, "0");

let city = {};
let nameOf = (unit) => unit;

/** What the words come from: the desk's vocabulary, and what a unit is called. */
export function speakOf(words, names) {
  city = words ?? {};
  nameOf = names ?? nameOf;
}

const said = (entry) => entry && (language() === "en" ? entry.en : entry.zh);

export function kindWord(kind) {
  return said(city.kinds?.[kind]) ?? (knows(`kind_${kind}`) ? t(`kind_${kind}`) : kind);
}

/** The name of a class; of one without a name that of what it belongs to, with its own code. */
export function classWord(klass) {
  if (!klass) return "";
  for (let length = klass.length; length > 0; length -= 1) {
    const found = said(city.classes?.[klass.slice(0, length)]);
    if (found) return length === klass.length ? found : `${found} ${klass}`;
  }
  return klass;
}

export function resultWord(kind, word) {
  return said(city.kinds?.[kind]?.results?.[word]) ?? (knows(`result_${word}`) ? t(`result_${word}`) : word);
}

/** Why something was declined, taken back or given up: a word of the city's or ours, or a person's own. */
export function reasonWord(reason) {
  if (!reason) return "";
  if (reason.startsWith(PHONE)) return t("because_phone_of", { name: plain(reason.slice(PHONE.length), 40) });
  return said(city.declines?.[reason]) ?? (knows(`because_${reason}`) ? t(`because_${reason}`) : plain(reason, 200));
}

/** Why somebody cannot be sent. */
export function excludedWord(reason) {
  return knows(`out_${reason}`) ? t(`out_${reason}`) : reason;
}

export function unitName(unit) {
  return unit ? plain(nameOf(unit) ?? unit, 40) : t("somebody");
}

/** The name of who holds or answered something; of who is out of reach that there is somebody. */
export function nameWord(who, most = 40) {
  return who.name ? plain(who.name, most) : t("somebody");
}

/** Where a task stands: its holder's state if somebody has it, its answer if there is one. */
export function stateWord(row) {
  if (row.result && (row.state === "resulted" || row.state === "closed")) return `${t(`task_${row.state}`)}${t("colon")}${resultWord(row.kind, row.result.word)}`;
  return t(row.holder && row.state !== "resulted" ? `holder_${row.holder.state}` : `task_${row.state}`);
}

/** "12:34", "1:02:34", "3 d": a length of time that runs. */
export function countdown(ms) {
  const seconds = Math.floor(Math.abs(ms) / 1000);
  if (seconds >= 2 * 86_400) return t("span_d", { n: Math.floor(seconds / 86_400) });
  const hours = Math.floor(seconds / 3600);
  const rest = `${two(Math.floor((seconds % 3600) / 60))}:${two(seconds % 60)}`;
  return hours ? `${hours}:${rest}` : rest;
}

/** The time that is left, short: for a row. */
export function leftWord(row, now) {
  if (!OPEN.has(row.state)) return ago(Math.max(0, now - row.since));
  if (row.state === "suspended") return t("clock_stands");
  const left = leftOf(row, now);
  return left >= 0 ? countdown(left) : `+${countdown(left)}`;
}

/** Seconds as somebody says them who waits. */
export function etaWord(seconds) {
  if (seconds < 60) return t("eta_soon");
  const minutes = Math.round(seconds / 60);
  return minutes < 100 ? t("eta_min", { n: minutes }) : t("eta_h", { n: Math.floor(minutes / 60), m: two(minutes % 60) });
}

export function metresWord(metres) {
  if (metres === null || metres === undefined) return t("unknown");
  return metres < 950 ? t("metres", { n: Math.round(metres / 10) * 10 }) : t("kilometres", { n: (metres / 1000).toFixed(1) });
}

/** What a search looks through. */
export function searchText(row) {
  return [row.id, row.address, row.text, row.klass, classWord(row.klass), kindWord(row.kind), row.holder?.name, row.result?.name, row.source, row.street, row.pinned && unitName(row.pinned)].filter(Boolean).join("\n");
}
