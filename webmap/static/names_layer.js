// The names on the ground: grids, streets, water, quarters. On a canvas of its own, above the lines and below the
// units, so that a name on which a unit stands or is written can give way without the map being drawn anew.

import { CanvasLayer } from "./canvas_layer.js";
import { language } from "./i18n.js";
import { haloText, Places } from "./labels.js";

const BELOW_UNITS = 330;
const ABOVE_DOTS = 440;

export const NamesLayer = CanvasLayer.extend({
  initialize(model) {
    CanvasLayer.prototype.initialize.call(this, "gb-names", BELOW_UNITS, true);
    this.model = model; // {grids layer, basemap, theme}
    this.words = [];
    this.edition = ""; // changes when names may have come to lie elsewhere
    this.covered = new Set();
  },

  paint(ctx, view) {
    const places = new Places();
    const { grids, basemap, basemaps, prefs } = this.model;
    const ground = basemaps.shown?.id ?? basemap.labels.length;
    const edition = [view.zoom, language(), prefs.get("grids"), prefs.get("wall"), grids.all.size, ground].join();
    if (edition !== this.edition) this.model.unitsLayer?.redraw();
    this.edition = edition;
    const colors = basemaps.ink();
    this.words = [...this.model.gridsLayer.names(ctx, view, colors, places), ...this.model.basemap.names(ctx, view, colors, places)];
    for (const word of this.words) {
      if (this.covered.has(word.key)) continue; // half a name under a unit would only be noise
      ctx.font = word.font;
      ctx.letterSpacing = word.spacing ?? "0px";
      ctx.textAlign = word.angle === undefined ? "left" : "center";
      ctx.textBaseline = word.angle === undefined ? "top" : "middle";
      ctx.save();
      ctx.translate(word.x, word.y);
      ctx.rotate(word.angle ?? 0);
      haloText(ctx, word.text, 0, 0, word.color, word.halo, 3);
      ctx.restore();
    }
    ctx.letterSpacing = "0px";
  },

  /** The rectangles of the names, in the pixels of another layer's view. */
  boxes(view) {
    if (!this.view || this.view.zoom !== view.zoom) return [];
    const [dx, dy] = [this.view.left - view.left, this.view.top - view.top];
    return this.words.map(({ key, box }) => ({ key, box: [box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy] }));
  },

  /** Above the units while they are thousands of dots: between them no name could be read, and no dot is one's own. */
  raise(above) {
    const { style } = this.getPane();
    const order = String(above ? ABOVE_DOTS : BELOW_UNITS);
    if (style.zIndex !== order) style.zIndex = order;
  },

  /** Names on which something lies now. */
  cover(keys) {
    if (keys.size === this.covered.size && [...keys].every((key) => this.covered.has(key))) return;
    this.covered = keys;
    this.redraw();
  },
});
