// The link to the server: a WebSocket, its timers, and coming back when it is gone.
//
// `status` is what a person is told: "connecting", "online", "busy" (the server asks for patience), "offline" (comes
// back by itself at `retryAt`), or "refused" (it does not; `why` is the server's word).

import { Client } from "./work_client.js";

const LASTING = new Set(["bad_token", "app_too_old", "version", "crs_undeclared", "taken_over"]);
const REFUSED_MS = 60_000; // a device that is not known is asked for again after so long
const OPEN_MS = 20_000; // a socket that does not open by then will not

export class Link {
  status = "connecting";
  why = "";
  retryAt = 0;
  offset = 0; // ms: the server's clock is so far ahead of the phone's
  name = "";
  #socket = null;
  #failures = 0;
  #timer = 0;
  #again = 0;
  #pumping = false;
  #more = false;

  /** {identity: {device, token}, outbox, onMessage(message), onChange()} */
  constructor(parts) {
    Object.assign(this, parts);
    this.client = new Client(this.identity.device, this.identity.token, this.outbox);
    window.addEventListener("online", () => this.now());
    window.addEventListener("offline", () => this.#lost());
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.now());
  }

  get online() {
    return this.status === "online";
  }

  /** The server's time, ms. */
  get time() {
    return Date.now() + this.offset;
  }

  start() {
    if (this.#socket) return;
    clearTimeout(this.#again);
    this.#tell("connecting");
    const address = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/handheld`;
    const socket = new WebSocket(address);
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    const late = setTimeout(() => socket.readyState === WebSocket.CONNECTING && this.#lost(), OPEN_MS);
    socket.onopen = () => {
      clearTimeout(late);
      if (socket !== this.#socket) return;
      this.client.connected(Date.now());
      this.pump();
    };
    socket.onmessage = (event) => socket === this.#socket && this.#receive(event.data);
    socket.onclose = () => {
      clearTimeout(late);
      if (socket === this.#socket) this.#lost();
    };
  }

  /** Comes back at once instead of later: the network is there again, or the person asks. */
  now() {
    if (this.#socket || (this.status === "refused" && LASTING.has(this.why))) return;
    this.#failures = 0;
    this.start();
  }

  /** Sends what there is to send. */
  async pump() {
    this.#more = true;
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#more) {
        this.#more = false;
        const socket = this.#socket;
        for (const bytes of await this.client.toSend(Date.now())) {
          if (socket && socket === this.#socket && socket.readyState === WebSocket.OPEN) socket.send(bytes);
        }
      }
    } finally {
      this.#pumping = false;
    }
    if (this.client.state === "closing") this.#lost();
    else this.#wind();
  }

  done(id, ok, text) {
    this.client.done(id, ok, text);
    this.pump();
  }

  #receive(data) {
    let message;
    try {
      message = this.client.receive(new Uint8Array(data), Date.now());
    } catch (error) {
      console.warn("the server said what nobody understands", error.message);
      this.#lost();
      return;
    }
    if (message?.t === "welcome") {
      this.#failures = 0;
      this.offset = message.now - Date.now();
      this.name = message.name;
      this.#tell("online");
    } else if (message?.t === "busy") this.#tell("busy");
    else if (message?.t === "error") {
      this.why = message.code;
      this.#lost("refused");
    }
    if (message) this.onMessage(message);
    this.pump();
  }

  #lost(status = "offline") {
    const socket = this.#socket;
    if (!socket) return;
    this.#socket = null;
    clearTimeout(this.#timer);
    socket.close();
    if (this.client.state !== "offline") this.client.disconnected();
    const lasting = status === "refused" && LASTING.has(this.why);
    const pause = status === "refused" ? REFUSED_MS : this.client.delay(this.#failures);
    this.#failures += 1;
    this.retryAt = lasting ? 0 : Date.now() + pause;
    if (!lasting) this.#again = setTimeout(() => this.start(), pause);
    this.#tell(status);
  }

  #wind() {
    clearTimeout(this.#timer);
    const due = this.client.timer;
    if (due === null || due === Infinity) return;
    this.#timer = setTimeout(() => {
      const before = this.client.state;
      this.client.tick(Date.now());
      if (before === "paused" && this.client.state === "online") this.#tell("online");
      this.pump();
    }, Math.max(0, due - Date.now()));
  }

  #tell(status) {
    this.status = status;
    this.onChange();
  }
}
