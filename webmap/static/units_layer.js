// The units on the map. Level of detail by how many are in sight: dots, then signs with headings, then names.

import { CanvasLayer } from "./canvas_layer.js";
import { FONT, haloText, Places, plain } from "./labels.js";
import { RADIUS, Sprites } from "./marks.js";
import { GLIDE_MS, isSos, OFF_SHIFT, OFFLINE, ONLINE_FIX, shown, STALE } from "./state.js";
import { ageOf } from "./time.js";

export const DOTS_ABOVE = 1200;
export const LABELS_BELOW = 150;
const HIT_CELL = 40;
const HIT_REACH = 16; // a finger's and a trembling hand's allowance around the sign
const ALPHA = [1, 1, 0.92, 0.85, 0.7];

export const UnitsLayer = CanvasLayer.extend({
  initialize(model) {
    CanvasLayer.prototype.initialize.call(this, "gb-units", 430);
    this.model = model; // {units, view, theme, clock, still}
    this.sprites = new Sprites();
    this.hash = new Map();
    this.drawn = [];
  },

  paint(ctx, view, time) {
    const { model } = this;
    this.sprites.prepare(model.theme.colors, view.ratio);
    const { drawn, moving } = this.gather(view, model.still() ? Infinity : time);
    const dots = drawn.length > DOTS_ABOVE;
    this.detail = dots ? "dots" : drawn.length < LABELS_BELOW ? "labels" : "signs";
    this.index(drawn);
    for (const item of drawn) this.sign(ctx, item, dots);
    ctx.globalAlpha = 1;
    if (this.detail === "labels") this.names(ctx, drawn, view);
    else this.names(ctx, drawn.filter((item) => item.rank > 100), view);
    if (moving) this.redraw();
  },

  /** Units in sight in drawing order: what matters most is drawn last and lies on top. */
  gather(view, time) {
    const { units, view: looks } = this.model;
    const passing = looks.passing();
    const drawn = [];
    let moving = false;
    const last = time === Infinity ? performance.now() + GLIDE_MS * 2 : time;
    for (const unit of units.all.values()) {
      if (!unit.near || !passing.has(unit.id)) continue;
      const at = shown(unit, last);
      const x = at.x * view.scale - view.left;
      const y = at.y * view.scale - view.top;
      if (x < -20 || y < -20 || x > view.width + 20 || y > view.height + 20) continue;
      moving ||= at.moving;
      const rank = (OFF_SHIFT - unit.state) + (unit.kind === "vehicle" ? 10 : 0) + (isSos(unit) ? 200 : 0) +
        (unit.id === looks.selected ? 1000 : unit.id === looks.hovered ? 500 : 0);
      drawn.push({ unit, x, y, rank });
    }
    drawn.sort((a, b) => a.rank - b.rank);
    this.drawn = drawn;
    return { drawn, moving };
  },

  sign(ctx, { unit, x, y }, dots) {
    const sos = isSos(unit);
    const alpha = sos ? 1 : ALPHA[unit.state];
    if (ctx.globalAlpha !== alpha) ctx.globalAlpha = alpha;
    if (!dots && unit.course !== null && unit.state === ONLINE_FIX && (unit.speed ?? 0) > 0.3) {
      const beak = this.sprites.beak(unit.state, unit.kind, sos);
      ctx.save();
      ctx.translate(x, y);
      ctx.rotate((unit.course * Math.PI) / 180);
      ctx.drawImage(beak.image, -beak.size / 2, -beak.size / 2, beak.size, beak.size);
      ctx.restore();
    }
    const sprite = this.sprites.get(unit.state, unit.kind, dots && !sos, sos);
    const left = x - sprite.size / 2;
    const top = y - sprite.size / 2;
    // Thousands of dots on whole pixels are copied, not resampled; a few signs may glide between pixels.
    if (dots) ctx.drawImage(sprite.image, Math.round(left), Math.round(top), sprite.size, sprite.size);
    else ctx.drawImage(sprite.image, left, top, sprite.size, sprite.size);
  },

  names(ctx, drawn, view) {
    const { theme, view: looks, clock, prefs } = this.model;
    const { colors } = theme;
    const now = clock.now();
    const places = new Places();
    for (const { unit, x, y } of drawn) {
      const r = RADIUS[unit.kind] + 1;
      places.take(x - r, y - r, x + r, y + r);
    }
    ctx.textBaseline = "middle";
    ctx.textAlign = "center";
    for (let i = drawn.length - 1; i >= 0; i -= 1) {
      const { unit, x, y } = drawn[i];
      const chosen = unit.id === looks.selected || unit.id === looks.hovered;
      const sos = isSos(unit);
      const size = prefs.get("wall") ? 16 : view.zoom >= 15 ? 12.5 : 12;
      ctx.font = `${chosen || sos ? 700 : 600} ${size}px ${FONT}`;
      const name = plain(unit.name, 18);
      const old = unit.state === STALE || unit.state === OFFLINE || sos || chosen ? ageOf(unit.fix, now) : "";
      const nameWidth = ctx.measureText(name).width;
      ctx.font = `500 11px ${FONT}`;
      const oldWidth = old ? ctx.measureText(old).width + 6 : 0;
      const half = (nameWidth + oldWidth) / 2;
      const spot = this.spot(places, unit, x, y, half, RADIUS[unit.kind] + (chosen ? 8 : 2), chosen || sos);
      if (!spot) continue;
      const left = spot[0] - half;
      ctx.textAlign = "left";
      ctx.globalAlpha = unit.state === OFF_SHIFT && !chosen ? 0.75 : 1;
      ctx.font = `${chosen || sos ? 700 : 600} ${size}px ${FONT}`;
      haloText(ctx, name, left, spot[1], sos ? colors.sos : colors.text, colors.textHalo, 3.4);
      if (!old) continue;
      ctx.font = `500 11px ${FONT}`;
      haloText(ctx, old, left + nameWidth + 6, spot[1] + 0.5, sos ? colors.sos : colors.textSoft, colors.textHalo, 3.4);
    }
    ctx.globalAlpha = 1;
  },

  /** Below the sign, or right, left, above of it; chosen units get their place whatever lies there. */
  spot(places, unit, x, y, half, r, must) {
    const spots = [[x, y + r + 11], [x + r + 7 + half, y], [x - r - 7 - half, y], [x, y - r - 12]];
    // Where it stood last comes first: names that hop from side to side cannot be read.
    for (const side of [unit.side ?? 0, 0, 1, 2, 3]) {
      const [cx, cy] = spots[side];
      if (!places.take(cx - half - 2, cy - 8, cx + half + 2, cy + 8)) continue;
      unit.side = side;
      return spots[side];
    }
    return must ? spots[0] : null;
  },

  index(drawn) {
    this.hash.clear();
    for (const item of drawn) {
      const key = Math.floor(item.x / HIT_CELL) * 65536 + Math.floor(item.y / HIT_CELL);
      const bucket = this.hash.get(key);
      if (bucket) bucket.push(item);
      else this.hash.set(key, [item]);
    }
  },

  /** The unit under a point of the map's container, or null. */
  hit(point) {
    if (!this.view) return null;
    const corner = this._map.getPixelBounds().min;
    const x = point.x + corner.x - this.view.left;
    const y = point.y + corner.y - this.view.top;
    const column = Math.floor(x / HIT_CELL);
    const row = Math.floor(y / HIT_CELL);
    let best = null;
    let bestDistance = Infinity;
    for (let i = column - 1; i <= column + 1; i += 1) {
      for (let j = row - 1; j <= row + 1; j += 1) {
        for (const item of this.hash.get(i * 65536 + j) ?? []) {
          const distance = Math.hypot(item.x - x, item.y - y) - (item.unit.kind === "vehicle" ? 4 : 0);
          if (distance <= HIT_REACH && distance < bestDistance) [best, bestDistance] = [item.unit, distance];
        }
      }
    }
    return best;
  },

  /** Where a unit stands in the map's container, for tests and for panning; null when it is not drawn. */
  placeOf(id) {
    const item = this.drawn.find((other) => other.unit.id === id);
    if (!item) return null;
    const corner = this._map.getPixelBounds().min;
    return { x: item.x + this.view.left - corner.x, y: item.y + this.view.top - corner.y };
  },
});
