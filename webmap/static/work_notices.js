// Notices (今日提示): what the desk tells everybody. One lies over every screen until its person says that it was read;
// that it was shown and read goes out like any answer, also when there is a network again.

import { element, icon, pushButton } from "./dom.js";
import { language, t } from "./i18n.js";
import { newId } from "./work_ids.js";
import { chip, keyed } from "./work_parts.js";
import { clock } from "./work_way.js";

const KEPT = 30;
const DAY_MS = 86_400_000;
const AGAIN_MS = 60_000; // it sounds so often until it was read

export class Notices {
  all = []; // {id, text, by, at, until, shown, read: ms, event: of the last answer}, newest first
  #sounded = 0;

  constructor(app, place) {
    this.app = app;
    this.place = place;
    this.node = element("section", "bulletin");
    this.node.setAttribute("aria-live", "assertive");
  }

  async load() {
    this.all = (await this.app.store.get("facts", "notices")) ?? [];
  }

  /** Those that were not read and are not over, the oldest first. */
  get unread() {
    return this.all.filter((one) => !one.read && one.until > this.app.link.time).reverse();
  }

  /** Those of a day, and whatever is not over. */
  get recent() {
    const { time } = this.app.link;
    return this.all.filter((one) => one.until > time || time - one.at < DAY_MS);
  }

  /** What the server tells: again on every link until it has heard that it was read. */
  async receive({ id, text, by, at, until }) {
    const notice = this.all.find((one) => one.id === id) ?? { id, shown: 0, read: 0, event: "" };
    if (!this.all.includes(notice)) this.all.unshift(notice);
    Object.assign(notice, { text, by, at, until }); // the same one: somebody may just be reading it
    this.all = this.all.sort((a, b) => b.at - a.at).slice(0, KEPT);
    if (!notice.shown) {
      this.#sounded = Date.now();
      this.app.alarm.once("note");
      await this.#say(notice, "shown");
    } else if (notice.read && !this.app.outbox.holds(notice.event)) await this.#say(notice, "read");
  }

  async read(notice) {
    await this.#say(notice, "read");
    this.app.paint();
  }

  async #say(notice, what) {
    const at = Date.now();
    Object.assign(notice, { event: newId(), [what]: at });
    const message = { t: "answer", task: notice.id, attempt: 1, what, event: notice.event, at };
    await this.app.outbox.add(message, false, ["facts"], (facts) => facts.put(this.all, "notices"));
    this.app.link.pump();
  }

  paint() {
    const [first, ...more] = this.unread;
    if (!first) {
      this.node.remove();
      return;
    }
    if (this.app.duty.on && Date.now() - this.#sounded >= AGAIN_MS) {
      this.#sounded = Date.now();
      this.app.alarm.once("note");
    }
    keyed(this.node, [{ key: JSON.stringify([language(), first, more.length]), make: () => this.#made(first, more.length) }]);
    if (this.place.lastElementChild !== this.node) this.place.append(this.node);
  }

  #made(notice, more) {
    const box = element("div", "bulletin-box");
    const head = element("div", "bulletin-head");
    head.append(icon("report"), element("b", "", t("hand_bulletin")), element("small", "", t("hand_bulletin_by", { by: notice.by, at: clock(notice.at) })));
    const words = element("p", "", notice.text);
    words.tabIndex = 0;
    box.append(head, words, pushButton("big strong", t("hand_bulletin_read"), () => this.read(notice)));
    if (more) head.append(chip(t("hand_bulletin_more", { n: more }), "plain"));
    return box;
  }

  /** The list of them, into a screen. */
  list(node) {
    const { recent } = this;
    const { time } = this.app.link;
    const key = JSON.stringify([language(), recent, recent.map((one) => one.until > time)]);
    keyed(node, recent.length ? [{ key, make: () => this.#list(recent, time) }] : []);
  }

  #list(notices, time) {
    const node = element("div");
    const list = element("ul", "list");
    for (const one of notices) {
      const row = element("li", "row");
      const state = one.read ? chip(t("hand_bulletin_done"), "good") : chip(t(one.until > time ? "hand_bulletin_new" : "hand_bulletin_over"), one.until > time ? "warn" : "plain");
      row.append(element("b", "bulletin-text", one.text), element("small", "", t("hand_bulletin_by", { by: one.by, at: clock(one.at) })), state);
      list.append(row);
    }
    node.append(element("h2", "", t("hand_bulletins")), list);
    return node;
  }
}
