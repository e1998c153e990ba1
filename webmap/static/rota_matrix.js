// The matrix of people and days: painted by mouse, planned by keyboard. Only the rows in view are in the document, so
// that a thousand people are as quick as ten.

import { element } from "./dom.js";
import { language, t } from "./i18n.js";
import { marksOf, sharesOf } from "./rota_attendance.js";
import { holidayWord, weekday, weekdayWord } from "./rota_words.js";

const ROW = { week: 46, month: 34 }; // px, as in rota.css
const SPARE = 5; // rows beyond the edges
const PAGE = 8; // rows of PageUp and PageDown

export class Matrix {
  #drag = null;
  #clip = null;
  #drawn = "";

  /** `plan` and `attendance` are read; `onWish(entries)` asks for a change, `onMove()` tells that the selection moved,
   * `onLook(ids)` that these people came into view. */
  constructor(node, { plan, attendance, onWish, onMove, onLook }) {
    Object.assign(this, { node, plan, attendance, onWish, onMove, onLook });
    this.people = [];
    this.view = "week";
    this.brush = undefined; // undefined selects, null clears, else a shift's id or "off"
    this.mayChange = false;
    this.cursor = { row: 0, column: 0 };
    this.anchor = { row: 0, column: 0 };
    this.head = element("div", "mx-head");
    this.head.setAttribute("role", "row");
    this.body = element("div", "mx-body");
    this.body.setAttribute("role", "rowgroup");
    node.append(this.head, this.body);
    node.addEventListener("scroll", () => this.#paintRows());
    node.addEventListener("keydown", (event) => this.#key(event));
    node.addEventListener("pointerdown", (event) => this.#down(event));
    node.addEventListener("pointermove", (event) => this.#drag && this.#move(event));
    for (const end of ["pointerup", "pointercancel"]) window.addEventListener(end, () => this.#up());
    new ResizeObserver(() => this.#paintRows()).observe(node);
  }

  /** Shows these people on the plan's days. */
  show(people, view) {
    this.people = people;
    this.view = view;
    this.node.dataset.view = view;
    this.node.style.setProperty("--days", this.plan.days.length);
    this.node.setAttribute("aria-rowcount", people.length + 1);
    this.node.setAttribute("aria-colcount", this.plan.days.length + 1);
    this.body.style.height = `${people.length * ROW[view]}px`;
    const within = (place) => ({ row: clamp(place.row, people.length), column: clamp(place.column, this.plan.days.length) });
    this.cursor = within(this.cursor);
    this.anchor = within(this.anchor);
    this.#paintHead();
    this.paint();
  }

  /** Draws anew what is in view. */
  paint() {
    this.#drawn = "";
    this.#paintRows();
  }

  /** The selected cells, row by row. */
  get selection() {
    const [top, bottom] = ordered(this.cursor.row, this.anchor.row);
    const [left, right] = ordered(this.cursor.column, this.anchor.column);
    return this.people.slice(top, bottom + 1).map((unit) => this.plan.days.slice(left, right + 1).map((day) => ({ unit: unit.id, day: day.day })));
  }

  /** Gives all selected cells a shift, "off", or null for nothing. */
  give(shift) {
    if (!this.mayChange) return;
    this.onWish(this.selection.flat().map(({ unit, day }) => ({ unit, day, shift, grids: gridsKept(shift, this.plan.at(unit, day)) })));
  }

  moveTo(row, column, extend = false) {
    this.cursor = { row: clamp(row, this.people.length), column: clamp(column, this.plan.days.length) };
    if (!extend) this.anchor = this.cursor;
    const top = this.cursor.row * ROW[this.view];
    const height = this.node.clientHeight - this.head.offsetHeight;
    if (top < this.node.scrollTop) this.node.scrollTop = top;
    else if (top + ROW[this.view] > this.node.scrollTop + height) this.node.scrollTop = top + ROW[this.view] - height;
    this.paint();
    this.onMove();
  }

  // -- drawing

  #paintHead() {
    const corner = element("div", "mx-corner", `${this.people.length}`);
    corner.setAttribute("role", "columnheader");
    const counts = this.plan.days.map(({ day }) => this.people.reduce((sum, unit) => sum + (this.#works(unit.id, day) ? 1 : 0), 0));
    this.head.replaceChildren(corner, ...this.plan.days.map((day, n) => {
      const node = element("div", "mx-day");
      node.setAttribute("role", "columnheader");
      node.dataset.kind = day.kind;
      if (day.day === this.plan.today) node.dataset.today = "";
      if (weekday(day.day) === 1) node.dataset.monday = "";
      const name = holidayWord(day);
      const line = element("span", "mx-date");
      line.append(element("b", "", String(Number(day.day.slice(8)))), element("i", "", weekdayWord(day.day, this.view === "month" ? "narrow" : "short")));
      if (day.kind === "holiday" || day.kind === "makeup") line.append(element("em", "", t(day.kind)));
      node.append(line, element("small", "", this.view === "week" ? [name, t("people_on", { n: counts[n] })].filter(Boolean).join(" · ") : String(counts[n] || "")));
      node.title = [day.day, name, t("people_on", { n: counts[n] })].filter(Boolean).join(" · ");
      return node;
    }));
  }

  /** The counts in the head; after every change. */
  recount() {
    this.#paintHead();
  }

  #works(unit, day) {
    const given = this.plan.at(unit, day);
    return given !== undefined && given.shift !== "off";
  }

  #paintRows() {
    const height = ROW[this.view];
    const first = Math.max(0, Math.floor(this.node.scrollTop / height) - SPARE);
    const last = Math.min(this.people.length, Math.ceil((this.node.scrollTop + this.node.clientHeight) / height) + SPARE);
    const drawn = `${first} ${last}`;
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    const [top, bottom] = ordered(this.cursor.row, this.anchor.row);
    const [left, right] = ordered(this.cursor.column, this.anchor.column);
    const rows = [];
    for (let r = first; r < last; r += 1) {
      const row = element("div", "mx-row");
      row.setAttribute("role", "row");
      row.setAttribute("aria-rowindex", r + 2);
      row.style.top = `${r * height}px`;
      row.append(this.#name(this.people[r]));
      this.plan.days.forEach((day, c) => {
        const cell = this.#cell(this.people[r], day, r, c);
        if (r >= top && r <= bottom && c >= left && c <= right) cell.setAttribute("aria-selected", "true");
        if (r === this.cursor.row && c === this.cursor.column) cell.classList.add("is-cursor");
        row.append(cell);
      });
      rows.push(row);
    }
    this.body.replaceChildren(...rows);
    if (this.people.length) this.node.setAttribute("aria-activedescendant", `c-${this.cursor.row}-${this.cursor.column}`);
    if (rows.length) this.onLook(this.people.slice(first, last).map((unit) => unit.id));
  }

  #name(unit) {
    const node = element("div", "mx-name");
    node.setAttribute("role", "rowheader");
    node.append(element("b", "", unit.name), element("small", "", [unit.team, unit.street].filter(Boolean).join(" · ")));
    node.title = unit.name;
    return node;
  }

  #cell(unit, day, r, c) {
    const given = this.plan.at(unit.id, day.day);
    const shift = given ? this.plan.shift(given.shift) : null;
    const node = element("div", "mx-cell");
    node.id = `c-${r}-${c}`;
    node.setAttribute("role", "gridcell");
    node.setAttribute("aria-colindex", c + 2);
    node.dataset.row = r;
    node.dataset.column = c;
    if (!day.worked) node.dataset.free = "";
    if (day.day === this.plan.today) node.dataset.today = "";
    if (weekday(day.day) === 1) node.dataset.monday = "";
    const name = !given ? "" : given.shift === "off" ? t("off") : shift?.name ?? given.shift;
    if (given) {
      const block = element("span", `block ${given.shift === "off" ? "block-off" : `colour-${shift?.colour ?? 0}`}`, this.view === "month" ? (given.shift === "off" ? t("off_brief") : brief(name)) : name);
      if (given.grids.length) block.dataset.grids = "";
      node.append(block);
    }
    const row = this.attendance.of(unit.id, day.day);
    const marks = marksOf(row);
    if (this.view === "week" && (marks.length || sharesOf(row).length)) {
      const line = element("span", "marks");
      if (marks.length) line.append(...marks.slice(0, 2).map((mark) => element("i", `mark mark-${mark.kind}`, mark.words)));
      else line.append(element("i", "mark mark-fine", sharesOf(row)[0]));
      node.append(line);
    } else if (marks.length) {
      node.append(element("i", `dot mark-${marks[0].kind}`));
    }
    node.setAttribute("aria-label", [unit.name, day.day, holidayWord(day), name || t("nothing_planned"), ...marks.map((mark) => mark.words)].filter(Boolean).join(" "));
    return node;
  }

  // -- by mouse

  #place(event) {
    const cell = document.elementFromPoint(event.clientX, event.clientY)?.closest(".mx-cell");
    return cell ? { row: Number(cell.dataset.row), column: Number(cell.dataset.column) } : null;
  }

  #down(event) {
    const place = event.button === 0 ? this.#place(event) : null;
    if (!place) return;
    event.preventDefault();
    this.node.focus({ preventScroll: true });
    this.#drag = place;
    this.moveTo(place.row, place.column, event.shiftKey);
  }

  #move(event) {
    const place = this.#place(event);
    if (place && (place.row !== this.cursor.row || place.column !== this.cursor.column)) this.moveTo(place.row, place.column, true);
  }

  #up() {
    if (!this.#drag) return;
    this.#drag = null;
    if (this.brush !== undefined) this.give(this.brush);
  }

  // -- by keyboard

  #key(event) {
    if (event.isComposing || event.altKey) return;
    const { row, column } = this.cursor;
    const far = event.ctrlKey || event.metaKey;
    const steps = {
      ArrowLeft: () => [row, far ? 0 : column - 1], ArrowRight: () => [row, far ? this.plan.days.length - 1 : column + 1],
      ArrowUp: () => [far ? 0 : row - 1, column], ArrowDown: () => [far ? this.people.length - 1 : row + 1, column],
      Home: () => [row, 0], End: () => [row, this.plan.days.length - 1], PageUp: () => [row - PAGE, column], PageDown: () => [row + PAGE, column],
    };
    if (steps[event.key]) this.moveTo(...steps[event.key](), event.shiftKey);
    else if (far) return this.#command(event);
    else if (event.key === "Delete" || event.key === "Backspace") this.give(null);
    else if (event.key === "0") this.give("off");
    else {
      const shift = this.plan.given.find((one) => one.key && one.key === event.key.toLowerCase());
      if (!shift) return;
      this.give(shift.id);
    }
    event.preventDefault();
    event.stopPropagation();
  }

  #command(event) {
    const key = event.key.toLowerCase();
    if (key === "a") {
      this.anchor = { row: 0, column: 0 };
      this.moveTo(this.people.length - 1, this.plan.days.length - 1, true);
    } else if (key === "c" || key === "x") {
      this.#clip = this.selection.map((cells) => cells.map(({ unit, day }) => this.plan.at(unit, day)));
      if (key === "x") this.give(null);
    } else if (key === "v") this.#paste();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** What was copied, from the selection's first cell on; over and over in a selection that is larger. */
  #paste() {
    if (!this.#clip || !this.mayChange) return;
    const clip = this.#clip;
    const [top, bottom] = ordered(this.cursor.row, this.anchor.row);
    const [left, right] = ordered(this.cursor.column, this.anchor.column);
    const rows = Math.max(clip.length, bottom - top + 1);
    const columns = Math.max(clip[0].length, right - left + 1);
    const wanted = [];
    for (let r = 0; r < rows && top + r < this.people.length; r += 1) {
      for (let c = 0; c < columns && left + c < this.plan.days.length; c += 1) {
        const given = clip[r % clip.length][c % clip[0].length];
        const gone = given && given.shift !== "off" && (this.plan.shift(given.shift)?.retired ?? true);
        if (!gone) wanted.push({ unit: this.people[top + r].id, day: this.plan.days[left + c].day, shift: given?.shift ?? null, grids: given?.grids ?? [] });
      }
    }
    this.anchor = { row: top, column: left };
    this.onWish(wanted);
    this.moveTo(top + rows - 1, left + columns - 1, true);
  }
}

const clamp = (n, count) => Math.max(0, Math.min(n, count - 1));
const ordered = (a, b) => (a < b ? [a, b] : [b, a]);

/** Another shift keeps the grids that were given for the day; a day off has none. */
const gridsKept = (shift, before) => (shift === null || shift === "off" ? [] : before?.grids ?? []);

/** The sign of a shift where there is room for little. */
const brief = (name) => (language() === "zh" || /[^\x00-\x7f]/.test(name) ? [...name].slice(0, 1).join("") : name.slice(0, 2));

