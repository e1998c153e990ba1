// What is not sent yet: nothing is lost, and everybody can see that.

import { element, pushButton } from "./dom.js";
import { language, t } from "./i18n.js";
import { chip, keyed, when } from "./work_parts.js";
import { said } from "./work_way.js";
import { size } from "./sizes.js";

export class QueueScreen {
  constructor(app, node) {
    this.app = app;
    this.top = element("div");
    this.list = element("div", "list");
    node.append(this.top, this.list);
  }

  paint() {
    const { outbox, uploads, link } = this.app;
    const { made, positions } = outbox;
    const waits = link.status === "offline" ? Math.max(0, Math.ceil((link.retryAt - Date.now()) / 1000)) : 0;
    const about = t(`hand_link_long_${link.status}`, { n: waits, why: link.why });
    const total = made.length + uploads.all.length;
    keyed(this.top, [{ key: JSON.stringify([language(), total, link.status, link.why, uploads.bytes > 0]), make: () => this.#top(total, about) }]);
    this.top.querySelector(".about").textContent = about;
    const bytes = this.top.querySelector(".bytes");
    bytes.textContent = total ? t("hand_queue_size", { n: total, size: size(uploads.bytes + 300 * made.length) }) : "";
    const rows = [
      ...made.map((entry) => ({ key: JSON.stringify([language(), entry.seq, entry.flying, link.online]), make: () => this.#message(entry) })),
      ...uploads.all.map((file) => ({ key: JSON.stringify([language(), file.sha, file.failed]), make: () => this.#file(file) })),
      ...(positions ? [{ key: `${language()} positions`, make: () => this.#positions() }] : []),
    ];
    keyed(this.list, rows);
    for (const file of uploads.all) this.#progress(file);
    const count = this.list.querySelector(".positions small");
    if (count) count.textContent = t("hand_queue_positions", { n: positions });
  }

  #top(total, about) {
    const { app } = this;
    const node = element("div");
    const title = element("div", "title");
    title.append(element("h1", "", t(total ? "hand_queue_title" : "hand_queue_none")));
    node.append(title, element("p", "note about", about), element("p", "note bytes"));
    if (app.link.status !== "online" || app.uploads.all.length) {
      node.append(pushButton("small", t("hand_queue_now"), () => {
        app.link.now();
        app.uploads.now();
      }));
    }
    node.style.marginBottom = "16px";
    return node;
  }

  #message({ message, at, flying }) {
    const row = element("div", "row");
    const { tasks } = this.app;
    const task = tasks.all.get(message.task) ?? tasks.done.find((one) => one.id === message.task);
    const title = message.t === "answer" ? t(`hand_said_${message.what}`) : t(`hand_said_${message.t}`);
    const result = message.what === "report" && task ? said(tasks.kind(task).results[message.word], message.word) : "";
    const about = [result, task?.address ?? message.text ?? "", message.t === "duty" ? t(message.on ? "hand_on" : "hand_off") : ""].filter(Boolean).join(" · ");
    row.append(element("b", "", title), element("small", "", about || " "), flying && this.app.link.online ? chip(t("hand_sending"), "") : when(at));
    return row;
  }

  #file(file) {
    const row = element("div", "row");
    row.dataset.sha = file.sha;
    row.append(element("b", "", t(file.type.startsWith("audio") ? "hand_voice" : "hand_photo_one")), element("small"), file.failed ? chip(t("hand_refused"), "warn") : element("span", "when"));
    const bar = element("progress");
    bar.max = file.size;
    row.append(bar);
    return row;
  }

  #progress(file) {
    const row = this.list.querySelector(`[data-sha="${file.sha}"]`);
    const { uploads } = this.app;
    const done = file.offset ?? 0;
    row.querySelector("progress").value = done;
    row.querySelector("small").textContent = done ? t("hand_of", { done: size(done), all: size(file.size) }) : size(file.size);
    const state = row.querySelector(".when");
    if (!state) return;
    const seconds = Math.ceil((uploads.retryAt - Date.now()) / 1000);
    state.textContent = uploads.current === file.sha ? t("hand_sending") : seconds > 0 ? t("hand_again_in", { n: seconds }) : t("hand_waits");
  }

  #positions() {
    const row = element("div", "row positions");
    row.append(element("b", "", t("hand_positions")), element("small"));
    return row;
  }
}
