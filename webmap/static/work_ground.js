// The city's own map and grids, for the map: from the phone's store at once, and anew from the server when it has another.

import { basic } from "./work_uploads.js";

const FILES = { basemap: "/work/basemap", grids: "/work/grids" };

/** What the phone has kept of it: {center, basemap, grids, own, maps}, or null. */
export async function keptGround(store) {
  return (await store.get("facts", "ground")) ?? null;
}

/** What the server has, if that is not the same as `kept`; else, and where nothing comes, null. */
export async function newGround(store, identity, kept) {
  const headers = { Authorization: basic(identity) };
  try {
    const answers = await Promise.all(Object.values(FILES).map((path) => fetch(path, { headers, cache: "no-cache" })));
    const tags = answers.map((answer) => answer.headers.get("ETag")).join(" ");
    if (!answers.every((answer) => answer.ok) || kept?.tags === tags) return null;
    const [basemap, told] = await Promise.all(answers.map((answer) => answer.json()));
    const ground = { tags, basemap, ...told };
    await store.put("facts", ground, "ground");
    return ground;
  } catch {
    return null; // no network: what is kept has to do
  }
}
