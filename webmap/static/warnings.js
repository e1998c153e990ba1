// What the server doubts of a unit's devices, with the remedy at hand and a way back.

import { api } from "./api.js";
import { element, pushButton } from "./dom.js";
import { language, t } from "./i18n.js";
import { may } from "./rights.js";

const SYSTEMS = { wgs84: "WGS-84", gcj02: "GCJ-02", bd09: "BD-09" };

export class Warnings {
  #unit = null;
  #shown = "";
  #told = []; // of the server
  #mended = new Map(); // device -> {before, now}: coordinate systems
  #problem = "";

  constructor() {
    this.box = element("div", "warnings");
    this.box.setAttribute("role", "status");
  }

  select(unit) {
    if (this.#unit === unit) return;
    this.#unit = unit;
    this.#told = [];
    this.#mended.clear();
    this.#problem = "";
    this.show();
  }

  learn(warnings) {
    this.#told = warnings ?? [];
    this.show();
  }

  show() {
    const mended = [...this.#mended.keys()];
    const open = this.#told.filter((warning) => !this.#mended.has(warning.device));
    const shown = JSON.stringify([open, mended, this.#problem, language()]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.box.replaceChildren(...mended.map((device) => this.#done(device)), ...open.map((warning) => this.#line(warning)));
    if (this.#problem) this.box.append(element("p", "pane-error", this.#problem));
    this.box.hidden = this.box.children.length === 0;
  }

  #line(warning) {
    const line = element("div", "warning");
    line.dataset.code = warning.code;
    line.append(element("p", "", language() === "zh" ? warning.zh : warning.text));
    if (warning.code === "coordinates" && warning.coordinates in SYSTEMS && may("devices_change")) line.append(pushButton("button quiet", t("warning_read", { system: SYSTEMS[warning.coordinates] }), () => this.#mend(warning)));
    return line;
  }

  #done(device) {
    const line = element("div", "warning is-done");
    const { now } = this.#mended.get(device);
    line.append(element("p", "", t("warning_done", { system: SYSTEMS[now] })), pushButton("button quiet", t("warning_undo"), () => this.#undo(device)));
    return line;
  }

  async #mend({ device, coordinates: now }) {
    const unit = this.#unit;
    try {
      const { coordinates: before } = await api.device(device);
      await api.amend(device, { coordinates: now });
      if (unit === this.#unit) this.#mended.set(device, { before, now });
      this.#problem = "";
    } catch (error) {
      this.#problem = error.message;
    }
    this.show();
  }

  async #undo(device) {
    try {
      await api.amend(device, { coordinates: this.#mended.get(device).before });
      this.#mended.delete(device);
      this.#problem = "";
    } catch (error) {
      this.#problem = error.message;
    }
    this.show();
  }
}
