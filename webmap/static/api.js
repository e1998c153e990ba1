// The console's HTTP interface. A lost session leads to the login page; errors carry the server's own words.

import { language } from "./i18n.js";

export class ApiError extends Error {
  constructor(status, body) {
    const error = body?.error ?? {};
    super((language() === "zh" ? error.zh : error.text) || error.text || `HTTP ${status}`);
    this.status = status;
    this.code = error.code ?? "";
  }
}

async function call(method, path, body) {
  const response = await fetch(path, {
    method,
    credentials: "same-origin",
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (response.status === 401) {
    toLogin();
    throw new ApiError(401, null);
  }
  const text = await response.text();
  let value = null;
  try {
    value = text ? JSON.parse(text) : null;
  } catch {
    throw new ApiError(response.status, null);
  }
  if (!response.ok) throw new ApiError(response.status, value);
  return value;
}

/** To the sign-in page; and back to this one after it, unless somebody is leaving. */
export function toLogin(back = true) {
  const page = location.pathname.slice(1);
  location.assign(back && page && page !== "login" ? `/login?to=${encodeURIComponent(page)}${location.hash}` : "/login");
}

const id = encodeURIComponent;

export const api = {
  me: () => call("GET", "/api/v1/me"),
  export: (unit) => call("GET", `/api/v1/units/${id(unit)}/export`),
  makeExport: (unit, reason) => call("POST", `/api/v1/units/${id(unit)}/export`, reason ? { reason } : {}),
  exportFile: (unit, reason) => `/api/v1/units/${id(unit)}/export/file${reason ? `?reason=${id(reason)}` : ""}`,
  removal: (unit) => call("GET", `/api/v1/units/${id(unit)}/removal`),
  remove: (unit, confirm, reason) => call("POST", `/api/v1/units/${id(unit)}/removal`, { confirm, reason }),
  grids: () => call("GET", "/api/v1/grids"),
  basemap: () => call("GET", "/api/v1/basemap"),
  units: () => call("GET", "/api/v1/units"),
  unit: (unit) => call("GET", `/api/v1/units/${id(unit)}`),
  track: (unit, from) => call("GET", `/api/v1/units/${id(unit)}/track?from=${Math.round(from)}`),
  device: (device) => call("GET", `/api/v1/devices/${id(device)}`),
  amend: (device, changes) => call("PATCH", `/api/v1/devices/${id(device)}`, changes),
  send: (device, command) => call("POST", `/api/v1/devices/${id(device)}/commands`, command),
  commands: (device) => call("GET", `/api/v1/devices/${id(device)}/commands?limit=12`),
  cancel: (command) => call("DELETE", `/api/v1/commands/${id(command)}`),
  phones: () => call("GET", "/api/v1/phones"),
  addDevice: (device) => call("POST", "/api/v1/devices", device),
  setup: (device, base) => call("GET", `/api/v1/devices/${id(device)}/setup?base=${id(base)}`),
  renewToken: (device) => call("POST", `/api/v1/devices/${id(device)}/token`),
  certificate: (host) => call("GET", `/api/v1/certificate?host=${id(host)}`),
  storage: () => call("GET", "/api/v1/storage"),
  storageDays: (before, limit) => call("GET", `/api/v1/storage/days?limit=${limit}${before ? `&before=${id(before)}` : ""}`),
  startVerify: () => call("POST", "/api/v1/storage/verify"),
  shifts: () => call("GET", "/api/v1/shifts"),
  addShift: (shift) => call("POST", "/api/v1/shifts", shift),
  changeShift: (shift, changes) => call("PATCH", `/api/v1/shifts/${id(shift)}`, changes),
  removeShift: (shift) => call("DELETE", `/api/v1/shifts/${id(shift)}`),
  rota: (from, to) => call("GET", `/api/v1/rota?from=${from}&to=${to}`),
  planRota: (asked) => call("PUT", "/api/v1/rota", asked),
  calendar: () => call("GET", "/api/v1/calendar"),
  deadline: (start, seconds) => call("GET", `/api/v1/working-time?start=${id(start)}&limit_s=${seconds}`),
  attendance: (units, from, to) => call("GET", `/api/v1/attendance?from=${from}&to=${to}${units.map((unit) => `&unit=${id(unit)}`).join("")}`),
  attendanceTable: (asked) => `/api/v1/attendance?format=csv&${new URLSearchParams(asked)}`,
  logout: () => call("POST", "/api/v1/logout", {}),
};
