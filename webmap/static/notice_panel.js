// Notices (今日提示): a text to a street, a team or everybody on duty; then who has it, and who has read it.

import { api } from "./api.js";
import { element, pushButton } from "./dom.js";
import { language, t } from "./i18n.js";
import { plain } from "./labels.js";
import "./notice_words.js";
import { known, may } from "./rights.js";
import { Asking, bar, choice, labelled, listRow, moment, pastRow, SidePane, words } from "./side_pane.js";
import { OFF_SHIFT } from "./state.js";

const TEXT = 500;
const EARLIER = 20;
const HOUR = 3_600_000;
const UNTIL = [["", "notice_today"], [HOUR, "notice_hour"], [4 * HOUR, "notice_hours"], [72 * HOUR, "notice_days"], [168 * HOUR, "notice_week"]];
const LISTED = "\n"; // no street or team is called so

export class NoticePanel extends SidePane {
  #shown = null; // the notice that is looked at
  #draft = "";
  #zone = "Asia/Shanghai";

  /** {view, units, clock, onPick(id), onNotice(words, level)} */
  constructor(parts) {
    super("notices");
    Object.assign(this, parts);
    this.asking = new Asking(() => this.#ask());
    known.then(() => (this.button.hidden = !may("tasks")));
  }

  zone(name) {
    this.#zone = name;
  }

  /** The desk has something new, perhaps that a notice was read. */
  nudge() {
    if (this.open && this.#shown) this.asking.soon();
  }

  translate() {
    if (!this.open) return;
    if (this.#shown) this.#look(this.#shown);
    else this.begin();
  }

  async begin() {
    this.#shown = null;
    const earlier = element("div", "roll-earlier");
    const form = may("dispatch") ? this.#form() : null;
    this.show(t("notice_title"), ...(form ? [form] : []), earlier);
    (form?.querySelector("textarea") ?? this.box.querySelector("button")).focus();
    try {
      const { notices } = await api.notices();
      if (notices.length) earlier.append(element("h3", "", t("notice_earlier")), ...notices.slice(0, EARLIER).map((one) => this.#past(one)));
      else if (!form) earlier.append(element("p", "pane-empty", t("notice_none")));
    } catch (error) {
      this.onNotice(error.message, "warn");
    }
  }

  #past(one) {
    const { units, read } = one.counts;
    return pastRow(plain(one.text, 60), t("notice_read_n", { n: read, all: units }), read === units, this.#about(one), () => this.#fetch(one.id));
  }

  #about(one) {
    const whom = [one.street, one.team].filter(Boolean).map((word) => plain(word, 24)).join(" · ");
    return [whom, t("roll_by", { by: plain(one.by, 24), time: this.#moment(one.at) })].filter(Boolean).join(" · ");
  }

  #moment(at) {
    return moment(at, this.clock.now(), this.#zone);
  }

  // -- writing one

  #form() {
    const form = element("form", "roll-form");
    const text = words("notice-text", t("notice_hint"), TEXT);
    text.value = this.#draft;
    const [street, team] = ["street", "team"].map((key) => this.#labels(key));
    const until = choice("notice-until", UNTIL.map(([ms, key]) => [ms, t(key)]));
    const off = element("input");
    off.type = "checkbox";
    off.id = "notice-off";
    const about = element("p", "roll-about");
    const send = element("button", "button strong", t("notice_send"));
    send.type = "submit";
    send.id = "notice-send";
    const count = () => {
      this.#draft = text.value;
      team.disabled = street.value === LISTED;
      const all = this.#whom(street.value, team.value);
      const there = off.checked ? all : all.filter((unit) => unit.state !== OFF_SHIFT);
      about.textContent = there.length ? t(off.checked ? "notice_count_all" : "notice_count", { n: there.length }) : t("notice_nobody");
      send.disabled = there.length === 0 || !text.value.trim();
      return there;
    };
    form.addEventListener("input", count);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const there = count();
      const whom = street.value === LISTED ? { units: there.map((unit) => unit.id) } : { ...(street.value && { street: street.value }), ...(team.value && { team: team.value }) };
      const ends = until.value ? { until: Math.round(this.clock.now() + Number(until.value)) } : {};
      this.#send({ text: text.value, ...whom, ...ends, ...(off.checked && { off_duty: true }) }, send);
    });
    text.addEventListener("keydown", (event) => event.key === "Enter" && event.ctrlKey && form.requestSubmit());
    const also = labelled(t("notice_off"), off, "pane-check");
    form.append(text, labelled(t("notice_street"), street), labelled(t("notice_team"), team), labelled(t("notice_until"), until), also, about, send);
    count();
    return form;
  }

  /** Streets or teams to choose from; beside the streets whoever is listed, if that says more than a label. */
  #labels(key) {
    const found = [...new Set([...this.units.all.values()].map((unit) => unit[key]).filter(Boolean))].sort(new Intl.Collator(language()).compare);
    const { view } = this;
    const exact = key === "street" && (view.query !== "" || view.states.size > 0 || view.inView);
    const options = [["", t(key === "street" ? "all_streets" : "all_teams")], ...(exact ? [[LISTED, t("notice_listed", { n: view.rows().length })]] : []), ...found.map((one) => [one, plain(one, 40)])];
    return choice(`notice-${key}`, options, exact ? LISTED : view[key]);
  }

  #whom(street, team) {
    if (street === LISTED) return this.view.rows();
    return [...this.units.all.values()].filter((unit) => (!street || unit.street === street) && (!team || unit.team === team));
  }

  async #send(wanted, button) {
    button.disabled = true;
    try {
      const notice = await api.makeNotice(wanted);
      this.#draft = "";
      this.#look(notice);
      this.box.querySelector(".roll-feet button").focus();
      this.onNotice(t("notice_sent", { n: notice.counts.units }), "good");
    } catch (error) {
      this.onNotice(error.message, "warn");
      button.disabled = false;
    }
  }

  // -- who has it

  async #fetch(id) {
    try {
      this.#look(await api.notice(id));
      this.box.querySelector(".roll-feet button").focus();
    } catch (error) {
      this.onNotice(error.message, "warn");
    }
  }

  async #ask() {
    const { id } = this.#shown ?? {};
    if (!id || !this.open) return;
    const found = await api.notice(id).catch(() => null); // the next news asks again
    if (found && this.#shown?.id === id && this.open) this.#look(found);
  }

  #look(notice) {
    this.#shown = notice;
    const { units, delivered, read } = notice.counts;
    const label = t("notice_read_n", { n: read, all: units });
    const numbers = element("p", "roll-numbers");
    numbers.append(element("b", "", label), element("span", "", t("notice_has_n", { n: delivered })));
    const ends = t(notice.until > notice.now ? "notice_ends" : "notice_ended", { time: this.#moment(notice.until) });
    const about = element("p", "roll-next", [this.#about(notice), ends].join(" · "));
    const rows = [...notice.units].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name, language()));
    const list = element("ul", "roll-list");
    list.append(...rows.map((one) => this.#row(one)));
    const feet = element("div", "roll-feet");
    feet.append(pushButton("button", t("roll_back"), () => this.begin()));
    const [top, focused] = [this.box.querySelector(".roll-list")?.scrollTop ?? 0, this.box.contains(document.activeElement) ? document.activeElement.dataset.unit : undefined];
    const back = this.box.contains(document.activeElement) && document.activeElement.closest(".roll-feet");
    this.show(t("notice_title"), element("p", "pane-words", plain(notice.text, TEXT)), about, numbers, bar(read, delivered - read, units, label), list, feet);
    list.scrollTop = top;
    if (back) feet.firstChild.focus();
    else if (focused !== undefined) this.box.querySelector(`[data-unit="${CSS.escape(focused)}"]`)?.focus();
  }

  #row(one) {
    const state = one.read ? "confirmed" : one.delivered ? "position" : "asked";
    const reply = one.read ? t("notice_read", { time: this.#moment(one.read) }) : one.delivered ? t("notice_has", { time: this.#moment(one.delivered) }) : t("notice_waits");
    const labels = [one.street, one.team].filter(Boolean).map((word) => plain(word, 24)).join(" · ");
    const row = listRow(state, plain(one.name, 40), reply, labels, () => this.onPick(one.unit));
    row.firstChild.dataset.unit = one.unit;
    return row;
  }
}

/** Whoever does not have it stands first, then whoever has not read it. */
function rank(one) {
  return one.read ? 2 : one.delivered ? 1 : 0;
}
