// The page of grids: what there is, on the map and as a list; a file is judged and shown before anything is written.

import { api } from "./api.js";
import { Draft } from "./area_draft.js";
import { Editor } from "./area_editor.js";
import "./area_words.js";
import { AreasLayer, holds } from "./areas_layer.js";
import { BasemapLayer } from "./basemap_layer.js";
import { Basemaps } from "./basemaps.js";
import { element, pushButton, text } from "./dom.js";
import { Grids, GridsLayer, CELLS_FROM } from "./grids.js";
import { language, onLanguage, setLanguage, t } from "./i18n.js";
import { listenToKeys } from "./keyboard.js";
import { plain } from "./labels.js";
import { MapView } from "./map_view.js";
import { NamesLayer } from "./names_layer.js";
import { me, showNav } from "./nav.js";
import { Preferences } from "./prefs.js";
import { plane } from "./projection.js";
import { Theme } from "./theme.js";
import { clockFormat } from "./time.js";

const { L } = window;
const SHOWN = 300; // rows: more are found by typing
const CHINA = [35, 105];

const $ = (id) => document.getElementById(id);
const prefs = new Preferences();
const theme = new Theme(prefs);
const grids = new Grids();
const looks = { unit: null, hover() {}, follow() {} }; // the map's own view of units, of which there are none here
const map = L.map("map", { zoomControl: false, attributionControl: false, minZoom: 4, maxZoom: 19, zoomSnap: 0.25, wheelPxPerZoomLevel: 90, keyboard: false }).setView(CHINA, 5);

const model = { grids, view: looks, theme, prefs, still: () => true };
const basemaps = new Basemaps({
  map, prefs, theme,
  drawn: () => (model.basemap?.shapes.length ?? 0) > 0,
  onChange(convert) {
    if (convert) for (const part of [grids, basemap, layer]) part.move(convert);
    redraw();
  },
  onTrouble: () => redraw(),
});
model.basemaps = basemaps;
const basemap = (model.basemap = new BasemapLayer(model));
const lines = (model.gridsLayer = new GridsLayer(model));
const names = new NamesLayer(model);
const layer = new AreasLayer(model);
for (const each of [basemap, lines, names, layer]) each.addTo(map);
const nothing = { hit: () => null, groupAt: () => null };
const mapView = new MapView({ map, view: looks, units: null, grids, prefs, unitsLayer: nothing, onWatch() {}, onMoved() {}, onPick() {} });

let may = false;
let cellsOf = new Map(); // grid -> how many cells
let rows = [];
let chosen = null; // id

const say = (words) => ($("speak").textContent = words);
const trouble = (words) => {
  $("trouble").hidden = !words;
  text($("trouble"), words);
};
const editor = new Editor({ grids, may: () => may, cells: (id) => cellsOf.get(id) ?? 0, onSaved: changed, onClosed: () => choose(null), trouble });
const draft = new Draft({ map, layer, grids, show: fit, trouble, onWritten: written, onDone: () => panes() });

function redraw() {
  for (const each of [basemap, lines, names, layer]) each.redraw();
}

function panes() {
  $("draft").hidden = !draft.open;
  $("editor").hidden = draft.open || chosen === null;
  $("there").hidden = draft.open || chosen !== null;
  $("key").hidden = !draft.open;
}

/** Shows a box of the plane, [west, north, east, south]. */
function fit(box, nearest = 18) {
  if (!box) return;
  const corner = (x, y) => map.unproject(L.point(x, y).multiplyBy(256), 0);
  map.fitBounds(L.latLngBounds(corner(box[0], box[1]), corner(box[2], box[3])), { padding: [24, 24], maxZoom: nearest });
}

// -- what there is

async function load() {
  try {
    grids.load(await api.grids());
    trouble("");
  } catch (error) {
    trouble(error.message);
    return;
  }
  cellsOf = new Map();
  for (const cell of grids.cells) cellsOf.set(String(cell.properties.parent), (cellsOf.get(String(cell.properties.parent)) ?? 0) + 1);
  const streets = [...new Set(grids.grids.map((grid) => grid.properties.street).filter(Boolean))].sort();
  $("streets").replaceChildren(...streets.map((street) => new Option("", street)));
  if (chosen !== null && !grids.all.has(chosen)) chosen = null;
  list();
  redraw();
  await lastImport();
}

async function lastImport() {
  const { last } = may ? await api.lastImport().catch(() => ({ last: null })) : { last: null };
  $("last").hidden = last === null;
  if (last) text($("last-text"), t("areas_last", { ...last, by: plain(last.by, 24), time: clockFormat("Asia/Shanghai").format(last.at).slice(0, 5) }));
}

