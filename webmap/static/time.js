// The server's clock as seen from here, and ages, speeds and headings in words.

import { t } from "./i18n.js";

export class ServerClock {
  #offset = null;

  /** A frame said that the server's clock shows `now` (ms UTC). Our own wall clock may be hours off, or be set. */
  heard(now) {
    const offset = now - performance.now();
    // Delays only ever make a frame late, so the largest offset is the truest; creep back slowly against drift.
    this.#offset = this.#offset === null || Math.abs(offset - this.#offset) > 5000
      ? offset
      : Math.max(offset, this.#offset - 5);
  }

  now() {
    return this.#offset === null ? Date.now() : performance.now() + this.#offset;
  }
}

const STEPS = [["d", 86_400_000], ["h", 3_600_000], ["min", 60_000], ["s", 1000]];

function inWords(prefix, ms) {
  for (const [unit, length] of STEPS) {
    if (ms >= length || unit === "s") return t(`${prefix}_${unit}`, { n: Math.max(0, Math.floor(ms / length)) });
  }
  return "";
}

/** How long ago, in words: "12 s ago". */
export function ago(ms) {
  return ms < 1500 ? t("ago_now") : inWords("ago", ms);
}

/** A length of time in words: "12 s". */
export function span(ms) {
  return inWords("span", ms);
}

/** Age of a moment of the server's clock, or the word for never. */
export function ageOf(moment, now, never = "never") {
  return moment === null || moment === undefined ? t(never) : ago(Math.max(0, now - moment));
}

export function headingWord(course) {
  return t("headings").split(" ")[Math.round(course / 45) % 8];
}

const STANDING = 0.3; // m/s

/** A speed in m/s as people say it. */
export function speedWord(speed) {
  if (speed < STANDING) return t("standing");
  return t("speed_value", { n: (speed * 3.6).toFixed(speed < 2.8 ? 1 : 0) });
}

/** The time of day in the city's zone; falls back to the browser's zone when it does not know the name. */
export function clockFormat(zone) {
  const options = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
  try {
    return new Intl.DateTimeFormat("en-GB", { ...options, timeZone: zone });
  } catch {
    return new Intl.DateTimeFormat("en-GB", options);
  }
}

/** What tells a day in the city's zone: "11-24". */
export function dayFormat(zone) {
  const options = { month: "2-digit", day: "2-digit" };
  let format = null;
  try {
    format = new Intl.DateTimeFormat("en-GB", { ...options, timeZone: zone });
  } catch {
    format = new Intl.DateTimeFormat("en-GB", options);
  }
  return (at) => {
    const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value]));
    return `${parts.month}-${parts.day}`;
  };
}
