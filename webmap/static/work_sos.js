// SOS: hold the button for two seconds. It goes out at once, with the last place or without any; every later place
// carries the alarm until somebody has acknowledged it. And what is told of colleagues who call for help.

import { element, icon, pushButton } from "./dom.js";
import { language, t } from "./i18n.js";
import { ask, keyed, notice, noticed } from "./work_parts.js";
import { clock, far, guides, wayWords } from "./work_way.js";

const HOLD_MS = 2000;
const FRESH_MS = 30_000; // an older place is not where one is

export class Sos {
  calls = new Map(); // id -> {id, unit, lat, lon, at, metres}: colleagues
  active = null; // {at, acknowledged, placed}
  #began = 0;
  #frame = 0;
  #hidden = false;

  /** `node`: the screen that says that help is called. */
  constructor(app, node) {
    this.app = app;
    this.node = node;
    const button = (this.button = document.getElementById("sos"));
    this.ring = document.getElementById("sos-ring");
    this.hint = document.getElementById("sos-hint");
    button.addEventListener("pointerdown", (event) => {
      button.setPointerCapture(event.pointerId);
      this.#hold();
    });
    for (const kind of ["pointerup", "pointercancel", "blur"]) button.addEventListener(kind, () => this.#release());
    button.addEventListener("contextmenu", (event) => event.preventDefault());
    button.addEventListener("keydown", (event) => (event.key === " " || event.key === "Enter") && !event.repeat && this.#hold());
    button.addEventListener("keyup", () => this.#release());
  }

  async load() {
    this.active = (await this.app.store.get("facts", "sos")) ?? null;
    this.#hidden = this.active !== null;
  }

  /** The alarm's bits for the next position. */
  get bits() {
    return this.active && !this.active.acknowledged ? 1 : 0;
  }

  #hold() {
    if (this.#began) return;
    if (this.active && !this.active.acknowledged) {
      this.#hidden = false;
      this.paint();
      return;
    }
    this.#began = performance.now();
    this.button.dataset.held = "1";
    this.hint.textContent = t("hand_sos_hold");
    const turn = () => {
      const share = Math.min(1, (performance.now() - this.#began) / HOLD_MS);
      this.ring.setAttribute("stroke-dasharray", `${100 * share} 100`);
      if (share < 1) this.#frame = requestAnimationFrame(turn);
      else {
        this.#stop();
        this.#call();
      }
    };
    turn();
  }

  #release() {
    if (!this.#began) return;
    const short = performance.now() - this.#began < HOLD_MS;
    this.#stop();
    if (!short) return;
    this.hint.textContent = t("hand_sos_short");
    setTimeout(() => !this.#began && (this.hint.textContent = ""), 2500);
  }

  #stop() {
    cancelAnimationFrame(this.#frame);
    this.#began = 0;
    delete this.button.dataset.held;
    this.ring.setAttribute("stroke-dasharray", "0 100");
    this.hint.textContent = "";
  }

  async #call() {
    const { app } = this;
    const { last } = app.position;
    const now = Date.now();
    const placed = last !== null && now - last.at <= FRESH_MS;
    this.active = { at: now, acknowledged: 0, placed };
    this.#hidden = false;
    if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.([400, 100, 400]);
    await app.outbox.addUrgent(placed ? app.position.point(1) : [now, null, null, null, null, null, null, 0, 1]);
    app.link.now();
    app.link.pump();
    await this.#keep();
    app.position.start(); // also off duty: who calls for help wants to be found
    if (placed) return;
    const point = await app.position.now();
    if (point && this.bits) {
      point[8] = 1;
      this.active.placed = true;
      await app.outbox.addUrgent(point);
      app.link.pump();
      await this.#keep();
    }
  }

  async #keep() {
    await this.app.store.put("facts", this.active, "sos");
    this.app.paint();
  }

  /** What the server says of calls for help. */
  async receive({ what, id, unit, lat, lon, at, metres }) {
    const { app } = this;
    if (what === "colleague") {
      const news = !this.calls.has(id);
      this.calls.set(id, { id, unit, lat: lat === null || lat === undefined ? null : lat / 1e7, lon: lon === null || lon === undefined ? null : lon / 1e7, at, metres });
      if (news) app.alarm.ring("help");
      if (news) setTimeout(() => app.alarm.quiet("help"), 9000);
    } else if (what === "over") {
      this.#gone(id);
      if (this.active && !this.calls.size) await this.#over();
    } else if (this.active && !this.calls.has(id)) {
      this.active.acknowledged = app.link.time;
      this.#hidden = false;
      app.alarm.once("note");
      await this.#keep();
    }
    app.paint();
  }

  #gone(id) {
    if (!this.calls.delete(id)) return;
    notice("", { key: `sos ${id}` });
    this.app.alarm.quiet("help");
  }

  async #over() {
    this.active = null;
    await this.#keep();
  }

  paint() {
    const { app } = this;
    this.button.setAttribute("aria-label", t("hand_sos_label"));
    const shown = this.active !== null && !this.#hidden;
    this.node.hidden = !shown;
    if (shown) {
      const { at, acknowledged, placed } = this.active;
      const sent = !app.outbox.positionsWaiting(1);
      keyed(this.node, [{ key: [language(), at, acknowledged, placed, sent, app.link.status].join(), make: () => this.#made(sent) }]);
    }
    if (this.active && this.#hidden) notice(t(this.active.acknowledged ? "hand_sos_heard" : "hand_sos_open"), { kind: "alarm", lasting: true, key: "own sos", action: () => this.#show() });
    else notice("", { key: "own sos" });
    for (const call of this.calls.values()) this.#banner(call);
  }

  #show() {
    this.#hidden = false;
    this.app.paint();
  }

  #made(sent) {
    const { app } = this;
    const { at, acknowledged, placed } = this.active;
    const box = element("div", "help-middle");
    const title = element("h1", "", t(acknowledged ? "hand_sos_heard" : "hand_sos_called"));
    title.id = "help-title";
    const about = acknowledged ? t("hand_sos_heard_text") : t(sent ? "hand_sos_sent" : app.link.online ? "hand_sos_sending" : "hand_sos_offline");
    box.append(icon(acknowledged ? "check" : "alert"), title, element("p", "facts", about), element("p", "", t(placed ? "hand_sos_placed" : "hand_sos_unplaced", { at: clock(at) })));
    if (!app.duty.on) box.append(element("p", "", t("hand_sos_off")));
    const acts = element("div", "help-acts");
    if (!acknowledged && !sent) acts.append(this.#police());
    acts.append(pushButton(acknowledged || sent ? "big first" : "big", t("hand_sos_back"), () => {
      this.#hidden = true;
      if (this.active.acknowledged) this.#over();
      app.paint();
    }));
    if (!acknowledged) acts.append(pushButton("big", t("hand_sos_safe"), () => this.#safe()));
    const node = element("div", "help-box");
    node.append(box, acts);
    return node;
  }

  #police() {
    const link = element("a", "big first", t("hand_sos_police"));
    link.href = "tel:110";
    return link;
  }

  async #safe() {
    if ((await ask(t("hand_sos_safe_sure"), [{ value: true, words: t("hand_sos_safe") }], t("hand_sos_safe_text"))) !== true) return;
    const { app } = this;
    await this.#over();
    await app.outbox.addUrgent([Date.now(), null, null]); // without the alarm: it is taken back
    app.link.pump();
    if (!app.duty.on) app.position.stop();
  }

  #banner(call) {
    const { app } = this;
    const { last, fresh } = app.position;
    const way = call.lat === null ? "" : fresh ? wayWords(last, call) : call.metres ? far(call.metres) : "";
    const words = t("hand_sos_colleague", { name: call.unit }) + (way ? ` · ${way}` : "");
    if (call.put && !noticed(`sos ${call.id}`)) return; // it was tapped away
    call.put = true;
    notice(words, { kind: "alarm", lasting: true, key: `sos ${call.id}`, action: () => this.#answer(call) });
  }

  /** What somebody can do who was told of a colleague. */
  async #answer(call) {
    this.app.alarm.quiet("help");
    const choices = call.lat === null ? [] : guides({ ...call, address: call.unit }).map(({ name, href }) => ({ value: href, words: name }));
    const about = t("hand_sos_colleague_text", { at: clock(call.at) });
    const href = await ask(t("hand_sos_colleague", { name: call.unit }), [...choices, { value: "map", words: t("hand_sos_map"), name: "strong" }], about);
    if (href === "map") this.app.go("tasks");
    else if (href) location.href = href;
  }
}
