// The live feed: one WebSocket that is connecting, live or broken, and comes back by itself.
//
//   connecting --first frame--> live --silence, close--> broken --back-off--> connecting (keeps what it knows)
//
// After a break it asks to go on from the last sequence number of the same server instance.

const SILENCE_MS = 12_000; // the server says something at least every 5 s
const BACKOFF_MS = [1000, 2000, 4000, 8000, 15_000];
const SESSION_ENDED = 4401;
export const BEHIND_MS = 5000;

export class Feed {
  link = "connecting";
  behind = 0;
  lastFrame = null; // performance.now() of the newest frame
  instance = null;
  seq = null;
  #socket = null;
  #attempt = 0;
  #retry = 0;
  #watch = { box: null, follow: null };
  #had = null; // what the last full frame was for: box and followed unit

  /** `handlers`: hello, roster, frame, notice (message), desk (version) and link() on every change of the link's state. */
  constructor(url, handlers) {
    this.url = url;
    this.handlers = handlers;
    setInterval(() => this.#listen(), 1000);
    window.addEventListener("online", () => this.link === "broken" && this.connect());
  }

  connect() {
    clearTimeout(this.#retry);
    this.#drop();
    const socket = new WebSocket(this.url);
    this.#socket = socket;
    this.opened = performance.now();
    socket.onopen = () => this.#send(true);
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = (event) => {
      if (socket === this.#socket) this.#lost(event.code);
    };
    this.handlers.link();
  }

  /** What the viewer looks at: box [south, west, north, east] and the unit to be told of wherever it is. */
  watch(box, follow) {
    this.#watch = { box, follow };
    if (this.#socket?.readyState === WebSocket.OPEN) this.#send(false);
  }

  /** Age of what is on the screen, or null when nothing ever came. */
  age(clock = performance.now()) {
    return this.lastFrame === null ? null : clock - this.lastFrame;
  }

  get live() {
    return this.link === "live" && this.behind <= BEHIND_MS;
  }

  #send(first) {
    const resumes = first && this.seq !== null;
    const resume = resumes ? { since: this.seq, instance: this.instance, had: this.#had } : { since: null, instance: null };
    this.#socket.send(JSON.stringify({ op: "watch", ...this.#watch, ...resume }));
  }

  #receive(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return; // not ours to understand; silence will tell
    }
    if (message.op === "hello") {
      if (message.instance !== this.instance) this.seq = null;
      this.instance = message.instance;
      this.handlers.hello(message);
    } else if (message.op === "roster") {
      this.handlers.roster(message);
    } else if (message.op === "notice") {
      this.handlers.notice(message);
    } else if (message.op === "desk") {
      this.handlers.desk?.(message.version);
    } else if (message.op === "full" || message.op === "delta") {
      this.seq = message.seq;
      if (message.op === "full") this.#had = { box: message.box, follow: message.follow };
      this.lastFrame = performance.now();
      this.#attempt = 0;
      const behind = message.behind ?? 0;
      const changed = this.link !== "live" || behind > BEHIND_MS !== this.behind > BEHIND_MS;
      this.behind = behind;
      this.link = "live";
      this.handlers.frame(message);
      if (changed) this.handlers.link();
    }
  }

  #listen() {
    const quiet = performance.now() - Math.max(this.lastFrame ?? 0, this.opened ?? 0);
    if (this.#socket && quiet > SILENCE_MS) this.#lost(0);
  }

  #lost(code) {
    this.#drop();
    if (code === SESSION_ENDED) {
      this.handlers.ended();
      return;
    }
    this.link = "broken";
    const wait = BACKOFF_MS[Math.min(this.#attempt, BACKOFF_MS.length - 1)];
    this.#attempt += 1;
    // Half fixed, half chance: after a restart of the server all seats must not come at the same moment.
    this.#retry = setTimeout(() => this.connect(), wait / 2 + (Math.random() * wait) / 2);
    this.handlers.link();
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }
}
