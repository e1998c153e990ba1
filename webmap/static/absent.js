// Seats that should be manned and are not: how many, among the chips at the head of the map, and which, in its title.

import { api } from "./api.js";
import { element } from "./dom.js";
import { onLanguage, t } from "./i18n.js";
import { plain } from "./labels.js";
import { me } from "./nav.js";
import "./roll_call_words.js";

const ASK_MS = 30_000;

export class AbsentSeats {
  #names = [];
  #known = new Set();

  /** {onNotice(words, level)} */
  constructor({ onNotice }) {
    this.onNotice = onNotice;
    this.box = element("a", "absent");
    this.box.id = "absent";
    this.box.href = "/seats";
    this.box.hidden = true;
    document.getElementById("chips").append(this.box);
    onLanguage(() => this.#paint());
    me().then((who) => who.rights.seats && this.#ask(), () => {});
  }

  async #ask() {
    try {
      const { absent, seats } = await api.seats();
      const there = seats.filter((seat) => absent.includes(seat.id));
      this.#names = there.map((seat) => plain(seat.name, 24));
      const fresh = there.filter((seat) => !this.#known.has(seat.id));
      this.#known = new Set(absent);
      this.#paint();
      if (fresh.length) this.onNotice(this.#words(fresh.map((seat) => plain(seat.name, 24))), "warn");
    } catch {
      // the banner says what is wrong with the server
    }
    setTimeout(() => this.#ask(), ASK_MS);
  }

  #words(names) {
    return t("seats_absent_names", { names: names.join(t("comma")) });
  }

  #paint() {
    this.box.hidden = this.#names.length === 0;
    document.body.classList.toggle("has-absent", !this.box.hidden);
    this.box.title = this.#words(this.#names);
    this.box.setAttribute("aria-label", this.box.title);
    this.box.replaceChildren(t("seats_absent"), element("b", "", String(this.#names.length)));
  }
}
