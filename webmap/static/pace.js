// How often the page is brought up to date. What a person does is shown with the next frame. What the feed tells may
// wait: ten times a second for a county's units, but for a city's thousands never more than an eightieth of the
// machine's time, and at the latest after a second. Pixels that nobody could see change are not worth a stutter.

const SHARE = 1 / 80;
const LATEST_MS = 1000;
const WEIGHT = 0.3; // of the newest cost in what is expected

export class Pace {
  #frame = 0;
  #timer = 0;
  #next = 0;
  #cost = 0;

  /** `work(time)` runs in an animation frame; while `busy()` says that a hand is moving the map, as rarely as may be. */
  constructor(work, busy) {
    this.work = work;
    this.busy = busy;
  }

  /** With the next frame. */
  soon() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#frame ||= requestAnimationFrame((time) => this.#run(time));
  }

  /** When its time has come. */
  later() {
    if (this.#frame || this.#timer) return;
    const wait = this.#next - performance.now();
    if (wait <= 0) this.soon();
    else this.#timer = setTimeout(() => this.soon(), wait);
  }

  #run(time) {
    const began = performance.now();
    this.#frame = 0;
    this.work(time);
    // A message comes back after layout and drawing, which cost as much as our own part.
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      this.#cost += (performance.now() - began - this.#cost) * WEIGHT;
      this.#next = began + (this.busy() ? LATEST_MS : Math.min(LATEST_MS, this.#cost / SHARE));
    };
    port2.postMessage(null);
    this.#next = began + LATEST_MS;
  }
}
