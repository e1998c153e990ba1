// The console: builds its parts, connects them, and starts the feed. The only module that knows all others.

import { AbsentSeats } from "./absent.js";
import { api, toLogin } from "./api.js";
import { BasemapLayer } from "./basemap_layer.js";
import { Basemaps } from "./basemaps.js";
import { Card } from "./card.js";
import { Chrome } from "./chrome.js";
import { copyText } from "./dom.js";
import { Feed } from "./feed.js";
import { CELLS_FROM, Grids, GridsLayer } from "./grids.js";
import { HaloLayer } from "./halo_layer.js";
import { language, onLanguage, setLanguage, t } from "./i18n.js";
import { listenToKeys } from "./keyboard.js";
import { plain } from "./labels.js";
import { UnitList } from "./list.js";
import { MapView } from "./map_view.js";
import { NamesLayer } from "./names_layer.js";
import { showNav } from "./nav.js";
import { NoticePanel } from "./notice_panel.js";
import { Pace } from "./pace.js";
import { Preferences } from "./prefs.js";
import { plane } from "./projection.js";
import { known, may } from "./rights.js";
import { RollCalls } from "./roll_call.js";
import { Sheet } from "./sheet.js";
import { isSos, Units } from "./state.js";
import { SurveyPanel } from "./survey_panel.js";
import { TaskSeat } from "./task_seat.js";
import { Theme } from "./theme.js";
import { ageOf, ServerClock } from "./time.js";
import { TrailLoader } from "./trails.js";
import { UnitsLayer } from "./units_layer.js";
import { View } from "./view.js";

const RETRY_MS = 10_000;
const AGES_MS = 900; // less than the second after which this is looked at
const TRAILS = ["selected", "all", "off"];
const $ = (id) => document.getElementById(id);

const map = window[document.documentElement.dataset.map];
const prefs = new Preferences();
const theme = new Theme(prefs);
const clock = new ServerClock();
const units = new Units();
const grids = new Grids();
const view = new View(units);
view.gridName = (id) => grids.name(id);
view.inView = prefs.get("inView");
if (prefs.get("language")) setLanguage(prefs.get("language"));
else setLanguage(language());

const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
const trails = () => prefs.get("trails");
const model = { units, view, grids, theme, prefs, clock, trails, still: () => calm.matches || !feed.live };

