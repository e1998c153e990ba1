// Whether one is on duty now, and telling that he comes or goes; for whoever is not on duty always.

import { api } from "./api.js";
import { element, pushButton } from "./dom.js";
import { language, t } from "./i18n.js";
import { plain } from "./labels.js";
import { toast } from "./roster_sheets.js";

const moment = (ms) => new Date(ms).toLocaleString(language() === "zh" ? "zh-CN" : "en-GB", { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

/** The line under the fields; nothing where duty is not told. */
export function dutyView(unit, context) {
  const { mode, on, since, by } = unit.duty ?? {};
  if (mode === undefined || mode === "always") return [];
  const line = element("div", "acts duty");
  const words = [t(on ? "duty_on" : "duty_off"), on && since ? t("duty_since", { time: moment(since) }) : "", on && by ? t(`duty_by_${by}`) : ""];
  const state = element("span", "duty-now", words.filter(Boolean).join(" · "));
  state.dataset.on = String(on);
  line.append(element("h3", "", t("duty_head")), state, element("i", ""));
  // A vehicle with a crew is on duty with it.
  if (context.rights().duty && mode !== "crew") line.append(pushButton("button tell", t(on ? "duty_tell_off" : "duty_tell_on"), (event) => tell(unit, !on, event.currentTarget, context)));
  return [line];
}

async function tell(unit, on, button, context) {
  button.disabled = true;
  try {
    const { told } = await api.tellDuty(unit.id, on);
    const words = t(on ? "duty_told_on" : "duty_told_off", { name: plain(unit.name, 40) });
    toast(words, () => context.undo(() => api.untellDuty(unit.id, told)));
    await context.refresh();
  } catch (error) {
    context.trouble(error.message);
    button.disabled = false;
  }
}
