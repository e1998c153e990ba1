// The desk as the server tells it: open tasks and those that ended lately, calls for help, reports from the field, and
// what the seats are told. It asks for what has changed whenever the feed says that something has.

import { api } from "./api.js";
import { plane } from "./projection.js";

export const FILTERS = ["open", "new", "late", "done"];
export const OPEN = new Set(["queued", "assigned", "in_progress", "resulted", "suspended"]);
const LIGHTS = ["green", "yellow", "red"];
const RETRY_MS = 5000;
const PACE_MS = 250; // between two questions
const RANK = 1e14; // more than any time in ms
const NOTES = 300; // of the last ones: a shift's, and more than anybody reads
const NEEDS_A_SEAT = 3; // from this level of escalation on

/** What its clock shows: it stands from the answer on, and while a task is put aside. */
const clockOf = (row, now) => row.result?.at ?? (row.state === "suspended" || !OPEN.has(row.state) ? row.since : now);

/** ms until a task is due; less than nothing: late by so much. */
export function leftOf(row, now) {
  return row.due - clockOf(row, now);
}

/** green, yellow or red: what the server said, unless its time has come since. */
export function lightOf(row, now) {
  const at = clockOf(row, now);
  const passed = at >= row.due || row.overdue ? 2 : at >= row.critical ? 1 : 0;
  return LIGHTS[Math.max(passed, LIGHTS.indexOf(row.light))];
}

/** Whom a seat has to see to: nobody could be found for it. */
export function needsSeat(row) {
  return row.level >= NEEDS_A_SEAT && (row.state === "queued" || row.state === "assigned");
}

/** When somebody will be there (ms), as expected when he was asked; null when nobody knows, or he is there. */
export function arrivalOf(row) {
  const { holder } = row;
  if (!holder?.eta || holder.at?.offered === undefined || ["on_scene", "reported", "done"].includes(holder.state)) return null;
  return holder.at.offered + 1000 * holder.eta;
}

export class Desk {
  rows = new Map();
  sos = [];
  problems = [];
  notes = [];
  words = {};
  version = 0;
  loaded = false;
  selected = null;
  hovered = null;
  filter = "open";
  query = "";
  pending = new Map(); // task -> what is about to be sent
  sorted = 0; // how often all were sorted
  #asking = false;
  #asked = -Infinity;
  #timer = 0;
  #told = 0;
  #key = "";
  #changes = 0;
  #list = [];
  #listeners = [];

  /** {clock, textOf(row): what a search looks through, onTrouble(error)} */
  constructor(parts) {
    Object.assign(this, parts);
  }

  onChange(listener) {
    this.#listeners.push(listener);
  }

  #tell(what) {
    for (const listener of this.#listeners) listener(what);
  }

  get row() {
    return this.selected === null ? null : this.rows.get(this.selected) ?? null;
  }

  // -- from the server

  /** The feed says that the desk has come to a version. A busy one does so ten times a second. */
  nudge(version) {
    this.#told = version;
    if (version === this.version || this.#asking) return;
    this.#later(Math.max(0, this.#asked + PACE_MS - performance.now()));
  }

  #later(wait) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.ask(), wait);
  }

