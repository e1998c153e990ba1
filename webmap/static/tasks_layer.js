// The tasks on the map: pins above the units, or small squares where there are hundreds. Drawn when the desk or the
// view changes, not with the units.

import { CanvasLayer } from "./canvas_layer.js";
import { lightOf, needsSeat } from "./desk.js";
import { FONT, haloText, plain } from "./labels.js";
import { signScale } from "./marks.js";
import { Picture, stampOf } from "./stamps.js";
import { HEAD, HEAD_RADIUS, signOf, TaskSprites } from "./task_marks.js";

const PINS_BELOW = 260; // more pins than that hide the town
const ABOVE_UNITS = 450;
const BELOW_UNITS = 425;
const REACH = 3; // pixels around the sign for a trembling hand
const DOT_REACH = 9;

export const TasksLayer = CanvasLayer.extend({
  initialize(model) {
    CanvasLayer.prototype.initialize.call(this, "gb-tasks", ABOVE_UNITS, true);
    this.model = model; // {desk, theme, prefs, clock}
    this.sprites = new TaskSprites();
    this.picture = new Picture();
    this.drawn = []; // what is in sight, the topmost last
    this.detail = "pins";
    this.paints = 0;
  },

  blank() {
    const blank = this.model.desk.rows.size === 0;
    if (blank) this.drawn = [];
    return blank;
  },

  paint(ctx, view) {
    const { desk, theme, prefs, clock } = this.model;
    this.paints += 1;
    this.scale = signScale(prefs);
    this.sprites.prepare(theme.colors, view.ratio, this.scale);
    this.drawn = this.gather(view);
    this.detail = this.drawn.length < PINS_BELOW ? "pins" : "dots";
    // Hundreds of squares would bury the people.
    const order = String(this.detail === "pins" ? ABOVE_UNITS : BELOW_UNITS);
    const { style } = this.getPane();
    if (style.zIndex !== order) style.zIndex = order;
    const now = clock.now();
    if (this.detail === "dots") this.dots(ctx, view, now);
    for (const item of this.drawn) {
      const chosen = item.row.id === desk.selected || item.row.id === desk.hovered;
      if (this.detail === "pins" || chosen) this.pin(ctx, item, now, chosen);
    }
  },

  /** From north to south, so that a nearer tip lies on a farther head; the chosen one on top of all. */
  gather(view) {
    const { desk } = this.model;
    const found = [];
    for (const row of desk.list()) {
      const x = row.x * view.scale - view.left;
      const y = row.y * view.scale - view.top;
      if (x < -20 || y < -20 || x > view.width + 20 || y > view.height + 40) continue;
      found.push({ row, x, y, rank: row.id === desk.selected ? 2 : row.id === desk.hovered ? 1 : 0 });
    }
    return found.sort((a, b) => a.rank - b.rank || a.y - b.y);
  },

  dots(ctx, view, now) {
    this.picture.begin(this.back.width, this.back.height);
    const stamps = {};
    for (const { row, x, y } of this.drawn) {
      const light = lightOf(row, now);
      const lights = (stamps[row.state] ??= {});
      lights[light] ??= stampOf(this.sprites.dot(signOf(row, light)).image);
      this.picture.lay(lights[light], x * view.ratio, y * view.ratio);
    }
    this.picture.put(ctx);
  },

  pin(ctx, { row, x, y }, now, chosen) {
    const { colors } = this.model.theme;
    const sprite = this.sprites.get(signOf(row, lightOf(row, now)));
    const { scale } = this;
    if (needsSeat(row) || chosen) {
      ctx.beginPath();
      ctx.arc(x, y + HEAD * scale, (HEAD_RADIUS + 6) * scale, 0, 2 * Math.PI);
      ctx.fillStyle = colors.accuracy;
      if (chosen) ctx.fill();
      ctx.strokeStyle = chosen ? colors.select : colors.sos;
      ctx.lineWidth = 2.2 * scale;
      ctx.setLineDash(chosen ? [] : [4, 4]);
      ctx.stroke();
      ctx.setLineDash([]);
    }
    ctx.globalAlpha = row.state === "suspended" && !chosen ? 0.75 : 1;
    ctx.drawImage(sprite.image, x - sprite.dx, y - sprite.dy, sprite.size, sprite.size);
    ctx.globalAlpha = 1;
    if (!chosen) return;
    ctx.font = `700 ${12.5 * scale}px ${FONT}`;
    ctx.textAlign = "center";
    ctx.textBaseline = "bottom";
    haloText(ctx, plain(row.address, 18), x, y + (HEAD - HEAD_RADIUS - 9) * scale, colors.text, colors.textHalo, 3.4);
  },

  /** The task under a point of the map's container, or null. */
  hit(point) {
    if (!this.view || !this.drawn.length) return null;
    const corner = this._map.getPixelBounds().min;
    const x = point.x + corner.x - this.view.left;
    const y = point.y + corner.y - this.view.top;
    const { scale } = this;
    const pins = this.detail === "pins";
    let best = null;
    let least = Infinity;
    for (const item of this.drawn) {
      const distance = Math.hypot(item.x - x, item.y + (pins ? HEAD * scale : 0) - y);
      if (distance <= (pins ? (HEAD_RADIUS + REACH) * scale : DOT_REACH * scale) && distance <= least) [best, least] = [item.row, distance];
    }
    return best;
  },

  /** Where the sign of a task is in the map's container, for tests; null when it is not drawn. */
  placeOf(id) {
    const item = this.drawn.find(({ row }) => row.id === id);
    if (!item) return null;
    const corner = this._map.getPixelBounds().min;
    return { x: item.x + this.view.left - corner.x, y: item.y + this.view.top - corner.y + (this.detail === "pins" ? HEAD * this.scale : 0) };
  },
});
