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

async function call(method, path, body, more = {}) {
  const { headers, ...rest } = more;
  const response = await fetch(path, {
    method,
    credentials: "same-origin",
    headers: body === undefined ? {} : { "Content-Type": "application/json", ...headers },
    ...rest,
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

/** What somebody was writing in this tab is nobody else's: who called, why a person's data was looked at. */
function forget() {
  try {
    sessionStorage.clear();
  } catch {
    // a forbidden storage has kept nothing
  }
}

const id = encodeURIComponent;

/** What is asked for, as a query: nothing of what is empty. */
const wanted = (asked) => new URLSearchParams(Object.entries(asked).filter(([, value]) => value !== "" && value !== null));

export const api = {
  me: () => call("GET", "/api/v1/me"),
  changePassword: (old, chosen) => call("POST", "/api/v1/me/password", { old, new: chosen }),
  beginTotp: (password) => call("POST", "/api/v1/me/totp", { password }),
  confirmTotp: (code) => call("POST", "/api/v1/me/totp/confirm", { code }),
  endTotp: (password) => call("POST", "/api/v1/me/totp/off", { password }),
  sessions: () => call("GET", "/api/v1/me/sessions"),
  endSession: (session) => call("DELETE", `/api/v1/me/sessions/${id(session)}`),
  endOthers: () => call("DELETE", "/api/v1/me/sessions"),
  accounts: () => call("GET", "/api/v1/accounts"),
  roles: () => call("GET", "/api/v1/roles"),
  addAccount: (account) => call("POST", "/api/v1/accounts", account),
  amendAccount: (name, changes) => call("PATCH", `/api/v1/accounts/${id(name)}`, changes),
  resetAccount: (name) => call("POST", `/api/v1/accounts/${id(name)}/password`),
  removeAccount: (name) => call("DELETE", `/api/v1/accounts/${id(name)}`),
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
  callRoll: (wanted) => call("POST", "/api/v1/roll-calls", wanted),
  rollCalls: () => call("GET", "/api/v1/roll-calls"),
  rollCall: (one) => call("GET", `/api/v1/roll-calls/${id(one)}`),
  notices: () => call("GET", "/api/v1/notices"),
  notice: (one) => call("GET", `/api/v1/notices/${id(one)}`),
  makeNotice: (notice) => call("POST", "/api/v1/notices", notice),
  survey: (one) => call("GET", `/api/v1/surveys/${id(one)}`),
  makeSurvey: (survey, key) => call("POST", "/api/v1/surveys", survey, { headers: { "Idempotency-Key": key } }),
  rollCallTable: (one) => `/api/v1/roll-calls/${id(one)}/csv`,
  seats: () => call("GET", "/api/v1/seats"),
  addSeat: (seat) => call("POST", "/api/v1/seats", seat),
  amendSeat: (seat, changes) => call("PATCH", `/api/v1/seats/${id(seat)}`, changes),
  removeSeat: (seat) => call("DELETE", `/api/v1/seats/${id(seat)}`),
  checkGrids: (collection) => call("POST", "/api/v1/grids?check=1", collection),
  putGrids: (collection, removing) => call("POST", `/api/v1/grids${removing ? "?remove_missing=1" : ""}`, collection),
  amendGrid: (grid, changes) => call("PATCH", `/api/v1/grids/${id(grid)}`, changes),
  removeGrid: (grid) => call("DELETE", `/api/v1/grids/${id(grid)}?cells=1`),
  lastImport: () => call("GET", "/api/v1/grid-import"),
  undoImport: () => call("DELETE", "/api/v1/grid-import"),
  phones: () => call("GET", "/api/v1/phones"),
  addDevice: (device) => call("POST", "/api/v1/devices", device),
  renewToken: (device, base) => call("POST", `/api/v1/devices/${id(device)}/token`, { base }),
  devices: () => call("GET", "/api/v1/devices"),
  bind: (device, binding) => call("POST", `/api/v1/devices/${id(device)}/binding`, binding),
  revoke: (device) => call("DELETE", `/api/v1/devices/${id(device)}/token`),
  enrolmentDoor: () => call("GET", "/api/v1/enrolments"),
  enrol: (unit, wanted) => call("POST", `/api/v1/units/${id(unit)}/enrolment`, wanted),
  enrolment: (one) => call("GET", `/api/v1/enrolments/${id(one)}`),
  withdraw: (one) => call("DELETE", `/api/v1/enrolments/${id(one)}`),
  putUnits: (units) => call("POST", "/api/v1/units", units),
  tellDuty: (unit, on) => call("POST", `/api/v1/units/${encodeURIComponent(unit)}/duty`, { on }),
  untellDuty: (unit, told) => call("DELETE", `/api/v1/units/${encodeURIComponent(unit)}/duty/${encodeURIComponent(told)}`),
  unitTable: (table, put) => call("POST", "/api/v1/units/table", { table, put }),
  certificate: (host) => call("GET", `/api/v1/certificate?host=${id(host)}`),
  storage: () => call("GET", "/api/v1/storage"),
  storageDays: (before, limit) => call("GET", `/api/v1/storage/days?limit=${limit}${before ? `&before=${id(before)}` : ""}`),
  startVerify: () => call("POST", "/api/v1/storage/verify"),
  accessLog: (asked) => call("GET", `/api/v1/access-log?${wanted(asked)}`),
  accessTable: (asked) => `/api/v1/access-log.csv?${wanted(asked)}`,
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
  desk: (since) => call("GET", `/api/v1/desk?since=${since}`),
  task: (task) => call("GET", `/api/v1/tasks/${id(task)}`),
  tasks: (asked) => call("GET", `/api/v1/tasks?${wanted(asked)}`),
  makeTask: (task, key) => call("POST", "/api/v1/tasks", task, { headers: { "Idempotency-Key": key } }),
  amendTask: (task, changes) => call("PATCH", `/api/v1/tasks/${id(task)}`, changes),
  changeTask: (task, verb, given, more) => call("POST", `/api/v1/tasks/${id(task)}/${verb}`, given, more),
  candidates: (task) => call("GET", `/api/v1/tasks/${id(task)}/candidates`),
  candidatesAt: (asked) => call("GET", `/api/v1/candidates?${wanted(asked)}`),
  taskOfProblem: (problem) => call("POST", `/api/v1/problems/${id(problem)}/task`, {}),
  settleProblem: (problem) => call("POST", `/api/v1/problems/${id(problem)}/seen`, {}),
  acknowledgeSos: (sos) => call("POST", `/api/v1/sos/${id(sos)}/acknowledge`, {}),
  photo: (sha) => `/api/v1/photos/${id(sha)}`,
  voice: (sha) => `/api/v1/voice/${id(sha)}`,
  logout: () => {
    forget();
    return call("POST", "/api/v1/logout", {});
  },
};
