// The city's own map and grids, for the map: from the phone's store at once, and anew from the server.

import { basic } from "./work_uploads.js";

const FILES = { basemap: "/work/basemap", grids: "/work/grids" };

/** Calls `show` with what there is: {center, basemap, grids, own}. Where nothing comes, what is kept is shown. */
export async function loadGround(store, identity, show) {
  const kept = (await store.get("facts", "ground")) ?? {};
  if (kept.basemap) show(kept);
  const headers = { Authorization: basic(identity) };
  try {
    const answers = await Promise.all(Object.values(FILES).map((path) => fetch(path, { headers, cache: "no-cache" })));
    if (!answers.every((answer) => answer.ok)) return;
    const tags = answers.map((answer) => answer.headers.get("ETag")).join(" ");
    if (kept.tags === tags) return;
    const [basemap, told] = await Promise.all(answers.map((answer) => answer.json()));
    const ground = { tags, basemap, ...told };
    show(ground);
    await store.put("facts", ground, "ground");
  } catch {
    // no network: what is kept has to do
  }
}
