// The units on the map. Level of detail by how many are in sight: dots, then signs with headings, then names;
// where signs would hide one another, one sign for all of them (clusters.js).

import { CanvasLayer } from "./canvas_layer.js";
import { drawGroup, findGroups, middle, radiusOf } from "./clusters.js";
import { FONT, haloText, Places, plain } from "./labels.js";
import { DOT, FINE, RADIUS, SIGN, signScale, Sprites } from "./marks.js";
import { Picture } from "./stamps.js";
import { GLIDE_MS, isSos, OFF_SHIFT, OFFLINE, ONLINE_FIX, ONLINE_NO_FIX, shown, STALE } from "./state.js";
import { ageOf } from "./time.js";

export const DOTS_ABOVE = 1200;
export const LABELS_BELOW = 150;
const TOP = 100; // from this rank on a unit is somebody's concern, and named
const HIT_CELL = 40;
const HIT_REACH = 16; // a finger's and a trembling hand's allowance around the sign
const ALPHA = [1, 1, 0.92, 0.85, 0.7];
// Who needs a look lies above who is well, and a small sign above a large one, which can still be seen around it.
const ABOVE = [];
[OFF_SHIFT, ONLINE_FIX, OFFLINE, ONLINE_NO_FIX, STALE].forEach((state, rank) => (ABOVE[state] = rank));
const CROWD_CELL = 12;
const CROWD = 2.2; // dots for each square of so many pixels that has one: more, and they are drawn smaller
const MOVING = 0.3; // m/s; below that a heading is chance
const REGROUP_MS = 1000; // groups that came and went with every step could not be read

