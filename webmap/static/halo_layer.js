// What lies around and behind the units: trails that fade with age, the circle of accuracy, the halo of the
// selected unit and the beat of an SOS. On a canvas of its own, because it moves when the units do not.

import { CanvasLayer } from "./canvas_layer.js";
import { metresPerUnit } from "./geo.js";
import { RADIUS, signScale } from "./marks.js";
import { isSos, shown, TRAIL_MS } from "./state.js";

const STEPS = 6; // shades of a fading trail
const BEAT_MS = 1500;

export const HaloLayer = CanvasLayer.extend({
  initialize(model) {
    CanvasLayer.prototype.initialize.call(this, "gb-halo", 420);
    this.model = model;
  },

  paint(ctx, view, time) {
    const { units, view: looks, clock, trails } = this.model;
    const now = clock.now();
    const passing = looks.passing();
    const mode = trails();
    let alive = false;
    this.scale = signScale(this.model.prefs);
    for (const unit of units.all.values()) {
      if (!unit.near || !passing.has(unit.id)) continue;
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
    ctx.lineCap = ctx.lineJoin = "round";
    ctx.strokeStyle = isSos(unit) ? colors.sos : colors.states[unit.state];
    ctx.lineWidth = (strong ? 4 : 2.5) * this.scale;
    for (let step = 0; step < STEPS; step += 1) {
      const from = oldest + (TRAIL_MS * step) / STEPS;
      const until = from + TRAIL_MS / STEPS;
      ctx.beginPath();
      let drawing = false;
      for (let i = 1; i < count; i += 1) {
        const time = trail[3 * i];
        if (time < from || (time >= until && step < STEPS - 1)) continue;
        if (!drawing) ctx.moveTo(trail[3 * i - 2] * view.scale - view.left, trail[3 * i - 1] * view.scale - view.top);
        drawing = true;
        ctx.lineTo(trail[3 * i + 1] * view.scale - view.left, trail[3 * i + 2] * view.scale - view.top);
      }
      ctx.globalAlpha = (strong ? 0.85 : 0.6) * ((step + 1) / STEPS) ** 1.2;
      ctx.stroke();
    }
    ctx.globalAlpha = 1;
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
