// Somebody is asked: the whole screen, sound and vibration until he answers or the time is over.

import { element, icon, pushButton } from "./dom.js";
import { language, t } from "./i18n.js";
import { ask, keyed } from "./work_parts.js";
import { metres, minutes, said, timeLeft, wayWords } from "./work_way.js";

const ROUND = 226.2; // the ring's length

export class Offer {
  #hidden = new Set(); // put aside: the list still has it
  #asking = false;

  constructor(app, node) {
    this.app = app;
    this.node = node;
  }

  /** The one that is being asked about, or null. */
  get task() {
    return this.app.tasks.offers.find((task) => !this.#hidden.has(`${task.id} ${task.attempt}`) && !this.#late(task)) ?? null;
  }

  #late(task) {
    return task.until > 0 && this.app.link.time > task.until;
  }

  /** It is asked again, also if it was put aside. */
  again(task) {
    this.#hidden.delete(`${task.id} ${task.attempt}`);
  }

  paint() {
    const { task, app } = this;
    document.body.toggleAttribute("data-offer", task !== null);
    this.node.hidden = task === null;
    if (!task) {
      app.alarm.quiet("offer");
      this.node.replaceChildren();
      return;
    }
    if (!this.#asking) app.alarm.ring("offer");
    const others = app.tasks.offers.length - 1;
    keyed(this.node, [{ key: JSON.stringify([language(), task.id, task.attempt, task.address, task.text, others, app.tasks.words.version]), make: () => this.#made(task, others) }]);
    const { position } = app;
    const way = this.node.querySelector(".offer-way");
    way.hidden = !position.fresh;
    if (position.fresh) way.lastChild.textContent = `${wayWords(position.last, task)} · ${t("hand_minutes", { n: minutes(metres(position.last, task)) })}`;
    this.#time(task);
  }

  #made(task, others) {
    const { app } = this;
    const node = element("div");
    node.className = "offer-box";
    const top = element("div", "offer-top");
    const words = element("div");
    const title = element("h1", "", t("hand_offer", { kind: said(app.tasks.kind(task), task.kind) }));
    title.id = "offer-title";
    words.append(title, element("p", "", t("hand_due_in", { left: timeLeft(task.due - app.link.time) })));
    const clock = new DOMParser().parseFromString(
      '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 84 84"><circle cx="42" cy="42" r="36"/><circle cx="42" cy="42" r="36"/></svg>', "image/svg+xml").documentElement;
    const time = element("div", "offer-time");
    time.append(document.importNode(clock, true), element("span"));
    top.append(words, time);
    const middle = element("div", "offer-middle");
    middle.append(element("b", "", task.address || t("hand_target")));
    if (task.text) middle.append(element("p", "", task.text));
    const facts = element("div", "offer-facts");
    const way = element("span", "offer-way");
    way.append(icon("way"), document.createTextNode(""));
    facts.append(way);
    const klass = said(app.tasks.words.classes[task.klass], task.klass);
    if (klass) facts.append(element("span", "", klass));
    middle.append(facts);
    const acts = element("div", "offer-acts");
    acts.append(pushButton("big no", t("hand_decline"), () => this.decline(task)), pushButton("big yes", t("hand_accept"), () => this.#accept(task)));
    node.append(top, middle, acts);
    if (others > 0) node.append(element("p", "offer-more", t("hand_more_offers", { n: others })));
    return node;
  }

  #time(task) {
    const { time } = this.app.link;
    const node = this.node.querySelector(".offer-time");
    node.hidden = !task.until;
    if (!task.until) return;
    task.asked ??= time;
    const left = Math.max(0, task.until - time);
    node.lastChild.textContent = String(Math.ceil(left / 1000));
    const share = Math.min(1, left / Math.max(1, task.until - task.asked));
    node.querySelectorAll("circle")[1].setAttribute("stroke-dasharray", `${(ROUND * share).toFixed(1)} ${ROUND}`);
  }

  async #accept(task) {
    this.app.alarm.quiet("offer");
    await this.app.tasks.accept(task);
    this.app.go("task", task.id);
  }

  /** Asks why; answers whether it was declined. */
  async decline(task) {
    const { app } = this;
    this.#asking = true;
    app.alarm.quiet("offer");
    const reasons = Object.entries(app.tasks.words.declines).map(([value, words]) => ({ value, words: said(words, value) }));
    const reason = await ask(t("hand_why"), reasons.length ? reasons : [{ value: "other", words: t("hand_decline") }]);
    this.#asking = false;
    if (reason !== null && app.tasks.all.get(task.id)?.attempt === task.attempt) {
      await app.tasks.decline(task, reason);
      app.go("tasks");
    }
    app.paint();
  }
}
