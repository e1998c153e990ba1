// Shapes on the map's plane (projection.js): GeoJSON made flat, drawn, and asked whether it is in sight.

import { plane } from "./projection.js";

/** Metres on the ground for one unit of Mercator length at this latitude. */
export function metresPerUnit(lat) {
  return 40_075_016.686 * Math.cos((lat * Math.PI) / 180);
}

/** A GeoJSON geometry as {rings: [Float64Array x,y,x,y...], box, closed, parts} in numbers of the plane. */
export function flatten(geometry) {
  const lists = {
    Point: (c) => [[c]],
    LineString: (c) => [c],
    MultiLineString: (c) => c,
    Polygon: (c) => c,
    MultiPolygon: (c) => c.flat(),
  }[geometry?.type];
  if (!lists) return null;
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  const rings = lists(geometry.coordinates).map((line) => {
    const flat = new Float64Array(line.length * 2);
    line.forEach(([lon, lat], i) => {
      const [x, y] = plane.place(lat, lon);
      flat[2 * i] = x;
      flat[2 * i + 1] = y;
      widen(box, x, y);
    });
    return flat;
  });
  return { rings, box, closed: geometry.type.endsWith("Polygon") };
}

function widen(box, x, y) {
  box[0] = Math.min(box[0], x);
  box[1] = Math.min(box[1], y);
  box[2] = Math.max(box[2], x);
  box[3] = Math.max(box[3], y);
}

/** Moves a flattened geometry to another plane; `convert` is what Plane.use() answered. */
export function moveShape(shape, convert) {
  shape.box.splice(0, 4, Infinity, Infinity, -Infinity, -Infinity);
  for (const ring of shape.rings) {
    movePairs(ring, 0, 2, convert);
    for (let i = 0; i < ring.length; i += 2) widen(shape.box, ring[i], ring[i + 1]);
  }
}

/** Moves the x and y that stand at `from` and behind it in every `step` numbers. */
export function movePairs(numbers, from, step, convert) {
  for (let i = from; i + 1 < numbers.length; i += step) [numbers[i], numbers[i + 1]] = convert(numbers[i], numbers[i + 1]);
}

/** Adds the rings of a flattened geometry to the context's path, in the pixels of `view`. */
export function trace(ctx, shape, view) {
  const { scale, left, top } = view;
  for (const ring of shape.rings) {
    ctx.moveTo(ring[0] * scale - left, ring[1] * scale - top);
    for (let i = 2; i < ring.length; i += 2) ctx.lineTo(ring[i] * scale - left, ring[i + 1] * scale - top);
    if (shape.closed) ctx.closePath();
  }
}

export function inSight(box, view) {
  const { scale, left, top, width, height } = view;
  return box[2] * scale >= left && box[0] * scale <= left + width && box[3] * scale >= top && box[1] * scale <= top + height;
}

/** Metres between two places in degrees; near enough for what is within a city. */
export function distance(lat, lon, otherLat, otherLon) {
  const metre = 111_319.5;
  return Math.hypot((otherLat - lat) * metre, (otherLon - lon) * metre * Math.cos((lat * Math.PI) / 180));
}
