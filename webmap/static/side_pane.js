// A pane over the list of the map page: one is open at a time, Escape and its button close it.

import { element, icon, pushButton } from "./dom.js";
import { language, t } from "./i18n.js";
import { clockFormat } from "./time.js";

const open = new Set();

export class SidePane {
  /** `name`: of its box, and with "-button" of what opens it. */
  constructor(name) {
    this.box = document.getElementById(name);
    this.button = document.getElementById(`${name}-button`);
    this.button.addEventListener("click", () => this.toggle());
  }

  get open() {
    return !this.box.hidden;
  }

  toggle() {
    if (this.button.hidden) return;
    if (this.open) this.close();
    else this.begin();
  }

  /** Shows these parts under a title. */
  show(title, ...parts) {
    for (const other of open) if (other !== this) other.close(false);
    open.add(this);
    const head = element("div", "roll-head");
    const close = pushButton("tool", "", () => this.close());
    close.title = t("close");
    close.setAttribute("aria-label", t("close"));
    close.append(icon("close"));
    head.append(element("h2", "", title), close);
    this.box.replaceChildren(head, ...parts);
    this.box.hidden = false;
    document.body.classList.add("has-roll");
    this.button.setAttribute("aria-expanded", "true");
  }

  /** `focus`: on what opens it again. */
  close(focus = true) {
    if (!this.open) return;
    open.delete(this);
    this.box.hidden = true;
    document.body.classList.toggle("has-roll", open.size > 0);
    this.button.setAttribute("aria-expanded", "false");
    if (focus) this.button.focus();
  }
}

/** Asks at most once at a time and, and not for every single wish. */
export class Asking {
  #timer = 0;
  #busy = false;
  #again = false;

  constructor(ask) {
    this.ask = ask;
  }

  soon() {
    this.#again = true;
    if (this.#timer || this.#busy) return;
    this.#timer = setTimeout(() => this.#now(), 250);
  }

  async #now() {
    this.#timer = 0;
    this.#busy = true;
    this.#again = false;
    try {
      await this.ask();
    } finally {
      this.#busy = false;
      if (this.#again) this.soon();
    }
  }
}

/** A time of day in the city's zone, with its date if that is another day's. */
export function moment(at, now, zone) {
  if (Math.abs(now - at) < 43_200_000) return clockFormat(zone).format(at).slice(0, 5);
  return new Intl.DateTimeFormat(language() === "zh" ? "zh-CN" : "en-GB", { month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: zone }).format(at);
}

/** A labelled field of a form; `about` stands behind it. */
export function labelled(words, field, name = "") {
  const label = element("label", name, words);
  label.append(field);
  return label;
}

/** A select of [value, words]. */
export function choice(id, options, value = "") {
  const select = element("select");
  select.id = id;
  select.append(...options.map(([one, words]) => new Option(words, one)));
  select.value = value;
  return select;
}

/** A field for words of so many characters. */
export function words(id, hint, most) {
  const field = element("textarea", "pane-text");
  field.id = id;
  field.rows = 5;
  field.maxLength = most;
  field.placeholder = hint;
  field.setAttribute("aria-label", hint);
  return field;
}

/** How many of all have come how far: a bar of two parts. */
export function bar(done, begun, all, label) {
  const node = element("div", "roll-bar");
  const [good, on] = [element("i", "roll-confirmed"), element("i", "roll-located")];
  good.style.flexGrow = String(done / Math.max(1, all));
  on.style.flexGrow = String(begun / Math.max(1, all));
  node.append(good, on);
  for (const [name, value] of [["role", "progressbar"], ["aria-valuemin", 0], ["aria-valuemax", all], ["aria-valuenow", done], ["aria-label", label]]) node.setAttribute(name, String(value));
  return node;
}

/** A row of what one may look at again: its first words, how it stands, and who wrote it when. */
export function pastRow(words_, verdict, good, small, action) {
  const row = pushButton("roll-past", "", action);
  const state = element("span", "roll-verdict", verdict);
  state.dataset.good = String(good);
  row.append(element("bdi", "", words_), state, element("small", "", small));
  return row;
}

/** A row of a list with its dot: `state` as roll calls have them. */
export function listRow(state, name, reply, where, action) {
  const row = element("li", "");
  row.dataset.state = state;
  const button = pushButton("roll-row", "", action);
  button.append(element("i", "roll-dot"), element("bdi", "roll-name", name), element("span", "roll-reply", reply), element("span", "roll-where", where));
  row.append(button);
  return row;
}
