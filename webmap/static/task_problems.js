// What collectors report from the field, waiting for somebody to make a task of it.

import { api } from "./api.js";
import { element, pushButton, text } from "./dom.js";
import { t } from "./i18n.js";
import { plain } from "./labels.js";
import { paneHead } from "./task_alarms.js";
import { photos } from "./task_answers.js";
import { classWord, nameWord } from "./task_text.js";
import { ago } from "./time.js";

export class TaskProblems {
  #known = new Set();
  #key = "";

  /** {desk, clock, canDispatch(), onSpot(spot), onTask(id), onNotice(words, level)} */
  constructor(parts) {
    Object.assign(this, parts);
    this.box = document.getElementById("problems");
    this.button = document.getElementById("problems-button");
    this.count = document.getElementById("problems-count");
  }

  get open() {
    return !this.box.hidden;
  }

  update(first) {
    const waiting = this.desk.problems.filter((one) => one.state === "new");
    this.count.hidden = waiting.length === 0;
    text(this.count, String(waiting.length));
    const fresh = waiting.filter((one) => !this.#known.has(one.id));
    this.#known = new Set(this.desk.problems.map((one) => one.id));
    if (fresh.length && !first) this.onNotice(t("problem_new", { name: nameWord(fresh.at(-1), 24) }));
    if (this.open) this.paint();
  }

  toggle(open = !this.open) {
    this.box.hidden = !open;
    this.button.setAttribute("aria-expanded", String(open));
    this.#key = "";
    if (open) this.paint();
  }

  paint() {
    const all = this.desk.problems.toSorted((a, b) => Number(a.state !== "new") - Number(b.state !== "new") || b.at - a.at);
    const key = JSON.stringify([all, document.documentElement.lang]);
    if (key === this.#key) return; // a voice that is being listened to goes on
    this.#key = key;
    const list = element("div", "pane-list");
    list.append(...(all.length ? all.map((one) => this.#one(one)) : [element("p", "pane-empty", t("problems_none"))]));
    this.box.replaceChildren(paneHead(t("problems"), () => this.toggle(false)), list);
  }

  #one(one) {
    const block = element("article", "problem");
    block.dataset.taken = String(one.state !== "new");
    const head = pushButton("problem-head", "", () => one.spot && this.onSpot(one.spot));
    head.append(element("bdi", "", nameWord(one, 24)), element("time", "", ago(Math.max(0, this.clock.now() - one.at))));
    if (one.klass) head.append(element("small", "", classWord(one.klass)));
    block.append(head, element("p", "problem-text", one.text ? plain(one.text, 500) : t("problem_no_text")));
    if (one.photos?.length) block.append(photos(one.photos));
    if (one.voice) {
      const voice = element("audio", "problem-voice");
      [voice.controls, voice.preload, voice.src] = [true, "none", api.voice(one.voice)];
      voice.setAttribute("aria-label", t("problem_voice"));
      block.append(voice);
    }
    if (one.task) block.append(pushButton("button quiet", t("problem_seen"), () => this.onTask(one.task)));
    else if (one.state === "seen") block.append(element("small", "", t("problem_settled")));
    else if (this.canDispatch()) {
      const row = element("div", "pane-row");
      const settle = pushButton("button", t("problem_seen_only"), () => this.#do(settle, () => api.settleProblem(one.id)));
      row.append(settle);
      if (one.spot) {
        const make = pushButton("button strong", t("problem_task"), () => this.#make(one, make));
        row.append(make);
      }
      block.append(row);
    }
    return block;
  }

  async #make(one, button) {
    const row = await this.#do(button, () => api.taskOfProblem(one.id));
    if (!row) return;
    this.desk.put(row);
    this.onTask(row.id);
  }

  /** What came of it, or null if it could not be done. */
  async #do(button, ask) {
    button.disabled = true;
    try {
      const after = await ask();
      this.desk.ask();
      return after;
    } catch (error) {
      this.onNotice(error.message, "warn");
      button.disabled = false;
      return null;
    }
  }
}
