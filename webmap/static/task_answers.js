// Answers of a task with their photos and what is to be known of them, and the tasks that may be the same.

import { api } from "./api.js";
import { element, icon, pushButton } from "./dom.js";
import { knows, t } from "./i18n.js";
import { plain } from "./labels.js";
import { countdown, metresWord, nameWord, resultWord, stateWord } from "./task_text.js";

/** Whether an answer that is kept can be taken for the task's. */
export function adoptable(task) {
  return ["queued", "assigned", "in_progress", "resulted"].includes(task.state);
}

/** One answer: the word, who gave it and when, its words, its photos and what they lack. */
export function answerBlock(task, result, time) {
  const block = element("article", "answer");
  const head = element("p", "answer-head");
  head.append(element("b", "", resultWord(task.kind, result.word)), element("span", "", `${nameWord(result, 20)} · ${time(result.at)}`));
  block.append(head);
  if (result.text) block.append(element("p", "answer-text", plain(result.text, 500)));
  const marks = [...(result.marks ?? [])];
  const missing = result.missing > 0;
  if (marks.length || missing) {
    const row = element("p", "answer-marks");
    for (const mark of marks) row.append(element("span", "answer-mark", knows(`proof_${mark}`) ? t(`proof_${mark}`) : mark));
    if (missing) {
      const chip = element("span", "answer-mark", t(result.missing === 1 ? "photo_missing" : "photos_missing", { n: result.missing }));
      chip.prepend(icon("camera"));
      row.append(chip);
    }
    block.append(row);
  }
  if (result.photos?.length) block.append(photos(result.photos));
  return block;
}

/** Photos as small pictures that open large. */
export function photos(all) {
  const row = element("div", "order-photos");
  for (const sha of all) {
    const button = pushButton("order-photo", "", () => enlarge(api.photo(sha)));
    button.title = t("enlarge");
    button.setAttribute("aria-label", t("enlarge"));
    const image = element("img");
    [image.src, image.alt, image.loading] = [api.photo(sha), "", "lazy"];
    button.append(image);
    row.append(button);
  }
  return row;
}

function enlarge(source) {
  const box = element("dialog", "picture");
  const image = element("img");
  [image.src, image.alt] = [source, ""];
  const close = pushButton("tool", "", () => box.close());
  close.setAttribute("aria-label", t("close"));
  close.append(icon("close"));
  box.append(image, close);
  box.addEventListener("click", (event) => event.target === box && box.close());
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
}

/** The tasks that may be the same, each a way to it. */
export function linksBlock(task, desk, onTask) {
  const list = element("div", "links");
  for (const link of task.links) {
    const other = desk.rows.get(link.task);
    const row = pushButton("link", "", () => onTask(link.task));
    const later = t(link.later >= 0 ? "later" : "earlier", { time: countdown(link.later) });
    row.append(element("bdi", "", plain(other?.address || link.task, 40)), element("span", "", other ? stateWord(other) : ""));
    row.append(element("small", "", t("duplicate_at", { metres: metresWord(link.metres), later })));
    list.append(row);
  }
  return list;
}
