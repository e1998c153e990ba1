// Surveys (普查): one question to many grids, all of a street or clicked on the map; then how each has come along.

import { api } from "./api.js";
import { holds } from "./areas_layer.js";
import { element, pushButton } from "./dom.js";
import { language, t } from "./i18n.js";
import { plain } from "./labels.js";
import { plane } from "./projection.js";
import { known, may } from "./rights.js";
import { Asking, bar, choice, labelled, listRow, moment, pastRow, SidePane, words } from "./side_pane.js";
import { SurveyLayer } from "./survey_layer.js";
import "./survey_words.js";
import { kindWord, resultWord } from "./task_text.js";

const TEXT = 1000;
const DAY = 86_400_000;
const DUE = [["", "survey_by_rules"], [DAY, "survey_day"], [3 * DAY, "survey_days"], [7 * DAY, "survey_week"], [30 * DAY, "survey_month"]];
const TONE = { queued: "asked", assigned: "asked", suspended: "asked", in_progress: "position", resulted: "confirmed", closed: "confirmed", cancelled: "silent", expired: "silent" };
const RANK = ["silent", "asked", "position", "confirmed"];

export class SurveyPanel extends SidePane {
  #shown = null; // the survey that is looked at
  #chosen = new Set();
  #street = "";
  #draft = "";
  #key = ""; // sent again with it a survey is not made twice
  #zone = "Asia/Shanghai";

