// The address that phones are told: where the dispatcher's browser found the server, unless a person says otherwise.

import { element, pushButton, text } from "./dom.js";
import { t } from "./i18n.js";

const LOCAL = /^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/i;
const GOOD = /^https?:\/\/(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?(\/[a-z0-9._~/-]*)?$/i;

export class Address {
  #door = null;
  #listeners = [];

  constructor(prefs) {
    this.prefs = prefs;
    this.box = document.getElementById("address-box");
    this.field = document.getElementById("address");
    this.note = document.getElementById("address-note");
    this.reset = document.getElementById("address-reset");
    this.field.addEventListener("change", () => this.#set(this.field.value));
    this.field.addEventListener("input", () => this.show());
    this.reset.addEventListener("click", () => this.#set(""));
  }

  onChange(listener) {
    this.#listeners.push(listener);
  }

  /** What the server says of its door: {bind, port, tls, local, address}. */
  learn(door) {
    const known = JSON.stringify(door) === JSON.stringify(this.#door);
    this.#door = door;
    if (!known) this.#fill();
  }

  get door() {
    return this.#door;
  }

  /** Without a slash at the end, or null when it is no address. */
  get value() {
    const given = this.field.value.trim().replace(/\/+$/, "");
    return GOOD.test(given) ? given : null;
  }

  /** Why no phone gets through, or "". */
  get hindrance() {
    if (this.value === null) return "bad";
    if (this.#door?.local) return "bind";
    return LOCAL.test(new URL(this.value).hostname) ? "here" : "";
  }

  get #usual() {
    return this.#at(location.hostname);
  }

  #at(host) {
    return `${this.#door.tls ? "https" : "http"}://${host}:${this.#door.port}`;
  }

  #set(value) {
    const given = value.trim().replace(/\/+$/, "");
    this.prefs.set("phoneAddress", given === "" || given === this.#usual ? null : given);
    this.#fill();
  }

  #fill() {
    this.field.value = this.prefs.get("phoneAddress") ?? this.#usual;
    this.show();
    for (const listener of this.#listeners) listener();
  }

  show() {
    if (!this.#door) return;
    const { hindrance } = this;
    this.box.dataset.fit = hindrance || "ok";
    this.field.setAttribute("aria-invalid", String(hindrance === "bad"));
    this.reset.hidden = this.field.value === this.#usual;
    const host = hindrance === "here" ? new URL(this.value).hostname : "";
    const words = element("span", "", t(hindrance ? `address_${hindrance}` : "address_fine", { host }));
    this.note.replaceChildren(words);
    const better = this.#door.address && this.#at(this.#door.address);
    if (!better || hindrance === "bind" || hindrance === "" || better === this.field.value) return;
    this.note.append(pushButton("link", t("address_use", { address: better }), () => this.#set(better)));
  }

  /** Marks the field as wrong and goes there. */
  complain() {
    text(this.note, t("address_bad"));
    this.field.focus();
  }
}
