// The list of recent commands on the card: state, age, what came of it, and a way to call one back.

import { element, icon, pushButton, text } from "./dom.js";
import { knows, language, t } from "./i18n.js";
import { plain } from "./labels.js";
import { ageOf, clockFormat } from "./time.js";

const CALM = 3;
const MANY = 12;
const RECENT_MS = 600_000;
const WAITING_MS = 3000; // what has not gone out by then waits for its device
export const OPEN = new Set(["queued", "sent"]);

const clock = clockFormat("");
const two = (n) => String(n).padStart(2, "0");

/** When a command expires, as far as a person needs to know it. */
function expiry(moment, now) {
  const at = new Date(moment);
  const time = clock.format(moment).slice(0, 5);
  return moment - now < 20 * 3_600_000 ? time : `${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`;
}

function title(order) {
  if (order.kind === "parameters") return t("cmd_set_parameters");
  if (order.kind === "follow" && order.arguments.interval === 0) return t("cmd_follow_stop");
  return knows(`cmd_${order.kind}`) ? t(`cmd_${order.kind}`) : order.kind;
}

function about(order) {
  const given = order.arguments ?? {};
  if (order.kind === "text") return plain(given.text ?? "", 40);
  if (order.kind === "parameters") return Object.entries(given.values ?? {}).map(([name, value]) => `${knows(`parameter_${name}`) ? t(`parameter_${name}`) : name} ${value}`).join(t("comma"));
  return "";
}

export class Orders {
  #rows = new Map(); // id -> element

  constructor({ onCancel, onPicture }) {
    Object.assign(this, { onCancel, onPicture });
    this.box = element("ul", "orders");
    this.box.setAttribute("role", "log");
  }

  /** `orders` newest first; `all`: the person asked for more than what is going on. */
  show(orders, now, all) {
    const shown = all ? orders.slice(0, MANY) : orders.filter((one) => OPEN.has(one.state) || now - (one.answered ?? one.created) < RECENT_MS).slice(0, CALM);
    const rows = shown.map((order) => {
      const sign = JSON.stringify([order.state, order.tries, order.result, order.text, order.arguments, language()]);
      let row = this.#rows.get(order.id);
      if (row?.sign !== sign) {
        const open = row?.querySelector("details")?.open ?? false;
        row?.remove();
        row = this.#row(order);
        row.sign = sign;
        if (open) row.querySelector("details").open = true;
        this.#rows.set(order.id, row);
      }
      text(row.note, this.#note(order, now));
      return row;
    });
    const kept = new Set(shown.map((order) => order.id));
    for (const id of this.#rows.keys()) if (!kept.has(id)) this.#rows.delete(id);
    const there = [...this.box.children];
    if (rows.length !== there.length || rows.some((row, index) => row !== there[index])) this.box.replaceChildren(...rows);
    this.box.hidden = rows.length === 0;
  }

  #note(order, now) {
    const said = language() === "zh" ? order.zh || order.text : order.text || order.zh;
    const parts = [about(order)];
    if (order.state === "queued" && now - order.created > WAITING_MS) parts.push(t("order_waits", { time: expiry(order.expires, now) }));
    if (order.state === "sent" && order.tries > 1) parts.push(t("order_tries", { n: order.tries }));
    if (said) parts.push(said);
    parts.push(ageOf(order.answered ?? order.created, now));
    return parts.filter(Boolean).join(" · ");
  }

  #row(order) {
    const row = element("li", "order");
    row.dataset.kind = order.kind;
    row.dataset.state = order.state;
    const words = element("div", "order-words");
    row.note = element("span", "");
    const state = element("em", "", t(`order_${order.state}`));
    const photos = order.result?.photos ?? [];
    if (order.kind === "photo" && OPEN.has(order.state) && (photos.length || order.state === "sent")) state.textContent = t("photo_of", { n: photos.length, all: order.arguments?.count ?? 1 });
    const head = element("div", "order-head");
    head.append(element("b", "", title(order)), state);
    words.append(head, row.note);
    row.append(words);
    if (OPEN.has(order.state)) {
      const cancel = pushButton("tool", "", () => this.onCancel(order));
      cancel.title = t("cmd_cancel");
      cancel.setAttribute("aria-label", `${t("cmd_cancel")}: ${title(order)}`);
      cancel.append(icon("close"));
      row.append(cancel);
    }
    if (photos.length) row.append(this.#photos(photos));
    if (order.result?.parameters) row.append(parameters(order.result.parameters));
    return row;
  }

  #photos(photos) {
    const box = element("div", "order-photos");
    photos.forEach((photo, index) => {
      const words = t("photo_alt", { n: index + 1, kilobytes: Math.max(1, Math.round(photo.size / 1000)) });
      const button = pushButton("order-photo", "", () => this.onPicture(photo.url, words));
      button.title = words;
      const image = document.createElement("img");
      Object.assign(image, { src: photo.url, alt: words, loading: "lazy", width: 84, height: 63 });
      image.addEventListener("error", () => button.replaceChildren(element("small", "", t("photo_gone"))));
      button.append(image);
      box.append(button);
    });
    return box;
  }
}

function parameters(values) {
  const box = element("details", "order-table");
  const entries = Object.entries(values);
  box.append(element("summary", "", t("parameters_show", { n: entries.length })));
  const table = element("table", "");
  for (const [name, value] of entries) {
    const line = table.insertRow();
    line.append(element("th", "", knows(`parameter_${name}`) ? t(`parameter_${name}`) : name), element("td", "", String(value)));
  }
  box.append(table);
  return box;
}
