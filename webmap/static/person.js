// The data of one person or vehicle: a copy of all of it, and its removal for good, which asks twice.

import { api } from "./api.js";
import { element, icon, pushButton, text } from "./dom.js";
import { language, onLanguage, t } from "./i18n.js";
import { plain } from "./labels.js";
import "./person_words.js";
import { askReason, reasonLine, reasonOf } from "./reasons.js";
import { may } from "./rights.js";
import { moment, size } from "./sizes.js";

const PAUSE_MS = 1000;

export class PersonSheet {
  zone = undefined; // the city's, once it is known
  #unit = null; // {id, name}
  #export = null;
  #removal = null;
  #error = "";
  #asking = false; // the second question is open
  #round = 0;
  #timer = 0;

  constructor({ onRemoved }) {
    this.onRemoved = onRemoved;
    this.box = element("dialog", "person");
    this.box.setAttribute("aria-labelledby", "person-title");
    document.body.append(this.box);
    this.box.addEventListener("close", () => this.#closed());
    this.box.addEventListener("click", (event) => event.target === this.box && this.box.close()); // beside it
    onLanguage(() => this.box.open && this.#build());
  }

  open(unit) {
    this.#unit = { id: unit.id, name: unit.name };
    [this.#export, this.#removal, this.#error, this.#asking] = [null, null, "", false];
    this.#build();
    this.box.showModal();
    this.#look((this.#round += 1));
  }

  #closed() {
    this.#round += 1;
    clearTimeout(this.#timer);
  }

  async #look(round) {
    clearTimeout(this.#timer);
    const { id } = this.#unit;
    const gone = this.#removal !== null && this.#removal.state !== "none";
    try {
      const [made, removal] = await Promise.all([gone || !may("export", id) ? null : api.export(id), may("remove", id) ? api.removal(id) : null]);
      if (round !== this.#round) return;
      [this.#export, this.#removal] = [made, removal];
    } catch (error) {
      if (round !== this.#round) return;
      this.#error = error.message;
    }
    this.#fill();
    const busy = ["waiting", "running"];
    if (busy.includes(this.#export?.state) || busy.includes(this.#removal?.state)) {
      this.#timer = setTimeout(() => this.#look(round), PAUSE_MS);
    }
  }

  async #do(work) {
    const round = this.#round;
    this.#error = "";
    try {
      await work();
    } catch (error) {
      this.#error = error.message;
    }
    if (round === this.#round) {
      this.#fill();
      if (!this.#error) await this.#look(round);
    }
  }

  #make() {
    const { id, name } = this.#unit;
    this.#do(async () => {
      const reason = await askReason(id, name);
      if (reason !== null) this.#export = await api.makeExport(id, reason);
    });
  }

  #remove() {
    const { id } = this.#unit;
    this.#do(async () => {
      this.#removal = await api.remove(id, this.confirm.value.trim(), this.reason.value.trim());
      this.#asking = false;
      this.onRemoved(id);
    });
  }

  // -- elements

  #build() {
    const head = element("header", "person-head");
    const title = element("h2", "", t("person_title", { name: plain(this.#unit.name, 40) }));
    title.id = "person-title";
    const close = pushButton("tool", "", () => this.box.close());
    close.title = t("close");
    close.setAttribute("aria-label", t("close"));
    close.append(icon("close"));
    head.append(title, close);
    this.copy = element("section", "person-part");
    this.going = element("section", "person-part");
    this.trouble = element("p", "pane-error");
    this.trouble.setAttribute("role", "alert");
    const body = element("div", "person-body");
    body.append(this.copy, this.going, this.trouble);
    this.box.replaceChildren(head, body);
    this.shown = {};
    this.#fill();
  }

  #fill() {
    this.trouble.hidden = !this.#error;
    text(this.trouble, this.#error);
    const gone = this.#removal !== null && this.#removal.state !== "none";
    this.copy.hidden = gone || !may("export", this.#unit.id);
    this.going.hidden = !may("remove", this.#unit.id);
    // Made anew only when it is about something else: what a person is typing stays, and so does the focus.
    this.#show(this.copy, "copy", [this.#export, reasonOf(this.#unit.id)], () => this.#exportPart());
    this.#show(this.going, "going", { ...this.#removal, asking: this.#asking }, () => (gone ? this.#courseParts() : this.#removePart()));
  }

  #show(box, name, about, make) {
    const now = JSON.stringify([about, language()]);
    if (this.shown[name] === now) return;
    this.shown[name] = now;
    const focused = box.contains(document.activeElement);
    box.replaceChildren(...make());
    if (focused) (box.querySelector("input, a.button, button:enabled") ?? this.box.querySelector("button")).focus();
  }

  #exportPart() {
    const made = this.#export;
    const busy = made === null || made.state === "waiting" || made.state === "running";
    const again = made?.file ? "person_export_again" : "person_export_make";
    const make = pushButton("button", t(again), () => this.#make());
    make.disabled = busy;
    make.dataset.action = "make-export";
    const row = element("div", "person-row");
    const nodes = [element("h3", "", t("person_export")), element("p", "person-note", t("person_export_text")), row];
    if (made?.file) {
      const get = element("a", "button strong", t("person_export_get", { size: size(made.file.bytes) }));
      const { id, name } = this.#unit;
      get.href = api.exportFile(id, reasonOf(id));
      get.download = `${id}.zip`;
      get.addEventListener("click", async (event) => {
        if (reasonOf(id) || "own" in get.dataset) return;
        event.preventDefault();
        const reason = await askReason(id, name);
        if (reason === null) return;
        if (!reason) get.dataset.own = "";
        get.href = api.exportFile(id, reason);
        get.click();
      });
      row.append(get);
      nodes.push(reasonLine(id, name, () => this.#fill()));
      nodes.push(element("p", "person-note", t("person_export_until", { made: moment(made.file.made, this.zone), until: moment(made.file.expires, this.zone) })));
    }
    row.append(make);
    if (made !== null && busy) {
      const { day, done, of } = made.progress;
      const words = made.state === "running" && day ? t("person_export_running", { day, done, of }) : t("person_export_waiting");
      const bar = element("progress", "person-progress");
      if (of) [bar.max, bar.value] = [of, done];
      bar.setAttribute("aria-label", words);
      const told = element("p", "person-note", words);
      told.setAttribute("role", "status");
      nodes.push(bar, told);
    }
    if (made?.state === "failed") nodes.push(element("p", "pane-error", made.problem));
    const looked = element("a", "person-link", t("person_looked"));
    looked.href = `/access#unit=${encodeURIComponent(this.#unit.id)}`;
    nodes.push(looked);
    return nodes;
  }

  #removePart() {
    const nodes = [element("h3", "", t("person_remove")), element("p", "person-note", t("person_remove_text"))];
    const holds = this.#removal?.holds;
    if (!this.#asking) {
      const begin = pushButton("button danger", t("person_remove_begin"), () => {
        this.#asking = true;
        this.#fill();
        this.reason.focus();
      });
      begin.disabled = !holds;
      begin.dataset.action = "begin-removal";
      const row = element("div", "person-row");
      row.append(begin);
      return [...nodes, row];
    }
    const form = element("form", "person-form");
    this.reason = field(form, "person-reason", t("person_remove_reason"), 500);
    this.confirm = field(form, "person-confirm", t("person_remove_confirm", { id: this.#unit.id }), 64);
    const row = element("div", "person-row");
    const now = element("button", "button danger solid", t("person_remove_now"));
    now.type = "submit";
    now.dataset.action = "remove";
    const ready = () => (now.disabled = this.confirm.value.trim() !== this.#unit.id || !this.reason.value.trim());
    form.addEventListener("input", ready);
    ready();
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!now.disabled) this.#remove();
    });
    const back = pushButton("button", t("person_remove_back"), () => {
      this.#asking = false;
      this.#fill();
    });
    row.append(now, back);
    form.append(row);
    return [...nodes, element("p", "person-what", t("person_remove_what", holds)), form];
  }

  #courseParts() {
    const { state, step, day, ticket, problem, backups_before: before } = this.#removal;
    const told = element("p", "person-note");
    told.setAttribute("role", "status");
    if (state === "lost") {
      text(told, t("person_lost"));
      return [element("h3", "", t("person_remove")), told];
    }
    if (state === "done") {
      text(told, t("person_removed_text", { ticket, when: moment(before, this.zone) }));
      return [element("h3", "person-done", t("person_removed")), told];
    }
    text(told, t(`person_step_${step}`, { day: day ?? "" }));
    const nodes = [element("h3", "", t("person_removing")), element("progress", "person-progress"), told];
    if (problem) nodes.push(element("p", "pane-error", t("person_waits", { reason: problem })));
    return nodes;
  }
}

function field(form, id, words, most) {
  const label = element("label", "person-field", words);
  const input = element("input");
  [input.id, input.type, input.maxLength, input.autocomplete, input.spellcheck] = [id, "text", most, "off", false];
  label.append(input);
  form.append(label);
  return input;
}
