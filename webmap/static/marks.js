// The signs of the five states. Colour and shape say the same thing twice, so that nobody needs to see colours:
// circle = online and located, diamond = online without a fix, triangle = stale, square = offline, ring = off shift.
// A vehicle wears the same shape, larger, with a van in it. One path for canvas and list alike.

import { stampOf } from "./stamps.js";

const SHAPES = [
  (r) => `M${-r} 0A${r} ${r} 0 1 1 ${r} 0A${r} ${r} 0 1 1 ${-r} 0Z`,
  (r) => `M0 ${-r * 1.22}L${r * 1.22} 0L0 ${r * 1.22}L${-r * 1.22} 0Z`,
  (r) => `M0 ${-r * 1.2}L${r * 1.16} ${r * 0.86}L${-r * 1.16} ${r * 0.86}Z`,
  (r) => `M${-r * 0.9} ${-r * 0.9}H${r * 0.9}V${r * 0.9}H${-r * 0.9}Z`,
  (r) => `M${-r * 0.85} 0A${r * 0.85} ${r * 0.85} 0 1 1 ${r * 0.85} 0A${r * 0.85} ${r * 0.85} 0 1 1 ${-r * 0.85} 0Z`,
];
const VAN = "M-6 3.2V-2.6Q-6 -3.6 -5 -3.6H1.6V3.2ZM2.6 3.2V-2H4.3Q4.9 -2 5.2 -1.4L6.2 .6V3.2Z";
const WHEELS = "M-4.4 3.4a1.5 1.5 0 1 1 3 0a1.5 1.5 0 1 1 -3 0ZM2.4 3.4a1.5 1.5 0 1 1 3 0a1.5 1.5 0 1 1 -3 0Z";
const OFF_SHIFT = 4;
const SVG = "http://www.w3.org/2000/svg";

export const [SIGN, DOT, FINE] = [0, 1, 2]; // how large
const RADII = { person: [7, 3.6, 2.6], vehicle: [12, 6, 4] };
export const RADIUS = { person: RADII.person[SIGN], vehicle: RADII.vehicle[SIGN] };
const TURNS = 32; // directions in which a beak is drawn beforehand
const WALL = 1.7; // a command hall looks from ten metres

/** How much larger than on a desk everything on the map is drawn. */
export function signScale(prefs) {
  return prefs.get("wall") ? WALL : 1;
}

/** The sign as an SVG element for lists and legends; its colour comes from the style sheet by `data-state`. */
export function markElement(state, kind) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "-12 -12 24 24");
  svg.setAttribute("class", "mark");
  svg.setAttribute("aria-hidden", "true");
  svg.dataset.state = state;
  const add = (d, name) => {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    path.setAttribute("class", name);
    svg.append(path);
  };
  add(SHAPES[state](kind === "vehicle" ? 10 : 7), "mark-shape");
  if (kind === "vehicle") {
    add(VAN, "mark-van");
    add(WHEELS, "mark-van");
  }
  return svg;
}

function keyOf(state, kind, size, sos) {
  return ((state * 2 + (kind === "vehicle" ? 1 : 0)) * 3 + size) * 2 + (sos ? 1 : 0);
}

/** Drawn once per state, kind, heading yes or no, theme and density; units are then copies of pictures. */
export class Sprites {
  #made = new Map();
  #stamps = [];
  #colors = null;
  #ratio = 0;
  #scale = 1;

