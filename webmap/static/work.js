// The collector's page: everything is made here and handed to its parts; nothing is looked up.

import { knows, language, onLanguage, setLanguage, t } from "./i18n.js";
import { Preferences } from "./prefs.js";
import { Theme } from "./theme.js";
import { Alarm } from "./work_alarm.js";
import { AnswerScreen } from "./work_answer.js";
import { CardScreen, reasonWords } from "./work_card.js";
import { Duty } from "./work_duty.js";
import { keptGround, newGround } from "./work_ground.js";
import { Health } from "./work_health.js";
import { identity } from "./work_identity.js";
import { Link } from "./work_link.js";
import { ListScreen } from "./work_list.js";
import { WorkMap } from "./work_map.js";
import { MeScreen } from "./work_me.js";
import { Notices } from "./work_notices.js";
import { Offer } from "./work_offer.js";
import { Outbox } from "./work_outbox.js";
import { ask, keyed, notice } from "./work_parts.js";
import { Position } from "./work_position.js";
import { ProblemScreen } from "./work_problem.js";
import { QueueScreen } from "./work_queue.js";
import { Sos } from "./work_sos.js";
import { openStore } from "./work_store.js";
import { Tasks } from "./work_tasks.js";
import { basic, Uploads } from "./work_uploads.js";
import { timeLeft } from "./work_way.js";
import "./work_words.js";

const $ = (id) => document.getElementById(id);
const WITH_MAP = new Set(["tasks", "task"]);
const HERE_MS = 1500;
const LOCATE_MS = 12_000;
const TABS = new Set(["tasks", "report", "queue", "me"]);

class Work {
  screen = "tasks";
  #waiting = false;
  #bare = "";

  constructor(own) {
    this.identity = own;
    this.prefs = new Preferences();
    this.theme = new Theme(this.prefs);
    this.alarm = new Alarm();
  }

