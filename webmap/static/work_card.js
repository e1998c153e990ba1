// One task: where it is, what is wanted, how it stands, and the one thing to do next.

import { element, icon, pushButton } from "./dom.js";
import { language, t } from "./i18n.js";
import { ask, callout, chip, due, head, keyed, kindChip } from "./work_parts.js";
import { bearing, clock, far, guides, metres, minutes, direction, said } from "./work_way.js";

const STEPS = ["accepted", "en_route", "on_scene", "reported"];
const NEAR = 60; // metres: he is there, as far as the phone can tell

export class CardScreen {
  constructor(app, node) {
    this.app = app;
    this.node = node;
  }

  open(id) {
    this.id = id;
  }

  get task() {
    return this.app.tasks.all.get(this.id) ?? null;
  }

  paint() {
    const { task, app } = this;
    if (!task) {
      app.go("tasks");
      return;
    }
    const state = app.tasks.state(task);
    const near = this.#near(task);
    const key = JSON.stringify([language(), task, state, app.tasks.light(task), app.tasks.words.version]);
    keyed(this.node, [{ key, make: () => this.#made(task, state) }]);
    this.#compass(task);
    app.acts(JSON.stringify([language(), task.id, task.attempt, state, near, task.over, task.more]), () => this.#acts(task, state, near));
  }

  #near(task) {
    const { position } = this.app;
    return position.fresh && metres(position.last, task) < NEAR + (position.last.accuracy ?? 0);
  }

  #made(task, state) {
    const { app } = this;
    const light = app.tasks.light(task);
    const node = element("div");
    const chips = element("span", "chips");
    chips.append(kindChip(app, task));
    const klass = said(app.tasks.words.classes[task.klass], task.klass);
    if (klass) chips.append(chip(klass, "plain"));
    const left = due(task.due, app.link.time);
    left.classList.add(light);
    node.append(head(chips, () => app.back(), left));
    if (task.over) node.append(callout(`${t("hand_over_long")} ${reasonWords(app, task.over)}`));
    else if (task.returned) node.append(callout(typeof task.returned === "string" ? t("hand_returned_why", { why: task.returned }) : t("hand_returned")));
    else if (task.more || task.photos?.length) node.append(callout(task.more ? t("hand_more_photos", { n: task.more }) : t("hand_photos_wait")));
    node.append(element("h1", "chosen", task.address || t("hand_target")));
    if (task.text) node.append(element("p", "say chosen", task.text));
    node.append(this.#compassRow(task));
    if (!task.over) node.append(this.#steps(state));
    node.append(element("p", "note", t("hand_due_at", { at: clock(task.due) })));
    return node;
  }

  #compassRow(task) {
    const row = element("div", "compass");
    const dial = element("div", "dial");
    dial.append(icon("way"));
    const words = element("div");
    words.append(element("b"), element("span"));
    row.append(dial, words, pushButton("small", t("hand_navigate"), () => this.#navigate(task)));
    return row;
  }

  #compass(task) {
    const { position } = this.app;
    const row = this.node.querySelector(".compass");
    const [big, small] = [row.querySelector("b"), row.querySelector("div span")];
    row.querySelector(".dial").hidden = !position.fresh;
    if (position.fresh) {
      const way = metres(position.last, task);
      const course = bearing(position.last, task);
      row.querySelector(".icon").style.transform = `rotate(${Math.round(course)}deg)`;
      big.textContent = far(way);
      small.textContent = t("hand_way", { where: direction(course), n: minutes(way) });
    } else {
      big.textContent = t("hand_no_place");
      small.textContent = t(`hand_place_${position.state}`);
    }
  }

  #steps(state) {
    const list = element("ol", "steps");
    const at = STEPS.indexOf(state);
    for (const [n, step] of STEPS.entries()) {
      list.append(element("li", n <= at ? "done" : n === at + 1 && at >= 0 ? "now" : "", t(`hand_step_${step}`)));
    }
    return list;
  }

  async #navigate(task) {
    const found = guides(task);
    const choices = found.map(({ name, href }) => ({ value: href, words: name }));
    const href = await ask(t("hand_navigate"), choices, t("hand_navigate_text"));
    if (href) location.href = href;
  }

  /** The one thing to do next. */
  #acts(task, state, near) {
    const { app } = this;
    const answer = (words, name = "strong") => pushButton(`big ${name}`, words, () => app.go("answer", task.id));
    if (task.over) return [answer(t("hand_answer_anyway"), ""), pushButton("big", t("hand_put_away"), () => this.#dismiss(task))];
    if (state === "offered" || state === "delivered") {
      return [pushButton("big", t("hand_decline"), () => app.offer.decline(task)), pushButton("big strong", t("hand_accept"), () => app.tasks.accept(task))];
    }
    if (state === "reported") return task.more ? [answer(t("hand_take_photos"))] : [pushButton("big", t("hand_back_list"), () => app.go("tasks"))];
    if (state === "accepted" && !near) return [pushButton("big strong", t("hand_start"), () => app.tasks.start(task)), answer(t("hand_answer"), "")];
    if (state !== "on_scene") return [pushButton(`big ${near ? "strong" : ""}`, t("hand_arrive"), () => app.tasks.arrive(task)), answer(t("hand_answer"), near ? "" : "strong")];
    return [answer(t("hand_answer"), "good")];
  }

  async #dismiss(task) {
    await this.app.tasks.dismiss(task);
    this.app.go("tasks");
  }
}

/** Why a task was taken away, in words; what somebody has written himself as it is. */
export function reasonWords(app, reason) {
  const known = { gone: "gone", better: "better", reassigned: "reassigned", cancel: "cancel", suspend: "suspend", expire: "expire", not_departed: "not_departed", not_arrived: "not_arrived" }[reason];
  if (known) return t(`hand_why_${known}`);
  return said(app.tasks.words.declines[reason], reason);
}
