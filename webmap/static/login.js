// The login page: name and password, a code where the account asks for one, and a password of one's own where the first
// one was made by somebody else. Errors in words, then on to the page that was asked for.

import { Preferences } from "./prefs.js";

const LEAST = 10; // characters of a new password

const WORDS = {
  zh: {
    claim: "城市管理的现场：人在哪里，看得清楚", name: "用户名", password: "密码", submit: "登录", busy: "正在登录…", other: "English", empty: "请输入用户名和密码",
    refused: "用户名或密码不正确", many: "尝试次数过多，请稍后再试", down: "服务器没有应答，请检查网络后重试", title: "登录 · Gridbeat",
    code: "动态码", hint: "请输入手机验证器上的 6 位动态码；手机不在身边时，可输入一个恢复码", code_empty: "请输入动态码或恢复码",
    help: "忘记密码或丢失手机时，请联系管理员重置",
    fresh_title: "设置您的密码", fresh_why: "{name}，当前密码由他人代设。请设置只有您知道的密码。", new: "新密码", again: "再次输入新密码", rule: "至少 10 个字符，不得与账号名相近。长句子比复杂符号更好记、更安全。", fresh: "保存并进入", differ: "两次输入的密码不一致", short: "新密码至少需要 10 个字符",
  },
  en: {
    claim: "The city's field work, live on one map", name: "User name", password: "Password", submit: "Log in", busy: "Logging in…", other: "中文", empty: "Enter user name and password",
    refused: "Wrong user name or password", many: "Too many attempts; try again later", down: "The server does not answer. Check the network and try again", title: "Log in · Gridbeat",
    code: "Code", hint: "The six digits that your authenticator app shows; without your phone, one of your recovery codes", code_empty: "Enter a code of the app or a recovery code",
    help: "Password forgotten or phone lost? An administrator can reset it.",
    fresh_title: "Choose your password", fresh_why: "{name}, your password was made by somebody else. Choose one that only you know.", new: "New password", again: "New password once more", rule: "At least 10 characters, not your name. A sentence is easier to keep in mind than signs, and safer.", fresh: "Save and go on", differ: "The two are not the same", short: "The new password needs at least 10 characters",
  },
};

const $ = (id) => document.getElementById(id);
const prefs = new Preferences();
let language = document.documentElement.lang.startsWith("zh") ? "zh" : "en";
let problem = null; // {key} of WORDS or {zh, text} from the server
let step = "login"; // then "code" if the account asks for one, and "fresh" if its password is not its own yet
let given = { name: "", password: "" };

function show() {
  const words = WORDS[language];
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = words.title;
  const told = {
    claim: words.claim, "name-word": words.name, "password-word": words.password, "code-word": words.code, "code-hint": words.hint, help: words.help,
    "fresh-title": words.fresh_title, "fresh-why": words.fresh_why.replace("{name}", given.name), "new-word": words.new, "again-word": words.again, "fresh-rule": words.rule,
    submit: $("submit").disabled ? words.busy : words.submit, "fresh-submit": words.fresh, language: words.other,
  };
  for (const [id, text] of Object.entries(told)) $(id).textContent = text;
  $("login").hidden = step === "fresh";
  $("fresh").hidden = step !== "fresh";
  $("code-row").hidden = $("code-hint").hidden = step !== "code";
  const place = $(step === "fresh" ? "fresh-error" : "error");
  place.hidden = problem === null;
  if (problem) place.textContent = problem.key ? words[problem.key] : (language === "zh" ? problem.zh : problem.text) || words.refused;
  const fields = { login: ["name", "password"], code: ["code"], fresh: ["new", "again"] }[step];
  for (const id of fields) $(id).setAttribute("aria-invalid", String(problem !== null && problem.key !== "down"));
}

function busy(on) {
  $("submit").disabled = $("fresh-submit").disabled = on;
  show();
}

/** What the server answered: {body} when it was well, else {error} in its words or in ours. */
async function post(path, sent) {
  let response;
  try {
    response = await fetch(path, {
      method: "POST",
      credentials: "same-origin",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(sent),
    });
  } catch {
    return { error: { key: "down" } };
  }
  const body = await response.json().catch(() => null);
  if (response.ok) return { body };
  if (body?.error?.text || body?.error?.zh) return { error: body.error };
  return { error: { key: response.status === 429 ? "many" : response.status >= 500 ? "down" : "refused" } };
}

/** Back to the page that sent us here. A name of small letters is a page of ours, never an address elsewhere. */
function goOn() {
  const to = new URLSearchParams(location.search).get("to") ?? "";
  location.replace(/^[a-z]+$/.test(to) ? `/${to}${location.hash}` : "/");
}

function complain(key, field) {
  problem = { key };
  show();
  $(field).focus();
}

$("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  given = { name: $("name").value.trim(), password: $("password").value };
  const code = step === "code" ? $("code").value.trim() : "";
  if (!given.name || !given.password) return complain("empty", given.name ? "password" : "name");
  if (step === "code" && !code) return complain("code_empty", "code");
  problem = null;
  busy(true);
  const { body, error } = await post("/api/v1/login", { ...given, ...(code && { code }) });
  if (body && !body.must_change) return goOn();
  const asked = error?.code === "code_needed";
  problem = asked && step !== "code" ? null : error ?? null;
  if (body) step = "fresh";
  else if (asked) step = "code";
  busy(false);
  const field = step === "fresh" ? "new" : step === "code" ? "code" : "password";
  $(field).focus();
  $(field).select();
});

for (const id of ["name", "password"]) {
  // Another account may ask for no code.
  $(id).addEventListener("input", () => {
    if (step !== "code") return;
    step = "login";
    $("code").value = "";
    show();
  });
}

$("fresh").addEventListener("submit", async (event) => {
  event.preventDefault();
  const chosen = $("new").value;
  if ([...chosen].length < LEAST) return complain("short", "new");
  if (chosen !== $("again").value) return complain("differ", "again");
  problem = null;
  busy(true);
  const { body, error } = await post("/api/v1/me/password", { old: given.password, new: chosen });
  if (body) return goOn();
  problem = error;
  busy(false);
  $("new").focus();
});
$("language").addEventListener("click", () => {
  language = language === "zh" ? "en" : "zh";
  prefs.set("language", language);
  show();
});
show();
$("name").focus();
