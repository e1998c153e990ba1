// What the two pages of accounts share: language, theme, keys, menu, and words that come and go.

import { language, onLanguage, setLanguage, t } from "./i18n.js";
import { listenToKeys } from "./keyboard.js";
import { showNav } from "./nav.js";
import { Preferences } from "./prefs.js";
import { Theme } from "./theme.js";

export const $ = (id) => document.getElementById(id);

/** Words into a place that is hidden without them. */
export function say(id, words) {
  $(id).textContent = words;
  $(id).hidden = !words;
}

/** Sets a page up: `name` in the menu, `paint` for what is said in words, further `actions` by key. */
export function begin(name, paint, actions = {}) {
  const prefs = new Preferences();
  const theme = new Theme(prefs);
  const own = {
    language: () => prefs.set("language", language() === "zh" ? "en" : "zh"),
    theme: () => theme.toggle(),
    escape: () => (document.activeElement.matches("input, select") ? document.activeElement.blur() : location.assign("/")),
    ...actions,
  };
  listenToKeys(own);
  $("language").addEventListener("click", own.language);
  $("theme").addEventListener("click", own.theme);
  prefs.onChange((key, value) => key === "language" && setLanguage(value));
  const paintTheme = () => $("theme-icon").setAttribute("href", theme.dark ? "#i-sun" : "#i-moon");
  theme.onChange(paintTheme);
  paintTheme();
  onLanguage(() => {
    document.title = `${t(name)} · Gridbeat`;
    paint();
  });
  showNav(name);
  setLanguage(prefs.get("language") ?? language());
}
