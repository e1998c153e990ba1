// The tasks on this phone: what the server has told, with what was done here laid over it until the server has answered
// that. Nothing here touches the page; `hear` tells what a person should see or hear.

import { newId } from "./work_ids.js";

const RANK = { offered: 0, delivered: 1, accepted: 2, en_route: 3, on_scene: 4, reported: 5 };
const AFTER = { accept: "accepted", start: "en_route", arrive: "on_scene", report: "reported" };
const BEHIND = new Set(["arrive", "report"]); // the positions before them bear them out
const DONE_LIMIT = 30; // what is over and can be looked up
const SOON_MS = 300_000; // whatever the limit is
const LATE_SHARE = 0.8; // of the time since it was first seen here: yellow, as the server's own light

export class Tasks {
  all = new Map(); // id -> what the server told, with {first, critical, said, local, over}
  done = []; // {id, attempt, kind, address, word, at, code, event}, newest first
  words = { kinds: {}, declines: {}, classes: {}, photo_limit: 8_000_000 };

  /** {store, outbox, time(), hear(what, task, reason), onChange()} */
  constructor(parts) {
    Object.assign(this, parts);
  }

  async load() {
    for (const task of await this.store.all("tasks")) this.all.set(task.id, task);
    this.done = (await this.store.get("facts", "done")) ?? [];
    this.words = (await this.store.get("facts", "words")) ?? this.words;
  }

  /** Those that somebody has to do something about: nearest end first. */
  get open() {
    return [...this.all.values()].filter((task) => !task.over && this.state(task) !== "reported").sort((a, b) => a.due - b.due);
  }

  /** Those whose answer has gone, or waits to go. */
  get answered() {
    return [...this.all.values()].filter((task) => !task.over && this.state(task) === "reported");
  }

  get offers() {
    return this.open.filter((task) => RANK[this.state(task)] < RANK.accepted);
  }

  /** Where it is: what was done here counts until the server has answered. */
  state(task) {
    return task.local && RANK[task.local] > (RANK[task.state] ?? -1) ? task.local : task.state;
  }

  light(task) {
    const now = this.time();
    if (now >= task.due || task.late) return "red";
    const soon = now > task.first + LATE_SHARE * (task.due - task.first) || task.due - now < SOON_MS;
    return task.critical || soon ? "yellow" : "green";
  }

  kind(task) {
    return this.words.kinds[task.kind] ?? { zh: task.kind, en: task.kind, photos: 0, results: {} };
  }

  /** What the server says; answers whether it was about tasks. */
  async receive(message) {
    const read = { words: this.#words, held: this.#held, task: this.#task, revoke: this.#revoke, standing: this.#standing }[message.t];
    if (!read) return false;
    await read.call(this, message);
    this.onChange();
    return true;
  }

  // What a person does.

  async accept(task) {
    await this.#say(task, "accept");
  }

  async start(task) {
    await this.#say(task, "start");
  }

  async arrive(task) {
    await this.#say(task, "arrive");
  }

  async decline(task, reason) {
    this.#over(task, "declined", reason);
    await this.#say(task, "decline", { reason });
    await this.#drop(task);
  }

  /** The answer, with its photos ({sha, blob, type, size}): they and it are kept in one piece, and the draft goes. */
  async report(task, { word, text, photos }) {
    const event = newId();
    const { id, attempt } = task;
    const keep = (files, drafts) => {
      for (const photo of photos) files.put({ ...photo, at: Date.now(), task: id, attempt, problem: "" });
      drafts.delete(`task ${id}`);
    };
    const late = Boolean(task.over);
    this.#note({ id, attempt, event, kind: task.kind, address: task.address, word, at: Date.now(), code: "", photos: photos.length });
    task.photos = [];
    await this.#say(task, "report", { event, word, text, photos: photos.map((photo) => photo.sha) }, ["files", "drafts"], keep);
    if (late) await this.#drop(task);
  }

  /** Something was reported that nobody had asked for. */
  reported(event, words) {
    this.#note({ id: event, attempt: 0, event, kind: "", address: words, word: "", at: Date.now(), code: "", photos: 0 });
  }

  /** A photo that was asked for afterwards. */
  async more(task, photos) {
    await this.store.change(["files", "drafts", "tasks"], (files, drafts, tasks) => {
      for (const photo of photos) files.put({ ...photo, at: Date.now(), task: task.id, attempt: task.attempt, problem: "" });
      drafts.delete(`task ${task.id}`);
      task.more = Math.max(0, task.more - photos.length);
      tasks.put(task);
    });
    this.onChange();
  }

  /** What was taken away is put out of sight. */
  async dismiss(task) {
    await this.store.remove("drafts", `task ${task.id}`);
    await this.#drop(task);
  }

  async #say(task, what, fields = {}, names = [], work = () => {}) {
    const { event = newId(), ...more } = fields;
    task.said = [...(task.said ?? []), event];
    if (AFTER[what]) task.local = AFTER[what];
    const message = { t: "answer", task: task.id, attempt: task.attempt, what, event, at: Date.now(), ...more };
    await this.outbox.add(message, BEHIND.has(what), ["tasks", ...names], (tasks, ...others) => {
      if (this.all.get(task.id) === task) tasks.put(task);
      work(...others);
    });
    this.onChange();
  }

