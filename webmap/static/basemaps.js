// The ground of pictures: which base map lies under the grids, its switch, and what is said when it does not come.
// What there is to choose from is in the page (webmap/basemaps.py); without any, nothing of this is seen.

import { language, t } from "./i18n.js";
import { crs, plane } from "./projection.js";

const { L } = window;
const NONE = "none";
const FAILURES = 4; // of pictures before any has come: one may be missing, four in a row are a server that is away
const RETRY_MS = 30_000;
const SMOOTH = 0.25; // steps of zoom over our own drawing; pictures are sharp, and their words legible, at whole zooms
const BOUNDS_PAD = 0.001; // degrees: a file's stated edge may be rounded

// Grids over pictures: lines that are seen on any ground, with an edge to them.
export const INK = {
  map: { grid: "rgba(30,64,175,.78)", gridLabel: "rgba(26,52,140,.95)", cell: "rgba(30,64,175,.42)", casing: "rgba(255,255,255,.6)" },
  mapDark: { grid: "rgba(158,184,255,.72)", gridLabel: "rgba(186,204,255,.95)", cell: "rgba(158,184,255,.38)", casing: "rgba(6,12,20,.5)" },
  photo: {
    grid: "rgba(255,255,255,.88)", gridLabel: "#ffffff", cell: "rgba(255,255,255,.5)", casing: "rgba(8,22,48,.5)", halo: "rgba(8,22,48,.85)",
    own: "#9fc0ff", ownFill: "rgba(120,165,255,.2)",
  },
};

// Leaflet empties a picture by giving it one of its own as data:, which the page's policy forbids. None at all does too.
const Emptied = {
  _removeTile(key) {
    this._tiles[key]?.el.removeAttribute("src");
    return L.GridLayer.prototype._removeTile.call(this, key);
  },

  _abortLoading() {
    for (const [key, { el, coords }] of Object.entries(this._tiles)) {
      if (coords.z === this._tileZoom) continue;
      el.onload = el.onerror = null;
      if (el.complete) continue;
      el.removeAttribute("src");
      el.remove();
      delete this._tiles[key];
      this.fire("tileabort", { tile: el, coords });
    }
  },
};
export const Pictures = L.TileLayer.extend(Emptied);
export const ServicePictures = L.TileLayer.WMS.extend(Emptied);

const $ = (id) => document.getElementById(id);

export class Basemaps {
  /** The chosen one, as webmap/basemaps.py gives it, or null: our own drawing and the grids alone. */
  shown = null;
  /** Whether its pictures do not come. */
  away = false;
  #layers = [];
  #failed = 0;
  #retry = 0;

  /** {map, prefs, theme, drawn(), onChange(convert), onTrouble(away)}: `drawn` says whether there is a map of our own,
   *  `convert` is as in Plane.use(), null if the plane stays. */
  constructor(parts) {
    Object.assign(this, parts);
    this.choices = JSON.parse(document.documentElement.dataset.basemaps || "[]");
    this.map.options.crs = crs;
    $("ground").hidden = this.choices.length === 0;
    $("ground").addEventListener("click", () => this.#open($("ground-menu").hidden));
    document.addEventListener("pointerdown", (event) => {
      if (!event.target.closest("#ground, #ground-menu")) this.#open(false);
    });
    this.#show(false);
    this.translate();
  }

  get #chosen() {
    const kept = this.prefs.get("ground");
    if (kept === NONE) return null;
    return this.choices.find((choice) => choice.id === kept) ?? this.choices[0] ?? null;
  }

