// What a seat does to a task: sent with what it saw, told when somebody else was faster, and undone where it can be.

import { api } from "./api.js";
import { t } from "./i18n.js";
import { plain } from "./labels.js";
import { nameWord, stateWord, unitName } from "./task_text.js";

const WAIT_MS = 6000; // what cannot be undone is not sent before
const WAITS = new Set(["close", "cancel"]);

export class TaskDeeds {
  #waiting = new Map(); // task -> {send}

  /** {desk, toasts, onNotice(words, level)} */
  constructor(parts) {
    Object.assign(this, parts);
    // Who leaves has meant it.
    window.addEventListener("pagehide", () => {
      for (const { send } of [...this.#waiting.values()]) send(true);
    });
  }

  /** Does something to a task as it is shown now; `given`: unit, reason, attempt, at, what. */
  do(row, verb, given = {}) {
    if (this.#waiting.has(row.id)) return null;
    return WAITS.has(verb) ? this.#later(row, verb, given) : this.#now(row, verb, given);
  }

  #later(row, verb, given) {
    const { desk, toasts } = this;
    const send = (leaving = false) => {
      this.#waiting.delete(row.id);
      desk.wait(row.id, null);
      return this.#send(row, verb, given, leaving ? { keepalive: true } : {});
    };
    this.#waiting.set(row.id, { send });
    desk.wait(row.id, verb);
    toasts.show(t(`will_${verb}`, { where: plain(row.address || row.id, 24) }), {
      wait: WAIT_MS,
      undo: () => {
        this.#waiting.delete(row.id);
        desk.wait(row.id, null);
      },
      done: () => send().then((after) => after && toasts.show(t(`was_${verb}`)), () => {}),
    });
    return null;
  }

  async #now(row, verb, given) {
    const after = await this.#send(row, verb, given);
    if (!after) return null;
    const words = t(`was_${verb}`, { name: given.unit ? unitName(given.unit) : "" });
    const back = opposite(row, verb);
    this.toasts.show(words, back ? { undo: () => this.#send(this.desk.rows.get(row.id) ?? after, ...back) } : {});
    return after;
  }

  /** The task as it is after it, or null if it could not be done. */
  async #send(row, verb, given, more) {
    try {
      const after = await api.changeTask(row.id, verb, { seen: row.seen, ...given }, more);
      this.desk.put(after);
      return after;
    } catch (error) {
      if (error.status === 409) await this.#faster(row, error);
      else this.onNotice(error.message, "warn");
      return null;
    }
  }

  async #faster(row, error) {
    try {
      const now = await api.task(row.id);
      this.desk.put(now);
      const holder = now.holder ? `${nameWord(now.holder, 20)} · ` : "";
      this.onNotice(error.code === "changed" ? t("somebody_faster", { state: holder + stateWord(now) }) : error.message, "warn");
    } catch {
      this.onNotice(error.message, "warn");
    }
  }
}

/** What undoes something: a verb and what it is given; nothing for what has no opposite. */
function opposite(row, verb) {
  if (verb === "suspend") return ["resume"];
  if (verb === "unpin") return row.pinned ? ["assign", { unit: row.pinned }] : null;
  if (verb !== "assign") return null;
  const before = row.holder?.unit;
  return before ? ["assign", { unit: before }] : ["recall", { reason: t("undo") }];
}

/** What can be done to a task as it is, the likeliest first. */
export function possible(row) {
  const held = row.holder !== null;
  const asked = held && (row.holder.state === "offered" || row.holder.state === "delivered");
  const deeds = {
    queued: ["assign", "suspend", "cancel"],
    assigned: ["reassign", asked && "phone", "recall", "suspend", "cancel"],
    in_progress: ["reassign", "recall", "suspend", "cancel"],
    resulted: ["close", "return", "recall", "cancel"],
    suspended: ["resume", "cancel"],
  }[row.state] ?? [];
  if (row.pinned && ["queued", "assigned", "in_progress"].includes(row.state)) deeds.splice(1, 0, "unpin");
  return deeds.filter((deed) => deed && (held || deed !== "recall"));
}
