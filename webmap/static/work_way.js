// Ways: how far, which way, how long, and what leads there.

import { toGcj02 } from "./projection.js";
import { language, t } from "./i18n.js";

const WALK = 1.25; // m/s
const DETOUR = 1.35; // streets are longer than the straight line
const NEAR = 95; // metres: below it nobody needs a direction

/** Metres between two places in degrees. */
export function metres(a, b) {
  const radians = Math.PI / 180;
  const north = Math.sin(((b.lat - a.lat) * radians) / 2) ** 2;
  const east = Math.sin(((b.lon - a.lon) * radians) / 2) ** 2;
  const share = north + Math.cos(a.lat * radians) * Math.cos(b.lat * radians) * east;
  return 2 * 6_371_000 * Math.asin(Math.min(1, Math.sqrt(share)));
}

/** Degrees clockwise from north, from `a` to `b`. */
export function bearing(a, b) {
  const radians = Math.PI / 180;
  const over = (b.lon - a.lon) * radians;
  const y = Math.sin(over) * Math.cos(b.lat * radians);
  const x = Math.cos(a.lat * radians) * Math.sin(b.lat * radians) - Math.sin(a.lat * radians) * Math.cos(b.lat * radians) * Math.cos(over);
  return ((Math.atan2(y, x) / radians) + 360) % 360;
}

/** "320 m", "2.4 km": as exact as a phone knows it. */
export function far(distance) {
  if (distance < 1000) return t("hand_metres", { n: distance < 100 ? Math.round(distance) : Math.round(distance / 10) * 10 });
  return t("hand_kilometres", { n: (distance / 1000).toFixed(distance < 10_000 ? 1 : 0) });
}

export function direction(degrees) {
  return t("headings").split(" ")[Math.round(degrees / 45) % 8];
}

/** "320 m north-east" as a line of words. */
export function wayWords(from, to) {
  const distance = metres(from, to);
  return distance < NEAR ? far(distance) : `${far(distance)} · ${direction(bearing(from, to))}`;
}

/** Minutes on foot. */
export function minutes(distance) {
  return Math.max(1, Math.round((distance * DETOUR) / WALK / 60));
}

/** What the phone has for finding the way: [{name, href}]. Inside China 高德 wants its own coordinates; others want the
 *  world's. */
export function guides(task) {
  const [lat, lon] = [task.lat.toFixed(6), task.lon.toFixed(6)];
  const [there, beside] = toGcj02(task.lat, task.lon);
  const name = encodeURIComponent(task.address || t("hand_target"));
  const found = [];
  if (there !== task.lat) {
    const to = `${beside.toFixed(6)},${there.toFixed(6)},${name}`;
    found.push({ name: t("hand_amap"), href: `https://uri.amap.com/navigation?to=${to}&mode=ride&coordinate=gaode&callnative=1` });
  }
  if (/iPhone|iPad/.test(navigator.userAgent)) found.push({ name: t("hand_apple"), href: `https://maps.apple.com/?daddr=${lat},${lon}&dirflg=w` });
  else found.push({ name: t("hand_geo"), href: `geo:${lat},${lon}?q=${lat},${lon}(${name})` });
  return found;
}

/** How much time is left, short: "12:04" below an hour, "3 h", "2 d"; "+5:10" when it is over. */
export function timeLeft(ms) {
  const late = ms < 0;
  const seconds = Math.floor(Math.abs(ms) / 1000);
  const sign = late ? "+" : "";
  if (seconds < 3600) return `${sign}${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  if (seconds < 2 * 86_400) return sign + t("span_h", { n: late ? Math.floor(seconds / 3600) : (seconds / 3600).toFixed(seconds < 36_000 ? 1 : 0) });
  return sign + t("span_d", { n: Math.floor(seconds / 86_400) });
}

/** A moment of today as a clock shows it; of another day with its date. */
export function clock(ms) {
  const date = new Date(ms);
  const same = date.toDateString() === new Date().toDateString();
  const day = same ? {} : { month: "2-digit", day: "2-digit" };
  return new Intl.DateTimeFormat(language() === "zh" ? "zh-CN" : "en-GB", { ...day, hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(date);
}

/** What the server told in two languages. */
export function said(words, fallback = "") {
  return (words && (words[language()] || words.zh || words.en)) || fallback;
}
