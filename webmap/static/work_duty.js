// On duty or off. Off duty the phone tells nobody where it is; a call for help always does.

import { t } from "./i18n.js";
import { ask } from "./work_parts.js";
import { newId } from "./work_ids.js";

export class Duty {
  on = false;

  constructor(app) {
    this.app = app;
  }

  async load() {
    this.on = (await this.app.store.get("facts", "duty")) ?? false;
    this.#follow();
  }

  async toggle() {
    const { app } = this;
    const on = !this.on;
    if (!on) {
      const open = app.tasks.open.length;
      const sure = await ask(t("hand_off_sure"), [{ value: true, words: t("hand_go_off"), name: "strong" }], open ? t("hand_off_open", { n: open }) : t("hand_off_text"));
      if (sure !== true) return;
    }
    const message = { t: "duty", on, at: Date.now(), id: newId() };
    await app.outbox.add(message, false, ["facts"], (facts) => void facts.put(on, "duty"));
    this.on = on;
    this.#follow();
    app.link.pump();
    app.paint();
  }

  #follow() {
    const { app } = this;
    if (this.on) app.position.start();
    else if (!app.sos.bits) app.position.stop();
    app.stayAwake();
  }
}
