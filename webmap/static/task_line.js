// The time line of a task: every event with its time, the newest on top.

import { element } from "./dom.js";
import { eventLine } from "./task_events.js";

/** The lines as elements. `time(at)` says a moment. */
export function timeLine(task, time) {
  const lines = task.events.map((deed) => eventLine(deed, task)).filter(Boolean).toReversed();
  return lines.map((line) => {
    const row = element("li", "event");
    row.dataset.tone = line.tone;
    row.append(element("time", "", time(line.at)), element("span", "event-words", line.words));
    if (line.more) row.append(element("small", "", line.more));
    return row;
  });
}
