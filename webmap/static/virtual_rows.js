// A long list of which only the rows in sight exist: a city has thousands of units, and of tasks after a storm.

const SPARE = 4;

export class VirtualRows {
  #pool = new Map(); // position in the list -> element
  #top = 0; // what the box has been scrolled to, and its height: asking for them costs a layout
  #height = 0;
  items = [];

  /** `box` scrolls, `space` in it is as high as all rows; `make(index)` makes a row, `fill(row, item)` shows an item. */
  constructor({ box, space, height, make, fill }) {
    Object.assign(this, { box, space, height, make, fill });
    const look = () => {
      this.#top = box.scrollTop;
      this.#height = box.clientHeight;
      this.paint();
    };
    box.addEventListener("scroll", look, { passive: true });
    new ResizeObserver(look).observe(box);
  }

  set(items) {
    this.items = items;
    const height = `${items.length * this.height}px`;
    if (this.space.style.height !== height) this.space.style.height = height;
    this.paint();
  }

  paint() {
    const { items, height } = this;
    // A list that has become shorter is scrolled back by the browser, which tells us later.
    const top = Math.min(this.#top, Math.max(0, items.length * height - this.#height));
    const first = Math.max(0, Math.floor(top / height) - SPARE);
    const last = Math.min(items.length, Math.ceil((top + this.#height) / height) + SPARE);
    for (const [index, row] of this.#pool) {
      if (index >= first && index < last) continue;
      row.remove();
      this.#pool.delete(index);
    }
    for (let index = first; index < last; index += 1) {
      let row = this.#pool.get(index);
      if (!row) {
        row = this.make(index);
        row.style.transform = `translateY(${index * height}px)`;
        this.#pool.set(index, row);
        this.space.append(row);
      }
      this.fill(row, items[index]);
    }
  }

  /** The rows that exist. */
  get rows() {
    return [...this.#pool.values()];
  }

  /** The position `step` rows from `at`; from nowhere the first or the last one. -1 in an empty list. */
  neighbour(at, step) {
    const last = this.items.length - 1;
    if (last < 0) return -1;
    return at < 0 ? (step > 0 ? 0 : last) : Math.max(0, Math.min(last, at + step));
  }

  /** Scrolls so that the row at a position can be seen. */
  reveal(at) {
    if (at < 0) return;
    const { box, height } = this;
    const top = at * height;
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top + height > box.scrollTop + box.clientHeight) box.scrollTop = top + height - box.clientHeight;
    this.paint();
  }
}
