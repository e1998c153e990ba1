// Oneself: whose phone this is, what it can do, and how it looks.

import { element, pushButton } from "./dom.js";
import { language, setLanguage, t } from "./i18n.js";
import { ask, keyed } from "./work_parts.js";
import { keepIdentity } from "./work_identity.js";
import { VERSION } from "./work_client.js";

const THEMES = ["auto", "light", "dark"];

export class MeScreen {
  constructor(app, node) {
    this.app = app;
    this.node = node;
    window.addEventListener("beforeinstallprompt", (event) => {
      event.preventDefault();
      this.install = event;
    });
  }

  paint() {
    const { app } = this;
    const { position, link, alarm } = app;
    const accuracy = position.fresh ? Math.round(position.last.accuracy) : -1;
    const key = JSON.stringify([language(), link.name, position.state, accuracy, link.status, alarm.awake, app.prefs.get("theme"), app.prefs.get("workAwake"), Boolean(this.install), app.outbox.dropped, Math.round(link.offset / 60_000)]);
    keyed(this.node, [{ key, make: () => this.#made(accuracy) }]);
  }

  #made(accuracy) {
    const { app } = this;
    const { position, link, alarm, prefs } = app;
    const node = element("div");
    const title = element("div", "title");
    title.append(element("h1", "", link.name || app.identity.name || t("hand_me")));
    const place = accuracy >= 0 ? t("accuracy_value", { n: accuracy }) : t(`hand_place_short_${position.state}`);
    const facts = element("div", "group");
    facts.append(set(t("hand_me_place"), element("span", "", place)), set(t("hand_me_link"), element("span", "", t(`hand_link_${link.status}`))), set(t("hand_me_sound"), element("span", "", t(alarm.awake ? "hand_ready" : "hand_tap_once"))));
    if (Math.abs(link.offset) > 120_000) facts.append(set(t("hand_me_clock"), element("span", "", t("hand_clock_off", { n: Math.round(Math.abs(link.offset) / 60_000) }))));
    if (app.outbox.dropped) facts.append(set(t("hand_positions"), element("span", "", t("hand_dropped", { n: app.outbox.dropped }))));
    const looks = element("div", "group");
    const theme = prefs.get("theme");
    const awake = prefs.get("workAwake") !== false;
    looks.append(
      set(t("hand_language"), pushButton("small", language() === "zh" ? "English" : "中文", () => chooseLanguage(app))),
      set(t("hand_theme"), pushButton("small", t(`hand_theme_${theme}`), () => prefs.set("theme", THEMES[(THEMES.indexOf(theme) + 1) % 3]))),
      set(t("hand_awake"), pushButton("small", t(awake ? "hand_yes" : "hand_no"), () => app.keepAwake(!awake))),
      set(t("hand_sound"), pushButton("small", t("hand_try"), () => alarm.once("offer"))),
    );
    node.append(title, facts, element("h2", "", t("hand_looks")), looks);
    if (this.install) {
      const add = pushButton("big", t("hand_install"), async () => {
        await this.install.prompt();
        this.install = null;
        app.paint();
      });
      add.style.marginTop = "14px";
      node.append(add);
    }
    node.append(element("h2", "", t("hand_phone")), this.#phone());
    return node;
  }

  #phone() {
    const group = element("div", "group");
    group.append(set(t("hand_device"), element("span", "chosen", this.app.identity.device)), set(t("hand_version"), element("span", "", VERSION)), set(t("hand_other_person"), pushButton("small", t("hand_forget"), () => this.#forget())));
    return group;
  }

  async #forget() {
    const { app } = this;
    const waits = app.outbox.made.length + app.uploads.all.length;
    const about = t(waits ? "hand_forget_waits" : "hand_forget_text", { n: waits });
    if ((await ask(t("hand_forget_sure"), [{ value: true, words: t("hand_forget"), name: "danger" }], about)) !== true) return;
    keepIdentity(null);
    app.store.database.close();
    indexedDB.deleteDatabase(app.store.database.name);
    location.href = "/join";
  }
}

function set(words, right) {
  const row = element("div", "set");
  row.append(element("b", "", words), right);
  return row;
}

/** The other language, now and when the page is opened again. */
export function chooseLanguage(app) {
  setLanguage(language() === "zh" ? "en" : "zh");
  app.prefs.set("language", language());
}
