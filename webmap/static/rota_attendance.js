// What came of the plan: read for the rows that are looked at, a few people at a time, and put into words.

import { api } from "./api.js";
import { text } from "./dom.js";
import { t } from "./i18n.js";
import { lengthWord } from "./rota_words.js";

const UNIT_DAYS = 400; // in one question: a second or two the first time, little more than nothing after that
const PATIENCE_MS = 1000; // what takes longer shows how far it has come

export class Attendance {
  #rows = new Map();
  #wanted = [];
  #busy = false;
  #asked = 0;

  /** `note` is where it says how far it has come. */
  constructor({ note, onChange, onProblem }) {
    this.note = note;
    this.onChange = onChange;
    this.onProblem = onProblem;
    this.may = false;
  }

  of(unit, day) {
    return this.#rows.get(`${unit} ${day}`);
  }

  /** Forgets what is known of some cells, or of all. */
  forget(cells) {
    if (!cells) this.#rows.clear();
    else for (const { unit, day } of cells) this.#rows.delete(`${unit} ${day}`);
  }

  /** These people on these days are looked at; what was asked for before and not read yet no longer matters. */
  look(units, first, last, today) {
    if (!this.may || first > today) return;
    const end = last < today ? last : today;
    const days = Math.round((Date.parse(end) - Date.parse(first)) / 86_400_000) + 1;
    const missing = units.filter((unit) => !this.#rows.has(`${unit} ${first}`) || !this.#rows.has(`${unit} ${end}`));
    const size = Math.max(1, Math.floor(UNIT_DAYS / days));
    this.#wanted = [];
    for (let n = 0; n < missing.length; n += size) this.#wanted.push([missing.slice(n, n + size), first, end]);
    this.#next();
  }

  async #next() {
    if (this.#busy) return;
    this.#busy = true;
    let read = 0;
    const tell = () => {
      const all = this.#wanted.reduce((sum, [units]) => sum + units.length, read + this.#asked);
      text(this.note, t("reading", { n: read, all }));
      this.note.hidden = false;
    };
    const patience = setTimeout(tell, PATIENCE_MS);
    while (this.#wanted.length) {
      const [units, first, last] = this.#wanted.shift();
      this.#asked = units.length;
      try {
        const { rows } = await api.attendance(units, first, last);
        for (const row of rows) this.#rows.set(`${row.unit} ${row.day}`, row);
        this.onChange();
      } catch (error) {
        this.#wanted = [];
        this.onProblem(error);
      }
      read += this.#asked;
      this.#asked = 0;
      if (!this.note.hidden) tell();
    }
    clearTimeout(patience);
    this.note.hidden = true;
    this.#busy = false;
  }
}

/** The marks of a day, the worst first: [{kind, words}]. */
export function marksOf(row) {
  if (!row) return [];
  if (row.state === "absent" || row.state === "awaited" || row.state === "unknown") {
    const late = row.late_ms ? [{ kind: "late", words: t("late", { n: lengthWord(row.late_ms) }) }] : [];
    return [{ kind: row.state, words: t(`state_${row.state}`) }, ...late];
  }
  const marks = [];
  for (const kind of ["late", "early", "off_post"]) {
    const ms = row[`${kind}_ms`];
    if (ms) marks.push({ kind, words: t(kind, { n: lengthWord(ms) }) });
  }
  return marks;
}

const percent = (share) => Math.round(100 * share);

/** The shares of a day in words. */
export function sharesOf(row) {
  const found = [];
  if (row?.in_grid !== null && row?.in_grid !== undefined) found.push(t("in_grid", { n: percent(row.in_grid) }));
  if (row?.with_fix !== null && row?.with_fix !== undefined) found.push(t("with_fix", { n: percent(row.with_fix) }));
  return found;
}
