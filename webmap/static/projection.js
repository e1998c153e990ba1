// Where a place is on the plane of the map. Everything in the console is WGS-84 degrees; a base map in GCJ-02 (高德)
// is drawn in shifted degrees, some 500 m away. So the plane itself is shifted, here and nowhere else: `plane` turns
// WGS-84 into the plane's numbers for our own canvases, and `crs` does the same for Leaflet. All that has degrees
// then falls on the right street by itself, clicks and boxes come back in WGS-84, and the tiles, which are counted on
// the plane, lie where they are.

const { L } = window;
const A = 6378245.0;
const EE = 0.00669342162296594323;
const STEPS = 8; // the shift changes by less than 1 in 100 over its own length: each step gains two digits and more
const EXACT = 1e-10; // degrees

function inChina(lat, lon) {
  return lon >= 72.004 && lon <= 137.8347 && lat >= 0.8293 && lat <= 55.8271;
}

function waves(x, y) {
  return ((20 * Math.sin(6 * x * Math.PI) + 20 * Math.sin(2 * x * Math.PI)) * 2) / 3 + y;
}

function shift(lat, lon) {
  const x = lon - 105;
  const y = lat - 35;
  const root = Math.sqrt(Math.abs(x));
  let north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + waves(x, 0);
  north += ((20 * Math.sin(y * Math.PI) + 40 * Math.sin((y / 3) * Math.PI)) * 2) / 3;
  north += ((160 * Math.sin((y / 12) * Math.PI) + 320 * Math.sin((y * Math.PI) / 30)) * 2) / 3;
  let east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + waves(x, 0);
  east += ((20 * Math.sin(x * Math.PI) + 40 * Math.sin((x / 3) * Math.PI)) * 2) / 3;
  east += ((150 * Math.sin((x / 12) * Math.PI) + 300 * Math.sin((x / 30) * Math.PI)) * 2) / 3;
  const angle = (lat * Math.PI) / 180;
  const magic = 1 - EE * Math.sin(angle) ** 2;
  return [(north * 180) / (((A * (1 - EE)) / (magic * Math.sqrt(magic))) * Math.PI), (east * 180) / ((A / Math.sqrt(magic)) * Math.cos(angle) * Math.PI)];
}

/** WGS-84 to GCJ-02, [lat, lon] in degrees; outside China's box nothing is shifted. */
export function toGcj02(lat, lon) {
  if (!inChina(lat, lon)) return [lat, lon];
  const [north, east] = shift(lat, lon);
  return [lat + north, lon + east];
}

/** GCJ-02 to WGS-84, [lat, lon] in degrees. The shift has no closed inverse: it is found step by step. */
export function fromGcj02(lat, lon) {
  if (!inChina(lat, lon)) return [lat, lon];
  let [there, beside] = [lat, lon];
  for (let step = 0; step < STEPS; step += 1) {
    const [north, east] = shift(there, beside);
    const [up, right] = [lat - north - there, lon - east - beside];
    there += up;
    beside += right;
    if (Math.abs(up) + Math.abs(right) < EXACT) break;
  }
  return [there, beside];
}

const LIMIT = 85;

function mercatorY(lat) {
  const sine = Math.sin((Math.max(-LIMIT, Math.min(LIMIT, lat)) * Math.PI) / 180);
  return 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI);
}

/** Web Mercator by hand: places become numbers between 0 and 1 once, a view turns them into pixels with one
 *  multiplication each. Leaflet's own projection makes an object per point, too slow for thousands per frame. */
class Plane {
  system = "wgs84";

  /** The plane's [x, y] of a place in WGS-84 degrees. */
  place(lat, lon) {
    const [shownLat, shownLon] = this.shown(lat, lon);
    return [(shownLon + 180) / 360, mercatorY(shownLat)];
  }

  /** WGS-84 degrees of the plane's numbers. */
  degrees(x, y) {
    const lat = (Math.atan(Math.sinh((1 - 2 * y) * Math.PI)) * 180) / Math.PI;
    return this.real(lat, x * 360 - 180);
  }

  /** The same, written into `at`; `x` and `y`. Thousands a second: without an array for each. */
  put(lat, lon, at) {
    if (this.system === "wgs84") {
      at.x = (lon + 180) / 360;
      at.y = mercatorY(lat);
    } else [at.x, at.y] = this.place(lat, lon);
    return at;
  }

  shown(lat, lon) {
    return this.system === "gcj02" ? toGcj02(lat, lon) : [lat, lon];
  }

  real(lat, lon) {
    return this.system === "gcj02" ? fromGcj02(lat, lon) : [lat, lon];
  }

  /** From now on the plane is of another system. Answers what turns old numbers into new ones, or null: no change. */
  use(system) {
    if (system === this.system) return null;
    const before = new Plane();
    before.system = this.system;
    this.system = system;
    return (x, y) => this.place(...before.degrees(x, y));
  }
}

export const plane = new Plane();

const { SphericalMercator } = L.Projection;

/** Leaflet's Web Mercator over the same plane; its latitudes and longitudes are WGS-84. */
export const crs = L.extend({}, L.CRS.EPSG3857, {
  projection: L.extend({}, SphericalMercator, {
    project({ lat, lng }) {
      return SphericalMercator.project(L.latLng(plane.shown(lat, lng)));
    },
    unproject(point) {
      const { lat, lng } = SphericalMercator.unproject(point);
      return L.latLng(plane.real(lat, lng));
    },
  }),
});
