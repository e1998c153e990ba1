// The frame around the map: state chips, live sign, banner, notices, legend, selects and the page of keys.

import { BEHIND_MS } from "./feed.js";
import { language, t } from "./i18n.js";
import { plain } from "./labels.js";
import { markElement } from "./marks.js";
import { known, may } from "./rights.js";
import { STATES } from "./state.js";
import { ago, clockFormat, span } from "./time.js";
import { SOS } from "./view.js";

const NOTICE_MS = 4000;

// [keys, what they do, the right without which they do nothing]
export const KEYS = [
  ["/", "key_search"], ["j k ↓ ↑", "key_move"], ["Enter", "key_select"], ["F", "key_follow"], ["T", "key_trails"], ["G", "key_grids"], ["C", "key_cells"], ["B", "key_ground"],
  ["+ −", "key_zoom"], ["0", "key_whole"], ["Q", "key_tasks", "tasks"], ["A", "key_assign", "dispatch"], ["N", "key_new_task", "dispatch"], ["H", "key_hotline", "dispatch"], [".", "key_actions", "dispatch"], ["U", "key_undo", "dispatch"], ["E", "key_alarms", "tasks"], ["O", "key_problems", "tasks"], ["Y", "key_sos", "dispatch"], ["R", "key_roll", "roll_call"], ["Z", "key_notices", "tasks"], ["X", "key_surveys", "dispatch"], ["L", "key_language"], ["D", "key_theme"], ["W", "key_wall"], ["M", "key_nav"], ["P", "key_phones", "devices_change"], ["S", "key_storage", "storage"], ["Esc", "key_escape"], ["?", "key_help"],
];

const $ = (id) => document.getElementById(id);

export class Chrome {
  #noticeTimer = 0;
  #clock = clockFormat("Asia/Shanghai");
  #chips = new Map();