function list() {
  const words = $("search").value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const all = words.length ? [...grids.grids, ...grids.cells] : grids.grids;
  rows = all.filter((one) => {
    const { name, street, owner } = one.properties;
    const said = `${one.id}\n${name ?? ""}\n${street ?? ""}\n${owner ?? ""}`.toLocaleLowerCase();
    return words.every((word) => said.includes(word));
  });
  rows.sort((a, b) => String(a.properties.street ?? "").localeCompare(String(b.properties.street ?? ""), language()) || a.id.localeCompare(b.id));
  text($("count"), words.length ? t("areas_shown", { n: rows.length, all: all.length }) : t("areas_count", { grids: grids.grids.length, cells: grids.cells.length }));
  const nodes = rows.slice(0, SHOWN).map((one) => {
    const row = element("li", "");
    const button = pushButton("row", "", () => choose(one.id));
    button.dataset.id = one.id;
    const { street, owner } = one.properties;
    const about = [street, owner, one.level === "cell" ? t("areas_cell") : t("areas_cells", { n: cellsOf.get(one.id) ?? 0 })].filter(Boolean).map((word) => plain(word, 40));
    button.append(element("bdi", "row-name", plain(grids.name(one.id), 40)), element("code", "", plain(one.id, 24)), element("span", "row-about", about.join(" · ")));
    row.append(button);
    return row;
  });
  if (rows.length > SHOWN) nodes.push(element("li", "row-more", t("areas_more", { n: rows.length - SHOWN })));
  $("list").replaceChildren(...nodes);
  $("none").hidden = rows.length > 0;
  text($("none"), t(grids.all.size ? "areas_none_found" : may ? "areas_none" : "areas_none_read"));
}

function choose(id) {
  const before = chosen;
  chosen = id;
  const shape = id === null ? null : grids.all.get(id);
  layer.choose(shape ?? null);
  if (shape) {
    fit(shape.box, 17);
    editor.show(shape);
  }
  panes();
  if (!shape && before !== null) document.querySelector(`.row[data-id="${CSS.escape(before)}"]`)?.focus();
}

async function changed(words) {
  say(words);
  chosen = null;
  layer.choose(null);
  panes();
  await load();
}

async function written(words) {
  say(words);
  prefs.set("cells", prefs.get("cells"));
  await load();
}

$("search").addEventListener("input", list);
$("undo").addEventListener("click", async () => {
  try {
    await api.undoImport();
    await changed(t("areas_undone"));
  } catch (error) {
    trouble(error.message);
  }
});

map.on("click", (event) => {
  if (draft.open) {
    const at = layer.markAt(event.containerPoint);
    if (at !== null) draft.choose(at, false);
    return;
  }
  const { lat, lng } = event.latlng;
  const [x, y] = plane.place(lat, lng);
  const level = prefs.get("cells") && map.getZoom() >= CELLS_FROM ? grids.cells : grids.grids;
  choose(level.find((shape) => holds(shape, x, y))?.id ?? null);
});

// -- a file

async function take(file) {
  if (!may || !file) return;
  chosen = null;
  layer.choose(null);
  await draft.take(file);
  panes();
}

$("import").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", () => {
  take($("file").files[0]);
  $("file").value = "";
});
document.addEventListener("dragover", (event) => {
  if (!may || !event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  $("drop").hidden = false;
});
document.addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) $("drop").hidden = true;
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  $("drop").hidden = true;
  take(event.dataTransfer.files[0]);
});

// -- the page

function translate() {
  document.title = `${t("areas_title")} · Gridbeat`;
  list();
  basemaps.translate();
  draft.translate();
  if (chosen !== null && grids.all.has(chosen)) editor.show(grids.all.get(chosen));
  redraw();
}

function step(by) {
  if (draft.open) return draft.step(by);
  const buttons = [...$("list").querySelectorAll(".row")];
  const at = buttons.indexOf(document.activeElement);
  buttons[Math.max(0, Math.min(buttons.length - 1, at + by))]?.focus();
}

const actions = {
  search: () => $("search").focus(),
  down: () => step(1),
  up: () => step(-1),
  cells: () => prefs.set("cells", !prefs.get("cells")),
  ground: () => basemaps.next(),
  language: () => prefs.set("language", language() === "zh" ? "en" : "zh"),
  theme: () => theme.toggle(),
  zoomIn: () => map.zoomIn(1),
  zoomOut: () => map.zoomOut(1),
  whole: () => fit(draft.open ? layer.box() : grids.box()),
  import: () => may && $("file").click(),
  escape: () => {
    if (document.activeElement === $("search") && $("search").value) {
      $("search").value = "";
      list();
    } else if (draft.open) draft.close();
    else if (chosen !== null) choose(null);
    else location.assign("/");
  },
};
listenToKeys(actions);
for (const [id, action] of Object.entries({ language: actions.language, theme: actions.theme, cells: actions.cells, "zoom-in": actions.zoomIn, "zoom-out": actions.zoomOut, whole: actions.whole })) {
  $(id).addEventListener("click", action);
}
prefs.onChange((name, value) => {
  if (name === "language") setLanguage(value);
  if (name === "cells") {
    $("cells").setAttribute("aria-pressed", String(value));
    redraw();
  }
});
const paintTheme = () => {
  $("theme-icon").setAttribute("href", theme.dark ? "#i-sun" : "#i-moon");
  redraw();
};
theme.onChange(paintTheme);
onLanguage(translate);
showNav("grids");
$("cells").setAttribute("aria-pressed", String(prefs.get("cells")));
paintTheme();
setLanguage(prefs.get("language") ?? language());
panes();
me().then((who) => {
  may = Boolean(who.rights.grids_change);
  $("bring").hidden = !may;
}, () => {}).finally(async () => {
  await load();
  if (prefs.get("view") === null) fit(grids.box());
});
api.basemap().then((collection) => {
  basemap.load(collection);
  basemaps.translate();
  names.redraw();
}, () => {}); // the grids are what matters

// For the tests and for a person at the browser's console; nothing here depends on it.
window.gridbeat = { map, grids, layer, draft, take };
