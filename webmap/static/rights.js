// What the account that looks at this page may do. Until it is known, nothing but looking.

import { me } from "./nav.js";

let who = null;

/** Settles when it is known. */
export const known = me().then(
  (found) => {
    who = found;
  },
  () => {}, // the page's own questions tell what is the matter
);

/** Whether one may do something at all; with a unit that is in sight, whether to that. */
export function may(action, unit = null) {
  const reach = who?.rights?.[action];
  return reach !== undefined && (unit === null || reach !== "own" || unit === who.unit);
}
