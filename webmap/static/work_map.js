// The map of the collector's page: the city's own ground and grids, where one is, where one has to go, and the line in
// between. It is one map for all screens.

import { BasemapLayer } from "./basemap_layer.js";
import { element } from "./dom.js";
import { Grids, GridsLayer } from "./grids.js";
import { NamesLayer } from "./names_layer.js";
import { crs } from "./projection.js";
import { Ground } from "./work_pictures.js";

const { L } = window;
const CLOSEST = 17.5;
const ALONE = 16; // how near one looks with nothing but oneself to see
const MOVED_MS = 20_000; // after a finger has moved it, it is left alone for so long

export class WorkMap {
  #marks = new Map(); // id -> {marker, key}
  #touched = 0;
  #shown = "";

  /** {node, theme, headers: those by which the server knows this phone, onPick(task id)} */
  constructor({ node, theme, headers, onPick }) {
    this.theme = theme;
    this.onPick = onPick;
    const map = (this.map = L.map(node, {
      crs, zoomControl: false, attributionControl: false, zoomSnap: 0.25, minZoom: 9, maxZoom: 19, keyboard: false, bounceAtZoomLimits: false,
    }));
    map.setView([30.66, 117.49], 14);
    const prefs = { get: (name) => name === "grids" };
    const ground = new Ground({ map, theme, headers, onChange: () => this.redraw() });
    const model = { theme, prefs, view: { unit: null }, grids: new Grids(), basemaps: ground };
    this.model = model;
    this.basemap = model.basemap = new BasemapLayer(model).addTo(map);
    this.gridsLayer = model.gridsLayer = new GridsLayer(model).addTo(map);
    this.names = new NamesLayer(model).addTo(map);
    this.line = L.polyline([], { className: "way-line", interactive: false }).addTo(map);
    this.around = L.circle([0, 0], { radius: 0, className: "around-me", interactive: false });
    this.me = L.marker([0, 0], { icon: this.#icon("me-mark", [22, 22]), interactive: false, keyboard: false, zIndexOffset: 500 });
    map.on("dragstart zoomstart", (event) => event.originalEvent !== undefined && (this.#touched = Date.now()));
    map.on("dragstart", () => (this.#touched = Date.now()));
    new ResizeObserver(() => this.#resized()).observe(node);
    theme.onChange(() => this.redraw());
  }

  #icon(name, size) {
    return L.divIcon({ className: "", html: element("div", name), iconSize: size, iconAnchor: [size[0] / 2, size[1] / 2] });
  }

  /** The city's ground and grids, as GeoJSON; `own` is the id of one's own grid, `maps` are base maps of pictures. */
  ground({ center, basemap, grids, own, maps = [] }) {
    const convert = this.model.basemaps.use(maps[0] ?? null);
    if (convert) for (const layer of [this.basemap, this.model.grids]) layer.move(convert);
    if (center && !this.#shown) this.map.setView(center, 14, { animate: false });
    if (basemap) this.basemap.load(basemap);
    if (grids) this.model.grids.load(grids);
    this.model.view.unit = own ? { grid: own } : null;
    this.redraw();
  }

  redraw() {
    for (const layer of [this.basemap, this.gridsLayer, this.names]) layer.redraw();
  }

  #resized() {
    this.map.invalidateSize({ pan: false });
    this.fit(false);
  }

  /** What lies over its lower part instead of the sheet, or null. */
  covered = null;

  /** What is to be seen: {me: {lat, lon, accuracy} or null, tasks: [{id, lat, lon, light, asked}], target: id or "",
   *  calls: [{id, lat, lon}] of colleagues who need help}. */
  show({ me, tasks, target, calls }) {
    this.scene = { me, tasks, target, calls };
    this.#self(me);
    const wanted = new Map();
    for (const task of tasks) wanted.set(task.id, [task, `pin ${task.light}${task.id === target ? " pin-target" : ""}${task.asked ? " pin-asked" : ""}`]);
    for (const call of calls) wanted.set(`sos ${call.id}`, [call, "pin-sos"]);
    for (const [id, { marker }] of this.#marks) {
      if (wanted.has(id)) continue;
      marker.remove();
      this.#marks.delete(id);
    }
    for (const [id, [what, name]] of wanted) this.#mark(id, what, name);
    const goal = tasks.find((task) => task.id === target);
    this.line.setLatLngs(me && goal ? [[me.lat, me.lon], [goal.lat, goal.lon]] : []);
    const shown = [target, tasks.length, calls.length, Boolean(me), Boolean(this.covered)].join();
    if (shown !== this.#shown) {
      this.#shown = shown;
      this.#touched = 0;
      this.fit(true);
    } else if (target && Date.now() - this.#touched > MOVED_MS && !this.#inside(me)) this.fit(true);
  }

  #self(me) {
    if (!me) {
      this.me.remove();
      this.around.remove();
      return;
    }
    this.me.setLatLng([me.lat, me.lon]).addTo(this.map);
    this.around.setLatLng([me.lat, me.lon]).setRadius(Math.min(me.accuracy ?? 0, 2000)).addTo(this.map);
  }

  #mark(id, { lat, lon }, name) {
    const known = this.#marks.get(id);
    if (known?.key === name) {
      known.marker.setLatLng([lat, lon]);
      return;
    }
    known?.marker.remove();
    const icon = L.divIcon({ className: "", html: element("div", name), iconSize: [36, 44], iconAnchor: [18, 42] });
    const marker = L.marker([lat, lon], { icon, keyboard: false, zIndexOffset: name.includes("target") ? 400 : 0 }).addTo(this.map);
    marker.on("click", () => !id.startsWith("sos ") && this.onPick(id));
    this.#marks.set(id, { marker, key: name });
  }

  /** How much of it lies under what stands below; beside it on a wide screen nothing does. */
  #below() {
    const box = this.map.getContainer().getBoundingClientRect();
    const over = (this.covered ?? document.getElementById("sheet")).getBoundingClientRect();
    return over.left < box.left ? 28 : Math.max(0, Math.min(box.height / 2, box.bottom - over.top));
  }

  #inside(me) {
    return !me || this.map.getBounds().pad(-0.05).contains([me.lat, me.lon]);
  }

  /** Shows all that matters now: the way to the target, else everything that is to be done. */
  fit(animate = true) {
    const { me, tasks = [], target, calls = [] } = this.scene ?? {};
    const goal = tasks.find((task) => task.id === target);
    const places = goal ? [goal] : [...tasks, ...calls];
    const all = [...places, ...(me ? [me] : [])].map(({ lat, lon }) => [lat, lon]);
    if (all.length === 0 || !this.map.getSize().y) return;
    if (all.length === 1) this.map.setView(all[0], Math.max(this.map.getZoom(), ALONE), { animate });
    else this.map.fitBounds(L.latLngBounds(all), { paddingTopLeft: [40, 112], paddingBottomRight: [this.covered ? 40 : 84, 32 + this.#below()], maxZoom: CLOSEST, animate });
  }

  /** Shows where one is. */
  centre() {
    const { me } = this.scene ?? {};
    if (me) this.map.setView([me.lat, me.lon], Math.max(this.map.getZoom(), ALONE));
  }
}
