// Roll calls over the list: those that the filters leave are asked where they are and whether they are there; the
// answers come in while one looks on, and who is silent stands on top.

import { api } from "./api.js";
import { element, icon, pushButton, text } from "./dom.js";
import { language, t } from "./i18n.js";
import { plain } from "./labels.js";
import { me } from "./nav.js";
import "./roll_call_words.js";
import { OFF_SHIFT } from "./state.js";
import { ageOf, clockFormat, span } from "./time.js";

const POLL_MS = 1000;
const SECONDS = [60, 120, 300];
const EARLIER = 6;
// Silent first, then those who are only located, then all who have said that they are here.
const RANK = ["silent", "offline", "no_device", "asked", "position", "confirmed"];
const OPEN_ENDED = new Set(["silent", "offline", "no_device", "asked"]);

const two = (n) => String(n).padStart(2, "0");

export class RollCalls {
  #call = null; // what the server told last of the call that is shown
  #timer = 0;
  #rows = new Map(); // unit -> element
  #clock = clockFormat("Asia/Shanghai");

  /** {view, clock, onPick(id), onNotice(words, level), speak(words)} */
  constructor(parts) {
    Object.assign(this, parts);
    this.box = document.getElementById("roll");
    this.button = document.getElementById("roll-button");
    this.button.addEventListener("click", () => this.toggle());
    me().then((who) => (this.button.hidden = !who.rights.roll_call), () => {});
  }

  get open() {
    return !this.box.hidden;
  }

  toggle() {
    if (this.button.hidden) return;
    if (this.open) this.close();
    else this.begin();
  }

  close() {
    this.box.hidden = true;
    document.body.classList.remove("has-roll");
    this.button.setAttribute("aria-expanded", "false");
    this.button.focus();
  }

  zone(name) {
    this.#clock = clockFormat(name);
  }

