// Everything that has happened to a task, each event as one line of words.

import { knows, t } from "./i18n.js";
import { plain } from "./labels.js";
import { countdown, etaWord, reasonWord, resultWord, unitName } from "./task_text.js";
import "./task_event_words.js";

const ROUND = "round";
const RULE = "rule";
// What says nothing that another line does not say better.
const SILENT = new Set(["finish", "declined", "attempt", "result", "mark.heard", "mark.photo", "mark.busy"]);
const TONES = {
  accept: "good", arrive: "good", report: "good", close: "good", adopt: "good",
  decline: "bad", undelivered: "bad", unanswered: "bad", abandon: "bad", expire: "bad", raise: "bad",
  "mark.critical": "bad", "mark.overdue": "bad", "mark.call": "bad", "mark.alert": "bad", cancel: "bad",
};

/** {at, words, more, tone} of a deed; null for what need not be told. */
export function eventLine(deed, task) {
  const key = deed.what === "mark" ? `mark.${deed.mark}` : deed.what === "pin" && !deed.unit ? "unpin" : deed.what;
  if (SILENT.has(key)) return null;
  const unit = deed.unit ?? task.attempts?.find((one) => one.attempt === deed.attempt)?.unit;
  const name = unit ? unitName(unit) : "";
  const by = deed.by === ROUND ? t("by_round") : deed.by === RULE ? t("by_rule") : deed.by ? plain(deed.by, 30) : "";
  const chosen = key === "offer" && deed.by !== ROUND;
  const word = `event_${chosen ? "offer_by" : key}`;
  const values = { name, by, level: deed.level ?? "", result: deed.word ? resultWord(task.kind, deed.word) : "" };
  return {
    at: deed.at,
    words: knows(word) ? t(word, values) : [key, name].filter(Boolean).join(" · "),
    more: [...more(key, deed, task), key !== "offer" && by && !t(word).includes("{by}") ? by : ""].filter(Boolean).join(" · "),
    tone: TONES[key] ?? "",
  };
}

function* more(key, deed, task) {
  if (key === "task") yield* [plain(deed.source ?? task.source ?? "", 40), deed.due && deed.created ? t("event_limit", { time: countdown(deed.due - deed.created) }) : ""];
  if (deed.eta) yield t("event_eta", { time: etaWord(deed.eta) });
  if (deed.reason) yield reasonWord(deed.reason);
  if (key === "amend") for (const what of ["address", "klass", "text", "spot"]) if (what in deed) yield t(`field_${what}`);
  if (deed.text && key !== "amend" && key !== "task") yield plain(deed.text, 200);
  for (const mark of deed.marks instanceof Array ? deed.marks : []) yield knows(`proof_${mark}`) ? t(`proof_${mark}`) : mark;
}
