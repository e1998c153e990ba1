// The sheet of the selected task: how it stands, who has it, what can be done, what was answered, and all that happened.

import { api } from "./api.js";
import { arrivalOf, leftOf, lightOf, needsSeat, OPEN } from "./desk.js";
import { element, icon, pushButton, text } from "./dom.js";
import { t } from "./i18n.js";
import { plain } from "./labels.js";
import { TaskActions } from "./task_actions.js";
import { adoptable, answerBlock, linksBlock } from "./task_answers.js";
import { timeLine } from "./task_line.js";
import { signOf, taskMark } from "./task_marks.js";
import { classWord, countdown, etaWord, kindWord, nameWord, stateWord, unitName } from "./task_text.js";
import { clockFormat, dayFormat } from "./time.js";

export class TaskCard {
  #shown = null;
  #parts = {};
  #detail = null; // of the shown task, as the server told it last
  #asked = null;
  #clock = clockFormat("Asia/Shanghai");
  #day = dayFormat("Asia/Shanghai");

  /** {desk, deeds, choice, grids, clock, canDispatch(), onClose(), onUnit(id), onTask(id), onCenter(), onNotice} */
  constructor(parts) {
    Object.assign(this, parts);
    this.box = document.getElementById("task-card");
    this.actions = new TaskActions({ ...parts, changed: () => this.update() });
  }

  zone(name) {
    if (!name) return;
    this.#clock = clockFormat(name);
    this.#day = dayFormat(name);
  }

  /** A moment in the city's time: of another day with its date, then to the minute. */
  time(at, digits = 8) {
    const day = this.#day(at);
    const time = this.#clock.format(at);
    return day === this.#day(this.clock.now()) ? time.slice(0, digits) : `${day} ${time.slice(0, 5)}`;
  }

