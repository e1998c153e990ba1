// A file that is to be put in: what is wrong with it and where, what it would change, and then it is written.

import { api } from "./api.js";
import { element, pushButton, text } from "./dom.js";
import { language, t } from "./i18n.js";
import { plain } from "./labels.js";
import { plane } from "./projection.js";

const LIMIT = 64 << 20;
const NEAR = 17;
const LISTED = 100; // of what is new, changed or missing; all of it is on the map

const $ = (id) => document.getElementById(id);

export class Draft {
  #collection = null;
  #verdict = null;
  #name = "";
  #findings = [];
  #at = -1;

  /** {map, layer, grids, show(box), trouble(words), onWritten(words), onDone()} */
  constructor(parts) {
    Object.assign(this, parts);
    $("discard").addEventListener("click", () => this.close());
    $("write").addEventListener("click", () => this.#write());
  }

  get open() {
    return this.#verdict !== null;
  }

  async take(file) {
    this.#name = plain(file.name, 60);
    this.trouble("");
    if (file.size > LIMIT) return this.trouble(t("areas_too_large", { name: this.#name }));
    $("speak").textContent = t("areas_reading", { name: this.#name });
    try {
      this.#collection = JSON.parse(await file.text());
    } catch (error) {
      return this.trouble(t("areas_not_json", { name: this.#name, text: error.message }));
    }
    try {
      this.#verdict = await api.checkGrids(this.#collection);
    } catch (error) {
      return this.trouble(error.message);
    }
    this.#show();
  }

  close() {
    this.#verdict = this.#collection = null;
    this.layer.clear();
    this.trouble("");
    this.onDone();
  }

  #show() {
    const verdict = this.#verdict;
    const list = (found, grave) => found.map((finding) => ({ ...finding, grave }));
    this.#findings = [...list(verdict.problems, true), ...list(verdict.warnings, false)];
    this.#at = -1;
    const wrong = new Set(verdict.problems.map((finding) => finding.feature));
    const fresh = new Set(verdict.new);
    const kindOf = (id, number) => (wrong.has(number) ? "bad" : fresh.has(id) ? "new" : id in verdict.changed ? "changed" : "same");
    const features = Array.isArray(this.#collection?.features) ? this.#collection.features : [];
    this.layer.clear();
    this.layer.load(features, kindOf, verdict.missing);
    this.layer.mark(this.#findings);
    this.show(this.layer.box());
    $("missing").checked = false;
    this.translate();
    this.onDone();
    (verdict.good ? $("write") : $("findings").querySelector("button"))?.focus();
  }

  translate() {
    const verdict = this.#verdict;
    if (!verdict) return;
    const changed = Object.keys(verdict.changed).length;
    text($("draft-name"), this.#name);
    const sums = [["new", verdict.new.length], ["changed", changed], ["same", verdict.same], ["missing", verdict.missing.length], ["bad", new Set(verdict.problems.map((one) => one.feature)).size]];
    const signs = (nodes) => nodes.map(([kind, n]) => {
      const row = element("li", "");
      row.dataset.kind = kind;
      row.append(element("i", ""), element("span", "", t(`sum_${kind}`)), element("b", "", String(n)));
      return row;
    });
    $("sums").replaceChildren(...signs(sums.filter(([kind, n]) => n || kind === "new" || kind === "changed")));
    $("key").replaceChildren(...signs(sums.filter(([, n]) => n)));
    const problems = verdict.problems.length + (verdict.problems.length && verdict.untold);
    const nothing = verdict.good && !verdict.new.length && !changed && !verdict.missing.length;
    $("verdict").dataset.good = verdict.good ? (verdict.warnings.length ? "warn" : "good") : "bad";
    text($("verdict"), problems ? t(problems === 1 ? "areas_bad_one" : "areas_bad", { n: problems }) : nothing ? t("areas_nothing") : verdict.warnings.length ? t("areas_doubtful", { n: verdict.warnings.length + verdict.untold }) : t("areas_good"));
    const rows = this.#findings.map((finding, at) => this.#row(finding, at));
    if (verdict.untold) rows.push(element("li", "row-more", t("areas_untold", { n: verdict.untold })));
    $("findings").replaceChildren(...rows, ...this.#differences(verdict));
    $("missing-box").hidden = !verdict.good || verdict.missing.length === 0;
    text($("missing-text"), t("areas_remove_missing", { n: verdict.missing.length }));
    $("write").disabled = !verdict.good;
  }

  /** What would be other than now, each to be seen on the map. */
  #differences({ changed, new: fresh, missing }) {
    const rows = [
      ...Object.entries(changed).map(([id, fields]) => [id, "changed", t("areas_differs", { fields: fields.map((field) => t(`field_${field}`)).join(t("comma")) })]),
      ...fresh.map((id) => [id, "new", t("sum_new")]),
      ...missing.map((id) => [id, "missing", t("sum_missing")]),
    ];
    const nodes = rows.slice(0, LISTED).map(([id, kind, words]) => {
      const node = element("li", "difference");
      node.dataset.kind = kind;
      const button = pushButton("row", "", () => this.#point(id, kind));
      button.append(element("i", ""), element("bdi", "row-name", plain(id, 40)), element("span", "row-about", words));
      node.append(button);
      return node;
    });
    if (rows.length > LISTED) nodes.push(element("li", "row-more", t("areas_untold", { n: rows.length - LISTED })));
    return nodes;
  }

  #point(id, kind) {
    const shape = kind === "missing" ? this.grids.all.get(id) : this.layer.shapes.find((one) => one.id === id);
    this.layer.choose(shape ?? null);
    if (shape) this.show(shape.box, NEAR);
  }

  #row(finding, at) {
    const row = element("li", "");
    row.dataset.grave = String(finding.grave);
    const button = pushButton("row", "", () => this.choose(at, true));
    const which = finding.area ? plain(finding.area, 40) : finding.feature ? t("areas_feature", { n: finding.feature }) : t("areas_file");
    button.append(element("i", "", String(at + 1)), element("bdi", "row-name", which), element("span", "row-about", language() === "zh" ? finding.zh : finding.text));
    row.append(button);
    return row;
  }

  /** Shows a finding on the map and in the list. */
  choose(at, move) {
    const finding = this.#findings[at];
    if (!finding) return;
    this.#at = at;
    const shape = finding.feature ? this.layer.shapes.find((one) => one.number === finding.feature) : null;
    this.layer.choose(shape ?? null);
    if (finding.place && move) {
      const [longitude, latitude] = finding.place;
      const [x, y] = plane.place(latitude, longitude);
      const box = shape?.box ?? [x, y, x, y];
      this.show([Math.min(box[0], x), Math.min(box[1], y), Math.max(box[2], x), Math.max(box[3], y)], NEAR);
    }
    const button = $("findings").querySelectorAll(".row")[at];
    for (const one of $("findings").querySelectorAll("[aria-current]")) one.removeAttribute("aria-current");
    button?.setAttribute("aria-current", "true");
    button?.focus();
    button?.scrollIntoView({ block: "nearest" });
  }

  step(by) {
    this.choose(Math.max(0, Math.min(this.#findings.length - 1, this.#at + by)), true);
  }

  async #write() {
    $("write").disabled = true;
    try {
      const told = await api.putGrids(this.#collection, $("missing").checked);
      this.close();
      await this.onWritten(t("areas_written", told));
    } catch (error) {
      this.trouble(error.message);
      $("write").disabled = false;
    }
  }
}
