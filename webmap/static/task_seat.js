// The seat of a dispatcher on the map page: the task panel and all that belongs to it, put together.

import { api } from "./api.js";
import { Desk } from "./desk.js";
import { text } from "./dom.js";
import { onLanguage, t } from "./i18n.js";
import { plain } from "./labels.js";
import { me } from "./nav.js";
import { known, may } from "./rights.js";
import { Sounder } from "./sounder.js";
import { SosPanel } from "./sos_panel.js";
import { TaskAlarms } from "./task_alarms.js";
import { TaskCard } from "./task_card.js";
import { Choice } from "./task_choice.js";
import { TaskDeeds } from "./task_deeds.js";
import { TaskDrag } from "./task_drag.js";
import { TaskForm } from "./task_form.js";
import { TaskLinesLayer } from "./task_lines_layer.js";
import { TaskList } from "./task_list.js";
import { TaskProblems } from "./task_problems.js";
import { searchText, speakOf, stateWord } from "./task_text.js";
import { Toasts } from "./task_toasts.js";
import { TasksLayer } from "./tasks_layer.js";

const $ = (id) => document.getElementById(id);
const FITTED = 4; // candidates that the map is moved to show
const TICK_MS = 900;
const SEATS = new Set(["dispatcher", "street"]); // whose work this is: they begin with it

export class TaskSeat {
  account = "";
  leader = false;
  place = { spot: null }; // of a task that is being made, in numbers of the plane
  #here = false;
  #fitted = null; // for what the map was moved to show candidates
  #followed = null; // whom the feed was told to follow
  #ticked = -Infinity;

