// On a phone the list is a sheet at the lower edge: a handle to tap or pull, and the menu behind the three dots.

const PULL = 24; // pixels that mean it

export class Sheet {
  constructor(onChange) {
    this.onChange = onChange;
    this.grip = document.getElementById("grip");
    this.panel = document.getElementById("panel");
    const more = document.getElementById("more");
    const bar = document.getElementById("bar");
    let start = null;
    let pulled = false;
    this.grip.addEventListener("click", () => {
      if (!pulled) this.toggle(); // a pull ends in a click too
      pulled = false;
    });
    this.panel.addEventListener("pointerdown", (event) => {
      start = event.target.closest(".rows, select, input, label") ? null : event.clientY;
    });
    this.panel.addEventListener("pointerup", (event) => {
      pulled = start !== null && Math.abs(event.clientY - start) > PULL;
      if (pulled) this.set(event.clientY < start);
      start = null;
    });
    more.addEventListener("click", (event) => {
      event.stopPropagation();
      more.setAttribute("aria-expanded", String(bar.classList.toggle("is-open")));
    });
    document.addEventListener("click", () => {
      bar.classList.remove("is-open");
      more.setAttribute("aria-expanded", "false");
    });
    document.getElementById("search").addEventListener("focus", () => this.set(true));
  }

  get open() {
    return this.panel.classList.contains("is-open");
  }

  toggle() {
    this.set(!this.open);
  }

  close() {
    this.set(false);
  }

  set(open) {
    if (open === this.open) return;
    this.panel.classList.toggle("is-open", open);
    document.body.classList.toggle("sheet-open", open);
    this.grip.setAttribute("aria-expanded", String(open));
    this.onChange();
  }
}
