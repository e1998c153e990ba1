// What ties a task to people: the line to its holder, and while somebody is being chosen the candidates with the time
// that each would take. On a canvas of its own, because it moves with the units.

import { CanvasLayer } from "./canvas_layer.js";
import { arrivalOf } from "./desk.js";
import { FONT, Places } from "./labels.js";
import { signScale } from "./marks.js";
import { plane } from "./projection.js";
import { shown } from "./state.js";
import { etaWord } from "./task_text.js";

export const DRAWN = 9; // candidates: as many as have a key
const LINES = 3; // to more of them would be a net

export const TaskLinesLayer = CanvasLayer.extend({
  initialize(model) {
    CanvasLayer.prototype.initialize.call(this, "gb-task-lines", 455);
    this.model = model; // {desk, units, theme, prefs, clock, choice}
  },

  blank() {
    const { desk, choice, place } = this.model;
    return !choice.list.length && !desk.row?.holder && !place.spot;
  },

  paint(ctx, view, time) {
    const { desk, choice, place, units, clock } = this.model;
    this.scale = signScale(this.model.prefs);
    this.moving = false;
    if (place.spot) this.target(ctx, view, place.spot);
    const from = choice.spot ?? (desk.row ? [desk.row.x, desk.row.y] : null);
    if (!from) return;
    const start = [from[0] * view.scale - view.left, from[1] * view.scale - view.top];
    if (choice.list.length) this.candidates(ctx, view, time, start);
    else if (desk.row?.holder) {
      const at = this.at(view, time, units.all.get(desk.row.holder.unit), null);
      const arrival = arrivalOf(desk.row);
      if (at) {
        this.line(ctx, start, at, true);
        if (arrival) this.label(ctx, new Places(), (start[0] + at[0]) / 2, (start[1] + at[1]) / 2, etaWord(Math.max(0, arrival - clock.now()) / 1000), true);
      }
    }
    if (this.moving) this.redraw();
  },

  candidates(ctx, view, time, start) {
    const { choice, units } = this.model;
    const places = new Places();
    const drawn = choice.list.slice(0, DRAWN).map((one, n) => ({ one, n, at: this.at(view, time, units.all.get(one.unit), one.spot) })).filter(({ at }) => at);
    for (const { at, one, n } of drawn.toReversed()) if (n < LINES || one.unit === choice.lit) this.line(ctx, start, at, one.unit === choice.lit || (!choice.lit && n === 0));
    for (const { one, n, at } of drawn) this.label(ctx, places, at[0], at[1] + 20 * this.scale, `${n + 1} · ${etaWord(one.eta)}`, one.unit === choice.lit || (!choice.lit && n === 0));
  },

  /** Where a unit is drawn; where the server believes it to be if it is not in sight of the feed. */
  at(view, time, unit, spot) {
    let [x, y] = [null, null];
    if (unit?.near) {
      const now = shown(unit, this.model.still() ? Infinity : time);
      this.moving ||= now.moving;
      [x, y] = [now.x, now.y];
    } else if (spot) [x, y] = plane.place(...spot);
    else if (unit?.lat !== null && unit?.lat !== undefined) [x, y] = [unit.x, unit.y];
    return x === null ? null : [x * view.scale - view.left, y * view.scale - view.top];
  },

  line(ctx, from, end, strong) {
    const { colors } = this.model.theme;
    const length = Math.hypot(end[0] - from[0], end[1] - from[1]);
    const short = Math.max(0, 1 - (15 * this.scale) / length); // the person's sign stays free
    if (!short) return;
    const to = [from[0] + (end[0] - from[0]) * short, from[1] + (end[1] - from[1]) * short];
    ctx.lineCap = "round";
    ctx.beginPath();
    ctx.moveTo(...from);
    ctx.lineTo(...to);
    ctx.strokeStyle = colors.textHalo;
    ctx.lineWidth = (strong ? 7 : 4) * this.scale;
    ctx.globalAlpha = 0.8;
    ctx.stroke();
    ctx.globalAlpha = strong ? 1 : 0.55;
    ctx.strokeStyle = colors.select;
    ctx.lineWidth = (strong ? 3 : 1.8) * this.scale;
    ctx.setLineDash(strong ? [] : [5, 6]);
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.globalAlpha = 1;
  },

  /** A small plate with words; left out where another one lies already. */
  label(ctx, places, x, y, words, strong) {
    const { colors } = this.model.theme;
    const { scale } = this;
    ctx.font = `700 ${12 * scale}px ${FONT}`;
    const half = ctx.measureText(words).width / 2 + 7 * scale;
    const high = 10 * scale;
    const spots = [[x, y], [x, y - 40 * scale], [x + half + 16 * scale, y - 20 * scale], [x - half - 16 * scale, y - 20 * scale]];
    const spot = spots.find(([cx, cy]) => places.take(cx - half, cy - high, cx + half, cy + high));
    if (!spot) return;
    ctx.beginPath();
    ctx.roundRect(spot[0] - half, spot[1] - high, 2 * half, 2 * high, high);
    ctx.fillStyle = strong ? colors.select : colors.mark;
    ctx.fill();
    ctx.strokeStyle = strong ? colors.mark : colors.select;
    ctx.lineWidth = 1.5;
    ctx.stroke();
    ctx.fillStyle = strong ? colors.mark : colors.text;
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    ctx.fillText(words, spot[0], spot[1] + 0.5);
  },

  /** The place of a task that is being made. */
  target(ctx, view, [x, y]) {
    const { colors } = this.model.theme;
    const [px, py] = [x * view.scale - view.left, y * view.scale - view.top];
    const r = 11 * this.scale;
    for (const [color, width] of [[colors.textHalo, 7], [colors.select, 2.6]]) {
      ctx.strokeStyle = color;
      ctx.lineWidth = width * this.scale;
      ctx.beginPath();
      ctx.arc(px, py, r, 0, 2 * Math.PI);
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        ctx.moveTo(px + dx * r * 0.45, py + dy * r * 0.45);
        ctx.lineTo(px + dx * (r + 6), py + dy * (r + 6));
      }
      ctx.stroke();
    }
  },
});