  /** {map, model, chrome, sheet, units, view, grids, clock, prefs, unitsLayer, basemap, onWatch(), mapView()} */
  constructor(parts) {
    Object.assign(this, parts);
    const { map, clock, grids, units, view, chrome, prefs } = parts;
    const notice = (words, level) => chrome.notice(words, level);
    const speak = (words) => chrome.speak(words);
    const canDispatch = () => may("dispatch");
    this.choice = new Choice();
    this.desk = new Desk({ clock, textOf: searchText, onTrouble: () => notice(t("desk_away"), "warn") });
    const { desk, choice } = this;
    this.toasts = new Toasts({ speak });
    this.sounder = new Sounder(() => prefs.get("mute"));
    this.deeds = new TaskDeeds({ desk, toasts: this.toasts, onNotice: notice });
    Object.assign(parts.model, { desk, choice, place: this.place });
    this.tasksLayer = new TasksLayer(parts.model);
    this.lines = new TaskLinesLayer(parts.model);
    this.layers = [this.tasksLayer, this.lines];
    for (const layer of this.layers) layer.addTo(map);
    const onTask = (id) => this.pick(id, true);
    const onSpot = (spot) => this.show({ spot });
    const onUnit = (id) => view.select(id, { center: true, again: true });
    this.list = new TaskList({ desk, clock, onPick: onTask });
    this.card = new TaskCard({
      desk, deeds: this.deeds, choice, grids, clock, canDispatch, onTask, onUnit, onNotice: notice,
      onClose: () => desk.select(null), onCenter: () => this.center(),
    });
    this.form = new TaskForm({
      desk, choice, grids, basemap: parts.basemap, onTask, onNotice: notice, account: () => this.account,
      onPlace: (spot) => this.#placed(spot), onShow: (what) => this.show(what),
      onMade: (row) => this.#made(row), onClosed: () => this.#placed(null),
    });
    this.alarms = new TaskAlarms({ desk, clock, sounder: this.sounder, isLeader: () => this.leader, onTask, onNotice: notice, muted: () => prefs.get("mute"), onMute: (on) => prefs.set("mute", on) });
    this.problems = new TaskProblems({ desk, clock, canDispatch, onSpot, onTask, onNotice: notice });
    this.sos = new SosPanel({ desk, clock, sounder: this.sounder, canDispatch, onSpot, onUnit, onNotice: notice, speak });
    this.drag = new TaskDrag({
      desk, map, tasksLayer: this.tasksLayer, unitsLayer: parts.unitsLayer, choice, view,
      can: (row) => canDispatch() && row.state !== "resulted" && row.state !== "suspended" && !desk.pending.has(row.id),
      onBegin: (row) => {
        if (this.card.actions.choosing && desk.selected === row.id) return;
        choice.ofTask(row);
      },
      onDrop: (row, unit, candidate) => this.#dropped(row, unit, candidate),
      onEnd: () => this.card.actions.choosing || this.form.open || choice.end(),
    });
    this.first = { click: (event) => this.#click(event), pointer: (point) => this.#pointer(point) };
    desk.onChange((what) => this.#changed(what));
    choice.onChange(() => {
      this.lines.redraw();
      this.#fit();
    });
    view.onChange((what) => what.selection && view.selected !== null && !this.choosing && desk.select(null));
    speakOf({}, (unit) => units.all.get(unit)?.name);
    $("tab-tasks").addEventListener("click", () => this.panel("tasks"));
    $("tab-units").addEventListener("click", () => this.panel("units"));
    $("new-task").addEventListener("click", () => this.create(false));
    $("hotline-button").addEventListener("click", () => this.create(true));
    $("alarms-button").addEventListener("click", () => this.toggleAlarms());
    $("problems-button").addEventListener("click", () => this.toggleProblems());
    onLanguage(() => this.#translate());
    Promise.all([known, me()]).then(([, who]) => this.#begin(who), () => {});
  }

  #begin(who) {
    if (!may("tasks") || !may("live")) return;
    this.#here = true;
    this.account = who.name;
    this.leader = who.role === "leader" || who.role === "admin";
    for (const id of ["new-task", "hotline-button"]) $(id).hidden = !may("dispatch");
    $("panel-tabs").hidden = false;
    document.body.classList.add("has-desk");
    this.panel(this.prefs.get("panel") ?? (SEATS.has(who.role) ? "tasks" : "units"));
    this.desk.ask();
  }

  /** Whether the panel shows tasks; else units. */
  get open() {
    return this.#here && !$("desk").hidden;
  }

  get choosing() {
    return this.card.actions.choosing || this.form.open;
  }

  panel(name) {
    if (!this.#here) return;
    const tasks = name === "tasks";
    this.prefs.set("panel", name);
    $("desk").hidden = !tasks;
    document.body.classList.toggle("shows-tasks", tasks);
    $("tab-tasks").setAttribute("aria-selected", String(tasks));
    $("tab-units").setAttribute("aria-selected", String(!tasks));
    if (tasks) this.list.update();
  }

  toggle() {
    this.panel(this.open ? "units" : "tasks");
  }

  // -- from outside

  /** The feed says that the desk has something new. */
  nudge(version) {
    if (this.#here) this.desk.nudge(version);
  }

  /** The link is there again: nobody knows what was missed. */
  resume() {
    if (this.#here) this.desk.ask();
  }

  zone(name) {
    this.card.zone(name);
  }

  /** Whom the feed is to tell of wherever he is: the holder of the selected task. */
  get watched() {
    return this.desk.row?.holder?.unit ?? null;
  }

  /** With every frame of units: lines go with them. */
  moved() {
    if (this.#here && !this.lines.blank()) this.lines.redraw();
  }

  /** With every frame; once a second time has gone on. */
  tick() {
    const now = performance.now();
    if (!this.#here || now - this.#ticked < TICK_MS) return;
    this.#ticked = now;
    if (this.open) this.list.tick();
    this.#count();
    if (this.desk.row) this.card.update();
    this.sos.paint();
  }

  /** The map's plane has changed. */
  move(convert) {
    this.desk.move();
    if (this.place.spot) this.place.spot = convert(...this.place.spot);
    if (this.choice.spot) this.choice.spot = convert(...this.choice.spot);
  }

  // -- what one does

  pick(id, center = false) {
    if (!this.desk.rows.has(id)) return this.#fetch(id, center);
    this.desk.select(id, { center, again: center });
    if (center) this.sheet.close();
    return null;
  }

  /** One that the desk does not show any more: asked for by its number. */
  async #fetch(id, center) {
    try {
      this.desk.put(await api.task(id));
      this.pick(id, center);
    } catch (error) {
      this.chrome.notice(error.message, "warn");
    }
  }

  /** Up and down: through the candidates while one chooses, else through the tasks. */
  step(by) {
    const id = this.list.neighbour(by);
    if (id !== null) this.desk.select(id, { center: true, again: true });
  }

  choose() {
    const id = this.desk.selected ?? this.list.neighbour(1);
    if (id !== null) this.desk.select(id, { center: true, again: true });
    if (id !== null) this.card.actions.focus();
  }

  search() {
    this.list.field.focus();
    this.list.field.select();
  }

  assign() {
    if (this.desk.row) this.card.actions.assign();
  }

  digit(n) {
    const one = this.choice.list[n - 1];
    if (!one) return;
    if (this.card.actions.choosing) this.card.actions.pick(one);
    else if (this.form.open) this.form.choose(one.unit);
  }

  create(hotline) {
    if (!this.#here || !may("dispatch")) return;
    this.card.actions.close();
    this.form.begin(hotline);
    this.sheet.close();
  }

  toggleAlarms() {
    if (!this.#here) return;
    this.panel("tasks");
    this.problems.toggle(false);
    this.alarms.toggle();
    this.sheet.set(this.alarms.open);
  }

  toggleProblems() {
    if (!this.#here) return;
    this.panel("tasks");
    this.alarms.toggle(false);
    this.problems.toggle();
    this.sheet.set(this.problems.open);
  }

  /** Escape, from what lies on top downwards; answers whether there was something. */
  escape() {
    if (this.drag.cancel()) return true;
    if (document.activeElement === this.list.field) {
      this.list.field.blur();
      this.list.field.value = "";
      this.desk.look({ query: "" });
      return true;
    }
    if (this.form.close()) return true;
    if (this.card.actions.close()) return true;
    if (this.alarms.open) this.alarms.toggle(false);
    else if (this.problems.open) this.problems.toggle(false);
    else if (this.desk.selected !== null) this.desk.select(null);
    else return false;
    return true;
  }

  /** A unit was picked on the map or in its list: whoever is choosing has chosen. */
  unit(id) {
    if (id === null) return false;
    if (this.card.actions.choosing) {
      const { units } = this;
      this.card.actions.pick(this.choice.find(id) ?? { unit: id, name: units.all.get(id)?.name ?? id, reason: "unknown" });
      return true;
    }
    if (!this.form.open) return false;
    this.form.choose(id);
    return true;
  }

  show({ spot, box }) {
    const view = this.mapView();
    if (spot) view.place(spot);
    else if (box) view.area(box);
  }

  center() {
    const { row } = this.desk;
    if (!row) return;
    const holder = row.holder && this.units.all.get(row.holder.unit);
    if (holder?.lat) this.mapView().places([row.spot, [holder.lat, holder.lon]]);
    else this.show({ spot: row.spot });
  }

  /** Once the candidates are known, one sees where they are; but who points or drags keeps the map as it is. */
  #fit() {
    const { choice } = this;
    if (choice.key === this.#fitted || choice.loading) return;
    this.#fitted = choice.key;
    const still = this.form.open || this.drag.dragging;
    const spot = choice.key && !still && this.desk.rows.get(choice.key)?.spot;
    const best = choice.list.slice(0, FITTED).map((one) => one.spot).filter(Boolean);
    if (spot && best.length) this.mapView().places([spot, ...best]);
  }

  #dropped(row, unit, candidate) {
    this.desk.select(row.id);
    if (candidate?.reason) this.card.actions.pick(candidate);
    else this.deeds.do(row, "assign", { unit });
  }

  #placed(spot) {
    this.place.spot = spot;
    document.body.classList.toggle("is-placing", this.form.open);
    this.lines.redraw();
  }

  #made(row) {
    this.desk.put(row);
    this.toasts.show(t("form_made"), { undo: () => this.deeds.do(this.desk.rows.get(row.id) ?? row, "cancel", { reason: t("undo") }) });
    this.panel("tasks");
    this.pick(row.id, true);
  }

  #click(event) {
    if (!this.#here) return false;
    if (this.form.placing) {
      // On somebody: he shall go. Anywhere else: it is there.
      const unit = this.place.spot && this.unitsLayer.hit(event.containerPoint);
      if (unit) this.form.choose(unit.id);
      else this.form.place(event.latlng.lat, event.latlng.lng);
      return true;
    }
    const row = this.card.actions.choosing ? null : this.tasksLayer.hit(event.containerPoint);
    if (row) this.pick(row.id);
    else if (this.desk.selected !== null && !this.choosing && !this.unitsLayer.hit(event.containerPoint)) {
      this.desk.select(null);
      return true;
    } else return this.choosing && !this.unitsLayer.hit(event.containerPoint);
    return true;
  }

  #pointer(point) {
    if (!this.#here || this.choosing) return false;
    const row = this.tasksLayer.hit(point);
    this.desk.hover(row?.id ?? null);
    return row !== null;
  }

  // -- what has changed

  #changed(what) {
    const { desk } = this;
    if (what.data) {
      speakOf(desk.words);
      this.list.update();
      this.#count();
      this.alarms.update(what.fresh, what.first);
      this.problems.update(what.first);
      this.sos.update();
      this.card.update();
      // Not before the desk has told what the city's classes are.
      if (what.first && may("dispatch") && this.form.restore()) this.chrome.notice(t("form_kept"));
      if (desk.row && (what.ids === null || what.ids.includes(desk.selected))) this.card.refresh();
    }
    if (what.selection) {
      if (desk.selected !== null && this.view.selected !== null) this.view.select(null);
      this.card.update(true);
      this.card.refresh();
      this.list.paint();
      this.list.reveal();
      if (what.center) this.center();
      if (desk.row) this.chrome.speak([plain(desk.row.address, 40), stateWord(desk.row)].join(" "));
    }
    if (what.hover) this.list.paint();
    if (what.filter) {
      this.list.list.box.scrollTop = 0;
      this.list.update();
    }
    if (this.watched !== this.#followed) {
      this.#followed = this.watched;
      this.onWatch();
    }
    this.tasksLayer.redraw();
    this.lines.redraw();
  }

  #count() {
    const { open } = this.desk.counts();
    text($("tasks-count"), this.desk.loaded ? String(open) : "");
  }

  #translate() {
    this.desk.renamed();
    this.list.translate();
    this.card.update(true);
    this.form.translate();
    if (this.alarms.open) this.alarms.paint();
    if (this.problems.open) this.problems.paint();
    this.sos.paint();
  }
}
