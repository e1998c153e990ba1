// What a person chose, kept in this browser only: theme, language, layers, the last view of the map, and what phones are
// set up with.

const KEY = "gridbeat";
const DEFAULTS = { theme: "auto", language: null, grids: true, cells: false, trails: "selected", inView: false, wall: false, view: null, panel: null, mute: false, phoneAddress: null, phoneApp: null, phoneSystem: "android", phoneLast: null };

export class Preferences {
  #values;
  #listeners = [];

  constructor() {
    let kept = {};
    try {
      kept = JSON.parse(localStorage.getItem(KEY) || "{}") || {};
    } catch {
      kept = {}; // storage is off or spoiled: the defaults serve
    }
    this.#values = { ...DEFAULTS, ...kept };
  }

  get(name) {
    return this.#values[name];
  }

  set(name, value) {
    if (this.#values[name] === value) return;
    this.#values[name] = value;
    try {
      localStorage.setItem(KEY, JSON.stringify(this.#values));
    } catch {
      // a full or forbidden storage forgets; the page goes on
    }
    for (const listener of this.#listeners) listener(name, value);
  }

  onChange(listener) {
    this.#listeners.push(listener);
  }
}
