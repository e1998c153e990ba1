// A voice note of up to a minute.

import { element, icon, pushButton } from "./dom.js";
import { t } from "./i18n.js";
import { digest } from "./work_ids.js";
import { notice } from "./work_parts.js";

const LONGEST_MS = 60_000;
const KINDS = ["audio/webm;codecs=opus", "audio/ogg;codecs=opus", "audio/mp4"];

export class Voice {
  item = null; // {sha, blob, type, size}
  node = element("div", "voice");
  #recorder = null;
  #began = 0;
  #timer = 0;

  /** {onChange()} */
  constructor(parts) {
    Object.assign(this, parts);
    this.paint();
  }

  static get able() {
    return window.isSecureContext && typeof MediaRecorder === "function" && Boolean(navigator.mediaDevices);
  }

  load(item) {
    this.#forget();
    this.item = item;
    this.paint();
  }

  paint() {
    const button = pushButton("small", "", () => (this.#recorder ? this.stop() : this.#start()));
    button.append(icon("voice"), element("span", "", this.#recorder ? t("hand_voice_stop", { n: Math.floor((Date.now() - this.#began) / 1000) }) : t(this.item ? "hand_voice_again" : "hand_voice_start")));
    if (this.#recorder) button.dataset.on = "1";
    const parts = [button];
    if (this.item && !this.#recorder) {
      const audio = element("audio");
      audio.controls = true;
      audio.src = this.#address ??= URL.createObjectURL(this.item.blob);
      const remove = pushButton("back", "", () => {
        this.load(null);
        this.onChange();
      });
      remove.setAttribute("aria-label", t("hand_voice_remove"));
      remove.append(icon("close"));
      parts.push(audio, remove);
    }
    this.node.hidden = !Voice.able;
    this.node.replaceChildren(...parts);
  }

  #address = null;

  #forget() {
    if (this.#address) URL.revokeObjectURL(this.#address);
    this.#address = null;
  }

  async #start() {
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, noiseSuppression: true } });
    } catch {
      notice(t("hand_voice_denied"), { kind: "warn" });
      return;
    }
    const mimeType = KINDS.find((kind) => MediaRecorder.isTypeSupported(kind));
    const recorder = new MediaRecorder(stream, { mimeType, audioBitsPerSecond: 24_000 });
    const pieces = [];
    recorder.ondataavailable = (event) => event.data.size && pieces.push(event.data);
    recorder.onstop = async () => {
      for (const track of stream.getTracks()) track.stop();
      clearInterval(this.#timer);
      this.#recorder = null;
      const blob = new Blob(pieces, { type: recorder.mimeType.split(";")[0] });
      if (blob.size) this.load({ sha: await digest(blob), blob, type: blob.type, size: blob.size });
      else this.paint();
      this.onChange();
    };
    this.#recorder = recorder;
    this.#began = Date.now();
    recorder.start();
    this.#timer = setInterval(() => (Date.now() - this.#began >= LONGEST_MS ? this.stop() : this.paint()), 500);
    this.paint();
  }

  stop() {
    if (this.#recorder?.state === "recording") this.#recorder.stop();
  }
}