  async start() {
    this.store = await openStore();
    navigator.storage?.persist?.().catch(() => {});
    const paint = () => this.paint();
    this.outbox = new Outbox(this.store);
    this.link = new Link({ identity: this.identity, outbox: this.outbox, onMessage: (message) => this.#told(message), onChange: paint });
    this.tasks = new Tasks({ store: this.store, outbox: this.outbox, time: () => this.link.time, hear: (...news) => this.#hear(...news), onChange: () => this.#changed() });
    this.uploads = new Uploads({ store: this.store, identity: this.identity, onChange: paint });
    this.position = new Position({ busy: () => this.tasks.open.length > 0, onFix: (point) => this.#fix(point), onChange: paint });
    this.sos = new Sos(this, $("help"));
    this.notices = new Notices(this, $("alarms"));
    this.duty = new Duty(this);
    this.map = new WorkMap({ node: $("map"), theme: this.theme, headers: { Authorization: basic(this.identity) }, onPick: (id) => this.go("task", id) });
    this.offer = new Offer(this, $("offer"));
    this.screens = {
      tasks: new ListScreen(this, $("screen-tasks")), task: new CardScreen(this, $("screen-task")), answer: new AnswerScreen(this, $("screen-answer")),
      report: new ProblemScreen(this, $("screen-report")), queue: new QueueScreen(this, $("screen-queue")), me: new MeScreen(this, $("screen-me")),
    };
    await Promise.all([this.outbox.load(), this.tasks.load(), this.uploads.load(), this.sos.load(), this.notices.load()]);
    this.ground = await keptGround(this.store);
    if (this.ground) this.map.ground(this.ground);
    await this.duty.load();
    this.health = new Health({ position: this.position, outbox: this.outbox, link: this.link, wanted: () => this.duty.on });
    this.#listen();
    await this.#route();
    this.link.start();
    this.uploads.now();
  }

  async #ground() {
    const ground = await newGround(this.store, this.identity, this.ground);
    if (!ground) return;
    this.ground = ground;
    this.map.ground(ground);
  }

  #listen() {
    window.addEventListener("hashchange", () => this.#route());
    $("duty").addEventListener("click", () => this.duty.toggle());
    $("map-me").addEventListener("click", () => this.map.centre());
    $("map-fit").addEventListener("click", () => this.map.fit());
    document.addEventListener("visibilitychange", () => this.stayAwake());
    document.addEventListener("pointerdown", () => this.paint(), { once: true });
    onLanguage(() => this.paint());
    this.prefs.onChange(() => this.paint());
    setInterval(() => this.#second(), 1000);
  }

  // Where one is on the page.

  go(screen, id = "") {
    const hash = id ? `#${screen}/${encodeURIComponent(id)}` : `#${screen}`;
    if (location.hash === hash) this.#route();
    else location.hash = hash;
  }

  back() {
    this.go(this.screen === "answer" ? "task" : "tasks", this.screen === "answer" ? this.screens.answer.id : "");
  }

  async #route() {
    const [name, id = ""] = location.hash.slice(1).split("/");
    const screen = name in this.screens ? name : "tasks";
    if (screen !== this.screen) this.screens[this.screen].leave?.();
    this.screen = screen;
    this.acts("", null);
    for (const [other] of Object.entries(this.screens)) $(`screen-${other}`).hidden = other !== screen;
    $("screen-start").hidden = true;
    document.body.dataset.screen = screen;
    document.body.dataset.map = WITH_MAP.has(screen) ? "on" : "off";
    $("sheet").scrollTop = 0;
    for (const tab of document.querySelectorAll("[data-tab]")) {
      if (tab.dataset.tab === (TABS.has(screen) ? screen : "tasks")) tab.setAttribute("aria-current", "page");
      else tab.removeAttribute("aria-current");
    }
    await this.screens[screen].open?.(decodeURIComponent(id));
    this.paint();
    this.map.fit(false);
  }

  /** The bar with what to do next, instead of the places; `make` answers its buttons, null for none. */
  acts(key, make) {
    const bar = $("acts");
    bar.hidden = make === null;
    document.body.toggleAttribute("data-acts", make !== null);
    if (make === null) bar.replaceChildren();
    else if (bar.dataset.key !== key || !bar.children.length) bar.replaceChildren(...make());
    bar.dataset.key = key;
  }

  // What happens.

  async #told(message) {
    if (await this.tasks.receive(message)) {
      this.link.pump();
      if (message.t === "task" && message.photos?.length) this.uploads.now();
    } else if (message.t === "sos") await this.sos.receive(message);
    else if (message.t === "notice") await this.notices.receive(message);
    else if (message.t === "command") await this.#command(message);
    else if (message.t === "welcome") this.#ground();
    this.paint();
  }

  #changed() {
    this.link.pump();
    this.paint();
  }

  #fix(point) {
    const full = [...point, ...Array(9 - point.length).fill(null)];
    full[7] ??= 0;
    full[8] = (full[8] ?? 0) | this.sos.bits;
    if (!this.duty.on && !this.sos.bits) return;
    this.outbox.addPosition(full).then(() => this.link.pump(), () => {});
  }

  /** News of a task, as a person should hear of it. */
  #hear(what, task, reason) {
    const address = task.address || t("hand_target");
    if (what === "offer") {
      this.offer.again(task);
      this.paint();
      return;
    }
    if (!knows(`hand_news_${what}`)) return; // nothing that he has to do anything about
    this.alarm.once("note");
    const to = { action: () => this.go("task", task.id), key: `task ${task.id}` };
    if (what === "revoke") notice(`${t("hand_news_revoke", { address })} ${reasonWords(this, reason)}`, { kind: "warn", key: to.key });
    else notice(t(`hand_news_${what}`, { address }), { kind: "warn", ...to });
  }

  /** The seat asks this phone for something. */
  async #command({ id, kind, until }) {
    if (kind !== "locate" && kind !== "roll_call") {
      this.link.done(id, false);
      return;
    }
    if (this.asked === id) return;
    this.asked = id;
    const found = this.position.now();
    let here = true;
    if (kind === "roll_call") {
      this.alarm.once("offer");
      const left = Math.max(1000, (until || this.link.time + 60_000) - this.link.time);
      const late = setTimeout(() => $("ask").close(), left);
      here = (await ask(t("hand_roll_title"), [{ value: true, words: t("hand_roll_here"), name: "good" }], t("hand_roll_text"))) === true;
      clearTimeout(late);
    }
    // Who has said "here" is not kept waiting for a satellite.
    const point = await Promise.race([found, new Promise((done) => setTimeout(done, kind === "roll_call" ? HERE_MS : LOCATE_MS, null))]);
    if (point && this.duty.on) {
      point[8] |= this.sos.bits;
      await this.outbox.addUrgent(point);
      this.link.pump();
    }
    this.asked = "";
    this.link.done(id, kind === "roll_call" ? here : point !== null && this.duty.on);
  }

  // What is seen.

