// The way between the pages: one list, of which each account is shown what it may open.
//
// A page calls showNav("its name") once; it is then the first thing in the page's head. me() answers who one is and
// what one may do, asked once for the whole page.

import { api, toLogin } from "./api.js";
import { element } from "./dom.js";
import { onLanguage, t } from "./i18n.js";
import "./nav_words.js";

const ORDER = ["map", "roster", "grids", "seats", "rota", "phones", "certificate", "storage", "access", "accounts", "profile"];
const SVG = "http://www.w3.org/2000/svg";

let asked = null;

/** Who is signed in: {name, role, unit, streets, teams, rights, pages, totp}; asked once, again after a failure. */
export function me() {
  asked ??= api.me().catch((error) => {
    asked = null;
    throw error;
  });
  return asked;
}

/** Puts the menu of pages first into the page's head; `here` is the page's own name, "map" for the map. */
export function showNav(here, head = document.querySelector(".bar, .top")) {
  const place = element("div", "nav");
  const button = element("button", "tool nav-button");
  const menu = element("div", "nav-menu");
  button.type = "button";
  button.id = "nav";
  button.append(bars());
  menu.id = "nav-menu";
  menu.hidden = true;
  button.setAttribute("aria-controls", menu.id);
  place.append(button, menu);
  head.prepend(place);

  const open = (on, back = false) => {
    menu.hidden = !on;
    button.setAttribute("aria-expanded", String(on));
    if (on) menu.querySelector("a:not([aria-current]), button")?.focus();
    else if (back) button.focus();
  };
  open(false);
  button.addEventListener("click", () => open(menu.hidden));
  document.addEventListener("pointerdown", (event) => menu.hidden || place.contains(event.target) || open(false));
  place.addEventListener("focusout", (event) => event.relatedTarget && !place.contains(event.relatedTarget) && open(false));
  // Before the page's own keys: an open menu keeps the arrows and Escape for itself.
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    if (menu.hidden) {
      const free = !event.target.matches?.("input, select, textarea") && !document.querySelector("dialog[open]");
      if (event.key.toLowerCase() !== "m" || !free) return;
      open(true);
    } else if (event.key === "Escape" || event.key.toLowerCase() === "m") {
      open(false, true);
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const rows = [...menu.querySelectorAll("a, button")];
      const at = rows.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
      rows.at(at % rows.length)?.focus();
    } else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);

  let who = null;
  const translate = () => {
    button.title = t("nav");
    button.setAttribute("aria-label", t("nav"));
    menu.replaceChildren(...(who ? rowsOf(who, here) : []));
  };
  onLanguage(translate);
  translate();
  me().then((told) => {
    who = told;
    translate();
  }, () => {}); // the page itself says what is wrong with the server
}

function rowsOf(who, here) {
  const head = element("p", "nav-who");
  head.append(element("b", "", who.name), element("span", "", t(`role_${who.role}`)));
  const shown = ORDER.filter((name) => name === "map" || who.pages.includes(name));
  const links = shown.map((name) => {
    const link = element("a", "nav-link", t(`nav_${name}`));
    link.id = `nav-${name}`;
    link.href = name === "map" ? "/" : `/${name}`;
    if (name === here) link.setAttribute("aria-current", "page");
    return link;
  });
  const out = element("button", "nav-link", t("nav_out"));
  out.type = "button";
  out.id = "nav-out";
  out.addEventListener("click", () => api.logout().finally(() => toLogin(false)));
  return [head, ...links, out];
}

function bars() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", "M4.5 7h15M4.5 12h15M4.5 17h15");
  svg.append(path);
  return svg;
}
