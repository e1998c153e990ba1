// Sizes and spans of days as people say them, and a day of the calendar in words.

import { language, t } from "./i18n.js";

const UNITS = ["kB", "MB", "GB", "TB"];

/** Bytes in words, by steps of 1,024 as the settings count them: three figures are enough. */
export function size(bytes) {
  if (bytes < 1024) return bytes ? "1 kB" : "0";
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value >= 100 ? Math.round(value) : Number(value.toPrecision(value < 10 ? 2 : 3))} ${UNITS[unit]}`;
}

/** A number of days ahead, in words: years where days are no measure any more. */
export function daysAhead(days) {
  if (days <= 1) return t("in_a_day");
  return days < 730 ? t("in_days", { n: days }) : t("in_years", { n: Math.round(days / 365) });
}

export function count(number) {
  return number.toLocaleString(language() === "zh" ? "zh-CN" : "en-GB");
}

/** A moment as day and time in the city's zone. */
export function moment(ms, zone) {
  const options = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  let format;
  try {
    format = new Intl.DateTimeFormat("sv-SE", { ...options, timeZone: zone });
  } catch {
    format = new Intl.DateTimeFormat("sv-SE", options);
  }
  return format.format(new Date(ms));
}
