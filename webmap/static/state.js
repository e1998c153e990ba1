// All units as the feed tells them: the roster (who they are) and the newest state (where, since when).

import { movePairs } from "./geo.js";
import { plane } from "./projection.js";

export const ONLINE_FIX = 0;
export const ONLINE_NO_FIX = 1;
export const STALE = 2;
export const OFFLINE = 3;
export const OFF_SHIFT = 4;
export const STATES = [ONLINE_FIX, ONLINE_NO_FIX, STALE, OFFLINE, OFF_SHIFT];

export const TRAIL_MS = 600_000;
const TRAIL_STEP_MS = 2500;
const TRAIL_POINTS = TRAIL_MS / TRAIL_STEP_MS;
const GLIDE_UNITS = 600; // with more units in the roster positions jump: gliding costs a drawing per frame
export const GLIDE_MS = 900;

function newUnit(id) {
  return {
    id, name: id, kind: "person", team: "", street: "", grid: null, protocol: "",
    state: OFF_SHIFT, lat: null, lon: null, x: 0, y: 0, fromX: 0, fromY: 0, movedAt: -Infinity, near: false,
    course: null, speed: null, fix: null, seen: null, accuracy: null, alarm: 0, battery: null, gridNow: null, cellNow: null,
    flags: 0, trail: [], item: undefined,
  };
}

export function isSos(unit) {
  return (unit.alarm & 1) === 1;
}

export class Units {
  all = new Map();
  #calls = 0; // changes of who calls for help
  /** Grows with every change of roster, filterable attributes or state: whoever sorts the list compares it. */
  version = 0;
  /** Grows when units come, go, or are called otherwise. */
  members = 0;

  roster(entries) {
    for (const id of this.all.keys()) if (!Object.hasOwn(entries, id)) this.all.delete(id);
    for (const [id, entry] of Object.entries(entries)) {
      const unit = this.#unit(id);
      unit.name = String(entry.name || id);
      unit.kind = entry.kind === "vehicle" ? "vehicle" : "person";
      unit.team = String(entry.team || "");
      unit.street = String(entry.street || "");
      unit.grid = entry.grid ?? null;
      unit.protocol = String(entry.device_protocol || "");
    }
    this.version += 1;
    this.members += 1;
  }

  /** `near` units are those whose position the server keeps us told of: the watched box and the followed unit.
   *  Answers whether somebody has begun or ceased to call for help. */
  frame(message, clock) {
    const calls = this.#calls;
    if (message.op === "full") for (const unit of this.all.values()) unit.near = false;
    for (const id of message.gone ?? []) {
      const unit = this.all.get(String(id));
      if (unit) unit.near = false;
    }
    for (const [id, state, fix, calls] of message.states ?? []) {
      const unit = this.#unit(String(id));
      this.#state(unit, state);
      this.#alarm(unit, (unit.alarm & ~1) | calls);
      if (fix !== undefined) unit.fix = fix;
    }
    for (const row of message.units ?? []) this.#row(row, clock);
    return calls !== this.#calls;
  }

  counts() {
    const counts = { states: [0, 0, 0, 0, 0], sos: 0 };
    for (const unit of this.all.values()) {
      counts.states[unit.state] += 1;
      if (isSos(unit)) counts.sos += 1;
    }
    return counts;
  }

  /** Points of a unit's trail as [time, lat, lon], merged with those that came live: one point per moment. */
  backfill(id, points) {
    const unit = this.all.get(id);
    if (!unit) return;
    const byTime = new Map(points.map(([time, lat, lon]) => [time, [time, ...plane.place(lat, lon)]]));
    for (let i = 0; i < unit.trail.length; i += 3) byTime.set(unit.trail[i], unit.trail.slice(i, i + 3));
    unit.trail = [...byTime.values()].sort((a, b) => a[0] - b[0]).flat();
  }

  /** The map's plane has changed (projection.js). */
  move(convert) {
    for (const unit of this.all.values()) {
      if (unit.lat !== null) [unit.x, unit.y] = plane.place(unit.lat, unit.lon);
      unit.movedAt = -Infinity;
      movePairs(unit.trail, 1, 3, convert);
    }
  }

  #unit(id) {
    let unit = this.all.get(id);
    if (!unit) {
      unit = newUnit(id);
      this.all.set(id, unit);
      this.version += 1;
      this.members += 1;
    }
    return unit;
  }

  #state(unit, state) {
    if (unit.state === state || !STATES.includes(state)) return;
    unit.state = state;
    this.version += 1;
  }

  #alarm(unit, alarm) {
    if ((unit.alarm & 1) !== (alarm & 1)) {
      this.version += 1;
      this.#calls += 1;
    }
    unit.alarm = alarm;
  }

  #row(row, clock) {
    const [id, lat, lon, course, speed, state, fix, seen, accuracy, alarm, battery, grid, cell, flags] = row;
    const unit = this.#unit(String(id));
    this.#state(unit, state);
    this.#alarm(unit, alarm ?? 0);
    // Thousands a second: one by one, without an object in between.
    unit.course = course;
    unit.speed = speed;
    unit.fix = fix;
    unit.seen = seen;
    unit.accuracy = accuracy;
    unit.battery = battery;
    unit.gridNow = grid;
    unit.cellNow = cell;
    unit.flags = flags ?? 0;
    if (lat !== null && lat !== undefined) this.#place(unit, lat, lon, fix ?? seen, clock);
    unit.near = unit.lat !== null;
  }

  #place(unit, lat, lon, time, clock) {
    if (unit.lat === lat && unit.lon === lon) return;
    const { x, y } = plane.put(lat, lon, moved);
    const jump = !unit.near || Math.abs(x - unit.x) + Math.abs(y - unit.y) > 2e-5; // some 600 m: no glide over the city
    const glides = !jump && this.all.size <= GLIDE_UNITS;
    if (glides) {
      const at = shown(unit, clock);
      unit.fromX = at.x;
      unit.fromY = at.y;
      unit.movedAt = clock;
    } else {
      unit.fromX = x;
      unit.fromY = y;
      unit.movedAt = -Infinity;
    }
    unit.lat = lat;
    unit.lon = lon;
    unit.x = x;
    unit.y = y;
    const trail = unit.trail;
    const { length } = trail;
    if (length === 0 || time > trail[length - 3]) {
      // The newest place is always there; of those before it no more than a line of ten minutes can show.
      if (length < 6 || time - trail[length - 6] >= TRAIL_STEP_MS) trail.push(time, x, y);
      else [trail[length - 3], trail[length - 2], trail[length - 1]] = [time, x, y];
    }
    let stale = Math.max(0, trail.length / 3 - TRAIL_POINTS);
    while (3 * stale < trail.length && trail[3 * stale] < time - TRAIL_MS) stale += 1;
    if (stale) trail.splice(0, 3 * stale);
  }
}

const moved = { x: 0, y: 0 };
const place = { x: 0, y: 0, moving: false };

/** Where a unit is drawn at `clock` (ms of performance.now). The returned object is reused by the next call. */
export function shown(unit, clock) {
  const part = (clock - unit.movedAt) / GLIDE_MS;
  place.moving = part < 1;
  const eased = place.moving ? 1 - (1 - part) * (1 - part) : 1;
  place.x = unit.fromX + (unit.x - unit.fromX) * eased;
  place.y = unit.fromY + (unit.y - unit.fromY) * eased;
  return place;
}
