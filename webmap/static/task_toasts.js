// Short messages at the foot of the map, with a way back: Undo, by click or key, as long as they are there.

import { element, pushButton } from "./dom.js";
import { t } from "./i18n.js";

const SHOWN_MS = 8000;
const PLAIN_MS = 3000;
const MOST = 3;

export class Toasts {
  #shown = []; // {node, undo, timer, done}

  constructor({ speak }) {
    this.speak = speak;
    this.box = document.getElementById("toasts");
  }

  /** `undo`: how it is undone. `wait`: after so long it is done, by `done`, and cannot be undone any more. */
  show(words, { undo = null, wait = 0, done = null } = {}) {
    const node = element("div", "toast");
    node.append(element("span", "", words));
    const one = { node, undo, done };
    if (undo) {
      const button = pushButton("toast-undo", t("undo"), () => this.#undo(one));
      button.append(element("kbd", "", "U"));
      node.append(button);
    }
    if (wait) node.append(element("i", "toast-time"));
    node.dataset.waits = String(wait > 0);
    one.timer = setTimeout(() => this.#end(one), wait || (undo ? SHOWN_MS : PLAIN_MS));
    this.#shown.push(one);
    this.box.append(node);
    this.speak(words);
    while (this.#shown.length > MOST) this.#end(this.#shown[0]);
  }

  /** Undoes the newest that can be; answers whether there was one. */
  undo() {
    const last = this.#shown.findLast((one) => one.undo);
    if (last) this.#undo(last);
    return last !== undefined;
  }

  async #undo(one) {
    this.#remove(one);
    if ((await one.undo()) !== null) this.show(t("undone"));
  }

  #end(one) {
    if (this.#remove(one)) one.done?.();
  }

  #remove(one) {
    clearTimeout(one.timer);
    one.node.remove();
    const at = this.#shown.indexOf(one);
    if (at >= 0) this.#shown.splice(at, 1);
    return at >= 0;
  }
}
