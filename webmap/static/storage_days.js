// The city's days in the archive, newest first: open, closed with their digest, added to later, deleted and why.

import { api } from "./api.js";
import { element, icon } from "./dom.js";
import { language, t } from "./i18n.js";
import { count, moment, size } from "./sizes.js";
import { digestButton } from "./storage_proof.js";

const $ = (id) => document.getElementById(id);

const PAGE = 30;
const MOST = 400; // that one answer may hold

export class Days {
  #days = [];
  #next = null;
  #measured = 0;
  #zone = "Asia/Shanghai";
  #loading = false;

  constructor({ onProblem }) {
    this.onProblem = onProblem;
    $("more").addEventListener("click", () => this.#load(this.#next));
  }

  /** The disk was looked at again: as many days as are shown are asked for anew. */
  learn(told) {
    this.#zone = told.zone;
    if (told.measured !== this.#measured && !this.#loading) {
      this.#measured = told.measured;
      this.#load(null);
    }
  }

  async #load(before) {
    this.#loading = true;
    try {
      const wanted = before === null ? Math.min(MOST, Math.max(PAGE, this.#days.length)) : PAGE;
      const found = await api.storageDays(before, wanted);
      this.#days = before === null ? found.days : [...this.#days, ...found.days];
      this.#next = found.next;
      this.#paint();
    } catch (error) {
      this.onProblem(error);
    }
    this.#loading = false;
  }

  translate() {
    this.#paint();
  }

  /** The focus to the next day, or the one before. */
  move(step) {
    const rows = [...$("days").querySelectorAll("summary")];
    const at = rows.indexOf(document.activeElement);
    const next = rows[Math.min(rows.length - 1, Math.max(0, at < 0 ? 0 : at + step))];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  }

  #paint() {
    $("days-none").hidden = this.#days.length > 0;
    $("more").hidden = this.#next === null;
    const kept = new Map([...$("days").children].map((row) => [row.dataset.day, row]));
    const rows = this.#days.map((day) => {
      const key = JSON.stringify([language(), day]);
      const before = kept.get(day.day);
      if (before?.dataset.key === key) return before;
      const row = this.#row(day);
      row.dataset.key = key;
      if (before?.firstElementChild.open) row.firstElementChild.open = true;
      return row;
    });
    if (rows.some((row, index) => $("days").children[index] !== row) || rows.length !== $("days").children.length) $("days").replaceChildren(...rows);
  }

  #row(day) {
    const row = element("li");
    row.dataset.day = day.day;
    const details = element("details");
    const summary = element("summary", "day");
    summary.setAttribute("aria-label", t("day_more", { day: day.day }));
    const fixes = day.classes.find((one) => one.class === "fixes") ?? day.classes[0];
    const state = element("span", "state", t(`day_${day.state}`));
    state.dataset.state = day.state;
    const notes = element("span", "day-notes", notesOf(day, this.#zone));
    summary.append(element("b", "", day.day), state, element("span", "day-size", day.bytes ? size(day.bytes) : "—"), notes);
    summary.append(element("code", "", fixes?.closed ? fixes.closed.digest.slice(0, 12) : ""), icon("down"));
    details.append(summary, this.#parts(day));
    row.append(details);
    return row;
  }

  #parts(day) {
    const list = element("dl", "day-parts");
    for (const part of day.classes) {
      const told = element("dd");
      for (const [sealed, words] of [[part.closed, "day_sealed"], ...part.supplements.map((one) => [one, "day_late"])]) {
        if (!sealed) continue;
        const line = element("p");
        const facts = [t(words, { date: moment(sealed.at, this.#zone) }), sealed.rows ? t("day_rows", { n: count(sealed.rows) }) : "", size(sealed.bytes), t("chain_entries", { n: count(sealed.number) })];
        line.append(element("span", "", facts.filter(Boolean).join(" · ")), digestButton(sealed.digest));
        told.append(line);
      }
      if (part.open_bytes) told.append(element("p", "", t("day_open_part", { size: size(part.open_bytes) })));
      if (part.deleted) told.append(element("p", "", `${t("day_deleted")}: ${goneWords(part.deleted, this.#zone)}`));
      if (part.removals) told.append(element("p", "", t("day_removals", { n: part.removals })));
      list.append(element("dt", "", t(`part_${part.class}`)), told);
    }
    return list;
  }
}

const goneWords = (gone, zone) => t("day_gone", { reason: t(`reason_${gone.reason}`), date: moment(gone.at, zone) });

/** What is worth seeing before a day is opened: supplements, and why it went. */
function notesOf(day, zone) {
  const supplements = day.classes.reduce((sum, part) => sum + part.supplements.length, 0);
  const gone = day.classes.find((part) => part.deleted)?.deleted;
  return [
    supplements === 1 ? t("day_supplement") : supplements ? t("day_supplements", { n: supplements }) : "",
    gone ? goneWords(gone, zone) : "",
  ].filter(Boolean).join(" · ");
}
