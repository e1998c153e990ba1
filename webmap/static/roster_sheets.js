// Dialogs of the page of people and devices: fields, a question, several at once; and the note with its undo.

import { api } from "./api.js";
import { element, pushButton, text } from "./dom.js";
import { language, t } from "./i18n.js";

const TOAST_MS = 12000;
const sheet = document.getElementById("sheet");
let lists = 0;
let timer = 0;

/** A field with its label; `known` are offered while one types. */
export function field(label, value, longest, known = []) {
  const node = element("label", "");
  const input = document.createElement("input");
  Object.assign(input, { value, maxLength: longest, autocomplete: "off", spellcheck: false });
  node.append(element("span", "", label), input);
  if (known.length) {
    const list = document.createElement("datalist");
    list.id = `known-${(lists += 1)}`;
    list.append(...known.map((one) => new Option("", one)));
    input.setAttribute("list", list.id);
    node.append(list);
  }
  return { node, input };
}

export function select(label, value, options) {
  const node = element("label", "");
  const input = document.createElement("select");
  input.append(...options.map(([one, words]) => new Option(words, one)));
  input.value = value;
  node.append(element("span", "", label), input);
  return { node, input };
}

/** Opens the dialog with this in it; answers the element for what is wrong. */
export function openSheet(title, ...parts) {
  const head = element("h2", "", title);
  head.id = "sheet-title";
  const body = element("div", "sheet-body");
  const error = element("p", "error");
  error.hidden = true;
  error.setAttribute("role", "alert");
  body.append(head, ...parts, error);
  sheet.replaceChildren(body);
  if (!sheet.open) sheet.showModal();
  return {
    fail: (problem) => {
      error.hidden = false;
      text(error, problem.message);
    },
  };
}

export function closeSheet() {
  if (sheet.open) sheet.close();
}

export function onSheetClose(work) {
  sheet.addEventListener("close", work, { once: true });
}

function acts(...buttons) {
  const node = element("div", "acts");
  node.append(element("i", ""), pushButton("button", t("cancel"), closeSheet), ...buttons);
  return node;
}

/** Fields and a button that saves them; `save` is given their values. */
export function formSheet(title, fields, save) {
  const form = element("form", "");
  form.noValidate = true;
  const button = element("button", "button strong", t("roster_save"));
  button.type = "submit";
  form.append(...Object.values(fields).map((one) => one.node), acts(button));
  const shown = openSheet(title, form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await save(Object.fromEntries(Object.entries(fields).map(([key, one]) => [key, one.input.value])));
      closeSheet();
    } catch (problem) {
      shown.fail(problem);
    }
  });
  Object.values(fields).find((one) => one.input.matches("input"))?.input.focus();
}

/** A question; `work` is done for a yes, and may show something else in the dialog by answering true. */
export function ask(words, yes, work) {
  const button = pushButton("button strong", yes, async () => {
    try {
      if ((await work()) !== true) closeSheet();
    } catch (problem) {
      shown.fail(problem);
    }
  });
  const shown = openSheet(words, acts(button));
}

/** Several at once, from a table: judged first, then put in. */
export function importSheet(done) {
  const area = document.createElement("textarea");
  area.spellcheck = false;
  const label = element("label", "");
  label.append(element("span", "", t("roster_paste")), area);
  const judged = element("p", "note");
  const put = pushButton("button strong", t("roster_put"), () => send(true));
  put.disabled = true;
  const check = pushButton("button", t("roster_check"), () => send(false));
  area.addEventListener("input", () => (put.disabled = true));
  const shown = openSheet(t("roster_import"), label, judged, acts(check, put));
  area.focus();

  async function send(write) {
    try {
      const told = await api.unitTable(area.value, write);
      text(judged, [t("roster_judged", { added: told.added, changed: told.changed, same: told.unchanged }), ...(language() === "zh" ? told.notes_zh : told.notes)].join("\n"));
      sheet.querySelector(".error").hidden = true;
      put.disabled = write;
      if (!write) return;
      closeSheet();
      toast(t("roster_imported", { added: told.added, changed: told.changed }));
      await done();
    } catch (problem) {
      shown.fail(problem);
    }
  }
}

/** A note at the foot of the page, with an undo if there is one. */
export function toast(words, undo = null) {
  const box = document.getElementById("toast");
  const button = document.getElementById("undo");
  clearTimeout(timer);
  text(document.getElementById("toast-text"), words);
  button.hidden = undo === null;
  button.onclick = () => {
    box.hidden = true;
    undo();
  };
  box.hidden = false;
  timer = setTimeout(() => (box.hidden = true), TOAST_MS);
}
