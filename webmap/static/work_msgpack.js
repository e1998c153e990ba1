// msgpack, as much of it as the handheld's protocol needs and a little more: what a map with string keys can hold.
// Whole numbers up to 2^53 stay exact; beyond that they are refused, for a number here could no longer count.

const text = new TextEncoder();
const words = new TextDecoder("utf-8", { fatal: true });
const DEEPEST = 32; // a message of the server has three levels
const TWO_32 = 4294967296;

/** The bytes of a value: null, booleans, numbers, strings, Uint8Array, arrays and plain objects. */
export function encode(value) {
  const out = new Writer();
  put(out, value);
  return out.bytes.slice(0, out.at);
}

/** The value in the bytes; throws on what is no msgpack, is cut short, or has something behind it. */
export function decode(bytes) {
  const reader = { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), at: 0 };
  const value = take(reader, 0);
  if (reader.at !== bytes.length) throw new RangeError("something follows the message");
  return value;
}

class Writer {
  bytes = new Uint8Array(256);
  view = new DataView(this.bytes.buffer);
  at = 0;

  room(count) {
    if (this.at + count > this.bytes.length) {
      const larger = new Uint8Array(Math.max(2 * this.bytes.length, this.at + count));
      larger.set(this.bytes);
      this.bytes = larger;
      this.view = new DataView(larger.buffer);
    }
    const { at } = this;
    this.at += count;
    return at;
  }

  /** A first byte and a number of 0, 1, 2 or 4 bytes. */
  head(first, size, number) {
    const at = this.room(1 + size);
    this.view.setUint8(at, first);
    if (size === 1) this.view.setUint8(at + 1, number);
    else if (size === 2) this.view.setUint16(at + 1, number);
    else if (size === 4) this.view.setUint32(at + 1, number);
  }

  raw(bytes) {
    const at = this.room(bytes.length); // which may make another buffer
    this.bytes.set(bytes, at);
  }
}

function put(out, value) {
  if (value === null || value === undefined) out.head(0xc0, 0);
  else if (value === true || value === false) out.head(value ? 0xc3 : 0xc2, 0);
  else if (typeof value === "number") putNumber(out, value);
  else if (typeof value === "string") {
    const bytes = text.encode(value);
    sized(out, bytes.length, 0xa0, 32, [0xd9, 0xda, 0xdb]);
    out.raw(bytes);
  } else if (value instanceof Uint8Array) {
    sized(out, value.length, 0, 0, [0xc4, 0xc5, 0xc6]);
    out.raw(value);
  } else if (Array.isArray(value)) {
    sized(out, value.length, 0x90, 16, [null, 0xdc, 0xdd]);
    for (const one of value) put(out, one);
  } else {
    const entries = Object.entries(value).filter(([, one]) => one !== undefined);
    sized(out, entries.length, 0x80, 16, [null, 0xde, 0xdf]);
    for (const [key, one] of entries) {
      put(out, key);
      put(out, one);
    }
  }
}

/** The head of what has a length: short ones in the first byte, then with 1, 2 or 4 bytes. */
function sized(out, length, short, below, [one, two, four]) {
  if (length < below) out.head(short | length, 0);
  else if (one !== null && length < 0x100) out.head(one, 1, length);
  else if (length < 0x10000) out.head(two, 2, length);
  else out.head(four, 4, length);
}

function putNumber(out, value) {
  if (!Number.isInteger(value)) {
    const at = out.room(9);
    out.view.setUint8(at, 0xcb);
    out.view.setFloat64(at + 1, value);
  } else if (!Number.isSafeInteger(value)) throw new RangeError("a number beyond 2^53");
  else if (value >= 0) {
    if (value < 0x80) out.head(value, 0);
    else if (value < 0x100) out.head(0xcc, 1, value);
    else if (value < 0x10000) out.head(0xcd, 2, value);
    else if (value < TWO_32) out.head(0xce, 4, value);
    else long(out, 0xcf, value);
  } else if (value >= -32) out.head(value & 0xff, 0);
  else if (value >= -0x80) out.head(0xd0, 1, value & 0xff);
  else if (value >= -0x8000) out.head(0xd1, 2, value & 0xffff);
  else if (value >= -TWO_32 / 2) out.head(0xd2, 4, value >>> 0);
  else long(out, 0xd3, value);
}