  prepare(colors, ratio, scale) {
    if (colors === this.#colors && ratio === this.#ratio && scale === this.#scale) return;
    this.#colors = colors;
    this.#ratio = ratio;
    this.#scale = scale;
    this.#made.clear();
    this.#stamps = [];
  }

  /** {image, size}: a square picture, size in CSS pixels, its middle on the unit's place. */
  get(state, kind, size, sos) {
    const key = keyOf(state, kind, size, sos);
    let sprite = this.#made.get(key);
    if (!sprite) {
      sprite = this.#draw(state, kind, size, sos);
      this.#made.set(key, sprite);
    }
    return sprite;
  }

  /** The same as pixels (stamps.js), with the beak for a course in degrees, or without one for null. */
  stamp(state, kind, size, sos, course, alpha) {
    const turn = course === null ? TURNS : Math.round((course * TURNS) / 360) % TURNS;
    const stamps = (this.#stamps[keyOf(state, kind, size, sos)] ??= []);
    return (stamps[turn] ??= this.#stamp(state, kind, size, sos, turn, alpha));
  }

  #stamp(state, kind, size, sos, turn, alpha) {
    const sign = this.get(state, kind, size, sos);
    if (turn === TURNS) return stampOf(sign.image, alpha);
    const beak = this.beak(state, kind, sos);
    const whole = this.#picture(Math.max(sign.size, beak.size) / this.#scale, (ctx) => {
      const lay = ({ image, size }) => ctx.drawImage(image, -size / this.#scale / 2, -size / this.#scale / 2, size / this.#scale, size / this.#scale);
      ctx.rotate((2 * Math.PI * turn) / TURNS);
      lay(beak);
      ctx.rotate((-2 * Math.PI * turn) / TURNS);
      lay(sign);
    });
    return stampOf(whole.image, alpha);
  }

  /** The beak that shows the heading; drawn rotated beneath the sign. */
  beak(state, kind, sos) {
    const key = `beak${state}${kind}${sos}`;
    let sprite = this.#made.get(key);
    if (!sprite) {
      const r = RADIUS[kind] + 1;
      sprite = this.#picture(2 * (r + 12), (ctx) => {
        ctx.fillStyle = sos ? this.#colors.sos : this.#colors.states[state];
        ctx.strokeStyle = this.#colors.mark;
        ctx.lineWidth = 3;
        ctx.lineJoin = "round";
        const beak = new Path2D(`M${-r * 0.78} ${-r * 0.6}L0 ${-r - 8}L${r * 0.78} ${-r * 0.6}Z`);
        ctx.stroke(beak);
        ctx.fill(beak);
      });
      this.#made.set(key, sprite);
    }
    return sprite;
  }

  #draw(state, kind, size, sos) {
    const colors = this.#colors;
    const dot = size !== SIGN;
    const r = RADII[kind][size];
    const color = sos ? colors.sos : colors.states[state];
    const hollow = state === OFF_SHIFT && !sos;
    return this.#picture(2 * (r * 1.3 + (dot ? 1.5 : 5)), (ctx) => {
      const shape = new Path2D(SHAPES[state](r));
      ctx.lineJoin = "round";
      if (!dot) {
        ctx.shadowColor = colors.shade;
        ctx.shadowBlur = 4 * this.#ratio;
        ctx.shadowOffsetY = this.#ratio;
      }
      ctx.strokeStyle = colors.mark;
      ctx.lineWidth = size === FINE ? 1 : dot ? 1.6 : 4;
      ctx.stroke(shape);
      ctx.shadowColor = "transparent";
      ctx.fillStyle = hollow ? colors.mark : color;
      ctx.fill(shape);
      if (hollow) {
        ctx.strokeStyle = color;
        ctx.lineWidth = dot ? 1.4 : 2.4;
        ctx.stroke(shape);
      }
      if (kind === "vehicle" && !dot) {
        ctx.fillStyle = hollow ? color : colors.mark;
        const low = state === 2 ? 1.5 : 0;
        ctx.translate(0, low);
        ctx.scale(0.95, 0.95);
        ctx.fill(new Path2D(VAN));
        ctx.fill(new Path2D(WHEELS));
      }
    });
  }

  #picture(size, paint) {
    const image = document.createElement("canvas");
    const density = this.#ratio * this.#scale;
    image.width = image.height = Math.ceil(size * density);
    const ctx = image.getContext("2d", { willReadFrequently: true });
    ctx.scale(density, density);
    ctx.translate(size / 2, size / 2);
    paint(ctx);
    return { image, size: image.width / this.#ratio };
  }
}
