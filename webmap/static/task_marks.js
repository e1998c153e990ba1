// The signs of tasks: a pin whose tip is the place. Its colour is the light, the sign in it the state; filled: somebody
// at the desk has to do something, hollow: it is on its way. What is nearly late or late wears a badge besides, so that
// nobody needs to see colours. One path for canvas and list alike.

const SVG = "http://www.w3.org/2000/svg";
const PIN = "M0 0C-2.6 -4.7 -9.6 -8.6 -9.6 -15.3A9.6 9.6 0 1 1 9.6 -15.3C9.6 -8.6 2.6 -4.7 0 0Z";
export const HEAD = -15.3; // where the middle of the head is, above the tip
export const HEAD_RADIUS = 10;
const GLYPHS = {
  queued: "M-3.4 0A3.4 3.4 0 1 1 3.4 0A3.4 3.4 0 1 1 -3.4 0Z",
  assigned: "M-4 0h.01M0 0h.01M4 0h.01",
  in_progress: "M-2.2 -3.8L2.4 0L-2.2 3.8",
  on_scene: "M-1.6 0A1.6 1.6 0 1 1 1.6 0A1.6 1.6 0 1 1 -1.6 0Z",
  resulted: "M-4 .2L-1.2 3L4 -3",
  suspended: "M-2 -3.4V3.4M2 -3.4V3.4",
  closed: "M-4 .2L-1.2 3L4 -3",
  cancelled: "M-3 -3L3 3M3 -3L-3 3",
  expired: "M-3 -3L3 3M3 -3L-3 3",
};
const BADGES = { yellow: "M0 -2.2V.2L1.7 1.3", red: "M0 -2.6V.5M0 2.5h.01" };
const FILLED = new Set(["queued", "resulted"]);
const DOTS = new Set(["closed", "cancelled", "expired", "suspended"]); // nobody waits for them
const VIEW = { pin: [-12, -28, 24, 30], head: [-12, -27, 24, 24] };

/** What the sign of a task shows: {state, light}. */
export function signOf(row, light) {
  const state = row.holder?.state === "on_scene" && row.state === "in_progress" ? "on_scene" : row.state;
  return { state, light: DOTS.has(row.state) ? "none" : light };
}

/** The colour of a light on the canvas. */
export function lightColor(colors, { state, light }) {
  if (light === "none") return colors.states[3];
  if (state === "resulted") return colors.select;
  return { green: colors.states[0], yellow: colors.states[2], red: colors.sos }[light];
}

/** The sign as an SVG element; its colours come from the style sheet by `data-light` and `data-task`. */
export function taskMark(sign) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", VIEW.pin.join(" "));
  svg.setAttribute("class", "task-mark");
  svg.setAttribute("aria-hidden", "true");
  svg.dataset.light = sign.light;
  svg.dataset.task = sign.state;
  svg.dataset.filled = String(FILLED.has(sign.state));
  const add = (d, name, x = 0, y = 0) => {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    path.setAttribute("class", name);
    if (x || y) path.setAttribute("transform", `translate(${x} ${y})`);
    svg.append(path);
  };
  add(PIN, "task-pin");
  add(GLYPHS[sign.state], "task-glyph", 0, HEAD);
  if (BADGES[sign.light] && sign.state !== "resulted") {
    add("M-5 0A5 5 0 1 1 5 0A5 5 0 1 1 -5 0Z", "task-badge", 7, HEAD - 7);
    add(BADGES[sign.light], "task-badge-sign", 7, HEAD - 7);
  }
  return svg;
}

/** Drawn once for each state, light, theme and density. */
export class TaskSprites {
  #made = new Map();
  #key = "";

  prepare(colors, ratio, scale) {
    if (this.colors === colors && this.#key === `${ratio}/${scale}`) return;
    this.#key = `${ratio}/${scale}`;
    Object.assign(this, { colors, ratio, scale });
    this.#made.clear();
  }

  /** {image, size, dx, dy}: to be drawn with its tip at a place, at `x - dx`, `y - dy`, `size` wide and high. */
  get(sign) {
    const key = `${sign.state}/${sign.light}`;
    let sprite = this.#made.get(key);
    if (!sprite) this.#made.set(key, (sprite = this.#picture(38, 19, 33, (ctx) => this.#pin(ctx, sign))));
    return sprite;
  }

  /** A small one, for thousands. */
  dot(sign) {
    const key = `dot/${sign.state}/${sign.light}`;
    let sprite = this.#made.get(key);
    if (!sprite) this.#made.set(key, (sprite = this.#picture(12, 6, 6, (ctx) => this.#dot(ctx, sign))));
    return sprite;
  }

  #picture(size, left, top, paint) {
    const { ratio, scale } = this;
    const image = document.createElement("canvas");
    image.width = image.height = Math.ceil(size * ratio * scale);
    const ctx = image.getContext("2d", { willReadFrequently: true });
    ctx.scale(ratio * scale, ratio * scale);
    ctx.translate(left, top);
    ctx.lineJoin = ctx.lineCap = "round";
    paint(ctx);
    return { image, size: image.width / ratio, dx: left * scale, dy: top * scale };
  }

  #pin(ctx, sign) {
    const { colors } = this;
    const color = lightColor(colors, sign);
    const filled = FILLED.has(sign.state);
    const pin = new Path2D(PIN);
    ctx.shadowColor = colors.shade;
    ctx.shadowBlur = 4 * this.ratio;
    ctx.shadowOffsetY = this.ratio;
    ctx.strokeStyle = colors.mark;
    ctx.lineWidth = filled ? 3.4 : 6;
    ctx.stroke(pin);
    ctx.shadowColor = "transparent";
    ctx.fillStyle = filled ? color : colors.mark;
    ctx.fill(pin);
    if (!filled) {
      ctx.strokeStyle = color;
      ctx.lineWidth = 2.6;
      ctx.stroke(pin);
    }
    ctx.translate(0, HEAD);
    this.#glyph(ctx, GLYPHS[sign.state], filled ? colors.mark : color, sign.state);
    if (!BADGES[sign.light] || sign.state === "resulted") return;
    ctx.translate(7, -7);
    ctx.beginPath();
    ctx.arc(0, 0, 5.2, 0, 2 * Math.PI);
    ctx.strokeStyle = colors.mark;
    ctx.lineWidth = 2.4;
    ctx.stroke();
    ctx.fillStyle = color;
    ctx.fill();
    this.#glyph(ctx, BADGES[sign.light], colors.mark, "", 1.6);
  }

  #glyph(ctx, path, color, state, width = 2.3) {
    ctx.strokeStyle = color;
    ctx.lineWidth = state === "assigned" ? 2.7 : state === "on_scene" ? 4.4 : width;
    ctx.stroke(new Path2D(path));
  }

  #dot(ctx, sign) {
    const { colors } = this;
    ctx.rotate(Math.PI / 4);
    ctx.strokeStyle = colors.mark;
    ctx.lineWidth = 1.8;
    ctx.strokeRect(-2.9, -2.9, 5.8, 5.8);
    ctx.fillStyle = lightColor(colors, sign);
    ctx.fillRect(-2.9, -2.9, 5.8, 5.8);
  }
}
