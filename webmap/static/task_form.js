// A new task: by a click on the map, or from a call to the hotline. Before it is sent one sees who would go and what
// may be the same. What was typed outlives a reload of the page, in this tab only, and goes with the form.

import { api } from "./api.js";
import { element, icon, pushButton, text } from "./dom.js";
import { t } from "./i18n.js";
import { plain } from "./labels.js";
import { plane } from "./projection.js";
import { ChoiceList } from "./task_choice.js";
import "./task_form_words.js";
import { coordinatesIn, namedIn, SYSTEMS, toWgs84 } from "./task_place.js";
import { classWord, kindWord, metresWord, stateWord } from "./task_text.js";

const KEY = "gridbeat-task-draft";
const SHOWN = 3; // of those who would go
const TYPING_MS = 350;
const EMPTY = { hotline: false, kind: "verify", klass: "", address: "", what: "", caller: "", phone: "", spot: null, given: null, system: null, key: "" };
const MOST = { address: 200, what: 900, caller: 40, phone: 30 };

export class TaskForm {
  draft = null;
  #fields = {};
  #timer = 0;
  #unit = ""; // who is to go, if the operator has chosen

  /** {desk, choice, grids, basemap, onPlace(), onShow(spot | box), onMade(row), onClosed(), onTask(id), onNotice, account} */
  constructor(parts) {
    Object.assign(this, parts);
    this.box = document.getElementById("task-form");
    this.list = new ChoiceList({ choice: this.choice, most: SHOWN, onPick: (one) => this.#prefer(one.unit) });
    this.choice.onChange(() => this.open && (this.#who(), this.#same()));
  }

  get open() {
    return this.draft !== null;
  }

  /** Whether a click on the map says where it is. */
  get placing() {
    return this.open;
  }

  /** What was being typed when the page was left; answers whether there was something. */
  restore() {
    try {
      const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
      if (kept?.account !== this.account() || typeof kept.draft !== "object") return false;
      this.#begin({ ...EMPTY, ...kept.draft });
      return true;
    } catch {
      return false; // storage is off or spoiled
    }
  }

  begin(hotline) {
    if (this.open && this.draft.hotline === hotline) return this.#focus();
    // From a click to a call and back: what has been typed stays.
    this.#begin({ ...(this.draft ?? EMPTY), hotline, key: this.draft?.key || newKey() });
  }

  #begin(draft) {
    this.draft = draft;
    this.#unit = "";
    this.#build();
    this.box.hidden = false;
    document.body.classList.add("has-form");
    this.#placed();
    this.#focus();
  }

  /** Answers whether it was open. What was typed is gone. */
  close() {
    if (!this.open) return false;
    this.draft = null;
    this.box.hidden = true;
    this.box.replaceChildren();
    document.body.classList.remove("has-form");
    this.#keep();
    this.choice.end();
    this.onClosed();
    return true;
  }

  /** A click on the map: the task is there. */
  place(lat, lon) {
    Object.assign(this.draft, { spot: [lat, lon], given: null });
    this.#anew();
    this.#placed();
    if (!this.draft.address) this.#fields.address.focus();
  }

  translate() {
    if (this.open) this.#begin(this.draft);
  }

  #focus() {
    const { draft } = this;
    (draft.hotline ? this.#fields.caller : this.#fields.address).focus();
  }

  // -- what it looks like

  #build() {
    const { draft } = this;
    const head = element("header", "card-head form-head");
    const close = pushButton("tool", "", () => this.close());
    close.setAttribute("aria-label", t("close"));
    close.title = t("close");
    close.append(icon("close"));
    const sign = element("span", "card-sign");
    sign.append(icon(draft.hotline ? "phone" : "plus"));
    head.append(sign, element("h2", "card-name", t(draft.hotline ? "form_hotline" : "form_new")), close);
    const form = element("form", "task-fields");
    form.id = "task-fields";
    this.#fields = {};
    if (draft.hotline) form.append(this.#pair(this.#input("caller", "off"), this.#input("phone", "off")), element("p", "form-note", t("form_personal")));
    form.append(this.#pair(this.#kinds(), this.#classes()), this.#input("address", "off"));
    this.where = element("p", "form-where");
    this.where.setAttribute("role", "status");
    this.systems = element("div", "form-systems");
    this.same = element("div", "form-same");
    this.who = element("section", "form-who");
    this.who.append(element("h3", "", t("form_who")), this.list.box);
    this.send = element("button", "button strong", "");
    this.send.type = "submit";
    this.send.id = "task-send";
    const feet = element("div", "pane-row");
    feet.append(pushButton("button", t("form_discard"), () => this.close()), this.send);
    form.append(this.where, this.systems, this.#area("what"), this.same, this.who, feet);
    form.addEventListener("input", () => this.#typed());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#make();
    });
    // Enter in a line goes on; in the last one, and with Ctrl anywhere, it sends.
    form.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    });
    this.box.replaceChildren(head, form);
  }

  #pair(...parts) {
    const row = element("div", "form-pair");
    row.append(...parts);
    return row;
  }

  #labelled(name, field) {
    const label = element("label", "form-field");
    field.id = `task-${name}`;
    this.#fields[name] = field;
    label.append(element("span", "", t(`form_${name}`)), field);
    return label;
  }

