// The forms behind the card's commands. Each makes its elements once and answers what is to be sent.

import { element, pushButton } from "./dom.js";
import { t } from "./i18n.js";
import { plain } from "./labels.js";
import { plane } from "./projection.js";
import { span } from "./time.js";

const TEXT_BYTES = 1024;
const INTERVALS_S = [5, 10, 30];
const DURATIONS_S = [300, 900, 3600];
const CHANNELS = 8;
const PHOTOS = 3;
const SETTABLE = ["report_s", "heartbeat_s", "speed_limit_kmh"];
export const OWN_AREA = 1; // the id that a terminal knows its own grid by

/** Bytes of a text in GBK: one for ASCII, two for everything else. */
export function gbkBytes(words) {
  let bytes = 0;
  for (const letter of words) bytes += letter.codePointAt(0) < 0x80 ? 1 : 2;
  return bytes;
}

/** The outline of an area as a terminal takes it: its largest ring, without the last point that is the first. */
export function outlineOf(shape) {
  const size = (ring) => {
    let sum = 0;
    for (let i = 0; i + 3 < ring.length; i += 2) sum += ring[i] * ring[i + 3] - ring[i + 2] * ring[i + 1];
    return Math.abs(sum);
  };
  const ring = shape.rings.reduce((best, one) => (size(one) > size(best) ? one : best));
  const points = [];
  for (let i = 0; i + 2 < ring.length; i += 2) {
    const [lat, lon] = plane.degrees(ring[i], ring[i + 1]);
    points.push({ lat: degrees(lat), lon: degrees(lon) });
  }
  return points;
}

const degrees = (value) => Math.round(value * 1e6) / 1e6;

function choice(label, values, words, chosen) {
  const box = element("label", "pane-field");
  const select = document.createElement("select");
  select.append(...values.map((value) => new Option(words(value), String(value), false, value === chosen)));
  box.append(element("span", "", t(label)), select);
  return { box, value: () => Number(select.value) };
}

function tick(label, on) {
  const box = element("label", "pane-tick");
  const input = document.createElement("input");
  Object.assign(input, { type: "checkbox", checked: on });
  box.append(input, element("span", "", t(label)));
  return { box, value: () => input.checked };
}

function row(...nodes) {
  const box = element("div", "pane-row");
  box.append(...nodes);
  return box;
}

const strong = (words, action) => pushButton("button strong", words, action);

function textPane(send) {
  const field = document.createElement("textarea");
  Object.assign(field, { rows: 3, placeholder: t("text_hint") });
  field.setAttribute("aria-label", t("text_hint"));
  const urgent = tick("text_urgent", false);
  const speak = tick("text_speak", true);
  const count = element("span", "pane-count");
  const button = strong(t("cmd_send"), () => send({ kind: "text", text: field.value.trim(), urgent: urgent.value(), speak: speak.value() }));
  const show = () => {
    const bytes = gbkBytes(field.value.trim());
    count.textContent = t("text_bytes", { n: bytes, all: TEXT_BYTES });
    count.classList.toggle("is-over", bytes > TEXT_BYTES);
    button.disabled = bytes === 0 || bytes > TEXT_BYTES;
  };
  field.addEventListener("input", show);
  field.addEventListener("keydown", (event) => event.key === "Enter" && event.ctrlKey && !button.disabled && button.click());
  show();
  return [field, row(urgent.box, speak.box, count), row(button)];
}

function followPane(send) {
  const every = choice("follow_every", INTERVALS_S, (s) => span(s * 1000), 10);
  const length = choice("follow_for", DURATIONS_S, (s) => span(s * 1000), 900);
  return [
    row(every.box, length.box),
    row(strong(t("follow_start"), () => send({ kind: "follow", interval: every.value(), duration: length.value() })),
      pushButton("button", t("follow_stop"), () => send({ kind: "follow", interval: 0, duration: 0 }))),
  ];
}

function photoPane(send) {
  const numbers = (n) => Array.from({ length: n }, (_, i) => i + 1);
  const channel = choice("photo_channel", numbers(CHANNELS), String, 1);
  const count = choice("photo_count", numbers(PHOTOS), String, 1);
  return [row(channel.box, count.box), row(strong(t("photo_take"), () => send({ kind: "photo", channel: channel.value(), count: count.value() })))];
}

function parametersPane(send, { kinds, known, complain }) {
  const nodes = [];
  if (kinds.has("query_parameters")) nodes.push(row(pushButton("button", t("parameters_read"), () => send({ kind: "query_parameters" }, true))));
  if (!kinds.has("parameters")) return nodes;
  const fields = SETTABLE.map((name) => {
    const box = element("label", "pane-field");
    const input = document.createElement("input");
    Object.assign(input, { type: "number", min: 0, step: 1, inputMode: "numeric", placeholder: known[name] ?? "" });
    input.dataset.parameter = name;
    box.append(element("span", "", t(`parameter_${name}`)), input);
    return { name, box, input };
  });
  const write = () => {
    const values = Object.fromEntries(fields.filter((one) => one.input.value !== "").map((one) => [one.name, one.input.valueAsNumber]));
    if (Object.keys(values).length === 0) complain(t("parameters_none"));
    else send({ kind: "parameters", values });
  };
  const grid = element("div", "pane-grid");
  grid.append(...fields.map((one) => one.box));
  return [...nodes, grid, row(strong(t("parameters_write"), write))];
}

function areasPane(send, { grid, gridName }) {
  const own = strong(grid ? `${t("areas_own")} · ${plain(gridName, 20)}` : t("areas_no_grid"), () => {
    const area = { id: OWN_AREA, points: outlineOf(grid), alarm_on_exit: true };
    send({ kind: "areas_set", shape: "polygon", areas: [area] });
  });
  own.disabled = !grid;
  const clear = pushButton("button", t("areas_clear"), () => send({ kind: "areas_delete", shape: "polygon", ids: [] }));
  return [element("p", "pane-note", t("areas_note")), row(own), row(clear)];
}

/** Pane -> the kinds that it can send, its sign, and what makes it. */
export const PANES = {
  text: { kinds: ["text"], picture: "message", make: textPane },
  photo: { kinds: ["photo"], picture: "camera", make: photoPane },
  often: { kinds: ["follow"], picture: "often", make: followPane },
  parameters: { kinds: ["query_parameters", "parameters"], picture: "settings", make: parametersPane },
  areas: { kinds: ["areas_set", "areas_delete"], picture: "grid", make: areasPane },
};
