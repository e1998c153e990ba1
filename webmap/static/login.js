// The login page: one form, errors in words, then on to the map.

import { Preferences } from "./prefs.js";

const WORDS = {
  zh: {
    claim: "城市管理的现场：人在哪里，看得清楚", name: "用户名", password: "密码", submit: "登录", busy: "正在登录…", other: "English", empty: "请输入用户名和密码",
    refused: "用户名或密码不正确", many: "尝试次数过多，请稍后再试", down: "服务器没有应答，请检查网络后重试", title: "登录 · Gridbeat",
  },
  en: {
    claim: "The city's field work, live on one map", name: "User name", password: "Password", submit: "Log in", busy: "Logging in…", other: "中文", empty: "Enter user name and password",
    refused: "Wrong user name or password", many: "Too many attempts; try again later", down: "The server does not answer. Check the network and try again", title: "Log in · Gridbeat",
  },
};

const $ = (id) => document.getElementById(id);
const prefs = new Preferences();
let language = document.documentElement.lang.startsWith("zh") ? "zh" : "en";
let problem = null; // {key} of WORDS or {zh, text} from the server

function show() {
  const words = WORDS[language];
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = words.title;
  $("claim").textContent = words.claim;
  $("name-word").textContent = words.name;
  $("password-word").textContent = words.password;
  $("submit").textContent = $("submit").disabled ? words.busy : words.submit;
  $("language").textContent = words.other;
  $("error").hidden = problem === null;
  if (problem) $("error").textContent = problem.key ? words[problem.key] : (language === "zh" ? problem.zh : problem.text) || words.refused;
  for (const id of ["name", "password"]) $(id).setAttribute("aria-invalid", String(problem !== null && problem.key !== "down"));
}

function busy(on) {
  $("submit").disabled = on;
  show();
}

async function enter(name, password) {
  let response;
  try {
    response = await fetch("/api/v1/login", {
      method: "POST",
      credentials: "same-origin",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ name, password }),
    });
  } catch {
    return { key: "down" };
  }
  if (response.ok) return null;
  const body = await response.json().catch(() => null);
  if (body?.error?.text || body?.error?.zh) return body.error;
  return { key: response.status === 429 ? "many" : response.status >= 500 ? "down" : "refused" };
}

$("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = $("name").value.trim();
  const password = $("password").value;
  if (!name || !password) {
    problem = { key: "empty" };
    show();
    (name ? $("password") : $("name")).focus();
    return;
  }
  problem = null;
  busy(true);
  problem = await enter(name, password);
  if (problem === null) {
    // Back to the page that sent us here. A name of small letters is a page of ours, never an address elsewhere.
    const to = new URLSearchParams(location.search).get("to") ?? "";
    location.replace(/^[a-z]+$/.test(to) ? `/${to}${location.hash}` : "/");
    return;
  }
  busy(false);
  $("password").focus();
  $("password").select();
});
$("language").addEventListener("click", () => {
  language = language === "zh" ? "en" : "zh";
  prefs.set("language", language);
  show();
});
show();
$("name").focus();