  #input(name, complete) {
    const field = element("input", "");
    [field.type, field.maxLength, field.autocomplete, field.value] = [name === "phone" ? "tel" : "text", MOST[name], complete, this.draft[name]];
    field.placeholder = t(`form_${name}_hint`);
    return this.#labelled(name, field);
  }

  #area(name) {
    const field = element("textarea", "");
    [field.maxLength, field.rows, field.value] = [MOST[name], 2, this.draft[name]];
    return this.#labelled(name, field);
  }

  #kinds() {
    const field = element("select", "");
    const kinds = Object.keys(this.desk.words.kinds ?? { verify: 0, check: 0 });
    field.append(...kinds.map((kind) => new Option(kindWord(kind), kind)));
    field.value = kinds.includes(this.draft.kind) ? this.draft.kind : kinds[0];
    return this.#labelled("kind", field);
  }

  /** The city's classes to choose from; where it has none, a code is typed. */
  #classes() {
    const classes = Object.keys(this.desk.words.classes ?? {});
    if (!classes.length) return this.#input("klass", "off");
    const field = element("select", "");
    field.append(new Option(t("form_no_class"), ""), ...classes.sort().map((klass) => new Option(`${klass} ${classWord(klass)}`, klass)));
    field.value = classes.includes(this.draft.klass) ? this.draft.klass : "";
    return this.#labelled("klass", field);
  }

  // -- what is typed

  #typed() {
    const before = { ...this.draft };
    for (const [name, field] of Object.entries(this.#fields)) this.draft[name] = field.value;
    this.#anew();
    this.#keep();
    if (before.kind !== this.draft.kind || before.klass !== this.draft.klass) this.#placed();
    if (before.address === this.draft.address) return this.#ready();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.open && this.#find(), TYPING_MS);
    this.#ready();
  }

  /** Coordinates in the address need to be told their system; a name of the city's moves the map there. */
  #find() {
    const { draft } = this;
    const typed = coordinatesIn(draft.address);
    if (typed) {
      draft.given = typed;
      this.#systems();
      if (draft.system) this.#locate(draft.system);
      return;
    }
    draft.given = null;
    this.#systems();
    const named = namedIn(draft.address, this.grids, this.basemap);
    if (named && named.name !== this.named) this.onShow({ box: named.box });
    this.named = named?.name;
    this.#placed();
  }

  #systems() {
    const { draft } = this;
    this.systems.replaceChildren();
    if (!draft.given) return;
    this.systems.append(element("span", "", t("form_system")), ...SYSTEMS.map((system) => {
      const chip = pushButton("why-chip", t(`form_${system}`), () => this.#locate(system));
      chip.setAttribute("aria-pressed", String(draft.system === system));
      return chip;
    }));
  }

  #locate(system) {
    const { draft } = this;
    draft.system = system;
    draft.spot = toWgs84(draft.given, system);
    this.#anew();
    this.#systems();
    this.onShow({ spot: draft.spot });
    this.#placed();
  }

  /** The place or what it depends on has changed: who would go, and what may be the same? */
  #placed() {
    const { draft } = this;
    this.#keep();
    this.onPlace(draft.spot && plane.place(...draft.spot));
    this.who.hidden = this.draft.spot === null;
    text(this.where, draft.spot ? t("form_placed", { lat: draft.spot[0].toFixed(5), lon: draft.spot[1].toFixed(5) }) : t(draft.given ? "form_which_system" : "form_click"));
    this.where.dataset.placed = String(draft.spot !== null);
    if (draft.spot) {
      this.choice.ofPlace(...draft.spot.map((degrees) => Number(degrees.toFixed(6))), draft.kind, draft.klass);
      this.list.show();
    }
    this.#same();
    this.#systems();
    this.#ready();
  }

  #same() {
    const found = this.draft?.spot ? this.choice.links : [];
    this.same.replaceChildren();
    if (!found.length) return;
    this.same.append(element("b", "", t("form_same")));
    for (const { task, metres } of found.slice(0, SHOWN)) {
      const row = this.desk.rows.get(task);
      const one = pushButton("link", "", () => this.onTask(task));
      one.append(element("bdi", "", plain(row?.address || task, 40)), element("span", "", row ? stateWord(row) : ""), element("small", "", metresWord(metres)));
      this.same.append(one);
    }
  }

  #who() {
    for (const row of this.list.box.querySelectorAll(".candidate")) row.setAttribute("aria-pressed", String(row.dataset.unit === this.#unit));
  }

  #prefer(unit) {
    this.#unit = this.#unit === unit ? "" : unit;
    this.#anew();
    this.#who();
    this.#ready();
  }

  /** Somebody on the map was chosen to go. */
  choose(unit) {
    if (this.choice.find(unit)) this.#prefer(unit);
  }

  #ready() {
    const { draft } = this;
    this.send.disabled = draft.spot === null || !(draft.address.trim() || draft.what.trim());
    const chosen = this.#unit && this.choice.find(this.#unit);
    text(this.send, chosen ? t("form_send_to", { name: plain(chosen.name, 12) }) : t("form_send"));
  }

  /** What says something else is another task: only what is sent again as it was is known again by its key. */
  #anew() {
    this.draft.key = newKey();
  }

  #keep() {
    try {
      if (this.draft) sessionStorage.setItem(KEY, JSON.stringify({ account: this.account(), draft: this.draft }));
      else sessionStorage.removeItem(KEY);
    } catch {
      // a forbidden storage forgets; the form goes on
    }
  }

  // -- sending

  /** Who called and from where is part of what is said, as it was typed, and is kept nowhere else. */
  #text() {
    const { what, hotline, caller, phone } = this.draft;
    const from = hotline ? [caller, phone].map((word) => word.trim()).filter(Boolean).join(" ") : "";
    return [what.trim(), from && t("form_caller_line", { from })].filter(Boolean).join("\n");
  }

  async #make() {
    const { draft } = this;
    if (this.send.disabled) return;
    this.send.disabled = true;
    // What was typed goes as it was typed, with its system: the server keeps the original.
    const [lat, lon, crs] = draft.given && draft.system ? [draft.given.lat, draft.given.lon, draft.system] : [...draft.spot, "wgs84"];
    const task = { kind: draft.kind, klass: draft.klass, lat, lon, crs, address: draft.address.trim(), text: this.#text() };
    if (draft.hotline) task.source = t("form_source");
    if (this.#unit) task.unit = this.#unit;
    try {
      const row = await api.makeTask(task, draft.key);
      this.close();
      this.onMade(row);
    } catch (error) {
      this.onNotice(error.message, "warn");
      this.send.disabled = false;
    }
  }
}

function newKey() {
  return crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
}
