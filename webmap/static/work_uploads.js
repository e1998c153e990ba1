// Photos and voice notes on their way: one after the other, in pieces, each from where the server says it stopped. What
// is wholly there is forgotten here.

const PIECE = 256 * 1024; // bytes; the server takes twice as much, a poor network does not
const FINAL = new Set([404, 410, 413, 415, 422]); // sent again it would be the same
const NEVER = new Set(["length"]); // so would this
const OFF_DUTY_TRIES = 8; // the answer that it belongs to may be on its way still
const LONGEST_MS = 60_000;

export class Uploads {
  all = []; // {sha, blob, type, size, at, task, attempt, problem, offset, failed}, oldest first
  current = ""; // which one is under way
  retryAt = 0;
  #running = false;
  #timer = 0;
  #failures = 0;
  #sent = new Set(); // also while the store does not know it yet

  /** {store, identity, onChange()} */
  constructor(parts) {
    Object.assign(this, parts);
    window.addEventListener("online", () => this.now());
  }

  async load() {
    this.all = (await this.store.all("files")).sort((a, b) => a.at - b.at);
  }

  /** New ones are there, or the network is. */
  async now() {
    this.#failures = 0;
    clearTimeout(this.#timer);
    const known = new Map(this.all.map((file) => [file.sha, file]));
    const kept = (await this.store.all("files")).filter((file) => !this.#sent.has(file.sha)).sort((one, other) => one.at - other.at);
    // What has come since the page was opened was never begun; of the rest the server knows how far it is.
    this.all = kept.map((file) => known.get(file.sha) ?? { ...file, offset: 0 });
    this.onChange();
    if (!this.#running) await this.#run();
  }

  get bytes() {
    return this.all.reduce((sum, file) => sum + file.size - (file.offset ?? 0), 0);
  }

  async #run() {
    this.#running = true;
    try {
      for (let file = this.#next(); file && navigator.onLine; file = this.#next()) {
        this.current = file.sha;
        this.onChange();
        if (!(await this.#send(file))) break;
      }
    } finally {
      this.#running = false;
      this.current = "";
      this.onChange();
    }
  }

  #next() {
    return this.all.find((file) => !file.failed);
  }

  /** One file; false when it is to be tried later. */
  async #send(file) {
    try {
      if (file.offset === undefined) file.offset = await this.#asked(file);
      // What is wholly there may still have to be finished: only 201 says that it is kept.
      for (;;) {
        const answer = await this.#piece(file);
        if (answer.status === 201) break;
        if (answer.status !== 200 && answer.status !== 409) return await this.#refused(file, answer);
        const { offset, error } = await answer.json();
        file.refused = error?.code === "off_duty" ? (file.refused ?? 0) + 1 : 0;
        if (NEVER.has(error?.code) || file.refused >= OFF_DUTY_TRIES) return await this.#failed(file, error.code);
        if (offset === file.offset) throw new Error("it does not move");
        file.offset = offset;
        this.#failures = 0;
        this.onChange();
      }
      this.#sent.add(file.sha);
      await this.store.remove("files", file.sha);
      this.all = this.all.filter((one) => one !== file);
      this.#failures = 0;
      return true;
    } catch {
      this.#later();
      return false;
    }
  }

  async #asked(file) {
    const answer = await fetch(this.#address(file), { method: "HEAD", headers: this.#headers() });
    if (answer.status === 404) return 0;
    if (!answer.ok) throw new Error(String(answer.status));
    return Number(answer.headers.get("Upload-Offset")) || 0;
  }

  #piece(file) {
    const piece = file.blob.slice(file.offset, file.offset + PIECE);
    const headers = { ...this.#headers(), "Upload-Offset": String(file.offset), "Upload-Length": String(file.size), "Content-Type": file.type };
    return fetch(this.#address(file), { method: "PATCH", headers, body: piece });
  }

  async #refused(file, answer) {
    if (!FINAL.has(answer.status)) {
      this.#later(1000 * Number(answer.headers.get("Retry-After")) || 0);
      return false;
    }
    return this.#failed(file, String(answer.status));
  }

  /** It will never be taken: it stays here to be seen, and the next one has its turn. */
  async #failed(file, why) {
    file.failed = why;
    await this.store.put("files", file);
    return true;
  }

  #later(least = 0) {
    this.#failures += 1;
    const pause = Math.max(least, Math.min(LONGEST_MS, 1000 * 2 ** Math.min(this.#failures, 6)));
    this.retryAt = Date.now() + pause;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#running || this.#run(), pause);
  }

  #address({ sha, task, attempt, problem }) {
    const about = problem ? { problem } : { task, attempt };
    return `/api/v1/uploads/${sha}?${new URLSearchParams(about)}`;
  }

  #headers() {
    return { Authorization: basic(this.identity) };
  }
}

/** The header's value by which a device says who it is. */
export function basic({ device, token }) {
  const bytes = new TextEncoder().encode(`${device}:${token}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}