const feed = new Feed(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/feed`, {
  hello: (message) => {
    clock.heard(message.now);
    chrome.city(message.city?.name, message.city?.zone);
    card.person.zone = message.city?.zone;
    for (const part of [rollCalls, notices, surveys]) part.zone(message.city?.zone);
    seat.zone(message.city?.zone);
  },
  roster: (message) => {
    units.roster(message.units ?? {});
    chrome.selects();
    pace.soon();
    pickFromLink();
  },
  frame: (message) => {
    clock.heard(message.now);
    const calls = units.frame(message, performance.now());
    // A part of the town that has just come into sight, or a call for help, does not wait.
    if (calls || message.op === "full") pace.soon();
    else pace.later();
  },
  desk: (version) => {
    for (const part of [seat, notices, surveys]) part.nudge(version);
  },
  notice: (message) => chrome.notice(language() === "zh" ? message.zh : message.en, message.level),
  link: linkChanged,
  ended: toLogin,
});

const basemaps = new Basemaps({
  map, prefs, theme,
  drawn: () => (model.basemap?.shapes.length ?? 0) > 0,
  onChange: groundChanged,
  onTrouble: (away) => {
    chrome.notice(t(away ? "ground_away" : "ground_back"), away ? "warn" : "good");
    redrawGrids();
  },
});
model.basemaps = basemaps;
const basemap = new BasemapLayer(model);
model.basemap = basemap;
const gridsLayer = new GridsLayer(model);
model.gridsLayer = gridsLayer;
const names = new NamesLayer(model);
model.names = names;
const halo = new HaloLayer(model);
const unitsLayer = new UnitsLayer(model);
model.unitsLayer = unitsLayer;
const layers = [basemap, gridsLayer, names, halo, unitsLayer];
for (const layer of layers) layer.addTo(map);

const chrome = new Chrome({ view, units, clock, feed, theme, prefs });
const sheet = new Sheet(() => list.paint());
const seat = new TaskSeat({ map, model, chrome, sheet, units, view, grids, clock, prefs, unitsLayer, basemap, onWatch: watch, mapView: () => mapView });
layers.push(...seat.layers);
const mapView = new MapView({ map, view, units, grids, prefs, unitsLayer, onWatch: watch, onMoved: moved, onPick: (id) => seat.unit(id) || pick(id, false), first: { click: (event) => (!seat.form.placing && surveys.click(event)) || seat.first.click(event), pointer: seat.first.pointer } });
const trailLoader = new TrailLoader({
  units,
  clock,
  onLoaded: () => halo.redraw(),
  onError: () => chrome.notice(t("error_load", { what: t("what_track") }), "warn"),
});
const list = new UnitList({ view, clock, onPick: (id) => seat.unit(id) || pick(id, true) });
const card = new Card({
  view, clock, grids, trails,
  onTrail: () => prefs.set("trails", trails() === "off" ? "selected" : "off"),
  onFollow: toggleFollow,
  onClose: () => view.select(null),
  onCopy: copyPosition,
});
const notice = (words, level) => chrome.notice(words, level);
const rollCalls = new RollCalls({ view, onPick: (id) => pick(id, true), onNotice: notice, speak: (words) => chrome.speak(words) });
const notices = new NoticePanel({ view, units, clock, onPick: (id) => pick(id, true), onNotice: notice });
const surveys = new SurveyPanel({ map, grids, clock, desk: seat.desk, onTask: (id) => seat.pick(id, true), onShow: (box) => box && mapView.area(box), onNotice: notice });
layers.push(surveys.layer);
for (const pane of [notices, surveys]) $("panel-tabs").addEventListener("click", () => pane.close(false));
new AbsentSeats({ onNotice: notice });

/** What the feed is to tell of: what the map shows, and whoever is looked at wherever he is. */
function watch(box = mapView.box()) {
  feed.watch(box, view.selected ?? seat.watched);
}

let wasBroken = false;
let calling = new Set(); // units whose SOS is already known
let refreshed = -Infinity;
const pace = new Pace(refresh, () => mapView.dragged);

/** New data: everything that shows units is brought up to date. */
function refresh(time) {
  refreshed = performance.now();
  chrome.tick();
  chrome.counts();
  list.update();
  callsForHelp();
  card.update();
  mapView.follow();
  wantTrails();
  unitsLayer.draw(time);
  halo.draw(time);
  seat.moved();
  seat.tick();
}

/** A new SOS is said once, in words and aloud, and its row stands at the top of the list. */
function callsForHelp() {
  const now = new Set();
  for (const unit of units.all.values()) {
    if (!isSos(unit)) continue;
    now.add(unit.id);
    if (calling.has(unit.id)) continue;
    const words = t("sos_from", { name: plain(unit.name, 24) });
    chrome.notice(words, "sos");
    chrome.speak(words);
    list.box.scrollTop = 0;
  }
  calling = now;
}

/** A link of ours may name the unit to show; once it is shown, the address is the plain one again. */
function pickFromLink() {
  const id = new URLSearchParams(location.hash.slice(1)).get("unit");
  if (id === null || !units.all.has(id)) return;
  history.replaceState(null, "", location.pathname);
  pick(id, true);
}

function linkChanged() {
  if (feed.link === "broken") wasBroken = true;
  if (wasBroken && feed.live) {
    wasBroken = false;
    trailLoader.forget();
    seat.resume();
    chrome.notice(t("reconnected"), "good");
  }
  chrome.tick();
  unitsLayer.redraw();
}

function moved() {
  if (view.inView) list.update();
  wantTrails();
}

function wantTrails() {
  if (!feed.live || trails() === "off") return;
  const wanted = view.unit?.near ? [view.selected] : [];
  if (trails() === "all") for (const { unit } of unitsLayer.seen) wanted.push(unit.id);
  trailLoader.want(wanted);
}

function pick(id, center) {
  view.select(id, { center, again: center });
  if (center) sheet.close();
}

function toggleFollow() {
  view.follow(!view.following);
}

async function copyPosition() {
  const { unit } = view;
  if (!unit || unit.lat === null) return;
  // Where that is forbidden, the numbers stay on the card and can be marked by hand.
  if (await copyText(`${unit.lat.toFixed(6)}, ${unit.lon.toFixed(6)}`)) chrome.notice(t("copied"));
}

view.onChange((what) => {
  if (what.selection) {
    const { unit } = view;
    watch();
    card.update(true);
    list.paint();
    list.reveal();
    if (what.center) mapView.center();
    redrawGrids();
    wantTrails();
    if (unit) chrome.speak(t("speak_selected", { name: unit.name, state: t(`state_${unit.state}`), age: ageOf(unit.fix, clock.now()) }));
  }
  if (what.follow) {
    card.update();
    mapView.follow();
  }
  if (what.hover) list.paint();
  if (what.filter) {
    prefs.set("inView", view.inView);
    chrome.filters();
    list.box.scrollTop = 0;
    list.update();
  }
  unitsLayer.redraw();
  halo.redraw();
});

prefs.onChange((name, value) => {
  if (name === "grids" || name === "cells") redrawGrids();
  if (name === "cells" && value && map.getZoom() < CELLS_FROM) chrome.notice(t("cells_closer"));
  if (name === "trails") {
    chrome.notice(t(`trails_${value}`));
    wantTrails();
    halo.redraw();
    card.update();
  }
  if (name === "wall" && value) chrome.notice(t("wall_on"));
  if (name === "language") setLanguage(value);
  chrome.layers();
});

theme.onChange(redrawAll);
onLanguage(() => {
  chrome.translate();
  basemaps.translate();
  view.renamed();
  card.update(true);
  list.update();
  for (const part of [rollCalls, notices, surveys]) part.translate();
  redrawAll();
});

function redrawAll() {
  chrome.layers();
  for (const layer of layers) layer.redraw();
}

/** Another base map lies there, and with `convert` the whole plane is another: all that is drawn moves with it. */
function groundChanged(convert) {
  if (convert) for (const part of [units, grids, basemap, seat]) part.move(convert);
  for (const layer of layers) layer.redraw();
}

function redrawGrids() {
  gridsLayer.redraw();
  names.redraw();
}

const toggle = (name) => prefs.set(name, !prefs.get(name));
const actions = {
  search: () => {
    if (seat.open) return seat.search();
    $("search").focus();
    $("search").select();
    return undefined;
  },
  down: () => move(1),
  up: () => move(-1),
  choose: () => seat.open ? seat.choose() : pick(view.selected !== null && view.passing().has(view.selected) ? view.selected : list.first(), true),
  follow: toggleFollow,
  trails: () => prefs.set("trails", TRAILS[(TRAILS.indexOf(trails()) + 1) % TRAILS.length]),
  grids: () => toggle("grids"),
  cells: () => toggle("cells"),
  ground: () => {
    const name = basemaps.next();
    if (name) chrome.notice(t("ground_shown", { name }));
  },
  language: () => prefs.set("language", language() === "zh" ? "en" : "zh"),
  theme: () => theme.toggle(),
  wall: () => toggle("wall"),
  rollCall: () => {
    for (const pane of [notices, surveys]) pane.close(false);
    rollCalls.toggle();
    sheet.set(rollCalls.open);
  },
  notices: () => opened(notices),
  surveys: () => opened(surveys),
  phones: () => leave("devices_change", "/phones"),
  storage: () => leave("storage", "/storage"),
  panel: () => seat.toggle(),
  assign: () => seat.assign(),
  add: () => seat.create(false),
  hotline: () => seat.create(true),
  undo: () => seat.toasts.undo(),
  alarms: () => seat.toggleAlarms(),
  problems: () => seat.toggleProblems(),
  acknowledge: () => seat.sos.acknowledge(),
  menu: () => seat.card.actions.focus(),
  digit: (n) => seat.digit(n),
  help: () => chrome.help(),
  zoomIn: () => map.zoomIn(1),
  zoomOut: () => map.zoomOut(1),
  whole: () => mapView.whole(),
  escape: () => {
    if (document.activeElement === $("search")) {
      $("search").blur();
      if (view.query) view.filter({ query: "" });
    } else if (notices.open) notices.close();
    else if (surveys.open) surveys.close();
    else if (seat.escape()) return;
    else if (rollCalls.open) rollCalls.close();
    else if (view.following) view.follow(false);
    else view.select(null);
    sheet.close();
  },
};
listenToKeys(actions);

/** On a phone what is opened lies in the sheet, which comes up with it. */
function opened(pane) {
  if (rollCalls.open) rollCalls.close();
  pane.toggle();
  sheet.set(pane.open);
}

/** To a page, if the account may open it. */
async function leave(right, page) {
  await known;
  if (may(right)) location.assign(page);
}

function move(step) {
  if (seat.open) return seat.step(step);
  const id = list.neighbour(step);
  if (id !== null) view.select(id, { center: true, again: true });
  return undefined;
}

const clicks = {
  language: actions.language, theme: actions.theme, "help-button": actions.help, grids: actions.grids, cells: actions.cells, trails: actions.trails,
  "zoom-in": actions.zoomIn, "zoom-out": actions.zoomOut, whole: actions.whole, clear: () => view.clear(), "banner-retry": () => feed.connect(),
  logout: () => api.logout().finally(toLogin),
};
for (const [id, action] of Object.entries(clicks)) $(id).addEventListener("click", action);
$("search").addEventListener("input", () => view.filter({ query: $("search").value }));
$("team").addEventListener("change", () => view.filter({ team: $("team").value }));
$("street").addEventListener("change", () => {
  view.filter({ street: $("street").value });
  mapView.street(view.street);
});
$("in-view").addEventListener("change", () => view.filter({ inView: $("in-view").checked }));

/** Grids and base map are fetched once; the console is already live without them. */
async function load(what, fetchIt, use) {
  try {
    use(await fetchIt());
  } catch {
    chrome.notice(t("error_load", { what: t(`what_${what}`) }), "warn");
    setTimeout(() => load(what, fetchIt, use), RETRY_MS);
  }
}

setInterval(() => {
  // The clock, trails and ages move on even when nobody does.
  if (performance.now() - refreshed > AGES_MS) pace.later();
}, 1000);

showNav("map");
chrome.filters();
chrome.layers();
watch();
feed.connect();
load("basemap", api.basemap, (collection) => {
  basemap.load(collection);
  basemaps.translate();
  names.redraw();
});
load("grids", api.grids, (collection) => {
  grids.load(collection);
  view.renamed();
  mapView.home();
  redrawGrids();
  pace.soon();
});

// For the tests and for a person at the browser's console; nothing here depends on it.
window.gridbeat = { map, units, view, feed, grids, unitsLayer, halo, names, basemap, basemaps, plane, mapView, card, seat };
