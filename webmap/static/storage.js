// The page of storage: what history takes, how long that will do, what the archive does, and whether it is what was sealed.

import { api } from "./api.js";
import { element, text } from "./dom.js";
import { knows, language, onLanguage, setLanguage, t } from "./i18n.js";
import { listenToKeys } from "./keyboard.js";
import { showNav } from "./nav.js";
import { Preferences } from "./prefs.js";
import { count, daysAhead, size } from "./sizes.js";
import { Days } from "./storage_days.js";
import { Proof } from "./storage_proof.js";
import "./storage_words.js";
import { Theme } from "./theme.js";
import { ageOf, span } from "./time.js";

const REFRESH_MS = 5000;
const BUSY_MS = 1000; // while something runs that has a progress
const JOBS = ["seal", "states", "merge", "close", "snapshot", "tidy", "verify"];

const $ = (id) => document.getElementById(id);
const prefs = new Preferences();
const theme = new Theme(prefs);
const days = new Days({ onProblem: (error) => trouble(error.message) });
const proof = new Proof({ onProblem: (error) => trouble(error.message), onBegun: () => refresh() });
let told = null;
let timer = 0;

function trouble(words) {
  $("trouble").hidden = !words;
  text($("trouble-text"), words);
}

async function refresh() {
  clearTimeout(timer);
  try {
    told = await api.storage();
    trouble("");
    paint();
    days.learn(told);
  } catch (error) {
    trouble(t("retrying", { text: error.message }));
  }
  const busy = told !== null && (told.jobs.running !== null || told.verify.state !== "idle");
  timer = setTimeout(refresh, busy ? BUSY_MS : REFRESH_MS);
}

/** Builds anew only what says something new: nothing flickers, and what has the focus keeps it. */
function build(node, value, make) {
  const key = JSON.stringify([language(), value]);
  if (node.dataset.key === key) return;
  node.dataset.key = key;
  node.replaceChildren(...make());
}

function paint() {
  $("main").dataset.state = "ready";
  build($("problems"), told.problems, () => told.problems.map((problem) => {
    const row = element("li", "", language() === "zh" ? problem.zh : problem.text);
    row.dataset.what = problem.what;
    return row;
  }));
  paintDisk();
  build($("classes"), [told.classes, told.journal, told.live], () => [...told.classes.map(classRow), journalRow(), liveRow()]);
  proof.show(told);
  paintWork();
  text($("ladder-text"), t("ladder_text", { size: size(told.disk.low_bytes) }));
  build($("ladder"), told.ladder, () => told.ladder.map(rungRow));
}

// -- the disk

function parts() {
  const { disk, classes, journal, live } = told;
  const found = classes.map((one) => [one.class, one.used_bytes]);
  found.push(["journal", journal.bytes], ["live", live.bytes], ["reserve", disk.reserve_held ? disk.reserve_bytes : 0]);
  const ours = found.reduce((sum, [, bytes]) => sum + bytes, 0);
  found.push(["other", Math.max(0, disk.total_bytes - disk.free_bytes - ours)], ["free", disk.free_bytes]);
  return found.filter(([, bytes]) => bytes > 0);
}

function paintDisk() {
  const { disk } = told;
  const shown = parts();
  build($("strip"), shown, () => shown.map(([name, bytes]) => {
    const part = element("i", `part part-${name}`);
    part.style.flexGrow = String(bytes / disk.total_bytes);
    part.title = `${t(`part_${name}`)} ${size(bytes)}`;
    return part;
  }));
  $("strip").setAttribute("aria-label", t("strip_label", { parts: shown.map(([name, bytes]) => `${t(`part_${name}`)} ${size(bytes)}`).join(t("comma")) }));
  build($("key"), shown, () => shown.map(([name, bytes]) => {
    const row = element("li", `part-${name}`);
    row.append(element("i", "dot"), element("span", "", t(`part_${name}`)), element("b", "", size(bytes)));
    return row;
  }));
  const forecast = disk.level === "critical" ? t("disk_critical")
    : disk.exhausted ? t("disk_exhausted")
    : disk.level === "low" ? t("disk_low")
    : disk.full_in_days === null ? t("disk_forever")
    : t("disk_full_in", { span: daysAhead(disk.full_in_days), date: disk.full_on });
  text($("disk-forecast"), `${t("disk_free", { free: size(disk.free_bytes), total: size(disk.total_bytes) })} · ${forecast}`);
  $("disk-forecast").dataset.level = disk.level !== "ok" ? disk.level : disk.full_in_days !== null && disk.full_in_days <= 30 ? "soon" : "ok";
}

// -- history

function row(name, about, value, facts) {
  const node = element("div", `class part-${name}`);
  const words = element("div", "class-words");
  words.append(element("i", "dot"), element("b", "", t(`part_${name}`)), element("span", "", about));
  const line = element("p", "class-facts");
  line.append(...facts.filter(Boolean).map((fact) => element("span", "", fact)));
  node.append(words, element("p", "class-value", value), line);
  return node;
}

