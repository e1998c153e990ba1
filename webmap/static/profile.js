// The page of one's own account: who one is, password, two-step sign-in, where one is signed in, own devices and data.

import { $, begin, say } from "./account_page.js";
import "./account_words.js";
import { api } from "./api.js";
import { titleOf } from "./device_titles.js";
import { copyText, element, pushButton } from "./dom.js";
import { t } from "./i18n.js";
import { size } from "./sizes.js";
import { ageOf } from "./time.js";

const LEAST = 10; // characters of a new password
const EXPORT_MS = 2000; // between two looks at an export that is being made

let me = null;
let sessions = null;
let person = null; // whose account it is
let exported = null;
let step = { kind: "still" }; // of two-step sign-in: still, ask (for the password), scan, codes

async function load() {
  try {
    [me, sessions] = await Promise.all([api.me(), api.sessions()]);
    if (me.unit) {
      [person, exported] = await Promise.all([api.unit(me.unit), api.export(me.unit)]);
    }
    say("trouble", "");
    paint();
  } catch (error) {
    say("trouble", t("retrying", { text: error.message }));
    setTimeout(load, 3000);
  }
}

function paint() {
  if (me === null) return;
  $("main").dataset.state = "ready";
  paintFacts();
  paintTotp();
  paintSessions();
  $("devices-paper").hidden = $("data-paper").hidden = !me.unit;
  if (!me.unit) return;
  $("devices").replaceChildren(...(person.devices.length ? person.devices.map(deviceRow) : [element("li", "note", t("devices_none"))]));
  paintExport();
}

/** How far the account reaches: to its person, to its streets and teams, or everywhere. */
function reachFacts() {
  if (me.rights.live === "own") return [["fact_area", t("only_own")]];
  const facts = [["fact_area", me.streets], ["fact_teams", me.teams]].filter(([, labels]) => labels.length);
  return facts.length ? facts.map(([word, labels]) => [word, labels.join(t("comma"))]) : [["fact_area", t("all_city")]];
}

function paintFacts() {
  const facts = [["fact_name", me.name], ["fact_role", t(`role_${me.role}`)], ...reachFacts()];
  if (me.unit) facts.push(["fact_person", `${person.name} (${me.unit})`]);
  $("facts").replaceChildren(...facts.flatMap(([word, value]) => [element("dt", "", t(word)), element("dd", "", value)]));
  const rights = Object.keys(me.rights).filter((name) => name !== "self");
  $("rights").replaceChildren(...["city", "area", "own"].flatMap((reach) => {
    const found = rights.filter((name) => me.rights[name] === reach);
    if (!found.length) return [];
    const list = element("ul", "rights");
    list.append(...found.map((name) => element("li", "", t(`right_${name}`))));
    const side = element("dd", "");
    side.append(list);
    return [element("dt", "", t(`reach_${reach}`)), side];
  }));
}

// -- password

$("password").addEventListener("submit", async (event) => {
  event.preventDefault();
  const [old, chosen, again] = ["old", "new", "again"].map((id) => $(id).value);
  const wrong = !old ? ["password_empty", "old"] : [...chosen].length < LEAST ? ["password_short", "new"] : chosen !== again ? ["password_differ", "again"] : null;
  say("password-done", "");
  say("password-error", wrong ? t(wrong[0]) : "");
  if (wrong) return $(wrong[1]).focus();
  try {
    await api.changePassword(old, chosen);
    $("password").reset();
    say("password-done", t("password_changed"));
    load();
  } catch (error) {
    say("password-error", error.message);
    $(error.code === "wrong_password" ? "old" : "new").focus();
  }
});

// -- two-step sign-in

function paintTotp() {
  const make = { still: totpStill, ask: totpAsk, scan: totpScan, codes: totpCodes }[step.kind];
  $("totp").replaceChildren(...make());
}

function turn(next) {
  step = next;
  paintTotp();
  $("totp").querySelector("input, button")?.focus();
}

function totpStill() {
  const nodes = [element("p", "", me.totp ? t("totp_on_text", { n: me.recovery_codes }) : t("totp_off_text"))];
  if (step.done) nodes.unshift(element("p", "done", t(step.done)));
  if (me.totp && me.recovery_codes < 3) nodes.push(element("p", "error", t("totp_few")));
  nodes.push(pushButton(`button${me.totp ? "" : " strong"}`, t(me.totp ? "totp_end" : "totp_begin"), () => turn({ kind: "ask" })));
  return nodes;
}

/** A form of one field: its deed may fail with words, which stay beside the field. */
function oneField(word, attributes, deed, send) {
  const form = element("form", "");
  const label = element("label", "field");
  const input = element("input", "");
  const error = element("p", "error");
  const deeds = element("div", "deeds");
  const submit = element("button", "button strong", send);
  Object.assign(input, attributes);
  label.append(element("span", "", t(word)), input);
  error.setAttribute("role", "alert");
  error.hidden = true;
  deeds.append(submit, pushButton("button", t("cancel"), () => turn({ kind: "still" })));
  form.append(label, error, deeds);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    try {
      await deed(input.value);
    } catch (failed) {
      error.textContent = failed.message;
      error.hidden = false;
      submit.disabled = false;
      input.select();
    }
  });
  return form;
}

