// What lies around and behind the units: trails that fade with age, the circle of accuracy, the halo of the
// selected unit and the beat of an SOS. On a canvas of its own, because it moves when the units do not.

import { CanvasLayer } from "./canvas_layer.js";
import { metresPerUnit } from "./geo.js";
import { RADIUS, signScale } from "./marks.js";
import { isSos, shown, TRAIL_MS } from "./state.js";

const STEPS = 6; // shades of a fading trail
const GAP_MS = 60_000;
const FASTEST = 60; // m/s
const SLACK_M = 200; // two fixes of one second may each be off
const BEAT_MS = 1500;

export const HaloLayer = CanvasLayer.extend({
  initialize(model) {
    CanvasLayer.prototype.initialize.call(this, "gb-halo", 420);
    this.model = model;
  },

  blank() {
    const { units, view: looks, trails } = this.model;
    if (looks.selected !== null || looks.hovered !== null || trails() === "all") return false;
    for (const unit of units.all.values()) if (isSos(unit)) return false;
    return true;
  },

  paint(ctx, view, time) {
    const { units, view: looks, clock, trails } = this.model;
    const now = clock.now();
    const passing = looks.filtering ? looks.passing() : null;
    const mode = trails();
    let alive = false;
    this.scale = signScale(this.model.prefs);
    for (const unit of units.all.values()) {
      if (!unit.near || (passing && !passing.has(unit.id))) continue;
      const selected = unit.id === looks.selected;
      if (mode === "all" || (mode === "selected" && selected)) this.trail(ctx, view, unit, now, selected);
      const hovered = unit.id === looks.hovered;
      const sos = isSos(unit);
      if (!selected && !hovered && !sos) continue;
      const at = shown(unit, this.model.still() ? Infinity : time);
      alive ||= at.moving;
      const x = at.x * view.scale - view.left;
      const y = at.y * view.scale - view.top;
      if (sos) {
        this.beat(ctx, unit, x, y, time);
        alive ||= !this.model.still();
      }
      if (selected) this.accuracy(ctx, view, unit, x, y);
      if (selected || hovered) this.halo(ctx, unit, x, y, selected);
    }
    if (alive) this.redraw();
  },

  trail(ctx, view, unit, now, strong) {
    const { trail } = unit;
    const count = trail.length / 3;
    if (count < 2) return;
    const { colors } = this.model.theme;
    const oldest = now - TRAIL_MS;
    ctx.lineJoin = "round";
    ctx.lineCap = "butt"; // round ends of two shades would overlap and look like beads
    const width = (strong ? 4 : 2.5) * this.scale;
    if (strong) {
      this.piece(ctx, view, unit, oldest, Infinity);
      ctx.strokeStyle = colors.textHalo;
      ctx.lineWidth = width + 4 * this.scale;
      ctx.globalAlpha = 0.75;
      ctx.stroke();
    }
    ctx.strokeStyle = isSos(unit) ? colors.sos : colors.states[unit.state];
    ctx.lineWidth = width;
    for (let step = 0; step < STEPS; step += 1) {
      const from = oldest + (TRAIL_MS * step) / STEPS;
      if (!this.piece(ctx, view, unit, from, step < STEPS - 1 ? from + TRAIL_MS / STEPS : Infinity)) continue;
      ctx.globalAlpha = (strong ? 0.95 : 0.6) * ((step + 1) / STEPS) ** 0.9;
      ctx.stroke();
    }
    ctx.globalAlpha = 1;
  },

  /** The path between two times, curved from middle to middle of its fixes: a phone's error is not a person's
   *  zigzag. Where nothing is known for long, and where nobody could have gone so fast, there is no line. */
  piece(ctx, view, { lat, trail }, from, until) {
    const count = trail.length / 3;
    const metre = metresPerUnit(lat);
    const x = (i) => trail[3 * i + 1] * view.scale - view.left;
    const y = (i) => trail[3 * i + 2] * view.scale - view.top;
    const torn = (i) => {
      const elapsed = trail[3 * i] - trail[3 * i - 3];
      const way = Math.hypot(trail[3 * i + 1] - trail[3 * i - 2], trail[3 * i + 2] - trail[3 * i - 1]) * metre;
      return elapsed > GAP_MS || (way > SLACK_M && way * 1000 > FASTEST * elapsed);
    };
    ctx.beginPath();
    let drawn = false;
    let joined = false;
    for (let i = 1; i < count; i += 1) {
      const time = trail[3 * i];
      if (time < from || time >= until || torn(i)) {
        joined = false;
        continue;
      }
      const starts = i === 1 || torn(i - 1);
      if (!joined) ctx.moveTo(starts ? x(i - 1) : (x(i - 2) + x(i - 1)) / 2, starts ? y(i - 1) : (y(i - 2) + y(i - 1)) / 2);
      ctx.quadraticCurveTo(x(i - 1), y(i - 1), (x(i - 1) + x(i)) / 2, (y(i - 1) + y(i)) / 2);
      if (i === count - 1 || torn(i + 1)) ctx.lineTo(x(i), y(i));
      drawn = joined = true;
    }
    return drawn;
  },

  accuracy(ctx, view, unit, x, y) {
    if (!unit.accuracy) return;
    const radius = (unit.accuracy / metresPerUnit(unit.lat)) * view.scale;
    if (radius < (RADIUS[unit.kind] + 4) * this.scale || radius > 4000) return;
    ctx.fillStyle = this.model.theme.colors.accuracy;
    ctx.beginPath();
    ctx.arc(x, y, radius, 0, 2 * Math.PI);
    ctx.fill();
  },

  halo(ctx, unit, x, y, selected) {
    const { colors } = this.model.theme;
    const r = (RADIUS[unit.kind] + (selected ? 8 : 6)) * this.scale;
    ctx.beginPath();
    ctx.arc(x, y, r, 0, 2 * Math.PI);
    ctx.fillStyle = colors.accuracy;
    ctx.fill();
    ctx.strokeStyle = colors.select;
    ctx.lineWidth = (selected ? 2.5 : 1.5) * this.scale;
    ctx.stroke();
  },

  beat(ctx, unit, x, y, time) {
    const { scale } = this;
    const r = RADIUS[unit.kind] * scale;
    ctx.strokeStyle = this.model.theme.colors.sos;
    const phases = this.model.still() ? [0.35] : [(time % BEAT_MS) / BEAT_MS, ((time + BEAT_MS / 2) % BEAT_MS) / BEAT_MS];
    for (const phase of phases) {
      ctx.globalAlpha = (1 - phase) * 0.9;
      ctx.lineWidth = 3.5 - 2 * phase;
      ctx.beginPath();
      ctx.arc(x, y, r + (4 + phase * 26) * scale, 0, 2 * Math.PI);
      ctx.stroke();
    }
    ctx.globalAlpha = 1;
  },
});
