// Waits for the first sign of life and the first fix of one device, by asking every two seconds.
//
//   waiting --message--> heard --position that is not believed--> doubt
//   any of them --fix of this device--> fixed, and there it stays

const POLL_MS = 2000;
const PATIENCE_MS = 60_000;
const LOOK_BACK_MS = 600_000; // a phone may send first what it has kept

export class Watch {
  state = "waiting";
  fix = null; // {time, accuracy}: ms, metres or null
  first = true; // false: the phone had reported before we looked
  doubt = null; // {flags, accuracy} of a point that was not taken
  lost = false;
  #before; // last message when we began
  #seen = null; // fix time when we began
  #began = performance.now();
  #timer = 0;
  #stopped = false;

  /** `fetchUnit()` and `fetchPoints(from)` ask the server; `onChange` is told after every answer. */
  constructor({ device, fetchUnit, fetchPoints, onChange }) {
    Object.assign(this, { device, fetchUnit, fetchPoints, onChange });
    this.#poll();
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Nothing came although there was time enough. */
  get slow() {
    return this.state === "waiting" && performance.now() - this.#began > PATIENCE_MS;
  }

  async #poll() {
    try {
      await this.#look();
      this.lost = false;
    } catch {
      this.lost = true;
    }
    if (this.#stopped) return;
    this.onChange();
    if (this.state !== "fixed") this.#timer = setTimeout(() => this.#poll(), POLL_MS);
  }

  async #look() {
    const unit = await this.fetchUnit();
    const own = unit.position && unit.position.device === this.device ? unit.position : null;
    if (this.#before === undefined) {
      this.#before = unit.last_message ?? 0;
      this.#seen = own?.fix_time ?? null;
      if (own && unit.state === "ONLINE_FIX") {
        this.first = false;
        this.#fixed(own);
      }
      return;
    }
    if (own && own.fix_time !== this.#seen) {
      this.first = this.#seen === null;
      this.#fixed(own);
      return;
    }
    if (!unit.last_message || unit.last_message === this.#before) return;
    // Something came. Was it ours, and if it was a position, why is the unit not there?
    const { points } = await this.fetchPoints(Math.max(0, (this.#before || unit.last_message) - LOOK_BACK_MS));
    const point = points.filter((one) => one.device === this.device && one.server_time > this.#before).at(-1);
    if (point && !disbelieved(point)) this.#fixed(point);
    else if (point) [this.state, this.doubt] = ["doubt", point];
    else if (unit.devices.length === 1) this.state = "heard";
  }

  #fixed({ fix_time: time, accuracy }) {
    this.state = "fixed";
    this.fix = { time, accuracy };
  }
}

// Another device may be the one that the unit is followed by; a fix of this one is a fix all the same.
const DISBELIEVED = new Set(["future", "jump", "inaccurate"]);

function disbelieved(point) {
  return point.flags.some((flag) => DISBELIEVED.has(flag));
}
