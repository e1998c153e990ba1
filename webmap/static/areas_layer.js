// What a file would change, over the grids that are there: its areas by what they are, and where something is wrong.

import { CanvasLayer } from "./canvas_layer.js";
import { flatten, inSight, moveShape, trace } from "./geo.js";
import { CELLS_FROM } from "./grids.js";
import { FONT } from "./labels.js";
import { plane } from "./projection.js";

const COLORS = { new: "#0a8f68", changed: "#d97a00", same: "#66737f", missing: "#8f99a5", bad: "#dc1f3d", chosen: "#2352d8" };
const RADIUS = 9;
const HIT = 14;

export const AreasLayer = CanvasLayer.extend({
  initialize(model) {
    CanvasLayer.prototype.initialize.call(this, "gb-areas", 340, true);
    this.model = model; // {grids, prefs, basemaps}
    this.clear();
  },

  clear() {
    this.shapes = []; // {id, level, kind, number, rings, box, closed}
    this.marks = []; // {at, x, y, grave}
    this.missing = new Set();
    this.chosen = null; // a shape, of the file or of those that are there
    this.redraw();
  },

  /** `features` of a file; `kindOf(id, number)` answers new, changed, same or bad. */
  load(features, kindOf, missing) {
    this.shapes = [];
    features.forEach((feature, index) => {
      let shape = null;
      try {
        shape = flatten(feature?.geometry);
      } catch {
        return; // what cannot be drawn is in the list
      }
      if (!shape || !shape.box.every(Number.isFinite)) return;
      const properties = feature.properties ?? {};
      const id = String(properties.id ?? feature.id ?? "");
      this.shapes.push({ id, level: properties.level ?? "grid", number: index + 1, kind: kindOf(id, index + 1), ...shape });
    });
    this.missing = new Set(missing);
    this.redraw();
  },

  /** `findings` with a place, as the server tells them. */
  mark(findings) {
    this.marks = findings.flatMap((finding, at) => {
      if (!finding.place) return [];
      const [x, y] = plane.place(finding.place[1], finding.place[0]);
      return [{ at, x, y, grave: finding.grave }];
    });
    this.redraw();
  },

  choose(shape) {
    this.chosen = shape;
    this.redraw();
  },

  move(convert) {
    for (const shape of this.shapes) moveShape(shape, convert);
    for (const mark of this.marks) [mark.x, mark.y] = convert(mark.x, mark.y);
  },

  /** [west, north, east, south] of the file, in numbers of the plane, or null. What lies far from the city, as with
   * degrees in the wrong order, does not count where something lies near. */
  box() {
    const near = this.shapes.filter((shape) => nearby(shape.box, this.model.grids.box()));
    const boxes = (near.length ? near : this.shapes).map((shape) => shape.box);
    if (boxes.length === 0) return null;
    return [0, 1, 2, 3].map((i) => boxes.reduce((found, box) => (i < 2 ? Math.min(found, box[i]) : Math.max(found, box[i])), boxes[0][i]));
  },

  /** The finding under a point of the map, by its place in the list, or null. */
  markAt(point) {
    const corner = this._map.getPixelBounds().min;
    const scale = 256 * 2 ** this._map.getZoom();
    const near = this.marks.find((mark) => Math.hypot(mark.x * scale - corner.x - point.x, mark.y * scale - corner.y - point.y) < HIT);
    return near ? near.at : null;
  },

  blank() {
    return this.shapes.length === 0 && this.marks.length === 0 && this.chosen === null;
  },

  paint(ctx, view) {
    const close = view.zoom >= CELLS_FROM;
    ctx.lineJoin = "round";
    if (this.missing.size) {
      ctx.setLineDash([5, 4]);
      for (const id of this.missing) this.outline(ctx, view, this.model.grids.all.get(id), "missing", close, 1.6, 0.14);
      ctx.setLineDash([]);
    }
    for (const kind of ["same", "changed", "new", "bad"]) {
      for (const shape of this.shapes) if (shape.kind === kind) this.outline(ctx, view, shape, kind, close, kind === "same" ? 1 : 1.8, kind === "same" ? 0 : 0.16);
    }
    if (this.chosen) this.outline(ctx, view, this.chosen, "chosen", true, 3, 0.16);
    this.paintMarks(ctx, view);
  },

  outline(ctx, view, shape, kind, close, width, fill) {
    if (!shape || !inSight(shape.box, view) || (shape.level === "cell" && !close && kind !== "bad")) return;
    ctx.beginPath();
    trace(ctx, shape, view);
    if (fill) {
      ctx.globalAlpha = fill;
      ctx.fillStyle = COLORS[kind];
      ctx.fill("evenodd");
      ctx.globalAlpha = 1;
    }
    ctx.strokeStyle = COLORS[kind];
    ctx.lineWidth = width;
    ctx.stroke();
  },

  paintMarks(ctx, view) {
    ctx.font = `700 11px ${FONT}`;
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    for (const { at, x, y, grave } of [...this.marks].reverse()) {
      const [left, top] = [x * view.scale - view.left, y * view.scale - view.top];
      if (left < -RADIUS || top < -RADIUS || left > view.width + RADIUS || top > view.height + RADIUS) continue;
      ctx.beginPath();
      ctx.arc(left, top, RADIUS, 0, 2 * Math.PI);
      ctx.fillStyle = grave ? COLORS.bad : COLORS.changed;
      ctx.fill();
      ctx.strokeStyle = "#ffffff";
      ctx.lineWidth = 2;
      ctx.stroke();
      ctx.fillStyle = "#ffffff";
      ctx.fillText(String(at + 1), left, top + 0.5);
    }
  },
});

/** Whether a box lies within a city's length of the city. */
function nearby(box, city) {
  if (!city) return true;
  const [wide, high] = [city[2] - city[0], city[3] - city[1]];
  return box[0] < city[2] + wide && box[2] > city[0] - wide && box[1] < city[3] + high && box[3] > city[1] - high;
}

/** Whether a place of the plane lies in a shape: so many edges are crossed on the way out of it. */
export function holds(shape, x, y) {
  if (!shape.closed || x < shape.box[0] || y < shape.box[1] || x > shape.box[2] || y > shape.box[3]) return false;
  let inside = false;
  for (const ring of shape.rings) {
    for (let i = 0, j = ring.length - 2; i < ring.length; j = i, i += 2) {
      const [xi, yi, xj, yj] = [ring[i], ring[i + 1], ring[j], ring[j + 1]];
      if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
    }
  }
  return inside;
}