function long(out, first, value) {
  const at = out.room(9);
  out.view.setUint8(at, first);
  out.view.setUint32(at + 1, Math.floor(value / TWO_32) >>> 0);
  out.view.setUint32(at + 5, value >>> 0);
}

/** Moves over so many bytes and answers where they began. */
function over(reader, count) {
  const { at } = reader;
  if (count > reader.bytes.length - at) throw new RangeError("the message is cut short");
  reader.at += count;
  return at;
}

function number(reader, size) {
  const at = over(reader, size);
  if (size === 1) return reader.view.getUint8(at);
  return size === 2 ? reader.view.getUint16(at) : reader.view.getUint32(at);
}

function piece(reader, length) {
  const at = over(reader, length);
  return reader.bytes.subarray(at, at + length);
}

function list(reader, length, depth) {
  if (length > reader.bytes.length - reader.at) throw new RangeError("the message is cut short");
  return Array.from({ length }, () => take(reader, depth + 1));
}

function map(reader, length, depth) {
  if (2 * length > reader.bytes.length - reader.at) throw new RangeError("the message is cut short");
  const found = [];
  for (let n = 0; n < length; n += 1) {
    const key = take(reader, depth + 1);
    if (typeof key !== "string") throw new TypeError("a key that is no string");
    found.push([key, take(reader, depth + 1)]);
  }
  return Object.fromEntries(found); // defines: a key such as __proto__ is a key like any other
}

function far(reader, signed) {
  const at = over(reader, 8);
  const high = signed ? reader.view.getInt32(at) : reader.view.getUint32(at);
  const value = high * TWO_32 + reader.view.getUint32(at + 4);
  if (!Number.isSafeInteger(value)) throw new RangeError("a number beyond 2^53");
  return value;
}

const READERS = {
  0xc0: () => null,
  0xc2: () => false,
  0xc3: () => true,
  0xc4: (reader) => piece(reader, number(reader, 1)).slice(),
  0xc5: (reader) => piece(reader, number(reader, 2)).slice(),
  0xc6: (reader) => piece(reader, number(reader, 4)).slice(),
  0xca: (reader) => reader.view.getFloat32(over(reader, 4)),
  0xcb: (reader) => reader.view.getFloat64(over(reader, 8)),
  0xcc: (reader) => number(reader, 1),
  0xcd: (reader) => number(reader, 2),
  0xce: (reader) => number(reader, 4),
  0xcf: (reader) => far(reader, false),
  0xd0: (reader) => reader.view.getInt8(over(reader, 1)),
  0xd1: (reader) => reader.view.getInt16(over(reader, 2)),
  0xd2: (reader) => reader.view.getInt32(over(reader, 4)),
  0xd3: (reader) => far(reader, true),
  0xd9: (reader) => words.decode(piece(reader, number(reader, 1))),
  0xda: (reader) => words.decode(piece(reader, number(reader, 2))),
  0xdb: (reader) => words.decode(piece(reader, number(reader, 4))),
  0xdc: (reader, depth) => list(reader, number(reader, 2), depth),
  0xdd: (reader, depth) => list(reader, number(reader, 4), depth),
  0xde: (reader, depth) => map(reader, number(reader, 2), depth),
  0xdf: (reader, depth) => map(reader, number(reader, 4), depth),
};

function take(reader, depth) {
  if (depth > DEEPEST) throw new RangeError("nested too deep");
  const first = number(reader, 1);
  if (first < 0x80) return first;
  if (first < 0x90) return map(reader, first & 15, depth);
  if (first < 0xa0) return list(reader, first & 15, depth);
  if (first < 0xc0) return words.decode(piece(reader, first & 31));
  if (first >= 0xe0) return first - 256;
  const read = READERS[first];
  if (!read) throw new TypeError(`no value begins with ${first}`);
  return read(reader, depth);
}