function classRow(one) {
  const value = one.budget_bytes ? t("used_of", { used: size(one.used_bytes), budget: size(one.budget_bytes) }) : size(one.used_bytes);
  const deleted = Object.entries(one.deleted).map(([reason, n]) => t(n === 1 ? "deleted_one" : "deleted_reason", { reason: t(`reason_${reason}`), n }));
  const node = row(one.class, t(`about_${one.class}`), value, [
    forecastOf(one),
    one.days ? t(one.days === 1 ? "class_day" : "class_days", { n: one.days, oldest: one.oldest }) : t("class_empty"),
    one.per_day_bytes ? t("per_day", { size: size(one.per_day_bytes) }) : "",
    t("kept_for", { days: count(one.keep_days) }),
    one.budget_bytes ? "" : t("no_budget"),
    deleted.length ? t("deleted_so_far", { list: deleted.join(t("comma")) }) : "",
  ]);
  if (one.budget_bytes) {
    const bar = element("div", "bar");
    const part = Math.min(1, one.used_bytes / one.budget_bytes);
    bar.append(element("i", "bar-fill"), element("i", "bar-mark"));
    bar.firstChild.style.width = `${(100 * part).toFixed(1)}%`;
    bar.setAttribute("role", "meter");
    bar.setAttribute("aria-valuemin", "0");
    bar.setAttribute("aria-valuemax", "100");
    bar.setAttribute("aria-valuenow", String(Math.round(100 * part)));
    bar.setAttribute("aria-valuetext", size(one.used_bytes)); // "0" shows nothing at all
    bar.setAttribute("aria-label", t("bar_label", { name: t(`part_${one.class}`), used: size(one.used_bytes), budget: size(one.budget_bytes) }));
    node.dataset.alarm = one.alarm ? (one.full_in_days !== null && one.full_in_days <= 1 ? "full" : "soon") : "none";
    node.insertBefore(bar, node.lastChild);
  }
  return node;
}

function forecastOf(one) {
  if (!one.budget_bytes || !one.days) return "";
  if (one.full_in_days === null) return t("full_never");
  return one.full_in_days <= 1 ? t("full_now") : t("full_in", { span: daysAhead(one.full_in_days) });
}

function journalRow() {
  return row("journal", "", size(told.journal.bytes), [t(told.journal.days === 1 ? "bounded_journal_one" : "bounded_journal", { n: told.journal.days })]);
}

function liveRow() {
  const { embedded, bytes } = told.live;
  return row("live", "", embedded ? size(bytes) : "—", [t(embedded ? "bounded_live" : "live_elsewhere")]);
}

// -- work

function paintWork() {
  const { running, next_seal, last } = told.jobs;
  text($("now"), running
    ? t("work_running", { job: jobName(running.job), span: span(told.now - running.since) })
    : t("work_idle", { span: span(Math.max(0, next_seal - told.now)) }));
  const part = progressOf(running?.progress);
  $("job-progress").hidden = part === null;
  if (part !== null) $("job-progress").firstElementChild.style.width = `${part}%`;
  const known = new Map(last.map((one) => [one.job, one]));
  build($("jobs"), [last, Math.floor(told.now / 10_000)], () => JOBS.flatMap((job) => {
    const one = known.get(job);
    const values = one && { age: ageOf(one.ended, told.now), span: one.took_ms < 1000 ? `${one.took_ms}\u00a0ms` : span(one.took_ms), text: one.failure };
    const told_of = element("dd", "", one ? t(one.failure ? "work_failed" : "work_last", values) : t("work_none"));
    if (one?.failure) told_of.dataset.failed = "";
    return [element("dt", "", jobName(job)), told_of];
  }));
}

/** What a job is called; one that is newer than this page by the server's word for it. */
function jobName(job) {
  return knows(`job_${job}`) ? t(`job_${job}`) : job;
}

/** How far a job is, in per cent, where it says so: it counts records, units or files. */
function progressOf(progress) {
  if (!progress) return null;
  if (typeof progress.percent === "number") return progress.percent;
  const done = progress.units ?? progress.sealed;
  return typeof done === "number" && progress.of > 0 ? Math.min(100, (100 * done) / progress.of) : null;
}

function rungRow(rung) {
  const node = element("li", "", t(`rung_${rung.way}_${rung.what[0]}`, { n: rung.spare_days }));
  if (rung.now) {
    node.dataset.now = "";
    node.append(element("em", "", t("rung_now")));
  }
  return node;
}

// -- the page

function translate() {
  document.title = `${t("storage")} · Gridbeat`;
  if (told !== null) paint();
  days.translate();
}

const actions = {
  language: () => prefs.set("language", language() === "zh" ? "en" : "zh"),
  theme: () => theme.toggle(),
  verify: () => proof.begin(),
  down: () => days.move(1),
  up: () => days.move(-1),
  escape: () => location.assign("/"),
};
listenToKeys(actions);
$("language").addEventListener("click", actions.language);
$("theme").addEventListener("click", actions.theme);
prefs.onChange((name, value) => name === "language" && setLanguage(value));
const paintTheme = () => $("theme-icon").setAttribute("href", theme.dark ? "#i-sun" : "#i-moon");
theme.onChange(paintTheme);
onLanguage(translate);

window.addEventListener("focus", refresh);

paintTheme();
showNav("storage");
setLanguage(prefs.get("language") ?? language());
refresh();