  #show(...parts) {
    this.#rows.clear();
    this.box.replaceChildren(...parts);
    this.box.hidden = false;
    document.body.classList.add("has-roll");
    this.button.setAttribute("aria-expanded", "true");
  }

  #head(words) {
    const head = element("div", "roll-head");
    const close = pushButton("tool", "", () => this.close());
    close.title = t("close");
    close.setAttribute("aria-label", t("close"));
    close.append(icon("close"));
    head.append(element("h2", "", words), close);
    return head;
  }

  // -- before

  /** Whom it would be of: a call that is going on is shown instead. */
  async begin() {
    if (this.#call && this.#call.ended === null) return this.#look(this.#call);
    const listed = this.view.rows();
    const there = listed.filter((unit) => unit.state !== OFF_SHIFT);
    const names = [this.view.street, this.view.team].filter(Boolean).map((word) => plain(word, 24));
    const exact = this.view.query !== "" || this.view.states.size > 0 || this.view.inView;
    const whom = exact ? t("roll_listed", { n: there.length }) : names.join(" · ") || t("roll_all");
    const form = element("form", "roll-form");
    const wait = element("select", "");
    wait.id = "roll-seconds";
    wait.append(...SECONDS.map((seconds) => new Option(span(1000 * seconds), String(seconds))));
    wait.value = "120";
    const label = element("label", "", t("roll_wait"));
    label.append(wait);
    const start = element("button", "button strong", t("roll_start"));
    start.type = "submit";
    start.id = "roll-start";
    start.disabled = there.length === 0;
    const about = element("p", "roll-about", there.length ? t("roll_count", { n: there.length }) : t("roll_nobody"));
    const off = listed.length - there.length;
    if (off > 0 && there.length) about.append(element("span", "", t("roll_off", { n: off })));
    form.append(element("p", "roll-whom", whom), about, label, start);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const seconds = Number(wait.value);
      const chosen = { ...(this.view.street && { street: this.view.street }), ...(this.view.team && { team: this.view.team }) };
      this.#ask(exact ? { units: there.map((unit) => unit.id), seconds } : { ...chosen, seconds }, start);
    });
    const earlier = element("div", "roll-earlier");
    this.#show(this.#head(t("roll_call")), form, earlier);
    start.focus();
    try {
      const { roll_calls: calls } = await api.rollCalls();
      if (calls.length) earlier.append(element("h3", "", t("roll_earlier")), ...calls.slice(0, EARLIER).map((call) => this.#past(call)));
    } catch (error) {
      this.onNotice(error.message, "warn");
    }
  }

  #past(call) {
    const row = pushButton("roll-past", "", () => this.#fetch(call.id));
    const what = [call.street, call.team, call.grid].filter(Boolean).map((word) => plain(word, 24)).join(" · ");
    const words = element("bdi", "", what || t("roll_listed", { n: call.counts.units }));
    const told = call.ended === null ? t("roll_answered", { n: call.counts.units - call.silent.length, all: call.counts.units })
      : call.silent.length ? t("roll_silent_n", { n: call.silent.length }) : t("roll_none_silent");
    const state = element("span", "roll-verdict", told);
    state.dataset.good = String(call.ended !== null && call.silent.length === 0);
    row.append(words, state, element("small", "", t("roll_by", { by: plain(call.by, 24), time: this.#moment(call.asked) })));
    return row;
  }

  #moment(at) {
    const day = new Date(at);
    const time = this.#clock.format(at).slice(0, 5);
    return Date.now() - at < 12 * 3_600_000 ? time : `${two(day.getMonth() + 1)}-${two(day.getDate())} ${time}`;
  }

  async #ask(wanted, button) {
    button.disabled = true;
    try {
      this.#look(await api.callRoll(wanted));
    } catch (error) {
      this.onNotice(error.message, "warn");
      button.disabled = false;
    }
  }

  async #fetch(id) {
    try {
      this.#look(await api.rollCall(id));
    } catch (error) {
      this.onNotice(error.message, "warn");
    }
  }

  // -- while it goes on, and after

  /** Shows a call, and goes on asking for it until it is over. */
  #look(call) {
    clearTimeout(this.#timer);
    this.#call = call;
    const bar = element("div", "roll-bar");
    bar.append(element("i", "roll-confirmed"), element("i", "roll-located"));
    bar.setAttribute("role", "progressbar");
    const numbers = element("p", "roll-numbers");
    numbers.append(element("b", ""), element("span", ""));
    const list = element("ul", "roll-list");
    const feet = element("div", "roll-feet");
    const back = pushButton("button", t("roll_back"), () => this.#leave());
    const again = pushButton("button", t("roll_again"), () => this.#ask({ units: this.#call.silent, seconds: 120 }, again));
    const table = element("a", "button", t("roll_table"));
    again.id = "roll-again";
    table.id = "roll-table";
    table.href = api.rollCallTable(call.id);
    table.setAttribute("download", "");
    feet.append(back, table, again);
    const next = element("p", "roll-next", t("roll_next"));
    this.#show(this.#head(t("roll_call")), numbers, bar, next, list, feet);
    this.parts = { bar, numbers, list, again, next };
    this.#paint();
    back.focus();
    if (call.ended === null) this.#later();
  }

  #leave() {
    if (this.#call?.ended !== null) this.#call = null;
    else {
      // One that goes on is looked at again by the button.
      this.close();
      return;
    }
    this.begin();
  }

  #later() {
    this.#timer = setTimeout(async () => {
      const { id } = this.#call;
      try {
        const call = await api.rollCall(id);
        if (this.#call?.id !== id) return;
        this.#call = call;
        if (this.open && this.parts) this.#paint();
        if (call.ended !== null) return this.#over(call);
      } catch (error) {
        if (error.status === 404) return;
      }
      this.#later();
    }, POLL_MS);
  }

  #over(call) {
    const n = call.silent.length;
    const words = n ? t("roll_over_words", { n }) : t("roll_over_all");
    this.onNotice(words, n ? "warn" : "good");
    this.speak(words);
  }

  #paint() {
    const call = this.#call;
    const { bar, numbers, list, again, next } = this.parts;
    const { units: all, confirmed, position } = call.counts;
    const over = call.ended !== null;
    text(numbers.firstChild, t("roll_answered", { n: all - call.silent.length, all }));
    const left = Math.max(0, call.ends - call.now);
    text(numbers.lastChild, over ? t("roll_ended") : t("roll_left", { time: span(left) }));
    bar.firstChild.style.flexGrow = String(confirmed / all);
    bar.lastChild.style.flexGrow = String(position / all);
    bar.setAttribute("aria-valuemin", "0");
    bar.setAttribute("aria-valuemax", String(all));
    bar.setAttribute("aria-valuenow", String(all - call.silent.length));
    bar.setAttribute("aria-label", t("roll_answered", { n: all - call.silent.length, all }));
    again.hidden = !over || call.silent.length === 0;
    next.hidden = again.hidden;
    this.box.dataset.over = String(over);
    const rows = [...call.units].sort((a, b) => RANK.indexOf(a.state) - RANK.indexOf(b.state) || a.name.localeCompare(b.name, language()));
    const nodes = rows.map((one) => this.#row(one, over, call.now));
    const there = [...list.children];
    if (nodes.length !== there.length || nodes.some((node, index) => node !== there[index])) list.replaceChildren(...nodes);
  }

  #row(one, over, now) {
    let row = this.#rows.get(one.unit);
    if (!row) {
      row = element("li", "");
      row.append(pushButton("roll-row", "", () => this.onPick(one.unit)));
      row.firstChild.append(element("i", "roll-dot"), element("bdi", "roll-name", plain(one.name, 40)), element("span", "roll-reply"), element("span", "roll-where"));
      this.#rows.set(one.unit, row);
    }
    const [, , reply, where] = row.firstChild.children;
    row.dataset.state = OPEN_ENDED.has(one.state) && over ? "silent" : one.state;
    text(reply, t(over && one.state === "no_device" ? "reply_no_report" : `reply_${one.state}`));
    text(where, this.#where(one, now));
    return row;
  }

  #where(one, now) {
    const labels = [one.street, one.team].filter(Boolean).map((word) => plain(word, 24));
    if (one.position) {
      const { accuracy, in_own_grid: own } = one.position;
      if (own !== null) labels.unshift(t(own ? "roll_in_grid" : "roll_out_grid"));
      if (accuracy !== null) labels.push(t("accuracy_value", { n: Math.round(accuracy) }));
    } else labels.unshift(t("roll_last", { age: ageOf(one.last_message, now, "never_seen") }));
    if (one.text) labels.push(plain(one.text, 60));
    return labels.join(" · ");
  }

  translate() {
    if (!this.open) return;
    if (this.#call) this.#look(this.#call);
    else this.begin();
  }
}
