// Fetches the part of the trails that lies before this page was opened; the feed grows them from there.

import { api } from "./api.js";
import { TRAIL_MS } from "./state.js";

const AT_ONCE = 3; // requests: history must not crowd out the rest
const DISBELIEVED = new Set(["duplicate", "future", "late", "secondary", "jump", "inaccurate"]);
const MOST = 60; // trails fetched for "all": beyond that they grow live only

export class TrailLoader {
  #running = 0;
  #waiting = [];
  #asked = new Map(); // unit -> the moment from which its trail was asked for

  constructor({ units, clock, onLoaded, onError }) {
    Object.assign(this, { units, clock, onLoaded, onError });
  }

  /** Asks for the trails of these units unless that was done; the first in the list come first. */
  want(ids) {
    for (const id of ids.slice(0, MOST)) {
      if (this.#asked.has(id)) continue;
      this.#asked.set(id, this.clock.now());
      this.#waiting.push(id);
    }
    this.#next();
  }

  /** After a broken link the trails have holes: ask again when they are wanted again. */
  forget() {
    this.#asked.clear();
    this.#waiting = [];
  }

  #next() {
    while (this.#running < AT_ONCE && this.#waiting.length) {
      this.#running += 1;
      this.#fetch(this.#waiting.shift()).finally(() => {
        this.#running -= 1;
        this.#next();
      });
    }
  }

  async #fetch(id) {
    const since = this.clock.now() - TRAIL_MS;
    try {
      const track = await api.track(id, since);
      const points = (track?.points ?? [])
        .filter((point) => typeof point.lat === "number" && typeof point.lon === "number" && !(point.flags ?? []).some((flag) => DISBELIEVED.has(flag)))
        .map((point) => [typeof point.fix_time === "number" ? point.fix_time : Date.parse(point.fix_time), point.lat, point.lon])
        .filter(([time]) => time >= since)
        .sort((a, b) => a[0] - b[0]);
      this.units.backfill(id, points);
      this.onLoaded();
    } catch (error) {
      this.#asked.delete(id);
      this.onError(error);
    }
  }
}
