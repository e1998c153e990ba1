// Who carries the phone: somebody who is known, found by typing, or a new person with sensible labels.

import { element } from "./dom.js";
import { language, t } from "./i18n.js";
import { plain } from "./labels.js";

const CHOICES = 8;

export class Person {
  #units = [];
  #grids = [];
  #chosen = null; // a known unit
  #shown = [];
  #active = -1;
  #put = {}; // what we wrote into fields, to be replaced when the grid changes

  constructor({ prefs, nameOfGrid }) {
    Object.assign(this, { prefs, nameOfGrid });
    for (const id of ["name", "names", "name-note", "about", "team", "street", "grid", "teams", "streets"]) this[id] = document.getElementById(id);
    this.note = this["name-note"];
    this.name.addEventListener("input", () => {
      this.#chosen = null;
      this.#open();
      this.show();
    });
    this.name.addEventListener("click", () => this.name.value === "" && this.#open());
    this.name.addEventListener("blur", () => this.#close());
    this.name.addEventListener("keydown", (event) => this.#key(event));
    // Before the field loses the focus, and with it the list.
    this.names.addEventListener("mousedown", (event) => {
      event.preventDefault();
      const choice = event.target.closest("li");
      if (choice) this.#choose(Number(choice.dataset.index));
    });
    this.grid.addEventListener("change", () => this.#labelsOfGrid());
  }

  learn(units, grids) {
    this.#units = units;
    this.#grids = grids;
    if (this.#chosen) this.#chosen = units.find((unit) => unit.id === this.#chosen.id) ?? null;
    const collator = new Intl.Collator(language());
    const words = (field) => [...new Set(units.map((unit) => unit[field]).filter(Boolean))].sort(collator.compare);
    this.teams.replaceChildren(...words("team").map((word) => new Option(word, word)));
    this.streets.replaceChildren(...[...new Set([...words("street"), ...grids.map((grid) => grid.street).filter(Boolean)])].map((word) => new Option(word, word)));
    const before = this.grid.value;
    this.grid.replaceChildren(new Option(t("no_grid"), ""), ...grids.map((grid) => new Option(plain(this.nameOfGrid(grid), 40), grid.id)));
    this.grid.value = grids.some((grid) => grid.id === before) ? before : "";
    this.#defaults();
    this.show();
  }

  /** What the last phone's carrier had: phones are handed out team by team. */
  #defaults() {
    const last = this.prefs.get("phoneLast") ?? {};
    if (!this.team.value) this.team.value = this.#put.team = last.team ?? (this.teams.options.length === 1 ? this.teams.options[0].value : "");
    if (!this.street.value) this.street.value = this.#put.street = last.street ?? "";
    if (!this.grid.value && this.#grids.some((grid) => grid.id === last.grid)) this.grid.value = last.grid;
  }

  /** A grid has its street, and mostly its team; what a person wrote stays. */
  #labelsOfGrid() {
    const street = this.#grids.find((grid) => grid.id === this.grid.value)?.street;
    const team = this.#units.find((unit) => unit.grid === this.grid.value)?.team;
    for (const [field, value] of [["street", street], ["team", team]]) {
      if (!value || (this[field].value && this[field].value !== this.#put[field])) continue;
      this[field].value = this.#put[field] = value;
    }
  }

  /** The fields for POST /api/v1/devices, or null without a name. */
  value() {
    if (this.#chosen) return { unit: this.#chosen.id };
    const name = this.name.value.trim();
    if (!name) return null;
    const about = { team: this.team.value.trim(), street: this.street.value.trim(), grid: this.grid.value };
    this.prefs.set("phoneLast", about);
    return { name, kind: "person", ...about };
  }

  clear() {
    this.name.value = "";
    this.#chosen = null;
    this.show();
  }

  show() {
    const unit = this.#chosen;
    const typed = this.name.value.trim();
    this.about.hidden = unit !== null;
    const about = unit ? [unit.team, unit.street, devicesWord(unit)].filter(Boolean).map((word) => plain(word, 40)).join(" · ") : "";
    this.note.textContent = unit ? t("who_known", { about: about || t(unit.kind) }) : typed ? t("who_is_new") : "";
    this.note.dataset.kind = unit ? "known" : "new";
  }

  #open() {
    const words = this.name.value.trim().toLocaleLowerCase().split(/\s+/).filter(Boolean);
    const found = this.#units.filter((unit) => {
      const text = `${unit.name}\n${unit.id}\n${unit.team}\n${unit.street}`.toLocaleLowerCase();
      return words.every((word) => text.includes(word));
    });
    // Those without any device are the ones who need a phone.
    found.sort((a, b) => (a.devices.length > 0) - (b.devices.length > 0));
    this.#shown = found.slice(0, CHOICES);
    const typed = this.name.value.trim();
    if (typed) this.#shown.push(null);
    this.#active = typed && found.some((unit) => unit.name === typed) ? this.#shown.findIndex((unit) => unit?.name === typed) : typed ? this.#shown.length - 1 : -1;
    this.#paint();
  }

  #paint() {
    this.names.replaceChildren(...this.#shown.map((unit, index) => {
      const row = element("li", unit ? "" : "is-new");
      row.id = `choice-${index}`;
      row.setAttribute("role", "option");
      row.dataset.index = String(index);
      row.setAttribute("aria-selected", String(index === this.#active));
      if (unit) row.append(element("b", "", plain(unit.name, 40)), element("span", "", [unit.team, devicesWord(unit)].filter(Boolean).map((word) => plain(word, 30)).join(" · ")));
      else row.append(element("b", "", t("who_new", { name: plain(this.name.value, 30) })));
      return row;
    }));
    this.names.hidden = this.#shown.length === 0;
    this.name.setAttribute("aria-expanded", String(!this.names.hidden));
    if (this.#active >= 0) this.name.setAttribute("aria-activedescendant", `choice-${this.#active}`);
    else this.name.removeAttribute("aria-activedescendant");
    this.names.children[this.#active]?.scrollIntoView({ block: "nearest" });
  }

  #close() {
    this.names.hidden = true;
    this.name.setAttribute("aria-expanded", "false");
  }

  #choose(index) {
    this.#chosen = this.#shown[index] ?? null;
    if (this.#chosen) this.name.value = this.#chosen.name;
    this.#close();
    this.show();
  }

  #key(event) {
    if (event.isComposing) return;
    const open = !this.names.hidden;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!open) return void this.#open();
      const count = this.#shown.length;
      this.#active = event.key === "ArrowDown" ? (this.#active + 1) % count : (this.#active + count - 1 + (this.#active < 0 ? 1 : 0)) % count;
      this.#paint();
    } else if (event.key === "Enter" && open) {
      event.preventDefault();
      if (this.#active >= 0) this.#choose(this.#active);
      else this.#close();
    } else if (event.key === "Escape" && open) {
      event.stopPropagation();
      this.#close();
    }
  }
}

function devicesWord(unit) {
  const n = unit.devices.length;
  return n === 0 ? "" : t(n === 1 ? "who_device" : "who_devices", { n });
}
