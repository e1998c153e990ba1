// Light and dark: the choice, and the colours that canvases need (style sheets have theirs in tokens.css).

const PALETTES = {
  light: {
    land: "#eceee9", farm: "#e7ecdc", residential: "#f5f4f0", commercial: "#f6f0ea", industry: "#edecf0", school: "#f3f0e2", village: "#f1efe6",
    building: "#e3e1db", buildingEdge: "#d5d2ca", park: "#cfe5c8", hill: "#c5dfc0", square: "#e6ecdc",
    water: "#a9cfe8", waterEdge: "#90bedd", minor: "#ffffff", major: "#ffffff", casing: "#cdd0d0", casingMajor: "#c3c6c7", rail: "#a5abb1", railGap: "#f4f4f2",
    labelStreet: "#69727b", labelMinor: "#868e96", labelWater: "#2f7099", labelPark: "#3f7a45", labelTown: "#6d7681", labelQuarter: "#8a929b", labelOther: "#5e6872", halo: "rgba(250,250,248,.9)",
    grid: "rgba(47,78,160,.42)", gridLabel: "rgba(47,72,140,.66)", cell: "rgba(47,78,160,.2)", ownFill: "rgba(35,82,216,.09)", own: "#2352d8",
    states: ["#0a8f68", "#8146d8", "#d97a00", "#56616e", "#8f99a5"], mark: "#ffffff", shade: "rgba(16,32,46,.35)", text: "#17212b", textSoft: "#5b6673", textHalo: "rgba(255,255,255,.94)",
    sos: "#dc1f3d", select: "#2352d8", accuracy: "rgba(35,82,216,.12)",
  },
  dark: {
    land: "#0f161e", farm: "#131f20", residential: "#18222d", commercial: "#1e242f", industry: "#18202f", school: "#1e252b", village: "#192329",
    building: "#222e3b", buildingEdge: "#2a3848", park: "#173124", hill: "#152c20", square: "#1a2a28",
    water: "#123148", waterEdge: "#1b4362", minor: "#273442", major: "#344455", casing: "#0c1219", casingMajor: "#0c1219", rail: "#4a5765", railGap: "#10171f",
    labelStreet: "#93a3b3", labelMinor: "#71808f", labelWater: "#6aa9d6", labelPark: "#6fae7c", labelTown: "#8b9aab", labelQuarter: "#6f7e8e", labelOther: "#92a1b0", halo: "rgba(13,19,26,.88)",
    grid: "rgba(140,170,255,.34)", gridLabel: "rgba(160,184,255,.6)", cell: "rgba(140,170,255,.15)", ownFill: "rgba(110,150,255,.12)", own: "#7da2ff",
    states: ["#2fd3a0", "#b48cff", "#ffb03b", "#93a1b0", "#66737f"], mark: "#0d141b", shade: "rgba(0,0,0,.6)", text: "#eef3f8", textSoft: "#a3b1bf", textHalo: "rgba(10,15,21,.92)",
    sos: "#ff4560", select: "#8fb0ff", accuracy: "rgba(125,162,255,.16)",
  },
};

const system = window.matchMedia("(prefers-color-scheme: dark)");

export class Theme {
  #listeners = [];

  constructor(prefs) {
    this.prefs = prefs;
    system.addEventListener("change", () => this.apply());
    prefs.onChange((name) => name === "theme" && this.apply());
    this.apply();
  }

  get dark() {
    const chosen = this.prefs.get("theme");
    return chosen === "dark" || (chosen !== "light" && system.matches);
  }

  get colors() {
    return PALETTES[this.dark ? "dark" : "light"];
  }

  toggle() {
    this.prefs.set("theme", this.dark ? "light" : "dark");
  }

  apply() {
    document.documentElement.dataset.theme = this.dark ? "dark" : "light";
    document.querySelector('meta[name="theme-color"]')?.setAttribute("content", this.dark ? "#151d27" : "#ffffff");
    for (const listener of this.#listeners) listener();
  }

  onChange(listener) {
    this.#listeners.push(listener);
  }
}
