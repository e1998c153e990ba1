// The city's own vector map, drawn quietly: it is the ground on which the units are read.

import { CanvasLayer } from "./canvas_layer.js";
import { flatten, inSight, metresPerUnit, movePairs, moveShape, trace } from "./geo.js";
import { language } from "./i18n.js";
import { FONT, plain } from "./labels.js";

const AREAS = new Set(["block", "park", "water", "river", "building"]);
const STREETS = {
  street_minor: { metres: 8, least: 0.8, from: 13.5 },
  street_major: { metres: 20, least: 2.2, from: 0 },
};
const BUILDINGS_FROM = 14.5;
const LABEL_STYLE = {
  town: { size: 17, weight: 700, color: "labelTown", until: 12.8, spaced: true },
  quarter: { size: 13, weight: 600, color: "labelQuarter", from: 12, until: 15.5, spaced: true },
  river: { size: 13, weight: 500, color: "labelWater", italic: true, from: 12.5 },
  park: { size: 11.5, weight: 500, color: "labelPark", from: 14 },
  station: { size: 11.5, weight: 600, color: "labelOther", from: 14 },
  bridge: { size: 10.5, weight: 500, color: "labelOther", from: 15.5 },
  street: { size: 11, weight: 500, color: "labelStreet", from: 14 },
};
const MINOR_LABELS_FROM = 16;

