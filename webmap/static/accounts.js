// The page of accounts: who may sign in, as what, for which part of the city; and what each role may do.

import { $, begin, say } from "./account_page.js";
import "./account_words.js";
import { api } from "./api.js";
import { copyText, element } from "./dom.js";
import { t } from "./i18n.js";

let accounts = [];
let units = [];
let table = null;
let edited = null; // the account in the dialog; null for a new one

async function load() {
  try {
    const [told, roles, people] = await Promise.all([api.accounts(), table ?? api.roles(), api.units()]);
    [accounts, table, units] = [told.accounts, roles, people.units];
    say("trouble", "");
    paint();
  } catch (error) {
    say("trouble", t("retrying", { text: error.message }));
    setTimeout(load, 3000);
  }
}

function paint() {
  if (table === null) return;
  $("main").dataset.state = "ready";
  paintList();
  paintRoles();
}

function paintList() {
  const asked = $("search").value.trim().toLowerCase();
  const found = accounts.filter((one) => wordsOf(one).some((word) => word.toLowerCase().includes(asked)));
  $("list-title").textContent = t(accounts.length === 1 ? "account_count_one" : "account_count", { n: accounts.length });
  $("list").replaceChildren(...found.map(row));
  $("none").hidden = found.length > 0;
}

function wordsOf(account) {
  return [account.name, t(`role_${account.role}`), account.unit_name ?? "", account.unit ?? "", ...account.streets, ...account.teams];
}

function row(account) {
  const node = element("button", "account");
  node.type = "button";
  node.dataset.name = account.name;
  if (account.disabled) node.dataset.off = "";
  const name = element("span", "");
  name.append(element("b", "", account.name), element("span", "person", account.unit_name ?? ""));
  const states = element("span", "states");
  const tag = (kind, word, values) => states.append(element("span", `tag ${kind}`, t(word, values)));
  if (account.disabled) tag("bad", "state_disabled");
  else if (account.must_change) tag("warn", "state_first");
  if (account.totp) tag("", "state_totp");
  if (account.sessions) tag("good", "state_signed", { n: account.sessions });
  const area = [...account.streets, ...account.teams].join(t("comma")) || (["collector", "crew"].includes(account.role) ? "" : t("all_city"));
  node.append(name, element("span", "role", t(`role_${account.role}`)), element("span", "area", area), states);
  node.addEventListener("click", () => open(account));
  return node;
}

function paintRoles() {
  const head = element("tr", "");
  head.append(element("th", ""), ...table.roles.map((role) => element("th", "", t(`role_${role}`))));
  const top = element("thead", "");
  top.append(head);
  const body = element("tbody", "");
  for (const [action, reaches] of Object.entries(table.actions)) {
    if (action === "self") continue;
    const line = element("tr", "");
    line.append(element("th", "", t(`right_${action}`)), ...table.roles.map((role) => {
      const cell = element("td", "", t(`reach_${reaches[role]}`));
      cell.dataset.reach = reaches[role];
      return cell;
    }));
    body.append(line);
  }
  $("roles").replaceChildren(top, body);
}

// -- the dialog

function open(account) {
  edited = account;
  say("done", "");
  say("edit-error", "");
  $("edit-title").textContent = account ? account.name : t("account_new");
  $("name-row").hidden = account !== null;
  for (const id of ["disabled-row", "reset", "remove"]) $(id).hidden = account === null;
  $("name").value = "";
  $("role").replaceChildren(...table.roles.map((role) => new Option(t(`role_${role}`), role)));
  $("role").value = account?.role ?? "collector";
  $("people").replaceChildren(...units.map((unit) => new Option(unit.name, personWord(unit))));
  const unit = units.find((one) => one.id === account?.unit);
  $("person").value = unit ? personWord(unit) : account?.unit ?? "";
  $("streets").value = (account?.streets ?? []).join(t("comma"));
  $("teams").value = (account?.teams ?? []).join(t("comma"));
  $("disabled").checked = account?.disabled ?? false;
  $("edit").showModal();
  $(account ? "role" : "name").focus();
}

function personWord(unit) {
  return `${unit.name} (${unit.id})`;
}

/** The id of who was chosen or typed; null for nobody, undefined for somebody who is not there. */
function personId() {
  const given = $("person").value.trim();
  if (!given) return null;
  const named = units.filter((unit) => [unit.id, unit.name, personWord(unit)].includes(given));
  return named.length === 1 ? named[0].id : undefined;
}

const labels = (id) => $(id).value.split(/[,，、;；\n]/).map((word) => word.trim()).filter(Boolean);

$("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const unit = personId();
  if (unit === undefined) {
    say("edit-error", t("person_unknown"));
    return $("person").focus();
  }
  const wanted = { role: $("role").value, unit, streets: labels("streets"), teams: labels("teams") };
  try {
    if (edited === null) {
      const { account, password } = await api.addAccount({ name: $("name").value.trim(), ...wanted });
      $("edit").close();
      showFirst(account.name, password);
    } else {
      await api.amendAccount(edited.name, { ...wanted, disabled: $("disabled").checked });
      $("edit").close();
      say("done", t("account_changed"));
    }
    await load();
  } catch (error) {
    say("edit-error", error.message);
  }
});

/** Asks whether it is meant; answers true if it is. */
function sure(words, yes) {
  $("sure-text").textContent = words;
  $("sure-yes").textContent = yes;
  $("sure").returnValue = "";
  $("sure").showModal();
  return new Promise((done) => $("sure").addEventListener("close", () => done($("sure").returnValue === "yes"), { once: true }));
}

async function deed(words, yes, work) {
  const { name } = edited;
  if (!(await sure(t(words, { name }), t(yes)))) return;
  try {
    await work(name);
    $("edit").close();
    await load();
  } catch (error) {
    say("edit-error", error.message);
  }
}

$("reset").addEventListener("click", () => deed("account_reset_sure", "account_reset", async (name) => {
  const { password } = await api.resetAccount(name);
  showFirst(name, password);
}));
$("remove").addEventListener("click", () => deed("account_remove_sure", "account_remove", async (name) => {
  await api.removeAccount(name);
  say("done", t("account_removed", { name }));
}));
$("cancel").addEventListener("click", () => $("edit").close());

function showFirst(name, password) {
  $("first-title").textContent = t("first_title", { name });
  $("first-password").textContent = password;
  $("first-copy").textContent = t("copy_it");
  $("first").showModal();
}

$("first").addEventListener("close", () => ($("first-password").textContent = ""));
$("first-copy").addEventListener("click", async () => (await copyText($("first-password").textContent)) && ($("first-copy").textContent = t("copied_it")));

// -- the page

function step(by) {
  const rows = [...document.querySelectorAll(".account")];
  const at = rows.indexOf(document.activeElement);
  rows[Math.min(rows.length - 1, Math.max(0, at + by))]?.focus();
}

$("search").addEventListener("input", paintList);
$("add").addEventListener("click", () => open(null));
begin("accounts", paint, {
  search: () => $("search").focus(),
  down: () => step(1),
  up: () => step(-1),
});
load();
