// Ids that this phone makes, and the SHA-256 of what it takes: also where the page came over plain HTTP, for which
// browsers have neither randomUUID() nor crypto.subtle.

/** 26 letters and digits, 128 random bits. */
export function newId() {
  const letters = "abcdefghijklmnopqrstuvwxyz234567";
  return Array.from(crypto.getRandomValues(new Uint8Array(26)), (byte) => letters[byte & 31]).join("");
}

/** The SHA-256 of a blob, as lower-case hex. */
export async function digest(blob) {
  const bytes = await blob.arrayBuffer();
  const sum = crypto.subtle ? new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)) : sha256(new Uint8Array(bytes));
  return Array.from(sum, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** FIPS 180-4, by hand. */
export function sha256(message) {
  const length = message.length;
  const padded = new Uint8Array((((length + 8) >> 6) + 1) << 6);
  padded.set(message);
  padded[length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(length / 0x20000000));
  view.setUint32(padded.length - 4, (length << 3) >>> 0);
  const state = Uint32Array.from(ROOTS);
  const w = new Uint32Array(64);
  for (let at = 0; at < padded.length; at += 64) {
    for (let n = 0; n < 16; n += 1) w[n] = view.getUint32(at + 4 * n);
    for (let n = 16; n < 64; n += 1) {
      const a = w[n - 15];
      const b = w[n - 2];
      w[n] = w[n - 16] + w[n - 7] + (turn(a, 7) ^ turn(a, 18) ^ (a >>> 3)) + (turn(b, 17) ^ turn(b, 19) ^ (b >>> 10));
    }
    mix(state, w);
  }
  const out = new Uint8Array(32);
  state.forEach((word, n) => new DataView(out.buffer).setUint32(4 * n, word));
  return out;
}

function mix(state, w) {
  let [a, b, c, d, e, f, g, h] = state;
  for (let n = 0; n < 64; n += 1) {
    const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + CUBES[n] + w[n]) | 0;
    const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((value, n) => (state[n] += value));
}

function turn(word, by) {
  return (word >>> by) | (word << (32 - by));
}

// The first 32 bits behind the point of the primes' square and cube roots.
const PRIMES = [];
for (let n = 2; PRIMES.length < 64; n += 1) if (PRIMES.every((prime) => n % prime)) PRIMES.push(n);
const ROOTS = PRIMES.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));
const CUBES = PRIMES.map((prime) => fraction(Math.cbrt(prime)));

function fraction(root) {
  return ((root - Math.floor(root)) * 0x100000000) >>> 0;
}
