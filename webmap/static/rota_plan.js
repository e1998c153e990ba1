// What is planned: the server's rota of the days that are shown, and changes on their way to it. Each can be undone.

import { api } from "./api.js";

const UNDO_LIMIT = 100; // steps; each holds what was before
const AT_ONCE = 5000; // days of people in one request

const FILL_AT_ONCE = 20_000; // the same where the server does it

const key = (unit, day) => `${unit} ${day}`;

export class Plan {
  #cells = new Map();
  #undo = [];
  #redo = [];
  #sending = Promise.resolve();
  #asked = 0;

  /** `onChange(cells)` after every change, with the cells that are others now or nothing for all; `onProblem(error)`. */
  constructor({ onChange, onProblem }) {
    this.onChange = onChange;
    this.onProblem = onProblem;
    this.people = [];
    this.days = [];
    this.shifts = [];
    this.today = "";
    this.now = 0;
  }

  /** The shifts that can be given, in order; each with the key that gives it. */
  get given() {
    return this.shifts.filter((shift) => !shift.retired).map((shift, n) => ({ ...shift, key: KEYS[n] ?? "" }));
  }

  shift(id) {
    return this.shifts.find((shift) => shift.id === id) ?? null;
  }

  /** What a unit has on a day: {shift, grids}, or undefined. */
  at(unit, day) {
    return this.#cells.get(key(unit, day));
  }

  async loadShifts() {
    this.shifts = (await api.shifts()).shifts;
    this.onChange(null);
  }

  /** Reads the rota of some days. An answer that comes after a later question is passed over. */
  async load(first, last) {
    const asked = ++this.#asked;
    await this.#sending.catch(() => {});
    const told = await api.rota(first, last);
    if (asked !== this.#asked) return;
    this.people = told.units;
    this.days = told.calendar;
    this.today = told.today;
    this.now = told.now;
    this.#cells = new Map(told.units.flatMap((unit) => Object.entries(unit.days).map(([day, given]) => [key(unit.id, day), given])));
    this.onChange(null);
  }

  get canUndo() {
    return this.#undo.length > 0;
  }

  get canRedo() {
    return this.#redo.length > 0;
  }

  /** Gives what is wanted: [{unit, day, shift, grids}], shift null for nothing. It is shown at once and sent after what
   * was before. */
  put(wanted) {
    const before = this.#take(wanted);
    if (!before.length) return;
    this.#undo.push(before);
    if (this.#undo.length > UNDO_LIMIT) this.#undo.shift();
    this.#redo = [];
    this.#send(before);
  }

  undo() {
    this.#back(this.#undo, this.#redo);
  }

  redo() {
    this.#back(this.#redo, this.#undo);
  }

  /** Asks the server to plan for many at once, and reads what came of it. */
  async fill(wanted, first, last) {
    const before = new Map(this.#cells);
    await this.#sending.catch(() => {});
    let changed = 0;
    const size = Math.max(1, Math.floor(FILL_AT_ONCE / this.days.length));
    for (let n = 0; n < wanted.units.length; n += size) {
      const part = { ...wanted, units: wanted.units.slice(n, n + size) };
      // The next people go on in the pattern where they would have in one request.
      if (wanted.pattern) part.pattern = turned(wanted.pattern, n * wanted.rotate);
      changed += (await api.planRota(part)).changed;
    }
    await this.load(first, last);
    const cells = new Set([...before.keys(), ...this.#cells.keys()]);
    const step = [...cells].filter((cell) => !same(before.get(cell), this.#cells.get(cell))).map((cell) => entry(cell, before.get(cell)));
    if (step.length) {
      this.#undo.push(step);
      this.#redo = [];
      this.onChange(null);
    }
    return changed;
  }

  #back(from, to) {
    const step = from.pop();
    if (!step) return;
    const before = this.#take(step);
    if (!before.length) return this.onChange(null);
    to.push(before);
    this.#send(before);
  }

  /** Takes entries in; answers those that undo it. */
  #take(wanted) {
    const before = [];
    for (const { unit, day, shift, grids = [] } of wanted) {
      const cell = key(unit, day);
      const value = shift === null ? undefined : { shift, grids };
      if (same(this.#cells.get(cell), value)) continue;
      before.push(entry(cell, this.#cells.get(cell)));
      if (value) this.#cells.set(cell, value);
      else this.#cells.delete(cell);
    }
    return before;
  }

  #send(before) {
    const now = before.map(({ unit, day }) => entry(key(unit, day), this.at(unit, day)));
    this.onChange(now);
    this.#sending = this.#sending.catch(() => {}).then(async () => {
      for (let n = 0; n < now.length; n += AT_ONCE) await api.planRota({ assignments: now.slice(n, n + AT_ONCE) });
    });
    this.#sending.catch((error) => {
      // What is shown is no longer what is: the steps lead nowhere.
      this.#undo = [];
      this.#redo = [];
      this.onProblem(error);
    });
  }
}

/** The keys that give shifts, in their order; 0 gives a day off. */
const KEYS = "123456789abefghijknopqrstuvwxyz";

const turned = (list, by) => [...list.slice(by % list.length), ...list.slice(0, by % list.length)];

const same = (one, other) => JSON.stringify(one ?? null) === JSON.stringify(other ?? null);

function entry(cell, value) {
  const [unit, day] = cell.split(" ");
  return { unit, day, shift: value?.shift ?? null, grids: value?.grids ?? [] };
}
