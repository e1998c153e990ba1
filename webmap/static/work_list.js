// The first screen: what is to be done, nearest end first; then what was done.

import { element, icon, pushButton } from "./dom.js";
import { language, t } from "./i18n.js";
import { chip, due, keyed, kindChip, when } from "./work_parts.js";
import { said, wayWords } from "./work_way.js";

export class ListScreen {
  constructor(app, node) {
    this.app = app;
    this.title = element("div", "title");
    this.list = element("ul", "list");
    this.empty = element("div");
    this.notices = element("div");
    this.past = element("div");
    node.append(this.title, this.empty, this.list, this.notices, this.past);
  }

  paint() {
    const { tasks, position } = this.app;
    const shown = [...tasks.open, ...[...tasks.all.values()].filter((task) => task.over)];
    const words = language();
    keyed(this.title, shown.length ? [{ key: `${words} ${shown.length}`, make: () => this.#count(shown.length) }] : []);
    keyed(this.list, shown.map((task) => ({ key: this.#key(task, words), make: () => this.#row(task) })));
    for (const [n, task] of shown.entries()) {
      const way = this.list.children[n].querySelector(".way span");
      if (way) way.textContent = position.fresh ? wayWords(position.last, task) : t("hand_no_place");
    }
    keyed(this.empty, shown.length ? [] : [{ key: `${words} ${this.app.duty.on} ${position.state}`, make: () => this.#nothing() }]);
    this.app.notices.list(this.notices);
    const past = [...tasks.answered.map((task) => ({ ...task, code: "waits" })), ...tasks.done].slice(0, 12);
    const seen = new Set();
    const once = past.filter(({ id, attempt }) => !seen.has(`${id} ${attempt}`) && seen.add(`${id} ${attempt}`));
    const done = once.map((entry) => tasks.done.find((one) => one.id === entry.id && one.attempt === entry.attempt) ?? entry);
    keyed(this.past, done.length ? [{ key: JSON.stringify([words, done.map((one) => [one.id, one.attempt, one.code, one.at])]), make: () => this.#done(done) }] : []);
  }

  #count(n) {
    return element("h1", "", t("hand_to_do", { n }));
  }

  #key(task, words) {
    const { tasks } = this.app;
    return JSON.stringify([words, task.id, task.attempt, tasks.state(task), tasks.light(task), task.over, task.address, task.text, task.due, task.returned, task.more, tasks.words.version]);
  }

  #row(task) {
    const { app } = this;
    const state = app.tasks.state(task);
    const item = element("li");
    const row = element("a", `task-row ${app.tasks.light(task)}`);
    row.href = `#task/${encodeURIComponent(task.id)}`;
    const chips = element("span", "chips");
    chips.append(kindChip(app, task), chip(t(task.over ? "hand_over" : `hand_state_${state}`), task.over ? "warn" : state === "offered" || state === "delivered" ? "" : "plain"));
    if (task.returned) chips.append(chip(t("hand_returned"), "warn"));
    const way = element("span", "way");
    way.append(icon("way"), element("span"));
    row.append(chips, due(task.due, app.link.time), element("b", "", task.address || t("hand_target")), element("p", "", task.text), way);
    if (!task.text) row.querySelector("p").remove();
    item.append(row);
    return item;
  }

  #nothing() {
    const { app } = this;
    const node = element("div", "empty");
    if (!app.duty.on) {
      node.append(icon("me"), element("b", "", t("hand_off_title")), element("p", "", t("hand_off_text")), pushButton("big good", t("hand_go_on"), () => app.duty.toggle()));
      return node;
    }
    const blind = app.position.state === "denied" || app.position.state === "insecure";
    node.append(icon("check"), element("b", "", t("hand_none_title")), element("p", "", t(blind ? `hand_place_${app.position.state}` : "hand_none_text")));
    return node;
  }

  #done(entries) {
    const { app } = this;
    const node = element("div");
    const list = element("ul", "list");
    for (const entry of entries) {
      const row = element("li", "row");
      const words = said(app.tasks.kind(entry).results[entry.word]) || said(app.tasks.words.declines[entry.word]);
      const [key, look] = standing(entry);
      row.append(element("b", "", entry.address || t("hand_target")), element("small", "", [entry.kind ? said(app.tasks.kind(entry), entry.kind) : t("hand_said_problem"), words].filter(Boolean).join(" · ")), element("span", "chip-when"));
      const right = row.lastElementChild;
      right.replaceWith(look ? chip(t(key), look) : when(entry.at));
      list.append(row);
    }
    node.append(element("h2", "", t("hand_done_title")), list);
    return node;
  }
}

/** What became of an answer: the words' key, and how it looks. */
function standing({ code }) {
  return {
    "": ["hand_code_waits", "warn"], waits: ["hand_code_waits", "warn"], ok: ["hand_code_ok", "good"], again: ["hand_code_ok", "good"], kept: ["hand_code_kept", "warn"],
    stale: ["hand_code_stale", "warn"], unknown: ["hand_code_stale", "warn"], bad: ["hand_code_bad", "warn"], declined: ["hand_code_declined", "plain"], taken: ["hand_code_taken", "plain"],
  }[code] ?? ["hand_code_ok", "good"];
}

