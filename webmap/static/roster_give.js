// The dialog that gives somebody a phone: six digits and a QR code, and whether a phone has come with them.

import { api } from "./api.js";
import { copyText, element, pushButton, text } from "./dom.js";
import { t } from "./i18n.js";
import { plain } from "./labels.js";
import { closeSheet, field, onSheetClose, openSheet, select, toast } from "./roster_sheets.js";

const POLL_MS = 1500;

/** Which app, where to, how long; then the code. */
export async function give(unit, context) {
  let door;
  try {
    door = await api.enrolmentDoor();
  } catch (error) {
    context.trouble(error.message);
    return;
  }
  const ahead = Date.now() - door.now; // of the server's clock
  const app = select(t("roster_app"), "traccar", door.apps.map((one) => [one.protocol, one.title]));
  const address = field(t("roster_address"), usual(door.door), 200);
  const shift = element("label", "check");
  const box = document.createElement("input");
  box.type = "checkbox";
  shift.append(box, element("span", "", t("roster_for_shift")));
  const duty = (typeof unit.duty === "string" ? unit.duty : unit.duty?.mode) ?? "always";
  shift.hidden = duty === "always";
  const local = element("p", "note", door.door.local ? t("roster_local") : "");
  const acts = element("div", "acts");
  const make = pushButton("button strong", t("roster_code"), async () => {
    make.disabled = true;
    try {
      const offer = await api.enrol(unit.id, { app: app.input.value, base: address.input.value.trim(), shift: box.checked });
      showCode(unit, offer, ahead, context);
    } catch (error) {
      shown.fail(error);
      make.disabled = false;
    }
  });
  acts.append(element("i", ""), pushButton("button", t("cancel"), closeSheet), make);
  const shown = openSheet(t("roster_give_for", { name: plain(unit.name, 40) }), app.node, address.node, local, shift, acts);
  make.focus();
}

/** Where the browser found the server, with the field's port. */
function usual({ port, tls, address }) {
  const here = /^(localhost|127\.|\[::1\])/.test(location.hostname);
  return `${tls ? "https" : "http"}://${(here && address) || location.hostname}:${port}`;
}

function showCode(unit, offer, ahead, context) {
  const sheet = element("div", "qr");
  const picture = new DOMParser().parseFromString(offer.qr, "image/svg+xml").documentElement;
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", "QR");
  sheet.append(document.importNode(picture, true));
  const words = element("div", "");
  const digits = element("p", "digits", `${offer.digits.slice(0, 3)} ${offer.digits.slice(3)}`);
  const once = element("p", "note");
  const wrong = element("p", "note");
  words.append(element("p", "", t("roster_scan", { address: offer.link.split("#")[0] })), digits, once, wrong);
  const code = element("div", "code");
  code.append(sheet, words);
  const state = element("p", "state", t("roster_open"));
  state.setAttribute("role", "status");
  const acts = element("div", "acts");
  const end = pushButton("button", t("roster_stop"), closeSheet);
  acts.append(element("i", ""), end);
  openSheet(t("roster_give_for", { name: plain(unit.name, 40) }), code, state, acts);
  let at = offer;

  const paint = () => {
    state.dataset.state = at.state;
    text(state, t(`roster_${at.state}`));
    const minutes = Math.max(0, Math.ceil((at.expires - (Date.now() - ahead)) / 60000));
    text(once, at.state === "open" ? t("roster_once", { n: minutes }) : "");
    digits.classList.toggle("dead", !at.typable);
    text(wrong, at.state !== "open" || !at.wrong ? "" : t(at.typable ? "roster_wrong" : "roster_dead", { n: at.wrong }));
    code.hidden = at.state === "used";
    text(end, t(at.state === "open" ? "roster_stop" : "roster_close"));
    end.classList.toggle("strong", at.state !== "open");
  };
  const timer = setInterval(async () => {
    try {
      at = await api.enrolment(offer.id);
      paint();
    } catch {
      return; // the next look is in a moment
    }
    if (at.state === "open" || at.state === "taken") return;
    clearInterval(timer);
    if (at.state === "used") {
      const { device } = at;
      toast(t("roster_used"), () => context.undo(() => api.bind(device, { unit: null })));
      context.refresh();
    }
  }, POLL_MS);
  onSheetClose(() => {
    clearInterval(timer);
    if (at.state === "open") api.withdraw(offer.id).catch(() => {});
  });
  paint();
}

/** What is told once of a device: its token, and the id that goes with it. */
export function shownOnce(title, told) {
  const secret = element("p", "secret", told.token ?? told.external_id);
  const acts = element("div", "acts");
  const copy = pushButton("button", t("copy_value"), async () => {
    if (await copyText(secret.textContent)) text(copy, t("value_copied"));
  });
  acts.append(element("i", ""), copy, pushButton("button strong", t("roster_close"), closeSheet));
  openSheet(title, element("p", "", t("roster_token_once")), secret, element("p", "note", t("roster_id", { id: told.external_id })), acts);
}
