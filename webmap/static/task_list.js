// The tasks beside the map: filters with their counts, a search, and the rows in sight.

import { FILTERS, lightOf, needsSeat } from "./desk.js";
import { element, icon, pushButton, text } from "./dom.js";
import { t } from "./i18n.js";
import { plain } from "./labels.js";
import { signOf, taskMark } from "./task_marks.js";
import { classWord, kindWord, leftWord, nameWord, stateWord, unitName } from "./task_text.js";
import { VirtualRows } from "./virtual_rows.js";

const ROW = 62;

export class TaskList {
  /** {desk, clock, onPick(id)} */
  constructor({ desk, clock, onPick }) {
    Object.assign(this, { desk, clock });
    this.field = document.getElementById("task-search");
    this.empty = document.getElementById("no-tasks");
    this.filters = new Map();
    for (const filter of FILTERS) {
      const tab = pushButton("desk-filter", "", () => this.desk.look({ filter }));
      tab.id = `filter-${filter}`;
      tab.append(element("span", ""), element("b", ""));
      this.filters.set(filter, tab);
      document.getElementById("task-filters").append(tab);
    }
    const box = document.getElementById("task-list");
    this.list = new VirtualRows({ box, space: document.getElementById("task-rows"), height: ROW, make: newRow, fill: (row, task) => this.#fill(row, task, clock.now()) });
    box.addEventListener("click", (event) => {
      const row = event.target.closest(".task");
      if (row) onPick(row.dataset.id);
    });
    box.addEventListener("mouseover", (event) => desk.hover(event.target.closest(".task")?.dataset.id ?? null));
    box.addEventListener("mouseleave", () => desk.hover(null));
    this.field.addEventListener("input", () => desk.look({ query: this.field.value }));
    this.translate();
  }

  translate() {
    for (const [filter, tab] of this.filters) text(tab.firstChild, t(`filter_${filter}`));
    this.update();
  }

  /** The tasks changed, or the filters. */
  update() {
    this.list.set(this.desk.list());
    this.counts();
    this.empty.hidden = this.list.items.length > 0;
    text(this.empty, t(!this.desk.loaded ? "loading_tasks" : this.desk.query || this.desk.filter !== "open" ? "no_such_task" : "no_tasks"));
    this.#tellSelected();
  }

  /** Time goes on: what is left, what is late. */
  tick() {
    this.counts();
    this.paint();
  }

  counts() {
    const counts = this.desk.counts();
    for (const [filter, tab] of this.filters) {
      text(tab.lastChild, String(counts[filter]));
      tab.setAttribute("aria-pressed", String(this.desk.filter === filter));
      tab.classList.toggle("is-none", counts[filter] === 0);
    }
    return counts;
  }

  paint() {
    this.list.paint();
    this.#tellSelected();
  }

  /** The id of the task `step` rows from the selected one, or null. */
  neighbour(step) {
    const at = this.list.neighbour(this.#at(), step);
    return at < 0 ? null : this.list.items[at].id;
  }

  reveal() {
    this.list.reveal(this.#at());
  }

  #at() {
    return this.list.items.findIndex((row) => row.id === this.desk.selected);
  }

  #tellSelected() {
    const id = this.list.rows.find((row) => row.dataset.id === this.desk.selected)?.id ?? "";
    if (this.list.box.getAttribute("aria-activedescendant") !== id) this.list.box.setAttribute("aria-activedescendant", id);
  }

  #fill(node, row, now) {
    const { parts } = node;
    const light = lightOf(row, now);
    const sign = signOf(row, light);
    const signs = `${sign.state}/${sign.light}`;
    if (node.dataset.sign !== signs) {
      node.dataset.sign = signs;
      parts.sign.replaceChildren(taskMark(sign));
    }
    if (node.dataset.id !== row.id) node.dataset.id = row.id;
    node.dataset.light = sign.light;
    node.classList.toggle("is-hover", row.id === this.desk.hovered);
    node.classList.toggle("needs-seat", needsSeat(row));
    node.classList.toggle("is-pending", this.desk.pending.has(row.id));
    node.setAttribute("aria-selected", String(row.id === this.desk.selected));
    text(parts.address, plain(row.address || row.text || row.id, 60));
    text(parts.left, leftWord(row, now));
    text(parts.what, [kindWord(row.kind), classWord(row.klass)].filter(Boolean).join(" · "));
    const holder = row.holder ? `${nameWord(row.holder, 18)} · ` : "";
    const pending = this.desk.pending.get(row.id);
    text(parts.state, pending ? t("about_to", { what: t(`do_${pending}`) }) : needsSeat(row) ? t("nobody_found") : `${holder}${stateWord(row)}`);
    badges(parts.badges, row);
  }
}

/** What is to be known of a task besides: chosen by hand, photos that are missing, how far it has escalated. */
function badges(box, row) {
  const missing = row.result?.missing ?? 0;
  const key = `${row.pinned}/${row.level}/${missing}/${row.links}/${row.kept}/${document.documentElement.lang}`;
  if (box.dataset.key === key) return;
  box.dataset.key = key;
  const all = [];
  if (row.links) all.push(badge("links", "", t("duplicates"), row.links));
  if (missing > 0) all.push(badge("camera", "is-missing", t(missing === 1 ? "photo_missing" : "photos_missing", { n: missing }), missing));
  if (row.pinned) all.push(badge("pinned", "", `${t("fact_pinned")}: ${unitName(row.pinned)}`));
  if (row.level) all.push(badge("level", `is-level-${row.level}`, t("level_n", { n: row.level }), row.level));
  box.replaceChildren(...all);
}

function badge(picture, name, title, number) {
  const node = element("span", `badge ${name}`);
  node.title = title;
  node.append(icon(picture));
  if (number !== undefined) node.append(String(number));
  return node;
}

function newRow(index) {
  const row = element("div", "task");
  row.id = `task-${index}`;
  row.setAttribute("role", "option");
  row.parts = {};
  const meta = element("span", "task-meta");
  for (const name of ["sign", "address", "left", "state", "what", "badges"]) {
    row.parts[name] = element(name === "address" ? "bdi" : "span", `task-${name}`);
    (name === "state" || name === "what" ? meta : row).append(row.parts[name]);
  }
  row.append(meta);
  return row;
}
