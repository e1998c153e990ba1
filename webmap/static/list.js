// The list of units, in step with the map. Only the rows in sight exist: a city has thousands.

import { language, t } from "./i18n.js";
import { plain } from "./labels.js";
import { markElement } from "./marks.js";
import { isSos, ONLINE_FIX } from "./state.js";
import { ageOf, speedWord } from "./time.js";

const ROW = 56;
const SPARE = 4;

export class UnitList {
  #rows = [];
  #pool = new Map(); // position in the list -> element
  #top = 0; // what the box has been scrolled to, and its height: asking for them costs a layout
  #height = 0;

  constructor({ view, clock, onPick }) {
    this.view = view;
    this.clock = clock;
    this.box = document.getElementById("list");
    this.space = document.getElementById("rows");
    this.count = document.getElementById("count");
    this.empty = document.getElementById("empty");
    const look = () => {
      this.#top = this.box.scrollTop;
      this.#height = this.box.clientHeight;
      this.paint();
    };
    this.box.addEventListener("scroll", look, { passive: true });
    new ResizeObserver(look).observe(this.box);
    this.space.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (row) onPick(row.dataset.id);
    });
    // Mouse events like the map's own: pointer events would come before the map has let go of its unit.
    this.space.addEventListener("mouseover", (event) => view.hover(event.target.closest(".row")?.dataset.id ?? null));
    this.space.addEventListener("mouseleave", () => view.hover(null));
  }

  /** The units changed, or the filters, or what the map shows. */
  update() {
    this.#rows = this.view.rows();
    const height = `${this.#rows.length * ROW}px`;
    if (this.space.style.height !== height) this.space.style.height = height;
    text(this.count, t("unit_count", { n: this.#rows.length, all: this.view.units.all.size }));
    this.empty.hidden = this.#rows.length > 0 || this.view.units.all.size === 0;
    this.paint();
  }

  paint() {
    // A list that has become shorter is scrolled back by the browser, which tells us later.
    const top = Math.min(this.#top, Math.max(0, this.#rows.length * ROW - this.#height));
    const first = Math.max(0, Math.floor(top / ROW) - SPARE);
    const last = Math.min(this.#rows.length, Math.ceil((top + this.#height) / ROW) + SPARE);
    for (const [index, row] of this.#pool) {
      if (index >= first && index < last) continue;
      row.remove();
      this.#pool.delete(index);
    }
    const now = this.clock.now();
    for (let index = first; index < last; index += 1) {
      let row = this.#pool.get(index);
      if (!row) {
        row = newRow(index);
        this.#pool.set(index, row);
        this.space.append(row);
      }
      this.#fill(row, this.#rows[index], now);
    }
    attribute(this.box, "aria-activedescendant", this.#selectedRow() ?? "");
  }

  /** Moves the selection by `step` rows and returns the unit's id, or null at an empty list. */
  neighbour(step) {
    if (this.#rows.length === 0) return null;
    const at = this.#rows.findIndex((unit) => unit.id === this.view.selected);
    const next = at < 0 ? (step > 0 ? 0 : this.#rows.length - 1) : Math.max(0, Math.min(this.#rows.length - 1, at + step));
    return this.#rows[next].id;
  }

  first() {
    return this.#rows[0]?.id ?? null;
  }

  /** Scrolls so that the selected unit's row can be seen. */
  reveal() {
    const at = this.#rows.findIndex((unit) => unit.id === this.view.selected);
    if (at < 0) return;
    const top = at * ROW;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    else if (top + ROW > this.box.scrollTop + this.box.clientHeight) this.box.scrollTop = top + ROW - this.box.clientHeight;
    this.paint();
  }

  #selectedRow() {
    for (const row of this.#pool.values()) if (row.dataset.id === this.view.selected) return row.id;
    return null;
  }

  #fill(row, unit, now) {
    const { parts } = row;
    const sos = isSos(unit);
    const sign = `${unit.state}${unit.kind}`;
    if (row.dataset.sign !== sign) {
      row.dataset.sign = sign;
      parts.sign.replaceChildren(markElement(unit.state, unit.kind));
    }
    set(row.dataset, "id", unit.id);
    row.classList.toggle("is-sos", sos);
    row.classList.toggle("is-hover", unit.id === this.view.hovered);
    attribute(row, "aria-selected", String(unit.id === this.view.selected));
    text(parts.name, plain(unit.name, 40));
    text(parts.where, [unit.street, unit.team].filter(Boolean).map((word) => plain(word, 40)).join(" · "));
    text(parts.state, sos ? t("sos") : unit.state === ONLINE_FIX ? motion(unit) : t(`state_${unit.state}`));
    // Of a unit that is well and outside the watched area we are not told each fix: no age is better than an old one.
    text(parts.age, unit.near || unit.state !== ONLINE_FIX ? ageOf(unit.fix, now) : "");
    set(parts.state.dataset, "state", sos ? "sos" : String(unit.state));
    attribute(row, "lang", language());
  }
}

/** Of a unit that is online and located nothing needs saying but how it moves. */
function motion(unit) {
  return unit.near && unit.speed !== null ? speedWord(unit.speed) : t("state_0");
}

function newRow(index) {
  const row = document.createElement("div");
  row.className = "row";
  row.id = `row-${index}`;
  row.setAttribute("role", "option");
  row.style.transform = `translateY(${index * ROW}px)`;
  row.parts = {};
  for (const name of ["sign", "name", "state", "where", "age"]) {
    const part = document.createElement(name === "name" || name === "where" ? "bdi" : "span");
    part.className = `row-${name}`;
    row.parts[name] = part;
    row.append(part);
  }
  return row;
}

function text(node, value) {
  if (node.textContent !== value) node.textContent = value;
}

function attribute(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

function set(data, name, value) {
  if (data[name] !== value) data[name] = value;
}
