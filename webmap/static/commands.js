// Commands to the devices of the selected unit: what they can do, the forms for it, and what became of it.

import { api } from "./api.js";
import { PANES } from "./command_panes.js";
import "./command_words.js";
import { element, icon, pushButton, text } from "./dom.js";
import { language, t } from "./i18n.js";
import { OPEN, Orders } from "./orders.js";
import { may } from "./rights.js";

const BUSY_MS = 1500;
const CALM_MS = 10_000;

export class Commands {
  detail = null; // the unit as the API has it: devices and warnings
  #unit = null;
  #devices = [];
  #orders = [];
  #pane = "";
  #more = false;
  #error = "";
  #timer = 0;
  #round = 0;
  #built = "";
  #known = new Map(); // protocol -> kinds: a card that has its buttons at once does not grow under a finger
  #loaded = Promise.resolve();

  constructor({ clock, grids, onDetail }) {
    Object.assign(this, { clock, grids, onDetail });
    this.orders = new Orders({ onCancel: (order) => this.#cancel(order), onPicture: showPicture });
    this.box = element("section", "card-commands");
  }

  /** Another unit, or none. */
  select(unit) {
    if (this.#unit?.id === unit?.id) return;
    this.#unit = unit;
    this.detail = null;
    [this.#devices, this.#orders, this.#pane, this.#more, this.#error] = [[], [], "", false, ""];
    clearTimeout(this.#timer);
    this.#round += 1;
    if (unit) this.#loaded = this.#load(this.#round);
  }

  /** Whether it is known what the devices can do. */
  get ready() {
    return this.detail !== null && this.#devices.length === this.detail.devices.length;
  }

  /** What can be asked of them, by whoever looks. */
  get kinds() {
    if (!may("command", this.#unit.id)) return new Set();
    if (!this.ready) return new Set(this.#known.get(this.#unit.protocol));
    return new Set(this.#devices.flatMap((device) => device.commands ?? []));
  }

  /** All elements anew for another unit, language or other abilities; else what a person is typing stays. */
  build() {
    const { kinds } = this;
    const built = [this.#unit.id, language(), ...kinds].join();
    if (built === this.#built) return this.fill();
    this.#built = built;
    const panes = Object.keys(PANES).filter((name) => PANES[name].kinds.some((kind) => kinds.has(kind)));
    this.box.hidden = kinds.size === 0;
    const first = element("div", "card-buttons");
    if (kinds.has("locate")) first.append(this.#button("locate", "locate", t("cmd_locate"), () => this.send({ kind: "locate" })));
    if (panes.includes("text")) first.append(this.#opener("text"));
    const rest = panes.filter((name) => name !== "text");
    const nodes = [first];
    if (rest.length) {
      const more = element("details", "card-more");
      more.open = this.#more;
      more.addEventListener("toggle", () => {
        this.#more = more.open;
        if (!more.open && rest.includes(this.#pane)) this.#show("");
        this.fill();
      });
      const buttons = element("div", "card-buttons");
      buttons.append(...rest.map((name) => this.#opener(name)));
      more.append(element("summary", "", t("cmd_more")), buttons);
      nodes.push(more);
    }
    this.pane = element("form", "pane");
    this.pane.addEventListener("submit", (event) => event.preventDefault());
    this.pane.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.isComposing) return;
      event.stopPropagation(); // the first Escape leaves the form, the next one the card
      this.#close();
    });
    this.error = element("p", "pane-error");
    this.error.setAttribute("role", "alert");
    this.box.replaceChildren(...nodes, this.pane, this.error, this.orders.box);
    this.#show(panes.includes(this.#pane) ? this.#pane : "");
    this.fill();
  }

  /** Each second: ages and states. */
  fill() {
    if (!this.error) return;
    text(this.error, this.#error);
    this.error.hidden = !this.#error;
    this.orders.show(this.#orders, this.clock.now(), this.#more);
  }

  #button(name, picture, words, action) {
    const button = pushButton("button", "", action);
    button.dataset.action = name;
    button.append(icon(picture), element("span", "button-word", words));
    return button;
  }

  #opener(name) {
    const button = this.#button(name, PANES[name].picture, t(`cmd_${name}`), () => this.#show(this.#pane === name ? "" : name, true));
    button.setAttribute("aria-expanded", "false");
    return button;
  }

  #show(name, focus = false) {
    this.#pane = name;
    this.#error = "";
    for (const button of this.box.querySelectorAll("[aria-expanded]")) button.setAttribute("aria-expanded", String(button.dataset.action === name));
    this.pane.hidden = name === "";
    this.pane.dataset.pane = name;
    if (name === "") {
      this.pane.replaceChildren();
      return;
    }
    const grid = this.grids.all.get(String(this.#unit.grid)) ?? null;
    const known = this.#orders.find((order) => order.result?.parameters)?.result.parameters ?? {};
    const complain = (words) => {
      this.#error = words;
      this.fill();
    };
    const send = (command, stay) => this.send(command, stay);
    this.pane.replaceChildren(...PANES[name].make(send, { kinds: this.kinds, known, complain, grid, gridName: grid ? this.grids.name(grid.id) : "" }));
    this.box.querySelector(`[data-action="${name}"]`).parentElement.after(this.pane);
    if (focus) {
      this.pane.querySelector("textarea, select, input, button")?.focus({ preventScroll: true });
      this.pane.scrollIntoView({ block: "nearest" });
    }
    this.fill();
  }

  /** The device that takes a kind of command: the one that the unit is followed by, if it can. */
  #deviceFor(kind) {
    const able = this.#devices.filter((device) => device.commands?.includes(kind));
    return able.find((device) => device.id === this.detail?.device) ?? able.find((device) => device.connected) ?? able[0];
  }

  async send(command, stay = false) {
    const round = this.#round;
    await this.#loaded;
    const device = this.#deviceFor(command.kind);
    if (round !== this.#round || !device) return;
    const buttons = [...this.box.querySelectorAll("button:enabled")];
    const enable = (on) => {
      for (const button of buttons) button.disabled = !on;
    };
    enable(false);
    try {
      const order = await api.send(device.id, command);
      enable(true); // before the focus goes to one of them
      if (round !== this.#round) return;
      this.#orders = [order, ...this.#orders.filter((one) => one.id !== order.id)];
      this.#error = "";
      if (!stay && command.kind !== "locate") this.#close();
      this.#soon();
    } catch (error) {
      if (round === this.#round) this.#error = error.message;
    } finally {
      enable(true);
      if (round === this.#round) this.fill();
    }
  }

  /** The form goes, the focus returns to the button that opened it. */
  #close() {
    const opener = this.box.querySelector(`[data-action="${this.#pane}"]`);
    this.#show("");
    if (this.box.contains(document.activeElement) || document.activeElement === document.body) opener?.focus();
  }

  async #cancel(order) {
    try {
      const answer = await api.cancel(order.id);
      this.#orders = this.#orders.map((one) => (one.id === answer.id ? answer : one));
      this.#error = "";
    } catch (error) {
      this.#error = error.message;
    }
    this.fill();
  }

  async #load(round) {
    try {
      const detail = await api.unit(this.#unit.id);
      if (round !== this.#round) return;
      this.detail = detail;
      this.onDetail(detail);
      const devices = await Promise.all(detail.devices.map((device) => api.device(device.id)));
      const able = devices.filter((device) => device.commands?.length);
      const lists = await Promise.all(able.map((device) => api.commands(device.id)));
      if (round !== this.#round) return;
      this.#devices = devices;
      for (const device of devices) this.#known.set(device.protocol, device.commands ?? []);
      this.#orders = lists.flatMap((list) => list.commands).sort((a, b) => b.created - a.created);
      this.build();
    } catch {
      // the banner says when the server is away; the next round comes
    }
    if (round === this.#round) this.#soon();
  }

  #soon() {
    clearTimeout(this.#timer);
    const round = this.#round;
    this.#timer = setTimeout(() => this.#load(round), this.#orders.some((order) => OPEN.has(order.state)) ? BUSY_MS : CALM_MS);
  }
}

/** A photo as large as the window lets it be; Escape, the cross and a click beside it close it. */
function showPicture(url, words) {
  const dialog = element("dialog", "picture");
  const image = document.createElement("img");
  Object.assign(image, { src: url, alt: words });
  const close = pushButton("tool", "", () => dialog.close());
  close.title = t("close");
  close.setAttribute("aria-label", t("close"));
  close.append(icon("close"));
  dialog.append(image, close);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
