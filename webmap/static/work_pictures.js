// The city's base map of pictures under the collector's map, if there is one; while its pictures do not come, the city's
// own drawing and the grids are there instead.

import { INK, Pictures, ServicePictures } from "./basemaps.js";
import { plane } from "./projection.js";

const { L } = window;
const FAILURES = 4; // of pictures before any has come

/** Pictures of our own server, which are for those with a token: no <img> could tell it. */
const OwnPictures = L.GridLayer.extend({
  initialize(url, options) {
    L.setOptions(this, options);
    this.url = url;
  },

  createTile(coords, done) {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 256;
    this.draw(canvas, coords).then(() => done(null, canvas), (error) => done(error, canvas));
    return canvas;
  },

  async draw(canvas, { x, y, z }) {
    const answer = await fetch(L.Util.template(this.url, { x, y, z }), { headers: this.options.headers });
    if (!answer.ok) throw new Error(String(answer.status));
    const blob = await answer.blob();
    if (!blob.size) return; // the file has nothing there
    const picture = await createImageBitmap(blob);
    canvas.getContext("2d").drawImage(picture, 0, 0, 256, 256);
    picture.close();
  },
});

export class Ground {
  /** What webmap/basemaps.py says of the base map whose pictures are there; null: our own drawing, or grids alone. */
  shown = null;
  #choice = null;
  #failed = 0;

  /** {map, theme, headers, onChange()} */
  constructor(parts) {
    Object.assign(this, parts);
  }

  /** The colours for lines and names on this ground. */
  ink() {
    const { colors, dark } = this.theme;
    return this.shown ? { ...colors, ...INK[this.shown.imagery ? "photo" : dark ? "mapDark" : "map"] } : colors;
  }

  /** Lays it down; answers what turns old numbers of the plane into new ones, or null. */
  use(choice) {
    if (!choice || this.#choice) return null;
    this.#choice = choice;
    const { map } = this;
    const [center, zoom] = [map.getCenter(), map.getZoom()];
    const convert = plane.use(choice.coordinates);
    map.options.zoomSnap = 1;
    map.setView(center, Math.round(zoom), { animate: false, reset: true });
    choice.layers.forEach((layer, number) => this.#layer(layer, choice, number).addTo(map));
    return convert;
  }

  #layer({ url, subdomains, wms }, choice, number) {
    const options = { subdomains, minZoom: choice.min_zoom, maxNativeZoom: choice.max_zoom, maxZoom: this.map.getMaxZoom(), zIndex: number + 1, referrerPolicy: "strict-origin", headers: this.headers, ...wms };
    const kind = url.startsWith("/") ? OwnPictures : wms ? ServicePictures : Pictures;
    const layer = new kind(kind === OwnPictures ? `/work${url}` : url, options);
    if (number > 0) return layer;
    layer.on("tileload", () => this.#turn(0));
    layer.on("tileerror", () => this.#turn(this.#failed + 1));
    return layer;
  }

  #turn(failed) {
    this.#failed = failed;
    const shown = failed >= FAILURES ? null : failed === 0 ? this.#choice : this.shown;
    if (shown === this.shown) return;
    this.shown = shown;
    const credit = document.getElementById("credit");
    credit.textContent = shown?.attribution ?? "";
    credit.hidden = !credit.textContent;
    this.onChange();
  }
}
