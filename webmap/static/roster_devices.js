// The devices of one: given, passed on, taken back, a new token, shut out; and unknown ones that are adopted.

import { api } from "./api.js";
import { titleOf } from "./device_titles.js";
import { element, pushButton } from "./dom.js";
import { t } from "./i18n.js";
import { plain } from "./labels.js";
import { give, shownOnce } from "./roster_give.js";
import { ask, closeSheet, formSheet, select, toast } from "./roster_sheets.js";

const title = (device) => `${titleOf(device.protocol)} ${device.id}`;

/** What is shown of a unit's devices, and of those that nobody carries. */
export function devicesView(unit, carried, nobodys, context) {
  const rights = context.rights();
  const head = element("div", "acts");
  head.append(element("h3", "", t("roster_device_head")), element("i", ""));
  if (rights.enrol) head.append(pushButton("button strong", t("roster_give"), () => give(unit, context)));
  const list = element("ul", "devices");
  list.append(...carried.map((device) => card(unit, device, context)));
  const parts = [head, carried.length ? list : element("p", "note", t("roster_none"))];
  if (nobodys.length && rights.enrol) {
    const others = element("ul", "devices");
    others.append(...nobodys.slice(0, 20).map((device) => card(unit, device, context)));
    parts.push(element("h3", "", t("roster_nobody")), others);
  }
  return parts;
}

function card(unit, device, context) {
  const rights = context.rights();
  const node = element("li", "device");
  node.dataset.device = device.id;
  node.dataset.revoked = String(device.revoked);
  const since = device.bindings.at(-1);
  const facts = [
    t(device.revoked ? "roster_revoked" : device.connected ? "roster_connected" : "roster_away"),
    device.external_id ? plain(device.external_id, 40) : "",
    since && since.to === null && since.from > 0 ? t("roster_since", { time: new Date(since.from).toLocaleString() }) : "",
    device.shift ? t("roster_shift") : "",
  ];
  const acts = element("div", "acts");
  if (rights.enrol) {
    if (device.unit) acts.append(pushButton("button quiet back-device", t("roster_back"), () => takeBack(unit, device, context)));
    acts.append(pushButton("button quiet move", t("roster_move"), () => move(unit, device, context)));
  }
  if (rights.devices_change) {
    acts.append(pushButton("button quiet renew", t("roster_token"), () => renew(device, context)));
    if (!device.revoked) acts.append(pushButton("button quiet danger revoke", t("roster_revoke"), () => revoke(device, context)));
  }
  node.append(element("b", "", title(device)), element("p", "", facts.filter(Boolean).join(" · ")), acts);
  return node;
}

async function takeBack(unit, device, context) {
  try {
    await api.bind(device.id, { unit: null });
    toast(t("roster_taken_back", { device: title(device) }), () => context.undo(() => api.bind(device.id, { unit: unit.id })));
    await context.refresh();
  } catch (error) {
    context.trouble(error.message);
  }
}

function move(unit, device, context) {
  const others = context.units().filter((one) => one.id !== device.unit).map((one) => [one.id, `${plain(one.name, 40)} · ${one.id}`]);
  const to = select(t("roster_move_to", { device: title(device) }), unit.id === device.unit ? others[0]?.[0] : unit.id, others);
  formSheet(t("roster_move"), { unit: to }, async ({ unit: next }) => {
    await api.bind(device.id, { unit: next });
    const name = context.units().find((one) => one.id === next)?.name ?? next;
    toast(t("roster_moved", { name: plain(name, 40) }), () => context.undo(() => api.bind(device.id, { unit: device.unit })));
    await context.refresh();
  });
}

function renew(device, context) {
  ask(t("roster_token_ask", { device: title(device) }), t("roster_token"), async () => {
    shownOnce(title(device), await api.renewToken(device.id));
    await context.refresh();
    return true;
  });
}

function revoke(device, context) {
  ask(t("roster_revoke_ask", { device: title(device) }), t("roster_revoke"), async () => {
    await api.revoke(device.id);
    await context.refresh();
  });
}

/** A device that has tried to report: registered with one click, for the unit that is open or for a new one. */
export function strangerRow(stranger, unit, context) {
  const node = element("li", "");
  const words = `${titleOf(stranger.protocol)} · ${plain(stranger.external_id, 40)} · ${stranger.times}×`;
  const adopt = pushButton("button quiet", unit ? t("roster_adopt_for", { name: plain(unit.name, 20) }) : t("roster_adopt"), async () => {
    try {
      const made = await api.addDevice({ protocol: stranger.protocol, external_id: stranger.external_id, ...(unit ? { unit: unit.id } : {}) });
      if (made.token) shownOnce(title(made), made);
      else {
        closeSheet();
        toast(t("roster_adopted", { device: title(made) }));
      }
      await context.refresh();
    } catch (error) {
      context.trouble(error.message);
    }
  });
  node.append(element("span", "", words), adopt);
  return node;
}
