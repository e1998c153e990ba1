// A task dragged from its row or its pin onto somebody: a person on the map, or a row of who could go.

import { OPEN } from "./desk.js";
import { element, icon } from "./dom.js";
import { plain } from "./labels.js";

const FAR = 6; // pixels that mean it
const ROW = ".task";

export class TaskDrag {
  #from = null; // {row, x, y}
  #ghost = null;

  /** {desk, map, tasksLayer, unitsLayer, choice, view, can(row), onBegin(row), onDrop(row, unit, candidate | null), onEnd()} */
  constructor(parts) {
    Object.assign(this, parts);
    document.getElementById("task-list").addEventListener("pointerdown", (event) => this.#press(event, event.target.closest(ROW)?.dataset.id));
    const box = this.map.getContainer();
    // Before the map takes it for its own drag.
    for (const kind of ["pointerdown", "mousedown"]) {
      box.addEventListener(kind, (event) => {
        const row = event.button === 0 && this.#overMap(event) ? this.tasksLayer.hit(this.map.mouseEventToContainerPoint(event)) : null;
        if (!row || event.pointerType === "touch") return;
        if (kind === "pointerdown") this.#press(event, row.id);
        else event.stopPropagation();
      }, { capture: true });
    }
    document.addEventListener("pointermove", (event) => this.#move(event));
    document.addEventListener("pointerup", (event) => this.#drop(event));
    document.addEventListener("pointercancel", () => this.cancel());
  }

  get dragging() {
    return this.#ghost !== null;
  }

  #overMap(event) {
    return this.map.getContainer().contains(event.target);
  }

  #press(event, id) {
    const row = id && this.desk.rows.get(id);
    if (!row || event.button !== 0 || event.pointerType === "touch" || !OPEN.has(row.state) || !this.can(row)) return;
    this.#from = { row, x: event.clientX, y: event.clientY };
  }

  #move(event) {
    if (!this.#from) return;
    if (!this.#ghost) {
      if (Math.hypot(event.clientX - this.#from.x, event.clientY - this.#from.y) < FAR) return;
      const ghost = (this.#ghost = element("div", "task-ghost"));
      ghost.append(icon("send"), element("bdi", "", plain(this.#from.row.address || this.#from.row.id, 20)));
      document.body.append(ghost);
      document.body.classList.add("is-dragging");
      this.onBegin(this.#from.row);
    }
    event.preventDefault();
    getSelection()?.empty();
    this.#ghost.style.transform = `translate(${event.clientX + 12}px, ${event.clientY + 10}px)`;
    const unit = this.#under(event);
    this.choice.light(unit);
    this.view.hover(unit);
    this.#ghost.classList.toggle("is-over", unit !== null);
  }

  /** Whom the pointer is over: a row of the candidates, or somebody on the map. */
  #under(event) {
    const target = document.elementFromPoint(event.clientX, event.clientY);
    const row = target?.closest?.(".candidate");
    if (row) return row.dataset.unit;
    if (!target || !this.map.getContainer().contains(target)) return null;
    return this.unitsLayer.hit(this.map.mouseEventToContainerPoint(event))?.id ?? null;
  }

  #drop(event) {
    const from = this.#from;
    const dragged = this.dragging;
    const unit = dragged ? this.#under(event) : null;
    const candidate = unit && this.choice.find(unit);
    this.cancel();
    if (!dragged) return;
    // The click that follows belongs to the drop.
    const swallow = (click) => click.stopPropagation();
    window.addEventListener("click", swallow, { capture: true });
    setTimeout(() => window.removeEventListener("click", swallow, { capture: true }), 0);
    if (unit) this.onDrop(from.row, unit, candidate);
  }

  /** Answers whether something was being dragged. */
  cancel() {
    const dragged = this.dragging;
    this.#ghost?.remove();
    this.#ghost = this.#from = null;
    document.body.classList.remove("is-dragging");
    if (dragged) {
      this.view.hover(null);
      this.choice.light(null);
      this.onEnd();
    }
    return dragged;
  }
}