  /** Asks for what has changed; what is said on the way is one more question. */
  async ask() {
    if (this.#asking) return;
    clearTimeout(this.#timer);
    this.#asking = true;
    this.#asked = performance.now();
    this.#told = 0;
    try {
      this.take(await api.desk(this.version));
      if (this.#told > this.version) this.#later(PACE_MS);
    } catch (error) {
      this.#later(RETRY_MS);
      this.onTrouble(error);
    } finally {
      this.#asking = false;
    }
  }

  take(answer) {
    this.clock.heard(answer.now);
    const fresh = answer.notes.filter((note) => !this.notes.length || note.n > this.notes[0].n);
    if (answer.whole) {
      this.rows.clear();
      this.notes = [];
    }
    for (const id of answer.gone) this.rows.delete(id);
    for (const row of answer.tasks) this.#put(row);
    this.sos = answer.sos;
    this.problems = answer.problems;
    this.notes = [...answer.notes.toSorted((a, b) => b.n - a.n), ...this.notes].slice(0, NOTES);
    if (answer.words) this.words = answer.words;
    const first = !this.loaded;
    this.version = answer.version;
    this.loaded = true;
    this.#changes += 1;
    this.#tell({ data: true, first, fresh: first ? [] : fresh, ids: answer.whole ? null : answer.tasks.map((row) => row.id) });
  }

  /** A change has been made from here: its answer is the task as it is now. */
  put(row) {
    this.#put(row);
    this.#changes += 1;
    this.#tell({ data: true, fresh: [], ids: [row.id] });
  }

  #put(told) {
    // A whole task has lists where a row has their lengths.
    const row = Array.isArray(told.kept) ? { ...told, kept: told.kept.length, links: told.links.length } : told;
    const before = this.rows.get(row.id);
    if (before && before.version > row.version) return; // two answers have overtaken one another
    [row.x, row.y] = plane.place(...row.spot);
    this.rows.set(row.id, row);
  }

  /** The map's plane has changed (projection.js). */
  move() {
    for (const row of this.rows.values()) [row.x, row.y] = plane.place(...row.spot);
  }

  // -- what one looks at

  select(id, how = {}) {
    if (this.selected === id && !how.again) return;
    this.selected = id;
    this.#tell({ selection: true, center: how.center ?? false });
  }

  hover(id) {
    if (this.hovered === id) return;
    this.hovered = id;
    this.#tell({ hover: true });
  }

  look({ filter = this.filter, query = this.query }) {
    if (filter === this.filter && query === this.query) return;
    [this.filter, this.query] = [filter, query];
    this.#tell({ filter: true });
  }

  /** Something is about to be sent for a task, or not any more. */
  wait(id, what) {
    if (what) this.pending.set(id, what);
    else this.pending.delete(id);
    this.#changes += 1;
    this.#tell({ data: true, fresh: [], ids: [id] });
  }

  /** The words are others now: a search may find others. */
  renamed() {
    for (const row of this.rows.values()) row.text_ = undefined;
    this.#changes += 1;
  }

  /** How many there are of each filter. */
  counts() {
    const now = this.clock.now();
    const counts = { open: 0, new: 0, late: 0, done: 0 };
    for (const row of this.rows.values()) for (const filter of FILTERS) if (fits(row, filter, now)) counts[filter] += 1;
    return counts;
  }

  /** What passes the filter and the search: who needs a seat first, then as they get due; what has ended newest first. */
  list() {
    const key = `${this.#changes}/${this.filter}/${this.query}`;
    if (key === this.#key) return this.#list;
    this.#key = key;
    this.sorted += 1;
    const now = this.clock.now();
    const words = this.query.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    const found = [...this.rows.values()].filter((row) => fits(row, this.filter, now) && this.#matches(row, words));
    // One number each: thousands are compared with one another.
    const ended = this.filter === "done";
    for (const row of found) row.place = ended ? -row.since : RANK * rankOf(row) + row.due;
    this.#list = found.sort((a, b) => a.place - b.place || (a.id < b.id ? -1 : 1));
    return this.#list;
  }

  #matches(row, words) {
    if (words.length === 0) return true;
    row.text_ ??= this.textOf(row).toLocaleLowerCase();
    return words.every((word) => row.text_.includes(word));
  }
}

/** Who needs a seat, what is open, what waits for a look, what has been put aside. */
function rankOf(row) {
  return needsSeat(row) ? 0 : row.state === "suspended" ? 3 : row.state === "resulted" ? 2 : 1;
}

function fits(row, filter, now) {
  if (filter === "done") return !OPEN.has(row.state);
  if (!OPEN.has(row.state)) return false;
  return filter === "open" || (filter === "new" ? row.state === "queued" : lightOf(row, now) === "red" && row.state !== "suspended");
}