  /** {map, grids, clock, desk, onTask(id), onShow(box), onNotice(words, level)} */
  constructor(parts) {
    super("surveys");
    Object.assign(this, parts);
    this.layer = new SurveyLayer({ grids: this.grids });
    this.layer.addTo(this.map);
    this.asking = new Asking(() => this.#ask());
    known.then(() => (this.button.hidden = !may("dispatch")));
  }

  zone(name) {
    this.#zone = name;
  }

  nudge() {
    if (this.open && this.#shown) this.asking.soon();
  }

  translate() {
    if (!this.open) return;
    if (this.#shown) this.#look(this.#shown);
    else this.begin();
  }

  close(focus = true) {
    super.close(focus);
    this.layer.show(new Map());
    document.body.classList.remove("is-choosing-grids");
  }

  /** A click on the map chooses the grid that is there; answers whether one was chosen from. */
  click(event) {
    if (!this.open || this.#shown) return false;
    const [x, y] = plane.place(event.latlng.lat, event.latlng.lng);
    const grid = this.grids.grids.find((shape) => holds(shape, x, y));
    if (grid) this.#choose(grid.id, !this.#chosen.has(grid.id));
    return true;
  }

  // -- making one

  begin() {
    this.#shown = null;
    document.body.classList.add("is-choosing-grids");
    const form = element("form", "roll-form");
    const text = words("survey-text", t("survey_hint"), TEXT);
    text.value = this.#draft;
    const streets = [...new Set(this.grids.grids.map((grid) => grid.properties.street).filter(Boolean))].sort(new Intl.Collator(language()).compare);
    const street = choice("survey-street", [["", t("survey_on_map")], ...streets.map((one) => [one, plain(one, 40)])], this.#street);
    const due = choice("survey-due", DUE.map(([ms, key]) => [ms, t(key)]));
    const send = element("button", "button strong", t("survey_send"));
    send.type = "submit";
    send.id = "survey-send";
    this.form = { text, street, send, about: element("p", "roll-about"), list: element("ul", "pane-grids") };
    street.addEventListener("change", () => this.#take(street.value));
    text.addEventListener("input", () => {
      this.#draft = text.value;
      this.#count();
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send(due.value);
    });
    form.append(text, labelled(t("survey_grids"), street), this.form.about, this.form.list, labelled(t("survey_due"), due), send);
    const earlier = element("div", "roll-earlier");
    const past = this.#past();
    if (past.length) earlier.append(element("h3", "", t("survey_earlier")), ...past);
    this.show(t("survey_title"), form, earlier);
    this.#paint();
    text.focus();
  }

  /** All grids of a street, and no others; of none, those that are chosen stay. */
  #take(street) {
    this.#street = street;
    if (street) {
      this.#chosen = new Set(this.#of(street));
      this.onShow(this.grids.box(street));
    }
    this.#paint();
  }

  #of(street) {
    return this.grids.grids.filter((grid) => grid.properties.street === street).map((grid) => grid.id);
  }

  #choose(id, on) {
    if (on) this.#chosen.add(id);
    else this.#chosen.delete(id);
    this.#paint();
  }

  #paint() {
    const listed = [...new Set([...(this.#street ? this.#of(this.#street) : []), ...this.#chosen])];
    const focused = this.form.list.contains(document.activeElement) ? document.activeElement.value : null;
    this.form.list.replaceChildren(...listed.map((id) => this.#box(id)));
    if (focused !== null) [...this.form.list.querySelectorAll("input")].find((one) => one.value === focused)?.focus();
    this.layer.show(new Map([...this.#chosen].map((id) => [id, "chosen"])));
    this.#count();
  }

  #box(id) {
    const row = element("li", "");
    const box = element("input");
    box.type = "checkbox";
    box.value = id;
    box.checked = this.#chosen.has(id);
    box.addEventListener("change", () => this.#choose(id, box.checked));
    const label = element("label", "");
    label.append(box, element("span", "", plain(this.grids.name(id), 40)));
    row.append(label);
    return row;
  }

  #count() {
    const { about, send, text } = this.form;
    const n = this.#chosen.size;
    about.textContent = n ? t("survey_count", { n }) : t("survey_choose");
    send.disabled = n === 0 || !text.value.trim();
  }

  async #send(due) {
    const { send, text } = this.form;
    send.disabled = true;
    this.#key ||= crypto.getRandomValues(new Uint32Array(4)).join("-");
    try {
      const ends = due ? { due: Math.round(this.clock.now() + Number(due)) } : {};
      const survey = await api.makeSurvey({ grids: [...this.#chosen], text: text.value, ...ends }, this.#key);
      [this.#draft, this.#key, this.#street] = ["", "", ""];
      this.#chosen.clear();
      this.#look(survey);
      this.box.querySelector(".roll-feet button").focus();
      this.onNotice(t("survey_sent", { n: survey.counts.tasks }), "good");
    } catch (error) {
      if (error.status >= 400 && error.status < 500) this.#key = ""; // what was wrong is asked otherwise next time
      this.onNotice(error.message, "warn");
      this.#count();
    }
  }

  // -- how it has come along

  /** Those whose tasks the desk shows. */
  #past() {
    const found = new Map();
    for (const row of this.desk.rows.values()) {
      if (row.kind !== "survey" || !row.id.includes(":")) continue;
      const id = row.id.slice(0, row.id.indexOf(":"));
      if (!found.has(id)) found.set(id, []);
      found.get(id).push(row);
    }
    return [...found].sort(([, a], [, b]) => b[0].created - a[0].created).map(([id, rows]) => {
      const open = rows.filter((row) => TONE[row.state] !== "confirmed").length;
      const small = t("roll_by", { by: plain(rows[0].source, 24), time: this.#moment(rows[0].created) });
      return pastRow(plain(rows[0].text, 60), open ? t("survey_open_n", { n: open }) : t("survey_all"), !open, small, () => this.#fetch(id));
    });
  }

  #moment(at) {
    return moment(at, this.clock.now(), this.#zone);
  }

  async #fetch(id) {
    try {
      this.#look(await api.survey(id));
      this.box.querySelector(".roll-feet button").focus();
    } catch (error) {
      this.onNotice(error.message, "warn");
    }
  }

  async #ask() {
    const { id } = this.#shown ?? {};
    if (!id || !this.open) return;
    const found = await api.survey(id).catch(() => null); // the next news asks again
    if (found && this.#shown?.id === id && this.open) this.#look(found);
  }

  #look(survey) {
    this.#shown = survey;
    document.body.classList.remove("is-choosing-grids");
    const tones = survey.rows.map((row) => TONE[row.state]);
    const count = (tone) => tones.filter((one) => one === tone).length;
    const [done, all] = [count("confirmed"), survey.counts.tasks];
    const label = t("survey_done_n", { n: done, all });
    const numbers = element("p", "roll-numbers");
    numbers.append(element("b", "", label), element("span", "", t("survey_begun_n", { n: count("position") })));
    const about = [t("roll_by", { by: plain(survey.by, 24), time: this.#moment(survey.at) }), t("survey_ends", { time: this.#moment(survey.due) })].join(" · ");
    const rows = [...survey.rows].sort((a, b) => RANK.indexOf(TONE[a.state]) - RANK.indexOf(TONE[b.state]) || a.address.localeCompare(b.address, language()));
    const list = element("ul", "roll-list");
    list.append(...rows.map((row) => this.#row(row)));
    const feet = element("div", "roll-feet");
    feet.append(pushButton("button", t("roll_back"), () => this.begin()));
    const active = this.box.contains(document.activeElement) ? document.activeElement : null;
    const [top, focused, back] = [this.box.querySelector(".roll-list")?.scrollTop ?? 0, active?.dataset.task, active?.closest(".roll-feet")];
    this.show(t("survey_title"), element("p", "pane-words", plain(survey.text, TEXT)), element("p", "roll-next", about), numbers, bar(done, count("position"), all, label), list, feet);
    list.scrollTop = top;
    if (back) feet.firstChild.focus();
    else if (focused) this.box.querySelector(`[data-task="${CSS.escape(focused)}"]`)?.focus();
    this.layer.show(new Map(survey.rows.map((row) => [row.grid, TONE[row.state]])));
  }

  #row(row) {
    const answer = row.word ? resultWord("survey", row.word) : "";
    const about = [row.name ? plain(row.name, 24) : t("survey_nobody"), answer, row.text ? plain(row.text, 80) : ""].filter(Boolean).join(" · ");
    const node = listRow(TONE[row.state], plain(row.address, 40) || kindWord("survey"), t(`task_${row.state}`), about, () => this.onTask(row.task));
    node.firstChild.dataset.task = row.task;
    return node;
  }
}
