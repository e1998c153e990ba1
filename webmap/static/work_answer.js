// The answer to a task: one of its kind's results, photos, words. What is begun is kept, whatever happens to the page.

import { element, pushButton } from "./dom.js";
import { language, t } from "./i18n.js";
import { callout, head, kindChip, notice } from "./work_parts.js";
import { Photos } from "./work_photos.js";
import { said } from "./work_way.js";

const TEXT_LIMIT = 500;

export class AnswerScreen {
  #key = "";
  #draft = { word: "", text: "", photos: [] };
  #saving = 0;

  constructor(app, node) {
    this.app = app;
    this.node = node;
    this.photos = new Photos({ limit: () => app.tasks.words.photo_limit, onChange: () => this.#changed() });
  }

  async open(id) {
    this.id = id;
    this.#key = "";
    const kept = await this.app.store.get("drafts", `task ${id}`);
    if (this.id !== id) return;
    this.#draft = kept && kept.attempt === this.task?.attempt ? kept : { word: "", text: "", photos: [] };
    this.photos.load(this.#draft.photos);
    this.#key = "";
    this.app.paint();
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
    const key = JSON.stringify([language(), task.id, task.attempt, task.over, task.more, app.tasks.words.version]);
    if (key !== this.#key) {
      this.#key = key;
      this.#make(task);
    }
    this.#lacks(task);
  }

  get #more() {
    return this.app.tasks.state(this.task) === "reported";
  }

  #make(task) {
    const { app } = this;
    const title = element("span", "chips");
    title.append(kindChip(app, task));
    const parts = [head(title, () => app.back()), element("h1", "", task.address || t("hand_target"))];
    if (task.over) parts.push(callout(t("hand_over_answer")));
    if (!this.#more) {
      parts.push(element("h2", "", t("hand_result")), this.#words(task));
    }
    this.needs = element("h2", "", t("hand_photos"));
    parts.push(this.needs, this.photos.node);
    if (!this.#more) parts.push(element("h2", "", t("hand_text")), this.#text());
    this.lacking = element("p", "lacks");
    parts.push(this.lacking);
    this.node.replaceChildren(...parts);
    app.acts(this.#key, () => [(this.send = pushButton("big good", t("hand_send"), () => this.#send()))]);
  }

  #words(task) {
    const group = element("div", "words");
    group.setAttribute("role", "radiogroup");
    for (const [word, words] of Object.entries(this.app.tasks.kind(task).results)) {
      const label = element("label");
      const input = element("input");
      Object.assign(input, { type: "radio", name: "word", value: word, checked: this.#draft.word === word });
      input.addEventListener("change", () => {
        this.#draft.word = word;
        this.#changed();
      });
      label.append(input, element("span", "", said(words, word)));
      group.append(label);
    }
    return group;
  }

  #text() {
    const field = element("label", "field");
    const input = element("textarea");
    Object.assign(input, { value: this.#draft.text, maxLength: TEXT_LIMIT, rows: 3, placeholder: t("hand_text_hint") });
    input.id = "answer-text";
    input.addEventListener("input", () => {
      this.#draft.text = input.value;
      this.#changed();
    });
    field.append(input);
    return field;
  }

  #changed() {
    this.#draft.photos = this.photos.items;
    clearTimeout(this.#saving);
    this.#saving = setTimeout(() => this.save(), 250);
    if (this.task) this.#lacks(this.task);
  }

  async save() {
    const { task } = this;
    if (task) await this.app.store.put("drafts", { ...this.#draft, id: `task ${task.id}`, attempt: task.attempt, at: Date.now() });
  }

  /** What is still missing, in words; nothing when it can go. */
  #lacks(task) {
    const rule = this.app.tasks.kind(task).results[this.#draft.word];
    const need = this.#more ? task.more : rule?.photos ?? this.app.tasks.kind(task).photos ?? 0;
    this.photos.paint(need);
    const missing = [];
    const photos = need - this.photos.items.length;
    if (!this.#more && !rule) missing.push(t("hand_lacks_result"));
    if (photos > 0) missing.push(photos === 1 ? t("hand_lacks_photo") : t("hand_lacks_photos", { n: photos }));
    if (rule?.text && !this.#draft.text.trim()) missing.push(t("hand_lacks_text"));
    if (this.#more && !this.photos.items.length && !missing.length) missing.push(t("hand_lacks_photo"));
    if (this.lacking) this.lacking.textContent = missing.length ? t("hand_lacks", { what: missing.join(t("comma")) }) : "";
    if (this.send) this.send.disabled = missing.length > 0;
    return missing;
  }

  async #send() {
    const { task, app } = this;
    if (!task || this.#lacks(task).length) return;
    clearTimeout(this.#saving);
    this.send.disabled = true;
    const { word, text } = this.#draft;
    const photos = this.photos.items;
    if (this.#more) await app.tasks.more(task, photos);
    else await app.tasks.report(task, { word, text: text.trim(), photos });
    this.#draft = { word: "", text: "", photos: [] };
    this.photos.load([]);
    app.uploads.now();
    app.link.pump();
    notice(t(app.link.online ? "hand_sent" : "hand_kept"));
    app.go("tasks");
  }
}
