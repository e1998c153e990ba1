// The whole console by keyboard. One table; keys typed into a field belong to the field.

export function listenToKeys(actions) {
  const table = {
    "/": actions.search, j: actions.down, ArrowDown: actions.down, k: actions.up, ArrowUp: actions.up, Enter: actions.choose,
    f: actions.follow, t: actions.trails, g: actions.grids, c: actions.cells, b: actions.ground, l: actions.language, d: actions.theme, w: actions.wall, p: actions.phones, i: actions.import, n: actions.add, r: actions.rollCall, s: actions.storage, v: actions.verify,
    q: actions.panel, a: actions.assign, h: actions.hotline, u: actions.undo, e: actions.alarms, o: actions.problems, y: actions.acknowledge, z: actions.notices, x: actions.surveys, ".": actions.menu,
    "?": actions.help, "+": actions.zoomIn, "=": actions.zoomIn, "-": actions.zoomOut, 0: actions.whole, Escape: actions.escape,
  };
  for (let n = 1; n <= 9 && actions.digit; n += 1) table[n] = () => actions.digit(n);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    const target = event.target;
    // A field of a dialog that has just closed has the focus until the next frame, and nobody types there.
    const typing = target.matches?.("input:not([type=checkbox]), select, textarea") && !target.closest("dialog:not([open])");
    const inField = typing && target.id !== "search" && target.id !== "task-search" ? event.key !== "Escape" : typing && !["ArrowDown", "ArrowUp", "Enter", "Escape"].includes(event.key);
    if (inField) return;
    // A focused button keeps its own Enter, an open dialog keeps everything but the key that closes it.
    if (event.key === "Enter" && target.matches?.("button, a, summary")) return;
    if (document.querySelector("dialog[open]") && event.key !== "?") return;
    const action = table[event.key] ?? table[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  });
}