  constructor({ view, units, clock, feed, theme, prefs }) {
    Object.assign(this, { view, units, clock, feed, theme, prefs });
    this.#buildChips();
    this.translate();
    known.then(() => this.#keys());
  }

  city(name, zone) {
    $("city").textContent = plain(name ?? "", 24);
    document.title = name ? `${plain(name, 24)} · Gridbeat` : "Gridbeat";
    if (zone) this.#clock = clockFormat(zone);
  }

  /** Everything that is words and does not follow from data. */
  translate() {
    for (const [key, chip] of this.#chips) chip.title = chipWord(key);
    for (const [key, chip] of this.#chips) chip.querySelector(".chip-word").textContent = t(`chip_${key}`);
    $("language-word").textContent = t("other_language");
    this.#legend();
    this.#keys();
    this.selects();
    this.tick();
  }

  #buildChips() {
    for (const key of [SOS, ...STATES]) {
      const chip = document.createElement("button");
      chip.type = "button";
      chip.className = "chip";
      chip.dataset.state = String(key);
      const word = document.createElement("span");
      word.className = "chip-word";
      const count = document.createElement("b");
      if (key !== SOS) chip.append(markElement(key, "person"));
      chip.append(word, count);
      chip.addEventListener("click", () => this.view.toggleState(key));
      this.#chips.set(key, chip);
      $("chips").append(chip);
    }
  }

  counts() {
    const { states, sos } = this.units.counts();
    for (const [key, chip] of this.#chips) {
      const count = key === SOS ? sos : states[key];
      const shown = chip.lastElementChild;
      if (shown.textContent !== String(count)) shown.textContent = String(count);
      const pressed = String(this.view.states.has(key));
      if (chip.getAttribute("aria-pressed") !== pressed) chip.setAttribute("aria-pressed", pressed);
      chip.classList.toggle("is-none", count === 0);
      if (key === SOS) chip.hidden = count === 0 && !this.view.states.has(SOS);
    }
    document.body.classList.toggle("has-sos", sos > 0);
  }

  /** The choices of team and street follow from the roster. */
  selects() {
    for (const [id, field, all] of [["team", "team", "all_teams"], ["street", "street", "all_streets"]]) {
      const words = [...new Set([...this.units.all.values()].map((unit) => unit[field]).filter(Boolean))].sort(new Intl.Collator(language()).compare);
      const options = [["", t(all)], ...words.map((word) => [word, plain(word, 40)])].map(([value, words_]) => new Option(words_, value));
      $(id).replaceChildren(...options);
      $(id).value = words.includes(this.view[field]) ? this.view[field] : "";
    }
  }

  /** The controls show the filters, whoever changed them. */
  filters() {
    if ($("search").value !== this.view.query) $("search").value = this.view.query;
    $("team").value = this.view.team;
    $("street").value = this.view.street;
    $("in-view").checked = this.view.inView;
    $("team").classList.toggle("is-set", this.view.team !== "");
    $("street").classList.toggle("is-set", this.view.street !== "");
    this.counts();
  }

  layers() {
    document.body.classList.toggle("is-wall", this.prefs.get("wall"));
    $("grids").setAttribute("aria-pressed", String(this.prefs.get("grids")));
    $("cells").setAttribute("aria-pressed", String(this.prefs.get("cells")));
    $("trails").setAttribute("aria-pressed", this.prefs.get("trails") === "all" ? "true" : this.prefs.get("trails") === "off" ? "false" : "mixed");
    $("theme-icon").setAttribute("href", this.theme.dark ? "#i-sun" : "#i-moon");
  }

  /** Each second: the clock, and whether what one sees is live. */
  tick() {
    put("clock", this.#clock.format(this.clock.now()));
    const { feed } = this;
    const behind = feed.link === "live" && feed.behind > BEHIND_MS;
    const link = behind ? "behind" : feed.link;
    $("pulse").dataset.link = link;
    const word = t(`link_${link}`);
    if ($("pulse-text").textContent !== word) $("pulse-text").textContent = word;
    const stale = link === "broken" || behind;
    document.body.classList.toggle("is-stale", stale);
    $("banner").hidden = !stale;
    $("banner-retry").hidden = behind;
    if (!stale) return;
    $("banner").dataset.kind = link;
    const age = feed.age();
    put("banner-title", t(behind ? "banner_behind" : "banner_broken"));
    if (behind) put("banner-text", t("banner_behind_text", { age: span(feed.behind) }));
    else put("banner-text", age === null ? t("banner_never") : t("banner_broken_text", { age: ago(age) }));
  }

  /** A short word at the top of the map that goes away by itself. */
  notice(words, level = "info") {
    const box = $("notice");
    box.textContent = words;
    box.dataset.level = level;
    box.hidden = false;
    clearTimeout(this.#noticeTimer);
    this.#noticeTimer = setTimeout(() => (box.hidden = true), level === "info" || level === "good" ? NOTICE_MS : 3 * NOTICE_MS);
  }

  speak(words) {
    $("speak").textContent = words;
  }

  help() {
    const dialog = $("help");
    if (dialog.open) dialog.close();
    else dialog.showModal();
  }

  #legend() {
    $("legend").replaceChildren(...STATES.map((state) => legendItem(state, "person", t(`state_${state}`))), legendItem(0, "vehicle", t("vehicle")));
  }

  #keys() {
    const rows = KEYS.filter(([, , right]) => !right || may(right)).map(([keys, what]) => {
      const row = document.createElement("div");
      const term = document.createElement("dt");
      for (const key of keys.split(" ")) {
        const cap = document.createElement("kbd");
        cap.textContent = key;
        term.append(cap);
      }
      const words = document.createElement("dd");
      words.textContent = t(what);
      row.append(term, words);
      return row;
    });
    $("keys").replaceChildren(...rows);
  }
}

function chipWord(key) {
  return key === SOS ? t("sos") : t(`state_${key}`);
}

function legendItem(state, kind, words) {
  const item = document.createElement("span");
  item.className = "legend-item";
  item.append(markElement(state, kind), words);
  return item;
}

function put(id, words) {
  const node = document.getElementById(id);
  if (node.textContent !== words) node.textContent = words;
}