  async #drop(task) {
    if (this.all.get(task.id)?.attempt !== task.attempt) return;
    this.all.delete(task.id);
    await this.store.remove("tasks", task.id);
    this.onChange();
  }

  #note(entry) {
    this.done = [entry, ...this.done.filter((one) => one.id !== entry.id || one.attempt !== entry.attempt)].slice(0, DONE_LIMIT);
    this.store.put("facts", this.done, "done").catch(() => {});
  }

  #over(task, code, word = "") {
    this.#note({ id: task.id, attempt: task.attempt, event: "", kind: task.kind, address: task.address, word, at: Date.now(), code, photos: 0 });
  }

  // What the server says.

  async #words(message) {
    const { kinds, declines, classes, photo_limit, version } = message;
    this.words = { kinds: kinds ?? {}, declines: declines ?? {}, classes: classes ?? {}, photo_limit: photo_limit || 8_000_000, version };
    await this.store.put("facts", this.words, "words");
  }

  async #held({ tasks }) {
    const holds = new Map(tasks);
    for (const task of [...this.all.values()]) {
      this.#settle(task, (event) => this.outbox.holds(event));
      if (holds.get(task.id) === task.attempt || task.over) await this.store.put("tasks", task);
      else if (this.state(task) === "reported" && task.local) continue; // its answer is still on its way
      else await this.#taken(task, this.state(task) === "reported" ? "" : "gone");
    }
  }

  async #task(message) {
    const { t, task: id, what, ...told } = message;
    const before = this.all.get(id);
    if (before && before.attempt > told.attempt) return;
    const known = before?.attempt === told.attempt ? before : null;
    const now = this.time();
    const task = { first: now, said: [], ...(known ?? {}), ...told, id, lat: told.lat / 1e7, lon: told.lon / 1e7, over: null };
    this.all.set(id, task);
    if (what === "return") Object.assign(task, { local: null, returned: told.reason || true });
    if (what === "critical") task.critical = true;
    if (what === "overdue") task.late = true;
    await this.store.put("tasks", task);
    const asked = RANK[this.state(task)] < RANK.accepted;
    if (what === "offer" && !task.told) {
      task.told = true;
      await this.#say(task, "delivered");
    }
    if (what === "return") await this.#say(task, "informed");
    if (asked) this.hear(known?.heard && what !== "remind" ? "again" : "offer", task);
    else if (what !== "hold") this.hear(what, task, told.reason);
    task.heard = true;
  }

  async #revoke({ task: id, attempt, reason }) {
    const task = this.all.get(id);
    await this.#say({ id, attempt, said: [] }, "revoked");
    if (task?.attempt === attempt) await this.#taken(task, reason || "gone");
  }

  async #standing({ event, code, task: id, attempt, state }) {
    const entry = this.done.find((one) => one.event === event);
    if (entry) this.#note({ ...entry, code });
    const task = [...this.all.values()].find((one) => one.said?.includes(event)) ?? this.all.get(id);
    if (!task) return;
    this.#settle(task, (other) => other !== event);
    if (!task.said.length && attempt === task.attempt && state) task.state = state;
    const ended = state && !(state in RANK);
    if (ended && !task.said.length && !task.over) await this.#taken(task, state === "done" ? "" : code === "stale" ? "gone" : "");
    else if (this.all.has(task.id)) await this.store.put("tasks", task);
    if (code === "stale" || code === "unknown") this.hear("stale", task);
    if (code === "kept") this.hear("kept", task);
  }

  /** Forgets what the server has answered; `waits` says of an event whether it has not. */
  #settle(task, waits) {
    task.said = (task.said ?? []).filter(waits);
    if (!task.said.length) task.local = null;
  }

  /** It is not this person's any more. Who has begun an answer can send it all the same: it is kept. */
  async #taken(task, reason) {
    const draft = await this.store.get("drafts", `task ${task.id}`);
    if (draft && reason) {
      task.over = reason;
      await this.store.put("tasks", task);
    } else await this.#drop(task);
    if (reason) {
      this.#over(task, "taken", reason);
      this.hear("revoke", task, reason);
    }
  }
}
