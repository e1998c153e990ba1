// One phone being set up: its code, its fields, and what the server has heard of it until it stands on the map.

import { api } from "./api.js";
import { copyText, element, icon, pushButton, text } from "./dom.js";
import { language, t } from "./i18n.js";
import { plain } from "./labels.js";
import { Watch } from "./phone_watch.js";
import { clockFormat } from "./time.js";

const COPIED_MS = 1500;

export class Setup {
  #phone = null; // {device, protocol, unit, name}
  #told = null; // what the server says the app needs
  #watch = null;
  #parts = {};
  #unknown = new Map(); // unknown ids and their counts when we began
  #ticker = 0;

  constructor({ address, appTitle, onClose, onFixed, onRenew }) {
    Object.assign(this, { address, appTitle, onClose, onFixed, onRenew });
    this.box = document.getElementById("setup");
    this.clock = clockFormat("");
    this.strangers = [];
    address.onChange(() => this.#phone && this.#move());
  }

  get device() {
    return this.#phone?.device ?? null;
  }

  /** `told` is what the app needs; the server says it once, when it makes the token. */
  open(phone, told = null) {
    this.close();
    this.#phone = phone;
    this.#told = told;
    this.#unknown = new Map(this.strangers.map((one) => [one.external_id, one.times]));
    this.box.hidden = false;
    this.build();
    this.#watch = new Watch({
      device: phone.device,
      fetchUnit: () => api.unit(phone.unit),
      fetchPoints: (from) => api.track(phone.unit, from),
      onChange: () => this.#heard(),
    });
    this.#ticker = setInterval(() => this.#fill(), 1000);
  }

  close() {
    this.#watch?.stop();
    clearInterval(this.#ticker);
    this.#watch = this.#phone = this.#told = null;
    this.box.hidden = true;
    this.box.replaceChildren();
  }

  /** The address is another: what was told leads to the one before. */
  #move() {
    if (this.address.value === null) this.address.complain();
    this.#told = null;
    this.build();
  }

  /** Everything anew: another phone, another address, another language. */
  build() {
    const phone = this.#phone;
    if (!phone) return;
    const head = element("header", "setup-head");
    const titles = element("div", "");
    const name = element("h2", "", plain(phone.name, 60));
    name.id = "setup-name";
    titles.append(name, element("p", "", `${this.appTitle(phone.protocol)} · ${phone.device}`));
    const close = pushButton("tool", "", this.onClose);
    close.title = t("close_setup");
    close.setAttribute("aria-label", t("close_setup"));
    close.append(icon("close"));
    head.append(titles, close);

    const watch = element("div", "watch");
    watch.setAttribute("role", "status");
    const words = element("div", "");
    this.#parts = { watch, title: element("b", ""), words: element("span", ""), check: element("div", "check") };
    words.append(this.#parts.title, this.#parts.words);
    watch.append(element("i", ""), words);

    const hand = element("div", "hand");
    if (this.#told) hand.append(this.#code(), this.#steps());
    else hand.append(this.#again());
    const foot = element("footer", "setup-foot");
    const onMap = element("a", "button", t("show_on_map"));
    onMap.href = `/#unit=${encodeURIComponent(phone.unit)}`;
    this.#parts.next = pushButton("button", t("next_phone"), this.onClose);
    foot.append(onMap, this.#parts.next);
    this.box.replaceChildren(head, watch, this.#parts.check, hand, foot);
    this.#fill();
  }

  /** The code was shown once; whoever needs it again gets another. */
  #again() {
    const box = element("div", "once");
    box.append(element("p", "", t("shown_once")), pushButton("button strong", t("new_token_code"), () => this.onRenew(this.#phone.device)));
    return box;
  }

  #code() {
    const { link, qr } = this.#told;
    const figure = element("figure", "code");
    const app = this.appTitle(this.#phone.protocol);
    const sheet = element("div", "qr");
    const picture = new DOMParser().parseFromString(qr, "image/svg+xml").documentElement;
    picture.setAttribute("role", "img");
    picture.setAttribute("aria-label", t("scan"));
    sheet.append(document.importNode(picture, true));
    figure.append(sheet, element("figcaption", "", t("scan_with", { app })), this.#copy(link, t("copy_link")));
    return figure;
  }

  #steps() {
    const { steps } = this.#told;
    const box = element("div", "steps");
    box.append(element("h3", "", t("or_by_hand")));
    const list = element("ol", "");
    for (const step of steps) {
      const row = element("li", "");
      const words = element("div", "");
      words.append(element("span", "", language() === "zh" ? step.zh : step.label));
      if (step.value) words.append(element("code", "", step.value));
      row.append(words);
      if (step.value) row.append(this.#copy(step.value, ""));
      list.append(row);
    }
    box.append(list);
    return box;
  }

  #copy(value, words) {
    const button = pushButton(words ? "button quiet" : "tool copy", "", async () => {
      if (!(await copyText(value))) return;
      button.dataset.done = "true";
      button.replaceChildren(icon("done"), ...(words ? [t("value_copied")] : []));
      setTimeout(() => {
        delete button.dataset.done;
        button.replaceChildren(icon("copy"), ...(words ? [words] : []));
      }, COPIED_MS);
    });
    button.append(icon("copy"), ...(words ? [words] : []));
    if (!words) button.title = t("copy_value");
    button.setAttribute("aria-label", words || `${t("copy_value")} ${value}`);
    return button;
  }

  #heard() {
    this.#fill();
    if (this.#watch.state === "fixed") this.onFixed(this.#phone);
  }

  #fill() {
    const watch = this.#watch;
    const { watch: box, title, words, check, next } = this.#parts;
    const state = watch?.state ?? "waiting";
    box.dataset.state = state;
    text(title, t(`watch_${state}`));
    text(words, watch?.lost ? t("watch_lost") : this.#words(watch));
    next.classList.toggle("strong", state === "fixed");
    const checks = watch && (watch.slow || (state === "waiting" && this.#stranger())) ? this.#checks(watch.slow) : [];
    check.hidden = checks.length === 0;
    const shown = checks.join("\n");
    if (check.dataset.shown === shown) return;
    check.dataset.shown = shown;
    const list = element("ul", "");
    list.append(...checks.map((line) => element("li", "", line)));
    check.replaceChildren(...(watch?.slow ? [element("b", "", t("check_title"))] : []), list);
  }

  #words(watch) {
    const state = watch?.state ?? "waiting";
    if (state === "doubt") {
      const { flags, accuracy } = watch.doubt;
      if (flags.includes("future")) return t("doubt_future");
      return flags.includes("inaccurate") ? t("doubt_inaccurate", { n: Math.round(accuracy ?? 0) }) : t("doubt_other");
    }
    if (state !== "fixed") return t(`watch_${state}_text`);
    const words = t(watch.first ? "watch_fixed_text" : "watch_last_text", { time: this.clock.format(watch.fix.time) });
    return watch.fix.accuracy === null ? words : t("watch_accuracy", { words, n: Math.round(watch.fix.accuracy) });
  }

  /** A phone that reports under a name which nobody has, since we began. */
  #stranger() {
    return this.strangers.find((one) => one.protocol === this.#phone.protocol && one.times > (this.#unknown.get(one.external_id) ?? 0));
  }

  #checks(slow) {
    const { address } = this;
    const checks = [];
    const stranger = this.#stranger();
    if (stranger) checks.push(t("check_id", { id: plain(stranger.external_id, 40) }));
    if (!slow) return checks;
    const { hindrance, door } = address;
    if (hindrance === "bind") checks.push(t("check_bind", { bind: door.bind }));
    else if (hindrance === "here") checks.push(t("address_here", { host: new URL(address.value).hostname }));
    if (address.value) checks.push(t("check_address", { address: address.value }), t("check_port", { port: new URL(address.value).port || 80 }));
    checks.push(t("check_on"), t("check_battery"));
    return checks;
  }
}
