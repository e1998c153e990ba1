// Where an address is: coordinates in it, or the name of a grid, a street or a place of the map.

import { fromGcj02, plane } from "./projection.js";

const NUMBERS = /(-?\d{1,3}\.\d{2,})\s*°?\s*[,，;；\s/]\s*(-?\d{1,3}\.\d{2,})/;
const SHORTEST = 2; // letters of a name that means a place
const SPAN = 0.0008; // degrees around a named point
const BD_PI = (Math.PI * 3000) / 180;

export const SYSTEMS = ["wgs84", "gcj02", "bd09"];

/** The two numbers in a text as {lat, lon}, in whatever order they stand; null without. */
export function coordinatesIn(text) {
  const found = NUMBERS.exec(text);
  if (!found) return null;
  const [one, other] = [Number(found[1]), Number(found[2])];
  // East of India a longitude is larger than any latitude: the order tells itself.
  const [lat, lon] = Math.abs(one) > 60 && Math.abs(other) <= 60 ? [other, one] : [one, other];
  return Math.abs(lat) <= 85 && Math.abs(lon) <= 180 ? { lat, lon } : null;
}

/** WGS-84 of coordinates in one of the systems. */
export function toWgs84({ lat, lon }, system) {
  if (system === "wgs84") return [lat, lon];
  return fromGcj02(...(system === "gcj02" ? [lat, lon] : fromBd09(lat, lon)));
}

function fromBd09(lat, lon) {
  const [x, y] = [lon - 0.0065, lat - 0.006];
  const z = Math.hypot(x, y) - 0.00002 * Math.sin(y * BD_PI);
  const angle = Math.atan2(y, x) - 0.000003 * Math.cos(x * BD_PI);
  return [z * Math.sin(angle), z * Math.cos(angle)];
}

/** The longest name of the city's that stands in an address: {name, box} in numbers of the plane, or null. */
export function namedIn(address, grids, basemap) {
  const words = address.toLocaleLowerCase();
  let best = null;
  const look = (name, box) => {
    const low = String(name ?? "").toLocaleLowerCase();
    if (low.length < SHORTEST || !words.includes(low) || low.length <= (best?.name.length ?? 0)) return;
    best = { name: low, box: box() };
  };
  for (const grid of grids.grids) {
    for (const key of ["name", "name_en"]) look(grid.properties[key], () => grid.box);
    look(grid.properties.street, () => grids.box(grid.properties.street));
  }
  for (const label of basemap.labels) for (const key of ["name", "name_en"]) look(label[key], () => around(label));
  return best;
}

function around(label) {
  const [lat, lon] = plane.degrees(label.x, label.y);
  const [west, north] = plane.place(lat + SPAN, lon - SPAN);
  const [east, south] = plane.place(lat - SPAN, lon + SPAN);
  return [west, north, east, south];
}