export const BasemapLayer = CanvasLayer.extend({
  initialize(model) {
    CanvasLayer.prototype.initialize.call(this, "gb-basemap", 210, true);
    this.model = model;
    this.shapes = [];
    this.labels = [];
  },

  load(collection) {
    this.shapes = [];
    this.labels = [];
    for (const feature of collection.features ?? []) {
      const shape = flatten(feature.geometry);
      if (!shape) continue;
      const properties = feature.properties ?? {};
      const kind = properties.kind === "river" && !shape.closed ? "stream" : properties.kind;
      if (kind === "label") this.labels.push({ x: shape.rings[0][0], y: shape.rings[0][1], of: "other", rank: 3, ...properties });
      else this.shapes.push({ ...shape, kind, use: properties.use ?? null, name: properties.name });
    }
    this.turnLabels();
    this.labels.sort((a, b) => a.rank - b.rank);
    this.redraw();
  },

  /** The map's plane has changed (projection.js). */
  move(convert) {
    for (const shape of this.shapes) moveShape(shape, convert);
    for (const label of this.labels) {
      const at = [label.x, label.y];
      movePairs(at, 0, 2, convert);
      [label.x, label.y] = at;
    }
  },

  /** Street names run along their streets: each label takes the slope of the nearest piece of its namesake. */
  turnLabels() {
    const lines = this.shapes.filter((shape) => shape.kind in STREETS && shape.name);
    for (const label of this.labels) {
      if (label.of !== "street") continue;
      let best = Infinity;
      for (const line of lines) {
        if (line.name !== label.name) continue;
        for (const ring of line.rings) {
          for (let i = 0; i + 3 < ring.length; i += 2) {
            const distance = Math.hypot((ring[i] + ring[i + 2]) / 2 - label.x, (ring[i + 1] + ring[i + 3]) / 2 - label.y);
            if (distance >= best) continue;
            best = distance;
            const angle = Math.atan2(ring[i + 3] - ring[i + 1], ring[i + 2] - ring[i]);
            label.angle = Math.abs(angle) > Math.PI / 2 ? angle - Math.sign(angle) * Math.PI : angle;
          }
        }
      }
    }
  },

  paint(ctx, view) {
    if (this.model.basemaps.shown) return; // pictures lie there instead
    const { colors } = this.model.theme;
    ctx.fillStyle = colors.land;
    ctx.fillRect(0, 0, view.width, view.height);
    const seen = this.shapes.filter((shape) => inSight(shape.box, view));
    const metre = view.scale / metresPerUnit(this._map.getCenter().lat);
    ctx.lineJoin = "round";
    for (const shape of seen) if (AREAS.has(shape.kind)) this.area(ctx, shape, view, colors);
    this.streets(ctx, seen, view, colors, metre);
    this.rails(ctx, seen, view, colors);
  },

  area(ctx, shape, view, colors) {
    const { kind, use } = shape;
    if (kind === "building" && view.zoom < BUILDINGS_FROM) return;
    ctx.beginPath();
    trace(ctx, shape, view);
    ctx.fillStyle = kind === "river" || kind === "water" ? colors.water : kind === "block" ? colors[use] ?? colors.residential
      : kind === "park" ? colors[use] ?? colors.park : colors.building;
    ctx.fill("evenodd");
    if (kind === "block" && use === "farm") return;
    if (kind === "river" || kind === "water" || (kind === "building" && view.zoom >= 16)) {
      ctx.strokeStyle = kind === "building" ? colors.buildingEdge : colors.waterEdge;
      ctx.lineWidth = 0.8;
      ctx.stroke();
    }
  },

  streets(ctx, seen, view, colors, metre) {
    ctx.lineCap = "round";
    const kinds = Object.entries(STREETS).filter(([, style]) => view.zoom >= style.from);
    // All casings first, then all fillings: crossings stay open.
    for (const [kind, style] of kinds) this.strokes(ctx, seen, view, kind, Math.max(style.least, style.metres * metre) + 1.6, kind === "street_major" ? colors.casingMajor : colors.casing);
    const major = Math.max(STREETS.street_major.least, STREETS.street_major.metres * metre);
    ctx.lineCap = "butt";
    this.strokes(ctx, seen, view, "bridge", major + 4, colors.waterEdge);
    ctx.lineCap = "round";
    for (const [kind, style] of kinds) this.strokes(ctx, seen, view, kind, Math.max(style.least, style.metres * metre), kind === "street_major" ? colors.major : colors.minor);
  },

  rails(ctx, seen, view, colors) {
    if (view.zoom < 12) return;
    ctx.lineCap = "butt";
    this.strokes(ctx, seen, view, "rail", 2.6, colors.rail);
    ctx.setLineDash([7, 7]);
    this.strokes(ctx, seen, view, "rail", 1.2, colors.railGap);
    ctx.setLineDash([]);
  },

  strokes(ctx, seen, view, kind, width, color) {
    ctx.beginPath();
    for (const shape of seen) if (shape.kind === kind) trace(ctx, shape, view);
    ctx.strokeStyle = color;
    ctx.lineWidth = width;
    ctx.stroke();
  },

  /** Drawn by the layer of the names; `places` already holds the names of the grids. */
  names(ctx, view, colors, places) {
    const words = [];
    if (this.model.basemaps.shown) return words;
    const enlarged = this.model.prefs.get("wall") ? 1.35 : 1;
    for (const [index, label] of this.labels.entries()) {
      const style = LABEL_STYLE[label.of] ?? LABEL_STYLE.station;
      const minor = label.rank >= 4;
      if (view.zoom < (minor && label.of === "street" ? MINOR_LABELS_FROM : style.from ?? 0) || view.zoom >= (style.until ?? 99)) continue;
      const x = label.x * view.scale - view.left;
      const y = label.y * view.scale - view.top;
      if (x < -80 || y < -40 || x > view.width + 80 || y > view.height + 40) continue;
      const text = plain(language() === "en" && label.name_en ? label.name_en : label.name ?? "", 32);
      if (!text) continue;
      ctx.font = `${style.italic ? "italic " : ""}${style.weight} ${(minor ? style.size - 0.5 : style.size) * enlarged}px ${FONT}`;
      ctx.letterSpacing = style.spaced ? "2px" : label.of === "river" ? "3px" : "0.5px";
      const angle = label.angle ?? 0;
      const half = ctx.measureText(text).width / 2;
      const [cos, sin] = [Math.abs(Math.cos(angle)), Math.abs(Math.sin(angle))];
      const high = 8 * enlarged;
      const [w, h] = [half * cos + high * sin + 6, half * sin + high * cos + 4];
      const box = [x - w, y - h, x + w, y + h];
      if (!places.take(...box)) continue;
      words.push({ key: `label ${index}`, text, x, y, angle, font: ctx.font, spacing: ctx.letterSpacing, box, color: colors[minor ? "labelMinor" : style.color], halo: colors.halo });
    }
    return words;
  },
});
