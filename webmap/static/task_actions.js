// What can be done to a task: its buttons, and below them the pane of what has been begun: choosing who goes, saying
// why, or noting what was said on the telephone.

import { element, icon, pushButton } from "./dom.js";
import { t } from "./i18n.js";
import { plain } from "./labels.js";
import { ChoiceList } from "./task_choice.js";
import { possible } from "./task_deeds.js";
import { excludedWord, nameWord } from "./task_text.js";

const PICTURES = { assign: "send", reassign: "send", close: "check", resume: "play" };
const REASONS = new Set(["recall", "return", "suspend", "cancel"]);
const MOST = 200;

export class TaskActions {
  #key = "";
  #pane = ""; // which one is open

  /** {desk, deeds, choice, canDispatch(), changed()} */
  constructor(parts) {
    Object.assign(this, parts);
    this.box = element("div", "task-actions");
    this.buttons = element("div", "task-buttons");
    this.pane = element("div", "task-pane");
    this.box.append(this.buttons, this.pane);
    this.list = new ChoiceList({ choice: this.choice, onPick: (one) => this.pick(one) });
  }

  get choosing() {
    return this.#pane === "assign";
  }

  fill(row) {
    const deeds = this.canDispatch() && !this.desk.pending.has(row.id) ? possible(row) : [];
    const key = `${row.id}/${row.seen}/${row.pinned}/${deeds.join()}/${document.documentElement.lang}`;
    if (key === this.#key) return;
    // What was begun with another state of the task is begun anew.
    if (this.#pane && this.#pane !== "assign") this.close();
    else if (this.#pane && !deeds.some((deed) => deed.endsWith("assign"))) this.close();
    this.#key = key;
    const rows = [element("div", "task-row"), element("div", "task-row")];
    for (const [n, deed] of deeds.entries()) rows[n === 0 || deed === "unpin" ? 0 : 1].append(this.#button(deed, n));
    this.buttons.replaceChildren(...rows);
    this.box.hidden = deeds.length === 0;
  }

  #button(deed, n) {
    const node = pushButton(`button${n === 0 ? " strong" : ""}`, "", () => this.begin(deed));
    node.dataset.deed = deed;
    if (n === 0) node.append(icon(PICTURES[deed]));
    node.append(element("span", "button-word", t(`do_${deed}`)));
    if (deed.endsWith("assign")) node.append(element("kbd", "", "A"));
    return node;
  }

  /** The first button gets the focus: the rest is Tab and Enter. */
  focus() {
    this.buttons.querySelector("button")?.focus();
  }

  begin(deed) {
    const { row } = this.desk;
    if (!row) return;
    if (deed.endsWith("assign")) this.assign();
    else if (deed === "phone") this.#phone(row);
    else if (REASONS.has(deed)) this.#why(row, deed);
    else this.deeds.do(row, deed);
  }

  /** Whoever can go, to choose from. */
  assign() {
    const { row } = this.desk;
    if (!row || !this.canDispatch() || !possible(row).some((deed) => deed.endsWith("assign"))) return false;
    if (this.choosing) return true;
    const head = element("div", "pane-head");
    const close = pushButton("tool", "", () => this.close());
    close.setAttribute("aria-label", t("stay"));
    close.append(icon("close"));
    head.append(element("b", "", t("choose")), close);
    this.#open("assign", head, element("p", "pane-note", t("choose_hint")), this.list.box);
    this.choice.ofTask(row);
    this.list.show();
    this.changed();
    return true;
  }

  /** Somebody was chosen, in whatever way; who is not on the list of those who can go is asked about first. */
  pick(one) {
    const { row } = this.desk;
    if (!row || !one) return;
    if (one.reason) {
      const ask = element("div", "pane-row");
      ask.append(pushButton("button", t("stay"), () => this.close()), pushButton("button strong", t("do_assign"), () => this.#assigned(row, one.unit)));
      this.#open("anyway", element("p", "pane-note", t("anyway", { name: plain(one.name, 24), reason: excludedWord(one.reason) })), ask);
      ask.lastChild.focus();
      return;
    }
    this.#assigned(row, one.unit);
  }

  #assigned(row, unit) {
    this.close();
    this.deeds.do(row, "assign", { unit });
  }

  #why(row, deed) {
    const form = element("form", "why-pane");
    const field = element("input", "");
    [field.type, field.maxLength, field.autocomplete, field.id] = ["text", MOST, "off", "task-why"];
    const words = t(deed === "cancel" ? "why_cancel_task" : `why_${deed}`);
    field.setAttribute("aria-label", words);
    const chips = element("div", "why-chips");
    for (const preset of t(`presets_${deed}`).split("|")) chips.append(pushButton("why-chip", preset, () => { field.value = preset; ready(); field.focus(); }));
    const go = element("button", "button strong", t(`do_${deed}`));
    go.type = "submit";
    const feet = element("div", "pane-row");
    feet.append(pushButton("button", t("stay"), () => this.close()), go);
    const ready = () => (go.disabled = !field.value.trim());
    form.append(element("b", "", words), field, chips, feet);
    form.addEventListener("input", ready);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const reason = field.value.trim();
      if (!reason) return;
      this.close();
      this.deeds.do(row, deed, { reason });
    });
    this.#open(deed, form);
    ready();
    field.focus();
  }

  #phone(row) {
    const note = element("p", "pane-note", t("phone_note", { name: nameWord(row.holder, 24) }));
    const { attempt } = row.holder;
    const yes = pushButton("button strong", t("phone_accept"), () => {
      this.close();
      this.deeds.do(row, "phone", { attempt, what: "accept" });
    });
    const chips = element("div", "why-chips");
    for (const preset of t("presets_phone").split("|")) {
      chips.append(pushButton("why-chip", preset, () => {
        this.close();
        this.deeds.do(row, "phone", { attempt, what: "decline", reason: preset });
      }));
    }
    const feet = element("div", "pane-row");
    feet.append(pushButton("button", t("stay"), () => this.close()), yes);
    this.#open("phone", note, feet, element("b", "", t("phone_decline")), chips);
    yes.focus();
  }

  #open(name, ...parts) {
    if (name !== "assign") this.choice.end();
    this.#pane = name;
    this.pane.dataset.pane = name;
    this.pane.replaceChildren(...parts);
    this.changed();
  }

  /** Answers whether something was open. */
  close() {
    if (!this.#pane) return false;
    const held = this.pane.contains(document.activeElement);
    this.#pane = "";
    delete this.pane.dataset.pane;
    this.pane.replaceChildren();
    this.choice.end();
    if (held) this.focus();
    this.changed();
    return true;
  }
}
