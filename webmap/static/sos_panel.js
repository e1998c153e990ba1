// A call for help over everything else: who, where, for how long, who is near; it rings until somebody acknowledges it.

import { api } from "./api.js";
import { element, icon, pushButton, text } from "./dom.js";
import { t } from "./i18n.js";
import { plain } from "./labels.js";
import { metresWord, nameWord } from "./task_text.js";
import { ago } from "./time.js";

const FORGOTTEN_MS = 20_000; // an acknowledged one is seen for so long

export class SosPanel {
  #shown = "";
  #done = new Map(); // id -> when it was acknowledged, by this page's clock

  /** {desk, clock, sounder, canDispatch(), onSpot(spot), onUnit(id), onNotice, speak} */
  constructor(parts) {
    Object.assign(this, parts);
    this.box = document.getElementById("sos-panel");
  }

  /** Those that nobody has acknowledged, the oldest first. */
  get calling() {
    return this.desk.sos.filter((one) => one.acknowledged === null).toSorted((a, b) => a.at - b.at);
  }

  update() {
    const calling = this.calling;
    this.sounder.ring(calling.length > 0);
    for (const one of this.desk.sos) if (one.acknowledged && !this.#done.has(one.id)) this.#done.set(one.id, one.id in this.#calls ? performance.now() : -Infinity);
    this.#calls = Object.fromEntries(calling.map((one) => [one.id, true]));
    this.paint();
  }

  #calls = {};

  /** Every second: it has been calling for longer. */
  paint() {
    const calling = this.calling;
    const lately = this.desk.sos.filter((one) => one.acknowledged && performance.now() - (this.#done.get(one.id) ?? -Infinity) < FORGOTTEN_MS);
    const one = calling[0] ?? lately.at(-1);
    this.box.hidden = one === undefined;
    document.body.classList.toggle("has-sos-panel", one !== undefined);
    if (!one) {
      this.#shown = "";
      return;
    }
    const key = `${one.id}/${one.acknowledged?.at ?? ""}/${calling.length}/${document.documentElement.lang}`;
    if (key !== this.#shown) {
      this.#shown = key;
      this.#build(one, calling.length);
      if (!one.acknowledged) this.speak(`${t("sos_title")} ${nameWord(one, 24)}`);
    }
    text(this.age, ago(Math.max(0, this.clock.now() - one.at)));
  }

  #build(one, calling) {
    const acknowledged = one.acknowledged !== null;
    this.box.dataset.acknowledged = String(acknowledged);
    const head = element("div", "sos-head");
    const who = pushButton("sos-who", "", () => this.onUnit(one.unit));
    who.append(element("bdi", "", nameWord(one, 24)));
    this.age = element("time", "");
    head.append(element("b", "sos-word", t("sos_title")), who, this.age);
    const near = element("div", "sos-near");
    near.append(element("span", "", t(one.near.length ? "sos_near" : one.spot ? "sos_nobody_near" : "sos_near_unknown")));
    for (const other of one.near) {
      const chip = pushButton("sos-chip", "", () => this.onUnit(other.unit));
      chip.append(element("bdi", "", nameWord(other, 16)), element("b", "", metresWord(other.metres)));
      near.append(chip);
    }
    const row = element("div", "sos-row");
    if (one.spot) {
      const show = pushButton("button", "", () => this.onSpot(one.spot));
      show.append(icon("locate"), element("span", "", t("sos_show")));
      row.append(show);
    } else row.append(element("span", "sos-nowhere", t("sos_no_spot")));
    if (acknowledged) row.append(element("span", "sos-by", t("sos_by", { by: plain(one.acknowledged.by, 24) })));
    else if (this.canDispatch()) {
      const take = pushButton("button sos-take", t("sos_acknowledge"), () => this.acknowledge());
      take.id = "sos-take";
      take.append(element("kbd", "", "Y"));
      row.append(take);
    }
    if (calling > 1) row.append(element("span", "sos-more", t("sos_more", { n: calling - 1 })));
    this.box.replaceChildren(head, near, row);
  }

  async acknowledge() {
    const one = this.calling[0];
    if (!one || !this.canDispatch()) return;
    try {
      const after = await api.acknowledgeSos(one.id);
      one.acknowledged = after?.acknowledged ?? { by: "", at: this.clock.now() };
      this.update();
      this.desk.ask();
    } catch (error) {
      this.onNotice(error.message, "warn");
      this.desk.ask();
    }
  }
}
