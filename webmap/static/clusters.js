// Where several stand so close that their signs would hide one another: one round sign with their number instead,
// its ring shared out among their states. Who calls for help, is selected or pointed at is never in it.

import { FONT } from "./labels.js";
import { STATES } from "./state.js";

const REACH = 21; // pixels between the first of a group and the others
export const LEAST = 3; // two that overlap can still be told apart
const RING = 4.5;

export function radiusOf(count) {
  return 11 + 2.6 * Math.log2(count + 1);
}

/** Groups among `items` ({unit, x, y}), each an array of items. In the order given, so the same every time. */
export function findGroups(items, scale) {
  const reach = REACH * scale;
  const cells = new Map();
  const keyOf = (item) => Math.floor(item.x / reach) * 65536 + Math.floor(item.y / reach);
  for (const item of items) {
    const cell = cells.get(keyOf(item));
    if (cell) cell.push(item);
    else cells.set(keyOf(item), [item]);
  }
  const taken = new Set();
  const groups = [];
  for (const item of items) {
    if (taken.has(item)) continue;
    const key = keyOf(item);
    const near = [];
    for (const dx of [-65536, 0, 65536]) {
      for (const dy of [-1, 0, 1]) {
        for (const other of cells.get(key + dx + dy) ?? []) {
          if (!taken.has(other) && Math.hypot(other.x - item.x, other.y - item.y) <= reach) near.push(other);
        }
      }
    }
    if (near.length < LEAST) continue;
    for (const other of near) taken.add(other);
    groups.push(near);
  }
  const merged = merge(groups, scale);
  // Whoever would stand under a sign belongs to it.
  for (const item of items) {
    if (taken.has(item)) continue;
    const under = merged.find((group) => Math.hypot(group.x - item.x, group.y - item.y) < (radiusOf(group.items.length) + 4) * scale);
    if (under) under.items.push(item);
  }
  return merged.map((group) => group.items);
}

/** Signs that would overlap become one. */
function merge(groups, scale) {
  const merged = [];
  for (const items of groups) {
    let group = { items, ...middle(items) };
    for (let i = 0; i < merged.length; i += 1) {
      const other = merged[i];
      const apart = (radiusOf(other.items.length) + radiusOf(group.items.length)) * scale;
      if (Math.hypot(other.x - group.x, other.y - group.y) >= apart) continue;
      merged.splice(i, 1);
      const all = [...other.items, ...group.items];
      group = { items: all, ...middle(all) };
      i = -1; // it has moved and grown: look at the others again
    }
    merged.push(group);
  }
  return merged;
}

export function middle(items) {
  let x = 0;
  let y = 0;
  for (const item of items) {
    x += item.x;
    y += item.y;
  }
  return { x: x / items.length, y: y / items.length };
}

export function drawGroup(ctx, { x, y, r, items }, colors, scale, ratio) {
  const counts = STATES.map(() => 0);
  for (const { unit } of items) counts[unit.state] += 1;
  ctx.save();
  ctx.translate(x, y);
  ctx.shadowColor = colors.shade;
  ctx.shadowBlur = 5 * ratio;
  ctx.shadowOffsetY = ratio;
  ctx.fillStyle = colors.mark;
  ctx.beginPath();
  ctx.arc(0, 0, r + 1.5, 0, 2 * Math.PI);
  ctx.fill();
  ctx.shadowColor = "transparent";
  const ring = RING * scale;
  const gap = counts.filter(Boolean).length > 1 ? 2 / r : 0;
  let from = -Math.PI / 2;
  ctx.lineWidth = ring;
  for (const state of STATES) {
    if (!counts[state]) continue;
    const to = from + (2 * Math.PI * counts[state]) / items.length;
    ctx.strokeStyle = colors.states[state];
    ctx.beginPath();
    ctx.arc(0, 0, r - ring / 2, from + gap / 2, Math.max(from + gap / 2, to - gap / 2));
    ctx.stroke();
    from = to;
  }
  const text = items.length > 999 ? "999+" : String(items.length);
  ctx.font = `700 ${(items.length > 99 ? 11 : 12.5) * scale}px ${FONT}`;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.fillStyle = colors.text;
  ctx.fillText(text, 0, 0.5 * scale);
  ctx.restore();
}
