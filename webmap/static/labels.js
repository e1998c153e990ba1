// Names on a map that do not lie on one another: who comes first gets the place, who finds none is left out.

const CELL = 48;
const LONGEST = 22;

export class Places {
  #cells = new Map();

  /** Takes the rectangle if nothing lies there. */
  take(left, top, right, bottom) {
    if (this.at(left, top, right, bottom) !== null) return false;
    this.put(left, top, right, bottom, true);
    return true;
  }

  /** What lies in the rectangle, or null. */
  at(left, top, right, bottom) {
    for (const key of keysOf(left, top, right, bottom)) {
      for (const other of this.#cells.get(key) ?? []) {
        if (left < other[2] && right > other[0] && top < other[3] && bottom > other[1]) return other[4];
      }
    }
    return null;
  }

  /** Everything that lies in the rectangle is added to `found`. */
  all(left, top, right, bottom, found) {
    for (const key of keysOf(left, top, right, bottom)) {
      for (const other of this.#cells.get(key) ?? []) {
        if (left < other[2] && right > other[0] && top < other[3] && bottom > other[1]) found.add(other[4]);
      }
    }
  }

  /** Lays `what` there, whatever lies there already. */
  put(left, top, right, bottom, what) {
    const box = [left, top, right, bottom, what];
    for (const key of keysOf(left, top, right, bottom)) {
      const boxes = this.#cells.get(key);
      if (boxes) boxes.push(box);
      else this.#cells.set(key, [box]);
    }
  }
}

function keysOf(left, top, right, bottom) {
  const keys = [];
  for (let x = Math.floor(left / CELL); x <= Math.floor(right / CELL); x += 1) {
    for (let y = Math.floor(top / CELL); y <= Math.floor(bottom / CELL); y += 1) keys.push(x * 65536 + y);
  }
  return keys;
}

/** A name as it may stand on a map: one line, not endless, and unable to turn its neighbours' direction. */
export function plain(text, longest = LONGEST) {
  const line = String(text).replace(/[\p{Cc}\p{Cf}\s]+/gu, " ").trim();
  const letters = [...line];
  return letters.length > longest ? `${letters.slice(0, longest - 1).join("")}…` : line;
}

export const FONT = '"PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "Noto Sans SC", "Segoe UI", system-ui, sans-serif';

/** Text with a halo, so that it can be read on any ground. */
export function haloText(ctx, text, x, y, color, halo, width = 3) {
  ctx.lineJoin = "round";
  ctx.lineWidth = width;
  ctx.strokeStyle = halo;
  ctx.strokeText(text, x, y);
  ctx.fillStyle = color;
  ctx.fillText(text, x, y);
}
