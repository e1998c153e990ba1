// 问题上报: something that nobody has asked for. It is written as a draft from its first letter on, and sent whole.

import { element, icon, pushButton } from "./dom.js";
import { language, t } from "./i18n.js";
import { keyed, notice, when } from "./work_parts.js";
import { newId } from "./work_ids.js";
import { Photos } from "./work_photos.js";
import { Voice } from "./work_voice.js";
import { said } from "./work_way.js";

const TEXT_LIMIT = 500;
const GOOD_M = 100; // a place that is worse than that is said to be

export class ProblemScreen {
  #key = "";
  #draft = null;
  #drafts = [];
  #saving = 0;

  constructor(app, node) {
    this.app = app;
    this.node = node;
    this.photos = new Photos({ limit: () => app.tasks.words.photo_limit, onChange: () => this.#changed() });
    this.voice = new Voice({ onChange: () => this.#changed() });
    this.others = element("div");
    this.where = element("div");
  }

  async open() {
    if (!this.#draft) this.#begin();
    await this.#list();
    if (!this.app.position.fresh) this.app.position.now();
  }

  leave() {
    this.voice.stop();
  }

  #begin() {
    this.#draft = { id: `problem ${newId()}`, klass: "", text: "", photos: [], voice: null, spot: null, at: Date.now() };
    this.#load();
  }

  #load() {
    this.photos.load(this.#draft.photos);
    this.voice.load(this.#draft.voice);
    this.#key = "";
  }

  async #list() {
    const all = await this.app.store.all("drafts");
    this.#drafts = all.filter((draft) => draft.id.startsWith("problem ") && draft.id !== this.#draft?.id).sort((a, b) => b.at - a.at);
    this.app.paint();
  }

  paint() {
    const { app } = this;
    if (!this.#draft) return;
    const key = JSON.stringify([language(), this.#draft.id, app.tasks.words.version]);
    if (key !== this.#key) {
      this.#key = key;
      this.#make();
    }
    const rows = this.#drafts.map((draft) => ({ key: JSON.stringify([language(), draft.id, draft.at]), make: () => this.#row(draft) }));
    keyed(this.others, rows.length ? [{ key: `head ${language()}`, make: () => element("h2", "", t("hand_drafts")) }, ...rows] : []);
    const spot = this.#spot();
    const words = spot ? t(spot.accuracy > GOOD_M ? "hand_spot_poor" : "hand_spot", { n: Math.round(spot.accuracy) }) : t(`hand_place_${app.position.state}`);
    keyed(this.where, [{ key: words, make: () => this.#place(words, spot) }]);
    this.#lacks();
  }

  /** Where it is: where one stood when the first photo was taken, else where one stands. */
  #spot() {
    if (this.#draft.spot) return this.#draft.spot;
    const { last, fresh } = this.app.position;
    return fresh ? { lat: last.lat, lon: last.lon, accuracy: last.accuracy } : null;
  }

  #place(words, spot) {
    const node = element("div", `place ${spot ? "" : "none"}`.trim());
    node.append(icon(spot ? "tasks" : "alert"), element("span", "", words));
    return node;
  }

  #make() {
    const { app } = this;
    const title = element("div", "title");
    title.append(element("h1", "", t("hand_report_title")));
    const parts = [title, this.where, element("h2", "", t("hand_photos")), this.photos.node];
    const classes = Object.entries(app.tasks.words.classes).sort(([a], [b]) => (a < b ? -1 : 1));
    if (classes.length) parts.push(element("h2", "", t("hand_class")), this.#classes(classes));
    parts.push(element("h2", "", t("hand_description")), this.#text());
    if (Voice.able) parts.push(element("h2", "", t("hand_voice")), this.voice.node);
    this.lacking = element("p", "lacks");
    const send = element("div", "pair");
    this.send = pushButton("big strong", t("hand_send"), () => this.#send());
    send.append(pushButton("big", t("hand_later"), () => this.#later()), this.send);
    parts.push(this.lacking, send, this.others);
    this.photos.paint();
    this.voice.paint();
    this.node.replaceChildren(...parts);
  }

  #classes(classes) {
    const field = element("label", "field");
    const select = element("select");
    select.id = "problem-class";
    select.append(new Option(t("hand_class_none"), ""), ...classes.map(([code, words]) => new Option(`${code}  ${said(words)}`, code)));
    select.value = this.#draft.klass;
    select.addEventListener("change", () => {
      this.#draft.klass = select.value;
      this.#changed();
    });
    field.append(select);
    return field;
  }

  #text() {
    const field = element("label", "field");
    const input = element("textarea");
    Object.assign(input, { id: "problem-text", value: this.#draft.text, maxLength: TEXT_LIMIT, rows: 3, placeholder: t("hand_description_hint") });
    input.addEventListener("input", () => {
      this.#draft.text = input.value;
      this.#changed();
    });
    field.append(input);
    return field;
  }

  #row(draft) {
    const row = pushButton("row", "", async () => {
      await this.save();
      this.#draft = draft;
      this.#load();
      await this.#list();
      document.getElementById("sheet").scrollTop = 0;
    });
    row.append(element("b", "", draft.text || said(this.app.tasks.words.classes[draft.klass]) || t("hand_draft")), element("small", "", t("hand_draft_has", { n: draft.photos.length })), when(draft.at));
    return row;
  }

  get #something() {
    const { text, photos, voice } = this.#draft;
    return Boolean(text.trim() || photos.length || voice);
  }

  #changed() {
    const draft = this.#draft;
    if (!draft.spot && this.photos.items.length > draft.photos.length) draft.spot = this.#spot();
    draft.photos = this.photos.items;
    draft.voice = this.voice.item;
    if (!draft.photos.length) draft.spot = null;
    clearTimeout(this.#saving);
    this.#saving = setTimeout(() => this.save(), 250);
    this.app.paint();
  }

  async save() {
    clearTimeout(this.#saving);
    if (this.#draft && this.#something) await this.app.store.put("drafts", { ...this.#draft, at: Date.now() });
  }

  async #later() {
    if (!this.#something) return;
    await this.save();
    this.#begin();
    notice(t("hand_draft_kept"));
    await this.#list();
  }

  #lacks() {
    const lacks = !this.#something;
    this.lacking.textContent = lacks ? t("hand_report_lacks") : "";
    this.send.disabled = lacks;
    return lacks;
  }

  async #send() {
    const { app } = this;
    if (this.#lacks()) return;
    clearTimeout(this.#saving);
    this.send.disabled = true;
    const draft = this.#draft;
    const spot = this.#spot();
    const event = draft.id.slice("problem ".length);
    const files = [...draft.photos, ...(draft.voice ? [draft.voice] : [])];
    const place = spot ? { lat: Math.round(spot.lat * 1e7), lon: Math.round(spot.lon * 1e7), accuracy: Math.min(1_000_000, Math.round(10 * spot.accuracy)) } : { lat: null, lon: null };
    const message = { t: "problem", event, at: Date.now(), ...place, klass: draft.klass, text: draft.text.trim(), photos: draft.photos.map((photo) => photo.sha), voice: draft.voice?.sha ?? "" };
    await app.outbox.add(message, true, ["files", "drafts"], (kept, drafts) => {
      for (const file of files) kept.put({ ...file, at: Date.now(), task: "", attempt: 0, problem: event });
      drafts.delete(draft.id);
    });
    app.tasks.reported(event, draft.text.trim() || said(app.tasks.words.classes[draft.klass]) || t("hand_report_title"));
    app.uploads.now();
    app.link.pump();
    this.#begin();
    notice(t(app.link.online ? "hand_sent" : "hand_kept"));
    await this.#list();
    app.go("tasks");
  }
}
