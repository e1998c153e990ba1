// Photos: taken with the phone's camera, made small enough for a poor network, looked at, and taken out again.

import { element, icon, pushButton } from "./dom.js";
import { t } from "./i18n.js";
import { notice } from "./work_parts.js";
import { digest } from "./work_ids.js";

const LONGEST = 1600; // pixels
const QUALITIES = [0.82, 0.7, 0.55, 0.4];
const THUMB = 240;
export const PHOTO_LIMIT = 9; // of one answer, as the protocol says

export class Photos {
  items = []; // {sha, blob, type, size}
  node = element("div", "strip");

  /** {limit(): bytes of one, onChange()} */
  constructor(parts) {
    Object.assign(this, parts);
    this.input = element("input");
    Object.assign(this.input, { type: "file", accept: "image/*" });
    this.input.setAttribute("capture", "environment");
    this.input.addEventListener("change", () => this.#took());
    this.take = element("label", "take");
    this.take.append(icon("camera"), element("span", "", ""), this.input);
    this.paint();
  }

  /** Those of a draft. */
  load(items) {
    this.items = items;
    for (const old of this.node.querySelectorAll(".shot")) old.remove();
    for (const item of items) this.#show(item);
    this.paint();
  }

  /** `need`: how many there must be. */
  paint(need = this.need ?? 0) {
    this.need = need;
    const { length } = this.items;
    this.take.classList.toggle("wide", length === 0);
    this.take.querySelector("span").textContent = need > 0 ? t("hand_photo_of", { n: Math.min(length + 1, Math.max(need, length + 1)), all: Math.max(need, length) }) : t("hand_photo");
    if (need > 0 && length >= need) this.take.querySelector("span").textContent = t("hand_photo_more");
    this.take.hidden = length >= PHOTO_LIMIT;
    if (this.node.lastElementChild !== this.take) this.node.append(this.take);
    for (const remove of this.node.querySelectorAll(".shot button")) remove.setAttribute("aria-label", t("hand_photo_remove"));
  }

  async #took() {
    const [file] = this.input.files;
    this.input.value = "";
    if (!file) return;
    this.take.classList.add("busy");
    try {
      const blob = await smaller(file, this.limit());
      const sha = await digest(blob);
      if (this.items.some((item) => item.sha === sha)) return;
      const item = { sha, blob, type: blob.type, size: blob.size };
      this.items = [...this.items, item];
      this.onChange(); // it is kept before it is shown
      await this.#show(item);
    } catch (error) {
      console.warn("the photo cannot be read", error.message);
      notice(t("hand_photo_bad"), { kind: "warn" });
    } finally {
      this.take.classList.remove("busy");
      this.paint();
    }
  }

  async #show(item) {
    const shot = element("div", "shot");
    const canvas = element("canvas");
    const remove = pushButton("", "", () => {
      this.items = this.items.filter((one) => one !== item);
      shot.remove();
      this.paint();
      this.onChange();
    });
    remove.append(icon("close"));
    shot.append(canvas, remove);
    this.node.insertBefore(shot, this.take);
    const picture = await createImageBitmap(item.blob);
    const side = Math.min(picture.width, picture.height);
    canvas.width = canvas.height = THUMB;
    canvas.getContext("2d").drawImage(picture, (picture.width - side) / 2, (picture.height - side) / 2, side, side, 0, 0, THUMB, THUMB);
    picture.close();
  }
}

/** The picture as a JPEG of at most `LONGEST` pixels a side, and of `limit` bytes. */
export async function smaller(file, limit) {
  const picture = await createImageBitmap(file, { imageOrientation: "from-image" });
  const share = Math.min(1, LONGEST / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(picture.width * share));
  canvas.height = Math.max(1, Math.round(picture.height * share));
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  for (const quality of QUALITIES) {
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", quality));
    if (blob && blob.size <= limit) return blob;
  }
  throw new Error("it stays too large");
}