function totpAsk() {
  const deed = async (password) => {
    if (!me.totp) return turn({ kind: "scan", ...(await api.beginTotp(password)) });
    await api.endTotp(password);
    [me, sessions] = await Promise.all([api.me(), api.sessions()]);
    turn({ kind: "still", done: "totp_ended" });
    paintSessions();
  };
  return [oneField("field_password", { type: "password", autocomplete: "current-password", maxLength: 256 }, deed, t(me.totp ? "totp_end" : "totp_begin"))];
}

function totpScan() {
  const sheet = element("div", "qr");
  const picture = new DOMParser().parseFromString(step.qr, "image/svg+xml").documentElement;
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", t("totp_scan"));
  sheet.append(document.importNode(picture, true));
  const secret = element("p", "note", `${t("totp_secret")} `);
  secret.append(element("code", "", step.secret.replace(/(.{4})(?=.)/g, "$1 ")));
  const deed = async (code) => {
    const { recovery_codes } = await api.confirmTotp(code);
    [me, sessions] = await Promise.all([api.me(), api.sessions()]);
    turn({ kind: "codes", codes: recovery_codes });
    paintSessions();
  };
  const field = oneField("totp_code", { inputMode: "numeric", autocomplete: "one-time-code", maxLength: 9 }, deed, t("totp_confirm"));
  return [element("p", "", t("totp_scan")), sheet, secret, field];
}

function totpCodes() {
  const list = element("ul", "codes");
  list.append(...step.codes.map((code) => element("li", "", code)));
  const deeds = element("div", "deeds");
  const copy = pushButton("button", t("copy_it"), async () => (await copyText(step.codes.join("\n"))) && (copy.textContent = t("copied_it")));
  deeds.append(pushButton("button strong", t("totp_kept"), () => turn({ kind: "still" })), copy);
  return [element("p", "done", t("totp_done")), element("p", "", t("totp_recovery")), list, deeds];
}

// -- where one is signed in

/** A browser's long name for itself, as people call it. */
function agentWord(agent) {
  const browser = [["Edg/", "Edge"], ["OPR/", "Opera"], ["MicroMessenger", "微信 WeChat"], ["Firefox/", "Firefox"], ["Chrome/", "Chrome"], ["Safari/", "Safari"]].find(([sign]) => agent.includes(sign))?.[1];
  const system = [["Android", "Android"], ["iPhone", "iPhone"], ["iPad", "iPad"], ["Windows", "Windows"], ["Mac OS", "macOS"], ["Linux", "Linux"]].find(([sign]) => agent.includes(sign))?.[1];
  return browser ? [browser, system].filter(Boolean).join(" · ") : agent.slice(0, 40) || t("session_program");
}

function paintSessions() {
  $("sessions").replaceChildren(...sessions.sessions.map((one) => {
    const row = element("li", "line");
    const words = element("div", "");
    const name = element("b", "", agentWord(one.agent));
    words.append(name);
    if (one.this) words.append(element("span", "tag good", t("session_this")));
    const facts = [one.address, t("session_seen", { age: ageOf(one.seen, sessions.now) }), t("session_since", { age: ageOf(one.made, sessions.now) })];
    words.append(element("small", "", facts.filter(Boolean).join(" · ")));
    row.append(words);
    if (!one.this) row.append(pushButton("button quiet", t("session_end"), () => end(api.endSession(one.id), "")));
    return row;
  }));
  $("others").hidden = sessions.sessions.length < 2;
}

async function end(asked, done) {
  try {
    await asked;
    say("sessions-done", done);
  } catch (error) {
    say("trouble", error.message);
  }
  sessions = await api.sessions();
  paintSessions();
}

$("others").addEventListener("click", () => end(api.endOthers(), t("sessions_ended")));

// -- own devices and data

function deviceRow(device) {
  const row = element("li", "line");
  const words = element("div", "");
  words.append(element("b", "", titleOf(device.protocol)), element("small", "", device.id));
  row.append(words);
  return row;
}

function paintExport() {
  say("data-error", exported.state === "failed" ? t("data_failed", { text: exported.problem }) : "");
  const nodes = [];
  if (exported.file && exported.state === "ready") {
    const link = element("a", "button strong", t("data_fetch", { size: size(exported.file.bytes) }));
    link.href = api.exportFile(me.unit);
    nodes.push(link);
  }
  const busy = ["waiting", "running"].includes(exported.state);
  const make = pushButton("button", t(busy ? "data_making" : "data_make"), async () => {
    make.disabled = true;
    try {
      exported = await api.makeExport(me.unit);
      paintExport();
    } catch (error) {
      say("data-error", error.message);
      make.disabled = false;
    }
  });
  make.disabled = busy;
  nodes.push(make);
  $("data").replaceChildren(...nodes);
  if (busy) setTimeout(async () => {
    exported = await api.export(me.unit).catch(() => exported);
    paintExport();
  }, EXPORT_MS);
}

begin("profile", paint);
load();
