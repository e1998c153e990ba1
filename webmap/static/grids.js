// Responsibility grids and their cells over the base map: outlines and names, the own grid of the selected unit lit.

import { CanvasLayer } from "./canvas_layer.js";
import { flatten, inSight, moveShape, trace } from "./geo.js";
import { language } from "./i18n.js";
import { FONT, plain } from "./labels.js";

export const CELLS_FROM = 15;
const NAMES_FROM = 13.25;

export class Grids {
  all = new Map(); // id -> {id, level, properties, rings, box, closed}
  grids = [];
  cells = [];

  load(collection) {
    this.all.clear();
    for (const feature of collection.features ?? []) {
      const shape = flatten(feature.geometry);
      const id = feature.id ?? feature.properties?.id;
      if (!shape || id === undefined) continue;
      const properties = feature.properties ?? {};
      this.all.set(String(id), { id: String(id), level: properties.level ?? "grid", properties, ...shape });
    }
    this.grids = [...this.all.values()].filter((shape) => shape.level === "grid");
    this.cells = [...this.all.values()].filter((shape) => shape.level === "cell");
  }

  /** The map's plane has changed (projection.js). */
  move(convert) {
    for (const shape of this.all.values()) {
      moveShape(shape, convert);
      shape.corner = undefined;
    }
  }

  name(id) {
    if (id === null || id === undefined) return "";
    const properties = this.all.get(String(id))?.properties;
    return String((language() === "en" && properties?.name_en) || properties?.name || id);
  }

  /** The responsibility grid that a grid or cell id means: a cell belongs to its parent. */
  gridOf(id) {
    const shape = this.all.get(String(id));
    return shape?.level === "cell" && shape.properties.parent ? String(shape.properties.parent) : id;
  }

  /** [west, north, east, south] of all grids, or of a street's, in numbers of the plane, or null. */
  box(street) {
    const boxes = this.grids.filter((grid) => !street || grid.properties.street === street).map((grid) => grid.box);
    if (boxes.length === 0) return null;
    return [Math.min(...boxes.map((b) => b[0])), Math.min(...boxes.map((b) => b[1])), Math.max(...boxes.map((b) => b[2])), Math.max(...boxes.map((b) => b[3]))];
  }
}

export const GridsLayer = CanvasLayer.extend({
  initialize(model) {
    CanvasLayer.prototype.initialize.call(this, "gb-grids", 320, true);
    this.model = model; // {grids, view, theme, prefs}
  },

  paint(ctx, view) {
    const { grids, view: looks, prefs } = this.model;
    const colors = this.model.basemaps.ink();
    if (prefs.get("cells") && view.zoom >= CELLS_FROM) this.outline(ctx, grids.cells, view, colors.cell, 1);
    if (prefs.get("grids")) this.outline(ctx, grids.grids, view, colors.grid, view.zoom >= 15 ? 1.8 : 1.3);
    const own = looks.unit && grids.all.get(String(looks.unit.grid));
    if (own) this.own(ctx, own, view, colors);
  },

  outline(ctx, shapes, view, color, width) {
    ctx.beginPath();
    for (const shape of shapes) if (inSight(shape.box, view)) trace(ctx, shape, view);
    ctx.lineJoin = "round";
    const { casing } = this.model.basemaps.ink();
    if (casing) {
      ctx.strokeStyle = casing;
      ctx.lineWidth = width + 2;
      ctx.stroke();
    }
    ctx.strokeStyle = color;
    ctx.lineWidth = width;
    ctx.stroke();
  },

  own(ctx, shape, view, colors) {
    ctx.beginPath();
    trace(ctx, shape, view);
    ctx.fillStyle = colors.ownFill;
    ctx.fill("evenodd");
    ctx.strokeStyle = colors.own;
    ctx.lineWidth = 2.4;
    ctx.lineJoin = "round";
    ctx.stroke();
  },

  /** In the north-west corner of each grid, where a plan has its number; it leaves the middle to the units. */
  names(ctx, view, colors, places) {
    const { grids, view: looks, prefs } = this.model;
    if (!prefs.get("grids") || view.zoom < NAMES_FROM) return [];
    const words = [];
    const size = (view.zoom >= 15 ? 12 : 10.5) * (prefs.get("wall") ? 1.35 : 1);
    const font = `600 ${size}px ${FONT}`;
    ctx.font = font;
    ctx.letterSpacing = "0px";
    for (const shape of grids.grids) {
      if (!inSight(shape.box, view)) continue;
      const text = plain(grids.name(shape.id), 24);
      const width = ctx.measureText(text).width;
      if (width > (shape.box[2] - shape.box[0]) * view.scale * 0.8) continue;
      const [x, y] = corner(shape);
      const left = x * view.scale - view.left + 7;
      const top = y * view.scale - view.top + 7;
      const box = [left - 3, top - 2, left + width + 3, top + size + 3];
      places.take(...box);
      const own = looks.unit && String(looks.unit.grid) === shape.id;
      words.push({ key: `grid ${shape.id}`, text, x: left, y: top, font, box, color: own ? colors.own : colors.gridLabel, halo: colors.halo });
    }
    return words;
  },
});

/** The point of the outline that lies farthest to the north-west. */
function corner(shape) {
  if (shape.corner) return shape.corner;
  let best = Infinity;
  for (const ring of shape.rings) {
    for (let i = 0; i < ring.length; i += 2) {
      if (ring[i] + ring[i + 1] >= best) continue;
      best = ring[i] + ring[i + 1];
      shape.corner = [ring[i], ring[i + 1]];
    }
  }
  return shape.corner;
}
