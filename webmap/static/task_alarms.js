// What the seats are told, as a list behind a bell: who must be called, what is late, for whom nobody can be found.

import { element, icon, pushButton, text } from "./dom.js";
import { knows, t } from "./i18n.js";
import { plain } from "./labels.js";
import { reasonWord, unitName } from "./task_text.js";
import { ago } from "./time.js";

// What sounds, and how. What is in neither list is somebody's own deed, and told by the task itself.
const SOUNDS = { critical: "alarm", overdue: "alarm", unanswered: "alarm", no_candidate: "alarm", ranked: "alarm", not_revoked: "alarm", revoke: "alarm", undelivered: "alarm", call: "leader" };
const QUIET = new Set(["declined", "abandoned", "alert", "evidence", "review", "report", "expired", "photo_lost"]);
const SHOWN = 100;

export class TaskAlarms {
  #read = 0; // the number of the newest note that has been looked at
  #shown = [];

  /** {desk, clock, sounder, isLeader(), onTask(id), onNotice(words, level), muted, onMute()} */
  constructor(parts) {
    Object.assign(this, parts);
    this.box = document.getElementById("alarms");
    this.button = document.getElementById("alarms-button");
    this.count = document.getElementById("alarms-count");
  }

  get open() {
    return !this.box.hidden;
  }

  /** Notes have come; `fresh` are those that are new to this page. */
  update(fresh, first) {
    const { desk } = this;
    this.#shown = desk.notes.filter((note) => this.#concerns(note)).toSorted((a, b) => b.at - a.at || b.n - a.n).slice(0, SHOWN);
    if (first) this.#read = desk.notes[0]?.n ?? 0;
    const loud = fresh.filter((note) => this.#concerns(note) && this.#sound(note));
    if (loud.length) {
      const note = loud.toSorted((a, b) => Number(a.what === "call") - Number(b.what === "call")).at(-1);
      this.sounder.play(this.#sound(note));
      this.onNotice([this.#word(note), this.#where(note)].filter(Boolean).join(t("colon")), "warn");
    }
    this.#badge();
    if (this.open) this.paint();
  }

  #concerns(note) {
    if (note.to === "group" || note.to === "unit") return false;
    return note.what in SOUNDS || QUIET.has(note.what);
  }

  /** What is for the leader sounds at a leader's only; the seat sees it too. */
  #sound(note) {
    return note.to === "leader" && !this.isLeader() ? null : SOUNDS[note.what] ?? null;
  }

  #badge() {
    const unread = this.#shown.filter((note) => note.n > this.#read && this.#sound(note)).length;
    this.count.hidden = unread === 0;
    text(this.count, unread > 99 ? "99+" : String(unread));
    this.button.classList.toggle("is-alarmed", unread > 0);
  }

  toggle(open = !this.open) {
    this.box.hidden = !open;
    this.button.setAttribute("aria-expanded", String(open));
    if (open) this.paint();
    this.#read = Math.max(this.#read, this.desk.notes[0]?.n ?? 0);
    this.#badge();
  }

  paint() {
    const now = this.clock.now();
    const mute = element("label", "switch");
    const tick = element("input", "");
    [tick.type, tick.checked, tick.id] = ["checkbox", !this.muted(), "alarm-sound"];
    tick.addEventListener("change", () => this.onMute(!tick.checked));
    mute.append(tick, element("i", ""), element("span", "", t("alarms_mute")));
    const head = paneHead(t("alarms"), () => this.toggle(false), mute);
    const rows = this.#shown.map((note) => this.#row(note, now));
    const list = element("div", "pane-list");
    if (!this.sounder.ready && !this.muted()) list.append(element("p", "pane-hint", t("alarms_sound_off")));
    list.append(...(rows.length ? rows : [element("p", "pane-empty", t("alarms_none"))]));
    const top = this.box.lastChild?.scrollTop ?? 0;
    this.box.replaceChildren(head, list);
    list.scrollTop = top;
  }

  #row(note, now) {
    const row = pushButton("alarm", "", () => this.onTask(note.task));
    row.dataset.level = note.to === "leader" ? "leader" : SOUNDS[note.what] ? "loud" : "quiet";
    row.append(icon(note.to === "call" ? "phone" : note.to === "leader" ? "flag" : SOUNDS[note.what] ? "bell" : "message"));
    row.append(element("b", "", this.#word(note)), element("time", "", ago(Math.max(0, now - note.at))), element("bdi", "", this.#where(note)));
    const more = [note.unit && unitName(note.unit), reasonWord(note.reason), note.to === "leader" && t("for_leader")].filter(Boolean).join(" · ");
    if (more) row.append(element("small", "", more));
    return row;
  }

  #word(note) {
    return knows(`note_${note.what}`) ? t(`note_${note.what}`) : note.what;
  }

  #where(note) {
    const row = this.desk.rows.get(note.task);
    return plain(row?.address || row?.text || note.task, 40);
  }
}

/** The head of a pane over the list: its title, something at its side, and the way out. */
export function paneHead(words, close, ...parts) {
  const head = element("div", "roll-head");
  const button = pushButton("tool", "", close);
  button.title = t("close");
  button.setAttribute("aria-label", t("close"));
  button.append(icon("close"));
  const side = element("div", "pane-side");
  side.append(...parts, button);
  head.append(element("h2", "", words), side);
  return head;
}
