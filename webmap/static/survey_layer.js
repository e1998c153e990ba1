// The grids of a survey on the map: those that are chosen, or how each has come along.

import { CanvasLayer } from "./canvas_layer.js";
import { inSight, trace } from "./geo.js";

export const TONES = { chosen: "#2352d8", asked: "#66737f", position: "#2352d8", confirmed: "#0a8f68", silent: "#8f99a5" };

export const SurveyLayer = CanvasLayer.extend({
  initialize(model) {
    CanvasLayer.prototype.initialize.call(this, "gb-survey", 330, true);
    this.model = model; // {grids}
    this.tones = new Map(); // grid -> a word of TONES
  },

  show(tones) {
    this.tones = tones;
    this.redraw();
  },

  blank() {
    return this.tones.size === 0;
  },

  paint(ctx, view) {
    ctx.lineJoin = "round";
    ctx.lineWidth = 2;
    for (const [id, tone] of this.tones) {
      const shape = this.model.grids.all.get(id);
      if (!shape || !inSight(shape.box, view)) continue;
      ctx.beginPath();
      trace(ctx, shape, view);
      ctx.fillStyle = ctx.strokeStyle = TONES[tone];
      ctx.globalAlpha = 0.2;
      ctx.fill("evenodd");
      ctx.globalAlpha = 1;
      ctx.stroke();
    }
  },
});
