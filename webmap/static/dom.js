// Small helpers that make elements. Words are set as text, never as markup.

export function element(tag, name, words) {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (words !== undefined) node.textContent = words;
  return node;
}

/** A sign of the page's own sheet of symbols. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

export function pushButton(name, words, action) {
  const node = element("button", name, words);
  node.type = "button";
  node.addEventListener("click", action);
  return node;
}

/** Sets words only where they change: nothing flickers, and what a person has marked stays marked. */
export function text(node, value) {
  if (node.textContent !== value) node.textContent = value;
}

/** Puts words on the clipboard; answers whether that worked. */
export async function copyText(words) {
  try {
    await navigator.clipboard.writeText(words);
    return true;
  } catch {
    // Without HTTPS there is no such interface; marking a field and copying is the old way.
    const field = document.createElement("textarea");
    field.value = words;
    field.className = "copying";
    (document.querySelector("dialog[open]") ?? document.body).append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}
