// Web Mercator by hand: places become numbers between 0 and 1 once, a view turns them into pixels with one
// multiplication each. Leaflet's own projection makes an object per point, too slow for thousands per frame.

export function mercatorX(lon) {
  return (lon + 180) / 360;
}

export function mercatorY(lat) {
  const sine = Math.sin((Math.max(-85, Math.min(85, lat)) * Math.PI) / 180);
  return 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI);
}

/** Metres on the ground for one unit of Mercator length at this latitude. */
export function metresPerUnit(lat) {
  return 40_075_016.686 * Math.cos((lat * Math.PI) / 180);
}

/** A GeoJSON geometry as {rings: [Float64Array x,y,x,y...], box, closed, parts} in Mercator numbers. */
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
      const x = (flat[2 * i] = mercatorX(lon));
      const y = (flat[2 * i + 1] = mercatorY(lat));
      box[0] = Math.min(box[0], x);
      box[1] = Math.min(box[1], y);
      box[2] = Math.max(box[2], x);
      box[3] = Math.max(box[3], y);
    });
    return flat;
  });
  return { rings, box, closed: geometry.type.endsWith("Polygon") };
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
