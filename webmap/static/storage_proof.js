// Proof against change: the heads of the chains, and verifying with its progress and verdict.

import { api } from "./api.js";
import { copyText, element, pushButton, text } from "./dom.js";
import { language, t } from "./i18n.js";
import { known, may } from "./rights.js";
import { count, size } from "./sizes.js";
import { ageOf, span } from "./time.js";

const SHOWN = 20;
const $ = (id) => document.getElementById(id);

export class Proof {
  #busy = false;

  constructor({ onProblem, onBegun }) {
    Object.assign(this, { onProblem, onBegun });
    $("verify").addEventListener("click", () => this.begin());
    known.then(() => ($("verify").hidden = !may("verify")));
  }

  async begin() {
    if (this.#busy || !may("verify")) return;
    this.#busy = true;
    try {
      await api.startVerify();
      this.onBegun();
    } catch (error) {
      this.#busy = false;
      this.onProblem(error);
    }
  }

  show(told) {
    const { state, progress, last } = told.verify;
    this.#busy = state !== "idle";
    $("verify").disabled = this.#busy;
    $("verify").title = t("verify_key");
    text($("verify"), t(state === "running" ? "verifying" : state === "waiting" ? "verify_waiting" : "verify"));
    $("verify-progress").hidden = state !== "running";
    $("verify-progress").firstElementChild.style.width = `${progress.percent ?? 0}%`;
    text($("verify-progress").lastElementChild, progress.percent === undefined ? "" : `${progress.percent} % · ${progress.name}`);
    const key = JSON.stringify([language(), last, last && ageOf(last.at, told.now)]);
    if ($("verdict").dataset.key !== key) {
      $("verdict").dataset.key = key;
      $("verdict").hidden = last === null;
      if (last !== null) this.#verdict(last, told.now);
    }
    this.#chains(told.chains);
    const { configured, delivered, late } = told.heads;
    text($("heads"), !configured ? t("heads_off")
      : late.length ? t("heads_late", { reason: late[0].reason, n: late[0].waiting })
      : delivered === null ? t("heads_none")
      : t("heads_out", { age: ageOf(delivered, told.now) }));
    $("heads").dataset.state = !configured || late.length ? "warn" : "ok";
  }

  #verdict(last, now) {
    const words = (one) => (language() === "zh" ? one.zh : one.text);
    const sound = (one) => t("verify_sound", { files: count(one.files), size: size(one.bytes), entries: count(one.entries) });
    const { verdict } = last;
    $("verdict").dataset.sound = verdict ? String(verdict.sound) : "unknown";
    const when = t("verify_at", { age: ageOf(last.at, now), span: span(last.took_ms) });
    const nodes = [element("p", "verdict-word", !verdict ? t("verify_failed", { text: last.failure }) : verdict.sound && verdict.entries ? sound(verdict) : words(verdict)), element("p", "note", when)];
    if (verdict?.sound && verdict.entries) nodes.push(element("p", "note", t("verify_heads")));
    if (verdict?.findings.length) {
      const list = element("ul", "findings");
      for (const finding of verdict.findings.slice(0, SHOWN)) {
        const item = element("li");
        item.append(element("code", "", finding.name), element("span", "", words(finding)));
        list.append(item);
      }
      nodes.push(list);
      if (verdict.findings.length > SHOWN) nodes.push(element("p", "note", t("findings_more", { n: verdict.findings.length - SHOWN })));
    }
    if (verdict?.changes.length) {
      const details = element("details", "changes");
      details.open = $("verdict").querySelector(".changes")?.open ?? false;
      const list = element("ul");
      list.append(...verdict.changes.map((change) => element("li", "", words(change))));
      details.append(element("summary", "", t("verify_changes")), list);
      nodes.push(details);
    }
    $("verdict").replaceChildren(...nodes);
  }

  #chains(chains) {
    const key = JSON.stringify([language(), chains]);
    if ($("chains").dataset.key === key) return;
    $("chains").dataset.key = key;
    $("chains").replaceChildren(...chains.flatMap((chain) => {
      const head = element("dd");
      if (chain.number) {
        head.append(element("span", "", t("chain_entries", { n: count(chain.number) })), digestButton(chain.digest));
      } else head.textContent = t("chain_none");
      if (chain.broken) {
        head.dataset.broken = "";
        head.append(element("b", "", t("chain_broken", { n: chain.broken })));
      }
      return [element("dt", "", t(`part_${chain.class}`)), head];
    }));
  }
}

/** The first signs of a digest; a click copies all of it. */
export function digestButton(digest) {
  const short = `${digest.slice(0, 12)}…`;
  const button = pushButton("digest", short, async () => {
    if (!(await copyText(digest))) return;
    button.dataset.done = "";
    button.textContent = t("copied_digest");
    setTimeout(() => {
      delete button.dataset.done;
      button.textContent = short;
    }, 1500);
  });
  button.title = `${t("copy_digest")}: ${digest}`;
  return button;
}