  /** Another base map, by its id; "none" for none. */
  choose(id) {
    this.prefs.set("ground", id);
    if (this.#chosen !== this.shown) this.#show(true);
    this.translate();
  }

  /** The next one, for a key. */
  next() {
    if (this.choices.length === 0) return null;
    const ids = [...this.choices.map((choice) => choice.id), NONE];
    this.choose(ids[(ids.indexOf(this.shown?.id ?? NONE) + 1) % ids.length]);
    return this.name(this.shown);
  }

  name(choice) {
    return choice ? (language() === "zh" ? choice.zh : choice.en) : t(this.drawn() ? "ground_own" : "ground_none");
  }

  /** The colours for lines and names on this ground. */
  ink() {
    const { colors, dark } = this.theme;
    const kind = this.shown?.imagery ? "photo" : dark ? "mapDark" : "map";
    return this.shown && !this.away ? { ...colors, ...INK[kind] } : colors;
  }

  #show(tell) {
    for (const layer of this.#layers) layer.remove();
    clearTimeout(this.#retry);
    this.#failed = 0;
    this.away = false;
    const { map } = this;
    const shown = (this.shown = this.#chosen);
    const [center, zoom] = [map.getCenter(), map.getZoom()]; // degrees, whatever the plane is
    const convert = plane.use(shown?.coordinates ?? "wgs84");
    map.options.zoomSnap = shown ? 1 : SMOOTH;
    if (convert || zoom % map.options.zoomSnap) map.setView(center, zoom, { animate: false, reset: true });
    document.body.dataset.ground = shown ? (shown.imagery ? "photo" : "map") : NONE;
    this.#layers = shown ? shown.layers.map((layer, number) => this.#layer(layer, shown, number)) : [];
    for (const layer of this.#layers) layer.addTo(map);
    this.#credit(shown?.attribution ?? "");
    if (tell) this.onChange(convert);
  }

  #layer({ url, subdomains, wms }, choice, number) {
    const ours = url.startsWith("/");
    const options = {
      subdomains, minZoom: choice.min_zoom, maxNativeZoom: choice.max_zoom, maxZoom: this.map.getMaxZoom(), zIndex: number + 1,
      // Owners of maps ask which site shows them; that is all they are told.
      referrerPolicy: ours ? false : "strict-origin",
      ...wms,
    };
    if (choice.bounds) {
      const [west, south, east, north] = choice.bounds;
      options.bounds = L.latLngBounds(plane.real(south - BOUNDS_PAD, west - BOUNDS_PAD), plane.real(north + BOUNDS_PAD, east + BOUNDS_PAD));
    }
    const layer = wms ? new ServicePictures(url, options) : new Pictures(url, options);
    if (number > 0) return layer; // names over a map: it is the map that must come
    layer.on("tileload", () => this.#came(choice));
    layer.on("tileerror", (event) => this.#didNotCome(choice, event.tile.src, ours));
    return layer;
  }

  #came(choice) {
    if (choice !== this.shown) return;
    this.#failed = 0;
    if (this.away) this.#tell(false);
  }

  async #didNotCome(choice, url, ours) {
    // Our own server says of a place that its file does not have that there is nothing: no picture, and no failure.
    if (ours && (await fetch(url).then((answer) => answer.ok, () => false))) return;
    if (choice !== this.shown) return;
    this.#failed += 1;
    if (this.#failed < FAILURES || this.away) return;
    this.#tell(true);
    this.#again();
  }

  #again() {
    this.#retry = setTimeout(() => {
      if (!this.away) return;
      for (const layer of this.#layers) layer.redraw();
      this.#again();
    }, RETRY_MS);
  }

  #tell(away) {
    this.away = away;
    this.onTrouble(away);
  }

  /** Whose map it is, small and in the corner; an address in the words becomes a link. */
  #credit(words) {
    const parts = words.split(/(https?:\/\/\S+)/).map((part) => {
      if (!/^https?:\/\//.test(part)) return part;
      const link = document.createElement("a");
      [link.href, link.target, link.rel] = [part, "_blank", "noopener noreferrer"];
      link.textContent = new URL(part).host;
      return link;
    });
    $("credit").replaceChildren(...parts);
    $("credit").hidden = words === "";
    document.body.classList.toggle("has-credit", words !== "");
  }

  #open(open) {
    $("ground-menu").hidden = !open;
    $("ground").setAttribute("aria-expanded", String(open));
  }

  /** The words of the menu, and which is chosen. */
  translate() {
    const items = [...this.choices, null].map((choice) => {
      const item = document.createElement("button");
      item.type = "button";
      item.className = "ground-item";
      item.textContent = this.name(choice);
      item.dataset.ground = choice?.id ?? NONE;
      item.setAttribute("role", "menuitemradio");
      item.setAttribute("aria-checked", String(choice === this.shown));
      item.addEventListener("click", () => {
        this.#open(false);
        this.choose(choice?.id ?? NONE);
      });
      return item;
    });
    $("ground-menu").replaceChildren(...items);
  }
}
