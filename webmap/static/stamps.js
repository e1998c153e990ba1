// Thousands of signs on one canvas. The canvas's own drawImage takes 9 us for each and as long again when the recorded
// calls are carried out; without a GPU the same processor does both. Here a sign is a stamp: its pixels, read once, are
// laid into the picture's memory by hand, and the picture goes to the canvas whole, in one call.

/** The pixels of a small canvas as a stamp: {width, height, pixels, from, to}; of each row only what can be seen. */
export function stampOf(image, alpha = 1) {
  const { width, height } = image;
  const { data } = image.getContext("2d").getImageData(0, 0, width, height);
  for (let i = 3; alpha < 1 && i < data.length; i += 4) data[i] = Math.round(data[i] * alpha);
  const pixels = new Uint32Array(data.buffer);
  const from = new Int32Array(height);
  const to = new Int32Array(height);
  for (let y = 0; y < height; y += 1) {
    let [first, last] = [width, 0];
    for (let x = 0; x < width; x += 1) {
      if (data[4 * (y * width + x) + 3] === 0) continue;
      first = Math.min(first, x);
      last = x + 1;
    }
    [from[y], to[y]] = [first, last];
  }
  return { width, height, pixels, from, to };
}

/** A picture in memory on which stamps are laid, the later over the earlier. Only the rows in use are emptied and put. */
export class Picture {
  #image = null;
  #pixels = null;
  #first = 0;
  #last = 0;

  /** An empty picture of that many pixels of the screen. */
  begin(width, height) {
    if (this.#image?.width === width && this.#image.height === height) {
      this.#pixels.fill(0, this.#first * width, this.#last * width);
    } else {
      this.#image = new ImageData(width, height);
      this.#pixels = new Uint32Array(this.#image.data.buffer);
    }
    [this.#first, this.#last] = [height, 0];
  }

  /** Lays a stamp with its middle at a point; what lies beyond the edges is cut off. */
  lay(stamp, x, y) {
    const { width, height } = this.#image;
    const pixels = this.#pixels;
    const source = stamp.pixels;
    const left = Math.round(x - stamp.width / 2);
    const top = Math.round(y - stamp.height / 2);
    const first = Math.max(0, -top);
    const last = Math.min(stamp.height, height - top);
    if (top + first < this.#first) this.#first = top + first;
    if (top + last > this.#last) this.#last = top + last;
    for (let row = first; row < last; row += 1) {
      const start = Math.max(stamp.from[row], -left);
      const end = Math.min(stamp.to[row], width - left);
      let at = row * stamp.width + start;
      let to = (top + row) * width + left + start;
      for (let i = start; i < end; i += 1, at += 1, to += 1) {
        const above = source[at];
        const alpha = above >>> 24;
        if (alpha === 255 || pixels[to] === 0) pixels[to] = above;
        else if (alpha !== 0) pixels[to] = over(above, alpha, pixels[to]);
      }
    }
  }

  /** Puts the picture on an empty canvas of its size. */
  put(ctx) {
    const { width } = this.#image;
    if (this.#last > this.#first) ctx.putImageData(this.#image, 0, 0, 0, this.#first, width, this.#last - this.#first);
    else this.#first = this.#last = 0;
  }
}

/** One colour over another; red, green, blue and alpha in the bytes of a number, the lowest first. */
function over(above, alpha, below) {
  const under = below >>> 24;
  if (under === 255) {
    // Two bytes at a time: alpha of 256 parts and the rest of them never carry into the next byte.
    const part = alpha + (alpha >>> 7);
    const rest = 256 - part;
    const even = (((above & 0xff00ff) * part + (below & 0xff00ff) * rest) >>> 8) & 0xff00ff;
    const odd = (((above >>> 8) & 0xff) * part + ((below >>> 8) & 0xff) * rest) & 0xff00;
    return (0xff000000 | even | odd) >>> 0;
  }
  const rest = (under * (255 - alpha)) / 255;
  const whole = alpha + rest;
  const red = ((above & 255) * alpha + (below & 255) * rest) / whole;
  const green = (((above >>> 8) & 255) * alpha + ((below >>> 8) & 255) * rest) / whole;
  const blue = (((above >>> 16) & 255) * alpha + ((below >>> 16) & 255) * rest) / whole;
  return (((whole + 0.5) << 24) | ((blue + 0.5) << 16) | ((green + 0.5) << 8) | (red + 0.5)) >>> 0;
}
