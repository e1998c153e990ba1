// Pieces that several screens of the collector's page are made of.

import { element, icon, pushButton } from "./dom.js";
import { t } from "./i18n.js";
import { clock, said, timeLeft } from "./work_way.js";

/** Puts rows into `parent`: [{key, make()}]. What has kept its key stays as it is, so that no finger is lost on it. */
export function keyed(parent, rows) {
  const there = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  const wanted = rows.map(({ key, make }) => {
    const node = there.get(key) ?? make();
    node.dataset.key = key;
    return node;
  });
  const same = wanted.length === parent.children.length && wanted.every((node, n) => parent.children[n] === node);
  if (!same) parent.replaceChildren(...wanted);
}

/** A moment until which time is left; the page keeps it going. */
export function due(ms, now) {
  const node = element("span", "left");
  const words = element("span", "", timeLeft(ms - now));
  words.dataset.due = String(ms);
  node.append(icon("clock"), words);
  return node;
}

export function chip(words, name = "") {
  return element("span", `chip ${name}`.trim(), words);
}

export function kindChip(app, task) {
  return chip(said(app.tasks.kind(task), task.kind), task.kind === "check" ? "check" : "");
}

/** A head with a way back. */
export function head(title, back, right) {
  const node = element("div", "task-head");
  const button = pushButton("back", "", back);
  button.setAttribute("aria-label", t("hand_back"));
  button.append(icon("back"));
  node.append(button, title, right ?? element("span"));
  return node;
}

export function callout(words) {
  const node = element("p", "callout");
  node.append(icon("alert"), element("span", "", words));
  return node;
}

/** A sheet that asks for one of several things; answers its value, or null. */
export function ask(title, choices, about = "") {
  const sheet = document.getElementById("ask");
  if (sheet.open) sheet.close();
  return new Promise((resolve) => {
    let answer = null;
    const heading = element("h1", "", title);
    heading.id = "ask-title";
    const list = element("div", "list");
    for (const { value, words, name = "" } of choices) {
      list.append(pushButton(`big ${name}`, words, () => {
        answer = value;
        sheet.close();
      }));
    }
    list.append(pushButton("big", t("hand_cancel"), () => sheet.close()));
    sheet.replaceChildren(heading, ...(about ? [element("p", "", about)] : []), list);
    sheet.onclose = () => resolve(answer);
    sheet.onclick = (event) => event.target === sheet && sheet.close();
    sheet.showModal();
  });
}

const TOLD_MS = 5000;

/** The line of this key, or null. */
export function noticed(key) {
  return [...document.querySelectorAll(".notice")].find((node) => node.dataset.key === key) ?? null;
}

/** A line that says something for a moment; `lasting` until it is tapped or its key is told again. No words: it goes. */
export function notice(words, { kind = "", lasting = false, key = words, action = null } = {}) {
  const before = noticed(key);
  if (before && lasting && before.textContent === words) return;
  before?.remove();
  if (!words) return;
  const place = document.getElementById(lasting ? "alarms" : "notices");
  const node = pushButton(`notice ${kind} ${action || lasting ? "" : "mute"}`, "", () => {
    node.remove();
    action?.();
  });
  node.dataset.key = key;
  node.append(icon(kind ? "alert" : "check"), element("span", "", words));
  place.append(node);
  while (place.children.length > 3) place.firstElementChild.remove();
  if (!lasting) setTimeout(() => node.remove(), TOLD_MS);
}

export function when(ms) {
  return element("span", "when", clock(ms));
}
