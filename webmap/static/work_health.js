// How the phone is: told once a minute, and at once when its position is switched off.

const EVERY_MS = 60_000;
const FIX = { found: "3d", searching: "none", away: "none", denied: "denied", insecure: "off", off: "off" };
const NETS = { "slow-2g": "2g", "2g": "2g", "3g": "3g", "4g": "4g" };

export class Health {
  #began = Date.now();
  #told = "";
  #at = 0;
  #battery = null;

  /** {position, outbox, link, wanted()} */
  constructor(parts) {
    Object.assign(this, parts);
    navigator.getBattery?.().then((battery) => (this.#battery = battery), () => {});
    setInterval(() => this.look(), 5_000);
  }

  /** Only over a link that stands: an old reading is of no use to anybody. */
  look() {
    const fix = FIX[this.position.state];
    const now = Date.now();
    if (!this.link.online || !this.wanted() || (now - this.#at < EVERY_MS && fix === this.#told)) return;
    this.#at = now;
    this.#told = fix;
    const { connection } = navigator;
    const net = connection?.type === "wifi" ? "wifi" : NETS[connection?.effectiveType] ?? null;
    const battery = this.#battery ? { battery: Math.round(100 * this.#battery.level), charging: this.#battery.charging } : {};
    const message = { t: "health", now, ...battery, net, fix, screen: document.visibilityState === "visible", uptime: Math.round((now - this.#began) / 1000), queue: this.outbox.positions };
    this.outbox.add(message).then(() => this.link.pump(), () => {});
  }
}
