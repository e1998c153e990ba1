// One grid or cell: what it is, and its name, street and owner to be amended.

import { api } from "./api.js";
import { text } from "./dom.js";
import { t } from "./i18n.js";
import { plain } from "./labels.js";

const $ = (id) => document.getElementById(id);
const FIELDS = ["name", "street", "owner"];

let before = null; // a dialog that is closed says so a little later: that must not answer the next question

/** Asks in the page's own dialog; answers whether it was meant. */
export async function ask(words, yes) {
  await before;
  const dialog = $("ask");
  text($("ask-text"), words);
  text($("ask-yes"), yes);
  dialog.returnValue = "no";
  dialog.showModal();
  before = new Promise((done) => dialog.addEventListener("close", () => done(dialog.returnValue === "yes"), { once: true }));
  return before;
}

export class Editor {
  #shape = null;

  /** {grids, may(), cells(id), onSaved(words), onClosed(), trouble(words)} */
  constructor(parts) {
    Object.assign(this, parts);
    $("editor-close").addEventListener("click", () => this.onClosed());
    $("editor").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save();
    });
    $("remove").addEventListener("click", () => this.#remove());
  }

  show(shape) {
    this.#shape = shape;
    const { properties, level, id } = shape;
    text($("editor-name"), plain(this.grids.name(id), 60));
    const about = [t(`areas_${level}`), id, level === "grid" ? t("areas_cells", { n: this.cells(id) }) : properties.parent ? t("areas_of", { name: plain(this.grids.name(properties.parent), 40) }) : ""];
    text($("editor-facts"), about.filter(Boolean).join(" · "));
    for (const field of FIELDS) $(`edit-${field}`).value = properties[field] ?? "";
    $("editor-fields").disabled = !this.may();
    for (const id_ of ["remove", "save"]) $(id_).hidden = !this.may();
    this.trouble("");
  }

  async #save() {
    const { id, properties } = this.#shape;
    const values = Object.fromEntries(FIELDS.map((field) => [field, $(`edit-${field}`).value.trim()]).filter(([field, value]) => value !== (properties[field] ?? "")));
    if (Object.keys(values).length === 0) return this.onClosed();
    try {
      const saved = await api.amendGrid(id, values);
      await this.onSaved(t("areas_saved", { name: plain(saved.name, 40) }));
    } catch (error) {
      this.trouble(error.message);
    }
  }

  async #remove() {
    const { id, level } = this.#shape;
    const n = level === "grid" ? this.cells(id) : 0;
    const name = plain(this.grids.name(id), 40);
    if (!(await ask(t(n ? "areas_remove_ask" : "areas_remove_one", { name, n }), t("areas_remove")))) return;
    try {
      const { removed } = await api.removeGrid(id);
      await this.onSaved(t("areas_removed", { n: removed }));
    } catch (error) {
      this.trouble(error.message);
    }
  }
}
