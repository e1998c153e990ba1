// Where the phone is, while the page is open and its person on duty.

const EVERY_MS = 5_000; // with a task; without one three times as long
const QUIET_MS = 30_000; // a phone that stands still is asked, so that silence means something
const OLD_MS = 60_000; // an older place is not shown as where one is
const OPTIONS = { enableHighAccuracy: true, maximumAge: 1_000, timeout: 25_000 };

export class Position {
  last = null; // {at, lat, lon, accuracy, speed, course}, degrees, metres, m/s
  state = "off"; // "off", "searching", "found", "denied", "away" (nothing to be found), "insecure"
  #watch = null;
  #kept = 0;
  #asked = 0;
  #since = 0;
  #missed = 0;
  #waiting = new Set();

  /** {busy(): with a task, onFix(position as the protocol has it), onChange()} */
  constructor(parts) {
    Object.assign(this, parts);
    setInterval(() => this.#quiet(), 10_000);
  }

  get running() {
    return this.#watch !== null;
  }

  get fresh() {
    return this.last !== null && Date.now() - this.last.at < OLD_MS;
  }

  start() {
    if (this.running) return;
    if (!window.isSecureContext || !navigator.geolocation) {
      this.#tell("insecure");
      return;
    }
    this.#tell("searching");
    this.#since = this.#missed = Date.now();
    this.#kept = 0;
    this.#watch = navigator.geolocation.watchPosition((found) => this.#found(found), (error) => this.#failed(error), OPTIONS);
  }

  stop() {
    if (this.running) navigator.geolocation.clearWatch(this.#watch);
    this.#watch = null;
    this.#tell("off");
  }

  /** One fix now, on duty or not, whoever brings it first: as the protocol has it, or null. */
  now(patience = 12_000) {
    return new Promise((resolve) => {
      if (!window.isSecureContext || !navigator.geolocation) {
        resolve(null);
        return;
      }
      const failed = () => {
        this.#waiting.delete(resolve);
        resolve(null);
      };
      this.#waiting.add(resolve);
      navigator.geolocation.getCurrentPosition((found) => this.#remember(found), failed, { ...OPTIONS, timeout: patience });
    });
  }

  /** The last fix as an array of the protocol; `alarm` bits besides. */
  point(alarm = 0) {
    const { at, lat, lon, accuracy, speed, course, altitude } = this.last;
    return [at, Math.round(lat * 1e7), Math.round(lon * 1e7), whole(accuracy * 10, 1_000_000), whole(speed * 100, 100_000), course === null ? null : Math.round(course) % 360, altitude, 0, alarm];
  }

  #remember({ timestamp, coords }) {
    const { latitude, longitude, accuracy, speed, heading, altitude } = coords;
    const high = altitude === null || !Number.isFinite(altitude) ? null : Math.max(-1000, Math.min(20_000, Math.round(altitude)));
    const course = heading === null || !Number.isFinite(heading) ? null : heading;
    this.last = { at: Math.round(timestamp), lat: latitude, lon: longitude, accuracy, speed: speed ?? 0, course, altitude: high };
    for (const resolve of this.#waiting) resolve(this.point());
    this.#waiting.clear();
    this.#tell("found");
  }

  #found(found) {
    this.#remember(found);
    const now = Date.now();
    if (this.last.at < this.#since) return; // before one came on duty: nobody's business
    if (now - this.#kept < (this.busy() ? EVERY_MS : 3 * EVERY_MS) - 500) return;
    this.#kept = now;
    this.onFix(this.point());
  }

  #failed(error) {
    this.#tell(error.code === 1 ? "denied" : "away");
    const now = Date.now();
    if (now - Math.max(this.#kept, this.#missed) < QUIET_MS) return;
    this.#missed = now;
    this.onFix([now, null, null]); // it looked and found nothing: that is news too
  }

  #quiet() {
    const now = Date.now();
    if (!this.running || now - Math.max(this.#kept, this.#missed, this.#asked) < QUIET_MS || document.visibilityState !== "visible") return;
    this.#asked = now;
    navigator.geolocation.getCurrentPosition((found) => this.#found(found), (error) => this.#failed(error), OPTIONS);
  }

  #tell(state) {
    this.state = state;
    this.onChange();
  }
}

function whole(value, limit) {
  return Number.isFinite(value) ? Math.max(0, Math.min(limit, Math.round(value))) : null;
}
