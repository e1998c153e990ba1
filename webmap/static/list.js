// The list of units, in step with the map. Only the rows in sight exist: a city has thousands.

import { language, t } from "./i18n.js";
import { plain } from "./labels.js";
import { markElement } from "./marks.js";
import { isSos, ONLINE_FIX } from "./state.js";
import { ageOf, speedWord } from "./time.js";
import { VirtualRows } from "./virtual_rows.js";

const ROW = 56;

export class UnitList {
  #list;

  constructor({ view, clock, onPick }) {
    this.view = view;
    this.clock = clock;
    this.box = document.getElementById("list");
    this.space = document.getElementById("rows");
    this.count = document.getElementById("count");
    this.empty = document.getElementById("empty");
    this.#list = new VirtualRows({ box: this.box, space: this.space, height: ROW, make: newRow, fill: (row, unit) => this.#fill(row, unit, clock.now()) });
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
    const rows = this.view.rows();
    this.#list.set(rows);
    text(this.count, t("unit_count", { n: rows.length, all: this.view.units.all.size }));
    this.empty.hidden = rows.length > 0 || this.view.units.all.size === 0;
    this.#tellSelected();
  }

  paint() {
    this.#list.paint();
    this.#tellSelected();
  }

  /** Moves the selection by `step` rows and returns the unit's id, or null at an empty list. */
  neighbour(step) {
    const at = this.#list.neighbour(this.#at(), step);
    return at < 0 ? null : this.#list.items[at].id;
  }

  first() {
    return this.#list.items[0]?.id ?? null;
  }

  /** Scrolls so that the selected unit's row can be seen. */
  reveal() {
    this.#list.reveal(this.#at());
  }

  #at() {
    return this.#list.items.findIndex((unit) => unit.id === this.view.selected);
  }

  #tellSelected() {
    attribute(this.box, "aria-activedescendant", this.#list.rows.find((row) => row.dataset.id === this.view.selected)?.id ?? "");
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
