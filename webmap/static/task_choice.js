// Who could go to a task: asked of the server, drawn on the map, and chosen by a key, a click or a drop.

import { api } from "./api.js";
import { element, pushButton } from "./dom.js";
import { t } from "./i18n.js";
import { plain } from "./labels.js";
import { plane } from "./projection.js";
import { etaWord, excludedWord, metresWord } from "./task_text.js";

const AGAIN_MS = 10_000; // people move while one thinks
const SHOWN = 30; // of a thousand candidates nobody reads more
const BACKLOG_S = 60;

export class Choice {
  list = []; // who can go, the best first
  out = []; // who cannot, with a reason
  links = []; // where there is no task yet: those that may be the same, [{task, metres, later}]
  spot = null; // where the task is, in numbers of the plane
  lit = null; // the candidate that is pointed at
  key = null; // what is being asked for: a task's id, or a place
  loading = false;
  #timer = 0;
  #listeners = [];

  onChange(listener) {
    this.#listeners.push(listener);
  }

  #tell() {
    for (const listener of this.#listeners) listener();
  }

  /** Candidates of a task. */
  ofTask(row) {
    return this.#begin(row.id, row.spot, () => api.candidates(row.id));
  }

  /** Candidates of a place where there is no task yet. */
  ofPlace(lat, lon, kind, klass) {
    const asked = { lat, lon, crs: "wgs84", kind, klass };
    return this.#begin(Object.values(asked).join(), [lat, lon], () => api.candidatesAt(asked));
  }

  end() {
    clearTimeout(this.#timer);
    if (this.key === null) return;
    [this.key, this.list, this.out, this.links, this.spot, this.lit, this.loading] = [null, [], [], [], null, null, false];
    this.#tell();
  }

  light(unit) {
    if (this.lit === unit) return;
    this.lit = unit;
    this.#tell();
  }

  find(unit) {
    return this.list.find((one) => one.unit === unit) ?? this.out.find((one) => one.unit === unit) ?? null;
  }

  #begin(key, spot, ask) {
    if (this.key === key) return null;
    clearTimeout(this.#timer);
    [this.key, this.list, this.out, this.links, this.lit, this.loading] = [key, [], [], [], null, true];
    this.spot = plane.place(...spot);
    this.#tell();
    return this.#load(key, ask);
  }

  async #load(key, ask) {
    try {
      const { candidates, links = [] } = await ask();
      if (this.key !== key) return;
      this.list = candidates.filter((one) => one.reason === null);
      this.out = candidates.filter((one) => one.reason !== null);
      this.links = links;
      this.failed = "";
    } catch (error) {
      if (this.key !== key) return;
      this.failed = error.message;
    }
    this.loading = false;
    this.#timer = setTimeout(() => this.#load(key, ask), AGAIN_MS);
    this.#tell();
  }
}

/** The ranked list as an element that follows the choice. */
export class ChoiceList {
  /** {choice, onPick(candidate)}; `most`: so many of those who can go, and nobody else. */
  constructor({ choice, onPick, most = null }) {
    Object.assign(this, { choice, onPick, most });
    this.box = element("div", "choice");
    this.box.addEventListener("mouseleave", () => choice.light(null));
    this.fold = false;
    choice.onChange(() => this.box.isConnected && this.show());
  }

  show() {
    const { choice } = this;
    const rows = choice.list.slice(0, this.most ?? SHOWN).map((one, n) => this.#row(one, n));
    const parts = rows.length ? rows : [element("p", "choice-none", choice.failed || t(choice.loading ? "asking_who" : "nobody_can"))];
    if (this.most === null && choice.out.length) {
      const fold = element("details", "choice-out");
      fold.open = this.fold || (!choice.loading && choice.list.length === 0);
      fold.addEventListener("toggle", () => (this.fold = fold.open));
      fold.append(element("summary", "", t("excluded", { n: choice.out.length })), ...choice.out.slice(0, SHOWN).map((one) => this.#row(one, -1)));
      parts.push(fold);
    }
    const held = document.activeElement?.closest?.(".candidate")?.dataset.unit;
    this.box.replaceChildren(...parts);
    if (held && !this.box.contains(document.activeElement)) this.box.querySelector(`[data-unit="${CSS.escape(held)}"]`)?.focus();
  }

  #row(one, n) {
    const row = pushButton("candidate", "", () => this.onPick(one));
    row.dataset.unit = one.unit;
    row.classList.toggle("is-lit", this.choice.lit === one.unit);
    row.classList.toggle("is-out", one.reason !== null);
    row.append(n >= 0 && n < 9 ? element("kbd", "", String(n + 1)) : element("i", ""), element("bdi", "candidate-name", plain(one.name, 30)));
    row.append(element("b", "candidate-eta", one.reason === null ? etaWord(one.eta) : ""), element("span", "candidate-why", why(one, n)), element("span", "candidate-way", metresWord(one.metres)));
    row.title = t(one.way === "roads" ? "by_roads" : "by_line");
    row.addEventListener("mouseenter", () => this.choice.light(one.unit));
    row.addEventListener("focus", () => this.choice.light(one.unit));
    return row;
  }
}

/** Why somebody is where he is in the list. */
function why(one, n) {
  if (one.reason !== null) return excludedWord(one.reason);
  const { terms } = one;
  const words = [];
  if (n === 0) words.push(t("first_choice"));
  if (terms.backlog >= BACKLOG_S) words.push(t("term_backlog", { n: etaWord(terms.backlog) }));
  if (terms.foreign > 0) words.push(t("term_foreign"));
  if (terms.late > 0) words.push(t("term_late"));
  if (terms.stale > 0) words.push(t("term_stale"));
  return words.join(" · ") || t("term_travel", { n: etaWord(terms.travel) });
}
