// The phone's side of the handheld conversation, by the rules of protocols/handheld/client.py: what has to be
// remembered, without a socket or a clock. `TABLE` is the machine; what is missing in a row is the server's fault.

import { decode, encode } from "./work_msgpack.js";

export const VERSION = "1.0.0";
const WINDOW = 8; // messages under way, below what the server allows
const SILENCE_MS = 60_000; // an answer is owed and does not come for so long: the link is given up
const RETRY_LIMIT_S = 3600;
const RECONNECT_LIMIT_MS = 600_000;

const TABLE = {
  offline: { connected: "greeting", disconnected: "offline" },
  greeting: { welcome: "online", busy: "waiting", error: "closing", silence: "closing", disconnected: "offline" },
  waiting: { retry: "greeting", error: "closing", disconnected: "offline" },
  online: { ack: "online", pong: "online", command: "online", told: "online", busy: "paused", error: "closing", silence: "closing", disconnected: "offline" },
  paused: { ack: "paused", pong: "paused", command: "paused", told: "paused", busy: "paused", error: "closing", retry: "online", disconnected: "offline" },
  closing: { welcome: "closing", ack: "closing", pong: "closing", command: "closing", told: "closing", busy: "closing", error: "closing", disconnected: "offline" },
};
const TOLD = new Set(["words", "held", "task", "revoke", "standing", "sos", "notice"]);
const ANSWERS = new Set(["welcome", "ack", "pong", "command", "busy", "error"]);

export class Client {
  state = "offline";
  reconnect = 0; // ms: the pause that the server has told this phone
  #out = [];
  #heartbeat = null;
  #lastSent = 0;
  #progress = 0; // when something was last acknowledged, or began to wait
  #retryAt = 0;
  #links = 0;

  constructor(device, token, outbox) {
    this.outbox = outbox;
    this.hello = { t: "hello", v: 1, device, token, app: VERSION, crs: "wgs84", tasks: true };
  }

  connected(now) {
    this.#step("connected");
    this.#out = [];
    this.#hail(now);
  }

  disconnected() {
    this.#step("disconnected");
    this.#links += 1;
    this.#out = [];
    this.outbox.rewind();
    this.#heartbeat = null;
  }

  /** How long to wait before the next link, ms; `failures`: attempts in a row that brought no welcome. */
  delay(failures) {
    const pause = Math.min(1000 * 2 ** Math.min(failures, 6), 60_000);
    return pause + (this.reconnect || Math.random() * pause);
  }

  /** What one message of the server means: itself, or null for what is passed over. Throws if it is none. */
  receive(bytes, now) {
    if (this.state === "offline") return null;
    const message = decode(bytes);
    const kind = message?.t;
    const event = TOLD.has(kind) ? "told" : ANSWERS.has(kind) ? kind : null;
    if (event === null) return null;
    this.#step(event);
    if (this.state === "closing" && kind !== "error" && kind !== "ack") return null;
    if (kind === "welcome") {
      this.#heartbeat = 1000 * Math.max(1, message.heartbeat);
      this.outbox.allow(message.batch_max);
      this.reconnect = Math.min(message.reconnect ?? 0, RECONNECT_LIMIT_MS);
      this.#progress = now;
    } else if (kind === "ack") {
      message.gone = this.outbox.acknowledge(message.seq);
      this.#progress = now;
    } else if (kind === "busy") this.#retryAt = now + 1000 * Math.min(message.retry, RETRY_LIMIT_S);
    return message;
  }

  /** The messages to write now. One call at a time: the queue is on a disk, which takes its time. */
  async toSend(now) {
    const link = this.#links;
    if (this.state === "online") {
      if (!this.outbox.flying) this.#progress = now;
      while (this.state === "online" && this.outbox.flying < WINDOW) {
        const message = await this.outbox.next(now);
        if (link !== this.#links) {
          this.outbox.rewind(); // it would have gone out over a link that is gone
          return [];
        }
        if (!message) break;
        this.#out.push(encode(message));
      }
    }
    const out = this.#out;
    this.#out = [];
    if (out.length) this.#lastSent = now;
    return out;
  }

  /** When `tick` wants to be called, ms; null for not at all. */
  get timer() {
    if (this.state === "waiting" || this.state === "paused") return this.#retryAt;
    if (this.state !== "greeting" && this.state !== "online") return null;
    const due = this.#awaiting ? this.#progress + SILENCE_MS : Infinity;
    const beat = this.#heartbeat === null ? Infinity : this.#lastSent + this.#heartbeat;
    return Math.min(due, beat);
  }

  /** Goes on after `busy`, pings when nothing was sent for the heartbeat, gives a silent link up. */
  tick(now) {
    const before = this.state;
    if (before === "waiting" || before === "paused") {
      if (now < this.#retryAt) return;
      this.#step("retry");
      this.outbox.rewind();
      if (before === "waiting") this.#hail(now);
    } else if (before === "greeting" || before === "online") {
      if (this.#awaiting && now >= this.#progress + SILENCE_MS) this.#step("silence");
      else if (this.#heartbeat !== null && now >= this.#lastSent + this.#heartbeat) this.#say({ t: "ping", now });
    }
  }

  /** Answers a command; lost with the link, the server then asks again. */
  done(id, ok, text = "") {
    this.#say({ t: "done", id, ok, text });
  }

  get #awaiting() {
    return this.state === "greeting" || this.outbox.flying > 0;
  }

  #hail(now) {
    this.#progress = now;
    this.#out.push(encode({ ...this.hello, now }));
  }

  #say(message) {
    if (this.state === "online" || this.state === "paused") this.#out.push(encode(message));
  }

  #step(event) {
    const after = TABLE[this.state][event];
    if (after === undefined) throw new Error(`${event} in state ${this.state}`);
    this.state = after;
  }
}