export const UnitsLayer = CanvasLayer.extend({
  initialize(model) {
    CanvasLayer.prototype.initialize.call(this, "gb-units", 430);
    this.model = model; // {units, view, theme, clock, still}
    this.sprites = new Sprites();
    this.picture = new Picture();
    this.hash = null; // made of what is drawn when somebody points
    this.drawn = []; // what has a sign of its own
    this.groups = []; // {x, y, r, items}: what shares one
    this.seen = []; // all in sight
    this.crowd = { zoom: 0, all: 0, fine: false };
    this.grouped = { at: -Infinity, zoom: 0, scale: 1, of: new Map() };
  },

  paint(ctx, view, time) {
    const { model } = this;
    this.scale = signScale(model.prefs);
    this.sprites.prepare(model.theme.colors, view.ratio, this.scale);
    const { seen, moving } = this.gather(view, model.still() ? Infinity : time);
    this.seen = seen;
    const dots = seen.length > DOTS_ABOVE;
    model.names.raise(dots);
    this.detail = dots ? "dots" : seen.length < LABELS_BELOW ? "labels" : "signs";
    if (dots) [this.drawn, this.groups] = [seen, []];
    else this.group(seen, view, time);
    this.hash = null;
    if (this.detail === "labels") {
      for (const item of this.drawn) this.sign(ctx, item);
      ctx.globalAlpha = 1;
    } else if (seen.length) this.stamps(ctx, view, dots);
    for (const group of this.groups) drawGroup(ctx, group, model.theme.colors, this.scale, view.ratio);
    if (this.detail === "labels") this.names(ctx, this.drawn, view);
    else this.names(ctx, this.drawn.filter((item) => item.rank > TOP), view);
    if (moving) this.redraw();
  },

  /** Who stands alone and who in a group. Groups are kept for a second: they are formed anew by zooming, not by steps. */
  group(seen, view, time) {
    const { grouped, scale } = this;
    if (grouped.zoom !== view.zoom || grouped.scale !== scale || time - grouped.at > REGROUP_MS) {
      const places = seen.map(({ unit }) => ({ unit, x: unit.x * view.scale, y: unit.y * view.scale }));
      places.sort((a, b) => (a.unit.id < b.unit.id ? -1 : 1));
      const of = new Map();
      for (const [number, items] of findGroups(places, scale).entries()) for (const { unit } of items) of.set(unit.id, number);
      this.grouped = { at: time, zoom: view.zoom, scale, of };
    }
    const alone = [];
    const groups = new Map();
    for (const item of seen) {
      const number = this.grouped.of.get(item.unit.id);
      if (number === undefined || item.rank > TOP) alone.push(item);
      else if (groups.has(number)) groups.get(number).push(item);
      else groups.set(number, [item]);
    }
    this.groups = [];
    for (const items of groups.values()) {
      if (items.length > 1) this.groups.push({ items, ...middle(items), r: radiusOf(items.length) * scale });
      else alone.push(...items);
    }
    if (alone.length !== seen.length) alone.sort((a, b) => a.rank - b.rank);
    this.drawn = alone;
  },

  /** Units in sight in drawing order: what matters most is drawn last and lies on top. */
  gather(view, time) {
    const { units, view: looks } = this.model;
    const passing = looks.filtering ? looks.passing() : null;
    const below = []; // by rank: thousands need no sorting
    const top = [];
    let moving = false;
    const last = time === Infinity ? performance.now() + GLIDE_MS * 2 : time;
    for (const unit of units.all.values()) {
      if (!unit.near || (passing && !passing.has(unit.id))) continue;
      const at = shown(unit, last);
      const x = at.x * view.scale - view.left;
      const y = at.y * view.scale - view.top;
      if (x < -20 || y < -20 || x > view.width + 20 || y > view.height + 20) continue;
      moving ||= at.moving;
      const rank = 2 * ABOVE[unit.state] + (unit.kind === "vehicle" ? 0 : 1) + (isSos(unit) ? 200 : 0) +
        (unit.id === looks.selected ? 1000 : unit.id === looks.hovered ? 500 : 0);
      // One for each unit and for good: thousands of new ones a second are work for the collector.
      const item = (unit.item ??= { unit, x, y, rank });
      item.x = x;
      item.y = y;
      item.rank = rank;
      if (rank > TOP) top.push(item);
      else if (below[rank]) below[rank].push(item);
      else below[rank] = [item];
    }
    top.sort((a, b) => a.rank - b.rank);
    return { seen: below.flat().concat(top), moving };
  },

  /** A few signs may glide between pixels. */
  sign(ctx, { unit, x, y }) {
    const sos = isSos(unit);
    const alpha = sos ? 1 : ALPHA[unit.state];
    if (ctx.globalAlpha !== alpha) ctx.globalAlpha = alpha;
    const course = courseOf(unit);
    if (course !== null) {
      const beak = this.sprites.beak(unit.state, unit.kind, sos);
      ctx.save();
      ctx.translate(x, y);
      ctx.rotate((course * Math.PI) / 180);
      ctx.drawImage(beak.image, -beak.size / 2, -beak.size / 2, beak.size, beak.size);
      ctx.restore();
    }
    const sprite = this.sprites.get(unit.state, unit.kind, SIGN, sos);
    ctx.drawImage(sprite.image, x - sprite.size / 2, y - sprite.size / 2, sprite.size, sprite.size);
  },

  /** Whether dots would hide one another; asked anew when the view has changed much, not when somebody moves. */
  fine(view) {
    const { crowd, drawn } = this;
    if (crowd.zoom !== view.zoom || Math.abs(drawn.length - crowd.all) > 0.3 * crowd.all) {
      const squares = new Set();
      for (const { x, y } of drawn) squares.add(Math.floor(x / CROWD_CELL) * 65536 + Math.floor(y / CROWD_CELL));
      this.crowd = { zoom: view.zoom, all: drawn.length, fine: drawn.length > CROWD * squares.size };
    }
    return this.crowd.fine;
  },

  /** Many are laid on whole pixels. */
  stamps(ctx, view, dots) {
    const { picture, sprites } = this;
    picture.begin(this.back.width, this.back.height);
    const size = dots ? (this.fine(view) ? FINE : DOT) : SIGN;
    for (const { unit, x, y } of this.drawn) {
      const sos = isSos(unit);
      const mine = sos ? SIGN : size;
      const course = mine === SIGN ? courseOf(unit) : null;
      const stamp = sprites.stamp(unit.state, unit.kind, mine, sos, course, sos ? 1 : ALPHA[unit.state]);
      picture.lay(stamp, x * view.ratio, y * view.ratio);
    }
    picture.put(ctx);
  },

  names(ctx, drawn, view) {
    const { theme, view: looks, clock, prefs, names: ground } = this.model;
    const { colors } = theme;
    const { scale } = this;
    const now = clock.now();
    const places = new Places();
    const below = new Places(); // the names on the ground
    const covered = new Set();
    if (drawn.length + this.groups.length === 0) {
      ground.cover(covered);
      return;
    }
    if (this.detail !== "signs") for (const { key, box } of ground.boxes(view)) below.put(...box, key);
    for (const { x, y, r } of this.groups) {
      places.put(x - r, y - r, x + r, y + r, true);
      below.all(x - r, y - r, x + r, y + r, covered);
    }
    for (const { unit, x, y } of drawn) {
      const r = (RADIUS[unit.kind] + 1) * scale;
      places.put(x - r, y - r, x + r, y + r, true);
      below.all(x - 0.6 * r, y - 0.6 * r, x + 0.6 * r, y + 0.6 * r, covered);
    }
    ctx.textBaseline = "middle";
    ctx.textAlign = "left";
    const size = prefs.get("wall") ? 19 : view.zoom >= 15 ? 12.5 : 12;
    const small = `500 ${prefs.get("wall") ? 15 : 11}px ${FONT}`;
    for (let i = drawn.length - 1; i >= 0; i -= 1) {
      const { unit, x, y } = drawn[i];
      const chosen = unit.id === looks.selected || unit.id === looks.hovered;
      const sos = isSos(unit);
      const font = `${chosen || sos ? 700 : 600} ${size}px ${FONT}`;
      ctx.font = font;
      const name = plain(unit.name, 18);
      let old = unit.state === STALE || unit.state === OFFLINE || sos || chosen ? ageOf(unit.fix, now) : "";
      const nameWidth = ctx.measureText(name).width;
      ctx.font = small;
      const oldWidth = old ? ctx.measureText(old).width + 6 : 0;
      let half = (nameWidth + oldWidth) / 2;
      const r = (RADIUS[unit.kind] + (chosen ? 8 : 2)) * scale;
      const room = { places, below, edition: ground.edition, view };
      let spot = this.spot(room, unit, x, y, half + 2, size * 0.64, r, chosen || sos);
      if (!spot && old) {
        // the name alone may find a place where name and age do not
        [old, half] = ["", nameWidth / 2];
        spot = this.spot(room, unit, x, y, half + 2, size * 0.64, r, false);
      }
      if (!spot) continue;
      below.all(spot[0] - half, spot[1] - 6, spot[0] + half, spot[1] + 6, covered);
      const left = spot[0] - half;
      ctx.globalAlpha = unit.state === OFF_SHIFT && !chosen ? 0.75 : 1;
      ctx.font = font;
      haloText(ctx, name, left, spot[1], sos ? colors.sos : colors.text, colors.textHalo, 3.4);
      if (!old) continue;
      ctx.font = small;
      haloText(ctx, old, left + nameWidth + 6, spot[1] + 0.5, sos ? colors.sos : colors.textSoft, colors.textHalo, 3.4);
    }
    ctx.globalAlpha = 1;
    ground.cover(covered);
  },

  /** Below the sign, or right, left, above of it; chosen units get their place whatever lies there. */
  spot({ places, below, edition, view }, unit, x, y, half, high, r, must) {
    const beak = beakSide(unit);
    const reach = (side) => r + (side === beak ? 7 * this.scale : 0);
    const spots = [[x, y + reach(0) + high + 1], [x + reach(1) + 5 + half, y], [x - reach(2) - 5 - half, y], [x, y - reach(3) - high - 2]];
    const boxes = spots.map(([cx, cy]) => [cx - half, cy - high, cx + half, cy + high]);
    const free = (side) => places.at(...boxes[side]) === null;
    const good = (side) => free(side) && below.at(...boxes[side]) === null && boxes[side][0] > view.padX && boxes[side][2] < view.width - view.padX;
    // Where it stood stays its place: names that hop from side to side cannot be read. Else first where no name of
    // the ground and no edge of the map lies, and where the beak does not point.
    const kept = unit.sideEdition === edition && unit.side !== undefined && free(unit.side) ? unit.side : null;
    const order = beak === 0 ? [1, 2, 0, 3] : [0, 1, 2, 3];
    const side = kept ?? order.find(good) ?? order.find(free) ?? (must ? 0 : null);
    if (side === null) return null;
    unit.side = side;
    unit.sideEdition = edition;
    places.put(...boxes[side], true);
    return spots[side];
  },

  /** What is drawn, by squares of the map. */
  index() {
    this.hash = new Map();
    for (const item of this.drawn) {
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
    if (!this.hash) this.index();
    let best = null;
    let bestDistance = Infinity;
    for (let i = column - 1; i <= column + 1; i += 1) {
      for (let j = row - 1; j <= row + 1; j += 1) {
        for (const item of this.hash.get(i * 65536 + j) ?? []) {
          const distance = Math.hypot(item.x - x, item.y - y) - (item.unit.kind === "vehicle" ? 4 : 0);
          if (distance <= HIT_REACH * this.scale && distance < bestDistance) [best, bestDistance] = [item.unit, distance];
        }
      }
    }
    return best;
  },

  /** The group under a point of the map's container, or null. */
  groupAt(point) {
    if (!this.view) return null;
    const corner = this._map.getPixelBounds().min;
    const x = point.x + corner.x - this.view.left;
    const y = point.y + corner.y - this.view.top;
    return this.groups.find((group) => Math.hypot(group.x - x, group.y - y) <= group.r + 3) ?? null;
  },

  /** Where a unit stands in the map's container, for tests and for panning; null when it is not drawn. */
  placeOf(id) {
    const item = this.drawn.find((other) => other.unit.id === id);
    if (!item) return null;
    const corner = this._map.getPixelBounds().min;
    return { x: item.x + this.view.left - corner.x, y: item.y + this.view.top - corner.y };
  },
});

/** Where a unit is going, in degrees, or null when nobody knows. */
function courseOf(unit) {
  return unit.course === null || unit.state !== ONLINE_FIX || (unit.speed ?? 0) <= MOVING ? null : unit.course;
}

/** On which side of the sign the beak is: 0 below, 1 right, 2 left, 3 above, or null. */
function beakSide(unit) {
  const course = courseOf(unit);
  return course === null ? null : [3, 1, 0, 2][Math.round(course / 90) % 4];
}
