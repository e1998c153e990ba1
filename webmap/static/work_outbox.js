// The phone's queue: what the server has not acknowledged, in numbered messages, on the phone's own disk. The number is
// the key that the database gives, so it grows for ever and belongs to one message. As protocols/handheld/outbox.py:
// positions wait without a number until a message is wanted; where the phone is now comes before where it was, and of a
// backlog one message at a time is under way.

const BACKLOG = 20; // more positions than these in a message are a backlog
const LIMIT = 20_000; // positions: a day at one in five seconds, some 3 MB
const LIVE_MS = 60_000; // an older newest position is not called live
const LATELY_MS = 120_000;
const BEFORE = 100; // positions in a message that goes out before a statement

export class Outbox {
  #entries = []; // {seq, message | positions, live, backlog, sent}; the first `flying` went out over this link
  #fresh = []; // [key, position]
  #newest = 0; // fix time of the newest position that has a number
  #batch = 500;
  flying = 0;
  dropped = 0;

  constructor(store) {
    this.store = store;
  }

  /** Takes up what an earlier page has left. */
  async load() {
    const { store } = this;
    this.#entries = (await store.all("messages")).map((entry) => ({ ...entry, live: false, backlog: (entry.positions?.length ?? 0) > BACKLOG, sent: true }));
    const [keys, fixes] = [await store.keys("fixes"), await store.all("fixes")];
    this.#fresh = fixes.map((position, n) => [keys[n], position]);
    this.dropped = (await store.get("facts", "dropped")) ?? 0;
  }

  allow(positions) {
    this.#batch = Math.min(500, positions);
  }

  /** Numbers a message that a person has made and keeps it; never thrown away. `behind`: the positions before it bear
   *  it out, and go first. `names` and `work`: other stores, and what changes there in the same piece. */
  async add(message, behind = false, names = [], work = () => {}) {
    while (behind && this.#fresh.length) await this.#keep(this.#fresh.splice(0, Math.min(this.#batch, BEFORE)));
    const entry = { message, at: Date.now() };
    entry.seq = await this.store.change(["messages", ...names], (messages, ...others) => {
      work(...others);
      return messages.put(entry);
    });
    this.#insert(entry);
  }

  /** A position that must not wait behind others: it has its number and is on its way at once. Those of the last moments
   *  go before it, for behind it they would say that an alarm was taken back. */
  async addUrgent(position) {
    const lately = this.#fresh.findIndex(([, [at]]) => position[0] - at < LATELY_MS);
    if (lately >= 0) await this.#keep(this.#fresh.splice(lately));
    const entry = { positions: [position], at: Date.now() };
    entry.seq = await this.store.put("messages", entry);
    entry.live = true;
    this.#newest = Math.max(this.#newest, position[0]);
    this.#insert(entry);
  }

  async addPosition(position) {
    const key = await this.store.put("fixes", position);
    this.#fresh.push([key, position]);
    if (this.positions > LIMIT) await this.#shed();
  }

  async #shed() {
    const place = this.#entries.findIndex((entry, n) => entry.positions && n >= this.flying);
    const [gone] = place >= 0 ? this.#entries.splice(place, 1) : [null];
    const oldest = gone ? null : this.#fresh.shift()[0];
    this.dropped += gone ? gone.positions.length : 1;
    await this.store.change(["messages", "fixes", "facts"], (messages, fixes, facts) => {
      if (gone) messages.delete(gone.seq);
      else fixes.delete(oldest);
      facts.put(this.dropped, "dropped");
    });
  }

  /** Two that were stored at once may come back in another order; they go out in that of their numbers. */
  #insert(entry) {
    let place = this.#entries.length;
    while (place > this.flying && this.#entries[place - 1].seq > entry.seq) place -= 1;
    this.#entries.splice(place, 0, entry);
  }

  /** The next message that has not gone out over this link, or null. */
  async next(now) {
    if (this.flying === this.#entries.length && !(this.#fresh.length && (await this.#number(now)))) return null;
    const entry = this.#entries[this.flying];
    if (!entry || (entry.backlog && this.#backlogFlies)) return null;
    this.flying += 1;
    const live = !entry.sent && this.#isNow(entry, now);
    entry.sent = true;
    if (entry.positions) return { t: "fix", seq: entry.seq, now, live, p: entry.positions };
    return { ...entry.message, seq: entry.seq };
  }

  /** Gives the next positions their number; false while they have to wait for an acknowledgement. */
  async #number(now) {
    const fresh = this.#fresh;
    const last = fresh[fresh.length - 1][1][0];
    const live = last > this.#newest && now - last <= LIVE_MS;
    if (live && fresh.length > BACKLOG) await this.#keep(fresh.splice(-1, 1));
    else {
      const count = Math.min(fresh.length, this.#batch);
      if (count > BACKLOG && this.#backlogFlies) return false;
      await this.#keep(fresh.splice(0, count));
    }
    return true;
  }

  async #keep(taken) {
    const positions = taken.map(([, position]) => position);
    const entry = { positions, at: Date.now() };
    entry.seq = await this.store.change(["messages", "fixes"], (messages, fixes) => {
      for (const [key] of taken) fixes.delete(key);
      return messages.put(entry);
    });
    const newest = Math.max(...positions.map(([at]) => at));
    Object.assign(entry, { live: newest > this.#newest, backlog: positions.length > BACKLOG });
    this.#newest = Math.max(this.#newest, newest);
    this.#insert(entry);
  }

  get #backlogFlies() {
    return this.#entries.slice(0, this.flying).some((entry) => entry.backlog);
  }

  /** Whether it ends with the newest position there is, which is not old. */
  #isNow({ live, positions }, now) {
    if (!live) return false;
    const last = positions[positions.length - 1][0];
    const newer = this.#fresh.length ? this.#fresh[this.#fresh.length - 1][1][0] : 0;
    return last === this.#newest && newer <= last && now - last <= LIVE_MS;
  }

  /** Everything up to `seq` is on the server's disk; answers the messages that were people's. False: never sent. */
  acknowledge(seq) {
    const count = this.#entries.slice(0, this.flying).filter((entry) => entry.seq <= seq).length;
    const gone = this.#entries.splice(0, count);
    this.flying -= count;
    if (gone.length) this.store.change(["messages"], (messages) => void messages.delete(IDBKeyRange.upperBound(gone[gone.length - 1].seq))).catch(() => {});
    return gone.filter((entry) => entry.message).map((entry) => entry.message);
  }

  /** What was under way counts as not sent. */
  rewind() {
    this.flying = 0;
  }

  /** What a person has made and the server has not: {seq, message, at, flying}, oldest first. */
  get made() {
    return this.#entries.map((entry, n) => ({ ...entry, flying: n < this.flying })).filter((entry) => entry.message && entry.message.t !== "health");
  }

  /** Positions that the server does not have. */
  get positions() {
    return this.#fresh.length + this.#entries.reduce((sum, entry) => sum + (entry.positions?.length ?? 0), 0);
  }

  /** Whether a position with these bits of alarm waits. */
  positionsWaiting(alarm) {
    return this.#entries.some((entry) => entry.positions?.some((position) => ((position[8] ?? 0) & alarm) !== 0));
  }

  holds(event) {
    return this.#entries.some((entry) => entry.message?.event === event);
  }
}