  /** Builds the sheet when the selection, the language or the task's state changed, then fills it. */
  update(rebuild = false) {
    const { row } = this.desk;
    this.box.hidden = row === null;
    document.body.classList.toggle("has-task", row !== null);
    if (row === null) {
      this.#shown = this.#detail = null;
      this.actions.close();
      return;
    }
    if (rebuild || this.#shown !== row.id) this.#build(row);
    this.#fill(row);
  }

  /** The task has changed on the server: what is not in its row is asked for again. */
  async refresh() {
    const { row } = this.desk;
    if (row === null || this.#asked === row.id) return;
    this.#asked = row.id;
    try {
      const detail = await api.task(row.id);
      if (this.desk.selected === row.id) {
        this.#detail = detail;
        this.#details();
      }
    } catch (error) {
      this.onNotice(error.message, "warn");
    } finally {
      this.#asked = null;
      if (this.desk.row && this.desk.row.id !== row.id) this.refresh();
    }
  }

  #build(row) {
    if (this.#shown !== row.id) {
      this.#detail = null;
      this.actions.close();
    }
    this.#shown = row.id;
    const p = (this.#parts = {});
    const head = element("header", "card-head");
    p.sign = element("span", "card-sign");
    const titles = element("div", "card-titles");
    p.name = element("h2", "card-name");
    p.what = element("p", "card-who");
    titles.append(p.name, p.what);
    const close = pushButton("tool", "", this.onClose);
    close.title = t("close");
    close.setAttribute("aria-label", t("close"));
    close.append(icon("close"));
    const show = pushButton("tool", "", this.onCenter);
    show.title = t("show_on_map");
    show.setAttribute("aria-label", t("show_on_map"));
    show.append(icon("locate"));
    const tools = element("div", "task-tools");
    tools.append(show, close);
    head.append(p.sign, titles, tools);

    const now = element("div", "task-now");
    p.state = element("b", "card-state");
    p.left = element("span", "task-clock");
    now.append(p.state, p.left);
    p.holder = pushButton("task-holder", "", () => this.desk.row?.holder?.unit && this.onUnit(this.desk.row.holder.unit));
    p.holder.append(element("bdi", ""), element("span", ""));
    p.text = element("p", "task-text");
    p.facts = element("dl", "task-facts");
    p.answers = element("div", "task-answers");
    p.line = element("ol", "time-line");
    const story = element("section", "task-story");
    story.append(element("h3", "", t("time_line")), p.line);
    this.box.replaceChildren(head, now, p.holder, this.actions.box, p.text, p.answers, p.facts, story);
    this.#details();
  }

  #fill(row) {
    const p = this.#parts;
    const now = this.clock.now();
    const light = lightOf(row, now);
    const sign = signOf(row, light);
    const signs = `${sign.state}/${sign.light}`;
    if (p.sign.dataset.sign !== signs) {
      p.sign.dataset.sign = signs;
      p.sign.replaceChildren(taskMark(sign));
    }
    this.box.dataset.light = sign.light;
    text(p.name, plain(row.address || row.text || row.id, 80));
    text(p.what, [kindWord(row.kind), classWord(row.klass)].filter(Boolean).join(" · "));
    text(p.state, needsSeat(row) && row.state === "queued" ? t("nobody_found") : row.state === "queued" ? t("nobody_yet") : stateWord(row));
    text(p.left, leftLine(row, now));
    p.holder.hidden = !row.holder;
    if (row.holder) {
      text(p.holder.firstChild, nameWord(row.holder, 30));
      text(p.holder.lastChild, this.#arrival(row, now));
    }
    text(p.text, plain(row.text, 500));
    p.text.hidden = !row.text;
    this.#facts(row);
    this.actions.fill(row);
  }

  #arrival(row, now) {
    const at = arrivalOf(row);
    if (at === null) return t(`holder_${row.holder.state}`);
    const time = this.time(at, 5);
    return at < now ? t("arrives_late", { time }) : t("arrives_at", { time, eta: etaWord((at - now) / 1000) });
  }

  #facts(row) {
    const rows = [
      ["fact_due", OPEN.has(row.state) ? this.time(row.due, 5) : ""],
      ["fact_created", this.time(row.created, 5)],
      ["fact_where", row.grid ? [row.street, this.grids.name(row.grid)].filter(Boolean).map((word) => plain(word, 24)).join(" · ") : ""],
      ["fact_source", plain(row.source, 40)],
      ["fact_pinned", row.pinned ? unitName(row.pinned) : ""],
      ["fact_id", plain(row.id, 64)],
    ].filter(([, value]) => value);
    const key = JSON.stringify([rows, row.level, document.documentElement.lang]);
    if (this.#parts.facts.dataset.key === key) return;
    this.#parts.facts.dataset.key = key;
    this.#parts.facts.replaceChildren(...rows.map(([name, value]) => {
      const fact = element("div", `fact ${name}`);
      fact.append(element("dt", "", t(name)), element("dd", "", value));
      return fact;
    }));
  }

  /** What comes with the whole task: answers with photos, what may be the same, the time line. */
  #details() {
    const p = this.#parts;
    const detail = this.#detail;
    if (!detail || !p.line || detail.id !== this.#shown) {
      p.answers?.replaceChildren();
      return;
    }
    const parts = [];
    const time = (at) => this.time(at);
    if (detail.result) parts.push(element("h3", "", t("results")), answerBlock(detail, detail.result, time));
    if (detail.kept.length) {
      parts.push(element("h3", "", t("kept_results")));
      for (const result of detail.kept) {
        const block = answerBlock(detail, result, time);
        if (this.canDispatch() && adoptable(detail)) block.append(pushButton("button", t("adopt"), () => this.deeds.do(this.desk.row, "adopt", { attempt: result.attempt, at: result.at })));
        parts.push(block);
      }
    }
    if (detail.links.length) parts.push(element("h3", "", t("duplicates")), linksBlock(detail, this.desk, this.onTask));
    p.answers.replaceChildren(...parts);
    p.line.replaceChildren(...timeLine(detail, time));
  }
}

/** The time that is left, in words. */
function leftLine(row, now) {
  if (!OPEN.has(row.state)) return "";
  if (row.state === "suspended") return t("clock_stands");
  const left = leftOf(row, now);
  return t(left >= 0 ? "left_n" : "late_n", { time: countdown(left) });
}
