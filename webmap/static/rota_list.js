// The rota on a phone: everybody on one day, or one person's week.

import { element, pushButton } from "./dom.js";
import { t } from "./i18n.js";
import { marksOf, sharesOf } from "./rota_attendance.js";
import { dayWord, holidayWord } from "./rota_words.js";

export class List {
  constructor(node, { plan, attendance, onWish, onPerson, onLook }) {
    Object.assign(this, { node, plan, attendance, onWish, onPerson, onLook });
    this.mayChange = false;
  }

  /** Everybody on `day`, or, if `person` is one, that person on all of the plan's days. */
  show(people, day, person) {
    const head = element("div", "list-head");
    const rows = element("ul", "list-rows");
    if (person) {
      if (people.length > 1 || this.plan.people.length > 1) head.append(pushButton("button quiet", t("all_people"), () => this.onPerson(null)));
      head.append(element("h3", "", t("person_week", { name: person.name })));
      rows.append(...this.plan.days.map((one) => this.#row(person, one, this.#day(one))));
      this.onLook([person.id]);
    } else {
      const one = this.plan.days.find((each) => each.day === day);
      if (one && holidayWord(one)) head.append(this.#day(one));
      const shown = people.slice(0, 300); // a phone's worth: the search narrows it
      if (one) rows.append(...shown.map((unit) => this.#row(unit, one, this.#name(unit))));
      this.onLook(shown.slice(0, 30).map((unit) => unit.id));
    }
    this.node.replaceChildren(head, rows);
  }

  #day(day) {
    const node = element("span", "list-day");
    node.dataset.kind = day.kind;
    node.append(element("b", "", dayWord(day.day)), element("small", "", holidayWord(day)));
    return node;
  }

  #name(unit) {
    const node = pushButton("list-name", "", () => this.onPerson(unit));
    node.append(element("b", "", unit.name), element("small", "", [unit.team, unit.street].filter(Boolean).join(" · ")));
    return node;
  }

  #row(unit, day, first) {
    const node = element("li");
    const given = this.plan.at(unit.id, day.day);
    const shift = given ? this.plan.shift(given.shift) : null;
    node.append(first);
    const colour = !given ? "" : given.shift === "off" ? "block-off" : `colour-${shift?.colour ?? 0}`;
    if (this.mayChange) {
      const select = element("select", colour);
      select.setAttribute("aria-label", `${unit.name} ${dayWord(day.day)}`);
      for (const [id, name] of [["", "—"], ["off", t("off_long")], ...this.plan.given.map((one) => [one.id, one.name])]) select.append(new Option(name, id));
      if (shift?.retired) select.append(new Option(shift.name, shift.id));
      select.value = given?.shift ?? "";
      select.addEventListener("change", () => this.onWish([{ unit: unit.id, day: day.day, shift: select.value || null, grids: [] }]));
      node.append(select);
    } else {
      node.append(element("span", `block ${colour}`, !given ? t("nothing_planned") : given.shift === "off" ? t("off_long") : shift?.name ?? given.shift));
    }
    const row = this.attendance.of(unit.id, day.day);
    const marks = marksOf(row);
    const line = element("p", "marks");
    if (shift) line.append(element("i", "hours", shift.periods.join(" ")));
    line.append(...marks.map((mark) => element("i", `mark mark-${mark.kind}`, mark.words)));
    if (!marks.length && sharesOf(row).length) line.append(element("i", "mark mark-fine", sharesOf(row)[0]));
    if (line.childElementCount) node.append(line);
    return node;
  }
}