  /** Any number of calls in between is one painting. */
  paint() {
    if (this.#waiting) return;
    this.#waiting = true;
    requestAnimationFrame(() => {
      this.#waiting = false;
      this.#paint();
    });
  }

  #paint() {
    const { duty, link } = this;
    document.title = `${t("hand_title")} · Gridbeat`;
    $("duty").setAttribute("aria-pressed", String(duty.on));
    $("duty-word").textContent = t(duty.on ? "hand_on" : "hand_off");
    $("duty-name").textContent = link.name || this.identity.name || "";
    const waits = this.outbox.made.filter((entry) => !entry.flying).length + this.uploads.all.length;
    $("link").dataset.link = link.status;
    $("link-word").textContent = t(`hand_link_${link.status}`);
    badge($("tab-queue"), waits);
    badge($("tab-tasks"), this.tasks.open.length);
    this.#refused();
    this.screens[this.screen].paint();
    this.offer.paint();
    this.sos.paint();
    this.notices.paint();
    this.#place();
  }

  #place() {
    const { position, tasks } = this;
    const offered = this.offer.task;
    this.map.covered = offered ? $("offer") : null;
    const target = offered?.id ?? (this.screen === "task" || this.screen === "answer" ? this.screens[this.screen].id : "");
    const shown = offered ? [offered] : [...tasks.open, ...[...tasks.all.values()].filter((task) => task.over && task.id === target)];
    const pins = shown.map((task) => ({ id: task.id, lat: task.lat, lon: task.lon, light: tasks.light(task), asked: tasks.offers.includes(task) }));
    const calls = [...this.sos.calls.values()].filter((call) => call.lat !== null);
    this.map.show({ me: position.fresh ? position.last : null, tasks: pins, target, calls });
  }

  #second() {
    const { time } = this.link;
    for (const node of document.querySelectorAll("[data-due]")) {
      const words = timeLeft(Number(node.dataset.due) - time);
      if (node.textContent !== words) node.textContent = words;
    }
    this.paint();
  }

  /** The server does not know this phone: it must be given to somebody anew, or the page is open elsewhere. */
  #refused() {
    const { link } = this;
    const why = link.status === "refused" ? link.why : "";
    if (why === this.#bare) return;
    this.#bare = why;
    if (!why) notice("", { key: "refused" });
    else if (why === "taken_over") notice(t("hand_taken_over"), { kind: "warn", lasting: true, key: "refused", action: () => location.reload() });
    else notice(t(`hand_refused_${["bad_token", "unknown_device", "app_too_old"].includes(why) ? why : "other"}`), { kind: "warn", lasting: true, key: "refused", action: () => (location.href = "/join") });
  }

  // The screen stays on while one is on duty: a phone that sleeps hears no offer.

  keepAwake(on) {
    this.prefs.set("workAwake", on);
    this.stayAwake();
  }

  async stayAwake() {
    const wanted = this.duty.on && this.prefs.get("workAwake") !== false && document.visibilityState === "visible";
    try {
      if (wanted && (!this.lock || this.lock.released)) this.lock = await navigator.wakeLock?.request("screen");
      else if (!wanted) await this.lock?.release();
    } catch {
      // the phone saves its battery: it may
    }
  }
}

function badge(node, count) {
  node.hidden = count === 0;
  node.textContent = count > 99 ? "99+" : String(count);
}

/** A browser without an identity, or one that keeps nothing: what to do about it. */
function alone(key, link) {
  document.body.dataset.bare = "1";
  const words = $("start-word");
  const paint = () => {
    document.title = `${t("hand_title")} · Gridbeat`;
    words.textContent = t(key);
    keyed($("screen-start"), [{ key: "word", make: () => words }, ...(link ? [{ key: language(), make: () => Object.assign(document.createElement("a"), { className: "big strong", href: "/join", textContent: t("hand_join") }) }] : [])]);
    words.textContent = t(key);
  };
  onLanguage(paint);
  paint();
}

const own = identity();
setLanguage(language());
if ("serviceWorker" in navigator && window.isSecureContext) navigator.serviceWorker.register("/work/sw.js", { scope: "/work" }).catch((error) => console.warn("the page will not open without a network", error.message));
if (!own) alone("hand_nobody", true);
else {
  const work = new Work(own);
  window.gridbeatWork = work; // for tests, and for whoever looks into it
  work.start().catch((error) => {
    console.warn("the page cannot start", error);
    alone("hand_no_store", false);
  });
}
