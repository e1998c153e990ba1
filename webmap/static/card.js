// The card of the selected unit: who it is, where it is and how well we know that, and what one can do.

import { Commands } from "./commands.js";
import { element, icon, text } from "./dom.js";
import { t } from "./i18n.js";
import { plain } from "./labels.js";
import { markElement } from "./marks.js";
import { PersonSheet } from "./person.js";
import { known, may } from "./rights.js";
import { isSos, ONLINE_FIX } from "./state.js";
import { ageOf, headingWord, speedWord } from "./time.js";
import { Warnings } from "./warnings.js";

export class Card {
  #shown = null;
  #parts = {};

  constructor({ view, clock, grids, trails, onTrail, onFollow, onClose, onCopy }) {
    Object.assign(this, { view, clock, grids, trails, onTrail, onFollow, onClose, onCopy });
    this.box = document.getElementById("card");
    this.warnings = new Warnings();
    this.person = new PersonSheet({ onRemoved: (id) => this.view.selected === id && this.view.select(null) });
    this.commands = new Commands({ clock, grids, onDetail: (detail) => this.warnings.learn(detail.warnings) });
    known.then(() => this.update(true));
  }

  /** Builds the card when the selection or the language changed, then fills it. */
  update(rebuild = false) {
    const { unit } = this.view;
    this.box.hidden = unit === null;
    document.body.classList.toggle("has-card", unit !== null);
    this.commands.select(unit);
    this.warnings.select(unit?.id ?? null);
    if (unit === null) {
      this.#shown = null;
      return;
    }
    if (rebuild || this.#shown !== unit.id) this.#build(unit);
    this.#fill(unit);
  }

  #build(unit) {
    this.#shown = unit.id;
    this.#parts = {};
    const head = element("header", "card-head");
    this.#parts.sign = element("span", "card-sign");
    const titles = element("div", "card-titles");
    this.#parts.name = element("h2", "card-name");
    this.#parts.who = element("p", "card-who");
    titles.append(this.#parts.name, this.#parts.who);
    const close = element("button", "tool");
    close.type = "button";
    close.title = t("close");
    close.setAttribute("aria-label", t("close"));
    close.append(icon("close"));
    close.addEventListener("click", this.onClose);
    head.append(this.#parts.sign, titles, close);

    const now = element("div", "card-now");
    this.#parts.state = element("b", "card-state");
    this.#parts.age = element("span", "card-age");
    now.append(this.#parts.state, this.#parts.age);

    const facts = element("dl", "facts");
    for (const name of ["speed", "heading", "accuracy", "battery", "own_grid", "now_in", "last_seen", "protocol", "coordinates"]) {
      const fact = element("div", `fact fact-${name}`);
      const value = element(name === "coordinates" ? "button" : "span", "fact-value");
      const holder = element("dd", "");
      fact.append(element("dt", "", t(name)), holder);
      holder.append(value);
      facts.append(fact);
      this.#parts[name] = value;
    }
    this.#parts.coordinates.type = "button";
    this.#parts.coordinates.title = t("copy");
    this.#parts.coordinates.addEventListener("click", this.onCopy);

    const buttons = element("div", "card-buttons");
    this.#parts.follow = button("follow", "F", "follow", this.onFollow);
    this.#parts.trail = button("trail", "T", "trail", this.onTrail);
    buttons.append(this.#parts.follow, this.#parts.trail);
    const data = element("button", "card-data");
    data.type = "button";
    data.append(icon("storage"), element("span", "", t("person_open")));
    data.hidden = !may("export", unit.id) && !may("remove", unit.id);
    data.addEventListener("click", () => this.view.unit && this.person.open(this.view.unit));
    this.box.replaceChildren(head, now, this.warnings.box, facts, buttons, this.commands.box, data);
    this.warnings.show();
    this.commands.build();
  }

  #fill(unit) {
    const p = this.#parts;
    const now = this.clock.now();
    const sos = isSos(unit);
    const sign = `${unit.state}${unit.kind}`;
    if (p.sign.dataset.sign !== sign) {
      p.sign.dataset.sign = sign;
      p.sign.replaceChildren(markElement(unit.state, unit.kind));
    }
    this.box.dataset.state = sos ? "sos" : String(unit.state);
    text(p.name, plain(unit.name, 60));
    text(p.who, [t(unit.kind), unit.street, unit.team].filter(Boolean).map((word) => plain(word, 60)).join(" · "));
    text(p.state, sos ? t("sos") : t(`state_${unit.state}`));
    text(p.age, unit.lat === null ? t("no_position") : `${t("fix_age")} ${ageOf(unit.fix, now)}`);
    const known = (value, words) => (value === null || value === undefined ? t("unknown") : words(value));
    text(p.speed, known(unit.speed, speedWord));
    text(p.heading, known(unit.course, (v) => t("heading_value", { name: headingWord(v), n: Math.round(v) })));
    text(p.accuracy, known(unit.accuracy, (v) => t("accuracy_value", { n: Math.round(v) })));
    text(p.battery, known(unit.battery, (v) => `${Math.round(v)} %`));
    // What a unit said last is no news of it once it is silent.
    for (const fact of [p.speed, p.heading, p.accuracy, p.now_in]) fact.classList.toggle("is-old", unit.state !== ONLINE_FIX);
    p.battery.classList.toggle("is-low", unit.battery !== null && unit.battery !== undefined && unit.battery <= 20);
    p.own_grid.closest(".fact").hidden = unit.grid === null;
    text(p.own_grid, unit.grid === null ? t("unknown") : plain(this.grids.name(unit.grid), 40));
    this.#whereNow(unit);
    text(p.last_seen, ageOf(unit.seen, now, "never_seen"));
    text(p.protocol, unit.protocol || t("unknown"));
    text(p.coordinates, unit.lat === null ? t("unknown") : `${unit.lat.toFixed(6)}, ${unit.lon.toFixed(6)}`);
    const following = this.view.following;
    press(p.follow, following, t(following ? "following" : "follow"));
    const mode = this.trails();
    press(p.trail, mode !== "off", t("trail"));
    this.commands.fill();
  }

  #whereNow(unit) {
    const p = this.#parts.now_in;
    if (unit.lat === null) {
      text(p, t("unknown"));
      p.dataset.fit = "";
      return;
    }
    const current = unit.gridNow ?? null;
    const grid = current === null ? null : this.grids.gridOf(current);
    const own = unit.grid !== null && grid !== null && String(this.grids.gridOf(unit.grid)) === String(grid);
    const place = grid === null ? t("outside_grids") : plain(this.grids.name(grid), 40);
    text(p, own ? t("in_own_grid") : unit.grid === null || grid === null ? place : `${place} · ${t("out_of_grid")}`);
    p.dataset.fit = unit.grid === null ? "" : own ? "own" : "out";
    p.title = unit.cellNow ? `${t("cell")} ${plain(unit.cellNow, 40)}` : "";
  }
}

function button(name, key, picture, action) {
  const node = element("button", "button");
  node.type = "button";
  node.dataset.action = name;
  node.append(icon(picture), element("span", "button-word", t(name)));
  if (key) node.append(element("kbd", "", key));
  node.addEventListener("click", action);
  return node;
}

function press(node, on, words) {
  node.setAttribute("aria-pressed", String(on));
  text(node.querySelector(".button-word"), words);
}
